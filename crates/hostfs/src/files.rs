//! The seam.
use crate::FileError;

/// What a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Dir,
    /// A symbolic link (not followed).
    Link,
    /// A device, socket or pipe.
    Other,
}

/// Size, mode and time of a path; links are not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meta {
    /// What it is.
    pub kind: FileKind,
    /// Bytes.
    pub len: u64,
    /// Permission bits (`0o7777`).
    pub mode: u32,
    /// Modification time in seconds since 1970.
    pub mtime: i64,
}

/// Files below one root. Paths are absolute within it (`/etc/hostname`).
pub trait Files {
    /// A whole file.
    ///
    /// # Errors
    /// The errno of opening or reading it.
    fn read(&self, path: &str) -> Result<Vec<u8>, FileError>;

    /// Replaces a file whole or not at all: written beside it, fsynced, renamed over it, and the
    /// directory fsynced. Directories above it must exist.
    ///
    /// # Errors
    /// The errno of the step that failed; the old file is whole then.
    fn replace(&self, path: &str, bytes: &[u8], mode: u32) -> Result<(), FileError>;

    /// Adds bytes to the end of a file, which is made if it is missing. What was in it stays whatever
    /// happens; of the new bytes a part may be there after a power cut.
    ///
    /// # Errors
    /// The errno of opening or writing it.
    fn append(&self, path: &str, bytes: &[u8], mode: u32) -> Result<(), FileError> {
        let mut all = match self.read(path) {
            Ok(all) => all,
            Err(e) if e.is_not_found() => Vec::new(),
            Err(e) => return Err(e),
        };
        all.extend_from_slice(bytes);
        self.replace(path, &all, mode)
    }

    /// Names in a directory, sorted.
    ///
    /// # Errors
    /// The errno of reading it.
    fn list(&self, path: &str) -> Result<Vec<String>, FileError>;

    /// What a path is; links are not followed.
    ///
    /// # Errors
    /// The errno of asking.
    fn stat(&self, path: &str) -> Result<Meta, FileError>;

    /// Makes a directory and those above it; one that exists is no error.
    ///
    /// # Errors
    /// The errno of making it.
    fn make_dir(&self, path: &str) -> Result<(), FileError>;

    /// Removes a file or an empty directory.
    ///
    /// # Errors
    /// The errno of removing it.
    fn remove(&self, path: &str) -> Result<(), FileError>;
}

impl<F: Files + ?Sized> Files for &F {
    fn read(&self, path: &str) -> Result<Vec<u8>, FileError> {
        (**self).read(path)
    }
    fn replace(&self, path: &str, bytes: &[u8], mode: u32) -> Result<(), FileError> {
        (**self).replace(path, bytes, mode)
    }
    fn append(&self, path: &str, bytes: &[u8], mode: u32) -> Result<(), FileError> {
        (**self).append(path, bytes, mode)
    }
    fn list(&self, path: &str) -> Result<Vec<String>, FileError> {
        (**self).list(path)
    }
    fn stat(&self, path: &str) -> Result<Meta, FileError> {
        (**self).stat(path)
    }
    fn make_dir(&self, path: &str) -> Result<(), FileError> {
        (**self).make_dir(path)
    }
    fn remove(&self, path: &str) -> Result<(), FileError> {
        (**self).remove(path)
    }
}
