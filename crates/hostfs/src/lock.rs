//! One at a time.
use crate::{FileError, FileOp};
use nix::fcntl::{Flock, FlockArg};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// Holds a lock until it is dropped.
#[derive(Debug)]
#[must_use = "the lock is released when the guard is dropped"]
pub struct LockGuard {
    _file: Flock<File>,
}

/// Why there is no lock.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// Somebody else holds it.
    #[error("{path} is locked by another process")]
    Busy {
        /// The lock file.
        path: String,
    },
    /// The lock file cannot be opened or locked.
    #[error(transparent)]
    File(FileError),
}

/// Takes an exclusive `flock(2)` on a file, which is created if it is missing, waiting at most that
/// long. The kernel releases it when the process ends, however it ends.
///
/// # Errors
/// [`LockError::Busy`] when the wait is over, [`LockError::File`] otherwise.
pub fn lock(path: &Path, wait: Duration) -> Result<LockGuard, LockError> {
    let text = path.to_string_lossy();
    let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
    let mut file = open.map_err(|e| LockError::File(FileError::io(&text, FileOp::Lock)(e)))?;
    let deadline = Instant::now() + wait;
    loop {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(locked) => return Ok(LockGuard { _file: locked }),
            Err((back, nix::errno::Errno::EWOULDBLOCK)) if Instant::now() < deadline => file = back,
            Err((_, nix::errno::Errno::EWOULDBLOCK)) => {
                return Err(LockError::Busy { path: text.into_owned() });
            }
            Err((_, errno)) => {
                return Err(LockError::File(FileError::new(&text, FileOp::Lock, errno as i32)));
            }
        }
        thread::sleep(Duration::from_millis(20));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_one_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let first = lock(&path, Duration::ZERO).unwrap();
        assert!(matches!(lock(&path, Duration::from_millis(30)), Err(LockError::Busy { .. })));
        drop(first);
        assert!(lock(&path, Duration::ZERO).is_ok());
    }
}
