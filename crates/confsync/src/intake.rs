//! A generation from elsewhere: an archive, another stick.
use crate::generation::Generation;
use crate::seam::Medium;
use crate::store::StoreError;
use crate::sync::{Request, Work};
use crate::{BoxPath, CHUNK, Id, Listing, Node, NodeKind, Snapshot};
use std::collections::BTreeMap;
use std::io::{self, Read};

/// Why something could not be taken in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IntakeError {
    /// The source cannot be read; the rest can still be taken in.
    #[error("the source cannot be read")]
    Source(#[source] io::Error),
    /// The store cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A generation that is put together from elsewhere, name by name. Contents go straight to the medium.
pub struct Intake<'m> {
    work: Work<'m>,
    snapshot: Snapshot,
    groups: BTreeMap<BoxPath, u64>,
    next: u64,
}

impl std::fmt::Debug for Intake<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Intake").field("names", &self.snapshot.iter().count()).finish_non_exhaustive()
    }
}

impl<'m> Intake<'m> {
    /// With nothing in it.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn new(medium: &'m dyn Medium) -> Result<Self, StoreError> {
        let mut snapshot = Snapshot::default();
        snapshot.dirs.insert(BoxPath::default(), Listing::default());
        Ok(Self { work: Work::new(medium)?, snapshot, groups: BTreeMap::new(), next: 0 })
    }

    /// What it has so far.
    #[must_use]
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Adds a directory or a symbolic link.
    pub fn add(&mut self, path: &BoxPath, node: Node) {
        if node.kind != NodeKind::Dir {
            self.snapshot.remove(path);
        }
        self.snapshot.insert(path, node);
    }

    /// Adds a file: mode, owner and time of `node`, the content as it is read.
    ///
    /// # Errors
    /// The content cannot be read, and nothing is added then; or the store not be written.
    pub fn file(&mut self, path: &BoxPath, node: &Node, content: &mut dyn Read) -> Result<(), IntakeError> {
        let (mut chunks, mut len, mut piece) = (Vec::new(), 0u64, Vec::new());
        loop {
            piece.clear();
            let got = content.take(CHUNK as u64).read_to_end(&mut piece).map_err(IntakeError::Source)?;
            if got > 0 {
                let id = Id::of(&piece);
                self.work.keep_piece(id, &piece)?;
                chunks.push(id);
                len = len.saturating_add(got as u64);
            }
            if got < CHUNK {
                break;
            }
        }
        let node = Node { kind: NodeKind::File { len, chunks, group: 0 }, ..node.clone() };
        self.add(path, node);
        Ok(())
    }

    /// Adds a further name of a file. Whether that file is there.
    pub fn same(&mut self, path: &BoxPath, first: &BoxPath) -> bool {
        let Some(mut node) = self.snapshot.get(first).cloned() else { return false };
        let NodeKind::File { group, .. } = &mut node.kind else { return false };
        if *group == 0 {
            let next = self.next.saturating_add(1);
            self.next = *self.groups.entry(first.clone()).or_insert(next);
            *group = self.next;
            self.snapshot.insert(first, node.clone());
        }
        self.add(path, node);
        true
    }

    /// Changes mode and owner of what is there. Whether it is.
    pub fn meta(&mut self, path: &BoxPath, change: impl FnOnce(&mut Node)) -> bool {
        let Some(mut node) = self.snapshot.get(path).cloned() else { return false };
        change(&mut node);
        self.snapshot.insert(path, node);
        true
    }

    /// Makes a generation of it.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn finish(self, request: &Request) -> Result<Generation, StoreError> {
        let Self { mut work, snapshot, .. } = self;
        let tree = work.tree(&snapshot)?;
        work.record(tree, &snapshot, None, request).map(|(generation, _)| generation)
    }
}
