//! `esos_persist`: the programs on the stick, for machines with little memory.
//!
//! A root image of frames cannot be mounted. So it is unpacked once, verified as ever, into a directory
//! of the stick's `esos_data` (or else `esos_logs`) that is named after the image's index; later boots
//! find it whole. Only `/usr` stays there, under an overlay whose upper layer is memory; everything else,
//! the configuration with it, is copied into the root's tmpfs. So nothing is ever written to the stick but
//! what is kept on it by itself, and a box whose stick fails still has its configuration whole. The price:
//! a program that is not in memory does not start while the stick is gone.
use crate::world::{Mount, World};
use crate::{Fault, StickReport};
use esos_layout::{part, run};
use sha2::{Digest, Sha256};
use std::io;

/// Where the stick's partition is mounted in the initramfs.
pub(crate) const STICK: &str = "/stick";
/// What stays there.
const USR: &str = "usr";
/// Where the memory for its changes is mounted in the initramfs.
const UPPER: &str = "/upper";

/// The directories of one root image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Persist {
    base: String,
    key: String,
}

impl Persist {
    /// Named after the bytes of the index.
    pub(crate) fn of(index: &[u8]) -> Self {
        let key = Sha256::digest(index).iter().take(8).map(|b| format!("{b:02x}")).collect();
        Self { base: format!("{STICK}/{}", run::PERSIST_DIR), key }
    }

    fn whole(&self) -> String {
        format!("{}/{}", self.base, self.key)
    }

    fn partial(&self) -> String {
        format!("{}/{}.partial", self.base, self.key)
    }

    /// Where the image is unpacked to.
    pub(crate) fn target(&self) -> String {
        format!("{}/root", self.partial())
    }

    /// Mounts the partition, and removes what an interrupted boot left. Whether the image lies there
    /// already.
    pub(crate) fn open(&self, world: World<'_>, stick: &StickReport) -> Result<bool, Fault> {
        let name = [part::DATA, part::LOGS].into_iter().find(|name| stick.partitions.contains_key(*name));
        let device = name.and_then(|name| stick.partitions.get(name)).map(|p| p.device.as_str());
        let device = device.ok_or_else(|| {
            Fault::Medium(format!(
                "{} has neither {} nor {} to keep a root on",
                stick.device,
                part::DATA,
                part::LOGS
            ))
        })?;
        let mount = Mount {
            source: device,
            target: STICK,
            kind: "ext4",
            read_only: false,
            harmless: false,
            options: "",
        };
        world.mounts.mount(&mount).map_err(|e| Fault::Medium(format!("cannot mount {device}: {e}")))?;
        let refuse = |e: esos_hostfs::FileError| Fault::Medium(e.to_string());
        world.files.make_dir(&self.base).map_err(refuse)?;
        let there = world.files.list(&self.base).map_err(refuse)?;
        for partial in there.iter().filter(|name| name.ends_with(".partial")) {
            world.root.remove_tree(&format!("{}/{partial}", self.base));
        }
        if there.contains(&self.key) {
            return Ok(true);
        }
        // The root of the other slot may stay; older ones make room.
        let mut others: Vec<_> = there.iter().filter(|name| !name.ends_with(".partial")).collect();
        others.sort_by_key(|name| {
            world.files.stat(&format!("{}/{name}", self.base)).map(|m| m.mtime).unwrap_or(0)
        });
        for old in others.iter().rev().skip(1) {
            world.console.say(&format!("removing the older root {old} from {device}"));
            world.root.remove_tree(&format!("{}/{old}", self.base));
        }
        world.files.make_dir(&self.target()).map_err(refuse)?;
        Ok(false)
    }

    /// Names the unpacked image as whole, on the medium.
    pub(crate) fn commit(&self, world: World<'_>) -> io::Result<()> {
        world.root.rename(&self.partial(), &self.whole())
    }

    /// Makes the root of what lies on the stick: the bytes that were copied into memory.
    pub(crate) fn root(&self, world: World<'_>, target: &str) -> io::Result<u64> {
        let whole = format!("{}/root", self.whole());
        let memory = |target, options| Mount {
            source: "esos",
            target,
            kind: "tmpfs",
            read_only: false,
            harmless: false,
            options,
        };
        world.mounts.mount(&memory(target, "mode=0755"))?;
        let copied = world.root.copy(&whole, target, USR)?;
        world.mounts.mount(&memory(UPPER, "mode=0755"))?;
        let [upper, work] = ["upper", "work"].map(|name| format!("{UPPER}/{name}"));
        for directory in [&upper, &work] {
            world.files.make_dir(directory).map_err(io::Error::other)?;
        }
        let usr = format!("{target}/{USR}");
        let options = format!("lowerdir={whole}/{USR},upperdir={upper},workdir={work}");
        world.mounts.mount(&Mount {
            source: "overlay",
            target: &usr,
            kind: "overlay",
            read_only: false,
            harmless: false,
            options: &options,
        })?;
        // The overlay holds it; nobody else has business there.
        world.mounts.unmount(UPPER)?;
        world.mounts.shift(STICK, &format!("{target}{}", run::PERSIST_MOUNT))?;
        Ok(copied)
    }
}
