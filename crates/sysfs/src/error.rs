//! What the kernel says when it refuses.
use nix::errno::Errno;
use std::fmt;

/// What was being done.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AttrOp {
    /// Reading an attribute.
    Read,
    /// Writing this value.
    Write(String),
    /// Listing a directory.
    List,
    /// Reading a link.
    ReadLink,
}

impl fmt::Display for AttrOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read => f.write_str("read"),
            Self::Write(_) => f.write_str("write"),
            Self::List => f.write_str("list"),
            Self::ReadLink => f.write_str("follow"),
        }
    }
}

/// A refused access to a tree. The value of a refused write is kept but not printed: it may hold a
/// secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot {op} {path}: {} ({})", name(*errno), Errno::from_raw(*errno).desc())]
pub struct AttrError {
    /// The path in the tree.
    pub path: String,
    /// What was being done.
    pub op: AttrOp,
    /// The kernel's error number (`libc::ENOENT` is 2).
    pub errno: i32,
}

/// The kernel's name of an error number, `ENOENT` for 2.
fn name(errno: i32) -> String {
    format!("{:?}", Errno::from_raw(errno))
}

impl AttrError {
    /// An error with the kernel's number.
    #[must_use]
    pub fn new(path: &str, op: AttrOp, errno: i32) -> Self {
        Self { path: path.to_owned(), op, errno }
    }

    /// The kernel's name of the error, such as `ENOENT`.
    #[must_use]
    pub fn errno_name(&self) -> String {
        name(self.errno)
    }

    /// Whether the path does not exist.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(Errno::from_raw(self.errno), Errno::ENOENT | Errno::ENOTDIR | Errno::ENODEV)
    }

    /// Whether it is `EAGAIN`.
    #[must_use]
    pub fn is_again(&self) -> bool {
        self.errno == Errno::EAGAIN as i32
    }

    /// Whether it is `EBUSY`.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.errno == Errno::EBUSY as i32
    }
}
