//! ELF64 core files: where the memory and the notes lie.
use crate::bytes::{u16_at, u32_at, u64_at};
use crate::source::fill;
use crate::{CoreError, ReadAt};

/// More program headers than any kernel writes: `/proc/vmcore` has one per range of RAM.
const MAX_HEADERS: u64 = 1 << 16;
/// Notes: 360 bytes per CPU and VMCOREINFO; this is enough for 40 000 CPUs.
const MAX_NOTES: u64 = 16 << 20;
/// As many as the dump's format is read with: 64 TiB, which is what x86_64 has with 4 levels of page tables.
const MAX_PHYSICAL: u64 = 1 << 46;

/// A range of physical memory and where its bytes lie in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Physical address of the first byte.
    pub physical: u64,
    /// Virtual address of the first byte as the header says, 0 where it does not (QEMU).
    pub virt: u64,
    /// Offset in the file.
    pub offset: u64,
    /// Bytes in the file, clipped to the file's end.
    pub len: u64,
}

/// What the headers of a core say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Elf {
    /// As the file has them: they may overlap, and need not be whole pages.
    pub(crate) segments: Vec<Segment>,
    /// All notes, one behind the other.
    pub(crate) notes: Vec<u8>,
    /// Bytes that the headers promise and the file does not have.
    pub(crate) missing: u64,
}

impl Elf {
    pub(crate) fn read(source: &(impl ReadAt + ?Sized)) -> Result<Self, CoreError> {
        let mut head = [0; 64];
        exact(source, &mut head, 0)?;
        let not = |found: String, expected| Err(CoreError::NotCore { found, expected });
        if !head.starts_with(b"\x7fELF\x02\x01") {
            return not(
                format!("the bytes {:02x?}", head.get(..6).unwrap_or(&[])),
                "a 64-bit little-endian ELF file",
            );
        }
        let half = |at| u16_at(&head, at).unwrap_or(0);
        let (kind, machine) = (half(16), half(18));
        if kind != 4 {
            return not(format!("ELF type {kind}"), "a core (type 4)");
        }
        if machine != 62 {
            return not(format!("ELF machine {machine}"), "x86_64 (machine 62)");
        }
        // e_ehsize is not looked at: QEMU writes 8.
        let (table, entry) = (u64_at(&head, 32).unwrap_or(0), u64::from(half(54)));
        if entry < 56 {
            return not(format!("program headers of {entry} bytes"), "56 bytes or more");
        }
        let count = match half(56) {
            0xffff => {
                let mut section = [0; 64];
                exact(source, &mut section, u64_at(&head, 40).unwrap_or(0))?;
                u64::from(u32_at(&section, 44).unwrap_or(0))
            }
            n => u64::from(n),
        };
        limit("program headers", count, MAX_HEADERS)?;
        let mut elf = Self { segments: Vec::new(), notes: Vec::new(), missing: 0 };
        for i in 0..count {
            let mut header = [0; 56];
            exact(source, &mut header, table.saturating_add(i * entry))?;
            elf.add(source, &header)?;
        }
        // The kernel's image is there twice, nothing else is: a few bytes that claim to be all memory are not a core.
        let total = elf.segments.iter().fold(0_u64, |sum, s| sum.saturating_add(s.len));
        limit("bytes of memory", total, source.size().saturating_mul(2))?;
        Ok(elf)
    }

    fn add(&mut self, source: &(impl ReadAt + ?Sized), header: &[u8; 56]) -> Result<(), CoreError> {
        let word = |at| u64_at(header, at).unwrap_or(0);
        let (offset, virt, physical, len) = (word(8), word(16), word(24), word(32));
        let there = len.min(source.size().saturating_sub(offset));
        match u32_at(header, 0) {
            // `/proc/kcore` so marks what is no memory: the kernel's virtual mappings.
            Some(1) if physical == u64::MAX => {}
            Some(1) if len > 0 => {
                if physical.checked_add(len).is_none_or(|end| end > MAX_PHYSICAL) {
                    return Err(CoreError::NotCore {
                        found: format!("{len:#x} bytes of memory at {physical:#x}"),
                        expected: "physical addresses of at most 46 bits",
                    });
                }
                self.missing = self.missing.saturating_add(len - there);
                if there > 0 {
                    self.segments.push(Segment { physical, virt, offset, len: there });
                }
            }
            Some(4) => {
                let have = self.notes.len();
                limit("bytes of notes", have as u64 + there, MAX_NOTES)?;
                self.missing = self.missing.saturating_add(len - there);
                self.notes.resize(have + there as usize, 0);
                exact(source, self.notes.get_mut(have..).unwrap_or_default(), offset)?;
            }
            _ => {}
        }
        Ok(())
    }
}

fn limit(what: &'static str, found: u64, limit: u64) -> Result<(), CoreError> {
    if found > limit { Err(CoreError::TooMany { what, found, limit }) } else { Ok(()) }
}

fn exact(source: &(impl ReadAt + ?Sized), buffer: &mut [u8], at: u64) -> Result<(), CoreError> {
    let wanted = buffer.len();
    let found = fill(source, buffer, at).map_err(|source| CoreError::Read { at, source })?;
    if found < wanted { Err(CoreError::Short { at, wanted, found }) } else { Ok(()) }
}
