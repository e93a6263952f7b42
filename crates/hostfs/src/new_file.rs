//! A file that appears whole or not at all.
use crate::{FileError, FileOp, Stream};
use nix::errno::Errno;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

static SERIAL: AtomicU64 = AtomicU64::new(0);

/// Makes the temporary file of a path, `.NAME.PID-N.tmp` beside it. A process of the same number may have left one
/// there when the power went, or write one in another namespace: then the next number is taken.
pub(crate) fn beside<T>(
    path: &Path,
    mut create: impl FnMut(&Path) -> Result<T, FileError>,
) -> Result<(PathBuf, T), FileError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let process = std::process::id();
    loop {
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let temp = path.with_file_name(format!(".{name}.{process}-{serial}.tmp"));
        match create(&temp) {
            Err(error) if error.errno == Errno::EEXIST as i32 => {}
            done => return done.map(|made| (temp, made)),
        }
    }
}

/// A file being written beside its place. [`NewFile::commit`] flushes it, renames it into place and
/// flushes the directory; a `NewFile` that is dropped before leaves nothing behind.
///
/// ```
/// use esos_hostfs::{NewFile, TempDir};
/// use std::io::Write;
///
/// let dir = TempDir::new("doc")?;
/// let path = dir.path().join("esos.img");
/// let mut image = NewFile::create(&path, 0o644)?;
/// image.write_all(b"all of it").map_err(|e| image.write_error(e))?;
/// assert!(!path.exists());
/// image.commit()?;
/// assert_eq!(std::fs::read(&path).ok().as_deref(), Some(&b"all of it"[..]));
/// # Ok::<(), esos_hostfs::FileError>(())
/// ```
#[derive(Debug)]
#[must_use = "a new file that is not committed is removed"]
pub struct NewFile {
    stream: Option<Stream>,
    temp: PathBuf,
    place: PathBuf,
}

impl NewFile {
    /// Starts a file that will lie at `path`. The temporary one is `.NAME.PID-N.tmp` in the same
    /// directory, which must exist.
    ///
    /// # Errors
    /// The errno of creating it.
    pub fn create(path: &Path, mode: u32) -> Result<Self, FileError> {
        let text = path.to_string_lossy();
        if path.file_name().is_none() {
            return Err(FileError::new(&text, FileOp::Create, Errno::EISDIR as i32));
        }
        let (temp, stream) = beside(path, |temp| Stream::create_new(temp, mode))?;
        Ok(Self { stream: Some(stream), temp, place: path.to_owned() })
    }

    /// Where it will lie.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.place
    }

    /// The open file, for positioned and sparse writing.
    ///
    /// # Errors
    /// `EBADF` after a failed [`Self::commit`]; never before.
    pub fn stream(&self) -> Result<&Stream, FileError> {
        self.stream.as_ref().ok_or_else(|| self.error(FileOp::Write, Errno::EBADF))
    }

    /// An error of `Write` on this file as a [`FileError`] that names it.
    #[must_use]
    pub fn write_error(&self, e: io::Error) -> FileError {
        FileError::io(&self.place.to_string_lossy(), FileOp::Write)(e)
    }

    /// Flushes it, puts it in its place and flushes the directory.
    ///
    /// # Errors
    /// The errno of the step that failed; the file that was there before is whole then.
    pub fn commit(mut self) -> Result<(), FileError> {
        let place = self.place.to_string_lossy().into_owned();
        let Some(stream) = self.stream.take() else {
            return Err(self.error(FileOp::Replace, Errno::EBADF));
        };
        let done = stream.sync().and_then(|()| {
            fs::rename(&self.temp, &self.place).map_err(FileError::io(&place, FileOp::Replace))
        });
        if let Err(error) = done {
            // Removed here, because `drop` only does so while the file is open.
            let _leftover = fs::remove_file(&self.temp);
            return Err(error);
        }
        let dir = self.place.parent().filter(|d| !d.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(dir).and_then(|d| d.sync_all()).map_err(FileError::io(&place, FileOp::Sync))
    }

    fn error(&self, op: FileOp, errno: Errno) -> FileError {
        FileError::new(&self.place.to_string_lossy(), op, errno as i32)
    }

    fn io(&mut self) -> io::Result<&mut Stream> {
        self.stream.as_mut().ok_or_else(|| Errno::EBADF.into())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if self.stream.take().is_some() {
            let _leftover = fs::remove_file(&self.temp);
        }
    }
}

impl Read for NewFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.io()?.read(buffer)
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.io()?.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.io()?.flush()
    }
}

impl Seek for NewFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.io()?.seek(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TempDir;

    #[test]
    fn dropped_leaves_the_old_one_and_nothing_else() {
        let dir = TempDir::new("new").unwrap();
        let path = dir.path().join("f");
        fs::write(&path, "old").unwrap();
        let mut new = NewFile::create(&path, 0o600).unwrap();
        new.write_all(b"half").unwrap();
        drop(new);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_a_power_cut_left_does_not_hinder() {
        let dir = TempDir::new("new").unwrap();
        let path = dir.path().join("f");
        let next = SERIAL.load(Ordering::Relaxed);
        for n in next..next + 20 {
            fs::write(dir.path().join(format!(".f.{}-{n}.tmp", std::process::id())), "half").unwrap();
        }
        let mut new = NewFile::create(&path, 0o600).unwrap();
        new.write_all(b"whole").unwrap();
        new.commit().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        let files = crate::HostFiles::new(dir.path());
        crate::Files::replace(&files, "/f", b"anew", 0o600).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"anew");
    }

    #[test]
    fn a_place_that_is_a_directory_is_refused_and_cleaned() {
        let dir = TempDir::new("new").unwrap();
        let path = dir.path().join("d");
        fs::create_dir(&path).unwrap();
        let error = NewFile::create(&path, 0o600).unwrap().commit().unwrap_err();
        assert_eq!(error.op, FileOp::Replace);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
