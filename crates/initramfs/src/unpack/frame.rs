//! One frame: verified, decoded, made.
use super::{Job, Tree, TreeError, TreeWorker, UnpackError};
use crate::ReadAt;
use crate::tar::{TarError, TarReader};
use esos_layout::frames::Frame;
use sha2::{Digest, Sha256};
use std::io::{self, BufRead, BufReader, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use zstd::zstd_safe::DCtx;

/// A frame of no more bytes of tar is decoded in one go; the builder begins a new one at 8 MiB. What is larger, a
/// file of its own, passes through a window.
const WHOLE: usize = 10 << 20;

pub(super) struct Place<'a> {
    pub(super) number: usize,
    pub(super) offset: u64,
    pub(super) frame: &'a Frame,
}

impl Place<'_> {
    fn damaged(&self, damage: impl ToString) -> UnpackError {
        UnpackError::Damaged {
            number: self.number,
            name: self.frame.name.clone(),
            damage: damage.to_string(),
        }
    }

    fn zstd(&self, code: usize) -> UnpackError {
        self.damaged(zstd::zstd_safe::get_error_name(code))
    }
}

impl Job<'_> {
    /// Verifies, decodes and makes one frame.
    pub(super) fn frame(
        &self,
        place: &Place<'_>,
        mut packed: Vec<u8>,
        worker: &mut Worker<'_>,
    ) -> Result<(), UnpackError> {
        if !is_right(place, &packed) {
            self.source.forget(place.offset, place.frame.packed);
            packed = read(self.source, place)?;
            if !is_right(place, &packed) {
                return Err(place.damaged("its SHA-256 is not the one in the index, read twice"));
            }
            self.reread.fetch_add(1, Ordering::Relaxed);
        }
        // From here on the bytes are the builder's; what is wrong now was built wrong.
        let Worker { hand, context, whole } = worker;
        let announced = place.frame.unpacked;
        let (entries, bytes) = match usize::try_from(announced).ok().filter(|size| *size <= WHOLE) {
            Some(size) => {
                // No copy of a window, and the same memory for each frame.
                whole.clear();
                whole.reserve(size);
                let decoded = context.decompress(whole, &packed).map_err(|code| place.zstd(code))?;
                let bytes = u64::try_from(decoded).unwrap_or(u64::MAX);
                self.unpacked.fetch_add(bytes, Ordering::Relaxed);
                (self.tar(place, TarReader::new(whole.as_slice()), &mut **hand)?.0, bytes)
            }
            None => {
                let decoder = zstd::stream::read::Decoder::with_context(packed.as_slice(), context);
                // One byte more than announced, so that too many show.
                let limited = decoder.take(announced.saturating_add(1));
                let counted = Counted { inner: limited, counter: &self.unpacked, own: 0 };
                let tar = TarReader::new(BufReader::with_capacity(256 << 10, counted));
                let (entries, rest) = self.tar(place, tar, &mut **hand)?;
                (entries, rest.into_inner().own)
            }
        };
        if self.stopped() {
            return Ok(());
        }
        if (entries, bytes) != (place.frame.entries, announced) {
            return Err(place.damaged(format_args!(
                "{entries} entries in {bytes} bytes, the index says {} in {announced}",
                place.frame.entries
            )));
        }
        self.entries.fetch_add(entries, Ordering::Relaxed);
        self.packed.fetch_add(place.frame.packed, Ordering::Relaxed);
        Ok(())
    }

    /// Makes all entries; their number, and the reader.
    fn tar<R: BufRead>(
        &self,
        place: &Place<'_>,
        mut tar: TarReader<R>,
        hand: &mut dyn TreeWorker,
    ) -> Result<(u64, R), UnpackError> {
        while let Some(entry) = tar.next_entry().map_err(|e| damage(place, e))? {
            if self.stopped() {
                break;
            }
            hand.make(&entry, &mut tar).map_err(|e| refused(place, e))?;
        }
        Ok((tar.entries(), tar.into_inner()))
    }
}

/// What one thread works with.
pub(super) struct Worker<'a> {
    hand: Box<dyn TreeWorker + 'a>,
    context: DCtx<'static>,
    /// The last frame that was decoded whole.
    whole: Vec<u8>,
}

impl<'a> Worker<'a> {
    pub(super) fn new(tree: &'a dyn Tree) -> Self {
        Self { hand: tree.worker(), context: DCtx::create(), whole: Vec::new() }
    }
}

/// No room is the machine's fault; whatever else cannot be made is an entry that should not be there.
fn refused(place: &Place<'_>, error: TreeError) -> UnpackError {
    match error.source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::OutOfMemory | io::ErrorKind::QuotaExceeded => {
            error.into()
        }
        _ => place.damaged(format_args!("{error}: {}", error.source)),
    }
}

fn damage(place: &Place<'_>, error: TarError) -> UnpackError {
    match error {
        TarError::Read(e) => place.damaged(e),
        other => place.damaged(other),
    }
}

pub(super) fn read(source: &dyn ReadAt, place: &Place<'_>) -> Result<Vec<u8>, UnpackError> {
    // An index that names more than there is must not ask for its memory first.
    let end = place.offset.saturating_add(place.frame.packed);
    let length = usize::try_from(place.frame.packed).ok().filter(|_| end <= source.len());
    let mut packed = vec![0; length.ok_or_else(|| place.damaged("the file ends before it"))?];
    match source.read_at(place.offset, &mut packed) {
        Ok(()) => Ok(packed),
        Err(source) => {
            Err(UnpackError::Read { number: place.number, name: place.frame.name.clone(), source })
        }
    }
}

fn is_right(place: &Place<'_>, packed: &[u8]) -> bool {
    Sha256::digest(packed).as_slice() == place.frame.sha256
}

/// Counts what passes, for itself and for all.
struct Counted<'a, R> {
    inner: R,
    counter: &'a AtomicU64,
    own: u64,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        let more = u64::try_from(read).unwrap_or(u64::MAX);
        self.own = self.own.saturating_add(more);
        self.counter.fetch_add(more, Ordering::Relaxed);
        Ok(read)
    }
}
