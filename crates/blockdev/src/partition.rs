//! Partition tables.
use crate::bytes_at::At;
use crate::probe::Places;
use crate::{Format, Signature};
use std::io::{self, Read, Seek, SeekFrom};

/// One partition as a table names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Partition {
    /// Its number, from 1, as in the kernel's `partition` attribute.
    pub number: u32,
    /// Its first byte.
    pub start: u64,
    /// Its bytes.
    pub len: u64,
    /// Its type: a GUID in lower case for GPT, two hex digits for MBR.
    pub kind: String,
    /// Its identity: a GUID for GPT, empty for MBR.
    pub uuid: String,
    /// Its name (GPT).
    pub name: String,
}

/// A partition table.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PartitionTable {
    /// [`Format::Gpt`] or [`Format::Mbr`].
    pub format: Format,
    /// Its identity: a GUID, or eight hex digits.
    pub uuid: String,
    /// Bytes of a sector in it; 512 or 4096 for GPT, 512 for MBR.
    pub sector: u32,
    /// Whether it was read from the copy at the end, because the one at the start is damaged.
    pub from_backup: bool,
    /// Its partitions, by number.
    pub partitions: Vec<Partition>,
}

/// Why there is no partition table.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// The device cannot be read.
    #[error("cannot read the partition table at byte {offset}")]
    Read {
        /// Where.
        offset: u64,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is none.
    #[error("there is no partition table")]
    None,
    /// There is a GPT, but neither copy is whole.
    #[error("both copies of the GPT are damaged: {what}")]
    Damaged {
        /// What is wrong with the first one.
        what: &'static str,
    },
}

/// Reads a partition table: GPT (with checksums; its copy at the end where the first is damaged), else
/// the four primary entries of an MBR.
///
/// # Errors
/// [`TableError`].
pub fn partitions(device: &mut (impl Read + Seek)) -> Result<PartitionTable, TableError> {
    let size = device.seek(SeekFrom::End(0)).map_err(|source| TableError::Read { offset: 0, source })?;
    let mut damage = None;
    for sector in [512u32, 4096] {
        let last = size.saturating_sub(u64::from(sector)) / u64::from(sector);
        for (lba, from_backup) in [(1, false), (last, true)] {
            match gpt(device, size, sector, lba) {
                Ok(Some((uuid, partitions))) => {
                    return Ok(PartitionTable { format: Format::Gpt, uuid, sector, from_backup, partitions });
                }
                Ok(None) => {}
                Err(GptError::Read(error)) => return Err(error),
                Err(GptError::Damaged(what)) => damage = damage.or(Some(what)),
            }
        }
    }
    if let Some(what) = damage {
        return Err(TableError::Damaged { what });
    }
    let sector = read(device, 0, 512)?;
    mbr(At(&sector)).ok_or(TableError::None)
}

enum GptError {
    Read(TableError),
    Damaged(&'static str),
}

type Gpt = (String, Vec<Partition>);

/// UEFI 2.10, 5.3: header at an LBA, entries where it says.
fn gpt(device: &mut (impl Read + Seek), size: u64, sector: u32, lba: u64) -> Result<Option<Gpt>, GptError> {
    let unit = u64::from(sector);
    let Some(offset) = lba.checked_mul(unit).filter(|o| o.checked_add(unit).is_some_and(|end| end <= size))
    else {
        return Ok(None);
    };
    let bytes = read(device, offset, 512).map_err(GptError::Read)?;
    let header = At(&bytes);
    if !header.is(0, b"EFI PART") {
        return Ok(None);
    }
    let damaged = GptError::Damaged;
    let parsed = (|| {
        let len = usize::try_from(header.le32(12)?).ok().filter(|n| (92..=512).contains(n))?;
        let mut summed = header.slice(0, len)?.to_vec();
        summed.get_mut(16..20)?.fill(0);
        let whole = crc32fast::hash(&summed) == header.le32(16)? && header.le64(24)? == lba;
        whole.then_some(())?;
        Some((header.le64(72)?, header.le32(80)?, header.le32(84)?, header.le32(88)?))
    })();
    let (entries_lba, count, entry, sum) = parsed.ok_or(damaged("the header's checksum is wrong"))?;
    // 128 entries of 128 bytes are usual; a megabyte is more than any tool makes.
    let len = u64::from(count).saturating_mul(u64::from(entry));
    if entry < 128 || len > 1 << 20 {
        return Err(damaged("the header's entry sizes make no sense"));
    }
    let at = entries_lba.checked_mul(unit).ok_or(damaged("the entries lie nowhere"))?;
    let table = read(device, at, usize::try_from(len).unwrap_or(0)).map_err(GptError::Read)?;
    if crc32fast::hash(&table) != sum {
        return Err(damaged("the entries' checksum is wrong"));
    }
    let mut partitions = Vec::new();
    for (number, bytes) in (1u32..).zip(table.chunks_exact(usize::try_from(entry).unwrap_or(128))) {
        let e = At(bytes);
        let (kind, first, last) = (e.guid(0), e.le64(32).unwrap_or(0), e.le64(40).unwrap_or(0));
        if kind.is_empty() {
            continue;
        }
        let name = e.slice(56, 72).unwrap_or_default().chunks_exact(2);
        let units = name.map(|c| At(c).le16(0).unwrap_or(0)).take_while(|u| *u != 0);
        partitions.push(Partition {
            number,
            start: first.saturating_mul(unit),
            len: last.saturating_add(1).saturating_sub(first).saturating_mul(unit),
            kind,
            uuid: e.guid(16),
            name: char::decode_utf16(units).map(|c| c.unwrap_or('\u{fffd}')).collect(),
        });
    }
    Ok(Some((header.guid(56), partitions)))
}

/// The four primary entries of a PC partition table.
fn mbr(sector: At<'_>) -> Option<PartitionTable> {
    if !sector.is(510, &[0x55, 0xaa]) {
        return None;
    }
    let mut partitions = Vec::new();
    for (number, at) in (1u32..=4).zip((446usize..).step_by(16)) {
        let (status, kind) = (sector.u8(at)?, sector.u8(at.checked_add(4)?)?);
        // Boot code of a file system lies here where there is no table.
        if status != 0 && status != 0x80 {
            return None;
        }
        let (start, len) = (sector.le32(at.checked_add(8)?)?, sector.le32(at.checked_add(12)?)?);
        if kind != 0 && len != 0 {
            partitions.push(Partition {
                number,
                start: u64::from(start).saturating_mul(512),
                len: u64::from(len).saturating_mul(512),
                kind: format!("{kind:02x}"),
                uuid: String::new(),
                name: String::new(),
            });
        }
    }
    let uuid = sector.le32(440).filter(|id| *id != 0).map_or_else(String::new, |id| format!("{id:08x}"));
    (!partitions.is_empty()).then_some(PartitionTable {
        format: Format::Mbr,
        uuid,
        sector: 512,
        from_backup: false,
        partitions,
    })
}

/// The table as a signature; headers are only looked at, checksums are for [`partitions`].
pub(crate) fn find(places: &Places<'_>) -> Option<Signature> {
    for sector in [512u64, 4096] {
        let ends = [Some(sector), places.size.checked_sub(sector)];
        for offset in ends.into_iter().flatten() {
            if let Some(header) = places.at(offset).filter(|h| h.is(0, b"EFI PART")) {
                return Some(Signature::new(Format::Gpt, offset).uuid(header.guid(56)));
            }
        }
    }
    let table = mbr(places.head)?;
    Some(Signature::new(Format::Mbr, 510).uuid(table.uuid))
}

fn read(device: &mut (impl Read + Seek), offset: u64, len: usize) -> Result<Vec<u8>, TableError> {
    let error = |source| TableError::Read { offset, source };
    device.seek(SeekFrom::Start(offset)).map_err(error)?;
    let mut bytes = vec![0; len];
    let mut filled = 0usize;
    while let Some(rest) = bytes.get_mut(filled..).filter(|r| !r.is_empty()) {
        match device.read(rest) {
            // What lies behind the end counts as zeros; the checksum will not fit then.
            Ok(0) => break,
            Ok(n) => filled = filled.saturating_add(n),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(error(e)),
        }
    }
    Ok(bytes)
}
