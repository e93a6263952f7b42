//! Workers that read and pack pages.
use crate::codec::{Codec, Packer};
use crate::core::{Core, PAGE, Physical};
use crate::{CoreError, ReadAt};
use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

/// Pages of one job: 512 KiB of memory.
pub(crate) const JOB: usize = 128;

/// A page frame and the number of its descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) pfn: u64,
    pub(crate) slot: u64,
}

/// A page that was packed; its bytes follow those of the one before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packed {
    pub(crate) place: Place,
    pub(crate) len: u32,
    pub(crate) flags: u32,
    /// It holds zeros only, and has no bytes here.
    pub(crate) zero: bool,
    /// The file refused to give it; it counts as zeros.
    pub(crate) unreadable: bool,
}

/// What became of a job.
pub(crate) type Done = io::Result<(Vec<Packed>, Vec<u8>)>;

/// Packs `jobs` with some workers and hands the results to `take` in the jobs' order, until it says no. At most two
/// jobs per worker are in memory.
pub(crate) fn run<S: ReadAt, E: From<io::Error> + From<CoreError>>(
    core: &Core<S>,
    codec: Codec,
    share_zero: bool,
    workers: usize,
    mut jobs: impl Iterator<Item = Result<Vec<Place>, CoreError>>,
    mut take: impl FnMut(&[Packed], &[u8]) -> Result<bool, E>,
) -> Result<(), E> {
    thread::scope(|scope| {
        let mut lanes: Vec<(SyncSender<Vec<Place>>, Receiver<Done>)> = Vec::new();
        for _ in 0..workers.clamp(1, 64) {
            let (send_job, jobs) = sync_channel::<Vec<Place>>(1);
            let (send, done) = sync_channel(1);
            scope.spawn(move || {
                let mut packer = Packer::new(codec);
                let mut buffer = vec![0; JOB * PAGE as usize];
                for job in jobs {
                    let result = match &mut packer {
                        Ok(packer) => pack(core, packer, share_zero, &job, &mut buffer),
                        Err(e) => Err(io::Error::other(e.to_string())),
                    };
                    if send.send(result).is_err() {
                        break; // Nobody wants more.
                    }
                }
            });
            lanes.push((send_job, done));
        }
        // The far end of a channel only says that it is gone.
        let gone = "a worker ended early";
        let (mut given, mut taken) = (0_usize, 0_usize);
        loop {
            // One job is worked on and one waits, in each lane.
            while given - taken < lanes.len() * 2 {
                let Some(job) = jobs.next().transpose()? else { break };
                let Some((lane, _)) = lanes.get(given % lanes.len()) else { break };
                lane.send(job).map_err(|e| io::Error::other(format!("{gone}: {e}")))?;
                given += 1;
            }
            if given == taken {
                return Ok(());
            }
            let Some((_, lane)) = lanes.get(taken % lanes.len()) else { return Ok(()) };
            let (pages, bytes) = lane.recv().map_err(|e| io::Error::other(format!("{gone}: {e}")))??;
            taken += 1;
            if !take(&pages, &bytes)? {
                return Ok(());
            }
        }
    })
}

fn pack<S: ReadAt>(
    core: &Core<S>,
    packer: &mut Packer,
    share_zero: bool,
    job: &[Place],
    buffer: &mut [u8],
) -> Done {
    let mut pages = Vec::with_capacity(job.len());
    let mut out = Vec::with_capacity(job.len() * PAGE as usize / 2);
    // The file does not depend on which worker has which jobs.
    packer.forget();
    // Frames that follow each other are read at once.
    for run in job.chunk_by(|a, b| a.pfn + 1 == b.pfn) {
        let Some(first) = run.first() else { continue };
        let memory = buffer.get_mut(..run.len() * PAGE as usize).unwrap_or_default();
        let whole = core.read(first.pfn * PAGE, memory).is_ok();
        for (place, page) in run.iter().zip(memory.chunks_mut(PAGE as usize)) {
            let unreadable = !whole && core.read(place.pfn * PAGE, page).is_err();
            if unreadable {
                page.fill(0);
            }
            let before = out.len();
            let zero = share_zero && is_zero(page);
            let flags = if zero { 0 } else { packer.pack(page, &mut out)? };
            pages.push(Packed { place: *place, len: (out.len() - before) as u32, flags, zero, unreadable });
        }
    }
    Ok((pages, out))
}

/// Whether a page holds zeros only; in steps that the compiler turns into wide instructions.
fn is_zero(page: &[u8]) -> bool {
    page.chunks(256).all(|part| part.iter().fold(0, |all, byte| all | byte) == 0)
}
