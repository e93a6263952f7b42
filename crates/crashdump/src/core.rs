//! An ELF core: physical memory by address, and what the notes say.
use crate::elf::{Elf, Segment};
use crate::source::fill;
use crate::vmcoreinfo::notes;
use crate::{CoreError, ReadAt, Vmcoreinfo};

/// Bytes of a page; other page sizes do not exist on x86_64.
pub const PAGE: u64 = 4096;

/// Physical memory of a crashed machine, whatever file it comes from.
pub trait Physical: Sync {
    /// Fills `buffer` with the memory at `address`. What the file does not have is zero; the answer says
    /// whether it had everything.
    ///
    /// # Errors
    /// [`CoreError`] where the file cannot be read.
    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<bool, CoreError>;

    /// What the kernel said about its layout; empty where it is unknown.
    fn info(&self) -> &Vmcoreinfo;
}

/// An open ELF core: `/proc/vmcore`, a copy of it, or a dump by QEMU.
#[derive(Debug)]
pub struct Core<S> {
    source: S,
    /// Disjoint and in order of their addresses.
    extents: Vec<Segment>,
    image: Option<Segment>,
    notes: Vec<u8>,
    info: Vmcoreinfo,
    missing: u64,
}

impl<S: ReadAt> Core<S> {
    /// Reads the headers and notes.
    ///
    /// Segments may overlap (the kernel's image is in `/proc/vmcore` twice): each physical address counts once.
    ///
    /// # Errors
    /// [`CoreError`] where it is not an x86_64 ELF core, or its headers are beyond every limit.
    pub fn open(source: S) -> Result<Self, CoreError> {
        let elf = Elf::read(&source)?;
        let info = notes(&elf.notes)
            .filter(|note| note.owner == b"VMCOREINFO")
            .last()
            .and_then(|note| elf.notes.get(note.contents))
            .map(Vmcoreinfo::parse)
            .unwrap_or_default();
        let image = elf.segments.iter().find(|s| s.virt >= crate::vm::IMAGE_START).copied();
        let mut sorted = elf.segments;
        sorted.sort_by_key(|s| (s.physical, u64::MAX - s.len));
        let mut extents: Vec<Segment> = Vec::with_capacity(sorted.len());
        let mut end = 0;
        for s in sorted {
            let (start, stop) = (s.physical.max(end), s.physical + s.len);
            if start < stop {
                let skipped = start - s.physical;
                let virt = s.virt.wrapping_add(skipped);
                extents.push(Segment {
                    physical: start,
                    virt,
                    offset: s.offset + skipped,
                    len: stop - start,
                });
                end = stop;
            }
        }
        Ok(Self { source, extents, image, notes: elf.notes, info, missing: elf.missing })
    }

    /// The ranges of physical memory in the file: disjoint, in order, not always whole pages.
    #[must_use]
    pub fn extents(&self) -> &[Segment] {
        &self.extents
    }

    /// The segment that maps the kernel's image, where the headers have it.
    #[must_use]
    pub fn image(&self) -> Option<Segment> {
        self.image
    }

    /// One past the last page frame that has a byte in the file.
    #[must_use]
    pub fn end_pfn(&self) -> u64 {
        self.extents.last().map_or(0, |e| (e.physical + e.len).div_ceil(PAGE))
    }

    /// Bytes that the headers promise and the file does not have: not 0 where it was cut.
    #[must_use]
    pub fn missing(&self) -> u64 {
        self.missing
    }

    /// All ELF notes as the file has them.
    #[must_use]
    pub fn notes(&self) -> &[u8] {
        &self.notes
    }

    /// CPUs that left their registers in a note.
    #[must_use]
    pub fn cpus(&self) -> usize {
        notes(&self.notes).filter(|n| n.owner == b"CORE" && n.kind == 1).count()
    }

    /// The page frames from `from` to before `to` for which the file has a hole, as runs `(first, after last)`; some
    /// may be missing, none is wrong.
    pub(crate) fn holes(&self, from: u64, to: u64) -> Vec<(u64, u64)> {
        let first = self.extents.partition_point(|e| (e.physical + e.len).div_ceil(PAGE) <= from);
        let mut found = Vec::new();
        for e in self.extents.get(first..).unwrap_or_default() {
            let (start, end) = (e.physical.max(from * PAGE), (e.physical + e.len).min(to * PAGE));
            if start >= end {
                break;
            }
            let mut at = start;
            while at < end {
                let offset = e.offset + (at - e.physical);
                let data = self.source.next_data(offset).map_or(end, |d| (at + (d - offset)).min(end));
                let (first, last) = (at.div_ceil(PAGE), data / PAGE);
                if first < last {
                    found.push((first, last));
                }
                // Data is passed over in steps: where it ends is not asked for page by page.
                at = if data > at { data } else { at + (1 << 20) };
            }
        }
        found
    }

    /// The page frames from `from` to before `to` that have a byte in the file, as runs `(first, after last)`.
    pub fn runs(&self, from: u64, to: u64) -> impl Iterator<Item = (u64, u64)> {
        let first = self.extents.partition_point(|e| (e.physical + e.len).div_ceil(PAGE) <= from);
        let mut done = from;
        self.extents
            .get(first..)
            .unwrap_or_default()
            .iter()
            .map_while(move |e| {
                // Two extents can share a page; it counts with the first.
                let start = (e.physical / PAGE).max(done);
                let end = (e.physical + e.len).div_ceil(PAGE).min(to);
                done = done.max(end);
                (e.physical / PAGE < to).then_some((start, end))
            })
            .filter(|(start, end)| start < end)
    }
}

impl<S: ReadAt> Physical for Core<S> {
    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<bool, CoreError> {
        let end = address.saturating_add(buffer.len() as u64);
        let mut at = address;
        let mut rest = buffer;
        let mut whole = true;
        let first = self.extents.partition_point(|e| e.physical + e.len <= address);
        for e in self.extents.get(first..).unwrap_or_default() {
            if e.physical >= end {
                break;
            }
            if e.physical > at {
                let (gap, after) = rest.split_at_mut(((e.physical - at) as usize).min(rest.len()));
                gap.fill(0);
                (rest, at, whole) = (after, e.physical, false);
            }
            let len = (e.physical + e.len).min(end) - at;
            let (part, after) = rest.split_at_mut((len as usize).min(rest.len()));
            let offset = e.offset + (at - e.physical);
            let found =
                fill(&self.source, part, offset).map_err(|source| CoreError::Read { at: offset, source })?;
            if let Some(lost) = part.get_mut(found..).filter(|lost| !lost.is_empty()) {
                lost.fill(0);
                whole = false;
            }
            (rest, at) = (after, at + len);
        }
        rest.fill(0);
        Ok(whole && rest.is_empty())
    }

    fn info(&self) -> &Vmcoreinfo {
        &self.info
    }
}
