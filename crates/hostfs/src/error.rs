//! Why a file could not be read or changed.
use nix::errno::Errno;
use std::fmt;
use std::io;

/// What was being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FileOp {
    /// Reading.
    Read,
    /// Replacing.
    Replace,
    /// Listing a directory.
    List,
    /// Making a directory.
    MakeDir,
    /// Removing.
    Remove,
    /// Asking for size, mode and times.
    Stat,
    /// Locking.
    Lock,
    /// Opening for a stream.
    Open,
    /// Creating.
    Create,
    /// Writing to an open file.
    Write,
    /// Setting the length.
    Resize,
    /// Flushing to the medium.
    Sync,
    /// Making a link.
    Link,
    /// Mounting.
    Mount,
    /// Unmounting.
    Unmount,
    /// Restarting or switching off.
    Power,
    /// Loading a kernel to be run later.
    Kexec,
}

impl fmt::Display for FileOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Replace => "replace",
            Self::List => "list",
            Self::MakeDir => "make directory",
            Self::Remove => "remove",
            Self::Stat => "look at",
            Self::Lock => "lock",
            Self::Open => "open",
            Self::Create => "create",
            Self::Write => "write",
            Self::Resize => "set the length of",
            Self::Sync => "flush",
            Self::Link => "link",
            Self::Mount => "mount",
            Self::Unmount => "unmount",
            Self::Power => "restart or switch off",
            Self::Kexec => "load by kexec",
        })
    }
}

/// A refused access to a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot {op} {path}: {} ({})", name(*errno), Errno::from_raw(*errno).desc())]
pub struct FileError {
    /// The path as it was asked for.
    pub path: String,
    /// What was being done.
    pub op: FileOp,
    /// The kernel's error number.
    pub errno: i32,
}

fn name(errno: i32) -> String {
    format!("{:?}", Errno::from_raw(errno))
}

impl FileError {
    /// An error with the kernel's number.
    #[must_use]
    pub fn new(path: &str, op: FileOp, errno: i32) -> Self {
        Self { path: path.to_owned(), op, errno }
    }

    pub(crate) fn io(path: &str, op: FileOp) -> impl Fn(io::Error) -> Self {
        move |e| Self::new(path, op, e.raw_os_error().unwrap_or(Errno::EIO as i32))
    }

    /// Whether the path does not exist.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(Errno::from_raw(self.errno), Errno::ENOENT | Errno::ENOTDIR)
    }

    /// Whether the file system is read-only.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.errno == Errno::EROFS as i32
    }

    /// Whether the file system is full.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(Errno::from_raw(self.errno), Errno::ENOSPC | Errno::EDQUOT)
    }
}
