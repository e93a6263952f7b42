//! Short names, and the long ones in front of them.
use super::{ATTR_LONG, DIR_ENTRY};
use crate::disk::bytes::put;
use std::collections::BTreeSet;

/// The eleven bytes of a short name.
pub(super) type Short = [u8; 11];

fn allowed(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit() || b"!#$%&'()-@^_`{}~".contains(&byte)
}

fn join(base: &[u8], ext: &[u8]) -> Short {
    let mut short = [b' '; 11];
    put(&mut short, 0, base.get(..8).unwrap_or(base));
    put(&mut short, 8, ext.get(..3).unwrap_or(ext));
    short
}

/// The short name for a name in a directory, and whether it says everything (so that no long one is
/// needed). `taken` are the short names there are.
pub(super) fn shorten(name: &str, taken: &BTreeSet<Short>) -> (Short, bool) {
    let (base, ext) = match name.rsplit_once('.') {
        Some((base, ext)) if !base.is_empty() => (base, ext),
        _ => (name, ""),
    };
    let upper = |text: &str| -> Vec<u8> {
        text.to_ascii_uppercase()
            .bytes()
            .filter(|b| *b != b' ' && *b != b'.')
            .map(|b| if allowed(b) { b } else { b'_' })
            .collect()
    };
    let (ubase, uext) = (upper(base), upper(ext));
    let fits = !ubase.is_empty() && ubase.len() <= 8 && uext.len() <= 3;
    let plain = |text: &str| text.bytes().all(|b| allowed(b.to_ascii_uppercase()));
    let short = join(&ubase, &uext);
    if fits && plain(base) && plain(ext) && !taken.contains(&short) {
        return (short, plain(base) && !name.bytes().any(|b| b.is_ascii_lowercase()));
    }
    for n in 1u32.. {
        let tail = format!("~{n}");
        let keep = 8usize.saturating_sub(tail.len()).min(ubase.len());
        let base = [ubase.get(..keep).unwrap_or_default(), tail.as_bytes()].concat();
        let short = join(&base, &uext);
        if !taken.contains(&short) {
            return (short, false);
        }
    }
    (short, false)
}

fn checksum(short: &Short) -> u8 {
    short.iter().fold(0u8, |sum, byte| sum.rotate_right(1).wrapping_add(*byte))
}

/// Byte offsets of the thirteen UTF-16 units in a long entry.
pub(super) const UNITS: [usize; 13] = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30];

/// The long entries, in the order in which they stand in front of the short one.
pub(super) fn long_entries(name: &str, short: &Short) -> Vec<[u8; DIR_ENTRY]> {
    let units: Vec<u16> = name.encode_utf16().collect();
    let parts: Vec<&[u16]> = units.chunks(UNITS.len()).collect();
    let mut out = Vec::new();
    for (n, part) in (1u8..=255).zip(&parts).collect::<Vec<_>>().into_iter().rev() {
        let mut entry = [0; DIR_ENTRY];
        let last = if usize::from(n) == parts.len() { 0x40 } else { 0 };
        put(&mut entry, 0, &[n | last]);
        put(&mut entry, 11, &[ATTR_LONG, 0, checksum(short)]);
        let mut rest = part.iter().copied().chain(std::iter::once(0)).chain(std::iter::repeat(0xffff));
        for at in UNITS {
            put(&mut entry, at, &rest.next().unwrap_or(0xffff).to_le_bytes());
        }
        out.push(entry);
    }
    out
}

/// A short name as text: `GRUB.CFG`.
pub(super) fn short_text(short: &Short) -> String {
    let (base, ext) = short.split_at(8);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end_matches(' ').to_owned();
    let (base, ext) = (text(base), text(ext));
    if ext.is_empty() { base } else { format!("{base}.{ext}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names() {
        let taken = BTreeSet::from([*b"A_NAME~1TEX"]);
        let check = |name: &str, short: &[u8; 11], whole| {
            assert_eq!(shorten(name, &taken), (*short, whole), "{name}");
        };
        check("BOOTX64.EFI", b"BOOTX64 EFI", true);
        check("grub.cfg", b"GRUB    CFG", false);
        check("ca", b"CA         ", false);
        check("P1", b"P1         ", true);
        check("Longer name.text", b"LONGER~1TEX", false);
        check("a+name.text", b"A_NAME~2TEX", false);
        check(".profile", b"PROFIL~1   ", false);
    }

    #[test]
    fn long_names_end_with_a_zero_where_there_is_room() {
        let entries = long_entries("grub.cfg", b"GRUB    CFG");
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0][0], 0x41);
        assert_eq!(&entries[0][18..26], &[b'g', 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
        assert_eq!(long_entries("a".repeat(14).as_str(), b"AAAAAA~1   ").len(), 2);
    }
}
