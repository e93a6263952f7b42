//! Superblocks.
use crate::bytes_at::At;
use crate::{Signature, container, filesystem, partition};
use std::io::{self, Read, Seek, SeekFrom};

/// A device could not be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {wanted} bytes at byte {offset}")]
pub struct ProbeError {
    /// Where.
    pub offset: u64,
    /// How many bytes.
    pub wanted: usize,
    /// Why.
    #[source]
    pub source: io::Error,
}

/// Everything that superblocks say about a device: partition tables, file systems and containers, those
/// that hide others first. Reads less than 200 KiB at the start and the end.
///
/// Stale superblocks are reported too: `mkfs` clears what it overwrites, an md superblock at the end may
/// stay. The size is taken from seeking to the end.
///
/// ```
/// use esos_blockdev::{Format, probe};
/// use std::io::Cursor;
///
/// let mut disk = vec![0; 1 << 20];
/// disk[4086..4096].copy_from_slice(b"SWAPSPACE2");
/// disk[1024..1028].copy_from_slice(&1u32.to_le_bytes());
/// disk[1024 + 28..1024 + 31].copy_from_slice(b"swp");
/// let found = probe(&mut Cursor::new(disk))?;
/// assert_eq!((&found[0].format, found[0].label.as_str()), (&Format::Swap, "swp"));
/// # Ok::<(), esos_blockdev::ProbeError>(())
/// ```
///
/// # Errors
/// The device cannot be read. One that is shorter than a superblock holds none; that is no error.
pub fn probe(device: &mut (impl Read + Seek)) -> Result<Vec<Signature>, ProbeError> {
    let size =
        device.seek(SeekFrom::End(0)).map_err(|source| ProbeError { offset: u64::MAX, wanted: 0, source })?;
    let head = read(device, 0, 72 << 10)?;
    let tail_at = size.saturating_sub(128 << 10) & !511;
    let tail = read(device, tail_at, 129 << 10)?;
    let places = Places { size, head: At(&head), tail: At(&tail), tail_at };
    let mut found = container::find(&places);
    found.extend(filesystem::find(&places));
    found.extend(partition::find(&places));
    Ok(found)
}

/// The bytes that probing looks at.
pub(crate) struct Places<'b> {
    pub size: u64,
    pub head: At<'b>,
    tail: At<'b>,
    tail_at: u64,
}

impl<'b> Places<'b> {
    /// Bytes from an absolute place on, if they were read.
    pub(crate) fn at(&self, offset: u64) -> Option<At<'b>> {
        let head = usize::try_from(offset).ok().and_then(|o| self.head.0.get(o..)).filter(|b| !b.is_empty());
        let tail = || {
            let o = usize::try_from(offset.checked_sub(self.tail_at)?).ok()?;
            self.tail.0.get(o..).filter(|b| !b.is_empty())
        };
        head.or_else(tail).map(At)
    }
}

fn read(device: &mut (impl Read + Seek), offset: u64, wanted: usize) -> Result<Vec<u8>, ProbeError> {
    let error = |source| ProbeError { offset, wanted, source };
    device.seek(SeekFrom::Start(offset)).map_err(error)?;
    let mut bytes = Vec::with_capacity(wanted);
    device.take(wanted as u64).read_to_end(&mut bytes).map_err(error)?;
    Ok(bytes)
}
