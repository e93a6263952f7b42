//! Little-endian fields in byte buffers. Reading past the end gives `None`, never a panic.
use std::io::{self, Read, Seek, SeekFrom, Write};

/// `N` bytes at an offset.
pub(crate) fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    array(bytes, at).map(u16::from_le_bytes)
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_le_bytes)
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    array(bytes, at).map(u64::from_le_bytes)
}

/// Writes a field. The callers build buffers of a size they know; what would lie outside is left out,
/// and the test of every format reads its buffers back.
pub(crate) fn put(bytes: &mut [u8], at: usize, field: &[u8]) {
    let end = at.saturating_add(field.len());
    debug_assert!(end <= bytes.len(), "a field at {at}..{end} in {} bytes", bytes.len());
    if let Some(place) = bytes.get_mut(at..end) {
        place.copy_from_slice(field);
    }
}

/// Reads `len` bytes at an offset.
pub(crate) fn read_at<R: Read + Seek>(source: &mut R, at: u64, len: usize) -> io::Result<Vec<u8>> {
    source.seek(SeekFrom::Start(at))?;
    let mut bytes = vec![0; len];
    source.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Writes bytes at an offset.
pub(crate) fn write_at<W: Write + Seek>(sink: &mut W, at: u64, bytes: &[u8]) -> io::Result<()> {
    sink.seek(SeekFrom::Start(at))?;
    sink.write_all(bytes)
}

/// A `usize` as `u64`; lossless on every platform we build for.
pub(crate) fn wide(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len().saturating_mul(2)), |mut text, byte| {
        // Writing to a String cannot fail.
        let _always = write!(text, "{byte:02x}");
        text
    })
}
