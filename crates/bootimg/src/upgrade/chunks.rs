//! Writing a slot piece by piece, its beginning last.
use crate::disk::Medium;
use crate::disk::bytes::wide;
use std::io::{self, Seek, SeekFrom, Write};

/// Bytes of a piece; partitions begin and end on such a boundary.
pub(super) const CHUNK: usize = 1 << 20;

/// A sink over a partition for somebody who writes forward and comes back to the beginning once.
///
/// A piece that the medium holds already is not written again: so an upgrade that was broken off goes on
/// where it was, and the stick wears less. The first piece, with the superblock, is blanked first and
/// written last: until then there is no file system.
pub(super) struct Chunks<'m> {
    medium: &'m dyn Medium,
    start: u64,
    len: u64,
    at: u64,
    first: Vec<u8>,
    current: Option<(u64, Vec<u8>)>,
    pub(super) written: u64,
    pub(super) kept: u64,
}

impl<'m> Chunks<'m> {
    pub(super) fn new(medium: &'m dyn Medium, start: u64, len: u64) -> io::Result<Self> {
        let mut this =
            Self { medium, start, len, at: 0, first: vec![0; CHUNK], current: None, written: 0, kept: 0 };
        let blank = vec![0; CHUNK];
        this.put(0, &blank)?;
        medium.flush()?;
        (this.written, this.kept) = (0, 0);
        Ok(this)
    }

    /// Writes what is left, flushes, and then writes the first piece.
    pub(super) fn finish(mut self) -> io::Result<(u64, u64)> {
        self.end_piece()?;
        self.medium.flush()?;
        let first = std::mem::take(&mut self.first);
        self.put(0, &first)?;
        self.medium.flush()?;
        Ok((self.written, self.kept))
    }

    fn end_piece(&mut self) -> io::Result<()> {
        match self.current.take() {
            Some((number, bytes)) => self.put(number, &bytes),
            None => Ok(()),
        }
    }

    /// Writes a piece where the medium does not hold it yet.
    fn put(&mut self, number: u64, bytes: &[u8]) -> io::Result<()> {
        let offset = number.saturating_mul(wide(CHUNK));
        let room = usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX).min(bytes.len());
        let bytes = bytes.get(..room).unwrap_or_default();
        let at = self.start.saturating_add(offset);
        let mut there = vec![0; bytes.len()];
        // What cannot be read may be mended by writing.
        if self.medium.read_at(&mut there, at).is_ok() && there == bytes {
            self.kept = self.kept.saturating_add(wide(bytes.len()));
            return Ok(());
        }
        self.medium.write_at(bytes, at)?;
        self.written = self.written.saturating_add(wide(bytes.len()));
        Ok(())
    }
}

impl Write for Chunks<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        if self.at >= self.len {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "the partition is too small"));
        }
        let number = self.at / wide(CHUNK);
        let inside = usize::try_from(self.at % wide(CHUNK)).unwrap_or(0);
        if number != 0 && self.current.as_ref().is_some_and(|(n, _)| *n > number) {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "only the first piece is written twice"));
        }
        if number != 0 && self.current.as_ref().is_none_or(|(n, _)| *n != number) {
            self.end_piece()?;
            self.current = Some((number, vec![0; CHUNK]));
        }
        let piece = match &mut self.current {
            Some((n, piece)) if *n == number => piece,
            _ => &mut self.first,
        };
        let left = usize::try_from(self.len.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let n = bytes.len().min(CHUNK.saturating_sub(inside)).min(left);
        let (Some(place), Some(part)) = (piece.get_mut(inside..inside.saturating_add(n)), bytes.get(..n))
        else {
            return Ok(0);
        };
        place.copy_from_slice(part);
        self.at = self.at.saturating_add(wide(n));
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Chunks<'_> {
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
