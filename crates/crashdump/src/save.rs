//! Writes a dump.
use crate::bitmap::{Bitmap, WINDOW};
use crate::codec::Codec;
use crate::core::PAGE;
use crate::format::{DESCRIPTOR, INCOMPLETE, Layout, headers};
use crate::pack::{JOB, Packed, Place, run};
use crate::rules::Kind;
use crate::source::io_error;
use crate::{Classifier, Core, CoreError, Level, ReadAt, priority};
use esos_hostfs::Stream;
use std::collections::BTreeMap;
use std::io;

/// The seam to the new file: positioned writes.
pub trait WriteAt {
    /// Writes all of `bytes` at `at`; places that were never written read as zeros.
    ///
    /// # Errors
    /// What the medium says.
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()>;
}

impl WriteAt for Stream {
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.write_all_at(bytes, at).map_err(io_error)
    }
}

/// How a dump is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SaveOptions {
    /// Which pages.
    pub level: Level,
    /// How they are packed.
    pub codec: Codec,
    /// Threads that read and pack, 1 to 64. The file does not depend on it.
    pub workers: usize,
    /// The greatest size of the file in bytes.
    pub max_size: Option<u64>,
}

/// How far a dump is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Page frames that are done.
    pub pages: u64,
    /// Page frames that the dump will have.
    pub total: u64,
    /// Bytes that were written.
    pub bytes: u64,
}

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Saved {
    /// Length of the file in bytes.
    pub size: u64,
    /// Page frames in the core.
    pub present: u64,
    /// Page frames in the file.
    pub pages: u64,
    /// Of those, pages of zeros that share one.
    pub zero: u64,
    /// Of those, pages that the core's file refused to give; they read as zeros.
    pub unreadable: u64,
    /// Page frames that were left out, by reason.
    pub excluded: BTreeMap<Kind, u64>,
    /// Page frames that the level has, but for which there was no room.
    pub dropped: u64,
    /// Bytes that the core's headers promise and its file does not have: it was cut.
    pub missing_bytes: u64,
    /// Bytes at the file's start that hold the headers and all that a reader needs first.
    pub priority: u64,
    /// What is not known of this kernel, and what was therefore kept.
    pub unknown: Vec<String>,
}

/// Why a dump could not be written. A file that became too large is none: it is valid with fewer pages.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SaveError {
    /// The core cannot be read.
    #[error("cannot read the core")]
    Core(#[from] CoreError),
    /// The file cannot be written.
    #[error("cannot write the dump")]
    Write(#[from] io::Error),
    /// Not even the headers fit.
    #[error("{limit} bytes are too few for a dump of this core: its headers and bitmaps alone have {needed}")]
    TooSmall {
        /// Bytes allowed.
        limit: u64,
        /// Bytes needed.
        needed: u64,
    },
}

/// Writes the dump of a core in the kdump-compressed format, which makedumpfile, crash and drgn read.
///
/// What a reader needs first is written first. Where `max_size` or the space ends, the file lacks the rest of the pages
/// and says so in its header. Memory is bounded whatever the size of the core: windows of bitmaps, two jobs per
/// worker, and 56 bytes for each page that is written first. `tell` hears of every job that was written.
///
/// # Errors
/// [`SaveError`]; the file is of no use then.
pub fn save<S: ReadAt>(
    core: &Core<S>,
    options: &SaveOptions,
    out: &impl WriteAt,
    tell: &mut dyn FnMut(Progress),
) -> Result<Saved, SaveError> {
    let classes = Classifier::new(core, options.level);
    let layout = Layout::new(core.notes().len() as u64, core.end_pfn());
    let mut dump = Dump {
        options: *options,
        out,
        tell,
        done: 0,
        layout,
        saved: Saved {
            unknown: classes.unknown().to_vec(),
            missing_bytes: core.missing(),
            ..Saved::default()
        },
        zero_page: 0,
        end: 0,
        kept: Vec::new(),
        pending: Pending::default(),
        known: BTreeMap::new(),
    };
    let status = options.codec.flag();
    // Until all is written the header says that it is not.
    let mut head = headers(core, layout, options.level, status | INCOMPLETE);
    let limit = options.max_size.unwrap_or(u64::MAX);
    let needed = layout.descriptors() + PAGE;
    if limit < needed {
        return Err(SaveError::TooSmall { limit, needed });
    }
    out.write_at(&head, 0)?;
    let mut first = priority::first(core);
    let slots = dump.bitmaps(&classes, &first)?;
    let data = layout.descriptors() + dump.saved.pages * DESCRIPTOR;
    if limit < data + PAGE {
        return Err(SaveError::TooSmall { limit, needed: data + PAGE });
    }
    // The descriptors' room is taken now: it must be there when the file system is full.
    dump.zero_page = data;
    let zeros = [0; PAGE as usize];
    let mut at = layout.descriptors();
    dump.end = if options.level.zero() { data + PAGE } else { data };
    while at < dump.end {
        let n = (dump.end - at).min(PAGE);
        out.write_at(zeros.get(..n as usize).unwrap_or_default(), at)?;
        at += n;
    }
    let places: Vec<Place> =
        first.iter().zip(slots).filter_map(|(pfn, slot)| Some(Place { pfn: *pfn, slot: slot? })).collect();
    let mut whole = true;
    let jobs = places.chunks(JOB).map(|job| Ok(job.to_vec()));
    let (codec, workers) = (options.codec, options.workers);
    run(core, codec, options.level.zero(), workers, jobs, |pages, bytes| {
        whole = dump.take(pages, bytes, true)?.is_none();
        Ok::<_, SaveError>(whole)
    })?;
    dump.saved.priority = dump.end;
    let mut stop = (!whole).then_some(0);
    if whole {
        first.sort_unstable();
        let known = std::mem::take(&mut dump.known);
        let bulk = Bulk::new(&classes, &first, known);
        run(core, codec, options.level.zero(), workers, bulk, |pages, bytes| {
            stop = dump.take(pages, bytes, false)?;
            Ok::<_, SaveError>(stop.is_none())
        })?;
    }
    dump.flush()?;
    if let Some(stop) = stop {
        dump.shrink(&classes, stop)?;
    } else if core.missing() == 0 {
        head = headers(core, layout, options.level, status);
        out.write_at(&head, 0)?;
    }
    dump.saved.size = dump.end;
    Ok(dump.saved)
}

/// Descriptors that follow each other, not yet written.
#[derive(Default)]
struct Pending {
    slot: u64,
    bytes: Vec<u8>,
}

struct Dump<'a, O> {
    options: SaveOptions,
    out: &'a O,
    tell: &'a mut dyn FnMut(Progress),
    /// Page frames written, zeros too.
    done: u64,
    layout: Layout,
    saved: Saved,
    zero_page: u64,
    /// Where the next page's bytes go.
    end: u64,
    /// The pages that were written first, with their descriptors.
    kept: Vec<(u64, [u8; DESCRIPTOR as usize])>,
    pending: Pending,
    /// Windows that were sorted for the bitmaps, so that few are sorted twice.
    known: BTreeMap<u64, Bitmap>,
}

/// Windows that are kept in memory: of 64 GiB, 2 MiB.
const KNOWN: usize = 64;

impl<O: WriteAt> Dump<'_, O> {
    /// Writes both bitmaps and counts; the answer is the descriptor's number of each of `first` that is dumped.
    fn bitmaps<S: ReadAt>(
        &mut self,
        classes: &Classifier<'_, S>,
        first: &[u64],
    ) -> Result<Vec<Option<u64>>, SaveError> {
        let mut slots = vec![None; first.len()];
        let mut sorted: Vec<(u64, usize)> = first.iter().copied().zip(0..).collect();
        sorted.sort_unstable();
        for start in classes.windows() {
            let window = classes.window(start)?;
            self.write_bitmap(self.layout.present(), start, &window.present)?;
            self.write_bitmap(self.layout.dumped(), start, &window.dumped)?;
            let from = sorted.partition_point(|(pfn, _)| *pfn < start);
            // Those before `at`, counted on from one to the next.
            let (mut at, mut before) = (0, self.saved.pages);
            for (pfn, i) in sorted.get(from..).unwrap_or_default() {
                if *pfn >= start + WINDOW {
                    break;
                }
                before += window.dumped.count_in(at, pfn - start - at);
                at = pfn - start;
                if let Some(slot) = slots.get_mut(*i).filter(|_| window.dumped.get(at)) {
                    *slot = Some(before);
                }
            }
            self.saved.present += window.present.count();
            self.saved.pages += window.dumped.count();
            for (kind, n) in window.excluded {
                *self.saved.excluded.entry(kind).or_insert(0) += n;
            }
            if self.known.len() < KNOWN {
                self.known.insert(start, window.dumped);
            }
        }
        Ok(slots)
    }

    fn write_bitmap(&self, base: u64, start: u64, bitmap: &Bitmap) -> io::Result<()> {
        let at = start / 8;
        let mut bytes = bitmap.to_bytes();
        bytes.truncate(self.layout.bitmap.saturating_sub(at) as usize);
        self.out.write_at(&bytes, base + at)
    }

    /// Writes packed pages. Where there is no room, the answer is the first frame that is not written.
    fn take(&mut self, pages: &[Packed], bytes: &[u8], first: bool) -> Result<Option<u64>, SaveError> {
        let limit = self.options.max_size.unwrap_or(u64::MAX);
        let mut fits = pages.len();
        let mut total = 0;
        for (i, page) in pages.iter().enumerate() {
            if self.end + total + u64::from(page.len) > limit {
                fits = i;
                break;
            }
            total += u64::from(page.len);
        }
        let room = bytes.get(..total as usize).unwrap_or(bytes);
        if let Err(e) = self.out.write_at(room, self.end) {
            if !matches!(e.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
                return Err(e.into());
            }
            (fits, total) = (0, 0);
        }
        let mut at = self.end;
        for page in pages.iter().take(fits) {
            let (offset, len) = if page.zero { (self.zero_page, PAGE as u32) } else { (at, page.len) };
            at += u64::from(page.len);
            let mut descriptor = [0; DESCRIPTOR as usize];
            let parts =
                offset.to_le_bytes().into_iter().chain(len.to_le_bytes()).chain(page.flags.to_le_bytes());
            descriptor.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
            self.saved.zero += u64::from(page.zero);
            self.saved.unreadable += u64::from(page.unreadable);
            if first {
                self.kept.push((page.place.pfn, descriptor));
            }
            self.describe(page.place.slot, &descriptor)?;
        }
        self.end += total;
        self.done += fits as u64;
        (self.tell)(Progress { pages: self.done, total: self.saved.pages, bytes: self.end });
        Ok(pages.get(fits).map(|page| page.place.pfn))
    }

    fn describe(&mut self, slot: u64, descriptor: &[u8]) -> io::Result<()> {
        let next = self.pending.slot + self.pending.bytes.len() as u64 / DESCRIPTOR;
        if next != slot || self.pending.bytes.len() >= 1 << 16 {
            self.flush()?;
            self.pending.slot = slot;
        }
        self.pending.bytes.extend_from_slice(descriptor);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.pending.bytes.is_empty() {
            let at = self.layout.descriptors() + self.pending.slot * DESCRIPTOR;
            self.out.write_at(&self.pending.bytes, at)?;
            self.pending.bytes.clear();
        }
        Ok(())
    }

    /// Takes the frames from `stop` on out of the bitmap, but for those that were written first, and moves the
    /// descriptors of these together.
    fn shrink<S: ReadAt>(&mut self, classes: &Classifier<'_, S>, stop: u64) -> Result<(), SaveError> {
        self.kept.sort_unstable();
        let (mut before, mut slot) = (0, 0);
        let kept = std::mem::take(&mut self.kept);
        for start in classes.windows() {
            let mut dumped = classes.window(start)?.dumped;
            before += dumped.count();
            if start + WINDOW > stop {
                dumped.clear(stop.saturating_sub(start), WINDOW);
                let free = slot + dumped.count()..;
                let from = kept.partition_point(|(pfn, _)| *pfn < start.max(stop));
                for ((pfn, descriptor), at) in kept.get(from..).unwrap_or_default().iter().zip(free) {
                    if *pfn >= start + WINDOW {
                        break;
                    }
                    dumped.set(pfn - start, pfn - start + 1);
                    self.describe(at, descriptor)?;
                }
                self.write_bitmap(self.layout.dumped(), start, &dumped)?;
            }
            slot += dumped.count();
        }
        self.flush()?;
        self.saved.dropped = before - slot;
        self.saved.pages = slot;
        Ok(())
    }
}

/// Jobs of all dumped frames but those that were written first, in order.
struct Bulk<'a, 'c, S> {
    classes: &'a Classifier<'c, S>,
    windows: Box<dyn Iterator<Item = u64> + 'a>,
    /// In order.
    first: &'a [u64],
    known: BTreeMap<u64, Bitmap>,
    ready: std::vec::IntoIter<Place>,
    slot: u64,
}

impl<'a, 'c, S: ReadAt> Bulk<'a, 'c, S> {
    fn new(classes: &'a Classifier<'c, S>, first: &'a [u64], known: BTreeMap<u64, Bitmap>) -> Self {
        let windows = Box::new(classes.windows());
        Self { classes, windows, first, known, ready: Vec::new().into_iter(), slot: 0 }
    }
}

impl<S: ReadAt> Iterator for Bulk<'_, '_, S> {
    type Item = Result<Vec<Place>, CoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let job: Vec<Place> = self.ready.by_ref().take(JOB).collect();
            if !job.is_empty() {
                return Some(Ok(job));
            }
            let start = self.windows.next()?;
            let dumped = match self
                .known
                .remove(&start)
                .map_or_else(|| self.classes.window(start).map(|window| window.dumped), Ok)
            {
                Ok(dumped) => dumped,
                Err(e) => return Some(Err(e)),
            };
            let places = dumped.iter().zip(self.slot..).map(|(i, slot)| Place { pfn: start + i, slot });
            let bulk: Vec<Place> = places.filter(|p| self.first.binary_search(&p.pfn).is_err()).collect();
            self.slot += dumped.count();
            self.ready = bulk.into_iter();
        }
    }
}
