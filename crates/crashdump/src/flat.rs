//! The flattened form of a dump, for pipes and ssh: what would be written where, one record after the other.
//! `makedumpfile -R` reads it, and `makedumpfile -F` writes it.
use crate::source::fill;
use crate::{ReadAt, WriteAt};
use std::io::{self, Read, Write};

/// The first bytes of a flattened dump.
pub const FLAT_SIGNATURE: &[u8; 12] = b"makedumpfile";
const HEAD: usize = 4096;
const PART: usize = 1 << 18;
/// 64 TiB of memory packed not at all, and its bitmaps.
const MAX_OFFSET: i64 = 1 << 47;

/// Why a flattened dump cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FlatError {
    /// It does not begin as one.
    #[error("no flattened dump: its first bytes are not `makedumpfile`, type 1, version 1")]
    NotFlat,
    /// A record that cannot be.
    #[error("record {number} of the flattened dump says {size} bytes at {offset:#x}")]
    Record {
        /// Counted from 0.
        number: u64,
        /// Where its bytes go.
        offset: i64,
        /// How many.
        size: i64,
    },
    /// Either side.
    #[error("cannot copy the flattened dump")]
    Io(#[from] io::Error),
}

/// Writes a dump in its flattened form.
///
/// # Errors
/// What either side says.
pub fn flatten(dump: &impl ReadAt, out: &mut dyn Write) -> io::Result<()> {
    let mut head = [0; HEAD];
    let words = FLAT_SIGNATURE.iter().copied().chain([0; 4]);
    let words = words.chain(1_i64.to_be_bytes()).chain(1_i64.to_be_bytes());
    head.iter_mut().zip(words).for_each(|(to, from)| *to = from);
    out.write_all(&head)?;
    let mut record = |offset: i64, size: i64, bytes: &[u8]| {
        out.write_all(&offset.to_be_bytes())?;
        out.write_all(&size.to_be_bytes())?;
        out.write_all(bytes)
    };
    let mut buffer = vec![0; PART];
    let mut at = 0;
    loop {
        let n = fill(dump, &mut buffer, at)?;
        if n > 0 {
            record(at.cast_signed(), n as i64, buffer.get(..n).unwrap_or_default())?;
        }
        at += n as u64;
        if n < PART {
            return record(-1, -1, &[]);
        }
    }
}

/// Writes what a flattened dump says where it says. The answer is the length of the dump.
///
/// # Errors
/// [`FlatError`]; one that ends without its end record is an error of reading.
pub fn unflatten(from: &mut dyn Read, out: &impl WriteAt) -> Result<u64, FlatError> {
    let mut head = [0; HEAD];
    from.read_exact(&mut head)?;
    let ones = [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1];
    if !head.starts_with(FLAT_SIGNATURE) || head.get(16..32) != Some(&ones[..]) {
        return Err(FlatError::NotFlat);
    }
    let (mut end, mut number, mut buffer) = (0, 0, vec![0; PART]);
    loop {
        let mut word = || {
            let mut bytes = [0; 8];
            from.read_exact(&mut bytes).map(|()| i64::from_be_bytes(bytes))
        };
        let (offset, size) = (word()?, word()?);
        if (offset, size) == (-1, -1) {
            return Ok(end);
        }
        if offset < 0 || size < 0 || offset.saturating_add(size) > MAX_OFFSET {
            return Err(FlatError::Record { number, offset, size });
        }
        let (mut at, mut left) = (offset.cast_unsigned(), size.cast_unsigned());
        while left > 0 {
            let part = buffer.get_mut(..left.min(PART as u64) as usize).unwrap_or_default();
            from.read_exact(part)?;
            out.write_at(part, at)?;
            at += part.len() as u64;
            left -= part.len() as u64;
        }
        end = end.max(at);
        number += 1;
    }
}
