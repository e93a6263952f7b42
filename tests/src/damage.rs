//! Damage to the slots of a stick: where it can strike, what it does, and taking it back.
use esos_bootimg::disk::Region;
use esos_bootimg::disk::gpt::{Copy, Table};
use esos_bootimg::disk::squashfs::{Image, ReadSquashError};
use esos_layout::Slot;
use std::error::Error;
use std::fmt;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

/// Something in a slot that can be damaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Whose.
    pub slot: Slot,
    /// A file's name, or that of a table of the file system.
    pub name: String,
    /// Whether it is a table.
    pub table: bool,
    /// First byte on the disk.
    pub start: u64,
    /// Bytes.
    pub len: u64,
    /// Where on the disk the length of the file stands, four bytes; none for a table.
    length_at: Option<u64>,
}

/// Every file and every table of the slots of a disk image; none of an empty slot.
///
/// # Errors
/// In words, where a slot cannot be read.
pub fn places(disk: &mut File) -> Result<Vec<Place>, Box<dyn Error>> {
    let table = Table::read(&mut *disk, Copy::Primary)?;
    let mut places = Vec::new();
    for slot in Slot::ALL {
        let (_, partition) = table.find(slot.partition()).ok_or("no such partition")?;
        places.extend(places_of(disk, slot, table.extent(partition))?);
    }
    Ok(places)
}

/// The same of one slot that lies there, first byte and length.
///
/// # Errors
/// In words, where it cannot be read.
pub fn places_of(
    disk: &mut File,
    slot: Slot,
    (start, len): (u64, u64),
) -> Result<Vec<Place>, Box<dyn Error>> {
    let mut places = Vec::new();
    let image = match Image::open(&mut Region::new(&mut *disk, start, len)) {
        Err(ReadSquashError::None { blank: true }) => return Ok(places),
        other => other?,
    };
    let superblock = bytes(disk, start, 96)?;
    let long = |at: usize| {
        let field = superblock.get(at..at.saturating_add(8)).and_then(|f| <[u8; 8]>::try_from(f).ok());
        field.map(u64::from_le_bytes).ok_or("a short superblock")
    };
    // Used bytes, and the tables of ids, inodes, names and fragments (`squashfs_fs.h`).
    let (used, inodes, names, fragments) = (long(40)?, long(64)?, long(72)?, long(80)?);
    let tables = [
        ("superblock", 0, 96),
        ("inode table", inodes, names),
        ("directory", names, fragments),
        ("id table", fragments, used),
    ];
    places.extend(tables.map(|(name, from, to)| Place {
        slot,
        name: name.to_owned(),
        table: true,
        start: start.saturating_add(from),
        len: to.saturating_sub(from),
        length_at: None,
    }));
    let heads = bytes(disk, start.saturating_add(inodes), names.saturating_sub(inodes))?;
    for file in image.files() {
        let words = [u32::try_from(file.start)?, u32::MAX, 0, u32::try_from(file.len)?];
        let pattern = words.map(u32::to_le_bytes).concat();
        let at = heads.windows(pattern.len()).position(|w| w == pattern).ok_or("no inode of the file")?;
        places.push(Place {
            slot,
            name: file.name.clone(),
            table: false,
            start: start.saturating_add(file.start),
            len: file.len,
            length_at: Some(start.saturating_add(inodes).saturating_add(at as u64).saturating_add(12)),
        });
    }
    Ok(places)
}

fn bytes(disk: &mut File, at: u64, len: u64) -> std::io::Result<Vec<u8>> {
    disk.seek(SeekFrom::Start(at))?;
    let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
    disk.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Bytes that are written over others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// What it is, for people.
    pub text: String,
    at: u64,
    bytes: Vec<u8>,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Damage {
    /// One bit of a byte in it, the other way round.
    ///
    /// # Errors
    /// Where the disk cannot be read.
    pub fn flip(disk: &mut File, place: &Place, offset: u64, bit: u8) -> std::io::Result<Self> {
        let at = place.start.saturating_add(offset);
        let mut bytes = bytes(disk, at, 1)?;
        bytes.iter_mut().for_each(|byte| *byte ^= 1 << (bit % 8));
        Ok(Self::new(place, offset, format!("bit {} flipped", bit % 8), bytes))
    }

    /// The file ends in its middle.
    #[must_use]
    pub fn truncated(place: &Place) -> Option<Self> {
        Self::cut(place, place.len / 2)
    }

    /// The file ends after that many bytes.
    #[must_use]
    pub fn cut(place: &Place, to: u64) -> Option<Self> {
        let text = format!("{}, {}: cut from {} to {to} bytes", place.slot, place.name, place.len);
        Some(Self { text, at: place.length_at?, bytes: u32::try_from(to).ok()?.to_le_bytes().to_vec() })
    }

    /// The file keeps its length, but lies where the medium has ended, so reading it fails.
    #[must_use]
    pub fn unreadable(place: &Place) -> Option<Self> {
        let text = format!("{}, {}: cannot be read", place.slot, place.name);
        // Its first byte stands twelve bytes in front of its length.
        let at = place.length_at?.checked_sub(12)?;
        Some(Self { text, at, bytes: 0xffff_f000u32.to_le_bytes().to_vec() })
    }

    /// One of several kinds, somewhere in it.
    ///
    /// # Errors
    /// Where the disk cannot be read.
    pub fn at_random(disk: &mut File, place: &Place, dice: &mut Dice) -> std::io::Result<Self> {
        loop {
            let offset = dice.below(place.len);
            let damage = match dice.below(5) {
                0 | 1 => Self::flip(disk, place, offset, u8::try_from(dice.below(8)).unwrap_or(0))?,
                2 => Self::run(place, offset / 512 * 512, 512, "zeros", &mut || 0),
                3 => Self::run(place, offset, 64, "FF", &mut || 0xff),
                _ => {
                    let mut any = || u8::try_from(dice.below(256)).unwrap_or(0);
                    Self::run(place, offset / 4096 * 4096, 4096, "garbage", &mut any)
                }
            };
            // Zeros over zeros are no damage.
            if bytes(disk, damage.at, damage.bytes.len() as u64)? != damage.bytes {
                return Ok(damage);
            }
        }
    }

    /// At most `len` bytes, none behind the place's end.
    fn run(place: &Place, offset: u64, len: u64, what: &str, byte: &mut dyn FnMut() -> u8) -> Self {
        let len = len.min(place.len.saturating_sub(offset));
        Self::new(place, offset, format!("{len} bytes of {what}"), (0..len).map(|_| byte()).collect())
    }

    fn new(place: &Place, offset: u64, what: String, bytes: Vec<u8>) -> Self {
        let text = format!("{}, {}, byte {offset} of {}: {what}", place.slot, place.name, place.len);
        Self { text, at: place.start.saturating_add(offset), bytes }
    }

    /// Does it; what comes back undoes it.
    ///
    /// # Errors
    /// Where the disk cannot be written.
    pub fn strike(&self, disk: &Path) -> std::io::Result<Self> {
        let mut disk = File::options().read(true).write(true).open(disk)?;
        let before = bytes(&mut disk, self.at, self.bytes.len() as u64)?;
        disk.seek(SeekFrom::Start(self.at))?;
        disk.write_all(&self.bytes)?;
        Ok(Self { text: format!("undo: {}", self.text), at: self.at, bytes: before })
    }
}

/// Numbers that look random and are the same for the same seed (splitmix64).
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// From that seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number below `end`; 0 where there is none.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)).checked_rem(end).unwrap_or(0)
    }

    /// One of several.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        of.get(usize::try_from(self.below(of.len() as u64)).unwrap_or(0))
    }
}
