//! A static BusyBox, the userland of small guests.
use crate::apt;
use std::fs;
use std::path::Path;

/// `PT_INTERP` of `elf(5)`: the program header of what is linked dynamically.
const INTERPRETER: u32 = 3;

/// This host's BusyBox where it is static, otherwise Debian's, downloaded through apt once and kept in the
/// user's cache, so that nobody's `busybox` is replaced for a test.
///
/// # Errors
/// In words, where there is neither.
pub fn busybox() -> Result<Vec<u8>, String> {
    let of_host = ["/bin/busybox", "/usr/bin/busybox"].iter().find_map(|path| fs::read(path).ok());
    if let Some(bytes) = of_host.filter(|bytes| is_static(bytes)) {
        return Ok(bytes);
    }
    let file = |dir: &Path| {
        ["bin/busybox", "usr/bin/busybox"].iter().map(|path| dir.join(path)).find(|path| path.is_file())
    };
    let names = || Ok(vec!["busybox-static".to_owned()]);
    let dir = apt::unpacked("busybox", &names, |dir| file(dir).is_some())?;
    let path = file(&dir).ok_or("Debian's busybox-static holds no busybox")?;
    fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Whether a 64-bit little-endian ELF program asks for no interpreter.
fn is_static(elf: &[u8]) -> bool {
    let number = |at: usize, len: usize| {
        let bytes = elf.get(at..at.checked_add(len)?)?;
        Some(bytes.iter().rev().fold(0_usize, |sum, byte| (sum << 8) | usize::from(*byte)))
    };
    let header = || Some((number(32, 8)?, number(54, 2)?, number(56, 2)?));
    let Some((start, size, count)) = header() else { return false };
    let kind = |index: usize| number(start.checked_add(index.checked_mul(size)?)?, 4);
    (0..count).all(|index| kind(index).is_some_and(|kind| kind != INTERPRETER as usize))
}

#[cfg(test)]
mod tests {
    use super::is_static;

    fn elf(kinds: &[u32]) -> Vec<u8> {
        let mut bytes = vec![0; 64];
        bytes[32] = 64;
        bytes[54] = 56;
        bytes[56] = u8::try_from(kinds.len()).unwrap_or(u8::MAX);
        for kind in kinds {
            bytes.extend(kind.to_le_bytes());
            bytes.resize(bytes.len() + 52, 0);
        }
        bytes
    }

    #[test]
    fn a_program_with_an_interpreter_is_not_static() {
        assert!(is_static(&elf(&[1, 1, 2])));
        assert!(!is_static(&elf(&[6, 3, 1])));
        assert!(!is_static(&elf(&[1, 1])[..100]), "cut off");
        assert!(!is_static(b"#!/bin/sh\n"));
    }
}
