//! Objects of a bare repository, loose and packed, each checked against its name.
//!
//! Formats: git's `Documentation/gitformat-pack.adoc` (packs and indexes of version 2) and
//! `gitrepository-layout.adoc`.
use flate2::read::ZlibDecoder;
use sha1::{Digest, Sha1};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The name of an object.
pub(super) type Oid = [u8; 20];

/// A file of a configuration is smaller; a header that says otherwise is damage, not a reason to ask for memory.
const LARGEST: u64 = 1 << 30;
/// A delta rests on another object, and so on; git itself stops at 50.
const DEEPEST: usize = 200;

/// Why an object cannot be had, in words.
pub(super) type Fault = String;

/// What an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Commit,
    Tree,
    Blob,
    Tag,
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Tree => "tree",
            Self::Blob => "blob",
            Self::Tag => "tag",
        }
    }
}

/// A repository.
pub(super) struct Objects {
    dir: PathBuf,
    packs: Vec<Pack>,
}

struct Pack {
    index: Vec<u8>,
    data: fs::File,
    size: u64,
}

/// Forty hex digits.
pub(super) fn oid(text: &str) -> Option<Oid> {
    let digits = text.trim().as_bytes();
    let mut id = [0; 20];
    if digits.len() != 40 {
        return None;
    }
    for (byte, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(id)
}

/// An object's name as git writes it.
pub(super) fn hex(id: &Oid) -> String {
    id.iter().map(|b| format!("{b:02x}")).collect()
}

impl Objects {
    /// Opens a bare repository. A pack whose index makes no sense is left out: its objects are missing then.
    pub(super) fn open(dir: &Path) -> Self {
        let mut packs = Vec::new();
        for entry in fs::read_dir(dir.join("objects/pack")).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.extension().is_some_and(|e| e == "idx")
                && let Ok(index) = fs::read(&path)
                && index.starts_with(b"\xfftOc\0\0\0\x02")
                && let Ok(data) = fs::File::open(path.with_extension("pack"))
                && let Ok(meta) = data.metadata()
            {
                packs.push(Pack { index, data, size: meta.len() });
            }
        }
        Self { dir: dir.to_owned(), packs }
    }

    /// The commit that `HEAD` names.
    pub(super) fn head(&self) -> Result<Oid, Fault> {
        let text = |name: &str| fs::read_to_string(self.dir.join(name)).map_err(|e| format!("{name}: {e}"));
        let head = text("HEAD")?;
        let Some(name) = head.trim().strip_prefix("ref: ") else {
            return oid(&head).ok_or_else(|| "HEAD makes no sense".to_owned());
        };
        if !name.starts_with("refs/") || name.contains("..") {
            return Err(format!("HEAD names `{name}`"));
        }
        if let Ok(text) = text(name) {
            return oid(&text).ok_or_else(|| format!("{name} makes no sense"));
        }
        let packed =
            text("packed-refs").map_err(|_none| format!("{name} is not there: there is no commit"))?;
        let found = packed.lines().find_map(|line| line.split_once(' ').filter(|(_, n)| *n == name));
        found.and_then(|(id, _)| oid(id)).ok_or_else(|| format!("{name} is not there: there is no commit"))
    }

    /// An object of that kind.
    pub(super) fn get(&self, id: &Oid, wanted: Kind) -> Result<Vec<u8>, Fault> {
        let (kind, data) = self.read(id, 0)?;
        if kind == wanted {
            return Ok(data);
        }
        Err(format!("object {} is a {}, expected a {}", hex(id), kind.word(), wanted.word()))
    }

    fn read(&self, id: &Oid, depth: usize) -> Result<(Kind, Vec<u8>), Fault> {
        let name = hex(id);
        let (head, tail) = name.split_at_checked(2).unwrap_or_default();
        let (kind, data) = match fs::File::open(self.dir.join("objects").join(head).join(tail)) {
            Ok(file) => loose(file).map_err(|why| format!("object {name} is damaged: {why}"))?,
            Err(_) => self.packed(id, depth).map_err(|why| format!("object {name} {why}"))?,
        };
        let mut sum = Sha1::new();
        sum.update(format!("{} {}\0", kind.word(), data.len()));
        sum.update(&data);
        let found: Oid = sum.finalize().into();
        if found == *id {
            Ok((kind, data))
        } else {
            Err(format!("object {name} is damaged: it hashes to {}", hex(&found)))
        }
    }

    fn packed(&self, id: &Oid, depth: usize) -> Result<(Kind, Vec<u8>), Fault> {
        let mut why = "is missing".to_owned();
        for pack in &self.packs {
            let Some(at) = pack.find(id) else { continue };
            match self.at(pack, at, depth) {
                Ok(found) => return Ok(found),
                Err(fault) => why = format!("is damaged: {fault}"),
            }
        }
        Err(why)
    }

    /// The object at a place of a pack.
    fn at(&self, pack: &Pack, at: u64, depth: usize) -> Result<(Kind, Vec<u8>), Fault> {
        if depth > DEEPEST {
            return Err("its deltas rest on each other without end".to_owned());
        }
        let mut reader = pack.from(at)?;
        let mut next = || {
            let mut byte = [0];
            reader.read_exact(&mut byte).map(|()| byte[0]).map_err(|e| e.to_string())
        };
        let first = next()?;
        let (mut size, mut shift, mut byte) = (u64::from(first & 15), 4u32, first);
        while byte & 0x80 != 0 {
            byte = next()?;
            size |= u64::from(byte & 0x7f).checked_shl(shift).ok_or("its size makes no sense")?;
            shift = shift.saturating_add(7);
        }
        let kind = match first >> 4 & 7 {
            1 => Kind::Commit,
            2 => Kind::Tree,
            3 => Kind::Blob,
            4 => Kind::Tag,
            6 => {
                byte = next()?;
                let mut back = u64::from(byte & 0x7f);
                while byte & 0x80 != 0 {
                    byte = next()?;
                    let more = back.checked_add(1).and_then(|b| b.checked_mul(128));
                    back = more.ok_or("its delta makes no sense")? | u64::from(byte & 0x7f);
                }
                let base = at.checked_sub(back).filter(|b| *b < at).ok_or("its delta rests on nothing")?;
                let (kind, base) = self.at(pack, base, depth.saturating_add(1))?;
                return Ok((kind, apply(&base, &inflate(reader, size)?)?));
            }
            7 => {
                let mut id = [0; 20];
                reader.read_exact(&mut id).map_err(|e| e.to_string())?;
                let (kind, base) = self.read(&id, depth.saturating_add(1))?;
                return Ok((kind, apply(&base, &inflate(reader, size)?)?));
            }
            other => return Err(format!("it has the type {other}")),
        };
        Ok((kind, inflate(reader, size)?))
    }
}

impl Pack {
    fn word(&self, at: usize) -> Option<u32> {
        let bytes = self.index.get(at..at.checked_add(4)?)?;
        Some(u32::from_be_bytes(bytes.try_into().ok()?))
    }

    /// Where an object lies.
    fn find(&self, id: &Oid) -> Option<u64> {
        const FANOUT: usize = 8;
        const NAMES: usize = FANOUT + 1024;
        let first = usize::from(id[0]);
        let count = usize::try_from(self.word(FANOUT + 255 * 4)?).ok()?;
        let mut low = match first {
            0 => 0,
            n => usize::try_from(self.word(FANOUT + (n - 1) * 4)?).ok()?,
        };
        let mut high = usize::try_from(self.word(FANOUT + first * 4)?).ok()?;
        while low < high {
            let middle = low + (high - low) / 2;
            let at = middle.checked_mul(20)?.checked_add(NAMES)?;
            match self.index.get(at..at.checked_add(20)?)?.cmp(id.as_slice()) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => {
                    let offsets = count.checked_mul(24)?.checked_add(NAMES)?;
                    let small = self.word(middle.checked_mul(4)?.checked_add(offsets)?)?;
                    if small >> 31 == 0 {
                        return Some(u64::from(small));
                    }
                    let row = usize::try_from(small & 0x7fff_ffff).ok()?;
                    let at = count.checked_mul(4)?.checked_add(offsets)?.checked_add(row.checked_mul(8)?)?;
                    return Some(u64::from(self.word(at)?) << 32 | u64::from(self.word(at.checked_add(4)?)?));
                }
            }
        }
        None
    }

    fn from(&self, at: u64) -> Result<impl Read + use<'_>, Fault> {
        if at >= self.size {
            return Err("its place is behind the end of the pack".to_owned());
        }
        Ok(std::io::BufReader::new(At { file: &self.data, at }))
    }
}

/// A file from a place on.
struct At<'f> {
    file: &'f fs::File,
    at: u64,
}

impl Read for At<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = std::os::unix::fs::FileExt::read_at(self.file, buffer, self.at)?;
        self.at = self.at.saturating_add(n as u64);
        Ok(n)
    }
}

fn inflate(reader: impl Read, size: u64) -> Result<Vec<u8>, Fault> {
    if size > LARGEST {
        return Err(format!("it says that it has {size} bytes"));
    }
    let mut data = Vec::new();
    // One byte more shows what is longer than it says.
    let read = ZlibDecoder::new(reader).take(size.saturating_add(1)).read_to_end(&mut data);
    read.map_err(|e| e.to_string())?;
    if data.len() as u64 == size {
        Ok(data)
    } else {
        Err("it does not have the size that it says".to_owned())
    }
}

/// `KIND SIZE NUL DATA`, deflated.
fn loose(file: fs::File) -> Result<(Kind, Vec<u8>), Fault> {
    let mut data = Vec::new();
    let limit = LARGEST.saturating_add(64);
    ZlibDecoder::new(file).take(limit).read_to_end(&mut data).map_err(|e| e.to_string())?;
    let nonsense = || "its header makes no sense".to_owned();
    let end = data.iter().take(64).position(|b| *b == 0).ok_or_else(nonsense)?;
    let rest = data.split_off(end.saturating_add(1));
    let header = String::from_utf8_lossy(&data).into_owned();
    let (word, size) = header.trim_end_matches('\0').split_once(' ').ok_or_else(nonsense)?;
    let kinds = [Kind::Commit, Kind::Tree, Kind::Blob, Kind::Tag];
    let kind = kinds.into_iter().find(|k| k.word() == word).ok_or_else(nonsense)?;
    if size.parse() == Ok(rest.len()) {
        Ok((kind, rest))
    } else {
        Err("it does not have the size that it says".to_owned())
    }
}

/// A delta over its base: copies of pieces of it, and new bytes.
fn apply(base: &[u8], delta: &[u8]) -> Result<Vec<u8>, Fault> {
    let nonsense = || "its delta makes no sense".to_owned();
    let mut bytes = delta.iter().copied();
    let mut number = || -> Option<u64> {
        let (mut value, mut shift) = (0u64, 0u32);
        loop {
            let byte = bytes.next()?;
            value |= u64::from(byte & 0x7f).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(value);
            }
            shift = shift.checked_add(7)?;
        }
    };
    let (from, to) = (number().ok_or_else(nonsense)?, number().ok_or_else(nonsense)?);
    if from != base.len() as u64 || to > LARGEST {
        return Err(nonsense());
    }
    let mut out = Vec::new();
    while let Some(code) = bytes.next() {
        if code & 0x80 == 0 {
            let count = usize::from(code);
            let before = out.len();
            out.extend(bytes.by_ref().take(count));
            if count == 0 || out.len() != before.saturating_add(count) {
                return Err(nonsense());
            }
            continue;
        }
        let mut field = |bits: std::ops::Range<u32>| -> Option<usize> {
            let mut value = 0usize;
            for (bit, shift) in bits.zip((0..).step_by(8)) {
                if code >> bit & 1 == 1 {
                    value |= usize::from(bytes.next()?) << shift;
                }
            }
            Some(value)
        };
        let (at, count) = (field(0..4).ok_or_else(nonsense)?, field(4..7).ok_or_else(nonsense)?);
        let count = if count == 0 { 0x10000 } else { count };
        let piece = at.checked_add(count).and_then(|end| base.get(at..end)).ok_or_else(nonsense)?;
        out.extend_from_slice(piece);
        if out.len() as u64 > to {
            return Err(nonsense());
        }
    }
    if out.len() as u64 == to { Ok(out) } else { Err(nonsense()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deltas_copy_and_insert_and_nothing_else() {
        let base = b"0123456789";
        // Sizes, four bytes from the third on, two new ones.
        assert_eq!(apply(base, &[10, 6, 0x91, 3, 4, 2, b'x', b'y']).unwrap(), b"3456xy");
        for wrong in [
            &[9, 1, 1, b'x'][..],
            &[10, 6, 0x91, 8, 4, 2, b'x', b'y'],
            &[10, 2, 5, b'x'],
            &[10, 2, 0],
            &[10, 3, 2, b'x', b'y'],
            &[0x80; 12],
            &[],
        ] {
            assert!(apply(base, wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn names_are_forty_digits() {
        let text = "0123456789abcdef0123456789abcdef01234567";
        assert_eq!(hex(&oid(&format!("{text}\n")).unwrap()), text);
        for wrong in
            ["", "0123", "g123456789abcdef0123456789abcdef01234567", "é23456789abcdef0123456789abcdef0123456"]
        {
            assert_eq!(oid(wrong), None, "{wrong}");
        }
    }
}
