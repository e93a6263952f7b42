//! From the box's files to a snapshot.
use crate::index::{Index, Stamp};
use crate::seam::{Kind, Stat, Tree};
use crate::{BoxPath, CHUNK, Id, Listing, Node, NodeKind, Snapshot, Tracked};
use std::collections::BTreeMap;
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
    pub(crate) stamps: BTreeMap<BoxPath, BTreeMap<Vec<u8>, Stamp>>,
    pub(crate) skipped: Vec<Skipped>,
    /// Whether every node is as the index has it.
    pub(crate) untouched: bool,
    /// Whether a file had to be read, so that the next index knows more than this one.
    pub(crate) read: bool,
}

/// Takes each piece of a content that had to be read.
pub(crate) type Keep<'k> = dyn FnMut(Id, &[u8]) -> io::Result<()> + 'k;

/// One directory while it is looked at: what the index has of it, and what was found so far. Each is looked up once,
/// and not for every name in it.
struct Level<'a> {
    before: Option<&'a Listing>,
    seen: Option<&'a BTreeMap<Vec<u8>, Stamp>>,
    nodes: Vec<(Vec<u8>, Node)>,
    stamps: Vec<(Vec<u8>, Stamp)>,
}

impl<'a> Level<'a> {
    fn of(index: &'a Index, dir: &BoxPath) -> Self {
        let (before, seen) = (index.snapshot.dirs.get(dir), index.stamps.get(dir));
        Self { before, seen, nodes: Vec::new(), stamps: Vec::new() }
    }
}

struct Walker<'a, 'k> {
    tree: &'a dyn Tree,
    tracked: &'a Tracked,
    index: &'a Index,
    keep: &'a mut Keep<'k>,
    groups: BTreeMap<(u64, u64), u64>,
    scan: Scan,
    buffer: Vec<u8>,
    /// The keeper failed: that ends the scan.
    failed: Option<io::Error>,
}

/// Looks at everything that is tracked. A piece that had to be read is handed to `keep`; an error of
/// `keep` ends the scan, an error of a file is told in [`Scan::skipped`].
pub(crate) fn scan(
    tree: &dyn Tree,
    tracked: &Tracked,
    index: &Index,
    keep: &mut Keep<'_>,
) -> io::Result<Scan> {
    let mut walker = Walker {
        tree,
        tracked,
        index,
        keep,
        groups: BTreeMap::new(),
        scan: Scan { untouched: true, ..Scan::default() },
        buffer: Vec::new(),
        failed: None,
    };
    walker.scan.snapshot.dirs.insert(BoxPath::default(), Listing::default());
    for root in tracked.roots() {
        walker.root(root);
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
    let scan = scan(tree, tracked, &Index::default(), keep)?;
    Ok((scan.snapshot, scan.skipped))
}

fn dir_node(stat: &Stat) -> Node {
    Node { kind: NodeKind::Dir, mode: stat.mode, uid: stat.uid, gid: stat.gid, mtime: (0, 0) }
}

impl Walker<'_, '_> {
    fn root(&mut self, root: &BoxPath) {
        // Directories on the way, as they are.
        let mut above = Vec::new();
        let mut path = root.clone();
        while let Some((dir, _)) = path.split() {
            above.push(dir.clone());
            path = dir;
        }
        let stat = match self.tree.stat(root) {
            Ok(stat) => stat,
            Err(e) => return self.skip(root, &e),
        };
        for dir in above.into_iter().rev().filter(|d| d.split().is_some()) {
            if self.scan.snapshot.get(&dir).is_some() {
                continue;
            }
            match self.tree.stat(&dir) {
                Ok(stat) => self.scan.snapshot.insert(&dir, dir_node(&stat)),
                Err(e) => return self.skip(&dir, &e),
            }
        }
        let Some((dir, name)) = root.split() else { return };
        let mut level = Level::of(self.index, &dir);
        self.one(&dir, name.to_vec(), &stat, &mut level);
        self.scan.snapshot.dirs.entry(dir.clone()).or_default().nodes.extend(level.nodes);
        if !level.stamps.is_empty() {
            self.scan.stamps.entry(dir).or_default().extend(level.stamps);
        }
    }

    fn dir(&mut self, path: &BoxPath) {
        let mut names = match self.tree.list(path) {
            Ok(names) => names,
            Err(e) => return self.skip(path, &e),
        };
        names.sort_unstable_by(|a, b| a.0.cmp(&b.0));
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
        if !level.stamps.is_empty() {
            self.scan.stamps.insert(path.clone(), level.stamps.into_iter().collect());
        }
    }

    fn one(&mut self, dir: &BoxPath, name: Vec<u8>, stat: &Stat, level: &mut Level<'_>) {
        let path = dir.join(&name);
        if self.tracked.leaves_out(&path) {
            return;
        }
        let node = match stat.kind {
            Kind::Dir => dir_node(stat),
            Kind::Link => match self.tree.link(&path) {
                Ok(target) => Node {
                    kind: NodeKind::Link(target),
                    mode: 0o777,
                    uid: stat.uid,
                    gid: stat.gid,
                    mtime: (0, 0),
                },
                Err(e) => return self.skip(&path, &e),
            },
            Kind::Other => {
                let why = "a device, socket or pipe".to_owned();
                return self.scan.skipped.push(Skipped { path, why });
            }
            Kind::File => match self.file(&name, &path, stat, level) {
                Some(node) => node,
                None => return,
            },
        };
        let is_dir = node.kind == NodeKind::Dir;
        if self.scan.untouched && level.before.and_then(|l| l.nodes.get(&name)) != Some(&node) {
            self.scan.untouched = false;
        }
        level.nodes.push((name, node));
        if is_dir {
            self.dir(&path);
        }
    }

    /// A file: as it was seen last where nothing of it has changed, or read.
    fn file(&mut self, name: &[u8], path: &BoxPath, stat: &Stat, level: &mut Level<'_>) -> Option<Node> {
        let before = level.before.and_then(|l| l.nodes.get(name));
        let stamp = level.seen.and_then(|s| s.get(name));
        let seen = before.zip(stamp).filter(|(node, stamp)| {
            let NodeKind::File { len, .. } = node.kind else { return false };
            **stamp == Stamp::from(stat)
                && len == stat.len
                && stat.ctime.0 < self.index.begun.saturating_sub(1)
        });
        let (chunks, len) = match seen {
            Some((Node { kind: NodeKind::File { chunks, len, .. }, .. }, _)) => (chunks.clone(), *len),
            _ => match self.read(path) {
                Ok(read) => {
                    self.scan.read = true;
                    read
                }
                Err(e) => {
                    if self.failed.is_none() {
                        self.skip(path, &e);
                    }
                    // What cannot be read now stays as it was kept last.
                    return before.filter(|_| e.kind() != io::ErrorKind::NotFound).cloned();
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
        level.stamps.push((name.to_vec(), Stamp::from(stat)));
        Some(node)
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
