//! An empty ext4, and the check of one.
//!
//! Written by ourselves and not by `mke2fs`: `esos_conf` and `esos_logs` begin empty, so a writer of
//! the few structures of an empty file system is smaller than running one, has no clock, no user and no
//! random seed in it, and streams to any sink (so `write` can make one as large as the medium).
//! `e2fsck -fn` judges it in the tests.
//!
//! Format: the kernel's `Documentation/filesystems/ext4/`; features as `mke2fs` of e2fsprogs 1.47
//! makes them, without `resize_inode` and `flex_bg`.
mod check;
mod write;

pub use check::{CheckExt4Error, Ext4, check};
pub use write::{Ext4Image, WriteExt4Error};

/// CRC-32C (Castagnoli) continued from `crc`, without the final inversion: as ext4 uses it.
pub(crate) fn crc32c(crc: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(crc, |crc, byte| {
        let index = usize::from((crc ^ u32::from(*byte)).to_le_bytes()[0]);
        (crc >> 8) ^ TABLE.get(index).copied().unwrap_or(0)
    })
}

const TABLE: [u32; 256] = table();

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut n = 0;
    while n < 256 {
        let mut crc = n as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
            bit += 1;
        }
        table[n] = crc;
        n += 1;
    }
    table
}

/// Bytes of a block.
pub(crate) const BLOCK: usize = 4096;
/// Blocks of a group: one bitmap block describes them.
pub(crate) const GROUP: u64 = 32768;
/// Bytes of a group descriptor.
pub(crate) const DESC: usize = 64;
pub(crate) const INODE: usize = 256;
pub(crate) const MAGIC: u16 = 0xef53;
/// has_journal, ext_attr, dir_index.
pub(crate) const COMPAT: u32 = 0x4 | 0x8 | 0x20;
/// filetype, extents, 64bit.
pub(crate) const INCOMPAT: u32 = 0x2 | 0x40 | 0x80;
/// sparse_super, large_file, huge_file, dir_nlink, extra_isize, metadata_csum.
pub(crate) const RO_COMPAT: u32 = 0x1 | 0x2 | 0x8 | 0x20 | 0x40 | 0x400;

/// Whether a group carries copies of the superblock and the descriptors (`sparse_super`).
pub(crate) fn has_super(group: u64) -> bool {
    let power = |base: u64| {
        let mut n = base;
        while n < group {
            n = n.saturating_mul(base);
        }
        n == group
    };
    group <= 1 || power(3) || power(5) || power(7)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    #[test]
    fn crc_of_the_catalogue() {
        assert_eq!(!crc32c(!0, b"123456789"), 0xe306_9283);
    }

    #[test]
    fn copies_lie_in_powers_of_three_five_and_seven() {
        let with: Vec<u64> = (0..130).filter(|g| has_super(*g)).collect();
        assert_eq!(with, [0, 1, 3, 5, 7, 9, 25, 27, 49, 81, 125]);
    }

    fn image(mib: u64) -> Cursor<Vec<u8>> {
        let mut disk = Cursor::new(vec![0; (mib << 20) as usize]);
        let image = Ext4Image {
            label: "esos_conf".into(),
            uuid: [7; 16],
            hash_seed: [9; 16],
            len: mib << 20,
            time: 1_700_000_000,
        };
        image.write(&mut disk).unwrap();
        disk
    }

    #[test]
    fn what_is_written_checks_clean() {
        let found = check(&mut image(64)).unwrap();
        assert_eq!((found.label.as_str(), found.findings), ("esos_conf", vec![]));
    }

    #[test]
    fn damage_is_named() {
        let mut disk = image(64);
        disk.get_mut()[4096 + 3] ^= 1;
        let findings = check(&mut disk).unwrap().findings;
        assert!(findings[0].contains("group 0"), "{findings:?}");
        disk.get_mut()[1024 + 0x78] ^= 1;
        assert!(check(&mut disk).unwrap().findings[0].contains("superblock"));
        disk.get_mut()[1024 + 0x38] ^= 1;
        assert!(matches!(check(&mut disk), Err(CheckExt4Error::None { .. })));
    }
}
