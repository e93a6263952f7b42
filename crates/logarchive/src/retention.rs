//! Which files go.
use crate::{Class, Entry};
use serde::Serialize;
use std::collections::BTreeMap;

/// How much of a class is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Budget {
    /// At most so many bytes of it.
    #[serde(rename = "most_bytes")]
    pub most: u64,
    /// The newest so many stay in any case, even beyond `most_bytes`.
    pub keep: usize,
    /// What is older, in seconds, goes in any case but for `keep`; 0 for never.
    pub age: u64,
}

/// How much of what is kept. Unknown files have no budget: they are never touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Policy {
    /// Of log archives.
    pub logs: Budget,
    /// Of crash dumps. They go by their own budget alone, never to make room for a log.
    pub dumps: Budget,
    /// Of support bundles.
    pub bundles: Budget,
}

impl Policy {
    /// For a file system of that size: half for logs, a tenth for bundles; dumps are left to the one who saves
    /// them.
    #[must_use]
    pub fn of(total: u64) -> Self {
        let (half, tenth) = (total / 2, total / 10);
        Self {
            logs: Budget { most: half, keep: 3, age: 400 * 86_400 },
            dumps: Budget { most: u64::MAX, keep: usize::MAX, age: 0 },
            bundles: Budget { most: tenth, keep: 1, age: 90 * 86_400 },
        }
    }

    /// With these budgets.
    #[must_use]
    pub fn new(logs: Budget, dumps: Budget, bundles: Budget) -> Self {
        Self { logs, dumps, bundles }
    }

    fn budget(&self, class: Class) -> Option<&Budget> {
        match class {
            Class::Log => Some(&self.logs),
            Class::Dump => Some(&self.dumps),
            Class::Bundle => Some(&self.bundles),
            Class::Unknown => None,
        }
    }
}

/// Why a file goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    /// It is too old.
    Age,
    /// Its class has more than its budget.
    Budget,
    /// There is no room for what comes next.
    Room,
}

/// What goes, and whether that is enough.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Verdict {
    /// Files that go, in the order in which they do: indexes into the list.
    pub removals: Vec<(usize, Reason)>,
    /// Bytes that this frees.
    pub freed_bytes: u64,
    /// Bytes that are still missing for what was needed; 0 where it is enough.
    pub short_bytes: u64,
}

/// Which files go, so that each class keeps to its budget and `needed` bytes are free where `free` are now.
///
/// Only a log archive or a bundle goes to make room; a dump only by its own budget; the newest `keep` of a
/// class and unknown files never. It looks at each file once, oldest first, so it ends. Among files of one
/// age the name decides, and never against age.
#[must_use]
pub fn retain(entries: &[Entry], policy: &Policy, now: i64, free: u64, needed: u64) -> Verdict {
    let mut order: Vec<usize> = (0..entries.len()).collect();
    let key = |i: &usize| entries.get(*i).map(|e| (e.time, e.name.as_str()));
    order.sort_by(|a, b| key(a).cmp(&key(b)));
    let mut left: BTreeMap<Class, (usize, u64)> = BTreeMap::new();
    for entry in entries {
        let (count, bytes) = left.entry(entry.class).or_default();
        *count = count.saturating_add(1);
        *bytes = bytes.saturating_add(entry.size);
    }
    let mut verdict = Verdict { removals: Vec::new(), freed_bytes: 0, short_bytes: 0 };
    let mut spared = Vec::new();
    let mut remove = |i: usize, entry: &Entry, reason: Reason, left: &mut BTreeMap<Class, (usize, u64)>| {
        let (count, bytes) = left.entry(entry.class).or_default();
        *count = count.saturating_sub(1);
        *bytes = bytes.saturating_sub(entry.size);
        verdict.freed_bytes = verdict.freed_bytes.saturating_add(entry.size);
        verdict.removals.push((i, reason));
    };
    // First by age and by budget.
    for i in order {
        let Some(entry) = entries.get(i) else { continue };
        let Some(budget) = policy.budget(entry.class) else { continue };
        let (count, bytes) = left.get(&entry.class).copied().unwrap_or_default();
        if count <= budget.keep {
            continue;
        }
        let age = u64::try_from(now.saturating_sub(entry.time)).unwrap_or(0);
        if bytes > budget.most {
            remove(i, entry, Reason::Budget, &mut left);
        } else if budget.age > 0 && age > budget.age {
            remove(i, entry, Reason::Age, &mut left);
        } else {
            spared.push(i);
        }
    }
    // Then for room, the oldest of logs and bundles together.
    let mut room = free.saturating_add(verdict.freed_bytes);
    for i in spared {
        let Some(entry) =
            entries.get(i).filter(|e| room < needed && matches!(e.class, Class::Log | Class::Bundle))
        else {
            continue;
        };
        let keep = policy.budget(entry.class).map_or(usize::MAX, |b| b.keep);
        if left.get(&entry.class).is_some_and(|(count, _)| *count > keep) {
            let (count, bytes) = left.entry(entry.class).or_default();
            *count = count.saturating_sub(1);
            *bytes = bytes.saturating_sub(entry.size);
            room = room.saturating_add(entry.size);
            verdict.freed_bytes = verdict.freed_bytes.saturating_add(entry.size);
            verdict.removals.push((i, Reason::Room));
        }
    }
    verdict.short_bytes = needed.saturating_sub(room);
    verdict
}
