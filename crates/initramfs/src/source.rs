//! Reading at a place.
use std::io;

/// Something that is read at offsets: a disk, a partition, a file.
pub trait ReadAt: Sync {
    /// Fills the buffer from that offset on.
    ///
    /// # Errors
    /// The kernel's error; `UnexpectedEof` where it ends before the buffer is full.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;

    /// Its length in bytes.
    fn len(&self) -> u64;

    /// Whether it has no bytes.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Drops what the kernel has cached of a range, so that the next read asks the medium again.
    fn forget(&self, offset: u64, length: u64) {
        let _nothing_is_cached = (offset, length);
    }
}

impl ReadAt for Vec<u8> {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).ok();
        let range = start.and_then(|s| self.get(s..s.checked_add(buffer.len())?));
        buffer.copy_from_slice(range.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn len(&self) -> u64 {
        u64::try_from(self.as_slice().len()).unwrap_or(u64::MAX)
    }
}

/// A part of something.
#[derive(Clone, Copy)]
pub struct Window<'a> {
    inner: &'a dyn ReadAt,
    start: u64,
    length: u64,
}

impl std::fmt::Debug for Window<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Window")
            .field("start", &self.start)
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

impl<'a> Window<'a> {
    /// The part of that many bytes from `start` on.
    #[must_use]
    pub fn new(inner: &'a dyn ReadAt, start: u64, length: u64) -> Self {
        Self { inner, start, length }
    }
}

impl ReadAt for Window<'_> {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let wanted = u64::try_from(buffer.len()).unwrap_or(u64::MAX);
        let end = offset.checked_add(wanted).filter(|end| *end <= self.length);
        let at = end.and_then(|_| self.start.checked_add(offset));
        self.inner.read_at(at.ok_or(io::ErrorKind::UnexpectedEof)?, buffer)
    }

    fn len(&self) -> u64 {
        self.length
    }

    fn forget(&self, offset: u64, length: u64) {
        self.inner.forget(self.start.saturating_add(offset), length);
    }
}

/// A little-endian number of up to eight bytes; 0 beyond the end.
pub(crate) fn little(bytes: &[u8], at: usize, width: usize) -> u64 {
    let end = at.saturating_add(width);
    let number = bytes.get(at..end).unwrap_or_default();
    number.iter().rev().fold(0, |n, b| (n << 8) | u64::from(*b))
}
