//! Unpacking a root image on all processors: read, verify, decode, make.
//!
//! One thread reads frame after frame, as a stick likes it; the workers verify each frame's SHA-256
//! against the index **before** a byte of it is decoded. A frame that is wrong is read once more from
//! the medium, past the caches: a bad cable is not a bad image.
mod frame;

use crate::ReadAt;
use crate::tar::Entry;
use esos_layout::frames::Index;
use frame::{Place, Worker, read};
use std::io::{self, BufRead};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

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
mod tests;
