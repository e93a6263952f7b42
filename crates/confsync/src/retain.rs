//! Which generations go.
use crate::Generation;
use std::collections::BTreeSet;

/// Which generations are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retention {
    /// The newest so many, whatever their age.
    pub newest: usize,
    /// One an hour for so many hours.
    pub hours: u64,
    /// One a day for so many days.
    pub days: u64,
}

impl Default for Retention {
    fn default() -> Self {
        Self { newest: 50, hours: 48, days: 90 }
    }
}

impl Retention {
    /// Only the newest few: there is no room.
    #[must_use]
    pub fn tight() -> Self {
        Self { newest: 3, hours: 0, days: 0 }
    }
}

/// Numbers of the generations that go. The newest one, the newest of each version, and `holds` never do.
#[must_use]
pub fn retain(generations: &[&Generation], now: u64, policy: &Retention, holds: &[u64]) -> Vec<u64> {
    let mut sorted = generations.to_vec();
    sorted.sort_by_key(|g| std::cmp::Reverse(g.id));
    let mut versions = BTreeSet::new();
    let mut slots = BTreeSet::new();
    let mut gone = Vec::new();
    for (n, generation) in sorted.iter().enumerate() {
        let age = now.saturating_sub(generation.time);
        let (hour, day) = (generation.time / 3600, generation.time / 86_400);
        // Each is asked for, so that a generation fills all the places that it stands for.
        let of_version = versions.insert(generation.version.as_str());
        let of_hour = age / 3600 < policy.hours && slots.insert(('h', hour));
        let of_day = age / 86_400 < policy.days && slots.insert(('d', day));
        let kept =
            n < policy.newest.max(1) || of_version || of_hour || of_day || holds.contains(&generation.id);
        if !kept {
            gone.push(generation.id);
        }
    }
    gone.sort_unstable();
    gone
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Id;
    use proptest::prelude::*;

    fn generation(id: u64, time: u64, version: &str) -> Generation {
        let mut generation = Generation::new(id, Id::of(b""), None);
        (generation.time, generation.version) = (time, version.to_owned());
        generation
    }

    proptest! {
        #[test]
        fn what_never_goes(times in proptest::collection::vec((0u64..10_000_000, 0u8..4), 1..80), now: u32, newest in 0usize..6) {
            let all: Vec<_> = (1u64..).zip(&times).map(|(id, (t, v))| generation(id, *t, &v.to_string())).collect();
            let refs: Vec<_> = all.iter().collect();
            let policy = Retention { newest, hours: 5, days: 5 };
            let gone = retain(&refs, u64::from(now), &policy, &[1]);
            prop_assert!(!gone.contains(&1) && !gone.contains(&(all.len() as u64)));
            for version in 0u8..4 {
                let newest = all.iter().filter(|g| g.version == version.to_string()).map(|g| g.id).max();
                prop_assert!(newest.is_none_or(|id| !gone.contains(&id)));
            }
            // Done again, nothing more goes.
            let left: Vec<_> = refs.into_iter().filter(|g| !gone.contains(&g.id)).collect();
            prop_assert_eq!(retain(&left, u64::from(now), &policy, &[1]), Vec::<u64>::new());
        }
    }

    #[test]
    fn thinner_with_age() {
        let all: Vec<_> = (1..=400).map(|n| generation(n, n * 3600, "5")).collect();
        let refs: Vec<_> = all.iter().collect();
        let gone = retain(&refs, 400 * 3600, &Retention { newest: 10, hours: 48, days: 7 }, &[]);
        let kept = 400 - gone.len();
        assert!((48..70).contains(&kept), "{kept}");
    }
}
