//! From the box's files to a snapshot.
use crate::index::{Index, Stamp};
use crate::seam::{Kind, Stat, Tree};
use crate::{BoxPath, CHUNK, Id, Listing, Node, NodeKind, Snapshot, Tracked};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};

/// Something that was not kept, and why.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Skipped {
    /// The path.
    pub path: BoxPath,
    /// Why.
    pub why: String,
}

/// What a scan found.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    pub(crate) snapshot: Snapshot,
    pub(crate) stamps: BTreeMap<BoxPath, Vec<Option<Stamp>>>,
    /// Directories that are not word for word as the index had them. All others were moved out of the index.
    pub(crate) fresh: BTreeSet<BoxPath>,
    pub(crate) skipped: Vec<Skipped>,
    /// Whether a file had to be read, so that the next index knows more than this one.
    pub(crate) read: bool,
}

/// Takes each piece of a content that had to be read.
pub(crate) type Keep<'k> = dyn FnMut(Id, &[u8]) -> io::Result<()> + 'k;

/// One directory while it is looked at name by name: what the index has of it, and what was found so far.
#[derive(Default)]
struct Level {
    before: BTreeMap<Vec<u8>, (Node, Option<Stamp>)>,
    nodes: Vec<(Vec<u8>, Node)>,
    stamps: Vec<Option<Stamp>>,
}

impl Level {
    fn of(index: &Index, dir: &BoxPath) -> Self {
        let stamps = index.stamps.get(dir).map_or(&[][..], Vec::as_slice);
        let nodes = index.snapshot.dirs.get(dir).into_iter().flat_map(|listing| &listing.nodes);
        let with = |(at, (name, node)): (usize, (&Vec<u8>, &Node))| {
            (name.clone(), (node.clone(), stamps.get(at).copied().flatten()))
        };
        Self { before: nodes.enumerate().map(with).collect(), ..Self::default() }
    }
}

struct Walker<'a, 'k> {
    tree: &'a dyn Tree,
    tracked: &'a Tracked,
    index: &'a mut Index,
    /// Whether the index is of the same paths: then a directory that is as it was need not be looked at by name.
    same_paths: bool,
    keep: &'a mut Keep<'k>,
    groups: BTreeMap<(u64, u64), u64>,
    scan: Scan,
    buffer: Vec<u8>,
    /// The keeper failed: that ends the scan.
    failed: Option<io::Error>,
}

/// Looks at everything that is tracked. A piece that had to be read is handed to `keep`; an error of
/// `keep` ends the scan, an error of a file is told in [`Scan::skipped`]. Of the index is left what is not so any
/// more.
pub(crate) fn scan(
    tree: &dyn Tree,
    tracked: &Tracked,
    index: &mut Index,
    keep: &mut Keep<'_>,
) -> io::Result<Scan> {
    let same_paths = index.tracked == Some(tracked.id());
    let mut walker = Walker {
        tree,
        tracked,
        index,
        same_paths,
        keep,
        groups: BTreeMap::new(),
        scan: Scan::default(),
        buffer: Vec::new(),
        failed: None,
    };
    walker.scan.snapshot.dirs.insert(BoxPath::default(), Listing::default());
    walker.scan.fresh.insert(BoxPath::default());
    let mut stamps: BTreeMap<BoxPath, BTreeMap<Vec<u8>, Stamp>> = BTreeMap::new();
    for root in tracked.roots() {
        if let Some((dir, name, Some(stamp))) = walker.root(root) {
            stamps.entry(dir).or_default().insert(name, stamp);
        }
    }
    // Directories on the way hold more than one root.
    for (dir, found) in stamps {
        let names = walker.scan.snapshot.dirs.get(&dir).into_iter().flat_map(|listing| listing.nodes.keys());
        let all = names.map(|name| found.get(name).copied()).collect();
        walker.scan.stamps.insert(dir, all);
    }
    match walker.failed {
        Some(e) => Err(e),
        None => Ok(walker.scan),
    }
}

/// A snapshot of what is there now; everything is read, and each piece handed to `keep`.
///
/// # Errors
/// What `keep` says; what cannot be read of the box is told beside the snapshot.
pub fn observe(
    tree: &dyn Tree,
    tracked: &Tracked,
    keep: &mut dyn FnMut(Id, &[u8]) -> io::Result<()>,
) -> io::Result<(Snapshot, Vec<Skipped>)> {
    let scan = scan(tree, tracked, &mut Index::default(), keep)?;
    Ok((scan.snapshot, scan.skipped))
}

fn dir_node(stat: &Stat) -> Node {
    Node { kind: NodeKind::Dir, mode: stat.mode, uid: stat.uid, gid: stat.gid, mtime: (0, 0) }
}

impl Walker<'_, '_> {
    /// A root, in the directory that holds it. Its place there and, of a file, its stamp come back.
    fn root(&mut self, root: &BoxPath) -> Option<(BoxPath, Vec<u8>, Option<Stamp>)> {
        // Directories on the way, as they are.
        let mut above = Vec::new();
        let mut path = root.clone();
        while let Some((dir, _)) = path.split() {
            above.push(dir.clone());
            path = dir;
        }
        let stat = self.stat(root)?;
        for dir in above.into_iter().rev().filter(|d| d.split().is_some()) {
            if self.scan.snapshot.get(&dir).is_some() {
                continue;
            }
            let stat = self.stat(&dir)?;
            self.scan.snapshot.insert(&dir, dir_node(&stat));
            self.scan.fresh.insert(dir);
        }
        let (dir, name) = root.split()?;
        let mut level = Level::of(self.index, &dir);
        self.one(&dir, name.to_vec(), &stat, &mut level);
        self.scan.snapshot.dirs.entry(dir.clone()).or_default().nodes.extend(level.nodes);
        Some((dir, name.to_vec(), level.stamps.into_iter().next().flatten()))
    }

    fn stat(&mut self, path: &BoxPath) -> Option<Stat> {
        self.tree.stat(path).map_err(|e| self.skip(path, &e)).ok()
    }

    fn dir(&mut self, path: &BoxPath) {
        let mut names = match self.tree.list(path) {
            Ok(names) => names,
            Err(e) => return self.skip(path, &e),
        };
        names.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        if self.same_paths && self.is_as_before(path, &names) {
            return self.take_over(path);
        }
        let mut level = Level::of(self.index, path);
        level.nodes.reserve(names.len());
        for (name, stat) in names {
            if self.failed.is_some() {
                return;
            }
            self.one(path, name, &stat, &mut level);
        }
        // In order already, which is the cheapest way to fill a map.
        let nodes = level.nodes.into_iter().collect();
        self.scan.snapshot.dirs.insert(path.clone(), Listing { whole: true, nodes });
        self.scan.stamps.insert(path.clone(), level.stamps);
        self.scan.fresh.insert(path.clone());
    }

    /// Whether each name in a directory is as the index has it, and no other is there that would be kept.
    fn is_as_before(&self, path: &BoxPath, names: &[(Vec<u8>, Stat)]) -> bool {
        let (Some(before), Some(stamps)) = (self.index.snapshot.dirs.get(path), self.index.stamps.get(path))
        else {
            return false;
        };
        let mut known = before.nodes.iter().zip(stamps).peekable();
        for (name, stat) in names {
            let Some(((_, node), stamp)) = known.next_if(|((known, _), _)| *known == name) else {
                if self.tracked.leaves_out(&path.join(name)) {
                    continue;
                }
                return false;
            };
            let same = match (&node.kind, stat.kind) {
                (NodeKind::File { len, group: 0, .. }, Kind::File) => {
                    stat.links == 1
                        && (node.mode, node.uid, node.gid) == (stat.mode, stat.uid, stat.gid)
                        && self.is_as_seen(*len, stamp.as_ref(), stat)
                }
                (NodeKind::Dir, Kind::Dir) => *node == dir_node(stat),
                (NodeKind::Link(target), Kind::Link) => {
                    (node.uid, node.gid) == (stat.uid, stat.gid)
                        && self.tree.link(&path.join(name)).is_ok_and(|now| now == *target)
                }
                _ => false,
            };
            if !same {
                return false;
            }
        }
        before.whole && known.next().is_none()
    }

    /// Whether a file need not be read: what the kernel says of it is what it said when it was.
    fn is_as_seen(&self, len: u64, stamp: Option<&Stamp>, stat: &Stat) -> bool {
        stamp == Some(&Stamp::from(stat))
            && len == stat.len
            && stat.ctime.0 < self.index.begun.saturating_sub(1)
    }

    /// A directory as the index has it.
    fn take_over(&mut self, path: &BoxPath) {
        let Some(listing) = self.index.snapshot.dirs.remove(path) else { return };
        let below: Vec<BoxPath> = listing
            .nodes
            .iter()
            .filter(|(_, node)| node.kind == NodeKind::Dir)
            .map(|(name, _)| path.join(name))
            .collect();
        self.scan.snapshot.dirs.insert(path.clone(), listing);
        if let Some(stamps) = self.index.stamps.remove(path) {
            self.scan.stamps.insert(path.clone(), stamps);
        }
        below.iter().for_each(|dir| self.dir(dir));
    }

    fn one(&mut self, dir: &BoxPath, name: Vec<u8>, stat: &Stat, level: &mut Level) {
        let path = dir.join(&name);
        if self.tracked.leaves_out(&path) {
            return;
        }
        let (node, stamp) = match stat.kind {
            Kind::Dir => (dir_node(stat), None),
            Kind::Link => match self.tree.link(&path) {
                Ok(target) => {
                    let kind = NodeKind::Link(target);
                    (Node { kind, mode: 0o777, uid: stat.uid, gid: stat.gid, mtime: (0, 0) }, None)
                }
                Err(e) => return self.skip(&path, &e),
            },
            Kind::Other => {
                let why = "a device, socket or pipe".to_owned();
                return self.scan.skipped.push(Skipped { path, why });
            }
            Kind::File => match self.file(&path, stat, level.before.get(&name)) {
                Some(found) => found,
                None => return,
            },
        };
        let is_dir = node.kind == NodeKind::Dir;
        level.nodes.push((name, node));
        level.stamps.push(stamp);
        if is_dir {
            self.dir(&path);
        }
    }

    /// A file: as it was seen last where nothing of it has changed, or read.
    fn file(
        &mut self,
        path: &BoxPath,
        stat: &Stat,
        seen: Option<&(Node, Option<Stamp>)>,
    ) -> Option<(Node, Option<Stamp>)> {
        let before = seen.map(|(node, _)| node);
        let known = seen.and_then(|(node, stamp)| match &node.kind {
            NodeKind::File { len, chunks, .. } if self.is_as_seen(*len, stamp.as_ref(), stat) => {
                Some((chunks.clone(), *len))
            }
            _ => None,
        });
        let (chunks, len) = match known {
            Some(known) => known,
            None => match self.read(path) {
                Ok(read) => {
                    self.scan.read = true;
                    read
                }
                Err(e) => {
                    if self.failed.is_none() {
                        self.skip(path, &e);
                    }
                    // What cannot be read now stays as it was kept last.
                    let kept = before.filter(|_| e.kind() != io::ErrorKind::NotFound)?;
                    return Some((kept.clone(), None));
                }
            },
        };
        let group = if stat.links > 1 {
            let next = (self.groups.len() as u64).saturating_add(1);
            *self.groups.entry(stat.inode).or_insert(next)
        } else {
            0
        };
        let mut node = Node {
            kind: NodeKind::File { len, chunks, group },
            mode: stat.mode,
            uid: stat.uid,
            gid: stat.gid,
            mtime: stat.mtime,
        };
        // Written again with the same content: no reason for a generation.
        if let Some(before) = before.filter(|b| b.same_but_time(&node)) {
            node.mtime = before.mtime;
        }
        Some((node, Some(Stamp::from(stat))))
    }

    fn read(&mut self, path: &BoxPath) -> io::Result<(Vec<Id>, u64)> {
        let mut file = self.tree.open(path)?;
        let (mut chunks, mut len) = (Vec::new(), 0u64);
        loop {
            self.buffer.clear();
            let got = Read::take(&mut file, CHUNK as u64).read_to_end(&mut self.buffer)?;
            if got == 0 && !chunks.is_empty() {
                break;
            }
            if got > 0 {
                let id = Id::of(&self.buffer);
                if let Err(e) = (self.keep)(id, &self.buffer) {
                    self.failed = Some(e);
                    return Err(io::Error::other("the store failed"));
                }
                chunks.push(id);
                len = len.saturating_add(got as u64);
            }
            if got < CHUNK {
                break;
            }
        }
        Ok((chunks, len))
    }

    /// What is gone since its name was read is no finding.
    fn skip(&mut self, path: &BoxPath, error: &io::Error) {
        if error.kind() != io::ErrorKind::NotFound {
            self.scan.skipped.push(Skipped { path: path.clone(), why: error.to_string() });
        }
    }
}
