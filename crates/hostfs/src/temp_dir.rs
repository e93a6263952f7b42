//! A directory for as long as it is needed.
use crate::{FileError, FileOp};
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

static SERIAL: AtomicU64 = AtomicU64::new(0);

/// A new, empty directory with mode 0700 that is removed with everything in it when this is dropped.
#[derive(Debug)]
#[must_use = "the directory is removed when this is dropped"]
pub struct TempDir {
    path: PathBuf,
}

impl TempDir {
    /// A directory in `$TMPDIR`, or `/tmp`.
    ///
    /// # Errors
    /// The errno of making it.
    pub fn new(purpose: &str) -> Result<Self, FileError> {
        Self::new_in(&std::env::temp_dir(), purpose)
    }

    /// A directory in that one, which must exist: beside the product, where there is room for it.
    ///
    /// # Errors
    /// The errno of making it.
    pub fn new_in(dir: &Path, purpose: &str) -> Result<Self, FileError> {
        // `mkdir(2)` refuses a name that exists, so a guessed name is no danger, only a reason to go on.
        let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.subsec_nanos());
        loop {
            let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
            let path = dir.join(format!("esos-{purpose}-{}-{nanos:x}-{serial}", std::process::id()));
            match fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self { path }),
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(FileError::io(&path.to_string_lossy(), FileOp::MakeDir)(e)),
            }
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves the directory where it is, for somebody who wants to look at it.
    #[must_use]
    pub fn keep(mut self) -> PathBuf {
        std::mem::take(&mut self.path)
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        if !self.path.as_os_str().is_empty() {
            // Nobody is left to hear of a failure; the directory then stays for the next cleaning.
            let _leftover = fs::remove_dir_all(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_with_all_that_is_in_it() {
        let dir = TempDir::new("t").unwrap();
        let path = dir.path().to_owned();
        fs::create_dir(path.join("sub")).unwrap();
        fs::write(path.join("sub/f"), "x").unwrap();
        drop(dir);
        assert!(!path.exists());
        let kept = TempDir::new("t").unwrap().keep();
        assert!(kept.exists());
        fs::remove_dir(kept).unwrap();
    }
}
