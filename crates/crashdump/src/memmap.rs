//! Where the `struct page` of a page frame lies: the sparse memory map.
use crate::core::PAGE;
use crate::{CoreError, Physical, Vm};

/// `section_mem_map`: flags of a section in the low bits, the address above them.
const SECTION_FLAGS: u64 = 0x1f;
const SECTION_PRESENT: u64 = 1;
/// Far more than a machine with 4 PiB has.
const MAX_SECTIONS: u64 = 1 << 25;

/// The kernel's sparse memory map (`CONFIG_SPARSEMEM_EXTREME`, as all x86_64 distributions have).
#[derive(Debug)]
pub struct MemMap {
    roots: u64,
    root_count: u64,
    per_root: u64,
    entry: u64,
    word: u64,
    section_pages: u64,
    page_struct: usize,
}

impl MemMap {
    /// Finds it; `probe` is a page frame that surely has a `struct page`.
    ///
    /// # Errors
    /// [`CoreError::NoKey`] and [`CoreError::Odd`] where VMCOREINFO does not describe a sparse memory map.
    pub fn locate<P: Physical + ?Sized>(vm: &Vm<'_, P>, probe: u64) -> Result<Self, CoreError> {
        let purpose = "finding the memory map";
        let info = vm.memory().info();
        let roots = info.need_symbol("mem_section", purpose)?;
        let entry = info.need_size("mem_section", PAGE as usize, purpose)? as u64;
        let bits = info
            .number("SECTION_SIZE_BITS")
            .ok_or_else(|| CoreError::NoKey { key: "NUMBER(SECTION_SIZE_BITS)".to_owned(), purpose })?;
        if !(20..=40).contains(&bits) {
            let (what, expected) = ("NUMBER(SECTION_SIZE_BITS)", "20 to 40");
            return Err(CoreError::Odd { what, found: bits.cast_unsigned(), expected });
        }
        let mut map = Self {
            roots,
            root_count: info.length("mem_section").unwrap_or(MAX_SECTIONS).min(MAX_SECTIONS),
            per_root: PAGE / entry,
            entry,
            word: info.need_offset("mem_section.section_mem_map", purpose)? as u64,
            section_pages: 1 << (bits - 12),
            page_struct: info.need_size("page", 512, purpose)?,
        };
        // The symbol is the array, or (older kernels) a pointer to it.
        if map.section(vm, probe).is_err() {
            map.roots = vm.word(roots)?;
            map.section(vm, probe)?;
        }
        Ok(map)
    }

    /// Size of a `struct page` in bytes, 1 to 512.
    #[must_use]
    pub fn page_struct(&self) -> usize {
        self.page_struct
    }

    /// Page frames of a section: a power of two, 256 at least.
    #[must_use]
    pub fn section_pages(&self) -> u64 {
        self.section_pages
    }

    /// Where the arrays of sections lie that describe memory below `end` (a page frame): address and length of each. A
    /// reader of a dump looks at them before anything else.
    pub(crate) fn arrays<P: Physical + ?Sized>(&self, vm: &Vm<'_, P>, end: u64) -> Vec<(u64, u64)> {
        let roots = end.div_ceil(self.section_pages).div_ceil(self.per_root).min(self.root_count);
        let mut found = vec![(self.roots, self.root_count.min(1 << 16) * 8)];
        let tables = (0..roots).filter_map(|n| vm.word(self.roots.wrapping_add(n * 8)).ok());
        found.extend(tables.filter(|table| *table != 0).map(|table| (table, PAGE)));
        found
    }

    /// The virtual address of the `struct page` of the first page frame of the section that holds `pfn`.
    ///
    /// # Errors
    /// [`CoreError::Unmapped`] where the section has no memory map, or it is not in the file.
    pub fn section<P: Physical + ?Sized>(&self, vm: &Vm<'_, P>, pfn: u64) -> Result<u64, CoreError> {
        let number = pfn / self.section_pages;
        let (root, slot) = (number / self.per_root, number % self.per_root);
        let at = self.roots.wrapping_add(root * 8);
        let table = if root < self.root_count { vm.word(at)? } else { 0 };
        if table == 0 {
            return Err(CoreError::Unmapped(at));
        }
        let at = table.wrapping_add(slot * self.entry + self.word);
        let coded = vm.word(at)?;
        if coded & SECTION_PRESENT == 0 {
            return Err(CoreError::Unmapped(at));
        }
        let first = number * self.section_pages;
        let map = (coded & !SECTION_FLAGS).wrapping_add(first.wrapping_mul(self.page_struct as u64));
        vm.physical(map)?;
        Ok(map)
    }
}
