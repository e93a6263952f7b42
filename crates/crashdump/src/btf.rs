//! Offsets of members out of the kernel's own type information (BTF), which is in its image.
//!
//! The form is the kernel's `Documentation/bpf/btf.rst`. Only structures are looked at.
use crate::bytes::{u16_at, u32_at};
use crate::{CoreError, Physical, Vm};
use std::collections::BTreeMap;

const MAGIC: u16 = 0xeb9f;
/// The kernel's has 6 MB.
const MAX_BYTES: u64 = 64 << 20;
/// `task_struct` has some 250 members.
const MAX_MEMBERS: u32 = 4096;
const PART: usize = 1 << 15;

/// Size of a structure and offsets in bytes of the members that were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Structure {
    pub(crate) size: u64,
    pub(crate) offsets: BTreeMap<&'static str, u64>,
}

/// Looks up structures: name, members. Those that are not there are not in the answer.
///
/// # Errors
/// [`CoreError`] where the type information cannot be read or makes no sense.
pub(crate) fn structures<P: Physical + ?Sized>(
    vm: &Vm<'_, P>,
    start: u64,
    wanted: &[(&'static str, &[&'static str])],
) -> Result<BTreeMap<&'static str, Structure>, CoreError> {
    let mut head = [0; 24];
    vm.read(start, &mut head)?;
    let field = |at| u64::from(u32_at(&head, at).unwrap_or(0));
    let odd = |found, expected| CoreError::Odd { what: "the kernel's type information", found, expected };
    let magic = u16_at(&head, 0).unwrap_or(0);
    if magic != MAGIC {
        return Err(odd(u64::from(magic), "the magic number 0xeb9f"));
    }
    let (len, types, types_len) = (field(4), field(8), field(12));
    let (strings, strings_len) = (field(16), field(20));
    if types_len > MAX_BYTES || strings_len > MAX_BYTES {
        return Err(odd(types_len.max(strings_len), "at most 64 MiB"));
    }
    let strings = Strings { vm, at: start.wrapping_add(len).wrapping_add(strings), len: strings_len };
    let names = strings.find(&wanted.iter().map(|(name, _)| *name).collect::<Vec<_>>())?;
    let mut reader = Reader {
        vm,
        at: start.wrapping_add(len).wrapping_add(types),
        left: types_len,
        buffer: Vec::new(),
        used: 0,
    };
    let mut found = BTreeMap::new();
    while let Some(record) = reader.take(12)? {
        let word = |at| u32_at(&record, at).unwrap_or(0);
        let (name, info, size) = (word(0), word(4), word(8));
        let (kind, count) = (info >> 24 & 0x1f, u64::from(info & 0xffff));
        let is_wanted = names.iter().find(|(_, offset)| **offset == name && name != 0).filter(|_| kind == 4);
        let Some((name, _)) = is_wanted.filter(|_| count <= u64::from(MAX_MEMBERS)) else {
            reader.skip(match kind {
                1 | 14 | 17 => 4,
                3 => 12,
                4 | 5 | 15 | 19 => 12 * count,
                6 | 13 => 8 * count,
                _ => 0,
            })?;
            continue;
        };
        let members = wanted.iter().find(|(n, _)| n == name).map(|(_, m)| *m).unwrap_or_default();
        let mut structure = Structure { size: u64::from(size), offsets: BTreeMap::new() };
        for _ in 0..count {
            let Some(member) = reader.take(12)? else { break };
            let text = strings.at(u64::from(u32_at(&member, 0).unwrap_or(0)))?;
            let bits = u32_at(&member, 8).unwrap_or(0);
            let bits = if info >> 31 == 1 { bits & 0x00ff_ffff } else { bits };
            if let Some(hit) = members.iter().find(|m| m.as_bytes() == text) {
                structure.offsets.insert(hit, u64::from(bits / 8));
            }
        }
        found.entry(*name).or_insert(structure);
        if found.len() == wanted.len() {
            break;
        }
    }
    Ok(found)
}

struct Strings<'a, 'b, P: ?Sized> {
    vm: &'b Vm<'a, P>,
    at: u64,
    len: u64,
}

impl<P: Physical + ?Sized> Strings<'_, '_, P> {
    /// The offsets of whole strings.
    fn find(&self, wanted: &[&'static str]) -> Result<BTreeMap<&'static str, u32>, CoreError> {
        let mut found = BTreeMap::new();
        let mut part = vec![0; PART];
        let (mut at, mut text, mut begin) = (0, Vec::new(), 0);
        while at < self.len && found.len() < wanted.len() {
            let n = (self.len - at).min(PART as u64) as usize;
            let part = part.get_mut(..n).unwrap_or_default();
            self.vm.read(self.at.wrapping_add(at), part)?;
            for (i, byte) in (at..).zip(&*part) {
                if *byte != 0 {
                    if text.len() < 64 {
                        text.push(*byte);
                    }
                    continue;
                }
                if let Some(hit) = wanted.iter().find(|w| w.as_bytes() == text) {
                    found.insert(*hit, begin as u32);
                }
                text.clear();
                begin = i + 1;
            }
            at += n as u64;
        }
        Ok(found)
    }

    fn at(&self, offset: u64) -> Result<Vec<u8>, CoreError> {
        let mut text = [0; 32];
        let n = self.len.saturating_sub(offset).min(32) as usize;
        let part = text.get_mut(..n).unwrap_or_default();
        self.vm.read(self.at.wrapping_add(offset), part)?;
        Ok(part.split(|b| *b == 0).next().unwrap_or_default().to_vec())
    }
}

/// The types one after the other, read in parts.
struct Reader<'a, 'b, P: ?Sized> {
    vm: &'b Vm<'a, P>,
    at: u64,
    left: u64,
    buffer: Vec<u8>,
    used: usize,
}

impl<P: Physical + ?Sized> Reader<'_, '_, P> {
    fn take(&mut self, n: usize) -> Result<Option<Vec<u8>>, CoreError> {
        if self.buffer.len() - self.used < n {
            self.buffer.drain(..self.used);
            self.used = 0;
            let have = self.buffer.len();
            let more = self.left.min(PART as u64) as usize;
            self.buffer.resize(have + more, 0);
            self.vm.read(self.at, self.buffer.get_mut(have..).unwrap_or_default())?;
            self.at = self.at.wrapping_add(more as u64);
            self.left -= more as u64;
        }
        let record = self.buffer.get(self.used..self.used + n).map(<[u8]>::to_vec);
        self.used += record.as_ref().map_or(0, Vec::len);
        Ok(record)
    }

    fn skip(&mut self, n: u64) -> Result<(), CoreError> {
        let have = (self.buffer.len() - self.used) as u64;
        if n <= have {
            self.used += n as usize;
            return Ok(());
        }
        let beyond = (n - have).min(self.left);
        (self.used, self.at) = (self.buffer.len(), self.at.wrapping_add(beyond));
        self.left -= beyond;
        Ok(())
    }
}
