//! A disk or a file past the page cache.
use crate::{FileError, FileOp};
use nix::errno::Errno;
use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use std::fs::{File, OpenOptions};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileExt, FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// An open disk, or a file that stands for one, whose reads come from the medium and whose writes go to
/// it (`O_DIRECT`). Where the file system cannot do that, pages are dropped from the cache before they
/// are read.
///
/// ```
/// use esos_hostfs::{Direct, TempDir};
///
/// let dir = TempDir::new("doc")?;
/// let path = dir.path().join("disk.img");
/// esos_hostfs::Stream::create(&path, 0o600)?.set_len(1 << 20)?;
/// let disk = Direct::open(&path, 512, false)?;
/// disk.write_all_at(&[7; 512], 1024)?;
/// disk.sync()?;
/// let mut three = [0; 3];
/// disk.read_exact_at(&mut three, 1534)?;
/// assert_eq!(three, [7, 7, 0]);
/// # Ok::<(), esos_hostfs::FileError>(())
/// ```
#[derive(Debug)]
pub struct Direct {
    file: File,
    path: PathBuf,
    len: u64,
    block: u64,
    direct: bool,
    device: bool,
}

impl AsFd for Direct {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Memory is aligned to this; every kernel and device is content with it.
const ALIGN: usize = 4096;
const BOUNCE: usize = 1 << 20;

impl Direct {
    /// Opens for reading and writing. `block` are the bytes of the device's logical block; `exclusive`
    /// (`O_EXCL`) is refused with `EBUSY` where a device is mounted or claimed.
    ///
    /// # Errors
    /// The errno of opening it.
    pub fn open(path: &Path, block: u32, exclusive: bool) -> Result<Self, FileError> {
        Self::with(path, block, exclusive, true)
    }

    /// Opens for reading only.
    ///
    /// # Errors
    /// The errno of opening it.
    pub fn open_read(path: &Path, block: u32) -> Result<Self, FileError> {
        Self::with(path, block, false, false)
    }

    fn with(path: &Path, block: u32, exclusive: bool, write: bool) -> Result<Self, FileError> {
        let text = path.to_string_lossy();
        let error = |op| FileError::io(&text, op);
        let excl = if exclusive { nix::libc::O_EXCL } else { 0 };
        let open = |flags| OpenOptions::new().read(true).write(write).custom_flags(flags).open(path);
        let (direct, file) = match open(excl | nix::libc::O_DIRECT) {
            Ok(file) => (true, file),
            Err(e) if e.raw_os_error() == Some(Errno::EINVAL as i32) => {
                (false, open(excl).map_err(error(FileOp::Open))?)
            }
            Err(e) => return Err(error(FileOp::Open)(e)),
        };
        let device = file.metadata().map_err(error(FileOp::Stat))?.file_type().is_block_device();
        let len = crate::Stream::open(path)?.size()?;
        let block = u64::from(block.max(512));
        let mut this = Self { file, path: path.to_owned(), len, block, direct, device };
        // A file whose end is no whole block would be made longer.
        if direct && !(len.is_multiple_of(block) && this.probe()) {
            // Where it is exclusive, the first one must be gone before the second is opened.
            this.file = File::open("/dev/null").map_err(error(FileOp::Open))?;
            this.file = open(excl).map_err(error(FileOp::Open))?;
            this.direct = false;
        }
        Ok(this)
    }

    fn probe(&self) -> bool {
        let mut bounce = Bounce::new(usize::try_from(self.block).unwrap_or(ALIGN));
        self.len == 0 || self.file.read_at(bounce.bytes(), 0).is_ok()
    }

    /// Bytes of it.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.len
    }

    /// Bytes of a logical block.
    #[must_use]
    pub fn block(&self) -> u64 {
        self.block
    }

    /// Whether it is a block device.
    #[must_use]
    pub fn is_device(&self) -> bool {
        self.device
    }

    /// The path that it was opened by.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Fills the buffer from a place.
    ///
    /// # Errors
    /// The errno of reading; `EIO` beyond the end.
    pub fn read_exact_at(&self, mut buffer: &mut [u8], mut at: u64) -> Result<(), FileError> {
        if !self.direct {
            self.forget(at, buffer.len() as u64);
            return self.file.read_exact_at(buffer, at).map_err(self.error(FileOp::Read));
        }
        let mut bounce = Bounce::new(BOUNCE);
        while !buffer.is_empty() {
            let start = at.checked_div(self.block).unwrap_or(0).saturating_mul(self.block);
            let skip = usize::try_from(at.saturating_sub(start)).unwrap_or(0);
            let block = usize::try_from(self.block).unwrap_or(ALIGN);
            let wanted = skip.saturating_add(buffer.len()).next_multiple_of(block).min(BOUNCE);
            let place = bounce.bytes().get_mut(..wanted).unwrap_or_default();
            self.file.read_exact_at(place, start).map_err(self.error(FileOp::Read))?;
            let got = place.get(skip..).unwrap_or_default();
            let n = got.len().min(buffer.len());
            let (now, rest) = buffer.split_at_mut(n);
            now.copy_from_slice(got.get(..n).unwrap_or_default());
            buffer = rest;
            at = at.saturating_add(n as u64);
        }
        Ok(())
    }

    /// Writes bytes at a place; both place and length are whole blocks.
    ///
    /// # Errors
    /// The errno of writing; `EINVAL` for what is no whole block.
    pub fn write_all_at(&self, mut bytes: &[u8], mut at: u64) -> Result<(), FileError> {
        let odd = !at.is_multiple_of(self.block) || !(bytes.len() as u64).is_multiple_of(self.block);
        if odd || at.saturating_add(bytes.len() as u64) > self.len {
            let text = self.path.to_string_lossy();
            return Err(FileError::new(&text, FileOp::Write, Errno::EINVAL as i32));
        }
        if !self.direct {
            return self.file.write_all_at(bytes, at).map_err(self.error(FileOp::Write));
        }
        let mut bounce = Bounce::new(BOUNCE.min(bytes.len().max(ALIGN)));
        while !bytes.is_empty() {
            let n = bytes.len().min(BOUNCE);
            let (now, rest) = bytes.split_at(n);
            let place = bounce.bytes().get_mut(..n).unwrap_or_default();
            place.copy_from_slice(now);
            self.file.write_all_at(place, at).map_err(self.error(FileOp::Write))?;
            bytes = rest;
            at = at.saturating_add(n as u64);
        }
        Ok(())
    }

    /// Waits until everything written is on the medium, and forgets what the kernel remembers of it.
    ///
    /// # Errors
    /// The errno of flushing.
    pub fn sync(&self) -> Result<(), FileError> {
        self.file.sync_all().map_err(self.error(FileOp::Sync))?;
        self.forget(0, self.len);
        Ok(())
    }

    fn forget(&self, at: u64, len: u64) {
        let (at, len) = (i64::try_from(at).unwrap_or(0), i64::try_from(len).unwrap_or(0));
        // Only advice; what is dirty stays.
        let _advice = posix_fadvise(&self.file, at, len, PosixFadviseAdvice::POSIX_FADV_DONTNEED);
    }

    fn error(&self, op: FileOp) -> impl Fn(std::io::Error) -> FileError + '_ {
        move |e| FileError::io(&self.path.to_string_lossy(), op)(e)
    }
}

/// Aligned memory.
struct Bounce {
    bytes: Vec<u8>,
    len: usize,
}

impl Bounce {
    fn new(len: usize) -> Self {
        Self { bytes: vec![0; len.saturating_add(ALIGN)], len }
    }

    fn bytes(&mut self) -> &mut [u8] {
        let skip = self.bytes.as_ptr().align_offset(ALIGN);
        self.bytes.get_mut(skip..skip.saturating_add(self.len)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Stream, TempDir};

    #[test]
    fn any_place_is_read_and_whole_blocks_are_written() {
        let dir = TempDir::new("direct").unwrap();
        let path = dir.path().join("d");
        let bytes: Vec<u8> = (0..3u32 << 18).flat_map(u32::to_le_bytes).collect();
        let stream = Stream::create(&path, 0o600).unwrap();
        stream.write_all_at(&bytes, 0).unwrap();
        let disk = Direct::open(&path, 512, true).unwrap();
        for (at, len) in [(0, 1), (511, 2), (513, 1 << 20), (700_001, 2_000_003), (bytes.len() - 5, 5)] {
            let mut found = vec![0; len];
            disk.read_exact_at(&mut found, at as u64).unwrap();
            assert!(found == bytes[at..at + len], "{at} {len}");
        }
        assert!(disk.read_exact_at(&mut [0; 2], bytes.len() as u64 - 1).is_err());
        assert!(disk.write_all_at(&[0; 100], 512).is_err());
        disk.write_all_at(&[9; 1024], 512).unwrap();
        disk.sync().unwrap();
        let mut found = [0; 1024];
        stream.read_exact_at(&mut found, 512).unwrap();
        assert_eq!(found, [9; 1024]);
        assert_eq!(stream.size().unwrap(), bytes.len() as u64);
    }

    #[test]
    fn a_file_with_an_odd_end_keeps_its_length() {
        let dir = TempDir::new("direct").unwrap();
        let path = dir.path().join("d");
        Stream::create(&path, 0o600).unwrap().write_all_at(&[1; 700], 0).unwrap();
        let disk = Direct::open(&path, 512, false).unwrap();
        disk.write_all_at(&[2; 512], 0).unwrap();
        let mut tail = [0; 200];
        disk.read_exact_at(&mut tail, 500).unwrap();
        assert_eq!((tail[0], tail[12], disk.size()), (2, 1, 700));
    }
}
