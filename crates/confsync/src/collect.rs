//! Freeing what no generation needs.
use crate::Id;
use crate::pack::Writer;
use crate::store::{Store, StoreError, gen_name, old_name, parse_name};
use serde::Serialize;
use std::collections::BTreeSet;

/// What was freed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Collected {
    /// Generations that were dropped.
    pub dropped: Vec<u64>,
    /// Bytes freed.
    pub freed_bytes: u64,
}

/// Drops generations and frees what only they needed. Each step leaves a store in which every other generation is
/// whole: first they lose their names, then what is still needed of a pack is written beside it, then packs
/// that nobody needs are removed. A pack that cannot be read stays until it is older than every generation; where a
/// generation that stays is damaged itself, nothing is touched.
///
/// # Errors
/// The store cannot be read or written; what was not freed is freed the next time.
pub fn collect(store: Store<'_>, ids: &[u64]) -> Result<Collected, StoreError> {
    let medium = store.medium();
    let mut collected = Collected::default();
    let dropped: BTreeSet<u64> = ids.iter().copied().collect();
    // What is needed is known before anything is changed; damage ends it here.
    let mut needed: BTreeSet<Id> = BTreeSet::new();
    for generation in store.generations().filter(|g| !dropped.contains(&g.id)) {
        store.needed(generation, &mut needed)?;
    }
    let oldest = store.generations().map(|g| g.id).filter(|id| !dropped.contains(id)).min().unwrap_or(0);
    // What a generation lacks may lie in a pack that cannot be read today.
    let lost = needed.iter().any(|id| !store.has(id));
    let damaged = store.damaged().iter().map(|d| d.file.clone()).filter(|_| !lost);
    let rubbish: Vec<String> =
        damaged.filter(|name| parse_name(name).is_some_and(|(_, id)| id < oldest)).collect();
    let before = store.size();
    for id in store.generations().map(|g| g.id).filter(|id| dropped.contains(id)) {
        medium.rename(&gen_name(id), &old_name(id)).map_err(StoreError::io("written"))?;
        collected.dropped.push(id);
    }
    // Its indexes are those of before the renames.
    drop(store);
    let store = Store::open(medium)?;
    // What a generation's own pack has needs no second copy in an old one.
    let mut have: BTreeSet<Id> = BTreeSet::new();
    for (_, pack, generation) in store.packs() {
        if generation.is_some() {
            have.extend(pack.objects.keys());
        }
    }
    let mut removals = Vec::new();
    for (name, pack, generation) in store.packs() {
        if generation.is_some() {
            continue;
        }
        let live: Vec<&Id> =
            pack.objects.keys().filter(|id| needed.contains(*id) && have.insert(**id)).collect();
        let stored = |ids: &mut dyn Iterator<Item = &Id>| -> u64 {
            ids.filter_map(|id| pack.objects.get(id)).fold(0, |sum, slot| sum.saturating_add(slot.stored))
        };
        let (kept, all) = (stored(&mut live.iter().copied()), stored(&mut pack.objects.keys()));
        if live.is_empty() {
            removals.push(name.to_owned());
        } else if kept.saturating_mul(2) < all {
            let out = medium.create(name).map_err(StoreError::io("written"))?;
            let mut writer = Writer::new(out).map_err(StoreError::io("written"))?;
            let file = medium.open(name).map_err(StoreError::io("read"))?;
            for id in live {
                let bytes = pack
                    .read(&*file, id)
                    .map_err(|source| StoreError::Damaged { what: name.to_owned(), source })?;
                writer.add(*id, &bytes).map_err(StoreError::io("written"))?;
            }
            writer.finish(b"").map_err(StoreError::io("written"))?;
        }
    }
    for name in removals.iter().filter(|n| parse_name(n).is_some_and(|(current, _)| !current)) {
        medium.remove(name).map_err(StoreError::io("written"))?;
    }
    for name in &rubbish {
        medium.remove(name).map_err(StoreError::io("written"))?;
    }
    collected.freed_bytes = before.saturating_sub(Store::open(medium)?.size());
    Ok(collected)
}
