//! Virtual addresses of the crashed kernel.
use crate::bytes::{number, u64_at};
use crate::core::PAGE;
use crate::{CoreError, Physical};
use std::cell::Cell;

/// Where the kernel's image is mapped; KASLR moves it within 1 GiB.
pub(crate) const IMAGE_START: u64 = 0xffff_ffff_8000_0000;
/// Bits of an entry that are an address: not the flags below nor NX and protection keys above.
pub(crate) const ADDRESS: u64 = 0x000f_ffff_ffff_f000;
const PRESENT: u64 = 1;
const LARGE: u64 = 1 << 7;

/// A mapping that was found: the virtual range's start, its size (a power of two), where it lies.
#[derive(Clone, Copy, Debug)]
struct Mapping {
    start: u64,
    size: u64,
    physical: u64,
}

/// The kernel's address space: a walk of its page tables, 4 or 5 levels deep.
#[derive(Debug)]
pub struct Vm<'a, P: ?Sized> {
    memory: &'a P,
    image_size: u64,
    phys_base: i64,
    top: u64,
    levels: u32,
    sme_mask: u64,
    last: Cell<Option<Mapping>>,
}

impl<'a, P: Physical + ?Sized> Vm<'a, P> {
    /// Finds the top page table.
    ///
    /// # Errors
    /// [`CoreError::NoKey`] where VMCOREINFO lacks `NUMBER(phys_base)` or `SYMBOL(swapper_pg_dir)`.
    pub fn new(memory: &'a P) -> Result<Self, CoreError> {
        let info = memory.info();
        let purpose = "translating addresses";
        let phys_base = info
            .number("phys_base")
            .ok_or_else(|| CoreError::NoKey { key: "NUMBER(phys_base)".to_owned(), purpose })?;
        let top =
            info.symbol("init_top_pgt").map_or_else(|| info.need_symbol("swapper_pg_dir", purpose), Ok)?;
        let image_size = info.number("KERNEL_IMAGE_SIZE").map_or(1 << 30, i64::cast_unsigned).min(1 << 30);
        let mut vm = Self {
            memory,
            image_size,
            phys_base,
            top: 0,
            levels: if info.number("pgtable_l5_enabled") == Some(1) { 5 } else { 4 },
            sme_mask: info.number("sme_mask").map_or(0, i64::cast_unsigned),
            last: Cell::new(None),
        };
        vm.top = vm.image(top).ok_or(CoreError::Unmapped(top))?;
        Ok(vm)
    }

    /// The memory below.
    #[must_use]
    pub fn memory(&self) -> &'a P {
        self.memory
    }

    /// An address inside the kernel's image, without page tables.
    fn image(&self, address: u64) -> Option<u64> {
        let offset = address.checked_sub(IMAGE_START).filter(|o| *o < self.image_size)?;
        offset.checked_add_signed(self.phys_base)
    }

    /// The physical address of a virtual one.
    ///
    /// # Errors
    /// [`CoreError::Unmapped`] where there is none or a page table is missing, [`CoreError::Read`] from the file.
    pub fn physical(&self, address: u64) -> Result<u64, CoreError> {
        if let Some(physical) = self.image(address) {
            return Ok(physical);
        }
        if let Some(m) = self.last.get().filter(|m| address & !(m.size - 1) == m.start) {
            return Ok(m.physical | (address & (m.size - 1)));
        }
        let m = self.walk(address)?;
        self.last.set(Some(m));
        Ok(m.physical | (address & (m.size - 1)))
    }

    /// The physical address of a virtual one, and how many bytes from there on lie one behind the other.
    fn run(&self, address: u64) -> Result<(u64, u64), CoreError> {
        let physical = self.physical(address)?;
        let mapping = self.last.get().filter(|m| address & !(m.size - 1) == m.start);
        Ok((physical, mapping.map_or(PAGE - address % PAGE, |m| m.size - (address & (m.size - 1)))))
    }

    fn walk(&self, address: u64) -> Result<Mapping, CoreError> {
        let mut table = self.top;
        for level in (0..self.levels).rev() {
            let shift = 12 + 9 * level;
            let mut entry = [0; 8];
            if !self.memory.read(table + (address >> shift & 511) * 8, &mut entry)? {
                return Err(CoreError::Unmapped(address));
            }
            let entry = u64::from_le_bytes(entry) & !self.sme_mask;
            if entry & PRESENT == 0 {
                return Err(CoreError::Unmapped(address));
            }
            if level == 0 || (level <= 2 && entry & LARGE != 0) {
                let size = 1 << shift;
                return Ok(Mapping {
                    start: address & !(size - 1),
                    size,
                    physical: entry & ADDRESS & !(size - 1),
                });
            }
            table = entry & ADDRESS;
        }
        Err(CoreError::Unmapped(address))
    }

    /// Fills `buffer` with the memory at a virtual address.
    ///
    /// # Errors
    /// [`CoreError::Unmapped`] where a byte of it is not mapped or not in the file, [`CoreError::Read`] from the file.
    pub fn read(&self, address: u64, buffer: &mut [u8]) -> Result<(), CoreError> {
        let (mut at, mut rest) = (address, buffer);
        while !rest.is_empty() {
            let (physical, run) = self.run(at)?;
            let len = run.min(rest.len() as u64);
            let (part, after) = rest.split_at_mut(len as usize);
            if !self.memory.read(physical, part)? {
                return Err(CoreError::Unmapped(at));
            }
            (at, rest) = (at.wrapping_add(len), after);
        }
        Ok(())
    }

    /// A 64-bit number at a virtual address.
    ///
    /// # Errors
    /// As [`Vm::read`].
    pub fn word(&self, address: u64) -> Result<u64, CoreError> {
        let mut word = [0; 8];
        self.read(address, &mut word)?;
        Ok(number(&word))
    }

    /// The frames of all page tables that the kernel's half of the address space uses, at most `limit`, in
    /// the order of a walk by level. A table that is reached twice counts once, so loops end.
    ///
    /// # Errors
    /// [`CoreError::Read`] from the file; tables that are not in the file are passed over.
    pub fn tables(&self, limit: usize) -> Result<Vec<u64>, CoreError> {
        let mut seen = std::collections::BTreeSet::from([self.top / PAGE]);
        let mut found = vec![self.top / PAGE];
        let mut layer = found.clone();
        for level in (1..self.levels).rev() {
            let mut next = Vec::new();
            for (i, frame) in layer.iter().enumerate() {
                let mut table = [0; PAGE as usize];
                if !self.memory.read(frame * PAGE, &mut table)? {
                    continue;
                }
                // The lower half of the top table is the process that was running.
                let first = if i == 0 && level + 1 == self.levels { 256 } else { 0 };
                for slot in first..512 {
                    let entry = u64_at(&table, slot * 8).unwrap_or(0) & !self.sme_mask;
                    let leaf = level <= 2 && entry & LARGE != 0;
                    let below = (entry & ADDRESS) / PAGE;
                    if entry & PRESENT == 0 || leaf || seen.contains(&below) {
                        continue;
                    }
                    if found.len() == limit {
                        return Ok(found);
                    }
                    seen.insert(below);
                    found.push(below);
                    next.push(below);
                }
            }
            layer = next;
        }
        Ok(found)
    }
}
