//! Reading a slot: only what [`super::Writer`] writes is accepted.
use super::{BLOCK, BLOCK_LOG, FLAGS, MAGIC, MAX_FILES, MAX_NAME, META, RAW_DATA, RAW_META, SUPERBLOCK};
use crate::disk::bytes::{read_at, u16_at, u32_at, u64_at, wide};
use crate::disk::region::Region;
use std::collections::BTreeSet;
use std::io::{self, Read, Seek};

/// One file: where its bytes lie in the slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its name.
    pub name: String,
    /// Byte offset in the slot.
    pub start: u64,
    /// Bytes.
    pub len: u64,
}

impl File {
    /// Its bytes, out of the slot that it was found in.
    pub fn reader<R: Read + Seek>(&self, slot: R) -> Region<R> {
        Region::new(slot, self.start, self.len)
    }
}

/// The files of a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Bytes that the file system uses.
    pub len: u64,
    /// The time of its files, in seconds since 1970.
    pub time: u32,
    files: Vec<File>,
}

/// Why a slot cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadSquashError {
    /// The medium does not answer.
    #[error("cannot read the slot at byte {at}")]
    Io {
        /// Where.
        at: u64,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is no squashfs; `blank` where all 96 bytes of the superblock are zero.
    #[error("{}", if *blank { "the slot is empty" } else { "the slot does not begin with a squashfs" })]
    None {
        /// Nothing was ever written there.
        blank: bool,
    },
    /// A field is not what our writer writes.
    #[error("{place}: expected {expected}, found {found}")]
    Bad {
        /// Which structure and field.
        place: String,
        /// What should stand there.
        expected: String,
        /// What stands there.
        found: String,
    },
}

fn bad(place: &str, expected: impl ToString, found: impl ToString) -> ReadSquashError {
    ReadSquashError::Bad { place: place.to_owned(), expected: expected.to_string(), found: found.to_string() }
}

/// The largest inode table that we accept: 4 GiB of data have 32768 block sizes of four bytes, and
/// every file its head.
const MAX_TABLE: u64 = 1 << 20;

impl Image {
    /// Reads the tables. `slot` may be longer than the file system in it.
    ///
    /// # Errors
    /// Any of [`ReadSquashError`].
    pub fn open<R: Read + Seek>(slot: &mut R) -> Result<Self, ReadSquashError> {
        let sb = read_at(slot, 0, SUPERBLOCK).map_err(|source| ReadSquashError::Io { at: 0, source })?;
        if sb.get(..4) != Some(MAGIC) {
            return Err(ReadSquashError::None { blank: sb.iter().all(|b| *b == 0) });
        }
        let long = |at| u64_at(&sb, at).unwrap_or(0);
        let half = |at| u16_at(&sb, at).unwrap_or(0);
        let word = |at| u32_at(&sb, at).unwrap_or(0);
        for (place, found, expected) in [
            ("superblock, version", u64::from(half(28)), 4),
            ("superblock, minor version", u64::from(half(30)), 0),
            ("superblock, block size", u64::from(word(12)), wide(BLOCK)),
            ("superblock, block log", u64::from(half(22)), u64::from(BLOCK_LOG)),
            ("superblock, flags", u64::from(half(24)), u64::from(FLAGS)),
            ("superblock, compressor", u64::from(half(20)), 1),
            ("superblock, fragments", u64::from(word(16)), 0),
            ("superblock, ids", u64::from(half(26)), 1),
            ("superblock, export table", long(88), u64::MAX),
            ("superblock, xattr table", long(56), u64::MAX),
        ] {
            if found != expected {
                return Err(bad(place, expected, found));
            }
        }
        let (used, ids, inodes, dirs, fragments) = (long(40), long(48), long(64), long(72), long(80));
        let order = [wide(SUPERBLOCK), inodes, dirs, fragments, ids, used];
        if !order.is_sorted()
            || dirs.saturating_sub(inodes) > MAX_TABLE
            || fragments.saturating_sub(dirs) > MAX_TABLE
        {
            return Err(bad(
                "superblock, table offsets",
                "inodes, directory, fragments, ids, end in this order",
                format!("{order:?}"),
            ));
        }
        let inode_table = table(slot, "inode table", inodes, dirs)?;
        let directory = table(slot, "directory table", dirs, fragments)?;
        let id_table = table(slot, "id table", fragments, ids)?;
        if id_table != [0; 4] {
            return Err(bad("id table", "one id, 0", format!("{id_table:?}")));
        }
        let list = read_at(slot, ids, 8).map_err(|source| ReadSquashError::Io { at: ids, source })?;
        if u64_at(&list, 0) != Some(fragments) || used != ids.saturating_add(8) {
            return Err(bad("list of id blocks", fragments, format!("{list:?}")));
        }
        let time = word(8);
        let files = files(&inode_table, &directory, long(32), word(4), inodes, time)?;
        Ok(Self { len: used, time, files })
    }

    /// The files, sorted by name.
    #[must_use]
    pub fn files(&self) -> &[File] {
        &self.files
    }

    /// One file.
    #[must_use]
    pub fn file(&self, name: &str) -> Option<&File> {
        self.files.iter().find(|f| f.name == name)
    }
}

fn table<R: Read + Seek>(slot: &mut R, place: &str, at: u64, end: u64) -> Result<Vec<u8>, ReadSquashError> {
    let len = usize::try_from(end.saturating_sub(at)).unwrap_or(0);
    let bytes = read_at(slot, at, len).map_err(|source| ReadSquashError::Io { at, source })?;
    let mut rest = &bytes[..];
    let mut out = Vec::new();
    while let Some((head, tail)) = rest.split_first_chunk() {
        let head = u16::from_le_bytes(*head);
        let len = usize::from(head & !RAW_META);
        let fits = head & RAW_META != 0 && len > 0 && len <= META && out.len() % META == 0;
        let Some((block, tail)) = tail.split_at_checked(len).filter(|_| fits) else {
            return Err(bad(place, "whole uncompressed metadata blocks", format!("header {head:#06x}")));
        };
        out.extend_from_slice(block);
        rest = tail;
    }
    if rest.is_empty() { Ok(out) } else { Err(bad(place, "whole metadata blocks", "one byte more")) }
}

/// The offset in a table of a metadata reference.
fn offset(block: u64, at: u64) -> Option<usize> {
    let size = wide(META) + 2;
    let whole = (block.is_multiple_of(size) && at < wide(META)).then_some(block / size)?;
    usize::try_from(whole.checked_mul(wide(META))?.checked_add(at)?).ok()
}

fn files(
    inodes: &[u8],
    directory: &[u8],
    root: u64,
    count: u32,
    data_end: u64,
    time: u32,
) -> Result<Vec<File>, ReadSquashError> {
    let place = "root directory";
    let root_at = offset(root >> 16, root & 0xffff).ok_or_else(|| bad(place, "a place", root))?;
    let half = |at: usize| u16_at(inodes, root_at.saturating_add(at)).unwrap_or(0);
    let size = usize::from(half(24));
    let expected = directory.len().saturating_add(3);
    if (half(0), half(2), size, half(26)) != (1, 0o555, expected, 0)
        || u32_at(inodes, root_at.saturating_add(12)) != Some(count)
    {
        let found = format!("type {}, mode {:o}, {size} bytes", half(0), half(2));
        return Err(bad(place, format!("inode {count}, type 1, mode 555, {expected} bytes"), found));
    }
    let mut files: Vec<File> = Vec::new();
    let mut rest = directory;
    while !rest.is_empty() {
        let word = |at| u32_at(rest, at);
        let head = (|| Some((word(0)?, word(4)?, word(8)?)))();
        let (more, block, first) =
            head.filter(|h| h.0 < 256).ok_or_else(|| bad("directory", "a header", "none"))?;
        rest = rest.get(12..).unwrap_or_default();
        for _ in 0..=more {
            let entry = (|| {
                let name_len = usize::from(u16_at(rest, 6)?).checked_add(1)?;
                let name = std::str::from_utf8(rest.get(8..)?.get(..name_len)?).ok()?;
                Some((u16_at(rest, 0)?, u16_at(rest, 2)?, u16_at(rest, 4)?, name))
            })();
            let sound = entry.filter(|e| e.2 == 2 && e.3.len() <= MAX_NAME && files.len() < MAX_FILES);
            let (at, delta, _, name) =
                sound.ok_or_else(|| bad("directory", "a regular file", "something else"))?;
            let place = format!("inode of {name}");
            let at = offset(u64::from(block), u64::from(at)).ok_or_else(|| bad(&place, "a place", block))?;
            let number = first.checked_add(u32::from(delta)).filter(|n| *n < count);
            let number = number.ok_or_else(|| bad(&place, format!("a number below {count}"), delta))?;
            let file = file(inodes, at, name, number, time, data_end)?;
            if files.last().is_some_and(|last| last.name >= file.name) {
                return Err(bad("directory", "names in order", name));
            }
            files.push(file);
            rest = rest.get(8usize.saturating_add(name.len())..).unwrap_or_default();
        }
    }
    if files.len().saturating_add(1) != usize::try_from(count).unwrap_or(0) {
        return Err(bad("superblock, inodes", files.len().saturating_add(1), count));
    }
    let mut ends = BTreeSet::new();
    for file in files.iter().filter(|f| f.len > 0) {
        ends.insert((file.start, file.start.saturating_add(file.len), &file.name));
    }
    for (a, b) in ends.iter().zip(ends.iter().skip(1)) {
        if a.1 > b.0 {
            return Err(bad(&format!("inode of {}", b.2), format!("bytes behind {}", a.1), b.0));
        }
    }
    Ok(files)
}

fn file(
    inodes: &[u8],
    at: usize,
    name: &str,
    number: u32,
    time: u32,
    data_end: u64,
) -> Result<File, ReadSquashError> {
    let place = format!("inode of {name}");
    let bytes = inodes.get(at..).unwrap_or_default();
    let halves = [0, 2, 4, 6].map(|n| u16_at(bytes, n));
    let words = [8, 12, 20, 24].map(|n| u32_at(bytes, n));
    let expected = [Some(time), Some(number), Some(u32::MAX), Some(0)];
    if halves != [Some(2), Some(0o444), Some(0), Some(0)] || words != expected {
        return Err(bad(
            &place,
            format!("file {number}, mode 444, owner 0"),
            format!("{halves:?} {words:?}"),
        ));
    }
    let (Some(start), Some(len)) = (u32_at(bytes, 16), u32_at(bytes, 28)) else {
        return Err(bad(&place, "start and size", "the end of the table"));
    };
    let (start, len) = (u64::from(start), u64::from(len));
    if start < wide(SUPERBLOCK) || start.saturating_add(len) > data_end {
        return Err(bad(&place, format!("bytes below {data_end}"), format!("{len} bytes at {start}")));
    }
    let mut left = len;
    let mut at = 32;
    while left > 0 {
        let part = left.min(wide(BLOCK));
        let size = u32_at(bytes, at).unwrap_or(0);
        if u64::from(size) != part | u64::from(RAW_DATA) {
            return Err(bad(&place, format!("an uncompressed block of {part} bytes"), format!("{size:#x}")));
        }
        left = left.saturating_sub(part);
        at = at.saturating_add(4);
    }
    Ok(File { name: name.to_owned(), start, len })
}
