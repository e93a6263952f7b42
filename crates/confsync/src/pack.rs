//! One file on the medium: what a generation adds, and what it is.
//!
//! ```text
//! "ESOSCNF1"
//! object: kind (0 stored, 1 zstd), raw length, stored length, SHA-256 of the raw bytes, stored bytes   (any number)
//! index:  one zstd frame of: count, then for each object: SHA-256, offset of the stored bytes, kind, both lengths
//! record: JSON, what the generation is; empty in a pack that only keeps objects
//! tail:   offset of the index, its length, length of the record (u64 each, little endian),
//!         SHA-256 of index, record and these three numbers, "ESOSEND1"
//! ```
use crate::Id;
use crate::codec::{CodecError, Reader, put_number};
use crate::seam::{NewPack, ReadPack};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::{self, Write};

const HEAD: &[u8; 8] = b"ESOSCNF1";
const END: &[u8; 8] = b"ESOSEND1";
/// Head and end of every format: the last byte is its number, the same in both.
const HEADS: &[u8] = b"ESOSCNF";
const ENDS: &[u8] = b"ESOSEND";
const TAIL: u64 = 24 + 32 + 8;
/// An object is never longer: a piece of a file, or a listing of some hundred thousand names.
const LONGEST: u64 = 256 << 20;

/// Where an object lies in its pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot {
    at: u64,
    packed: bool,
    raw: u64,
    pub(crate) stored: u64,
}

/// Why a pack cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {
    /// The medium refuses.
    #[error("the medium cannot be read")]
    Io(#[source] io::Error),
    /// It was cut off, or never finished.
    #[error("it is cut off, or was never finished")]
    Unfinished,
    /// It does not match its own checksum.
    #[error("its {0} does not match the checksum")]
    Checksum(&'static str),
    /// A newer version of ESOS wrote it, in a format that this one cannot read.
    #[error("it has format {0}, of a newer version")]
    Newer(char),
    /// It holds something that this version cannot read.
    #[error("its {0} makes no sense")]
    Nonsense(&'static str),
    /// The file was there, and is not there any more.
    #[error("its file is gone")]
    Gone,
    /// An object is not where the index says.
    #[error("object {0} is damaged")]
    Object(Id),
    /// An object is in no pack.
    #[error("object {0} is missing")]
    Missing(Id),
}

impl PackError {
    fn io(e: io::Error) -> Self {
        if e.kind() == io::ErrorKind::UnexpectedEof { Self::Unfinished } else { Self::Io(e) }
    }
}

impl From<CodecError> for PackError {
    fn from(_: CodecError) -> Self {
        Self::Nonsense("index")
    }
}

/// Writes a pack.
pub(crate) struct Writer<'m> {
    out: Box<dyn NewPack + 'm>,
    at: u64,
    index: BTreeMap<Id, Slot>,
    press: zstd::bulk::Compressor<'static>,
}

impl<'m> Writer<'m> {
    pub(crate) fn new(mut out: Box<dyn NewPack + 'm>) -> io::Result<Self> {
        out.write_all(HEAD)?;
        Ok(Self {
            out,
            at: HEAD.len() as u64,
            index: BTreeMap::new(),
            press: zstd::bulk::Compressor::new(3)?,
        })
    }

    pub(crate) fn has(&self, id: &Id) -> bool {
        self.index.contains_key(id)
    }

    /// Adds an object that is not there yet.
    pub(crate) fn add(&mut self, id: Id, raw: &[u8]) -> io::Result<()> {
        if self.has(&id) {
            return Ok(());
        }
        let packed = self.press.compress(raw)?;
        let (is_packed, bytes) =
            if packed.len() < raw.len() { (true, packed.as_slice()) } else { (false, raw) };
        let mut head = Vec::with_capacity(52);
        head.push(u8::from(is_packed));
        put_number(&mut head, raw.len() as u64);
        put_number(&mut head, bytes.len() as u64);
        head.extend_from_slice(&id.0);
        self.out.write_all(&head)?;
        let at = self.at.saturating_add(head.len() as u64);
        self.out.write_all(bytes)?;
        self.at = at.saturating_add(bytes.len() as u64);
        let slot = Slot { at, packed: is_packed, raw: raw.len() as u64, stored: bytes.len() as u64 };
        self.index.insert(id, slot);
        Ok(())
    }

    /// Finishes it with a record and gives it its name. Returns its length.
    pub(crate) fn finish(mut self, record: &[u8]) -> io::Result<u64> {
        let mut index = Vec::new();
        put_number(&mut index, self.index.len() as u64);
        for (id, slot) in &self.index {
            index.extend_from_slice(&id.0);
            put_number(&mut index, slot.at);
            index.push(u8::from(slot.packed));
            put_number(&mut index, slot.raw);
            put_number(&mut index, slot.stored);
        }
        let mut end = self.press.compress(&index)?;
        let lengths = [self.at, end.len() as u64, record.len() as u64];
        end.extend_from_slice(record);
        lengths.iter().for_each(|n| end.extend_from_slice(&n.to_le_bytes()));
        let sum = Sha256::digest(&end);
        end.extend_from_slice(&sum);
        end.extend_from_slice(END);
        self.out.write_all(&end)?;
        self.out.commit()?;
        Ok(self.at.saturating_add(end.len() as u64))
    }
}

/// The number of a later format, where both ends of the file say the same one.
fn newer(head: &[u8], tail: &[u8]) -> Option<char> {
    let number = |rest: Option<&[u8]>| match rest {
        Some([digit @ b'2'..=b'9']) => Some(char::from(*digit)),
        _ => None,
    };
    let end = tail.last_chunk::<8>()?;
    number(head.strip_prefix(HEADS)).filter(|n| number(end.strip_prefix(ENDS)) == Some(*n))
}

/// The objects of a pack, by name.
pub(crate) struct Objects(Vec<(Id, Slot)>);

impl Objects {
    fn new(mut objects: Vec<(Id, Slot)>) -> Self {
        // They are written in this order.
        if !objects.is_sorted_by_key(|(id, _)| *id) {
            objects.sort_by_key(|(id, _)| *id);
        }
        Self(objects)
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &Id> {
        self.0.iter().map(|(id, _)| id)
    }

    pub(crate) fn get(&self, id: &Id) -> Option<&Slot> {
        let at = self.0.binary_search_by_key(id, |(id, _)| *id).ok()?;
        self.0.get(at).map(|(_, slot)| slot)
    }
}

/// A pack that is there: its index and its record.
pub(crate) struct Pack {
    pub(crate) objects: Objects,
    pub(crate) record: Vec<u8>,
    pub(crate) size: u64,
}

impl Pack {
    /// Reads index and record, and checks both against their sum. Objects are checked when they are read.
    pub(crate) fn open(file: &dyn ReadPack) -> Result<Self, PackError> {
        let size = file.size();
        let tail_at = size.checked_sub(TAIL).filter(|at| *at >= 8).ok_or(PackError::Unfinished)?;
        let mut tail = [0; 64];
        file.read_exact_at(&mut tail, tail_at).map_err(PackError::io)?;
        let mut head = [0; 8];
        file.read_exact_at(&mut head, 0).map_err(PackError::io)?;
        if !tail.ends_with(END) || &head != HEAD {
            return Err(newer(&head, &tail).map_or(PackError::Unfinished, PackError::Newer));
        }
        let word = |n: usize| {
            let bytes = n.checked_mul(8).and_then(|at| tail.get(at..at.checked_add(8)?));
            u64::from_le_bytes(bytes.and_then(|b| b.try_into().ok()).unwrap_or_default())
        };
        let (at, index_len, record_len) = (word(0), word(1), word(2));
        let whole = at.checked_add(index_len).and_then(|n| n.checked_add(record_len));
        if whole != Some(tail_at) || index_len > LONGEST || record_len > LONGEST {
            return Err(PackError::Nonsense("tail"));
        }
        let count = |n: u64| usize::try_from(n).map_err(|_big| PackError::Nonsense("tail"));
        let mut end = vec![0; count(tail_at.saturating_sub(at))?];
        file.read_exact_at(&mut end, at).map_err(PackError::io)?;
        let (numbers, rest) = tail.split_at_checked(24).ok_or(PackError::Unfinished)?;
        let mut sum = Sha256::new();
        sum.update(&end);
        sum.update(numbers);
        if rest.get(..32) != Some(sum.finalize().as_slice()) {
            return Err(PackError::Checksum("index"));
        }
        let (index, record) = end.split_at_checked(count(index_len)?).ok_or(PackError::Nonsense("tail"))?;
        let index = zstd::stream::decode_all(index).map_err(|_e| PackError::Nonsense("index"))?;
        let mut reader = Reader::new(&index);
        let count = reader.count()?;
        let mut objects = Vec::with_capacity(count);
        for _ in 0..count {
            let id = Id::from_slice(reader.take(32)?).ok_or(PackError::Nonsense("index"))?;
            let at = reader.number()?;
            let slot =
                Slot { at, packed: reader.byte()? == 1, raw: reader.number()?, stored: reader.number()? };
            if slot.raw > LONGEST || slot.stored > LONGEST {
                return Err(PackError::Nonsense("index"));
            }
            objects.push((id, slot));
        }
        Ok(Self { objects: Objects::new(objects), record: record.to_vec(), size })
    }

    /// An object, checked.
    pub(crate) fn read(&self, file: &dyn ReadPack, id: &Id) -> Result<Vec<u8>, PackError> {
        let slot = self.objects.get(id).ok_or(PackError::Missing(*id))?;
        let damaged = || PackError::Object(*id);
        let mut bytes = vec![0; usize::try_from(slot.stored).map_err(|_big| damaged())?];
        file.read_exact_at(&mut bytes, slot.at).map_err(|e| match e.kind() {
            io::ErrorKind::UnexpectedEof => damaged(),
            _ => PackError::Io(e),
        })?;
        if slot.packed {
            let room = usize::try_from(slot.raw).map_err(|_big| damaged())?;
            bytes = zstd::bulk::decompress(&bytes, room.max(1)).map_err(|_e| damaged())?;
        }
        if Id::of(&bytes) == *id { Ok(bytes) } else { Err(damaged()) }
    }
}
