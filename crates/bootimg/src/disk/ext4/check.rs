//! Checking superblock, group descriptors and bitmaps by their checksums.
use super::write::descriptor_checksum;
use super::{BLOCK, COMPAT, DESC, INCOMPAT, MAGIC, RO_COMPAT, crc32c};
use crate::disk::bytes::{array, read_at, u16_at, u32_at, wide};
use std::io::{self, Read, Seek};

/// What an ext4 says of itself.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Ext4 {
    /// Its label.
    pub label: String,
    /// Its UUID, as 32 hex digits.
    pub uuid: String,
    /// Bytes it spans.
    pub bytes: u64,
    /// Bytes in no use.
    pub free_bytes: u64,
    /// Whether it was not unmounted and its journal has to be replayed: no damage, but counts may lag.
    pub needs_recovery: bool,
    /// What is not as it must be, one sentence each.
    pub findings: Vec<String>,
}

/// Why nothing can be said.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckExt4Error {
    /// The medium does not answer.
    #[error("cannot read the ext4 file system")]
    Io(#[from] io::Error),
    /// There is none.
    #[error("no ext4: magic {found:#06x}, expected 0xef53")]
    None {
        /// What stands in its place.
        found: u16,
    },
}

/// Checks superblock, descriptors and bitmaps. A file system with `needs_recovery` is checked by its
/// superblock alone: the rest may lag behind the journal.
///
/// # Errors
/// [`CheckExt4Error`].
pub fn check<R: Read + Seek>(source: &mut R) -> Result<Ext4, CheckExt4Error> {
    let sb = read_at(source, 1024, 1024)?;
    let half = |at| u16_at(&sb, at).unwrap_or(0);
    let word = |at| u32_at(&sb, at).unwrap_or(0);
    let both = |lo, hi| u64::from(word(hi)) << 32 | u64::from(word(lo));
    if half(0x38) != MAGIC {
        return Err(CheckExt4Error::None { found: half(0x38) });
    }
    let mut findings = Vec::new();
    if crc32c(!0, sb.get(..1020).unwrap_or_default()) != word(1020) {
        findings.push("the superblock does not match its checksum".to_owned());
    }
    let recover = word(0x60) & 4 != 0;
    let features = (word(0x5c) & COMPAT, word(0x60) & INCOMPAT, word(0x64) & RO_COMPAT);
    if features != (COMPAT, INCOMPAT, RO_COMPAT) || word(0x18) != 2 {
        findings.push(format!("superblock: features {features:x?}, block size {}", word(0x18)));
    }
    if half(0x3a) & 2 != 0 {
        findings.push("the kernel has marked it as having errors".to_owned());
    }
    let block = wide(BLOCK);
    let blocks = both(0x04, 0x150);
    let per_group = u64::from(word(0x20)).max(1);
    let groups = blocks.div_ceil(per_group);
    let sane = findings.is_empty() && !recover && groups <= 1 << 18;
    if sane {
        let uuid: [u8; 16] = array(&sb, 0x68).unwrap_or_default();
        let seed = crc32c(!0, &uuid);
        let len = usize::try_from(groups).unwrap_or(0).saturating_mul(DESC);
        let descriptors = read_at(source, block, len)?;
        let inode_bytes = usize::try_from(word(0x28) / 8).unwrap_or(0).min(BLOCK);
        for (number, d) in (0u64..).zip(descriptors.chunks_exact(DESC)) {
            if u16_at(d, 30) != Some(descriptor_checksum(seed, number, d)) {
                findings.push(format!("group {number}: the descriptor does not match its checksum"));
                continue;
            }
            let flags = u16_at(d, 18).unwrap_or(0);
            for (what, skip, at, sum_at, len) in
                [("block", 2, 0usize, (24, 56), BLOCK), ("inode", 1, 4, (26, 58), inode_bytes)]
            {
                if flags & skip != 0 {
                    continue;
                }
                let lo = u64::from(u32_at(d, at).unwrap_or(0));
                let hi = u64::from(u32_at(d, at.saturating_add(32)).unwrap_or(0));
                let bitmap = read_at(source, (hi << 32 | lo).saturating_mul(block), len)?;
                let sum = u32::from(u16_at(d, sum_at.1).unwrap_or(0)) << 16
                    | u32::from(u16_at(d, sum_at.0).unwrap_or(0));
                if crc32c(seed, &bitmap) != sum {
                    findings.push(format!("group {number}: the {what} bitmap does not match its checksum"));
                }
            }
        }
    }
    let label = sb.get(0x78..0x88).unwrap_or_default();
    let label = label.split(|b| *b == 0).next().unwrap_or_default();
    Ok(Ext4 {
        label: String::from_utf8_lossy(label).into_owned(),
        uuid: crate::disk::bytes::hex(sb.get(0x68..0x78).unwrap_or_default()),
        bytes: blocks.saturating_mul(block),
        free_bytes: both(0x0c, 0x158).saturating_mul(block),
        needs_recovery: recover,
        findings,
    })
}
