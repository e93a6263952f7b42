//! From the box to the stick: one new generation, or none.
use crate::diff::{Change, changes_in};
use crate::generation::Generation;
use crate::index::Index;
use crate::node::encode_rows;
use crate::pack::Writer;
use crate::scan::{Scan, Skipped, scan};
use crate::seam::{Medium, Tree};
use crate::store::{Store, StoreError, clear, gen_name, note, parse_name};
use crate::{BoxPath, Id, NodeKind, Snapshot, Tracked};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;

/// What a sync should know.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Request {
    /// The box's name.
    pub host: String,
    /// The version that runs.
    pub version: String,
    /// Why.
    pub reason: String,
    /// Seconds since 1970.
    pub now: u64,
    /// Which generation the box had restored or made before.
    pub parent: Option<u64>,
    /// Of an import: what could not be had.
    pub missing: Vec<String>,
}

impl Request {
    /// A request for these reasons.
    #[must_use]
    pub fn new(host: &str, version: &str, reason: &str, now: u64) -> Self {
        let text = str::to_owned;
        Self { host: text(host), version: text(version), reason: text(reason), now, ..Self::default() }
    }

    /// With the generation that the box had restored or made before.
    #[must_use]
    pub fn parent(mut self, parent: Option<u64>) -> Self {
        self.parent = parent;
        self
    }

    /// With what could not be had.
    #[must_use]
    pub fn missing(mut self, missing: Vec<String>) -> Self {
        self.missing = missing;
        self
    }
}

/// What came of a sync.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Synced {
    /// The newest generation, made now or before.
    pub generation: u64,
    /// Whether it was made now.
    pub made: bool,
    /// What changed since the one before.
    pub changes: Vec<Change>,
    /// Bytes written to the medium.
    pub written_bytes: u64,
    /// What was not kept, and why.
    pub skipped: Vec<Skipped>,
    /// Whether the index that came with it is worth keeping: it knows more than the one before.
    #[serde(skip)]
    pub index_changed: bool,
}

/// Makes a new generation, if anything has changed. Everything is written beside what is there, flushed, and
/// counts by one rename; whatever fails, the generations before stay as they are. `index` is what the last
/// sync gave back; without it everything is read. `defaults` is a store that keeps the image's own files,
/// as the box had them before anything was restored.
///
/// # Errors
/// The store cannot be read or written.
pub fn sync(
    tree: &dyn Tree,
    tracked: &Tracked,
    medium: &dyn Medium,
    index: Option<Index>,
    defaults: Option<&Store<'_>>,
    request: &Request,
) -> Result<(Synced, Index), StoreError> {
    let index = index.unwrap_or_default();
    // First without the store: mostly nothing has changed.
    let names = medium.list().map_err(StoreError::io("listed"))?;
    let newest =
        names.iter().filter_map(|n| parse_name(n)).filter(|(current, _)| *current).map(|(_, id)| id).max();
    let trusted = newest == Some(index.generation)
        && medium.open(&gen_name(index.generation)).is_ok_and(|file| file.size() == index.pack);
    let mut index = if trusted { index } else { Index::default() };
    let begun = i64::try_from(request.now).unwrap_or(i64::MAX);
    let work = RefCell::new(Work { medium, store: None, writer: None, names });
    let scan = scan(tree, tracked, &mut index, &mut |id, piece| work.borrow_mut().keep(id, piece))
        .map_err(work_error)?;
    let work = work.into_inner();
    if trusted && is_untouched(&index, &scan) {
        let synced = Synced {
            generation: index.generation,
            made: false,
            changes: Vec::new(),
            written_bytes: 0,
            skipped: scan.skipped,
            index_changed: scan.read,
        };
        let tracked = Some(tracked.id());
        let next = Index { begun, tracked, stamps: scan.stamps, snapshot: scan.snapshot, ..index };
        return Ok((synced, next));
    }
    let (synced, mut next) = work.finish(scan, index, defaults, request, begun)?;
    next.tracked = Some(tracked.id());
    Ok((synced, next))
}

/// Whether what is left of the index, and what the scan has instead, are the same.
fn is_untouched(index: &Index, scan: &Scan) -> bool {
    let left = &index.snapshot.dirs;
    left.len() == scan.fresh.len()
        && scan.fresh.iter().all(|dir| left.get(dir).is_some_and(|l| scan.snapshot.dirs.get(dir) == Some(l)))
}

fn work_error(e: io::Error) -> StoreError {
    // An error of the store itself travels through the scan in here.
    match e.downcast::<StoreError>() {
        Ok(error) => error,
        Err(e) => StoreError::io("written")(e),
    }
}

/// A pack that is being put together, once there is something for it.
pub(crate) struct Work<'m> {
    medium: &'m dyn Medium,
    store: Option<Store<'m>>,
    writer: Option<Writer<'m>>,
    names: Vec<String>,
}

impl<'m> Work<'m> {
    pub(crate) fn new(medium: &'m dyn Medium) -> Result<Self, StoreError> {
        let names = medium.list().map_err(StoreError::io("listed"))?;
        Ok(Self { medium, store: None, writer: None, names })
    }

    pub(crate) fn keep_piece(&mut self, id: Id, piece: &[u8]) -> Result<(), StoreError> {
        self.keep(id, piece).map_err(work_error)
    }

    fn open(&mut self) -> Result<&mut Store<'m>, StoreError> {
        if self.store.is_none() {
            self.store = Some(Store::open(self.medium)?);
        }
        self.store.as_mut().ok_or(StoreError::Gone)
    }

    fn writer(&mut self) -> Result<&mut Writer<'m>, StoreError> {
        if self.writer.is_none() {
            let next = self.open()?.next_id();
            let out = self.medium.create(&gen_name(next)).map_err(StoreError::io("written"))?;
            self.writer = Some(Writer::new(out).map_err(StoreError::io("written"))?);
        }
        self.writer.as_mut().ok_or(StoreError::Gone)
    }

    /// Whether the store has it: as it should be, not only by name. A generation must not rest on what is damaged.
    fn has(&mut self, id: &Id) -> Result<bool, StoreError> {
        let store = self.open()?;
        Ok(store.has(id) && store.object(id).is_ok())
    }

    fn keep(&mut self, id: Id, piece: &[u8]) -> io::Result<()> {
        let has = self.has(&id).map_err(io::Error::other)?;
        if has { Ok(()) } else { self.writer().map_err(io::Error::other)?.add(id, piece) }
    }

    /// Adds listings and the list of directories; the id of that list.
    pub(crate) fn tree(&mut self, snapshot: &Snapshot) -> Result<Id, StoreError> {
        self.tree_with(snapshot, &BTreeMap::new())
    }

    /// The same where some listings are in the store for sure.
    fn tree_with(&mut self, snapshot: &Snapshot, known: &BTreeMap<BoxPath, Id>) -> Result<Id, StoreError> {
        let mut rows = Vec::with_capacity(snapshot.dirs.len());
        for (path, listing) in &snapshot.dirs {
            if let Some(id) = known.get(path) {
                rows.push((path.clone(), listing.whole, *id));
                continue;
            }
            let bytes = listing.encode();
            let id = Id::of(&bytes);
            self.keep(id, &bytes).map_err(work_error)?;
            rows.push((path.clone(), listing.whole, id));
        }
        let bytes = encode_rows(&rows);
        let id = Id::of(&bytes);
        self.keep(id, &bytes).map_err(work_error)?;
        Ok(id)
    }

    /// The defaults, copied from the store that has them.
    fn defaults(&mut self, from: &Store<'_>) -> Result<Option<Id>, StoreError> {
        let Some(generation) = from.generations().next_back() else { return Ok(None) };
        let snapshot = from.snapshot(generation)?;
        for (_, node) in snapshot.iter() {
            let NodeKind::File { chunks, .. } = &node.kind else { continue };
            for id in chunks {
                if !self.has(id)? {
                    let piece = from.object(id)?;
                    self.keep(*id, &piece).map_err(work_error)?;
                }
            }
        }
        self.tree(&snapshot).map(Some)
    }

    fn finish(
        mut self,
        scan: Scan,
        index: Index,
        defaults: Option<&Store<'_>>,
        request: &Request,
        begun: i64,
    ) -> Result<(Synced, Index), StoreError> {
        let Scan { mut snapshot, stamps, skipped, fresh, .. } = scan;
        let newest = self.open()?.generations().next_back().cloned();
        let last = newest.as_ref().filter(|g| g.id == index.generation);
        // Listings that were made or read back a moment ago need not be made again.
        let known = last.and(index.tree).and_then(|tree| self.store.as_ref()?.rows(&tree).ok());
        let known = known.into_iter().flatten().filter(|(path, ..)| !fresh.contains(path));
        let known = known.map(|(path, _, id)| (path, id)).collect();
        // Without an index the last generation says what was.
        let before = match (&newest, last) {
            (Some(_), Some(_)) => index.snapshot,
            (Some(generation), None) => self.open()?.snapshot(generation).unwrap_or_default(),
            (None, _) => Snapshot::default(),
        };
        keep_times(&mut snapshot, &before, &fresh);
        let same_version = newest.as_ref().filter(|g| g.version == request.version);
        let kept = same_version.and_then(|g| g.defaults().ok()?);
        let defaults = match defaults {
            // Those of the version that runs do not change while it does.
            Some(from) if last.is_none() || kept.is_none() => self.defaults(from)?,
            _ => kept,
        };
        let tree = self.tree_with(&snapshot, &known)?;
        let same = newest
            .as_ref()
            .filter(|g| g.tree().ok() == Some(tree) && g.defaults().ok() == Some(defaults))
            // Something of it was damaged, and has been written anew.
            .filter(|_| self.writer.is_none());
        if let Some(generation) =
            same.filter(|g| g.version == request.version && g.missing == request.missing)
        {
            let pack = self.medium.open(&gen_name(generation.id)).map_err(StoreError::io("read"))?.size();
            let synced = Synced {
                generation: generation.id,
                made: false,
                changes: Vec::new(),
                written_bytes: 0,
                skipped,
                index_changed: true,
            };
            let next = Index {
                generation: generation.id,
                pack,
                tree: Some(tree),
                begun,
                snapshot,
                stamps,
                ..Index::default()
            };
            return Ok((synced, next));
        }
        let (generation, pack) = self.record(tree, &snapshot, defaults, request)?;
        let id = generation.id;
        let changes = changes_in(&before, &snapshot, |dir| fresh.contains(dir));
        let synced =
            Synced { generation: id, made: true, changes, written_bytes: pack, skipped, index_changed: true };
        let next =
            Index { generation: id, pack, tree: Some(tree), begun, snapshot, stamps, ..Index::default() };
        Ok((synced, next))
    }

    /// Ends the pack with what the generation is. The size of the pack comes with it.
    pub(crate) fn record(
        &mut self,
        tree: Id,
        snapshot: &Snapshot,
        defaults: Option<Id>,
        request: &Request,
    ) -> Result<(Generation, u64), StoreError> {
        let id = self.open()?.next_id();
        let (files, bytes) = snapshot.size();
        let mut generation = Generation::new(id, tree, defaults);
        generation.time = request.now;
        generation.host.clone_from(&request.host);
        generation.version.clone_from(&request.version);
        generation.reason.clone_from(&request.reason);
        generation.parent = request.parent.or(self.open()?.generations().next_back().map(|g| g.id));
        generation.missing.clone_from(&request.missing);
        (generation.files, generation.bytes) = (files, bytes);
        let record = serde_json::to_vec(&generation).map_err(|e| StoreError::Io("written", e.into()))?;
        self.writer()?;
        let writer = self.writer.take().ok_or(StoreError::Gone)?;
        let pack = writer.finish(&record).map_err(StoreError::io("written"))?;
        note(self.medium, &self.names, id);
        clear(self.medium, &self.names);
        Ok((generation, pack))
    }
}

/// A file with the same content keeps the time that it had.
fn keep_times(snapshot: &mut Snapshot, before: &Snapshot, fresh: &BTreeSet<BoxPath>) {
    for dir in fresh {
        let (Some(old), Some(listing)) = (before.dirs.get(dir), snapshot.dirs.get_mut(dir)) else { continue };
        for (name, node) in &mut listing.nodes {
            if let Some(was) = old.nodes.get(name).filter(|was| was.same_but_time(node)) {
                node.mtime = was.mtime;
            }
        }
    }
}
