//! The partition of the booted stick, mounted for a moment.
use crate::case::told;
use crate::host::HostMedium;
use esos_cli::{Exit, Failure};
use esos_confsync::{StoreError, confirm};
use esos_hostfs::{FileError, Files, HostFiles, MountFlags, Mounted};
use esos_initramfs::{BootedStick, BootedStickError};
use esos_layout::{part, run};
use nix::errno::Errno;
use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use std::fs::File;
use std::path::Path;
use std::time::Duration;

/// Whoever else has it mounted, for the other purpose, is done by then.
const PATIENCE: Duration = Duration::from_secs(60);

/// `esos_conf` of the stick that was booted, wherever it is now. Never that of another stick with the same names.
pub(crate) fn mounted(write: bool) -> Result<Mounted, Failure> {
    let files = HostFiles::new("/");
    let device = device(&files)?;
    files.make_dir(run::DIR)?;
    let mut flags = MountFlags::NO_SUID | MountFlags::NO_DEV | MountFlags::NO_EXEC;
    if !write {
        flags |= MountFlags::READ_ONLY;
    }
    Mounted::new_in(Path::new(run::DIR), &device, "ext4", flags, PATIENCE).map_err(|e| refused(e, write))
}

fn device(files: &HostFiles) -> Result<String, Failure> {
    let told = |e: BootedStickError| {
        let exit = if matches!(e, BootedStickError::Report(_)) { Exit::Invalid } else { Exit::Unavailable };
        Failure::from(e).with_exit(exit).code("conf::gone").help("esos stick show")
    };
    let stick = BootedStick::read(files).map_err(told)?;
    Ok(stick.partition(part::CONF).map_err(told)?.to_owned())
}

/// So the kernel says that a device cannot be written to: `EACCES` where it says so itself, `EROFS` where only the
/// file system does.
fn refused(error: FileError, write: bool) -> Failure {
    if write && [Errno::EACCES as i32, Errno::EROFS as i32].contains(&error.errno) {
        return told(StoreError::ReadOnly);
    }
    Failure::from(error).with_exit(Exit::Unavailable)
}

/// Reads a generation back that was just written, from the medium: mounted anew, past what the kernel remembers of it.
pub(crate) fn read_back(generation: u64) -> Result<(), Failure> {
    let device = device(&HostFiles::new("/"))?;
    // Nobody has it open any more; where somebody has, what is clean is forgotten all the same.
    let forgotten = File::open(&device).map(|file| {
        let _as_it_is = posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED);
    });
    drop(forgotten);
    let mounted = mounted(false)?;
    confirm(&HostMedium::new(mounted.path()), generation).map_err(told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use esos_hostfs::FileOp;

    #[test]
    fn a_device_that_takes_no_writes_is_read_only_and_not_forbidden() {
        let error = |errno: Errno| FileError::new("/dev/sda4", FileOp::Mount, errno as i32);
        for errno in [Errno::EACCES, Errno::EROFS] {
            let failure = refused(error(errno), true);
            assert_eq!(failure.whole(), "read-only: nothing can be written to the store");
        }
        assert!(refused(error(Errno::EACCES), false).whole().contains("ermission denied"));
        assert!(refused(error(Errno::EIO), true).whole().starts_with("cannot mount /dev/sda4"));
    }
}
