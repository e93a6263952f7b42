//! Superblocks of file systems and swap.
use crate::bytes_at::At;
use crate::probe::Places;
use crate::{Format, Signature};

pub(crate) fn find(places: &Places<'_>) -> Vec<Signature> {
    let head = places.head;
    let all = [ext(head), xfs(head), btrfs(head), fat(head), squashfs(head), iso9660(head), swap(head)];
    all.into_iter().flatten().collect()
}

bitflags::bitflags! {
    /// `s_feature_compat` of ext2 and its heirs.
    struct Compat: u32 { const HAS_JOURNAL = 0x4; const _ = !0; }
}
bitflags::bitflags! {
    /// `s_feature_incompat`: what ext3 knows is below `EXTENTS`, but for `MOUNTS_OLD`.
    struct Incompat: u32 {
        const FILETYPE = 0x2;
        const RECOVER = 0x4;
        const JOURNAL_DEV = 0x8;
        const META_BG = 0x10;
        const _ = !0;
    }
}
bitflags::bitflags! {
    /// `s_feature_ro_compat`: what ext3 knows.
    struct RoCompat: u32 {
        const SPARSE_SUPER = 0x1;
        const LARGE_FILE = 0x2;
        const BTREE_DIR = 0x4;
        const _ = !0;
    }
}

/// ext2, ext3, ext4; Linux, `Documentation/filesystems/ext4/super.rst`.
fn ext(head: At<'_>) -> Option<Signature> {
    let sb = At(head.0.get(1024..)?);
    if sb.le16(0x38) != Some(0xef53) {
        return None;
    }
    let compat = Compat::from_bits_retain(sb.le32(0x5c)?);
    let incompat = Incompat::from_bits_retain(sb.le32(0x60)?);
    let ro_compat = RoCompat::from_bits_retain(sb.le32(0x64)?);
    let ext3 = Incompat::FILETYPE | Incompat::RECOVER | Incompat::JOURNAL_DEV | Incompat::META_BG;
    let ro3 = RoCompat::SPARSE_SUPER | RoCompat::LARGE_FILE | RoCompat::BTREE_DIR;
    let format = if !ext3.contains(incompat) || !ro3.contains(ro_compat) {
        Format::Ext4
    } else if compat.contains(Compat::HAS_JOURNAL) {
        Format::Ext3
    } else {
        Format::Ext2
    };
    Some(Signature::new(format, 0x438).label(sb.text(0x78, 16)).uuid(sb.uuid(0x68)))
}

/// XFS; `xfs_dsb` of Linux, `fs/xfs/libxfs/xfs_format.h`.
fn xfs(head: At<'_>) -> Option<Signature> {
    let block = head.be32(4)?;
    let sane = head.is(0, b"XFSB") && block.is_power_of_two() && (512..=65536).contains(&block);
    sane.then(|| Signature::new(Format::Xfs, 0).label(head.text(108, 12)).uuid(head.uuid(32)))
}

/// Btrfs; its first superblock at 64 KiB.
fn btrfs(head: At<'_>) -> Option<Signature> {
    let sb = At(head.0.get(65536..)?);
    sb.is(0x40, b"_BHRfS_M")
        .then(|| Signature::new(Format::Btrfs, 0x1_0040).label(sb.text(0x12b, 256)).uuid(sb.uuid(0x20)))
}

/// FAT, exFAT and NTFS share the boot sector's place.
fn fat(head: At<'_>) -> Option<Signature> {
    if !head.is(510, &[0x55, 0xaa]) {
        return None;
    }
    if head.is(3, b"EXFAT   ") {
        return Some(Signature::new(Format::Exfat, 3).uuid(serial(head, 100)));
    }
    if head.is(3, b"NTFS    ") {
        let id = head.le64(72)?;
        return Some(Signature::new(Format::Ntfs, 3).uuid(format!("{id:016X}")));
    }
    let sector = head.le16(11)?;
    let cluster = head.u8(13)?;
    if !sector.is_power_of_two() || !(512..=4096).contains(&sector) || !cluster.is_power_of_two() {
        return None;
    }
    let (magic, version, id, label) = if head.is(82, b"FAT32   ") {
        (82, "FAT32", 67, 71)
    } else if head.is(54, b"FAT16   ") {
        (54, "FAT16", 39, 43)
    } else if head.is(54, b"FAT12   ") {
        (54, "FAT12", 39, 43)
    } else {
        return None;
    };
    // The label of the boot sector; mkfs.fat writes it to the root directory too.
    let name = head.text(label, 11);
    let name = if name == "NO NAME" { String::new() } else { name };
    Some(Signature::new(Format::Vfat, magic).version(version).label(name).uuid(serial(head, id)))
}

/// A volume serial number as DOS prints it.
fn serial(head: At<'_>, at: usize) -> String {
    head.le32(at).map_or_else(String::new, |n| format!("{:04X}-{:04X}", n >> 16, n & 0xffff))
}

/// Squashfs 4, little-endian.
fn squashfs(head: At<'_>) -> Option<Signature> {
    (head.is(0, b"hsqs") && head.le16(28)? == 4)
        .then(|| Signature::new(Format::Squashfs, 0).version(format!("4.{}", head.le16(30).unwrap_or(0))))
}

/// ISO 9660; the primary volume descriptor in sector 16.
fn iso9660(head: At<'_>) -> Option<Signature> {
    let pvd = At(head.0.get(32768..)?);
    (pvd.u8(0)? == 1 && pvd.is(1, b"CD001")).then(|| {
        let date = pvd.text(813, 16);
        let mut uuid = String::new();
        for (i, c) in date.chars().enumerate() {
            if matches!(i, 4 | 6 | 8 | 10 | 12 | 14) {
                uuid.push('-');
            }
            uuid.push(c);
        }
        Signature::new(Format::Iso9660, 32769).label(pvd.text(40, 32)).uuid(uuid)
    })
}

/// Swap space: the magic at the end of the first page, whatever a page is on that machine.
fn swap(head: At<'_>) -> Option<Signature> {
    [4096usize, 8192, 16384, 32768, 65536].into_iter().find_map(|page| {
        let at = page.checked_sub(10)?;
        if !head.is(at, b"SWAPSPACE2") || head.le32(1024)? != 1 {
            return None;
        }
        let signature = Signature::new(Format::Swap, u64::try_from(at).ok()?).version("1");
        Some(signature.label(head.text(1052, 16)).uuid(head.uuid(1036)))
    })
}
