//! What a restore had to pass over, and what that costs.
use crate::store::{Store, parse_name};
use crate::{Generation, PackError, Snapshot, changes};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Paths that are told of one generation; of more only the number.
const MOST: usize = 1000;

/// A generation that is newer than the one that was restored, and what the box does not have for it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Passed {
    /// Its number.
    pub id: u64,
    /// When it was made, in seconds since 1970; none where it does not say so any more.
    pub made: Option<u64>,
    /// The version that made it; none where it does not say so any more.
    pub version: Option<String>,
    /// Why it was not restored.
    pub why: String,
    /// It is damaged, or cannot be read; otherwise it is for a newer version.
    pub damaged: bool,
    /// What leads from what was restored to it: `+ /etc/new`, `~ /etc/changed`, `- /etc/gone`, `m /etc/mode`. None
    /// where that cannot be read any more.
    pub differs: Option<Vec<String>>,
}

/// All that are newer than `chosen`, oldest first.
pub(crate) fn passed(store: &Store<'_>, chosen: &Generation, damaged: &BTreeMap<u64, String>) -> Vec<Passed> {
    // It was verified a moment ago.
    let ours = store.snapshot(chosen).unwrap_or_default();
    let mut found: BTreeMap<u64, Passed> = BTreeMap::new();
    for generation in store.generations().filter(|g| g.id > chosen.id) {
        let passed = Passed {
            id: generation.id,
            made: Some(generation.time),
            version: Some(generation.version.clone()),
            why: damaged
                .get(&generation.id)
                .cloned()
                .unwrap_or_else(|| format!("made by the newer version {}", generation.version)),
            damaged: damaged.contains_key(&generation.id),
            differs: store.snapshot(generation).ok().map(|theirs| paths(&ours, &theirs)),
        };
        found.insert(generation.id, passed);
    }
    let unread = store.damaged().iter().map(|d| (d.file.as_str(), d.why.clone(), true));
    let newer = store.newer().map(|(file, format)| (file, PackError::Newer(format).to_string(), false));
    for (file, why, damaged) in unread.chain(newer) {
        let Some((true, id)) = parse_name(file).filter(|(_, id)| *id > chosen.id) else { continue };
        found.insert(id, Passed { id, why: format!("{file}: {why}"), damaged, ..Passed::default() });
    }
    if let Some(id) = store.gone().filter(|id| *id > chosen.id) {
        found.insert(id, Passed { id, why: PackError::Gone.to_string(), damaged: true, ..Passed::default() });
    }
    found.into_values().collect()
}

fn paths(from: &Snapshot, to: &Snapshot) -> Vec<String> {
    let changes = changes(from, to);
    let mut lines: Vec<String> = changes.iter().take(MOST).map(ToString::to_string).collect();
    if changes.len() > MOST {
        lines.push(format!("and {} more", changes.len().saturating_sub(MOST)));
    }
    lines
}
