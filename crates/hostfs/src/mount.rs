//! Mounting and unmounting.
use crate::{Clock, Deadline, FileError, FileOp, HostClock, TempDir};
use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags};
use std::path::Path;
use std::time::Duration;

bitflags::bitflags! {
    /// How to mount; the kernel's `MS_*` of mount(2).
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct MountFlags: u64 {
        /// Read-only.
        const READ_ONLY = 1;
        /// No set-uid programs.
        const NO_SUID = 1 << 1;
        /// No device files.
        const NO_DEV = 1 << 2;
        /// No programs.
        const NO_EXEC = 1 << 3;
        /// Change the flags of a mount that is there.
        const REMOUNT = 1 << 5;
        /// No access times.
        const NO_ATIME = 1 << 10;
        /// A directory in a second place.
        const BIND = 1 << 12;
        /// A mount from one place to another.
        const MOVE = 1 << 13;
        /// With everything below.
        const RECURSIVE = 1 << 14;
        /// Mounts below are not told to, or by, other namespaces.
        const PRIVATE = 1 << 18;
    }
}

/// Mounts. `source` and `fs_type` may be empty where the flags need none ([`MountFlags::BIND`],
/// [`MountFlags::MOVE`], [`MountFlags::REMOUNT`]); `data` holds the file system's own options.
///
/// # Errors
/// The errno of mount(2); the error names the target.
pub fn mount(
    source: &str,
    target: &Path,
    fs_type: &str,
    flags: MountFlags,
    data: &str,
) -> Result<(), FileError> {
    let text = |t| if str::is_empty(t) { None } else { Some(t) };
    let ms = MsFlags::from_bits_truncate(flags.bits() as nix::libc::c_ulong);
    nix::mount::mount(text(source), target, text(fs_type), ms, text(data))
        .map_err(failed(target, FileOp::Mount))
}

/// Unmounts. With `detach` the place is free at once, and the file system goes when nobody uses it any
/// more (`MNT_DETACH`).
///
/// # Errors
/// The errno of umount2(2), `EBUSY` where files are open on it.
pub fn unmount(target: &Path, detach: bool) -> Result<(), FileError> {
    let flags = if detach { MntFlags::MNT_DETACH } else { MntFlags::empty() };
    nix::mount::umount2(target, flags | MntFlags::UMOUNT_NOFOLLOW).map_err(failed(target, FileOp::Unmount))
}

fn failed(path: &Path, op: FileOp) -> impl Fn(Errno) -> FileError + '_ {
    move |errno| FileError::new(&path.to_string_lossy(), op, errno as i32)
}

/// A file system that is mounted at a place of its own for as long as it is needed. Dropped, it is
/// unmounted; where somebody still uses it, or the medium is gone, it is detached.
#[derive(Debug)]
#[must_use = "it is unmounted when this is dropped"]
pub struct Mounted {
    dir: Option<TempDir>,
}

impl Mounted {
    /// Mounts a device in a new directory inside `dir`. A device that somebody else has mounted in another
    /// way, for reading where this is for writing, is busy: it is waited for as long as `patience`.
    ///
    /// # Errors
    /// The errno of making the directory, or of mount(2); then the error names the device.
    pub fn new_in(
        dir: &Path,
        device: &str,
        fs_type: &str,
        flags: MountFlags,
        patience: Duration,
    ) -> Result<Self, FileError> {
        let dir = TempDir::new_in(dir, "mnt")?;
        let deadline = Deadline::after(&HostClock, patience);
        loop {
            match mount(device, dir.path(), fs_type, flags, "") {
                Ok(()) => return Ok(Self { dir: Some(dir) }),
                Err(e) if e.errno == Errno::EBUSY as i32 && !deadline.passed(&HostClock) => {
                    HostClock.sleep(Duration::from_millis(200));
                }
                Err(e) => return Err(FileError::new(device, FileOp::Mount, e.errno)),
            }
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_the_kernels() {
        let ours = MountFlags::all().bits();
        let kernel = MsFlags::MS_RDONLY
            | MsFlags::MS_NOSUID
            | MsFlags::MS_NODEV
            | MsFlags::MS_NOEXEC
            | MsFlags::MS_REMOUNT
            | MsFlags::MS_NOATIME
            | MsFlags::MS_BIND
            | MsFlags::MS_MOVE
            | MsFlags::MS_REC
            | MsFlags::MS_PRIVATE;
        assert_eq!(ours, kernel.bits());
    }

    #[test]
    fn a_refusal_names_the_place() {
        let error = mount("", Path::new("/none/here"), "tmpfs", MountFlags::NO_DEV, "size=1M").unwrap_err();
        assert!(error.to_string().starts_with("cannot mount /none/here: "), "{error}");
        assert_eq!(unmount(Path::new("/none/here"), false).unwrap_err().op, FileOp::Unmount);
    }

    #[test]
    fn a_mount_that_fails_names_the_device_and_leaves_nothing() {
        let dir = TempDir::new("mounted").unwrap();
        let now = Duration::ZERO;
        let error = Mounted::new_in(dir.path(), "/dev/none", "ext4", MountFlags::NO_DEV, now).unwrap_err();
        assert!(error.to_string().starts_with("cannot mount /dev/none: "), "{error}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
