//! An image out of one zstd stream, or out of any stream, without its holes.
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};

/// Why an image cannot be unpacked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExpandError {
    /// The stream cannot be read, ends early, or is damaged.
    #[error("the image ends or is damaged behind byte {at}")]
    Read {
        /// Bytes of the image so far.
        at: u64,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is no room, or writing fails.
    #[error("cannot keep byte {at} of the image")]
    Write {
        /// Bytes of the image so far.
        at: u64,
        /// Why.
        #[source]
        source: io::Error,
    },
}

const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const PIECE: usize = 64 << 10;

/// Writes an image into an empty sink and returns its size; pieces of zeros become holes. A stream that
/// begins as zstd's do is decompressed, and its checksum checked.
///
/// # Errors
/// [`ExpandError`].
pub fn expand<R: Read, W: Write + Seek>(
    source: R,
    sink: &mut W,
    progress: &mut dyn FnMut(u64),
) -> Result<u64, ExpandError> {
    let mut source = BufReader::with_capacity(PIECE, source);
    let read = |at| move |source| ExpandError::Read { at, source };
    let packed = source.fill_buf().map_err(read(0))?.starts_with(&ZSTD);
    let mut source: Box<dyn Read + '_> = if packed {
        Box::new(zstd::Decoder::with_buffer(source).map_err(read(0))?)
    } else {
        Box::new(source)
    };
    let mut at = 0u64;
    let mut piece = vec![0; PIECE];
    loop {
        let n = fill(&mut *source, &mut piece).map_err(read(at))?;
        let bytes = piece.get(..n).unwrap_or_default();
        if bytes.is_empty() {
            return Ok(at);
        }
        if bytes.iter().any(|b| *b != 0) {
            let put = sink.seek(SeekFrom::Start(at)).and_then(|_| sink.write_all(bytes));
            put.map_err(|source| ExpandError::Write { at, source })?;
        }
        at = at.saturating_add(crate::disk::bytes::wide(n));
        progress(at);
    }
}

fn fill(source: &mut dyn Read, mut place: &mut [u8]) -> io::Result<usize> {
    let whole = place.len();
    while !place.is_empty() {
        match source.read(place) {
            Ok(0) => break,
            Ok(n) => place = place.get_mut(n..).unwrap_or_default(),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(whole.saturating_sub(place.len()))
}

#[cfg(test)]
mod tests {
    use super::super::compress;
    use super::*;
    use std::io::Cursor;

    #[test]
    fn what_was_packed_comes_back_and_what_is_cut_is_told() {
        let mut image = vec![0; 1_000_000];
        image[500_000..500_010].fill(7);
        let mut packed = Vec::new();
        compress(&mut &image[..], &mut packed, 3, 1).unwrap();
        for stream in [&packed, &image] {
            let mut out = Cursor::new(Vec::new());
            assert_eq!(expand(&stream[..], &mut out, &mut |_| {}).unwrap(), 1_000_000);
            let mut out = out.into_inner();
            assert!(out.len() < 600_000, "zeros at the end are a hole");
            out.resize(1_000_000, 0);
            assert!(out == image);
        }
        for cut in [5, packed.len() / 2, packed.len() - 1] {
            assert!(expand(&packed[..cut], &mut Cursor::new(Vec::new()), &mut |_| {}).is_err(), "{cut}");
        }
        let last = packed.len() - 1;
        packed[last] ^= 1;
        assert!(expand(&packed[..], &mut Cursor::new(Vec::new()), &mut |_| {}).is_err());
    }
}
