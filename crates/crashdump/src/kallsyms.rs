//! The kernel's own table of symbols, found by VMCOREINFO (6.0 and later).
//!
//! A name is a chain of tokens: `scripts/kallsyms.c` and `kernel/kallsyms.c` of the kernel describe the form.
use crate::bytes::{number, u16_at};
use crate::{CoreError, Physical, Vm};
use std::collections::BTreeMap;

/// A kernel with all its modules' symbols has some 300 000.
const MAX_SYMBOLS: u64 = 1 << 20;
/// All tokens together: 256 of at most 511 bytes, in truth 1 KiB.
const TOKENS: usize = 1 << 14;
const PURPOSE: &str = "the table of symbols";

/// Looks up the addresses of some symbols; those that the table does not have are not in the answer.
///
/// # Errors
/// [`CoreError`] where the table cannot be found or read.
pub(crate) fn lookup<P: Physical + ?Sized>(
    vm: &Vm<'_, P>,
    wanted: &[&'static str],
) -> Result<BTreeMap<&'static str, u64>, CoreError> {
    let info = vm.memory().info();
    let at = |name: &str| info.need_symbol(name, PURPOSE);
    let mut count = [0; 4];
    vm.read(at("kallsyms_num_syms")?, &mut count)?;
    let count = number(&count);
    if count > MAX_SYMBOLS {
        return Err(CoreError::TooMany { what: "symbols", found: count, limit: MAX_SYMBOLS });
    }
    let tokens = tokens(vm, at("kallsyms_token_table")?, at("kallsyms_token_index")?)?;
    let (offsets, base) = (at("kallsyms_offsets")?, vm.word(at("kallsyms_relative_base")?)?);
    let mut names = Names { vm, at: at("kallsyms_names")?, buffer: vec![0; 4096], used: 4096 };
    let mut found = BTreeMap::new();
    let (mut coded, mut name) = (Vec::with_capacity(512), Vec::with_capacity(512));
    for i in 0..count {
        names.next(&mut coded)?;
        let parts = || coded.iter().filter_map(|t| tokens.get(usize::from(*t)));
        // Few of a hundred thousand names have the length of one that is wanted, and are worth being put together.
        let len: usize = parts().map(Vec::len).sum();
        if !wanted.iter().any(|w| w.len() + 1 == len) {
            continue;
        }
        name.clear();
        parts().for_each(|token| name.extend_from_slice(token));
        // The first letter is the symbol's type.
        let text = name.get(1..).unwrap_or_default();
        if let Some(hit) = wanted.iter().find(|w| w.as_bytes() == text) {
            let mut offset = [0; 4];
            vm.read(offsets.wrapping_add(i * 4), &mut offset)?;
            // Per-CPU symbols are absolute, all others count down from the base.
            let offset = i64::from(i32::from_le_bytes(offset));
            let address = if offset >= 0 {
                offset.cast_unsigned()
            } else {
                base.wrapping_sub(1).wrapping_add_signed(-offset)
            };
            found.entry(*hit).or_insert(address);
            if found.len() == wanted.len() {
                break;
            }
        }
    }
    Ok(found)
}

/// The 256 tokens.
fn tokens<P: Physical + ?Sized>(vm: &Vm<'_, P>, table: u64, index: u64) -> Result<Vec<Vec<u8>>, CoreError> {
    let mut places = [0; 512];
    vm.read(index, &mut places)?;
    let mut text = vec![0; TOKENS];
    // The table may end sooner, at the end of what is mapped.
    let mut have = 0;
    for part in text.chunks_mut(512) {
        if vm.read(table.wrapping_add(have), part).is_err() {
            break;
        }
        have += part.len() as u64;
    }
    let token = |i: usize| {
        let from = usize::from(u16_at(&places, i * 2).unwrap_or(u16::MAX));
        let rest = text.get(from..have as usize).unwrap_or_default();
        rest.split(|b| *b == 0).next().unwrap_or_default().to_vec()
    };
    Ok((0..256).map(token).collect())
}

/// The chain of names, read in parts.
struct Names<'a, 'b, P: ?Sized> {
    vm: &'b Vm<'a, P>,
    at: u64,
    buffer: Vec<u8>,
    used: usize,
}

impl<P: Physical + ?Sized> Names<'_, '_, P> {
    fn byte(&mut self) -> Result<u8, CoreError> {
        if self.used == self.buffer.len() {
            self.vm.read(self.at, &mut self.buffer)?;
            self.at = self.at.wrapping_add(self.buffer.len() as u64);
            self.used = 0;
        }
        let byte = self.buffer.get(self.used).copied().unwrap_or(0);
        self.used += 1;
        Ok(byte)
    }

    /// The tokens of the next name; their number has 15 bits at the most.
    fn next(&mut self, coded: &mut Vec<u8>) -> Result<(), CoreError> {
        coded.clear();
        let mut len = usize::from(self.byte()?);
        if len & 0x80 != 0 {
            len = len & 0x7f | usize::from(self.byte()?) << 7;
        }
        while coded.len() < len {
            let rest = self.buffer.get(self.used..).unwrap_or_default();
            let part = rest.get(..len - coded.len()).unwrap_or(rest);
            coded.extend_from_slice(part);
            self.used += part.len();
            if coded.len() < len {
                coded.push(self.byte()?);
            }
        }
        Ok(())
    }
}
