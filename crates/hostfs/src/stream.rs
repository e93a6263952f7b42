//! One open file or device.
use crate::{FileError, FileOp};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// An open file or block device, for data that does not belong in memory as a whole.
///
/// It is `Read + Write + Seek`, and has positioned access through `&self`, so several threads may use
/// one at a time.
///
/// ```
/// use esos_hostfs::{Stream, TempDir};
///
/// let dir = TempDir::new("doc")?;
/// let disk = Stream::create(&dir.path().join("disk.img"), 0o600)?;
/// disk.set_len(1 << 30)?; // sparse: nothing is written
/// disk.write_all_at(b"EFI PART", 512)?;
/// let mut found = [0; 8];
/// disk.read_exact_at(&mut found, 512)?;
/// assert_eq!(&found, b"EFI PART");
/// # Ok::<(), esos_hostfs::FileError>(())
/// ```
#[derive(Debug)]
pub struct Stream {
    file: File,
    path: PathBuf,
}

impl Stream {
    /// Opens for reading.
    ///
    /// # Errors
    /// The errno of opening it.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        Self::with(path, OpenOptions::new().read(true), FileOp::Open)
    }

    /// Opens an existing file or device for reading and writing.
    ///
    /// # Errors
    /// The errno of opening it.
    pub fn open_rw(path: &Path) -> Result<Self, FileError> {
        Self::with(path, OpenOptions::new().read(true).write(true), FileOp::Open)
    }

    /// Opens a block device for reading and writing with `O_EXCL`: the kernel refuses with `EBUSY` where
    /// it is mounted or claimed by another driver.
    ///
    /// # Errors
    /// The errno of opening it.
    pub fn open_exclusive(path: &Path) -> Result<Self, FileError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).custom_flags(nix::libc::O_EXCL);
        Self::with(path, &options, FileOp::Open)
    }

    /// Creates a file, or empties the one that is there.
    ///
    /// # Errors
    /// The errno of creating it.
    pub fn create(path: &Path, mode: u32) -> Result<Self, FileError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true).mode(mode);
        Self::with(path, &options, FileOp::Create)
    }

    /// Creates a file that must not exist yet.
    ///
    /// # Errors
    /// The errno of creating it, `EEXIST` where it exists.
    pub fn create_new(path: &Path, mode: u32) -> Result<Self, FileError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(mode);
        Self::with(path, &options, FileOp::Create)
    }

    /// Opens for appending, creating the file if it is missing.
    ///
    /// # Errors
    /// The errno of opening it.
    pub fn append(path: &Path, mode: u32) -> Result<Self, FileError> {
        let mut options = OpenOptions::new();
        options.append(true).create(true).mode(mode);
        Self::with(path, &options, FileOp::Open)
    }

    fn with(path: &Path, options: &OpenOptions, op: FileOp) -> Result<Self, FileError> {
        let file = options.open(path).map_err(FileError::io(&path.to_string_lossy(), op))?;
        Ok(Self { file, path: path.to_owned() })
    }

    /// The path that it was opened by.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes in it; of a block device, its capacity.
    ///
    /// # Errors
    /// The errno of asking.
    pub fn size(&self) -> Result<u64, FileError> {
        let error = self.error(FileOp::Stat);
        let meta = self.file.metadata().map_err(&error)?;
        if meta.is_file() {
            return Ok(meta.len());
        }
        // Seeking to the end is how a block device tells its size without an ioctl. The position is
        // shared, so it is put back.
        let mut file = &self.file;
        let here = file.stream_position().map_err(&error)?;
        let end = file.seek(SeekFrom::End(0)).map_err(&error)?;
        file.seek(SeekFrom::Start(here)).map_err(&error)?;
        Ok(end)
    }

    /// Cuts or extends a regular file; what is added is a hole.
    ///
    /// # Errors
    /// The errno of doing it.
    pub fn set_len(&self, len: u64) -> Result<(), FileError> {
        self.file.set_len(len).map_err(self.error(FileOp::Resize))
    }

    /// Takes room on the medium for the first `len` bytes, so that writing them cannot fail for want of it.
    ///
    /// # Errors
    /// The errno of fallocate(2): `ENOSPC`, or `EOPNOTSUPP` where the file system cannot.
    pub fn allocate(&self, len: u64) -> Result<(), FileError> {
        use nix::fcntl::{FallocateFlags, fallocate};
        let path = self.path.to_string_lossy();
        let error = |errno| FileError::new(&path, FileOp::Resize, errno as i32);
        let len = i64::try_from(len).map_err(|_large| error(nix::errno::Errno::EFBIG))?;
        fallocate(&self.file, FallocateFlags::empty(), 0, len).map_err(error)
    }

    /// Reads at a position until the buffer is full or the file ends; returns how much there was.
    ///
    /// # Errors
    /// The errno of reading.
    pub fn read_at(&self, mut buffer: &mut [u8], mut at: u64) -> Result<usize, FileError> {
        let mut total = 0usize;
        while !buffer.is_empty() {
            match self.file.read_at(buffer, at) {
                Ok(0) => break,
                Ok(n) => {
                    total = total.saturating_add(n);
                    at = at.saturating_add(n as u64);
                    buffer = buffer.get_mut(n..).unwrap_or_default();
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(self.error(FileOp::Read)(e)),
            }
        }
        Ok(total)
    }

    /// Fills the buffer from a position.
    ///
    /// # Errors
    /// The errno of reading; `EIO` where the file ends before the buffer is full.
    pub fn read_exact_at(&self, buffer: &mut [u8], at: u64) -> Result<(), FileError> {
        if self.read_at(buffer, at)? == buffer.len() {
            return Ok(());
        }
        Err(FileError::new(&self.path.to_string_lossy(), FileOp::Read, nix::errno::Errno::EIO as i32))
    }

    /// Writes all bytes at a position.
    ///
    /// # Errors
    /// The errno of writing.
    pub fn write_all_at(&self, bytes: &[u8], at: u64) -> Result<(), FileError> {
        self.file.write_all_at(bytes, at).map_err(self.error(FileOp::Write))
    }

    /// Where, from a position on, the file has bytes on its medium; what lies before is a hole and reads as
    /// zeros. `None` where nothing follows, the position itself where the file system does not tell.
    ///
    /// The stream's own position moves.
    ///
    /// # Errors
    /// The errno of asking.
    pub fn next_data(&self, at: u64) -> Result<Option<u64>, FileError> {
        use nix::errno::Errno;
        use nix::unistd::{Whence, lseek};
        let Ok(from) = i64::try_from(at) else { return Ok(None) };
        match lseek(&self.file, from, Whence::SeekData) {
            Ok(found) => Ok(u64::try_from(found).ok()),
            Err(Errno::ENXIO) => Ok(None),
            // Files of /proc and devices have no holes.
            Err(Errno::EINVAL | Errno::EOPNOTSUPP | Errno::ESPIPE) => Ok(Some(at)),
            Err(errno) => Err(FileError::new(&self.path.to_string_lossy(), FileOp::Read, errno as i32)),
        }
    }

    /// Waits until everything written is on the medium.
    ///
    /// # Errors
    /// The errno of flushing.
    pub fn sync(&self) -> Result<(), FileError> {
        self.file.sync_all().map_err(self.error(FileOp::Sync))
    }

    fn error(&self, op: FileOp) -> impl Fn(io::Error) -> FileError + '_ {
        move |e| FileError::io(&self.path.to_string_lossy(), op)(e)
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer)
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for Stream {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TempDir;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn a_long_file_stays_sparse_and_ends_where_it_ends() {
        let dir = TempDir::new("stream").unwrap();
        let path = dir.path().join("f");
        let mut file = Stream::create(&path, 0o600).unwrap();
        file.set_len(1 << 40).unwrap();
        file.write_all_at(b"tail", (1 << 40) - 4).unwrap();
        assert!(std::fs::metadata(&path).unwrap().blocks() < 100);
        assert_eq!(file.next_data(5).unwrap(), Some((1 << 40) - 4096));
        assert_eq!(file.next_data(1 << 40).unwrap(), None);
        assert_eq!(Stream::open(Path::new("/proc/version")).unwrap().next_data(3).unwrap(), Some(3));
        let mut buffer = [0; 8];
        assert_eq!(file.read_at(&mut buffer, (1 << 40) - 4).unwrap(), 4);
        assert_eq!(file.read_exact_at(&mut buffer, (1 << 40) - 4).unwrap_err().op, FileOp::Read);
        file.seek(SeekFrom::Start(3)).unwrap();
        assert_eq!(file.size().unwrap(), 1 << 40);
        assert_eq!(file.stream_position().unwrap(), 3);
        assert!(Stream::create_new(&path, 0o600).unwrap_err().to_string().contains("EEXIST"));
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = Stream::open(Path::new("/none/x")).unwrap_err();
        assert_eq!(error.to_string(), "cannot open /none/x: ENOENT (No such file or directory)");
    }
}
