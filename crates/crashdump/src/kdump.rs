//! Reads a dump in the kdump-compressed format, ours or makedumpfile's.
use crate::bitmap::{Bitmap, WINDOW};
use crate::bytes::{u32_at, u64_at};
use crate::codec::{Codec, unpack};
use crate::core::{PAGE, Physical};
use crate::format::{DESCRIPTOR, INCOMPLETE, Layout, SIGNATURE};
use crate::source::fill;
use crate::{CoreError, ReadAt, Vmcoreinfo};
use std::sync::{Mutex, PoisonError};

/// 64 TiB of memory, x86_64's limit with 4 levels.
const MAX_FRAMES: u64 = 1 << 34;
const MAX_INFO: u64 = 1 << 20;

/// An open dump file.
#[derive(Debug)]
pub struct KdumpFile<S> {
    source: S,
    layout: Layout,
    status: u32,
    level: u32,
    info: Vmcoreinfo,
    /// Descriptors before each window, and one more at the end.
    before: Vec<u64>,
    cache: Mutex<Cache>,
}

#[derive(Debug, Default)]
struct Cache {
    window: Option<(u64, Bitmap, Bitmap)>,
    page: Option<(u64, Vec<u8>)>,
}

/// What a check of a whole dump found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Page frames in the file.
    pub pages: u64,
    /// Bytes of packed pages that were read and unpacked.
    pub packed: u64,
    /// Page frames that cannot be unpacked.
    pub bad: u64,
    /// The first of them, at most ten, with what is wrong.
    pub problems: Vec<String>,
}

impl<S: ReadAt> KdumpFile<S> {
    /// Whether the file begins as a dump does.
    pub fn probe(source: &S) -> bool {
        let mut head = [0; 8];
        fill(source, &mut head, 0).is_ok() && head == *SIGNATURE
    }

    /// Reads the headers and counts the bitmap.
    ///
    /// # Errors
    /// [`CoreError`] where it is another format or version, or its headers contradict its size.
    pub fn open(source: S) -> Result<Self, CoreError> {
        let mut head = vec![0; 2 * PAGE as usize];
        exact(&source, &mut head, 0)?;
        let not = |found: String, expected| Err(CoreError::NotCore { found, expected });
        if !head.starts_with(SIGNATURE) {
            return not(format!("the bytes {:02x?}", head.get(..8).unwrap_or(&[])), "a KDUMP header");
        }
        let half = |at| u32_at(&head, at).unwrap_or(0);
        let word = |at| u64_at(&head, at).unwrap_or(0);
        let sub = PAGE as usize;
        if half(8) != 6 || u64::from(half(428)) != PAGE {
            return not(format!("version {}, blocks of {} bytes", half(8), half(428)), "version 6 and 4096");
        }
        if half(sub + 12) != 0 {
            return not("one part of a split dump".to_owned(), "a whole dump");
        }
        let max_frame = word(sub + 96);
        let bitmap = u64::from(half(436)) / 2 * PAGE;
        if max_frame > MAX_FRAMES || max_frame.div_ceil(8) > bitmap {
            let (what, limit) = ("page frames", MAX_FRAMES.min(bitmap * 8));
            return Err(CoreError::TooMany { what, found: max_frame, limit });
        }
        let layout = Layout { second_blocks: u64::from(half(432)), bitmap, max_frame };
        if layout.descriptors() > source.size() {
            let (at, found) = (layout.present(), source.size().saturating_sub(layout.present()) as usize);
            return Err(CoreError::Short { at, wanted: 2 * bitmap as usize, found });
        }
        let (info_at, info_len) = (word(sub + 32), word(sub + 40));
        if info_len > MAX_INFO {
            return Err(CoreError::TooMany { what: "bytes of VMCOREINFO", found: info_len, limit: MAX_INFO });
        }
        let mut text = vec![0; info_len as usize];
        exact(&source, &mut text, info_at)?;
        let (status, level) = (half(424), half(sub + 8));
        let info = Vmcoreinfo::parse(&text);
        let cache = Mutex::default();
        let mut this = Self { source, layout, status, level, info, before: vec![0], cache };
        let mut total = 0;
        for n in 0..max_frame.div_ceil(WINDOW) {
            total += this.bitmap(this.layout.dumped(), n)?.count();
            this.before.push(total);
        }
        Ok(this)
    }

    fn bitmap(&self, base: u64, window: u64) -> Result<Bitmap, CoreError> {
        let at = window * WINDOW / 8;
        let mut bytes = vec![0; (self.layout.bitmap.saturating_sub(at)).min(WINDOW / 8) as usize];
        exact(&self.source, &mut bytes, base + at)?;
        let mut map = Bitmap::from_bytes(&bytes);
        map.clear(self.layout.max_frame.saturating_sub(window * WINDOW), WINDOW);
        Ok(map)
    }

    /// The dump level as the header says.
    #[must_use]
    pub fn level(&self) -> u32 {
        self.level
    }

    /// Whether the file says that it lacks pages which its level has.
    #[must_use]
    pub fn is_incomplete(&self) -> bool {
        self.status & INCOMPLETE != 0
    }

    /// The frames of window `n` that the file has.
    pub(crate) fn dumped(&self, n: u64) -> Result<Bitmap, CoreError> {
        self.bitmap(self.layout.dumped(), n)
    }

    /// All ELF notes, as the core had them.
    ///
    /// # Errors
    /// [`CoreError`] where the file does not have what its header says.
    pub fn notes(&self) -> Result<Vec<u8>, CoreError> {
        let mut places = [0; 16];
        exact(&self.source, &mut places, PAGE + 48)?;
        let (at, len) = (u64_at(&places, 0).unwrap_or(0), u64_at(&places, 8).unwrap_or(0));
        if len > MAX_INFO * 16 {
            return Err(CoreError::TooMany { what: "bytes of notes", found: len, limit: MAX_INFO * 16 });
        }
        let mut notes = vec![0; len as usize];
        exact(&self.source, &mut notes, at)?;
        Ok(notes)
    }

    /// The file below.
    pub(crate) fn source(&self) -> &S {
        &self.source
    }

    /// How its pages are packed, as the header says; none where that is no word of ours.
    #[must_use]
    pub fn codec(&self) -> Option<Codec> {
        let all = [Codec::Zstd, Codec::Zlib, Codec::Lzo, Codec::Snappy];
        let found = all.into_iter().find(|c| self.status & c.flag() != 0);
        found.or((self.status & 0x27 == 0).then_some(Codec::None))
    }

    /// Page frames of the machine: those of the first bitmap.
    ///
    /// # Errors
    /// [`CoreError::Read`] from the file.
    pub fn present(&self) -> Result<u64, CoreError> {
        (0..self.layout.max_frame.div_ceil(WINDOW))
            .map(|n| Ok(self.bitmap(self.layout.present(), n)?.count()))
            .sum()
    }

    /// Page frames in the file.
    #[must_use]
    pub fn pages(&self) -> u64 {
        self.before.last().copied().unwrap_or(0)
    }

    /// One past the last page frame of the machine.
    #[must_use]
    pub fn end_pfn(&self) -> u64 {
        self.layout.max_frame
    }

    /// Reads a page; false where the dump does not have it, and `page` is zero then.
    ///
    /// # Errors
    /// [`CoreError::Page`] where it is damaged, [`CoreError::Read`] from the file.
    pub fn page(&self, pfn: u64, page: &mut [u8; PAGE as usize]) -> Result<bool, CoreError> {
        let Some(slot) = self.slot(pfn)? else {
            page.fill(0);
            return Ok(false);
        };
        let mut descriptor = [0; DESCRIPTOR as usize];
        exact(&self.source, &mut descriptor, self.layout.descriptors() + slot * DESCRIPTOR)?;
        self.unpack(pfn, &descriptor, page)?;
        Ok(true)
    }

    fn slot(&self, pfn: u64) -> Result<Option<u64>, CoreError> {
        if pfn >= self.layout.max_frame {
            return Ok(None);
        }
        let (n, i) = (pfn / WINDOW, pfn % WINDOW);
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.window.as_ref().is_none_or(|(have, ..)| *have != n) {
            let dumped = self.bitmap(self.layout.dumped(), n)?;
            cache.window = Some((n, self.bitmap(self.layout.present(), n)?, dumped));
        }
        let before = self.before.get(n as usize).copied().unwrap_or(0);
        let Some((_, _, dumped)) = &cache.window else { return Ok(None) };
        Ok(dumped.get(i).then(|| before + dumped.rank(i)))
    }

    /// Unpacks the page of a descriptor; the answer is the number of its bytes in the file.
    fn unpack(&self, pfn: u64, descriptor: &[u8], page: &mut [u8]) -> Result<u64, CoreError> {
        let bad = |problem| CoreError::Page { pfn, problem };
        let (at, len) = (u64_at(descriptor, 0).unwrap_or(0), u32_at(descriptor, 8).unwrap_or(0));
        if u64::from(len) > PAGE || len == 0 || at < self.layout.descriptors() {
            return Err(bad(format!("its descriptor says {len} bytes at {at:#x}")));
        }
        let mut packed = [0; PAGE as usize];
        let packed = packed.get_mut(..len as usize).unwrap_or_default();
        exact(&self.source, packed, at)?;
        unpack(u32_at(descriptor, 12).unwrap_or(0), packed, page).map_err(bad)?;
        Ok(u64::from(len))
    }

    /// Reads and unpacks every page.
    ///
    /// # Errors
    /// [`CoreError`] where the file's structure cannot be read; damaged pages are counted.
    pub fn check(&self) -> Result<Checked, CoreError> {
        let mut found = Checked::default();
        let mut page = [0; PAGE as usize];
        let mut table = vec![0; DESCRIPTOR as usize * 4096];
        for n in 0..self.layout.max_frame.div_ceil(WINDOW) {
            let dumped = self.bitmap(self.layout.dumped(), n)?;
            for pfn in dumped.iter().map(|i| n * WINDOW + i) {
                let at = (found.pages % 4096) as usize * DESCRIPTOR as usize;
                if at == 0 {
                    let base = self.layout.descriptors() + found.pages * DESCRIPTOR;
                    fill(&self.source, &mut table, base)
                        .map_err(|source| CoreError::Read { at: base, source })?;
                }
                let descriptor = table.get(at..at + DESCRIPTOR as usize).unwrap_or_default();
                found.pages += 1;
                match self.unpack(pfn, descriptor, &mut page) {
                    Ok(len) => found.packed += len,
                    Err(e) => {
                        found.bad += 1;
                        if found.problems.len() < 10 {
                            found.problems.push(e.to_string());
                        }
                    }
                }
            }
        }
        Ok(found)
    }
}

impl<S: ReadAt> Physical for KdumpFile<S> {
    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<bool, CoreError> {
        let (mut at, mut rest, mut whole) = (address, buffer, true);
        while !rest.is_empty() {
            let (pfn, within) = (at / PAGE, (at % PAGE) as usize);
            let n = (PAGE as usize - within).min(rest.len());
            let (part, after) = rest.split_at_mut(n);
            whole &= self.part(pfn, within, part)?;
            (at, rest) = (at.saturating_add(n as u64), after);
        }
        Ok(whole)
    }

    fn info(&self) -> &Vmcoreinfo {
        &self.info
    }
}

impl<S: ReadAt> KdumpFile<S> {
    fn part(&self, pfn: u64, within: usize, part: &mut [u8]) -> Result<bool, CoreError> {
        let copy = |page: &[u8], part: &mut [u8]| {
            part.iter_mut().zip(page.iter().skip(within)).for_each(|(to, from)| *to = *from);
        };
        let cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, page)) = cache.page.as_ref().filter(|(have, _)| *have == pfn) {
            copy(page, part);
            return Ok(true);
        }
        drop(cache);
        let mut page = [0; PAGE as usize];
        let there = self.page(pfn, &mut page)?;
        copy(&page, part);
        if there {
            self.cache.lock().unwrap_or_else(PoisonError::into_inner).page = Some((pfn, page.to_vec()));
        }
        Ok(there)
    }
}

fn exact(source: &impl ReadAt, buffer: &mut [u8], at: u64) -> Result<(), CoreError> {
    let wanted = buffer.len();
    let found = fill(source, buffer, at).map_err(|source| CoreError::Read { at, source })?;
    if found < wanted { Err(CoreError::Short { at, wanted, found }) } else { Ok(()) }
}
