//! The box's directory of dumps, on the stick's log partition.
use esos_cli::{Exit, Failure, OrExit, Ui};
use esos_crashdump::{DUMP_DIR, Store};
use esos_hostfs::{FileError, Files, HostFiles, Mount, MountFlags, mount, unmount};
use esos_initramfs::BootReport;
use esos_layout::{part, run};
use std::path::{Path, PathBuf};

/// The boot's own report.
pub(crate) fn boot_report(root: &Path) -> Result<BootReport, Failure> {
    let files = HostFiles::new(root);
    let bytes = files.read(run::BOOT_REPORT).or_exit(Exit::Unavailable)?;
    BootReport::from_json(&String::from_utf8_lossy(&bytes))
        .or_exit(Exit::Invalid)
        .context(format!("cannot understand {}", run::BOOT_REPORT))
}

/// A file system that is mounted as long as this lives.
pub(crate) struct Mounted {
    place: PathBuf,
}

impl Mounted {
    /// Mounts a device at a place of its own below `/run/esos`.
    pub(crate) fn new(device: &str, name: &str, kind: &str, flags: MountFlags) -> Result<Self, FileError> {
        let place = PathBuf::from(format!("{}/{name}.{}", run::DIR, std::process::id()));
        HostFiles::new("/").make_dir(&place.to_string_lossy())?;
        let flags = flags | MountFlags::NO_SUID | MountFlags::NO_DEV | MountFlags::NO_EXEC;
        mount(device, &place, kind, flags, "")
            .inspect_err(|_| drop(HostFiles::new("/").remove(&place.to_string_lossy())))?;
        Ok(Self { place })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.place
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // A medium that is gone can only be detached.
        if unmount(&self.place, false).or_else(|_busy| unmount(&self.place, true)).is_ok() {
            let _stays = HostFiles::new("/").remove(&self.place.to_string_lossy());
        }
    }
}

/// The store, and the mount that it lies on.
pub(crate) struct Dumps {
    pub(crate) store: Store,
    /// Why it is not on the log partition but where the capture found another place.
    pub(crate) elsewhere: Option<String>,
    _mounted: Option<Mounted>,
}

/// The box's store: in a copied tree the directory below the mount point; on the box the log partition, which is
/// mounted for the moment where nobody has it mounted, or where it is broken the partition that a capture took instead.
pub(crate) fn dumps(ui: &Ui) -> Result<Dumps, Failure> {
    open(ui.root(), ui.global().is_live())
}

/// A file, or the dump of that name in the box's store; the store must live as long as the file is used.
pub(crate) fn file_or_name(file: &Path, ui: &Ui) -> (PathBuf, Option<Dumps>) {
    let name = file.to_str().filter(|n| n.starts_with("crash-") && !n.contains('/') && !file.exists());
    let dumps = name.and_then(|name| {
        let dumps = dumps(ui).ok()?;
        dumps.store.entries().ok()?.iter().any(|e| e.name == name).then_some(dumps)
    });
    match (name, dumps) {
        (Some(name), Some(dumps)) => (dumps.store.dump(name), Some(dumps)),
        _ => (file.to_owned(), None),
    }
}

/// Whether the store has dumps of these names.
pub(crate) fn there(store: &Store, names: &[String]) -> Result<(), Failure> {
    let known = store.entries()?;
    let Some(missing) = names.iter().find(|n| !known.iter().any(|e| e.name == **n)) else { return Ok(()) };
    let have: Vec<_> = known.iter().map(|e| e.name.as_str()).collect();
    let help = if have.is_empty() { "there are no dumps".to_owned() } else { have.join(", ") };
    Err(Failure::new(Exit::Invalid, format!("no dump is called {missing}")).help(help))
}

pub(crate) fn open(root: &Path, live: bool) -> Result<Dumps, Failure> {
    let logs = root.join(part::LOGS_MOUNT.trim_start_matches('/'));
    let text = HostFiles::new(root).read("/proc/self/mountinfo").unwrap_or_default();
    let mounts =
        Mount::parse_all("/proc/self/mountinfo", &String::from_utf8_lossy(&text)).unwrap_or_default();
    if !live || mounts.iter().any(|m| m.target == part::LOGS_MOUNT && m.is_writable()) {
        return Ok(Dumps { store: Store::at(&logs.join(DUMP_DIR)), elsewhere: None, _mounted: None });
    }
    let stick = boot_report(root)?.stick.unwrap_or_default();
    let reach = |name: &str| {
        let device = stick.partitions.get(name).map(|p| p.device.clone()).ok_or_else(|| {
            Failure::new(Exit::Unavailable, format!("the stick {} has no partition {name}", stick.device))
        })?;
        Mounted::new(&device, "crash-logs", "ext4", MountFlags::NO_ATIME)
            .or_exit(Exit::Unavailable)
            .context(format!("cannot reach the dumps on {device}"))
    };
    let dumps = |mounted: Mounted, elsewhere| {
        let store = Store::at(&mounted.path().join(DUMP_DIR));
        Dumps { store, elsewhere, _mounted: Some(mounted) }
    };
    let failure = match reach(part::LOGS) {
        Ok(mounted) => return Ok(dumps(mounted, None)),
        Err(failure) => failure,
    };
    // The capture has the same partitions to choose from, and makes the directory on the one that it takes.
    for name in [part::DATA, part::CONF] {
        if let Ok(mounted) = reach(name)
            && mounted.path().join(DUMP_DIR).is_dir()
        {
            let why = format!("{}; these dumps are on {name}", failure.message());
            return Ok(dumps(mounted, Some(why)));
        }
    }
    Err(failure)
}
