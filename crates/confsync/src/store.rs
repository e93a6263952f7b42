//! All packs on the medium.
use crate::generation::Generation;
use crate::node::{DirRow, decode_rows};
use crate::pack::{Pack, PackError};
use crate::seam::Medium;
use crate::{BoxPath, Id, Listing, NodeKind, Snapshot};
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::io;

/// Why the store cannot be used. These are different answers, and none of them is "nothing to do".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The directory is not there: the stick is gone or not mounted.
    #[error("there is no store: the directory is not there")]
    Gone,
    /// The directory holds no generation.
    #[error("no repository: there is no generation in the store")]
    Empty,
    /// There is no such generation, or no such path in it.
    #[error("not found: {0}")]
    NotFound(String),
    /// A generation, or all of them, cannot be read back whole.
    #[error("damaged: {what}")]
    Damaged {
        /// What, by file.
        what: String,
        /// How.
        #[source]
        source: PackError,
    },
    /// What is there was written by a newer version, in a format that this one cannot read.
    #[error("made by a newer version: {what}")]
    Newer {
        /// What, by file.
        what: String,
        /// Which format.
        #[source]
        source: PackError,
    },
    /// The medium can only be read.
    #[error("read-only: nothing can be written to the store")]
    ReadOnly,
    /// The medium is full.
    #[error("full: there is no room in the store")]
    Full,
    /// What was written and flushed without an error is not there when it is read back.
    #[error("the medium does not keep what is written to it: generation @{generation}: {what}")]
    Lost {
        /// The generation that was made.
        generation: u64,
        /// What is there in its place.
        what: String,
    },
    /// Anything else that the kernel says.
    #[error("the medium cannot be {0}")]
    Io(&'static str, #[source] io::Error),
}

impl StoreError {
    pub(crate) fn io(doing: &'static str) -> impl Fn(io::Error) -> Self {
        move |e| match e.kind() {
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            io::ErrorKind::NotFound if doing == "listed" => Self::Gone,
            _ => Self::Io(doing, e),
        }
    }
}

/// A file of the store that cannot be used, and why.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Damage {
    /// The file.
    pub file: String,
    /// Why.
    pub why: String,
}

struct Held {
    name: String,
    pack: Pack,
    generation: Option<Generation>,
}

/// A name is a hash already: its beginning will do.
#[derive(Default)]
struct First(u64);

impl Hasher for First {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.first_chunk::<8>().map_or(self.0, |first| u64::from_le_bytes(*first));
    }
    fn write_usize(&mut self, _length: usize) {}
}

/// All packs on the medium, with their indexes. What is in them is checked when it is read.
pub struct Store<'m> {
    medium: &'m dyn Medium,
    held: Vec<Held>,
    place: HashMap<Id, usize, BuildHasherDefault<First>>,
    damaged: Vec<Damage>,
    newer: BTreeMap<String, char>,
    noted: Option<u64>,
}

/// The name of a generation's pack.
pub(crate) fn gen_name(id: u64) -> String {
    format!("gen-{id:010}.esc")
}

/// The name of a pack whose generation was dropped, and whose objects others need.
pub(crate) fn old_name(id: u64) -> String {
    format!("old-{id:010}.esc")
}

/// The name of the empty file that says which generation is the newest. It decides nothing; without it a newest
/// generation whose file is gone would be gone in silence.
pub(crate) fn note_name(id: u64) -> String {
    format!("newest-{id:010}")
}

pub(crate) fn parse_note(name: &str) -> Option<u64> {
    name.strip_prefix("newest-")?.parse().ok()
}

/// Notes the newest generation. That it cannot be is no reason to fail: the generation itself is safe.
pub(crate) fn note(medium: &dyn Medium, names: &[String], id: u64) {
    let before = names.iter().filter_map(|n| Some((parse_note(n)?, n))).max();
    let before = before.map(|(_, name)| name.as_str()).filter(|name| *name != note_name(id));
    let _next_time = medium.note(before, &note_name(id));
}

/// Removes what a power cut left of files that were being written. That one cannot be removed now is no reason to fail.
pub(crate) fn clear(medium: &dyn Medium, names: &[String]) {
    for name in names.iter().filter(|n| n.starts_with('.') && n.ends_with(".tmp")) {
        let _next_time = medium.remove(name);
    }
}

pub(crate) fn parse_name(name: &str) -> Option<(bool, u64)> {
    let digits = name.strip_suffix(".esc")?;
    let (current, digits) = match digits.strip_prefix("gen-") {
        Some(digits) => (true, digits),
        None => (false, digits.strip_prefix("old-")?),
    };
    Some((current, digits.parse().ok()?))
}

impl<'m> Store<'m> {
    /// Opens the store: reads the index of each pack.
    ///
    /// # Errors
    /// [`StoreError::Gone`] where there is no directory, or the medium cannot be read. A damaged pack is no
    /// error here: see [`Store::damaged`].
    pub fn open(medium: &'m dyn Medium) -> Result<Self, StoreError> {
        let mut store = Self {
            medium,
            held: Vec::new(),
            place: HashMap::default(),
            damaged: Vec::new(),
            newer: BTreeMap::new(),
            noted: None,
        };
        let mut names = medium.list().map_err(StoreError::io("listed"))?;
        store.noted = names.iter().filter_map(|name| parse_note(name)).max();
        names.sort_by_key(|name| parse_name(name).map_or(0, |(_, id)| id));
        for name in names {
            let Some((current, _)) = parse_name(&name) else { continue };
            match store.load(&name, current) {
                Ok(held) => store.hold(held),
                Err(PackError::Newer(format)) => {
                    store.newer.insert(name, format);
                }
                Err(e) => store.damaged.push(Damage { file: name, why: chain(&e) }),
            }
        }
        Ok(store)
    }

    fn load(&self, name: &str, current: bool) -> Result<Held, PackError> {
        let file = self.medium.open(name).map_err(PackError::Io)?;
        let pack = Pack::open(&*file)?;
        let generation = match current {
            true => Some(serde_json::from_slice(&pack.record).map_err(|_e| PackError::Nonsense("record"))?),
            false => None,
        };
        Ok(Held { name: name.to_owned(), pack, generation })
    }

    fn hold(&mut self, held: Held) {
        let at = self.held.len();
        self.place.extend(held.pack.objects.keys().map(|id| (*id, at)));
        self.held.push(held);
    }

    /// Generations, oldest first. Each says what it is; whether it is whole is another question.
    pub fn generations(&self) -> impl DoubleEndedIterator<Item = &Generation> {
        self.held.iter().filter_map(|h| h.generation.as_ref())
    }

    /// Files that cannot be used.
    #[must_use]
    pub fn damaged(&self) -> &[Damage] {
        &self.damaged
    }

    /// Files in a format of a newer version, with its number: they are kept, and this version cannot say what is in
    /// them.
    pub fn newer(&self) -> impl Iterator<Item = (&str, char)> {
        self.newer.iter().map(|(file, format)| (file.as_str(), *format))
    }

    /// Whether there is nothing at all: nothing that could be restored, and nothing that could be lost.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held.is_empty() && self.damaged.is_empty() && self.newer.is_empty() && self.noted.is_none()
    }

    /// The newest generation, where its file is not there any more.
    #[must_use]
    pub fn gone(&self) -> Option<u64> {
        self.noted.filter(|noted| self.files().filter_map(parse_name).all(|(_, id)| id < *noted))
    }

    /// All files, whatever can be read of them.
    fn files(&self) -> impl Iterator<Item = &str> {
        let unread =
            self.damaged.iter().map(|d| d.file.as_str()).chain(self.newer.keys().map(String::as_str));
        self.held.iter().map(|h| h.name.as_str()).chain(unread)
    }

    /// Bytes of all packs.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.held.iter().fold(0, |sum, h| sum.saturating_add(h.pack.size))
    }

    /// One generation.
    ///
    /// # Errors
    /// [`StoreError::Empty`] or [`StoreError::NotFound`]; [`StoreError::Damaged`] where its file is there and
    /// cannot be used.
    pub fn generation(&self, id: u64) -> Result<&Generation, StoreError> {
        if let Some(found) = self.generations().find(|g| g.id == id) {
            return Ok(found);
        }
        let name = gen_name(id);
        if self.damaged.iter().any(|d| d.file == name) {
            return Err(StoreError::Damaged {
                what: format!("generation @{id}"),
                source: PackError::Checksum("index"),
            });
        }
        if let Some(format) = self.newer.get(&name) {
            return Err(StoreError::Newer {
                what: format!("generation @{id}"),
                source: PackError::Newer(*format),
            });
        }
        if self.is_empty() {
            return Err(StoreError::Empty);
        }
        Err(StoreError::NotFound(format!("there is no generation @{id}")))
    }

    /// The number that the next generation gets: above all that are or were there.
    #[must_use]
    pub fn next_id(&self) -> u64 {
        let ids = self.files().filter_map(parse_name).map(|(_, id)| id);
        ids.chain(self.noted).max().unwrap_or(0).saturating_add(1)
    }

    pub(crate) fn has(&self, id: &Id) -> bool {
        self.place.contains_key(id)
    }

    pub(crate) fn medium(&self) -> &'m dyn Medium {
        self.medium
    }

    pub(crate) fn packs(&self) -> impl Iterator<Item = (&str, &Pack, Option<&Generation>)> {
        self.held.iter().map(|h| (h.name.as_str(), &h.pack, h.generation.as_ref()))
    }

    /// An object, checked against its name.
    pub(crate) fn object(&self, id: &Id) -> Result<Vec<u8>, StoreError> {
        let missing =
            || StoreError::Damaged { what: "the store".to_owned(), source: PackError::Missing(*id) };
        let held = self.place.get(id).and_then(|at| self.held.get(*at)).ok_or_else(missing)?;
        let file = self.medium.open(&held.name).map_err(StoreError::io("read"))?;
        held.pack.read(&*file, id).map_err(|source| match source {
            PackError::Io(e) => StoreError::Io("read", e),
            source => StoreError::Damaged { what: held.name.clone(), source },
        })
    }

    pub(crate) fn rows(&self, tree: &Id) -> Result<Vec<DirRow>, StoreError> {
        let damaged = |e: PackError| StoreError::Damaged { what: format!("list {tree}"), source: e };
        decode_rows(&self.object(tree)?).map_err(|e| damaged(e.into()))
    }

    /// Everything in a generation, without the contents.
    ///
    /// # Errors
    /// An object of it is damaged.
    pub fn snapshot(&self, generation: &Generation) -> Result<Snapshot, StoreError> {
        let tree = generation.tree().map_err(|e| nonsense(generation, e.into()))?;
        self.snapshot_of(&tree)
    }

    /// The defaults of the version that made a generation, where they are known.
    ///
    /// # Errors
    /// An object of them is damaged.
    pub fn defaults(&self, generation: &Generation) -> Result<Option<Snapshot>, StoreError> {
        let id = generation.defaults().map_err(|e| nonsense(generation, e.into()))?;
        id.map(|id| self.snapshot_of(&id)).transpose()
    }

    pub(crate) fn snapshot_of(&self, tree: &Id) -> Result<Snapshot, StoreError> {
        let mut snapshot = Snapshot::default();
        for (path, whole, id) in self.rows(tree)? {
            let listing = Listing::decode(whole, &self.object(&id)?)
                .map_err(|e| StoreError::Damaged { what: format!("listing of {path}"), source: e.into() })?;
            snapshot.dirs.insert(path, listing);
        }
        Ok(snapshot)
    }

    /// The content of a file.
    ///
    /// # Errors
    /// A piece of it is damaged.
    pub fn content(&self, chunks: &[Id]) -> Result<Vec<u8>, StoreError> {
        let mut content = Vec::new();
        for id in chunks {
            content.extend(self.object(id)?);
        }
        Ok(content)
    }

    /// Reads a whole generation back and checks all of it.
    ///
    /// # Errors
    /// What of it is damaged first.
    pub fn verify(&self, generation: &Generation) -> Result<(), StoreError> {
        let mut snapshots = vec![self.snapshot(generation)?];
        snapshots.extend(self.defaults(generation)?);
        let mut seen = std::collections::BTreeSet::new();
        for (path, node) in snapshots.iter().flat_map(Snapshot::iter) {
            let NodeKind::File { chunks, .. } = &node.kind else { continue };
            for id in chunks.iter().filter(|id| seen.insert(**id)) {
                self.object(id).map_err(|e| at_path(e, &path))?;
            }
        }
        Ok(())
    }

    /// Objects that generations need: lists, listings, contents.
    pub(crate) fn needed(
        &self,
        generation: &Generation,
        into: &mut std::collections::BTreeSet<Id>,
    ) -> Result<(), StoreError> {
        let tree = generation.tree().map_err(|e| nonsense(generation, e.into()))?;
        let defaults = generation.defaults().map_err(|e| nonsense(generation, e.into()))?;
        for root in [Some(tree), defaults].into_iter().flatten() {
            if !into.insert(root) {
                continue;
            }
            for (path, whole, id) in self.rows(&root)? {
                if !into.insert(id) {
                    continue;
                }
                let listing = Listing::decode(whole, &self.object(&id)?).map_err(|e| {
                    StoreError::Damaged { what: format!("listing of {path}"), source: e.into() }
                })?;
                for node in listing.nodes.values() {
                    if let NodeKind::File { chunks, .. } = &node.kind {
                        into.extend(chunks);
                    }
                }
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for Store<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("packs", &self.held.len())
            .field("damaged", &self.damaged)
            .finish_non_exhaustive()
    }
}

/// An error with its causes.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(e) = cause {
        text = format!("{text}: {e}");
        cause = e.source();
    }
    text
}

fn nonsense(generation: &Generation, source: PackError) -> StoreError {
    StoreError::Damaged { what: format!("generation @{}", generation.id), source }
}

fn at_path(error: StoreError, path: &BoxPath) -> StoreError {
    match error {
        StoreError::Damaged { what, source } => {
            StoreError::Damaged { what: format!("{path} in {what}"), source }
        }
        other => other,
    }
}
