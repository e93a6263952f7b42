//! The GUID partition table: both copies and the protective MBR (UEFI specification 2.10, section 5).
use super::bytes::{array, put, read_at, u32_at, u64_at, wide, write_at};
use super::guid::Guid;
use esos_layout::part;
use std::io::{self, Read, Seek, SeekFrom, Write};

/// Bytes of a logical sector of the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub enum SectorSize {
    /// 512 bytes: sticks, and nearly all other disks.
    #[default]
    #[serde(rename = "512")]
    B512,
    /// 4096 bytes ("4K native").
    #[serde(rename = "4096")]
    B4096,
}

impl SectorSize {
    /// The number of bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        match self {
            Self::B512 => 512,
            Self::B4096 => 4096,
        }
    }

    pub(crate) const fn size(self) -> usize {
        match self {
            Self::B512 => 512,
            Self::B4096 => 4096,
        }
    }
}

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Its name, at most 36 UTF-16 units.
    pub name: String,
    /// What it is for.
    pub kind: Guid,
    /// Its own identity.
    pub id: Guid,
    /// Its first sector.
    pub first: u64,
    /// Its last sector.
    pub last: u64,
    /// Attribute bits.
    pub attributes: u64,
}

/// A whole table. Entry `n` of `partitions` is GRUB's `gptN+1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Bytes of a logical sector.
    pub sector: SectorSize,
    /// Sectors of the whole disk.
    pub sectors: u64,
    /// The disk's identity.
    pub disk: Guid,
    /// The partitions, from the first entry; unused entries between them are `None`.
    pub partitions: Vec<Option<Partition>>,
}

/// One of the two copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Copy {
    /// In sector 1.
    Primary,
    /// In the last sector.
    Backup,
}

/// Why a table cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GptError {
    /// The medium does not answer.
    #[error("cannot read the {copy:?} partition table")]
    Io {
        /// Which copy.
        copy: Copy,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A field is not what it must be.
    #[error("{copy:?} partition table: {what}")]
    Bad {
        /// Which copy.
        copy: Copy,
        /// What was found, and what was expected.
        what: String,
    },
}

const ENTRIES: usize = 128;
const ENTRY: usize = 128;
const ENTRY_BYTES: usize = ENTRIES * ENTRY;
const SIGNATURE: &[u8; 8] = b"EFI PART";
const HEADER: usize = 92;

impl Table {
    fn entry_sectors(sector: SectorSize) -> u64 {
        wide(ENTRY_BYTES).div_ceil(sector.bytes())
    }

    /// The first sector that a partition may use.
    #[must_use]
    pub fn first_usable(&self) -> u64 {
        Self::entry_sectors(self.sector).saturating_add(2)
    }

    /// The last sector that a partition may use.
    #[must_use]
    pub fn last_usable(&self) -> u64 {
        self.sectors.saturating_sub(Self::entry_sectors(self.sector).saturating_add(2))
    }

    /// The partition with that name, or with the one that it has on an ISO, and its number from 1.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<(usize, &Partition)> {
        let at = |name: &str| self.partitions.iter().position(|p| p.as_ref().is_some_and(|p| p.name == name));
        let at = at(name).or_else(|| at(part::on_iso(name)?))?;
        Some((at.saturating_add(1), self.partitions.get(at)?.as_ref()?))
    }

    /// Whether it is that of an ISO: one slot, and nothing that is written to.
    #[must_use]
    pub fn is_iso(&self) -> bool {
        let iso = part::on_iso(part::PRIMARY);
        self.partitions.iter().flatten().any(|p| Some(p.name.as_str()) == iso)
    }

    /// Where a partition begins and how long it is, in bytes.
    #[must_use]
    pub fn extent(&self, partition: &Partition) -> (u64, u64) {
        let sectors = partition.last.saturating_add(1).saturating_sub(partition.first);
        let bytes = self.sector.bytes();
        (partition.first.saturating_mul(bytes), sectors.saturating_mul(bytes))
    }

    /// Writes the protective MBR (with `boot_code`, at most 440 bytes, in front of it) and both copies.
    ///
    /// The protective entry carries the active flag: some BIOSes start no disk without one, and UEFI
    /// firmware ignores it.
    ///
    /// # Errors
    /// What the sink says.
    pub fn write<W: Write + Seek>(&self, sink: &mut W, boot_code: &[u8]) -> io::Result<()> {
        let sector = self.sector.bytes();
        let entries = self.entry_bytes();
        let last = self.sectors.saturating_sub(1);
        let backup_entries = last.saturating_sub(Self::entry_sectors(self.sector));
        // The backup first: whoever is cut off leaves no table that begins but does not end.
        write_at(sink, backup_entries.saturating_mul(sector), &entries)?;
        write_at(sink, last.saturating_mul(sector), &self.header(last, 1, backup_entries, &entries))?;
        write_at(sink, sector.saturating_mul(2), &entries)?;
        write_at(sink, sector, &self.header(1, last, 2, &entries))?;
        write_at(sink, 0, &self.protective_mbr(boot_code))
    }

    fn entry_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; ENTRY_BYTES];
        for (entry, partition) in bytes.chunks_exact_mut(ENTRY).zip(&self.partitions) {
            let Some(p) = partition else { continue };
            put(entry, 0, &p.kind.0);
            put(entry, 16, &p.id.0);
            put(entry, 32, &p.first.to_le_bytes());
            put(entry, 40, &p.last.to_le_bytes());
            put(entry, 48, &p.attributes.to_le_bytes());
            let name: Vec<u8> = p.name.encode_utf16().take(36).flat_map(u16::to_le_bytes).collect();
            put(entry, 56, &name);
        }
        bytes
    }

    fn header(&self, own: u64, other: u64, entries_at: u64, entries: &[u8]) -> Vec<u8> {
        let mut h = vec![0; self.sector.size()];
        put(&mut h, 0, SIGNATURE);
        put(&mut h, 8, &[0, 0, 1, 0, HEADER as u8, 0, 0, 0]);
        put(&mut h, 24, &own.to_le_bytes());
        put(&mut h, 32, &other.to_le_bytes());
        put(&mut h, 40, &self.first_usable().to_le_bytes());
        put(&mut h, 48, &self.last_usable().to_le_bytes());
        put(&mut h, 56, &self.disk.0);
        put(&mut h, 72, &entries_at.to_le_bytes());
        put(&mut h, 80, &(ENTRIES as u32).to_le_bytes());
        put(&mut h, 84, &(ENTRY as u32).to_le_bytes());
        put(&mut h, 88, &crc32fast::hash(entries).to_le_bytes());
        let crc = crc32fast::hash(h.get(..HEADER).unwrap_or_default());
        put(&mut h, 16, &crc.to_le_bytes());
        h
    }

    fn protective_mbr(&self, boot_code: &[u8]) -> Vec<u8> {
        let mut mbr = vec![0; self.sector.size()];
        put(&mut mbr, 0, boot_code.get(..440).unwrap_or(boot_code));
        let size = u32::try_from(self.sectors.saturating_sub(1)).unwrap_or(u32::MAX);
        // Active, CHS 0/0/2, type EE, CHS 1023/255/63.
        put(&mut mbr, 446, &[0x80, 0x00, 0x02, 0x00, 0xee, 0xff, 0xff, 0xff]);
        put(&mut mbr, 454, &1u32.to_le_bytes());
        put(&mut mbr, 458, &size.to_le_bytes());
        put(&mut mbr, 510, &[0x55, 0xaa]);
        mbr
    }

    /// Reads one copy. The sector size is found by the signature.
    ///
    /// # Errors
    /// [`GptError::Io`] where the medium does not answer, [`GptError::Bad`] where there is no table or
    /// a checksum, a place or a size is wrong.
    pub fn read<R: Read + Seek>(source: &mut R, copy: Copy) -> Result<Self, GptError> {
        let io = |source| GptError::Io { copy, source };
        let bad = |what: String| GptError::Bad { copy, what };
        let len = source.seek(SeekFrom::End(0)).map_err(io)?;
        for sector in [SectorSize::B512, SectorSize::B4096] {
            let sectors = len / sector.bytes();
            if sectors < 2u64.saturating_mul(Self::entry_sectors(sector)).saturating_add(3) {
                continue;
            }
            let own = match copy {
                Copy::Primary => 1,
                Copy::Backup => sectors.saturating_sub(1),
            };
            let header = read_at(source, own.saturating_mul(sector.bytes()), sector.size()).map_err(io)?;
            if header.get(..8) == Some(SIGNATURE) {
                return Self::parse(source, copy, sector, sectors, own, &header);
            }
        }
        Err(bad(format!(
            "no signature `EFI PART` in the {} sector of {len} bytes",
            match copy {
                Copy::Primary => "second",
                Copy::Backup => "last",
            }
        )))
    }

    fn parse<R: Read + Seek>(
        source: &mut R,
        copy: Copy,
        sector: SectorSize,
        sectors: u64,
        own: u64,
        header: &[u8],
    ) -> Result<Self, GptError> {
        let bad = |what: String| GptError::Bad { copy, what };
        let field = |at| u64_at(header, at).unwrap_or(0);
        let word = |at| u32_at(header, at).unwrap_or(0);
        if word(12) as usize != HEADER {
            return Err(bad(format!("header of {} bytes, expected {HEADER}", word(12))));
        }
        let mut zeroed = header.get(..HEADER).unwrap_or_default().to_vec();
        put(&mut zeroed, 16, &[0; 4]);
        let crc = crc32fast::hash(&zeroed);
        if crc != word(16) {
            return Err(bad(format!("header checksum {:08x}, its bytes give {crc:08x}", word(16))));
        }
        if field(24) != own {
            return Err(bad(format!("lies in sector {own}, says it lies in {}", field(24))));
        }
        if (word(80), word(84)) != (ENTRIES as u32, ENTRY as u32) {
            return Err(bad(format!("{} entries of {} bytes, expected 128 of 128", word(80), word(84))));
        }
        let at = field(72).checked_mul(sector.bytes()).filter(|_| field(72) < sectors);
        let at = at.ok_or_else(|| bad(format!("entries in sector {}, behind the end", field(72))))?;
        let entries = read_at(source, at, ENTRY_BYTES).map_err(|source| GptError::Io { copy, source })?;
        let crc = crc32fast::hash(&entries);
        if crc != word(88) {
            return Err(bad(format!("checksum of the entries {:08x}, their bytes give {crc:08x}", word(88))));
        }
        let mut partitions: Vec<Option<Partition>> = entries.chunks_exact(ENTRY).map(entry).collect();
        while partitions.last().is_some_and(Option::is_none) {
            partitions.pop();
        }
        let disk = Guid(array(header, 56).unwrap_or_default());
        let table = Self { sector, sectors, disk, partitions };
        table.check_places().map_err(bad)?;
        Ok(table)
    }

    /// No partition outside the disk, upside down, or upon another.
    fn check_places(&self) -> Result<(), String> {
        let mut sorted: Vec<&Partition> = self.partitions.iter().flatten().collect();
        sorted.sort_by_key(|p| p.first);
        let mut free = self.first_usable();
        for p in sorted {
            if p.first < free || p.last < p.first || p.last > self.last_usable() {
                let (first, last, end) = (p.first, p.last, self.last_usable());
                return Err(format!("{} lies in sectors {first}-{last}, free are {free}-{end}", p.name));
            }
            free = p.last.saturating_add(1);
        }
        Ok(())
    }
}

fn entry(bytes: &[u8]) -> Option<Partition> {
    let kind = Guid(array(bytes, 0)?);
    if kind == Guid::ZERO {
        return None;
    }
    let units: Vec<u16> = bytes
        .get(56..)?
        .chunks_exact(2)
        .filter_map(|pair| array(pair, 0).map(u16::from_le_bytes))
        .take_while(|unit| *unit != 0)
        .collect();
    Some(Partition {
        name: String::from_utf16_lossy(&units),
        kind,
        id: Guid(array(bytes, 16)?),
        first: u64_at(bytes, 32)?,
        last: u64_at(bytes, 40)?,
        attributes: u64_at(bytes, 48)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::guid::Seed;
    use proptest::prelude::*;
    use std::io::Cursor;

    fn table(sector: SectorSize) -> Table {
        let seed = Seed::from_text("gpt");
        let part = |name: &str, first, last| {
            Some(Partition {
                name: name.into(),
                kind: Guid::LINUX,
                id: seed.guid(name),
                first,
                last,
                attributes: 0,
            })
        };
        let partitions = vec![part("a", 40, 50), None, part("ESOS_BOOT", 51, 60)];
        Table { sector, sectors: 200, disk: seed.guid("disk"), partitions }
    }

    #[test]
    fn both_copies_read_back_as_written() {
        for sector in [SectorSize::B512, SectorSize::B4096] {
            let table = table(sector);
            let mut disk = Cursor::new(Vec::new());
            table.write(&mut disk, &[0xeb; 440]).unwrap();
            assert_eq!(disk.get_ref().len() as u64, 200 * sector.bytes());
            for copy in [Copy::Primary, Copy::Backup] {
                assert_eq!(Table::read(&mut disk, copy).unwrap(), table);
            }
            assert_eq!(table.find("ESOS_BOOT").unwrap().0, 3);
        }
    }

    #[test]
    fn a_wrong_place_is_refused() {
        let mut overlapping = table(SectorSize::B512);
        overlapping.partitions[2].as_mut().unwrap().first = 50;
        let mut disk = Cursor::new(Vec::new());
        overlapping.write(&mut disk, &[]).unwrap();
        let error = Table::read(&mut disk, Copy::Primary).unwrap_err().to_string();
        assert!(error.contains("ESOS_BOOT lies in sectors 50-60, free are 51-166"), "{error}");
    }

    proptest! {
        #[test]
        fn every_flipped_bit_of_a_header_or_an_entry_is_found(at in 512usize..512 + 92, bit in 0u8..8, entry in 1024usize..1024 + 400) {
            let mut disk = Cursor::new(Vec::new());
            table(SectorSize::B512).write(&mut disk, &[]).unwrap();
            for at in [at, entry] {
                let mut bad = disk.clone();
                bad.get_mut()[at] ^= 1 << bit;
                prop_assert!(Table::read(&mut bad, Copy::Primary).is_err());
                prop_assert!(Table::read(&mut bad, Copy::Backup).is_ok());
            }
        }

        #[test]
        fn any_bytes_give_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..40_000), sign: bool) {
            let mut bytes = bytes;
            if let Some(place) = bytes.get_mut(512..520).filter(|_| sign) {
                place.copy_from_slice(SIGNATURE);
            }
            let _answer = Table::read(&mut Cursor::new(bytes), Copy::Primary);
        }
    }
}
