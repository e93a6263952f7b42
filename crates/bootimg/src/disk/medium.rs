//! A stick that is written while it may lose power.
use super::bytes::wide;
use std::fmt;
use std::io::{self, Read, Seek, SeekFrom};

/// A disk, or a file that stands for one, as those see it who change it in place.
///
/// What is written may reach the medium in any order until [`Medium::flush`] comes back; what is read
/// comes from the medium and not from a cache, as far as the system can do that.
pub trait Medium {
    /// Bytes of it.
    fn len(&self) -> u64;

    /// Bytes of its logical sector: the smallest piece that is written whole or not at all.
    fn sector(&self) -> u64;

    /// Fills the buffer from a place.
    ///
    /// # Errors
    /// What the medium says, or [`io::ErrorKind::UnexpectedEof`] beyond its end.
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<()>;

    /// Writes bytes; place and length are whole sectors.
    ///
    /// # Errors
    /// What the medium says.
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()>;

    /// Waits until everything that was written is on the medium.
    ///
    /// # Errors
    /// What the medium says.
    fn flush(&self) -> io::Result<()>;

    /// Whether there is nothing of it.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A medium as a stream to read.
#[derive(Clone, Copy)]
pub struct Reading<'m> {
    medium: &'m dyn Medium,
    at: u64,
}

impl fmt::Debug for Reading<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reading {{ at: {}, of: {} }}", self.at, self.medium.len())
    }
}

impl<'m> Reading<'m> {
    /// From its beginning.
    #[must_use]
    pub fn new(medium: &'m dyn Medium) -> Self {
        Self { medium, at: 0 }
    }
}

impl Read for Reading<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.medium.len().saturating_sub(self.at);
        let room = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let Some(place) = buffer.get_mut(..room).filter(|p| !p.is_empty()) else { return Ok(0) };
        self.medium.read_at(place, self.at)?;
        self.at = self.at.saturating_add(wide(room));
        Ok(room)
    }
}

impl Seek for Reading<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.medium.len().checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}
