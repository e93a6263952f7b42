//! The partition of the booted stick, mounted for a moment.
use esos_blockdev::Inventory;
use esos_cli::{Exit, Failure, OrExit};
use esos_hostfs::{Files, HostFiles, MountFlags, TempDir, mount, unmount};
use esos_initramfs::BootReport;
use esos_layout::{run, stick_state::Presence, stick_state::StickState};
use esos_sysfs::HostTree;
use std::path::Path;

/// A mounted partition; it is unmounted when this is dropped.
pub(crate) struct Mounted {
    dir: Option<TempDir>,
}

impl Mounted {
    /// A partition of the stick that was booted, wherever it is now. Never one of another stick with the same names.
    pub(crate) fn of(name: &str, write: bool) -> Result<Self, Failure> {
        let device = device(name)?;
        let files = HostFiles::new("/");
        files.make_dir(run::DIR)?;
        let dir = TempDir::new_in(Path::new(run::DIR), name)?;
        let mut flags = MountFlags::NO_SUID | MountFlags::NO_DEV | MountFlags::NO_EXEC;
        if !write {
            flags |= MountFlags::READ_ONLY;
        }
        mount(&device, dir.path(), "ext4", flags, "").or_exit(Exit::Unavailable)?;
        Ok(Self { dir: Some(dir) })
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.as_ref().map_or(Path::new(""), TempDir::path)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let Some(dir) = self.dir.take() else { return };
        // What is still mounted must not be removed with the directory.
        if unmount(dir.path(), false).is_err() && unmount(dir.path(), true).is_err() {
            let _stays = dir.keep();
        }
    }
}

/// The node of a partition of the booted stick.
fn device(name: &str) -> Result<String, Failure> {
    let files = HostFiles::new("/");
    let gone = |why: String| Failure::new(Exit::Unavailable, why).code("conf::gone").help("esos stick show");
    let state: Option<StickState> =
        files.read(run::STICK_STATE).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    if let Some(state) = state {
        match (state.state, state.device) {
            (Presence::Present, Some(disk)) => {
                let inventory = Inventory::read(&HostTree::new("/sys"))?;
                let found = inventory.by_path(&disk).map(|d| d.name.clone());
                let partition = found.and_then(|disk| {
                    inventory
                        .partitions(&disk)
                        .find(|p| p.part_name.as_deref() == Some(name))
                        .map(|p| p.node())
                });
                return partition.ok_or_else(|| gone(format!("{disk} has no partition {name}")));
            }
            (Presence::Gone | Presence::Refused, _) => return Err(gone(state.message)),
            _ => {}
        }
    }
    let bytes = files.read(run::BOOT_REPORT).or_exit(Exit::Unavailable)?;
    let report = BootReport::from_json(&String::from_utf8_lossy(&bytes)).or_exit(Exit::Invalid)?;
    let partition = report.stick.and_then(|s| s.partitions.get(name).map(|p| p.device.clone()));
    partition.ok_or_else(|| gone(format!("{} names no partition {name}", run::BOOT_REPORT)))
}
