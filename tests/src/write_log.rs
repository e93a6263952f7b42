//! What was done to a disk, as QEMU's `blklogwrites` wrote it down, and what a power cut would have left of it.
use crate::damage::Dice;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Bytes of the log's sectors, which is also what a disk writes whole or not at all.
pub const SECTOR: u64 = 512;

/// `WRITE_LOG_MAGIC` of `drivers/md/dm-log-writes.c`.
const MAGIC: u64 = 0x6a_7366_7773_6872;
/// Flags of an entry: `LOG_FLUSH_FLAG`, `LOG_FUA_FLAG`, `LOG_DISCARD_FLAG`.
const FLUSH: u64 = 1;
const FUA: u64 = 2;
const DISCARD: u64 = 4;

/// One thing that was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Bytes were written.
    Write {
        /// First byte on the disk.
        at: u64,
        /// What.
        bytes: Vec<u8>,
    },
    /// Bytes were discarded; they read as zeros.
    Zero {
        /// First byte on the disk.
        at: u64,
        /// How many.
        len: u64,
    },
    /// Everything before it is on the medium.
    Flush,
}

impl Op {
    /// First byte and length of what it changes; none for a flush.
    #[must_use]
    pub fn extent(&self) -> Option<(u64, u64)> {
        match self {
            Self::Write { at, bytes } => Some((*at, bytes.len() as u64)),
            Self::Zero { at, len } => Some((*at, *len)),
            Self::Flush => None,
        }
    }

    /// Does it to a disk in memory.
    pub fn put(&self, disk: &mut [u8]) {
        let Some((at, len)) = self.extent() else { return };
        let place = usize::try_from(at).ok().zip(usize::try_from(at.saturating_add(len)).ok());
        let Some(place) = place.and_then(|(from, to)| disk.get_mut(from..to)) else { return };
        match self {
            Self::Write { bytes, .. } => place.copy_from_slice(bytes),
            _ => place.fill(0),
        }
    }

    /// Does that part of it, counted from its own beginning, to a disk image.
    fn put_part(&self, disk: &File, from: u64, len: u64) -> io::Result<()> {
        let Some((at, whole)) = self.extent() else { return Ok(()) };
        let len = len.min(whole.saturating_sub(from));
        let (first, size) = (usize::try_from(from).unwrap_or(0), usize::try_from(len).unwrap_or(0));
        match self {
            Self::Write { bytes, .. } => {
                let part = bytes.get(first..first.saturating_add(size)).unwrap_or_default();
                disk.write_all_at(part, at.saturating_add(from))
            }
            _ => disk.write_all_at(&vec![0; size], at.saturating_add(from)),
        }
    }
}

fn word(sector: &[u8], at: usize) -> u64 {
    let field = sector.get(at..at.saturating_add(8)).and_then(|f| <[u8; 8]>::try_from(f).ok());
    field.map_or(0, u64::from_le_bytes)
}

/// Its number of entries; QEMU begins the log with the first write.
fn head(log: &File) -> io::Result<u64> {
    if log.metadata()?.len() == 0 {
        return Ok(0);
    }
    let mut sector = [0; 512];
    log.read_exact_at(&mut sector, 0)?;
    if word(&sector, 0) != MAGIC || word(&sector, 24) & 0xffff_ffff != SECTOR {
        return Err(io::Error::other("no log of writes in sectors of 512 bytes"));
    }
    Ok(word(&sector, 16))
}

/// How many entries the log has now.
///
/// # Errors
/// It cannot be read, or is no such log.
pub fn entries(log: &Path) -> io::Result<u64> {
    head(&File::open(log)?)
}

/// Everything in the log, each with the number of its entry from 1: an entry can be a flush and a write.
///
/// # Errors
/// It cannot be read, or is no such log.
pub fn read(log: &Path) -> io::Result<Vec<(u64, Op)>> {
    let log = File::open(log)?;
    let (mut ops, mut at) = (Vec::new(), SECTOR);
    for entry in 1..=head(&log)? {
        let mut sector = [0; 512];
        log.read_exact_at(&mut sector, at)?;
        at = at.saturating_add(SECTOR);
        let place = word(&sector, 0).saturating_mul(SECTOR);
        let (len, flags) = (word(&sector, 8).saturating_mul(SECTOR), word(&sector, 16));
        if flags & FLUSH != 0 {
            ops.push((entry, Op::Flush));
        }
        if len > 0 && flags & DISCARD != 0 {
            ops.push((entry, Op::Zero { at: place, len }));
        } else if len > 0 {
            let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
            log.read_exact_at(&mut bytes, at)?;
            at = at.saturating_add(len);
            ops.push((entry, Op::Write { at: place, bytes }));
        }
        if flags & FUA != 0 {
            ops.push((entry, Op::Flush));
        }
    }
    Ok(ops)
}

/// A disk image on which a log is done again, and what power leaves that goes meanwhile: all that was written before
/// the last flush, and of what was written since as much as happened to reach the medium.
#[derive(Debug)]
pub struct Replay<'o> {
    sure: File,
    shown: File,
    since: Vec<&'o Op>,
}

impl<'o> Replay<'o> {
    /// With two copies of the disk as it was before: one to look at, and one to go back to.
    ///
    /// # Errors
    /// They cannot be opened.
    pub fn new(shown: &Path, sure: &Path) -> io::Result<Self> {
        let open = |path| File::options().read(true).write(true).open(path);
        Ok(Self { sure: open(sure)?, shown: open(shown)?, since: Vec::new() })
    }

    /// What was done since the last flush.
    #[must_use]
    pub fn since(&self) -> &[&'o Op] {
        &self.since
    }

    /// The next thing is done; the disk shown has all of it.
    ///
    /// # Errors
    /// The images cannot be written.
    pub fn next(&mut self, op: &'o Op) -> io::Result<()> {
        if *op == Op::Flush {
            for op in self.since.drain(..) {
                op.put_part(&self.sure, 0, u64::MAX)?;
            }
            return Ok(());
        }
        self.since.push(op);
        op.put_part(&self.shown, 0, u64::MAX)
    }

    /// The disk shown has only some of what was done since the last flush, in pieces of so many bytes: of each piece it
    /// is drawn whether the medium has it.
    ///
    /// # Errors
    /// The images cannot be written.
    pub fn some(&self, piece: u64, dice: &mut Dice) -> io::Result<()> {
        for op in &self.since {
            let Some((at, len)) = op.extent() else { continue };
            let mut before = vec![0; usize::try_from(len).unwrap_or(0)];
            self.sure.read_exact_at(&mut before, at)?;
            self.shown.write_all_at(&before, at)?;
        }
        for op in &self.since {
            let Some((_, len)) = op.extent() else { continue };
            for from in (0..len).step_by(usize::try_from(piece.max(SECTOR)).unwrap_or(512)) {
                if dice.below(2) == 1 {
                    op.put_part(&self.shown, from, piece.max(SECTOR))?;
                }
            }
        }
        Ok(())
    }

    /// The disk shown has all of it again.
    ///
    /// # Errors
    /// The image cannot be written.
    pub fn all(&self) -> io::Result<()> {
        self.since.iter().try_for_each(|op| op.put_part(&self.shown, 0, u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(entries: &[(u64, u64, u64, &[u8])]) -> tempfile::NamedTempFile {
        let mut bytes = Vec::new();
        let mut sector = |words: &[u64], data: &[u8]| {
            let mut head: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
            head.resize(512, 0);
            bytes.extend(head);
            bytes.extend(data);
        };
        sector(&[MAGIC, 1, entries.len() as u64, SECTOR], &[]);
        for (at, sectors, flags, data) in entries {
            sector(&[*at, *sectors, *flags, data.len() as u64], data);
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        file
    }

    #[test]
    fn a_log_is_read_and_done_again() {
        let (one, two) = ([1; 512], [2; 1024]);
        let log = log(&[(1, 1, 0, &one), (0, 0, FLUSH, &[]), (2, 2, FUA, &two), (1, 1, DISCARD, &[])]);
        let ops = read(log.path()).unwrap();
        let write = |at, bytes: &[u8]| Op::Write { at, bytes: bytes.to_vec() };
        let zero = Op::Zero { at: 512, len: 512 };
        let expected =
            [(1, write(512, &one)), (2, Op::Flush), (3, write(1024, &two)), (3, Op::Flush), (4, zero)];
        assert_eq!(ops, expected);
        assert_eq!(entries(log.path()).unwrap(), 4);

        let dir = tempfile::tempdir().unwrap();
        let [shown, sure] = ["shown", "sure"].map(|name| dir.path().join(name));
        for path in [&shown, &sure] {
            std::fs::write(path, [9; 2048]).unwrap();
        }
        let mut replay = Replay::new(&shown, &sure).unwrap();
        let mut memory = vec![9; 2048];
        for (_, op) in &ops {
            replay.next(op).unwrap();
            op.put(&mut memory);
            assert_eq!(std::fs::read(&shown).unwrap(), memory);
        }
        assert_eq!(replay.since().len(), 1);
        // What was flushed is there, whatever became of the rest.
        let mut dice = Dice::new(1);
        let mut found = std::collections::BTreeSet::new();
        for _ in 0..40 {
            replay.some(512, &mut dice).unwrap();
            let bytes = std::fs::read(&shown).unwrap();
            assert_eq!(bytes[1024..], [2; 1024]);
            found.insert(bytes[512]);
        }
        assert_eq!(found.into_iter().collect::<Vec<u8>>(), [0, 1]);
        replay.all().unwrap();
        assert_eq!(std::fs::read(&shown).unwrap(), memory);
    }

    #[test]
    fn what_is_no_log_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(read(file.path()).unwrap(), []);
        std::fs::write(file.path(), [0; 1024]).unwrap();
        assert!(entries(file.path()).is_err());
        assert!(read(log(&[(0, 9, 0, &[])]).path()).is_err());
    }
}
