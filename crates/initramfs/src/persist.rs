//! `esos_persist`: a root on the stick, for machines with little memory.
//!
//! A root image of frames cannot be mounted. So it is unpacked once, verified as ever, into a directory
//! of the stick's `esos_data` (or else `esos_logs`) that is named after the image's index; later boots
//! find it whole and mount it under an overlay whose upper layer lies beside it. The price is said in
//! the report: a stick that is pulled takes the root with it.
use crate::world::{Mount, World};
use crate::{Fault, StickReport};
use esos_layout::{part, run};
use sha2::{Digest, Sha256};
use std::io;

/// Where the stick's partition is mounted in the initramfs.
pub(crate) const STICK: &str = "/stick";

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
        for directory in
            [self.target(), format!("{}/upper", self.partial()), format!("{}/work", self.partial())]
        {
            world.files.make_dir(&directory).map_err(refuse)?;
        }
        Ok(false)
    }

    /// Names the unpacked image as whole, on the medium.
    pub(crate) fn commit(&self, world: World<'_>) -> io::Result<()> {
        world.root.rename(&self.partial(), &self.whole())
    }

    /// Mounts the overlay.
    pub(crate) fn overlay(&self, world: World<'_>, target: &str) -> io::Result<()> {
        let whole = self.whole();
        let options = format!("lowerdir={whole}/root,upperdir={whole}/upper,workdir={whole}/work");
        let mount = Mount {
            source: "overlay",
            target,
            kind: "overlay",
            read_only: false,
            harmless: false,
            options: &options,
        };
        world.mounts.mount(&mount)?;
        world.mounts.shift(STICK, &format!("{target}{}", run::PERSIST_MOUNT))
    }
}
