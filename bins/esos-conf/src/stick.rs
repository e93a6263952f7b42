//! The partition of the booted stick, mounted for a moment.
use esos_cli::{Exit, Failure, OrExit};
use esos_hostfs::{Files, HostFiles, MountFlags, Mounted};
use esos_initramfs::{BootedStick, BootedStickError};
use esos_layout::{part, run};
use std::path::Path;
use std::time::Duration;

/// Whoever else has it mounted, for the other purpose, is done by then.
const PATIENCE: Duration = Duration::from_secs(60);

/// `esos_conf` of the stick that was booted, wherever it is now. Never that of another stick with the same names.
pub(crate) fn mounted(write: bool) -> Result<Mounted, Failure> {
    let files = HostFiles::new("/");
    let told = |e: BootedStickError| {
        let exit = if matches!(e, BootedStickError::Report(_)) { Exit::Invalid } else { Exit::Unavailable };
        Failure::from(e).with_exit(exit).code("conf::gone").help("esos stick show")
    };
    let stick = BootedStick::read(&files).map_err(told)?;
    let device = stick.partition(part::CONF).map_err(told)?;
    files.make_dir(run::DIR)?;
    let mut flags = MountFlags::NO_SUID | MountFlags::NO_DEV | MountFlags::NO_EXEC;
    if !write {
        flags |= MountFlags::READ_ONLY;
    }
    Mounted::new_in(Path::new(run::DIR), device, "ext4", flags, PATIENCE).or_exit(Exit::Unavailable)
}
