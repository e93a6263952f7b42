//! One name in a directory, and the directory.
use crate::codec::{CodecError, Reader, put_bytes, put_number, put_signed};
use crate::{BoxPath, Id};
use std::collections::BTreeMap;

/// What a name is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeKind {
    /// A directory; its content stands under its own path in the [`Snapshot`].
    Dir,
    /// A file.
    File {
        /// Bytes.
        len: u64,
        /// Its content, in pieces of at most [`crate::CHUNK`] bytes.
        chunks: Vec<Id>,
        /// Files with the same number, from 1, are one file under several names; 0 stands alone.
        group: u64,
    },
    /// A symbolic link, and what it says.
    Link(Vec<u8>),
}

/// One name in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// What it is.
    pub kind: NodeKind,
    /// Permission bits (`0o7777`).
    pub mode: u32,
    /// The owner's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
    /// When a file's content was changed, in seconds since 1970, and nanoseconds. 0 for all others.
    pub mtime: (i64, u32),
}

impl Node {
    /// Whether it is the same but for its time.
    #[must_use]
    pub fn same_but_time(&self, other: &Self) -> bool {
        self.kind == other.kind && self.mode == other.mode && self.uid == other.uid && self.gid == other.gid
    }

    /// Whether it is a file whose content nobody but its owner may read.
    #[must_use]
    pub fn is_private(&self) -> bool {
        matches!(self.kind, NodeKind::File { .. }) && self.mode & 0o004 == 0
    }

    pub(crate) fn encode(&self, name: &[u8], out: &mut Vec<u8>) {
        put_bytes(out, name);
        out.push(match self.kind {
            NodeKind::Dir => 0,
            NodeKind::File { .. } => 1,
            NodeKind::Link(_) => 2,
        });
        [self.mode, self.uid, self.gid].iter().for_each(|n| put_number(out, u64::from(*n)));
        match &self.kind {
            NodeKind::Dir => {}
            NodeKind::Link(target) => put_bytes(out, target),
            NodeKind::File { len, chunks, group } => {
                put_signed(out, self.mtime.0);
                put_number(out, u64::from(self.mtime.1));
                put_number(out, *len);
                put_number(out, *group);
                put_number(out, chunks.len() as u64);
                chunks.iter().for_each(|id| out.extend_from_slice(&id.0));
            }
        }
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<(Vec<u8>, Self), CodecError> {
        let name = reader.bytes()?.to_vec();
        if name.is_empty() || name.contains(&b'/') || name.contains(&0) || name == b"." || name == b".." {
            return Err(reader.nonsense());
        }
        let kind = reader.byte()?;
        let (mode, uid, gid) = (reader.small()?, reader.small()?, reader.small()?);
        let mut mtime = (0, 0);
        let kind = match kind {
            0 => NodeKind::Dir,
            1 => {
                mtime = (reader.signed()?, reader.small()?);
                let (len, group) = (reader.number()?, reader.number()?);
                let mut chunks = Vec::new();
                for _ in 0..reader.count()? {
                    chunks.push(Id::from_slice(reader.take(32)?).ok_or(CodecError::Nonsense(0))?);
                }
                NodeKind::File { len, chunks, group }
            }
            2 => NodeKind::Link(reader.bytes()?.to_vec()),
            _ => return Err(reader.nonsense()),
        };
        Ok((name, Self { kind, mode, uid, gid, mtime }))
    }
}

/// Names in one directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// Whether everything in it is tracked: what is not here is not there. Of `/var` in the way to
    /// `/var/lib/scst` only the named ones are ours.
    pub whole: bool,
    /// What is in it, by name.
    pub nodes: BTreeMap<Vec<u8>, Node>,
}

/// All that is tracked, at one time: directories by path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Directories by path; that of the root is always there.
    pub dirs: BTreeMap<BoxPath, Listing>,
}

/// A directory in the list of a [`Snapshot`]: its path, whether it is whole, its listing as an object.
pub(crate) type DirRow = (BoxPath, bool, Id);

impl Snapshot {
    /// The node of a path; of the root there is none.
    #[must_use]
    pub fn get(&self, path: &BoxPath) -> Option<&Node> {
        let (dir, name) = path.split()?;
        self.dirs.get(&dir)?.nodes.get(name)
    }

    /// All paths with their nodes, directories before what is in them.
    pub fn iter(&self) -> impl Iterator<Item = (BoxPath, &Node)> {
        self.dirs
            .iter()
            .flat_map(|(dir, listing)| listing.nodes.iter().map(|(name, node)| (dir.join(name), node)))
    }

    /// How many files, and bytes in them.
    #[must_use]
    pub fn size(&self) -> (u64, u64) {
        let lens = self.dirs.values().flat_map(|d| d.nodes.values()).filter_map(|node| match node.kind {
            NodeKind::File { len, .. } => Some(len),
            _ => None,
        });
        lens.fold((0, 0), |(files, bytes), len| (files.saturating_add(1), bytes.saturating_add(len)))
    }

    /// Adds a node; directories above it are made where they are missing, not whole.
    pub fn insert(&mut self, path: &BoxPath, node: Node) {
        let Some((dir, name)) = path.split() else { return };
        if dir.split().is_some() && self.get(&dir).is_none() {
            let passage = Node { kind: NodeKind::Dir, mode: 0o755, uid: 0, gid: 0, mtime: (0, 0) };
            self.insert(&dir, passage);
        }
        if node.kind == NodeKind::Dir {
            self.dirs.entry(path.clone()).or_default();
        }
        self.dirs.entry(dir).or_default().nodes.insert(name.to_vec(), node);
    }

    /// Takes a node away, with everything below it.
    pub fn remove(&mut self, path: &BoxPath) {
        let Some((dir, name)) = path.split() else { return };
        if let Some(listing) = self.dirs.get_mut(&dir) {
            listing.nodes.remove(name);
        }
        self.dirs.retain(|dir, _| !dir.is_below(path));
    }
}

impl Listing {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.nodes.iter().for_each(|(name, node)| node.encode(name, &mut out));
        out
    }

    pub(crate) fn decode(whole: bool, bytes: &[u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        let mut nodes = BTreeMap::new();
        while !reader.is_empty() {
            let (name, node) = Node::decode(&mut reader)?;
            nodes.insert(name, node);
        }
        Ok(Self { whole, nodes })
    }
}

/// The object that a generation names: all directories.
pub(crate) fn encode_rows(rows: &[DirRow]) -> Vec<u8> {
    let mut out = Vec::new();
    for (path, whole, id) in rows {
        put_bytes(&mut out, path.as_bytes());
        out.push(u8::from(*whole));
        out.extend_from_slice(&id.0);
    }
    out
}

pub(crate) fn decode_rows(bytes: &[u8]) -> Result<Vec<DirRow>, CodecError> {
    let mut reader = Reader::new(bytes);
    let mut rows = Vec::new();
    while !reader.is_empty() {
        let path = BoxPath::new(reader.bytes()?).ok_or_else(|| reader.nonsense())?;
        let whole = reader.byte()? == 1;
        let id = Id::from_slice(reader.take(32)?).ok_or_else(|| reader.nonsense())?;
        rows.push((path, whole, id));
    }
    Ok(rows)
}
