//! Files of this machine.
use crate::new_file::beside;
use crate::{FileError, FileKind, FileOp, Files, Meta};
use nix::errno::Errno;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

/// Files below a directory of this machine; `/` for the machine itself.
#[derive(Debug, Clone)]
pub struct HostFiles {
    root: PathBuf,
}

impl HostFiles {
    /// Files below that directory. Links inside it are followed by the kernel as they are.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The path on this machine of a path below the root.
    ///
    /// # Errors
    /// `EINVAL` for a path with `..` or a NUL.
    pub fn path(&self, path: &str, op: FileOp) -> Result<PathBuf, FileError> {
        let mut full = self.root.clone();
        for part in Path::new(path).components() {
            match part {
                Component::Normal(name) if !path.contains('\0') => full.push(name),
                Component::RootDir | Component::CurDir => {}
                _ => return Err(FileError::new(path, op, Errno::EINVAL as i32)),
            }
        }
        Ok(full)
    }
}

impl Files for HostFiles {
    fn read(&self, path: &str) -> Result<Vec<u8>, FileError> {
        fs::read(self.path(path, FileOp::Read)?).map_err(FileError::io(path, FileOp::Read))
    }

    fn replace(&self, path: &str, bytes: &[u8], mode: u32) -> Result<(), FileError> {
        let op = FileOp::Replace;
        let error = FileError::io(path, op);
        let full = self.path(path, op)?;
        let Some(dir) = full.parent().filter(|_| full.file_name().is_some()) else {
            return Err(FileError::new(path, op, Errno::EISDIR as i32));
        };
        let create = |temp: &Path| {
            OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(mode)
                .open(temp)
                .map_err(FileError::io(path, op))
        };
        let (temp, mut file) = beside(&full, create)?;
        let written = (|| {
            file.set_permissions(fs::Permissions::from_mode(mode))?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&temp, &full)?;
            File::open(dir)?.sync_all()
        })();
        written.map_err(|e| {
            // The first error is the one that counts.
            let _leftover = fs::remove_file(&temp);
            error(e)
        })
    }

    fn append(&self, path: &str, bytes: &[u8], mode: u32) -> Result<(), FileError> {
        let op = FileOp::Write;
        let full = self.path(path, op)?;
        let appended = (|| {
            let mut file = OpenOptions::new().append(true).create(true).mode(mode).open(full)?;
            file.write_all(bytes)
        })();
        appended.map_err(FileError::io(path, op))
    }

    fn list(&self, path: &str) -> Result<Vec<String>, FileError> {
        let error = FileError::io(path, FileOp::List);
        let mut names = Vec::new();
        for entry in fs::read_dir(self.path(path, FileOp::List)?).map_err(&error)? {
            names.push(entry.map_err(&error)?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }

    fn stat(&self, path: &str) -> Result<Meta, FileError> {
        let op = FileOp::Stat;
        let meta = fs::symlink_metadata(self.path(path, op)?).map_err(FileError::io(path, op))?;
        let kind = match meta.file_type() {
            t if t.is_file() => FileKind::File,
            t if t.is_dir() => FileKind::Dir,
            t if t.is_symlink() => FileKind::Link,
            _ => FileKind::Other,
        };
        Ok(Meta { kind, len: meta.len(), mode: meta.mode() & 0o7777, mtime: meta.mtime() })
    }

    fn make_dir(&self, path: &str) -> Result<(), FileError> {
        fs::create_dir_all(self.path(path, FileOp::MakeDir)?).map_err(FileError::io(path, FileOp::MakeDir))
    }

    fn remove(&self, path: &str) -> Result<(), FileError> {
        let op = FileOp::Remove;
        let full = self.path(path, op)?;
        let is_dir = fs::symlink_metadata(&full).map_err(FileError::io(path, op))?.is_dir();
        let removed = if is_dir { fs::remove_dir(full) } else { fs::remove_file(full) };
        removed.map_err(FileError::io(path, op))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replace_leaves_nothing_beside_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let files = HostFiles::new(dir.path());
        files.make_dir("/etc/x").unwrap();
        files.replace("/etc/x/f", b"one", 0o600).unwrap();
        files.replace("/etc/x/f", b"two", 0o600).unwrap();
        assert_eq!(files.read("/etc/x/f").unwrap(), b"two");
        files.append("/etc/x/f", b" three", 0o600).unwrap();
        assert_eq!(files.read("/etc/x/f").unwrap(), b"two three");
        files.append("/etc/x/g", b"new", 0o600).unwrap();
        assert_eq!(
            (files.read("/etc/x/g").unwrap(), files.stat("/etc/x/g").unwrap().mode),
            (b"new".to_vec(), 0o600)
        );
        files.remove("/etc/x/g").unwrap();
        assert_eq!(files.list("/etc/x").unwrap(), ["f"]);
        assert_eq!(files.stat("/etc/x/f").unwrap().mode, 0o600);
        assert!(files.replace("/none/f", b"", 0o600).unwrap_err().is_not_found());
        assert_eq!(files.read("/../etc/passwd").unwrap_err().errno, Errno::EINVAL as i32);
    }
}
