//! A dump as the ELF core that it was made of, for whoever wants one: written to a file it is an ELF dump, opened as
//! [`Core`](crate::Core) it can be filtered and packed anew.
use crate::bitmap::WINDOW;
use crate::core::PAGE;
use crate::source::fill;
use crate::{CoreError, KdumpFile, ReadAt};
use std::io;

/// More program headers than this make e_phnum overflow, which old readers do not know.
const MAX_RUNS: usize = 60_000;
const EHDR: u64 = 64;
const PHDR: u64 = 56;

/// First frame, frame after the last, offset in the file.
type Run = (u64, u64, u64);

/// An ELF core that is not there: headers, notes and the pages that the dump has. Pages that were left out between pages
/// that are there read as zeros where the gap is small; all others are in no segment.
#[derive(Debug)]
pub struct ElfView<S> {
    dump: KdumpFile<S>,
    head: Vec<u8>,
    /// In order.
    runs: Vec<Run>,
    size: u64,
}

impl<S: ReadAt> ElfView<S> {
    /// Lays the file out.
    ///
    /// # Errors
    /// [`CoreError`] where bitmap or notes cannot be read.
    pub fn new(dump: KdumpFile<S>) -> Result<Self, CoreError> {
        let mut gap = 0;
        let mut runs = loop {
            match runs(&dump, gap)? {
                Some(runs) => break runs,
                None => gap = gap * 2 + 1,
            }
        };
        let notes = dump.notes()?;
        let count = runs.len() as u64 + 1;
        let notes_at = EHDR + count * PHDR;
        let mut at = (notes_at + notes.len() as u64).next_multiple_of(PAGE);
        let mut head = Vec::with_capacity(at as usize);
        let mut put = |bytes: &[u8]| head.extend_from_slice(bytes);
        // 64 bits, little-endian, a core of x86_64.
        put(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x04\0\x3e\0\x01\0\0\0");
        [0, EHDR, 0].iter().for_each(|word: &u64| put(&word.to_le_bytes()));
        put(&0_u32.to_le_bytes());
        for half in [EHDR, PHDR, count, 0, 0, 0] {
            put(&(half as u16).to_le_bytes());
        }
        let mut header = |kind: u32, flags: u32, words: [u64; 6]| {
            put(&kind.to_le_bytes());
            put(&flags.to_le_bytes());
            words.iter().for_each(|word| put(&word.to_le_bytes()));
        };
        let len = notes.len() as u64;
        header(4, 0, [notes_at, 0, 0, len, len, 4]);
        for (first, end, offset) in &mut runs {
            let len = (*end - *first) * PAGE;
            *offset = at;
            header(1, 7, [at, 0, *first * PAGE, len, len, PAGE]);
            at += len;
        }
        head.extend_from_slice(&notes);
        let start = runs.first().map_or(at, |(_, _, offset)| *offset);
        head.resize(start as usize, 0);
        Ok(Self { dump, head, runs, size: at })
    }

    /// The dump.
    #[must_use]
    pub fn dump(&self) -> &KdumpFile<S> {
        &self.dump
    }
}

/// Runs of frames that the dump has, where gaps up to `gap` frames are none; nothing where they are too many.
fn runs<S: ReadAt>(dump: &KdumpFile<S>, gap: u64) -> Result<Option<Vec<Run>>, CoreError> {
    let mut runs: Vec<Run> = Vec::new();
    for n in 0..dump.end_pfn().div_ceil(WINDOW) {
        for i in dump.dumped(n)?.iter() {
            let pfn = n * WINDOW + i;
            let full = runs.len() == MAX_RUNS;
            match runs.last_mut() {
                Some((_, end, _)) if pfn - *end <= gap => *end = pfn + 1,
                _ if full => return Ok(None),
                _ => runs.push((pfn, pfn + 1, 0)),
            }
        }
    }
    Ok(Some(runs))
}

impl<S: ReadAt> ReadAt for ElfView<S> {
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        if at < self.head.len() as u64 {
            return self.head.read_at(buffer, at);
        }
        let next = self.runs.partition_point(|(_, _, offset)| *offset <= at);
        let Some((first, end, offset)) = next.checked_sub(1).and_then(|i| self.runs.get(i)) else {
            return Ok(0);
        };
        let within = at - offset;
        let pfn = first + within / PAGE;
        if pfn >= *end {
            return Ok(0);
        }
        let mut page = [0; PAGE as usize];
        self.dump.page(pfn, &mut page).map_err(|e| io::Error::other(e.to_string()))?;
        let part = page.get((within % PAGE) as usize..).unwrap_or_default();
        let n = part.len().min(buffer.len());
        buffer.iter_mut().zip(part).for_each(|(to, from)| *to = *from);
        Ok(n)
    }

    fn size(&self) -> u64 {
        self.size
    }
}

/// Writes all of a source, a MiB at a time.
///
/// # Errors
/// What either side says.
pub fn copy(from: &impl ReadAt, out: &mut dyn io::Write) -> io::Result<u64> {
    let mut buffer = vec![0; 1 << 20];
    let mut at = 0;
    loop {
        let n = fill(from, &mut buffer, at)?;
        out.write_all(buffer.get(..n).unwrap_or_default())?;
        at += n as u64;
        if n < buffer.len() {
            return Ok(at);
        }
    }
}
