//! How much memory a root in RAM needs.
use crate::Effort;
use esos_layout::frames::Index;

const MIB: u64 = 1 << 20;
/// Kernel, services and caches of a running box, beside its root: measured as about 200 MiB in use on an
/// idle box, with room for as much again.
const RUNNING: u64 = 384 * MIB;
/// What logs, temporary files and locally made state may take in the root.
const HEADROOM: u64 = 512 * MIB;
/// A page is taken whole, an inode takes memory too: per entry, on average.
const PER_ENTRY: u64 = 3 * 1024;
/// Window and tables of one zstd decoder, and a frame of one worker ([`crate::unpack`] decodes them whole).
const PER_WORKER: u64 = 20 * MIB;

/// What unpacking a root image takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryNeed {
    /// What the tree fills at once.
    pub root: u64,
    /// The size to give to the tmpfs; a limit, not a reservation.
    pub tmpfs: u64,
    /// Inodes to allow in it.
    pub inodes: u64,
    /// The smallest `MemTotal` that will do.
    pub least_total: u64,
    /// How to unpack.
    pub effort: Effort,
}

impl MemoryNeed {
    /// The need of an image on a machine with so many processors and bytes of memory.
    #[must_use]
    pub fn of(index: &Index, processors: usize, total: u64) -> Self {
        let entries = index.frames.iter().fold(0u64, |n, f| n.saturating_add(f.entries));
        let largest = index.frames.iter().map(|f| f.packed).max().unwrap_or(0);
        let root = index.unpacked().saturating_add(entries.saturating_mul(PER_ENTRY));
        let workers = processors.clamp(1, 16);
        let in_flight = largest.max(32 * MIB);
        let workers_bytes = u64::try_from(workers).unwrap_or(16).saturating_mul(PER_WORKER);
        // Unpacking and running do not need theirs at the same time.
        let beside = RUNNING.max(in_flight.saturating_add(workers_bytes));
        let most = total.saturating_sub(RUNNING / 2).max(root);
        Self {
            root,
            tmpfs: root.saturating_add(HEADROOM).min(most),
            inodes: entries.saturating_mul(2).saturating_add(1 << 16),
            least_total: root.saturating_add(beside),
            effort: Effort { workers, packed_in_flight: in_flight },
        }
    }

    /// What is missing, as a sentence for the console; `None` where it will do.
    #[must_use]
    pub fn refusal(&self, total: u64) -> Option<String> {
        (total < self.least_total).then(|| {
            format!(
                "this machine has {} MiB of memory, this ESOS needs {} MiB ({} MiB of root in RAM). Add memory, or boot with {} \
                 on the kernel command line to run from the stick (slower), or with {} to try nevertheless",
                total / MIB,
                self.least_total.div_ceil(MIB),
                self.root.div_ceil(MIB),
                esos_layout::cmdline::PERSIST,
                esos_layout::cmdline::NO_MEMORY_CHECK,
            )
        })
    }
}

/// `MemTotal` of `/proc/meminfo`, in bytes.
#[must_use]
pub fn mem_total(meminfo: &str) -> Option<u64> {
    field(meminfo, "MemTotal:")
}

/// `MemAvailable` of `/proc/meminfo`, in bytes: what programs could still get.
#[must_use]
pub(crate) fn mem_available(meminfo: &str) -> Option<u64> {
    field(meminfo, "MemAvailable:")
}

fn field(meminfo: &str, name: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|l| l.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use esos_layout::frames::Frame;

    fn index(unpacked: u64, entries: u64, packed: u64) -> Index {
        Index { frames: vec![Frame { packed, unpacked, entries, sha256: [0; 32], name: "x".into() }] }
    }

    #[test]
    fn the_default_image_fits_into_two_gib_and_not_into_one() {
        let need = MemoryNeed::of(&index(736 * MIB, 27_195, 8 * MIB), 2, 2048 * MIB);
        assert_eq!(need.refusal(2048 * MIB), None);
        let said = need.refusal(1024 * MIB).unwrap();
        assert!(
            said.contains("1024 MiB") && said.contains("needs 1200 MiB") && said.contains("esos_persist"),
            "{said}"
        );
        assert!(need.tmpfs > need.root && need.tmpfs < 2048 * MIB);
    }

    #[test]
    fn the_limit_of_the_tmpfs_never_falls_below_the_tree() {
        let need = MemoryNeed::of(&index(u64::MAX, u64::MAX, u64::MAX), 0, 0);
        assert!(need.tmpfs >= need.root && need.effort.workers == 1);
        assert!(need.refusal(u64::MAX - 1).is_some());
    }

    #[test]
    fn meminfo_is_read() {
        assert_eq!(mem_total("MemTotal:        2030884 kB\nMemFree: 5 kB\n"), Some(2_030_884 * 1024));
        for text in ["", "MemTotal:", "MemTotal: x kB", "MemTotal: 5 MB", "MemTotal: 99999999999999999999 kB"]
        {
            assert_eq!(mem_total(text), None);
        }
    }
}
