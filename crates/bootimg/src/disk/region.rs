//! A partition as a stream of its own.
use std::io::{self, Read, Seek, SeekFrom, Write};

/// A window of a larger stream: offset 0 is its first byte, nothing beyond its end can be read or
/// written.
#[derive(Debug)]
pub struct Region<S> {
    inner: S,
    start: u64,
    len: u64,
    at: u64,
}

impl<S> Region<S> {
    /// The window of `len` bytes from byte `start`.
    pub fn new(inner: S, start: u64, len: u64) -> Self {
        Self { inner, start, len, at: 0 }
    }

    /// Bytes in the window.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether the window is empty.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn room(&self, wanted: usize) -> usize {
        let left = self.len.saturating_sub(self.at);
        usize::try_from(left).unwrap_or(usize::MAX).min(wanted)
    }
}

impl<S: Seek> Region<S> {
    fn go(&mut self) -> io::Result<()> {
        self.inner.seek(SeekFrom::Start(self.start.saturating_add(self.at)))?;
        Ok(())
    }
}

impl<S: Read + Seek> Read for Region<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let room = self.room(buf.len());
        let Some(place) = buf.get_mut(..room).filter(|p| !p.is_empty()) else { return Ok(0) };
        self.go()?;
        let n = self.inner.read(place)?;
        self.at = self.at.saturating_add(super::bytes::wide(n));
        Ok(n)
    }
}

impl<S: Write + Seek> Write for Region<S> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let room = self.room(buf.len());
        let Some(part) = buf.get(..room).filter(|p| !p.is_empty()) else { return Ok(0) };
        self.go()?;
        let n = self.inner.write(part)?;
        self.at = self.at.saturating_add(super::bytes::wide(n));
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<S> Seek for Region<S> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.len.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    #[test]
    fn nothing_outside_is_touched() {
        let mut disk = Cursor::new(vec![b'.'; 10]);
        let mut region = Region::new(&mut disk, 3, 4);
        assert_eq!(region.write(b"abcdef").unwrap(), 4);
        assert_eq!(region.write(b"g").unwrap(), 0);
        region.seek(SeekFrom::End(-2)).unwrap();
        let mut rest = String::new();
        region.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "cd");
        assert_eq!(disk.into_inner(), b"...abcd...");
    }
}
