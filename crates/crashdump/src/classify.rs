//! Which page frames a dump of some level has.
use crate::bitmap::{Bitmap, WINDOW};
use crate::rules::{Kind, Rules};
use crate::{Core, CoreError, Level, MemMap, ReadAt, Vm};
use std::collections::BTreeMap;

/// `struct page`s read at a time. The next one of a compound page's head is looked at within such a block
/// only, as makedumpfile does.
const BLOCK: u64 = 512;

/// The two bitmaps of a window of page frames.
#[derive(Clone, Debug)]
pub struct Window {
    /// The first page frame; a multiple of [`WINDOW`].
    pub first: u64,
    /// Frames that are in the file.
    pub present: Bitmap,
    /// Frames that the dump has. Zero pages are among them: only their contents tell.
    pub dumped: Bitmap,
    /// How many frames were left out, by reason.
    pub excluded: BTreeMap<Kind, u64>,
    /// Frames whose `struct page` is not in the file; they are kept.
    pub unjudged: u64,
}

/// Sorts the pages of a core, window by window, in bounded memory.
#[derive(Debug)]
pub struct Classifier<'a, S> {
    core: &'a Core<S>,
    level: Level,
    map: Option<(Vm<'a, Core<S>>, MemMap, Rules)>,
    unknown: Vec<String>,
}

impl<'a, S: ReadAt> Classifier<'a, S> {
    /// Finds the memory map. Where that fails, nothing is left out but zero pages, and
    /// [`Classifier::unknown`] says why: a dump that is too large is of more use than none.
    #[must_use]
    pub fn new(core: &'a Core<S>, level: Level) -> Self {
        let mut this = Self { core, level, map: None, unknown: Vec::new() };
        let (rules, unknown) = Rules::new(crate::Physical::info(core));
        if level.get() > 1 {
            this.unknown = unknown;
        }
        // At the lowest levels too: damaged pages must not be touched at any.
        match this.locate() {
            Ok((vm, map)) => this.map = rules.map(|rules| (vm, map, rules)),
            Err(e) => this.unknown.push(format!("no memory map, all pages are kept: {e}")),
        }
        this
    }

    fn locate(&self) -> Result<(Vm<'a, Core<S>>, MemMap), CoreError> {
        let vm = Vm::new(self.core)?;
        // The kernel itself surely lies in memory that has a map.
        let probe =
            vm.physical(crate::Physical::info(self.core).need_symbol("_stext", "a page in memory")?)?;
        let map = MemMap::locate(&vm, probe / crate::PAGE)?;
        Ok((vm, map))
    }

    /// What is not known of this kernel, and what is therefore kept.
    #[must_use]
    pub fn unknown(&self) -> &[String] {
        &self.unknown
    }

    /// First frames of the windows that have any memory, in order.
    pub fn windows(&self) -> impl Iterator<Item = u64> {
        let mut next = 0;
        self.core.extents().iter().flat_map(move |e| {
            let first = (e.physical / crate::PAGE / WINDOW).max(next);
            let end = (e.physical + e.len).div_ceil(crate::PAGE).div_ceil(WINDOW);
            next = next.max(end);
            (first..end).map(|n| n * WINDOW)
        })
    }

    /// Sorts the frames of the window that begins at `first`.
    ///
    /// # Errors
    /// [`CoreError::Read`] from the file. A memory map that is missing or makes no sense is no error.
    pub fn window(&self, first: u64) -> Result<Window, CoreError> {
        let mut present = Bitmap::new();
        for (from, to) in self.core.runs(first, first.saturating_add(WINDOW)) {
            present.set(from - first, to - first);
        }
        let mut window =
            Window { first, dumped: present.clone(), present, excluded: BTreeMap::new(), unjudged: 0 };
        let Some((vm, map, rules)) = &self.map else {
            for (from, to) in self.core.runs(first, first.saturating_add(WINDOW)) {
                self.unknown_to_kernel(from, to, &mut window);
            }
            return Ok(window);
        };
        let size = map.page_struct();
        let mut structs = vec![0; size * BLOCK as usize];
        let step = BLOCK.min(map.section_pages());
        for (from, to) in self.core.runs(first, first.saturating_add(WINDOW)) {
            let mut pfn = from;
            while pfn < to {
                let section = pfn / map.section_pages() * map.section_pages();
                let end = to.min(section + map.section_pages());
                let base = match map.section(vm, pfn) {
                    Ok(base) => base,
                    Err(CoreError::Read { at, source }) => return Err(CoreError::Read { at, source }),
                    Err(_) => {
                        self.unknown_to_kernel(pfn, end, &mut window);
                        pfn = end;
                        continue;
                    }
                };
                while pfn < end {
                    let block = pfn / step * step;
                    let stop = end.min(block + step);
                    let at = base.wrapping_add((block - section) * size as u64);
                    match vm.read(at, &mut structs) {
                        Ok(()) => window.judge(pfn, stop, block, step, rules, &structs, self.level),
                        Err(CoreError::Read { at, source }) => return Err(CoreError::Read { at, source }),
                        Err(_) => window.unjudged += stop - pfn,
                    }
                    pfn = stop;
                }
            }
        }
        Ok(window)
    }

    /// Frames for which the kernel has no `struct page`: kept, unless the file has no bytes for them either. A sparse
    /// copy of a core can claim a thousand times what it holds.
    fn unknown_to_kernel(&self, from: u64, to: u64, window: &mut Window) {
        window.unjudged += to - from;
        if !self.level.zero() {
            return;
        }
        for (start, end) in self.core.holes(from, to) {
            window.dumped.clear(start - window.first, end - window.first);
            window.unjudged -= end - start;
            *window.excluded.entry(Kind::Hole).or_insert(0) += end - start;
        }
    }
}

impl Window {
    #[expect(clippy::too_many_arguments, reason = "the inner loop, with its buffers lent to it")]
    fn judge(
        &mut self,
        from: u64,
        to: u64,
        block: u64,
        step: u64,
        rules: &Rules,
        structs: &[u8],
        level: Level,
    ) {
        let size = structs.len() / BLOCK as usize;
        let page = |pfn: u64| {
            let at = (pfn - block) as usize * size;
            structs.get(at..at + size).filter(|_| pfn < block + step)
        };
        for pfn in from..to {
            let Some(this) = page(pfn) else { break };
            let Some(found) = rules.judge(pfn, this, page(pfn + 1), level) else { continue };
            let at = pfn - self.first;
            let before = self.dumped.count_in(at, found.frames);
            self.dumped.clear(at, at.saturating_add(found.frames));
            *self.excluded.entry(found.kind).or_insert(0) += before;
        }
    }
}
