//! What this crate asks of the machine: the box's files, and the medium that keeps them.
use crate::{BoxPath, Node};
use std::io::{self, Read, Write};

/// What a path on the box is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    File,
    /// A directory.
    Dir,
    /// A symbolic link.
    Link,
    /// A device, socket or pipe: not kept.
    Other,
}

/// All that lstat(2) tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// What it is.
    pub kind: Kind,
    /// Bytes.
    pub len: u64,
    /// Permission bits.
    pub mode: u32,
    /// The owner's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
    /// When the content was changed: seconds, nanoseconds.
    pub mtime: (i64, u32),
    /// When anything of it was changed.
    pub ctime: (i64, u32),
    /// Device and inode: two names with the same are one file.
    pub inode: (u64, u64),
    /// How many names it has.
    pub links: u64,
}

/// Files of the box, for reading. Errors are those of the kernel.
pub trait Tree {
    /// A path, not followed.
    ///
    /// # Errors
    /// Of lstat(2); `NotFound` where it is not there.
    fn stat(&self, path: &BoxPath) -> io::Result<Stat>;
    /// Names in a directory with what each is, in any order.
    ///
    /// # Errors
    /// Of reading it.
    fn list(&self, path: &BoxPath) -> io::Result<Vec<(Vec<u8>, Stat)>>;
    /// A file, opened without following a link.
    ///
    /// # Errors
    /// Of opening it.
    fn open(&self, path: &BoxPath) -> io::Result<Box<dyn Read + '_>>;
    /// What a symbolic link says.
    ///
    /// # Errors
    /// Of readlink(2).
    fn link(&self, path: &BoxPath) -> io::Result<Vec<u8>>;
}

/// Files of the box, for writing. Each step is whole or not at all, and may be done again.
pub trait Place {
    /// A directory with this mode and owner; one that is there gets them.
    ///
    /// # Errors
    /// Of making it.
    fn dir(&self, path: &BoxPath, node: &Node) -> io::Result<()>;
    /// A file with this content, mode, owner and time, written beside and renamed into place. Its mode is never
    /// wider than that, at no moment.
    ///
    /// # Errors
    /// Of writing it, or of reading the content.
    fn file(&self, path: &BoxPath, node: &Node, content: &mut dyn Read) -> io::Result<()>;
    /// A symbolic link.
    ///
    /// # Errors
    /// Of making it.
    fn symlink(&self, path: &BoxPath, node: &Node, target: &[u8]) -> io::Result<()>;
    /// A further name of a file.
    ///
    /// # Errors
    /// Of link(2).
    fn hard_link(&self, path: &BoxPath, to: &BoxPath) -> io::Result<()>;
    /// Mode, owner and time of what is there.
    ///
    /// # Errors
    /// Of setting them.
    fn meta(&self, path: &BoxPath, node: &Node) -> io::Result<()>;
    /// Removes a file, link or empty directory; what is not there is no error.
    ///
    /// # Errors
    /// Of removing it.
    fn remove(&self, path: &BoxPath) -> io::Result<()>;
}

/// A file on the medium that is being written. Dropped, it goes.
pub trait NewPack: Write {
    /// Flushes it, gives it its name, and flushes the directory.
    ///
    /// # Errors
    /// Of the step that failed.
    fn commit(self: Box<Self>) -> io::Result<()>;
}

/// A file on the medium, read at positions.
pub trait ReadPack {
    /// Bytes in it.
    fn size(&self) -> u64;
    /// Fills the buffer.
    ///
    /// # Errors
    /// Of reading, `UnexpectedEof` where the file is shorter.
    fn read_exact_at(&self, buffer: &mut [u8], at: u64) -> io::Result<()>;
}

/// The directory on the medium. Names are plain: letters, digits, `-` and `.`.
pub trait Medium {
    /// Names of files in it, in any order.
    ///
    /// # Errors
    /// Of reading it.
    fn list(&self) -> io::Result<Vec<String>>;
    /// A file.
    ///
    /// # Errors
    /// Of opening it.
    fn open(&self, name: &str) -> io::Result<Box<dyn ReadPack + '_>>;
    /// A new file, which gets its name when it is committed. Only its owner may read it.
    ///
    /// # Errors
    /// Of making it.
    fn create(&self, name: &str) -> io::Result<Box<dyn NewPack + '_>>;
    /// Renames a file and flushes the directory.
    ///
    /// # Errors
    /// Of rename(2).
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file.
    ///
    /// # Errors
    /// Of removing it.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Gives a file without content that name: renames the one of before, or makes it. Nothing is flushed: with the
    /// power it may be lost, and is never there before what was flushed earlier.
    ///
    /// # Errors
    /// Of rename(2) or of making it.
    fn note(&self, before: Option<&str>, name: &str) -> io::Result<()>;
}
