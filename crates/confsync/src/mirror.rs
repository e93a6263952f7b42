//! A second store that holds what the first one holds.
use crate::Damage;
use crate::seam::{Medium, NewPack, ReadPack};
use crate::store::{Store, StoreError, clear, gen_name, note, old_name, parse_name};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, Write};

/// What was done to the second store.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Mirrored {
    /// Packs that were copied.
    pub copied: Vec<String>,
    /// Files that the first store does not have any more.
    pub removed: Vec<String>,
    /// Bytes written.
    pub written_bytes: u64,
    /// The newest generation of the first store, which the second one has now.
    pub newest: Option<u64>,
    /// Packs of the first store that are damaged: they stay as the second one has them.
    pub damaged: Vec<Damage>,
}

/// Why a store is not made like another one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MirrorError {
    /// The first store.
    #[error("the store that is copied")]
    From(#[source] StoreError),
    /// The second store.
    #[error("the mirror")]
    To(#[source] StoreError),
    /// The second store has a history of its own.
    #[error("the mirror has generations that the store does not have: {}", list(.0))]
    Foreign(Vec<u64>),
}

fn list(ids: &[u64]) -> String {
    ids.iter().map(|id| format!("@{id}")).collect::<Vec<_>>().join(", ")
}

/// The end of a pack: the checksum over its index and what it is. Two packs with the same have the same objects.
type Seal = (u64, [u8; 64]);

fn seal(medium: &dyn Medium, name: &str) -> io::Result<Seal> {
    let file = medium.open(name)?;
    let size = file.size();
    let mut tail = [0; 64];
    file.read_exact_at(&mut tail, size.checked_sub(64).ok_or(io::ErrorKind::UnexpectedEof)?)?;
    Ok((size, tail))
}

fn seals(medium: &dyn Medium) -> Result<BTreeMap<String, Option<Seal>>, StoreError> {
    let names = medium.list().map_err(StoreError::io("listed"))?;
    // What cannot be read is like nothing else, and is replaced.
    Ok(names
        .into_iter()
        .filter(|n| parse_name(n).is_some())
        .map(|n| (n.clone(), seal(medium, &n).ok()))
        .collect())
}

/// Makes `to` hold the packs of `from`. Each is written beside, flushed, and counts by one rename, those that others
/// rest on first, so that the newest generation of `to` can be restored at every moment. Generations that only `to`
/// has are somebody's work: they are refused, unless `replace` says that they may go.
///
/// # Errors
/// [`MirrorError`].
pub fn mirror(from: &dyn Medium, to: &dyn Medium, replace: bool) -> Result<Mirrored, MirrorError> {
    let store = Store::open(from).map_err(MirrorError::From)?;
    let newest = store.generations().next_back().map(|g| g.id);
    let mut done = Mirrored { newest, damaged: store.damaged().to_vec(), ..Mirrored::default() };
    let mut theirs = seals(from).map_err(MirrorError::From)?;
    // A copy of what is damaged is worth nothing, a whole one of before is.
    theirs.retain(|name, _| !done.damaged.iter().any(|d| d.file == *name));
    let mut ours = seals(to).map_err(MirrorError::To)?;
    if !replace {
        foreign(&theirs, &ours)?;
    }
    let write = |e| MirrorError::To(StoreError::io("written")(e));

    // Dropped there, needed by others: the same is done here, without a byte written.
    for (name, seal) in &theirs {
        let Some((false, id)) = parse_name(name) else { continue };
        if seal.is_some() && ours.get(&gen_name(id)) == Some(seal) && !ours.contains_key(name) {
            to.rename(&gen_name(id), name).map_err(write)?;
            ours.remove(&gen_name(id));
            ours.insert(name.clone(), *seal);
        }
    }
    let mut names: Vec<&String> = theirs.keys().filter(|name| ours.get(*name) != theirs.get(*name)).collect();
    // New ones in the order of their making; old ones that were packed anew only when nothing rests on what they lose.
    names.sort_by_key(|name| (!is_new(name, &ours), parse_name(name).map_or(0, |(_, id)| id)));
    for name in names {
        done.written_bytes = done.written_bytes.saturating_add(copy(from, to, name)?);
        done.copied.push(name.clone());
    }
    let kept = |name: &String| theirs.contains_key(name) || done.damaged.iter().any(|d| d.file == *name);
    for name in ours.keys().filter(|name| !kept(name)) {
        to.remove(name).map_err(write)?;
        done.removed.push(name.clone());
    }
    let names = to.list().map_err(|e| MirrorError::To(StoreError::io("listed")(e)))?;
    clear(to, &names);
    let newest = theirs.keys().filter_map(|name| parse_name(name)).filter(|(current, _)| *current).max();
    if let Some((_, id)) = newest {
        note(to, &names, id);
    }
    Ok(done)
}

fn is_new(name: &str, ours: &BTreeMap<String, Option<Seal>>) -> bool {
    !ours.contains_key(name) || parse_name(name).is_some_and(|(current, _)| current)
}

/// Generations that are newer than all of the first store's, or another one under the same number.
fn foreign(
    theirs: &BTreeMap<String, Option<Seal>>,
    ours: &BTreeMap<String, Option<Seal>>,
) -> Result<(), MirrorError> {
    let newest = theirs.keys().filter_map(|n| parse_name(n)).map(|(_, id)| id).max().unwrap_or(0);
    let mut found = Vec::new();
    for (name, seal) in ours {
        let Some((true, id)) = parse_name(name) else { continue };
        let other = theirs.get(name).or_else(|| theirs.get(&old_name(id)));
        let another = theirs.contains_key(name) && other.is_some_and(|other| seal.is_some() && other != seal);
        if id > newest || another {
            found.push(id);
        }
    }
    if found.is_empty() { Ok(()) } else { Err(MirrorError::Foreign(found)) }
}

fn copy(from: &dyn Medium, to: &dyn Medium, name: &str) -> Result<u64, MirrorError> {
    const PIECE: usize = 1 << 18;
    let read = |e| MirrorError::From(StoreError::io("read")(e));
    let write = |e| MirrorError::To(StoreError::io("written")(e));
    let source: Box<dyn ReadPack + '_> = from.open(name).map_err(read)?;
    let mut out: Box<dyn NewPack + '_> = to.create(name).map_err(write)?;
    let (size, mut at) = (source.size(), 0);
    let mut buffer = vec![0; PIECE];
    while at < size {
        let length = usize::try_from(size.saturating_sub(at)).unwrap_or(PIECE).min(PIECE);
        let Some(piece) = buffer.get_mut(..length) else { break };
        source.read_exact_at(piece, at).map_err(read)?;
        out.write_all(piece).map_err(write)?;
        at = at.saturating_add(length as u64);
    }
    out.commit().map_err(write)?;
    Ok(size)
}
