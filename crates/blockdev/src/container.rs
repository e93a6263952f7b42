//! Superblocks of what is made of block devices, or makes others: md, LVM2, LUKS, DRBD.
use crate::bytes_at::At;
use crate::probe::Places;
use crate::{Format, Signature};

pub(crate) fn find(places: &Places<'_>) -> Vec<Signature> {
    let mut found: Vec<_> = md(places).into_iter().collect();
    found.extend(lvm2(places));
    found.extend(luks(places.head));
    found.extend(drbd(places));
    found
}

const MD_MAGIC: u32 = 0xa92b_4efc;

/// md, versions 1.1 (byte 0), 1.2 (4 KiB), 1.0 and 0.90 (near the end); Linux,
/// `include/uapi/linux/raid/md_p.h`.
fn md(places: &Places<'_>) -> Option<Signature> {
    let sectors = places.size / 512;
    let v10 = (sectors.checked_sub(16)? & !7).checked_mul(512)?;
    for (offset, version) in [(0, "1.1"), (4096, "1.2"), (v10, "1.0")] {
        let Some(sb) = places.at(offset) else { continue };
        // A superblock says where it lies, so that one inside another device is not taken for this one's.
        let here = sb.le64(144)?.checked_mul(512) == Some(offset);
        if sb.le32(0) == Some(MD_MAGIC) && sb.le32(4) == Some(1) && here {
            let signature = Signature::new(Format::MdMember, offset).version(version);
            return Some(signature.uuid(sb.uuid(16)).label(sb.text(32, 32)));
        }
    }
    let v090 = (places.size & !0xffff).checked_sub(0x1_0000)?;
    let sb = places.at(v090)?;
    if sb.le32(0) != Some(MD_MAGIC) || sb.le32(4) != Some(0) {
        return None;
    }
    // Four words of the machine that wrote it, printed as numbers.
    let words = [sb.le32(20)?, sb.le32(52)?, sb.le32(56)?, sb.le32(60)?];
    let uuid: Vec<u8> = words.into_iter().flat_map(u32::to_be_bytes).collect();
    let version = format!("0.{}.{}", sb.le32(8)?, sb.le32(12)?);
    Some(Signature::new(Format::MdMember, v090).version(version).uuid(At(&uuid).uuid(0)))
}

/// LVM2: a label in one of the first four sectors; lvm2, `lib/label/label.h`.
fn lvm2(places: &Places<'_>) -> Option<Signature> {
    (0..4u64).map(|n| n * 512).find_map(|offset| {
        let label = places.at(offset)?;
        if !label.is(0, b"LABELONE") || !label.is(24, b"LVM2 001") {
            return None;
        }
        let id = label.text(32, 32);
        // Printed in groups of 6-4-4-4-4-4-6, as pvs(8) does.
        let mut uuid = String::new();
        for (i, c) in id.chars().enumerate() {
            if matches!(i, 6 | 10 | 14 | 18 | 22 | 26) {
                uuid.push('-');
            }
            uuid.push(c);
        }
        Some(Signature::new(Format::Lvm2Pv, offset).version("LVM2 001").uuid(uuid))
    })
}

/// LUKS; cryptsetup's on-disk format, versions 1 and 2.
fn luks(head: At<'_>) -> Option<Signature> {
    if !head.is(0, b"LUKS\xba\xbe") {
        return None;
    }
    let version = head.be16(6)?;
    let signature = Signature::new(Format::Luks, 0).version(version.to_string()).uuid(head.text(168, 40));
    Some(if version == 2 { signature.label(head.text(24, 48)) } else { signature })
}

/// DRBD's internal meta data: the last whole 4 KiB; drbd-utils, `user/shared/drbdmeta.c`. The same block
/// starts an external meta-data device.
fn drbd(places: &Places<'_>) -> Option<Signature> {
    let last = (places.size & !4095).checked_sub(4096)?;
    [last, 0].into_iter().find_map(|offset| {
        let sb = places.at(offset)?;
        let (version, uuid_at) = match sb.be32(60)? {
            0x8374_026b | 0x8374_026c => ("v08", 40),
            0x8374_026d => ("v09", 48),
            _ => return None,
        };
        let mut id = sb.slice(uuid_at, 8)?.iter();
        let hex = id.try_fold(String::new(), |text, b| Some(text + &format!("{b:02x}")))?;
        let uuid = if hex.bytes().all(|b| b == b'0') { String::new() } else { hex };
        Some(Signature::new(Format::Drbd, offset).version(version).uuid(uuid))
    })
}
