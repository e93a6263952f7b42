//! When a change is written: once it is quiet, and not later than that.
use crate::seam::Tree;
use crate::{BoxPath, Tracked};
use sha2::{Digest, Sha256};

/// Decides when a change is written: when nothing has changed for a while, and in any case some time after the first
/// change. An editor's four writes are one generation; a log that lies below `/etc` does not put it off for ever.
#[derive(Debug, Clone)]
pub struct Quiet {
    quiet_s: u64,
    most_s: u64,
    synced: Option<[u8; 32]>,
    seen: Option<[u8; 32]>,
    first: Option<u64>,
    last: u64,
}

impl Quiet {
    /// With a quiet period, and the longest time that a change may wait, in seconds.
    #[must_use]
    pub fn new(quiet_s: u64, most_s: u64) -> Self {
        Self { quiet_s, most_s, synced: None, seen: None, first: None, last: 0 }
    }

    /// Takes a look: what the files' [`fingerprint`] is at a time in seconds. Whether to sync now.
    pub fn look(&mut self, now: u64, print: [u8; 32]) -> bool {
        if self.synced == Some(print) {
            // Changed back, too.
            (self.first, self.seen) = (None, Some(print));
            return false;
        }
        if self.seen != Some(print) {
            self.seen = Some(print);
            self.last = now;
        }
        let first = *self.first.get_or_insert(now);
        now.saturating_sub(self.last) >= self.quiet_s || now.saturating_sub(first) >= self.most_s
    }

    /// Since when a change waits, in the times that [`Quiet::look`] was given.
    #[must_use]
    pub fn waits_since(&self) -> Option<u64> {
        self.first
    }

    /// What was seen last is on the stick.
    pub fn synced(&mut self) {
        self.synced = self.seen;
        self.first = None;
    }

    /// The stick did not take it: try again after the quiet period.
    pub fn failed(&mut self, now: u64) {
        self.first = Some(now);
        self.last = now;
    }
}

/// Decides when what is no reason for a generation by itself is kept all the same: once in a while. Where the medium
/// does not take it in time, much later: what it is too slow for must not be what it is busy with.
#[derive(Debug, Clone)]
pub struct Seldom {
    every_s: u64,
    wait_s: u64,
    synced: [u8; 32],
    at: u64,
}

impl Seldom {
    /// At most so often, in seconds. `print` is what is there at `now`.
    #[must_use]
    pub fn new(every_s: u64, now: u64, print: [u8; 32]) -> Self {
        Self { every_s, wait_s: every_s, synced: print, at: now }
    }

    /// Whether to sync now, where nothing else is a reason.
    #[must_use]
    pub fn look(&self, now: u64, print: [u8; 32]) -> bool {
        self.synced != print && now.saturating_sub(self.at) >= self.wait_s
    }

    /// A sync has ended at `now`, before which `print` was there; whether it went well and in time.
    pub fn ended(&mut self, now: u64, print: [u8; 32], well: bool) {
        self.at = now;
        self.wait_s = if well { self.every_s } else { self.every_s.saturating_mul(24) };
        if well {
            self.synced = print;
        }
    }
}

/// What names, sizes, modes, owners and times of everything that is tracked come to. Cheap: nothing is read.
#[must_use]
pub fn fingerprint(tree: &dyn Tree, tracked: &Tracked) -> [u8; 32] {
    let mut sum = Sha256::new();
    for root in tracked.roots() {
        if let Ok(stat) = tree.stat(root) {
            sum.update(format!("{root}{stat:?}"));
        }
        walk(tree, tracked, root, &mut sum);
    }
    sum.finalize().into()
}

fn walk(tree: &dyn Tree, tracked: &Tracked, dir: &BoxPath, sum: &mut Sha256) {
    let Ok(mut names) = tree.list(dir) else { return };
    names.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    for (name, stat) in names {
        let path = dir.join(&name);
        if tracked.leaves_out(&path) {
            continue;
        }
        let is_dir = stat.kind == crate::Kind::Dir;
        sum.update(path.as_bytes());
        // A directory's own times change with every temporary file in it.
        let times = if is_dir { None } else { Some((stat.mtime, stat.ctime, stat.len, stat.inode)) };
        sum.update(format!("{:?} {} {} {} {times:?}", stat.kind, stat.mode, stat.uid, stat.gid));
        if is_dir {
            walk(tree, tracked, &path, sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_in_a_while_and_on_a_slow_stick_once_a_day() {
        let mut seldom = Seldom::new(3600, 10, [0; 32]);
        assert!(!seldom.look(9999, [0; 32]));
        assert!(!seldom.look(3600, [1; 32]));
        assert!(seldom.look(3610, [1; 32]));
        seldom.ended(3615, [1; 32], true);
        assert!(!seldom.look(99_999, [1; 32]));
        assert!(seldom.look(7300, [2; 32]));
        seldom.ended(7400, [2; 32], false);
        assert!(!seldom.look(7400 + 3600 * 24 - 1, [2; 32]));
        assert!(seldom.look(7400 + 3600 * 24, [2; 32]));
        seldom.ended(100_000, [3; 32], true);
        assert!(seldom.look(103_600, [4; 32]), "a sync for another reason that went well");
    }

    #[test]
    fn after_the_last_change_or_long_after_the_first() {
        let mut quiet = Quiet::new(10, 60);
        assert!(!quiet.look(0, [1; 32]));
        assert!(!quiet.look(5, [2; 32]));
        assert!(!quiet.look(14, [2; 32]));
        assert_eq!(quiet.waits_since(), Some(0));
        assert!(quiet.look(15, [2; 32]));
        quiet.synced();
        assert!(!quiet.look(100, [2; 32]));
        assert_eq!(quiet.waits_since(), None);
        for at in 100..160 {
            let print = [u8::try_from(at).unwrap(); 32];
            assert!(!quiet.look(at, print), "{at}");
        }
        assert!(quiet.look(160, [160; 32]));
        quiet.failed(160);
        assert!(!quiet.look(165, [160; 32]));
        assert!(quiet.look(170, [160; 32]));
        quiet.synced();
        assert!(!quiet.look(171, [161; 32]));
        assert!(!quiet.look(172, [160; 32]), "changed back");
        assert!(!quiet.look(300, [160; 32]));
    }
}
