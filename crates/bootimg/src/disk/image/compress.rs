//! The image as one zstd stream.
use std::io::{self, Read, Write};

/// Why an image cannot be compressed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompressError {
    /// The image cannot be read.
    #[error("cannot read the image at byte {at}")]
    Read {
        /// Where.
        at: u64,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The result cannot be written.
    #[error("cannot write the compressed image")]
    Write(#[source] io::Error),
}

/// Compresses a stream with that many threads (at least one) and returns the bytes read. The result
/// depends on the level alone, never on the number of threads: zstd cuts its jobs by the level's window.
///
/// # Errors
/// [`CompressError`].
pub fn compress<R: Read, W: Write>(
    source: &mut R,
    sink: W,
    level: i32,
    threads: u32,
) -> Result<u64, CompressError> {
    let mut encoder = zstd::Encoder::new(sink, level).map_err(CompressError::Write)?;
    encoder.include_checksum(true).map_err(CompressError::Write)?;
    // With no worker zstd takes another path whose result differs.
    encoder.multithread(threads.max(1)).map_err(CompressError::Write)?;
    let mut chunk = vec![0; 1 << 20];
    let mut at = 0u64;
    loop {
        let n = match source.read(&mut chunk) {
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(source) => return Err(CompressError::Read { at, source }),
        };
        let Some(bytes) = chunk.get(..n).filter(|b| !b.is_empty()) else { break };
        encoder.write_all(bytes).map_err(CompressError::Write)?;
        at = at.saturating_add(crate::disk::bytes::wide(n));
    }
    encoder.finish().map_err(CompressError::Write)?.flush().map_err(CompressError::Write)?;
    Ok(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_threads_does_not_show() {
        let data: Vec<u8> = (0..9_000_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 27) as u8).collect();
        let pack = |threads| {
            let mut out = Vec::new();
            assert_eq!(compress(&mut &data[..], &mut out, 1, threads).unwrap(), 9_000_000);
            out
        };
        let one = pack(1);
        assert_eq!(one, pack(3));
        assert_eq!(one, pack(0));
        assert_eq!(zstd::decode_all(&one[..]).unwrap(), data);
    }
}
