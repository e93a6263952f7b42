//! What is different between two states.
use crate::{BoxPath, NodeKind, Snapshot};
use serde::Serialize;
use std::fmt;

/// How a path differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// Its content, target or kind is another.
    Changed,
    /// Only its mode or owner is another.
    Meta,
}

/// One path that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The path.
    pub path: BoxPath,
    /// How.
    pub kind: ChangeKind,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.kind {
            ChangeKind::Added => '+',
            ChangeKind::Removed => '-',
            ChangeKind::Changed => '~',
            ChangeKind::Meta => 'm',
        };
        write!(f, "{sign} {}", self.path)
    }
}

/// What leads from one state to another, by path. Times alone are no difference.
#[must_use]
pub fn changes(from: &Snapshot, to: &Snapshot) -> Vec<Change> {
    changes_in(from, to, |_| true)
}

/// The same where only some directories of `to` can be others than those of `from`, and `from` has only what is not
/// so any more.
pub(crate) fn changes_in(from: &Snapshot, to: &Snapshot, fresh: impl Fn(&BoxPath) -> bool) -> Vec<Change> {
    let mut found = Vec::new();
    for (dir, listing) in to.dirs.iter().filter(|(dir, _)| fresh(dir)) {
        let before = from.dirs.get(dir);
        // Mostly nothing in a directory has changed.
        if before.is_some_and(|b| b.nodes == listing.nodes) {
            continue;
        }
        for (name, node) in &listing.nodes {
            let kind = match before.and_then(|b| b.nodes.get(name)) {
                None => ChangeKind::Added,
                Some(old) if old.same_but_time(node) => continue,
                Some(old) => match (&old.kind, &node.kind) {
                    (NodeKind::Dir, NodeKind::Dir) => ChangeKind::Meta,
                    (NodeKind::Link(a), NodeKind::Link(b)) if a == b => ChangeKind::Meta,
                    (NodeKind::File { chunks: a, .. }, NodeKind::File { chunks: b, .. }) if a == b => {
                        ChangeKind::Meta
                    }
                    _ => ChangeKind::Changed,
                },
            };
            found.push(Change { path: dir.join(name), kind });
        }
    }
    for (dir, listing) in &from.dirs {
        let after = to.dirs.get(dir);
        if after.is_some_and(|a| a.nodes == listing.nodes) {
            continue;
        }
        let gone = listing.nodes.keys().filter(|name| after.is_none_or(|a| !a.nodes.contains_key(*name)));
        found.extend(gone.map(|name| Change { path: dir.join(name), kind: ChangeKind::Removed }));
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// A unified diff of two texts, or `None` where one of them is no text.
#[must_use]
pub fn text_diff(from: &[u8], to: &[u8]) -> Option<String> {
    let text = |bytes: &[u8]| {
        let text = std::str::from_utf8(bytes).ok().filter(|t| !t.contains('\0'))?;
        Some(text.to_owned())
    };
    Some(diffy::create_patch(&text(from)?, &text(to)?).to_string())
}
