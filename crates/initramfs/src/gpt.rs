//! The GUID partition table, as UEFI 2.10 §5.3 lays it out.
use crate::ReadAt;
use crate::source::little;
use std::io;

/// What a disk's table says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gpt {
    /// The disk's GUID.
    pub disk_guid: String,
    /// The partitions in use.
    pub partitions: Vec<GptPartition>,
    /// The first table was broken, this is the one at the end of the disk.
    pub from_backup: bool,
}

/// A partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GptPartition {
    /// Its number, from 1, as the kernel counts.
    pub number: u32,
    /// Its name (UTF-16 in the table).
    pub name: String,
    /// Its own GUID.
    pub guid: String,
    /// Byte at which it starts.
    pub start: u64,
    /// Its bytes.
    pub length: u64,
}

/// Why a disk has no table that can be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GptError {
    /// There is none.
    #[error("no GPT")]
    None,
    /// Both copies are there, in part, and broken.
    #[error("both GPTs are broken: {problem}")]
    Broken {
        /// What is wrong with the first.
        problem: &'static str,
    },
    /// The disk cannot be read.
    #[error("cannot read the GPT")]
    Read(#[source] io::Error),
}

/// UEFI wants 128 entries of 128 bytes; a table that claims more than this is nonsense.
const MOST_BYTES: u64 = 1 << 20;

impl Gpt {
    /// Reads the table of a disk with logical blocks of `block` bytes (512 or 4096). The copy at the end
    /// serves where the first one is broken.
    ///
    /// # Errors
    /// [`GptError`].
    pub fn read(disk: &dyn ReadAt, block: u64) -> Result<Self, GptError> {
        let first = Self::at(disk, block, block);
        let problem = match first {
            Ok(gpt) => return Ok(gpt),
            Err(GptError::Read(e)) => return Err(GptError::Read(e)),
            Err(GptError::Broken { problem }) => Some(problem),
            Err(GptError::None) => None,
        };
        let last = disk.len().checked_sub(block).and_then(|at| at.checked_div(block)?.checked_mul(block));
        match last.map(|at| Self::at(disk, block, at)) {
            Some(Ok(gpt)) => Ok(Self { from_backup: true, ..gpt }),
            Some(Err(GptError::Read(e))) => Err(GptError::Read(e)),
            _ => Err(problem.map_or(GptError::None, |problem| GptError::Broken { problem })),
        }
    }

    /// The partition of that name; the first, where there are several.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&GptPartition> {
        self.partitions.iter().find(|p| p.name == name)
    }

    fn at(disk: &dyn ReadAt, block: u64, at: u64) -> Result<Self, GptError> {
        let broken = |problem| GptError::Broken { problem };
        let mut header = vec![0; usize::try_from(block).unwrap_or(512).clamp(512, 65_536)];
        match disk.read_at(at, &mut header) {
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Err(GptError::None),
            other => other.map_err(GptError::Read)?,
        }
        if header.get(..8) != Some(b"EFI PART") {
            return Err(GptError::None);
        }
        let size = usize::try_from(little(&header, 12, 4)).unwrap_or(0);
        let mut covered = header.get(..size).filter(|_| size >= 92).ok_or(broken("header size"))?.to_vec();
        let crc = little(&header, 16, 4);
        covered.iter_mut().skip(16).take(4).for_each(|b| *b = 0);
        if u64::from(crc32fast::hash(&covered)) != crc {
            return Err(broken("header checksum"));
        }
        let (count, width) = (little(&header, 80, 4), little(&header, 84, 4));
        let bytes = count.checked_mul(width).filter(|b| *b <= MOST_BYTES && width >= 128);
        let bytes = bytes.and_then(|b| usize::try_from(b).ok()).ok_or(broken("entry size"))?;
        let mut table = vec![0; bytes];
        let table_at = little(&header, 72, 8).checked_mul(block).ok_or(broken("entry position"))?;
        match disk.read_at(table_at, &mut table) {
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(broken("entries beyond the disk"));
            }
            other => other.map_err(GptError::Read)?,
        }
        if u64::from(crc32fast::hash(&table)) != little(&header, 88, 4) {
            return Err(broken("entries checksum"));
        }
        let width = usize::try_from(width).unwrap_or(128);
        let entries = table.chunks_exact(width).zip(1u32..);
        let partitions = entries.filter_map(|(entry, number)| partition(entry, number, block)).collect();
        Ok(Self { disk_guid: guid(header.get(56..72).unwrap_or_default()), partitions, from_backup: false })
    }
}

fn partition(entry: &[u8], number: u32, block: u64) -> Option<GptPartition> {
    if entry.get(..16)?.iter().all(|b| *b == 0) {
        return None;
    }
    let (first, last) = (little(entry, 32, 8), little(entry, 40, 8));
    let blocks = last.checked_sub(first)?.checked_add(1)?;
    let units = entry.get(56..128)?.chunks_exact(2).map(|c| u16::try_from(little(c, 0, 2)).unwrap_or(0));
    let name = char::decode_utf16(units.take_while(|u| *u != 0)).map(|c| c.unwrap_or('\u{fffd}')).collect();
    Some(GptPartition {
        number,
        name,
        guid: guid(entry.get(16..32)?),
        start: first.checked_mul(block)?,
        length: blocks.checked_mul(block)?,
    })
}

/// A GUID's text: its first three groups are little-endian.
fn guid(bytes: &[u8]) -> String {
    let group = |at, width: usize| {
        format!("{:0digits$x}", little(bytes, at, width), digits = width.saturating_mul(2))
    };
    let tail: String = bytes.iter().skip(8).map(|b| format!("{b:02x}")).collect();
    let (fourth, fifth) = tail.split_at_checked(4).unwrap_or((&tail, ""));
    format!("{}-{}-{}-{fourth}-{fifth}", group(0, 4), group(4, 2), group(6, 2))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A disk with both tables and partitions of one name, start block and blocks each.
    pub(crate) fn disk(block: usize, blocks: usize, parts: &[(&str, u64, u64)]) -> Vec<u8> {
        let mut disk = vec![0; block * blocks];
        let mut table = vec![0u8; 128 * 128];
        for (i, (name, start, length)) in parts.iter().enumerate() {
            let entry = &mut table[i * 128..(i + 1) * 128];
            entry[..16].fill(0x11);
            entry[16..32].fill(u8::try_from(i).unwrap() + 1);
            entry[32..40].copy_from_slice(&start.to_le_bytes());
            entry[40..48].copy_from_slice(&(start + length - 1).to_le_bytes());
            for (to, unit) in entry[56..].chunks_exact_mut(2).zip(name.encode_utf16()) {
                to.copy_from_slice(&unit.to_le_bytes());
            }
        }
        let table_blocks = table.len() / block;
        for (own, at) in [(1, 2), (blocks - 1, blocks - 1 - table_blocks)] {
            disk[at * block..at * block + table.len()].copy_from_slice(&table);
            let mut header = vec![0u8; 92];
            header[..8].copy_from_slice(b"EFI PART");
            header[12..16].copy_from_slice(&92u32.to_le_bytes());
            header[24..32].copy_from_slice(&(own as u64).to_le_bytes());
            header[56..72].copy_from_slice(&[
                0x33, 0x22, 0x11, 0, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99, 1, 2, 3, 4, 5, 6,
            ]);
            header[72..80].copy_from_slice(&(at as u64).to_le_bytes());
            header[80..84].copy_from_slice(&128u32.to_le_bytes());
            header[84..88].copy_from_slice(&128u32.to_le_bytes());
            header[88..92].copy_from_slice(&crc32fast::hash(&table).to_le_bytes());
            let crc = crc32fast::hash(&header);
            header[16..20].copy_from_slice(&crc.to_le_bytes());
            disk[own * block..own * block + 92].copy_from_slice(&header);
        }
        disk
    }

    #[test]
    fn partitions_are_found_by_name_at_both_block_sizes() {
        for block in [512, 4096] {
            let disk = disk(block, 200, &[("ESOS_BOOT", 40, 10), ("esos_primary", 50, 100)]);
            let gpt = Gpt::read(&disk, block as u64).unwrap();
            assert_eq!(gpt.disk_guid, "00112233-4455-6677-8899-010203040506");
            let primary = gpt.named("esos_primary").unwrap();
            assert_eq!(
                (primary.number, primary.start, primary.length),
                (2, 50 * block as u64, 100 * block as u64)
            );
            assert!(gpt.named("esos_secondary").is_none() && !gpt.from_backup);
        }
    }

    #[test]
    fn the_copy_at_the_end_serves() {
        let mut disk = disk(512, 200, &[("a", 40, 10)]);
        disk[512 + 60] ^= 1;
        assert!(Gpt::read(&disk, 512).unwrap().from_backup);
        disk[1024] ^= 1;
        let end = disk.len() - 512 + 60;
        disk[end] ^= 1;
        assert_eq!(Gpt::read(&disk, 512).unwrap_err().to_string(), "both GPTs are broken: header checksum");
        assert_eq!(Gpt::read(&vec![0u8; 4096], 512).unwrap_err().to_string(), "no GPT");
        assert_eq!(Gpt::read(&vec![0u8; 0], 512).unwrap_err().to_string(), "no GPT");
    }

    proptest! {
        #[test]
        fn any_damage_gives_an_answer(at in 512usize..18_000, bytes in proptest::collection::vec(any::<u8>(), 1..64)) {
            let mut disk = disk(512, 200, &[("a", 40, 10)]);
            disk[at..at + bytes.len()].copy_from_slice(&bytes);
            let gpt = Gpt::read(&disk, 512).unwrap();
            prop_assert_eq!(&gpt.partitions[0].name, "a");
        }
    }
}
