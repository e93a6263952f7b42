//! Unpacking a root image on all processors: read, verify, decode, make.
//!
//! One thread reads frame after frame, as a stick likes it; the workers verify each frame's SHA-256
//! against the index **before** a byte of it is decoded. A frame that is wrong is read once more from
//! the medium, past the caches: a bad cable is not a bad image.
use crate::ReadAt;
use crate::tar::{Entry, TarError, TarReader};
use esos_layout::frames::{Frame, Index};
use sha2::{Digest, Sha256};
use std::io::{self, BufRead, BufReader, Read};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use zstd::zstd_safe::DCtx;

/// A frame of no more bytes of tar is decoded in one go; the builder begins a new one at 8 MiB. What is larger, a
/// file of its own, passes through a window.
const WHOLE: usize = 10 << 20;

/// Where the entries go. Each worker gets a hand of its own.
pub trait Tree: Sync {
    /// A hand for one worker.
    fn worker(&self) -> Box<dyn TreeWorker + '_>;

    /// Called once when all frames are in: sets what later entries would have changed, such as the
    /// times of directories.
    ///
    /// # Errors
    /// The kernel's error and the path.
    fn finish(&self) -> Result<(), TreeError>;
}

/// Makes entries.
pub trait TreeWorker {
    /// Makes one entry; for a file, with the data that comes from the reader. Nothing outside of the
    /// tree is touched, whatever the entry says; what exists is an error, except that a directory may
    /// be named again.
    ///
    /// # Errors
    /// The kernel's error and the path. Errors of `data` come back as [`TreeError`] too.
    fn make(&mut self, entry: &Entry, data: &mut dyn BufRead) -> Result<(), TreeError>;
}

/// An entry that could not be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot make /{path}")]
pub struct TreeError {
    /// Its path.
    pub path: String,
    /// Why.
    #[source]
    pub source: io::Error,
}

/// How to unpack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effort {
    /// Threads that decode; the reading thread comes on top.
    pub workers: usize,
    /// Packed bytes that may be in memory at a time. A frame larger than this is read alone.
    pub packed_in_flight: u64,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Packed bytes done.
    pub packed: u64,
    /// Packed bytes in all.
    pub packed_total: u64,
    /// Bytes of tar done.
    pub unpacked: u64,
}

/// What was unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Unpacked {
    /// Frames.
    pub frames: u64,
    /// Entries.
    pub entries: u64,
    /// Bytes of tar.
    pub bytes: u64,
    /// Frames that were right only when read a second time.
    pub reread: u64,
}

/// Why unpacking stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnpackError {
    /// The image is not what the index says.
    #[error("frame {number} ({name}) of the root image is damaged: {damage}")]
    Damaged {
        /// Its number, from 0.
        number: usize,
        /// Its name in the index.
        name: String,
        /// How it shows.
        damage: String,
    },
    /// The medium does not give it.
    #[error("cannot read frame {number} ({name}) of the root image")]
    Read {
        /// Its number, from 0.
        number: usize,
        /// Its name in the index.
        name: String,
        /// The kernel's error.
        #[source]
        source: io::Error,
    },
    /// The image is in order, but there is no room for an entry.
    #[error(transparent)]
    Tree(#[from] TreeError),
}

/// Unpacks the whole image. `progress` is called about twice a second and at the end.
///
/// # Errors
/// The first [`UnpackError`]; what was made until then stays.
pub fn unpack(
    index: &Index,
    source: &dyn ReadAt,
    tree: &dyn Tree,
    effort: Effort,
    progress: &dyn Fn(Progress),
) -> Result<Unpacked, UnpackError> {
    let job = Job::new(source, tree, index, effort);
    let mut frames =
        index.with_offsets().enumerate().map(|(number, (offset, frame))| Place { number, offset, frame });
    // The directories first, alone: all others need them.
    if let Some(first) = frames.next() {
        let packed = read(source, &first)?;
        job.frame(&first, packed, &mut Worker::new(tree))?;
    }
    let (queue, work) = mpsc::channel::<(Place<'_>, Vec<u8>)>();
    let work = Mutex::new(work);
    std::thread::scope(|scope| {
        let (ended, end) = mpsc::channel::<()>();
        for _ in 0..effort.workers.max(1) {
            let ended = ended.clone();
            let (job, work) = (&job, &work);
            scope.spawn(move || {
                let mut worker = Worker::new(job.tree);
                loop {
                    // A statement of its own: in the head of a loop the lock would be held through its body, and
                    // the workers would work one after the other.
                    let next = locked(work).recv();
                    let Some((place, packed)) = next.ok().filter(|_| !job.stopped()) else { break };
                    let size = place.frame.packed;
                    if let Err(e) = job.frame(&place, packed, &mut worker) {
                        job.fail(e);
                    }
                    job.room.give(size);
                }
                drop(ended);
            });
        }
        let job = &job;
        scope.spawn(move || {
            for place in frames {
                job.room.take(place.frame.packed, &job.stop);
                if job.stopped() {
                    break;
                }
                match read(job.source, &place) {
                    Ok(packed) => {
                        if queue.send((place, packed)).is_err() {
                            break;
                        }
                    }
                    Err(e) => job.fail(e),
                }
            }
            drop(ended);
        });
        while let Err(RecvTimeoutError::Timeout) = end.recv_timeout(Duration::from_millis(500)) {
            progress(job.progress());
        }
    });
    if let Some(error) = locked(&job.error).take() {
        return Err(error);
    }
    tree.finish()?;
    progress(job.progress());
    Ok(Unpacked {
        frames: u64::try_from(index.frames.len()).unwrap_or(u64::MAX),
        entries: job.entries.load(Ordering::Relaxed),
        bytes: job.unpacked.load(Ordering::Relaxed),
        reread: job.reread.load(Ordering::Relaxed),
    })
}

struct Place<'a> {
    number: usize,
    offset: u64,
    frame: &'a Frame,
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

struct Job<'a> {
    source: &'a dyn ReadAt,
    tree: &'a dyn Tree,
    total: u64,
    room: Room,
    stop: AtomicBool,
    error: Mutex<Option<UnpackError>>,
    packed: AtomicU64,
    unpacked: AtomicU64,
    entries: AtomicU64,
    reread: AtomicU64,
}

impl<'a> Job<'a> {
    fn new(source: &'a dyn ReadAt, tree: &'a dyn Tree, index: &Index, effort: Effort) -> Self {
        Self {
            source,
            tree,
            total: index.packed(),
            room: Room { limit: effort.packed_in_flight, used: Mutex::new(0), freed: Condvar::new() },
            stop: AtomicBool::new(false),
            error: Mutex::new(None),
            packed: AtomicU64::new(0),
            unpacked: AtomicU64::new(0),
            entries: AtomicU64::new(0),
            reread: AtomicU64::new(0),
        }
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn fail(&self, error: UnpackError) {
        locked(&self.error).get_or_insert(error);
        self.stop.store(true, Ordering::Relaxed);
        self.room.freed.notify_all();
    }

    fn progress(&self) -> Progress {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Progress { packed: read(&self.packed), packed_total: self.total, unpacked: read(&self.unpacked) }
    }

    /// Verifies, decodes and makes one frame.
    fn frame(
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
struct Worker<'a> {
    hand: Box<dyn TreeWorker + 'a>,
    context: DCtx<'static>,
    /// The last frame that was decoded whole.
    whole: Vec<u8>,
}

impl<'a> Worker<'a> {
    fn new(tree: &'a dyn Tree) -> Self {
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

fn read(source: &dyn ReadAt, place: &Place<'_>) -> Result<Vec<u8>, UnpackError> {
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

/// Bytes that may be in memory at a time.
struct Room {
    limit: u64,
    used: Mutex<u64>,
    freed: Condvar,
}

impl Room {
    fn take(&self, bytes: u64, stop: &AtomicBool) {
        let full = |used: &mut u64| {
            !stop.load(Ordering::Relaxed) && *used > 0 && used.saturating_add(bytes) > self.limit
        };
        // `fail` sets `stop` without holding the lock, so the wait looks again from time to time.
        let mut used = locked(&self.used);
        while full(&mut used) {
            let waited = self.freed.wait_timeout(used, Duration::from_millis(100));
            used = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        *used = used.saturating_add(bytes);
    }

    fn give(&self, bytes: u64) {
        let mut used = locked(&self.used);
        *used = used.saturating_sub(bytes);
        self.freed.notify_all();
    }
}

/// A lock poisoned by a panic elsewhere still guards whole values.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tar::EntryKind;
    use crate::tar::tests::{file, header};
    use std::collections::BTreeMap;

    /// A tree in memory that knows the rules.
    #[derive(Default)]
    struct Memory {
        made: Mutex<BTreeMap<Vec<u8>, Vec<u8>>>,
        refuse: Option<&'static str>,
    }

    struct Hand<'a>(&'a Memory);

    impl Tree for Memory {
        fn worker(&self) -> Box<dyn TreeWorker + '_> {
            Box::new(Hand(self))
        }
        fn finish(&self) -> Result<(), TreeError> {
            Ok(())
        }
    }

    impl TreeWorker for Hand<'_> {
        fn make(&mut self, entry: &Entry, data: &mut dyn BufRead) -> Result<(), TreeError> {
            let path = String::from_utf8_lossy(&entry.path).into_owned();
            let error = |source| TreeError { path: path.clone(), source };
            if self.0.refuse == Some(path.as_str()) {
                return Err(error(io::ErrorKind::StorageFull.into()));
            }
            let mut bytes = Vec::new();
            data.read_to_end(&mut bytes).map_err(error)?;
            let parent = entry.path.rsplitn(2, |b| *b == b'/').nth(1).unwrap_or_default();
            let mut made = self.0.made.lock().unwrap();
            if !parent.is_empty() && !made.contains_key(parent) {
                return Err(error(io::ErrorKind::NotFound.into()));
            }
            match made.insert(entry.path.clone(), bytes) {
                Some(_) if entry.kind != EntryKind::Dir => Err(error(io::ErrorKind::AlreadyExists.into())),
                _ => Ok(()),
            }
        }
    }

    fn image(frames: &[(&str, Vec<u8>, u64)]) -> (Index, Vec<u8>) {
        let mut index = Index::default();
        let mut image = Vec::new();
        for (name, tar, entries) in frames {
            let packed = zstd::bulk::compress(tar, 3).unwrap();
            index.frames.push(Frame {
                packed: packed.len() as u64,
                unpacked: tar.len() as u64,
                entries: *entries,
                sha256: Sha256::digest(&packed).as_slice().try_into().unwrap(),
                name: (*name).to_owned(),
            });
            image.extend_from_slice(&packed);
        }
        (index, image)
    }

    fn small() -> (Index, Vec<u8>) {
        let dirs: Vec<u8> = (0..8).flat_map(|i| header(&format!("d{i}"), b'5', 0, "")).collect();
        let mut frames = vec![("<directories>".to_owned(), dirs, 8)];
        for i in 0..40 {
            let tar: Vec<u8> = (0..5)
                .flat_map(|k| file(&format!("d{}/f{i}-{k}", i % 8), &vec![i as u8; 3000 * k]))
                .collect();
            frames.push((format!("p{i}"), tar, 5));
        }
        frames.push(("<end>".to_owned(), vec![0; 1024], 0));
        let frames: Vec<_> = frames.iter().map(|(n, t, e)| (n.as_str(), t.clone(), *e)).collect();
        image(&frames)
    }

    const EFFORT: Effort = Effort { workers: 3, packed_in_flight: 400 };

    #[test]
    fn everything_is_made_whatever_the_number_of_workers() {
        let (index, image) = small();
        for workers in [1, 2, 7] {
            let tree = Memory::default();
            let done = unpack(&index, &image, &tree, Effort { workers, ..EFFORT }, &|_| {}).unwrap();
            assert_eq!((done.frames, done.entries, done.bytes, done.reread), (42, 208, index.unpacked(), 0));
            let made = tree.made.into_inner().unwrap();
            assert_eq!(made.len(), 208);
            assert_eq!(made[b"d3/f11-2".as_slice()], vec![11; 6000]);
        }
    }

    /// A tree whose files are made only while another one is being made.
    #[derive(Default)]
    struct Together {
        met: Mutex<u32>,
        changed: Condvar,
    }

    impl Tree for Together {
        fn worker(&self) -> Box<dyn TreeWorker + '_> {
            Box::new(self)
        }
        fn finish(&self) -> Result<(), TreeError> {
            Ok(())
        }
    }

    impl TreeWorker for &Together {
        fn make(&mut self, entry: &Entry, _data: &mut dyn BufRead) -> Result<(), TreeError> {
            if entry.kind == EntryKind::Dir {
                return Ok(());
            }
            *self.met.lock().unwrap() += 1;
            self.changed.notify_all();
            let long = Duration::from_secs(60);
            let met =
                self.changed.wait_timeout_while(self.met.lock().unwrap(), long, |met| *met < 2).unwrap();
            let alone = || TreeError { path: "alone".to_owned(), source: io::ErrorKind::TimedOut.into() };
            if met.1.timed_out() { Err(alone()) } else { Ok(()) }
        }
    }

    #[test]
    fn two_workers_work_at_the_same_time() {
        let (index, image) = small();
        let effort = Effort { workers: 2, packed_in_flight: 1 << 20 };
        unpack(&index, &image, &Together::default(), effort, &|_| {}).unwrap();
    }

    #[test]
    fn a_flipped_bit_anywhere_is_found_before_it_is_used() {
        let (index, image) = small();
        for at in (0..image.len()).step_by(97) {
            let mut damaged = image.clone();
            damaged[at] ^= 4;
            let error = unpack(&index, &damaged, &Memory::default(), EFFORT, &|_| {}).unwrap_err();
            assert!(matches!(error, UnpackError::Damaged { .. }), "{error}");
        }
    }

    #[test]
    fn a_truncated_image_is_found() {
        let (index, image) = small();
        let error = unpack(&index, &image[..image.len() - 1].to_vec(), &Memory::default(), EFFORT, &|_| {})
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "frame 41 (<end>) of the root image is damaged: the file ends before it"
        );
    }

    /// Wrong the first time, as behind a bad cable, then right.
    struct Flaky<'a>(&'a Vec<u8>, AtomicBool);

    impl ReadAt for Flaky<'_> {
        fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
            self.0.read_at(offset, buffer)?;
            if offset > 500 && !self.1.load(Ordering::Relaxed) {
                buffer[0] ^= 1;
            }
            Ok(())
        }
        fn len(&self) -> u64 {
            self.0.len() as u64
        }
        fn forget(&self, _offset: u64, _length: u64) {
            self.1.store(true, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_frame_that_is_right_the_second_time_is_used_and_counted() {
        let (index, image) = small();
        let source = Flaky(&image, AtomicBool::new(false));
        let done =
            unpack(&index, &source, &Memory::default(), Effort { workers: 1, packed_in_flight: 1 }, &|_| {})
                .unwrap();
        assert!(done.reread >= 1);
    }

    #[test]
    fn a_full_tree_is_not_a_damaged_image() {
        let (index, image) = small();
        let tree = Memory { refuse: Some("d1/f9-3"), ..Memory::default() };
        let error = unpack(&index, &image, &tree, EFFORT, &|_| {}).unwrap_err();
        assert!(matches!(error, UnpackError::Tree(_)), "{error}");
        assert_eq!(error.to_string(), "cannot make /d1/f9-3");
    }

    #[test]
    fn what_was_built_wrong_is_said() {
        let dirs = || ("<directories>", header("d", b'5', 0, ""), 1);
        let run = |frames: &[(&str, Vec<u8>, u64)], change: &dyn Fn(&mut Index)| {
            let (mut index, image) = image(frames);
            change(&mut index);
            unpack(&index, &image, &Memory::default(), EFFORT, &|_| {}).unwrap_err().to_string()
        };
        let text = run(&[dirs(), ("a", file("d/x", b"12"), 2)], &|_| {});
        assert_eq!(
            text,
            "frame 1 (a) of the root image is damaged: 1 entries in 1024 bytes, the index says 2 in 1024"
        );
        let text = run(&[dirs(), ("a", file("d/x", &[1; 9000]), 1)], &|i| i.frames[1].unpacked = 2000);
        assert!(text.contains("damaged"), "{text}");
        let text = run(&[dirs(), ("a", file("../x", b"12"), 1)], &|_| {});
        assert_eq!(text, "frame 1 (a) of the root image is damaged: path `../x` leads out of the root");
        let text = run(&[dirs(), ("a", file("d/x", b"1"), 1), ("b", file("d/x", b"2"), 1)], &|_| {});
        assert_eq!(text, "frame 2 (b) of the root image is damaged: cannot make /d/x: entity already exists");
    }
}
