//! From the stick to the box: which generation, what must be done, and doing it.
use crate::passed::{Passed, passed};
use crate::seam::Place;
use crate::store::{Damage, Store, StoreError, chain};
use crate::{
    BoxPath, Change, Conflict, Generation, Id, Node, NodeKind, PackError, Skipped, Snapshot, Tracked,
    compare_versions,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{self, Read};

/// Which generation is restored, and what speaks for another one.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Choice {
    /// The one.
    pub generation: Generation,
    /// Newer ones that are damaged, and what else of the store is.
    pub damaged: Vec<Damage>,
    /// Newer ones that a newer version made: they are kept, and not for this version.
    pub newer: Vec<u64>,
    /// Each generation that is newer than the one, and what the box does not have for it.
    pub passed: Vec<Passed>,
    /// The one was made by a newer version: there is none of this version or an older one.
    pub of_newer: bool,
}

/// A medium that refuses is asked for so many generations: each refusal can take it many seconds.
const PATIENCE: usize = 8;

/// The newest whole generation that this version or an older one made; where there is none, the newest whole one.
/// Whole means that every byte of it was read and matches.
///
/// # Errors
/// [`StoreError::Empty`] where there is none at all, [`StoreError::Damaged`] where none is whole,
/// [`StoreError::Newer`] where there is nothing in a format of this version, or the medium cannot be read.
pub fn choose(store: &Store<'_>, version: &str) -> Result<Choice, StoreError> {
    let mut damaged = store.damaged().to_vec();
    let (fit, newer): (Vec<_>, Vec<_>) =
        store.generations().rev().partition(|g| compare_versions(&g.version, version).is_le());
    let (mut last, mut refused, mut found) = (None, 0usize, BTreeMap::new());
    for generation in fit.iter().chain(&newer) {
        match store.verify(generation) {
            Ok(()) => {
                return Ok(Choice {
                    passed: passed(store, generation, &found),
                    newer: newer.iter().map(|g| g.id).filter(|id| *id > generation.id).collect(),
                    of_newer: compare_versions(&generation.version, version).is_gt(),
                    generation: (*generation).clone(),
                    damaged,
                });
            }
            Err(e) => {
                damaged.push(Damage { file: format!("generation @{}", generation.id), why: chain(&e) });
                found.insert(generation.id, chain(&e));
                refused = refused.saturating_add(usize::from(!matches!(e, StoreError::Damaged { .. })));
                last = Some(e);
                if refused >= PATIENCE {
                    break;
                }
            }
        }
    }
    let newer = store.newer().next();
    match (last, damaged.first(), newer) {
        (Some(e), ..) => Err(e),
        (None, Some(first), _) => Err(StoreError::Damaged {
            what: format!("all of the store ({})", first.file),
            source: PackError::Unfinished,
        }),
        (None, None, Some((file, format))) => {
            let what = format!("all of the store ({file})");
            Err(StoreError::Newer { what, source: PackError::Newer(format) })
        }
        (None, None, None) => match store.gone() {
            Some(id) => {
                Err(StoreError::Damaged { what: format!("generation @{id}"), source: PackError::Gone })
            }
            None => Err(StoreError::Empty),
        },
    }
}

/// One thing to be done on the box.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Act {
    /// Take it away.
    Remove,
    /// Make it, or replace it.
    Put,
    /// Set mode and owner.
    Meta,
}

/// One step of a restore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Where.
    pub path: BoxPath,
    /// What.
    pub act: Act,
}

/// What must be done so that the box is as wanted. What is not tracked is never touched.
#[must_use]
pub fn plan(present: &Snapshot, wanted: &Snapshot, tracked: &Tracked) -> Vec<Step> {
    let is_dir = |n: &Node| n.kind == NodeKind::Dir;
    let mut removals = Vec::new();
    for (path, node) in present.iter() {
        let stays = wanted.get(&path).is_some_and(|w| is_dir(w) == is_dir(node));
        let whole = path.split().and_then(|(dir, _)| wanted.dirs.get(&dir)).is_none_or(|l| l.whole);
        if !stays && tracked.covers(&path) && (whole || wanted.get(&path).is_some()) {
            removals.push(Step { path, act: Act::Remove });
        }
    }
    // The deepest first.
    removals.reverse();
    let mut steps = removals;
    let ours =
        |path: &BoxPath| tracked.covers(path) || tracked.roots().iter().any(|root| root.is_below(path));
    for (path, node) in wanted.iter().filter(|(path, _)| ours(path)) {
        match present.get(&path) {
            Some(now) if now.same_but_time(node) => {}
            // A directory on the way belongs to the image.
            Some(now) if is_dir(now) && is_dir(node) && !tracked.covers(&path) => {}
            Some(now) if is_dir(now) && is_dir(node) => steps.push(Step { path, act: Act::Meta }),
            Some(now) => {
                let only_meta = now.kind == node.kind && matches!(node.kind, NodeKind::File { group: 0, .. });
                steps.push(Step { path, act: if only_meta { Act::Meta } else { Act::Put } });
            }
            None => steps.push(Step { path, act: Act::Put }),
        }
    }
    steps
}

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Applied {
    /// Steps done.
    pub done: usize,
    /// What could not be done, and why.
    pub failed: Vec<Skipped>,
}

/// Does the steps. One that fails is told and does not stop the others: as much as can be is restored.
pub fn apply(
    place: &dyn Place,
    steps: &[Step],
    wanted: &Snapshot,
    content: &dyn Fn(&Id) -> Result<Vec<u8>, StoreError>,
) -> Applied {
    let mut applied = Applied::default();
    let mut groups: BTreeMap<u64, BoxPath> = BTreeMap::new();
    for step in steps {
        let done = match (&step.act, wanted.get(&step.path)) {
            (Act::Remove, _) | (_, None) => place.remove(&step.path),
            (Act::Meta, Some(node)) => place.meta(&step.path, node),
            (Act::Put, Some(node)) => put(place, &step.path, node, content, &mut groups),
        };
        match done {
            Ok(()) => applied.done = applied.done.saturating_add(1),
            Err(e) => applied.failed.push(Skipped { path: step.path.clone(), why: told(&e) }),
        }
    }
    applied
}

fn told(e: &io::Error) -> String {
    let inner = e.get_ref().and_then(|inner| inner.source()).map(|s| format!(": {s}"));
    format!("{e}{}", inner.unwrap_or_default())
}

fn put(
    place: &dyn Place,
    path: &BoxPath,
    node: &Node,
    content: &dyn Fn(&Id) -> Result<Vec<u8>, StoreError>,
    groups: &mut BTreeMap<u64, BoxPath>,
) -> io::Result<()> {
    match &node.kind {
        NodeKind::Dir => place.dir(path, node),
        NodeKind::Link(target) => place.symlink(path, node, target),
        NodeKind::File { group, .. } if groups.contains_key(group) => match groups.get(group) {
            Some(first) => place.hard_link(first, path),
            None => Ok(()),
        },
        NodeKind::File { chunks, group, .. } => {
            let mut pieces = Pieces { chunks, content, piece: io::Cursor::default() };
            place.file(path, node, &mut pieces)?;
            if *group > 0 {
                groups.insert(*group, path.clone());
            }
            Ok(())
        }
    }
}

/// A content, piece by piece.
struct Pieces<'p> {
    chunks: &'p [Id],
    content: &'p dyn Fn(&Id) -> Result<Vec<u8>, StoreError>,
    piece: io::Cursor<Vec<u8>>,
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let got = self.piece.read(buffer)?;
            if got > 0 || buffer.is_empty() {
                return Ok(got);
            }
            let Some((id, rest)) = self.chunks.split_first() else { return Ok(0) };
            self.chunks = rest;
            self.piece = io::Cursor::new((self.content)(id).map_err(io::Error::other)?);
        }
    }
}

/// What the box remembers of the restore at its boot: `/var/lib/esos/conf/restored.json`. A box whose restore
/// was not whole must not overwrite the stick with what it has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Restored {
    /// The generation, or none: the store was empty.
    pub generation: Option<u64>,
    /// When that one was made, in seconds since 1970.
    pub made: u64,
    /// The version that made it.
    pub version: String,
    /// Whether everything of it is on the box. Written as false before the first step.
    pub complete: bool,
    /// What is not.
    pub missing: Vec<String>,
    /// What of the store is damaged.
    pub damaged: Vec<String>,
    /// Generations that a newer version made.
    pub newer: Vec<u64>,
    /// Generations that are newer than the one, and what the box does not have for each.
    pub passed: Vec<Passed>,
    /// The generation was made by a newer version than the one that runs.
    pub of_newer: bool,
    /// New defaults that arrived.
    pub arrived: Vec<String>,
    /// What both sides changed.
    pub conflicts: Vec<String>,
    /// Why there is none, where that is not as it should be.
    pub problem: Option<String>,
}

impl Restored {
    /// Of a choice, before the first step.
    #[must_use]
    pub fn begun(choice: &Choice, arrived: &[Change], conflicts: &[Conflict]) -> Self {
        let damaged = choice.damaged.iter().map(|d| format!("{}: {}", d.file, d.why)).collect();
        Self {
            generation: Some(choice.generation.id),
            made: choice.generation.time,
            version: choice.generation.version.clone(),
            damaged,
            newer: choice.newer.clone(),
            passed: choice.passed.clone(),
            of_newer: choice.of_newer,
            arrived: arrived.iter().map(ToString::to_string).collect(),
            conflicts: conflicts.iter().map(|c| format!("{}: {}", c.path, c.what)).collect(),
            ..Self::default()
        }
    }

    /// After the last step.
    #[must_use]
    pub fn ended(mut self, applied: &Applied) -> Self {
        self.complete = applied.failed.is_empty();
        self.missing = applied.failed.iter().map(|f| format!("{}: {}", f.path, f.why)).collect();
        self
    }
}

impl Choice {
    /// A generation that somebody asked for.
    #[must_use]
    pub fn of(generation: Generation) -> Self {
        let (damaged, newer, passed) = (Vec::new(), Vec::new(), Vec::new());
        Self { generation, damaged, newer, passed, of_newer: false }
    }
}
