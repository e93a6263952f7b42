//! Mounting and unmounting.
use crate::{FileError, FileOp};
use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags};
use std::path::Path;

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
}
