//! A sink that remembers what it wrote.
use crate::disk::Medium;
use crate::disk::bytes::wide;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::{self, Seek, SeekFrom, Write};

/// Bytes of a piece: small enough for tables that lie scattered over a large medium.
pub(super) const PIECE: usize = 64 << 10;

/// Everything that was written to a medium: hash and place of each piece. Whatever of a piece is not
/// written is zero.
pub(super) struct Pieces<'m> {
    medium: &'m dyn Medium,
    /// Whether what was never written reads as zeros.
    fresh: bool,
    at: u64,
    current: Option<(u64, Vec<u8>)>,
    sums: BTreeMap<u64, [u8; 32]>,
    bytes: u64,
    progress: &'m mut dyn FnMut(u64),
}

/// What was not read back as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Differing {
    /// The first byte of the first such piece.
    pub(super) first: u64,
    /// How many there are.
    pub(super) pieces: u64,
    /// Of how many.
    pub(super) of: u64,
}

impl<'m> Pieces<'m> {
    pub(super) fn new(medium: &'m dyn Medium, fresh: bool, progress: &'m mut dyn FnMut(u64)) -> Self {
        Self { medium, fresh, at: 0, current: None, sums: BTreeMap::new(), bytes: 0, progress }
    }

    /// Writes zeros.
    pub(super) fn zero(&mut self, at: u64, len: u64) -> io::Result<()> {
        self.seek(SeekFrom::Start(at))?;
        let zeros = vec![0; PIECE];
        let mut left = len;
        while left > 0 {
            let n = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
            self.write_all(zeros.get(..n).unwrap_or_default())?;
            left = left.saturating_sub(wide(n));
        }
        Ok(())
    }

    /// Puts the last piece onto the medium.
    pub(super) fn end(&mut self) -> io::Result<()> {
        let Some((number, bytes)) = self.current.take() else { return Ok(()) };
        let zero = bytes.iter().all(|b| *b == 0);
        let untouched = self.fresh && zero && !self.sums.contains_key(&number);
        let at = number.saturating_mul(wide(PIECE));
        let room = usize::try_from(self.medium.len().saturating_sub(at)).unwrap_or(PIECE).min(PIECE);
        let bytes = bytes.get(..room).unwrap_or_default();
        if !untouched {
            self.medium.write_at(bytes, at)?;
        }
        let len = wide(bytes.len());
        if self.sums.insert(number, Sha256::digest(bytes).into()).is_none() {
            self.bytes = self.bytes.saturating_add(len);
        }
        (self.progress)(self.bytes);
        Ok(())
    }

    /// Bytes that it holds sums of; a piece that was written twice counts once.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Reads everything back; `None` where all of it is as it was written.
    pub(super) fn compare(&self, progress: &mut dyn FnMut(u64)) -> io::Result<Option<Differing>> {
        let of = wide(self.sums.len());
        let mut differing = Differing { first: 0, pieces: 0, of };
        let mut done = 0u64;
        let mut bytes = vec![0; PIECE];
        for (number, sum) in &self.sums {
            let at = number.saturating_mul(wide(PIECE));
            let room = usize::try_from(self.medium.len().saturating_sub(at)).unwrap_or(PIECE).min(PIECE);
            let place = bytes.get_mut(..room).unwrap_or_default();
            self.medium.read_at(place, at)?;
            if <[u8; 32]>::from(Sha256::digest(&*place)) != *sum {
                if differing.pieces == 0 {
                    differing.first = at;
                }
                differing.pieces = differing.pieces.saturating_add(1);
            }
            done = done.saturating_add(wide(room));
            progress(done);
        }
        Ok((differing.pieces > 0).then_some(differing))
    }

    fn go(&mut self, number: u64) -> io::Result<()> {
        if self.current.as_ref().is_some_and(|(n, _)| *n == number) {
            return Ok(());
        }
        self.end()?;
        let mut bytes = vec![0; PIECE];
        if self.sums.contains_key(&number) {
            let at = number.saturating_mul(wide(PIECE));
            let room = usize::try_from(self.medium.len().saturating_sub(at)).unwrap_or(PIECE).min(PIECE);
            self.medium.read_at(bytes.get_mut(..room).unwrap_or_default(), at)?;
        }
        self.current = Some((number, bytes));
        Ok(())
    }
}

impl Write for Pieces<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        let number = self.at / wide(PIECE);
        let inside = usize::try_from(self.at % wide(PIECE)).unwrap_or(0);
        self.go(number)?;
        let n = bytes.len().min(PIECE.saturating_sub(inside));
        let Some((_, piece)) = &mut self.current else { return Ok(0) };
        crate::disk::bytes::put(piece, inside, bytes.get(..n).unwrap_or_default());
        self.at = self.at.saturating_add(wide(n));
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Pieces<'_> {
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
