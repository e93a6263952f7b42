//! As much of ELF as a kernel module needs: sections by name and the symbol table.
//!
//! 64-bit, little-endian, relocatable objects only, after the System V ABI ("Object Files") as the
//! kernel's `struct elf64_hdr` has it. Nothing here trusts an offset.
use std::ops::Range;

/// What is wrong with an object file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a 64-bit little-endian ELF object: {what} (offset {offset} of {len} bytes)")]
pub struct ElfError {
    /// What could not be read.
    pub what: &'static str,
    /// Where it should have been.
    pub offset: u64,
    /// How long the file is.
    pub len: usize,
}

/// One symbol of the symbol table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Symbol<'a> {
    /// Its name.
    pub(crate) name: &'a [u8],
    /// Defined here, or wanted from elsewhere.
    pub(crate) defined: bool,
    /// Global or weak (local symbols bind nothing).
    pub(crate) external: bool,
}

/// An object file in memory.
#[derive(Debug)]
pub(crate) struct Elf<'a> {
    bytes: &'a [u8],
    sections: Vec<Section>,
    names: Range<usize>,
}

#[derive(Debug, Clone)]
struct Section {
    name: u32,
    link: u32,
    data: Range<usize>,
}

const SHT_NOBITS: u32 = 8;

impl<'a> Elf<'a> {
    /// Reads the section headers.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, ElfError> {
        let error = |what, offset| ElfError { what, offset, len: bytes.len() };
        if bytes.get(..6) != Some(b"\x7fELF\x02\x01") {
            return Err(error("the magic number", 0));
        }
        let table = u64_at(bytes, 0x28).ok_or_else(|| error("e_shoff", 0x28))?;
        let size = u16_at(bytes, 0x3a).ok_or_else(|| error("e_shentsize", 0x3a))?;
        let mut count = u64::from(u16_at(bytes, 0x3c).ok_or_else(|| error("e_shnum", 0x3c))?);
        let mut names = u32::from(u16_at(bytes, 0x3e).ok_or_else(|| error("e_shstrndx", 0x3e))?);
        let header = |i: u64| {
            let at = usize::try_from(table.checked_add(i.checked_mul(u64::from(size))?)?).ok()?;
            bytes.get(at..at.checked_add(64)?)
        };
        let first = header(0).ok_or_else(|| error("the first section header", table))?;
        if count == 0 {
            // More than 0xff00 sections: the true number stands in section 0.
            count = u64_at(first, 0x20).unwrap_or(0);
        }
        if names == 0xffff {
            names = u32_at(first, 0x28).unwrap_or(0);
        }
        let mut sections = Vec::new();
        for i in 0..count {
            let at = table.saturating_add(i.saturating_mul(u64::from(size)));
            let section = header(i).and_then(section).ok_or_else(|| error("a section header", at))?;
            if section.data.end > bytes.len() {
                return Err(error("a section's contents", section.data.start as u64));
            }
            sections.push(section);
        }
        let names = usize::try_from(names).ok().and_then(|i| sections.get(i)).map(|s| s.data.clone());
        let names = names.ok_or_else(|| error("the section names", table))?;
        Ok(Self { bytes, sections, names })
    }

    /// The contents of a section.
    pub(crate) fn section(&self, name: &str) -> Option<&'a [u8]> {
        let strings = self.bytes.get(self.names.clone())?;
        let found = self.sections.iter().find(|s| string(strings, s.name) == Some(name.as_bytes()))?;
        self.bytes.get(found.data.clone())
    }

    /// The contents of a section and of the section that it links to, strings mostly.
    pub(crate) fn linked(&self, name: &str) -> Option<(&'a [u8], &'a [u8])> {
        let strings = self.bytes.get(self.names.clone())?;
        let found = self.sections.iter().find(|s| string(strings, s.name) == Some(name.as_bytes()))?;
        let link = self.sections.get(usize::try_from(found.link).ok()?)?;
        Some((self.bytes.get(found.data.clone())?, self.bytes.get(link.data.clone())?))
    }

    /// All symbols of `.symtab`, without the empty first one.
    pub(crate) fn symbols(&self) -> impl Iterator<Item = Symbol<'a>> + use<'a> {
        let (table, strings) = self.linked(".symtab").unwrap_or_default();
        table.chunks_exact(24).skip(1).filter_map(move |entry| {
            let info = entry.get(4)?;
            Some(Symbol {
                name: string(strings, u32_at(entry, 0)?)?,
                defined: u16_at(entry, 6)? != 0,
                external: matches!(info >> 4, 1 | 2),
            })
        })
    }
}

fn section(header: &[u8]) -> Option<Section> {
    let start = usize::try_from(u64_at(header, 0x18)?).ok()?;
    let len = usize::try_from(u64_at(header, 0x20)?).ok()?;
    let kind = u32_at(header, 4)?;
    // Section 0 and .bss have a size but no bytes in the file.
    let data = if matches!(kind, 0 | SHT_NOBITS) { 0..0 } else { start..start.checked_add(len)? };
    Some(Section { name: u32_at(header, 0)?, link: u32_at(header, 0x28)?, data })
}

/// The NUL-terminated string at an offset.
pub(crate) fn string(table: &[u8], at: u32) -> Option<&[u8]> {
    let rest = table.get(usize::try_from(at).ok()?..)?;
    rest.split(|b| *b == 0).next()
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    array(bytes, at).map(u16::from_le_bytes)
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_le_bytes)
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    array(bytes, at).map(u64::from_le_bytes)
}

#[cfg(test)]
pub(crate) mod sample {
    //! Makes small object files, so that tests need no compiler and no kernel.

    /// An object with `.modinfo`, `__ksymtab_strings`, and symbols: `(name, defined)`, all global.
    pub(crate) fn object(modinfo: &[&str], exports: &[&str], imports: &[&str]) -> Vec<u8> {
        let joined =
            |items: &[&str]| items.iter().flat_map(|s| [s.as_bytes(), b"\0"].concat()).collect::<Vec<u8>>();
        let mut strings = vec![0];
        let mut symbols = vec![0; 24];
        for name in imports {
            symbols.extend((strings.len() as u32).to_le_bytes());
            symbols.extend([0x10, 0, 0, 0]);
            symbols.extend([0; 16]);
            strings.extend(name.as_bytes());
            strings.push(0);
        }
        let names = "\0.modinfo\0__ksymtab_strings\0.symtab\0.strtab\0.shstrtab\0";
        let at = |name: &str| names.find(&format!("\0{name}\0")).map_or(0, |i| i + 1) as u32;
        let parts: Vec<(u32, u32, u32, Vec<u8>)> = vec![
            (0, 0, 0, vec![]),
            (at(".modinfo"), 1, 0, joined(modinfo)),
            (at("__ksymtab_strings"), 1, 0, joined(exports)),
            (at(".symtab"), 2, 4, symbols),
            (at(".strtab"), 3, 0, strings),
            (at(".shstrtab"), 3, 0, names.as_bytes().to_vec()),
        ];
        let mut bytes = vec![0; 64];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        let mut headers = Vec::new();
        for (name, kind, link, data) in &parts {
            let mut header = [0; 64];
            header[..4].copy_from_slice(&name.to_le_bytes());
            header[4..8].copy_from_slice(&kind.to_le_bytes());
            header[0x18..0x20].copy_from_slice(&(bytes.len() as u64).to_le_bytes());
            header[0x20..0x28].copy_from_slice(&(data.len() as u64).to_le_bytes());
            header[0x28..0x2c].copy_from_slice(&link.to_le_bytes());
            headers.extend(header);
            bytes.extend(data);
        }
        let table = bytes.len() as u64;
        bytes[0x28..0x30].copy_from_slice(&table.to_le_bytes());
        bytes[0x3a..0x3c].copy_from_slice(&64u16.to_le_bytes());
        bytes[0x3c..0x3e].copy_from_slice(&(parts.len() as u16).to_le_bytes());
        bytes[0x3e..0x40].copy_from_slice(&5u16.to_le_bytes());
        bytes.extend(headers);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sections_and_symbols_are_found() {
        let bytes = sample::object(&["license=GPL"], &["esos_a"], &["printk", "kfree"]);
        let elf = Elf::read(&bytes).unwrap();
        assert_eq!(elf.section(".modinfo"), Some(&b"license=GPL\0"[..]));
        assert_eq!(elf.section("__ksymtab_strings"), Some(&b"esos_a\0"[..]));
        assert_eq!(elf.section(".text"), None);
        let names: Vec<_> = elf.symbols().map(|s| (s.name, s.defined, s.external)).collect();
        assert_eq!(names, [(&b"printk"[..], false, true), (&b"kfree"[..], false, true)]);
    }

    #[test]
    fn a_cut_file_says_where() {
        let bytes = sample::object(&["a=b"], &[], &[]);
        assert_eq!(Elf::read(&bytes[..20]).unwrap_err().what, "e_shoff");
        assert_eq!(Elf::read(b"#!/bin/sh").unwrap_err().what, "the magic number");
        assert_eq!(Elf::read(&bytes[..bytes.len() - 1]).unwrap_err().what, "a section header");
    }

    proptest! {
        #[test]
        fn damage_never_panics(at in 0usize..900, value: u8) {
            let mut bytes = sample::object(&["alias=pci:v0*"], &["x"], &["y"]);
            let len = bytes.len();
            bytes[at % len] = value;
            if let Ok(elf) = Elf::read(&bytes) {
                let _symbols = elf.symbols().count();
                let _info = elf.section(".modinfo");
            }
        }
    }
}
