//! The old defaults, the new ones, and what the operator made of them.
use crate::{BoxPath, CHUNK, Change, ChangeKind, Id, Node, NodeKind, Snapshot, keyed};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// A longer file is not merged line by line.
const LONGEST: u64 = 4 << 20;

/// The three states, and where contents come from.
pub struct Sides<'s> {
    /// Defaults of the version that the generation was made on; unknown for an import.
    pub base: Option<&'s Snapshot>,
    /// The generation.
    pub ours: &'s Snapshot,
    /// Defaults of the version that runs: what is on the box before anything is restored.
    pub theirs: &'s Snapshot,
    /// The content of pieces; `None` where they cannot be had.
    pub content: &'s dyn Fn(&[Id]) -> Option<Vec<u8>>,
    /// The version that runs: new defaults that lost go to `/var/lib/esos/conflicts/VERSION`.
    pub version: &'s str,
}

impl std::fmt::Debug for Sides<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sides").field("version", &self.version).finish_non_exhaustive()
    }
}

/// A path that both sides changed, each in its own way. Ours stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Conflict {
    /// The path.
    pub path: BoxPath,
    /// What both did.
    pub what: String,
    /// Where the new default lies, if there is one.
    pub kept: Option<BoxPath>,
}

/// What came of it.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Merged {
    /// The state to be restored.
    pub snapshot: Snapshot,
    /// Contents that neither side has: merged texts, by the name of their piece.
    pub made: BTreeMap<Id, Vec<u8>>,
    /// New defaults that arrived.
    pub arrived: Vec<Change>,
    /// Files merged line by line.
    pub merged: Vec<BoxPath>,
    /// What could not be merged.
    pub conflicts: Vec<Conflict>,
}

fn same(a: Option<&Node>, b: Option<&Node>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => content_same(a, b) && (a.mode, a.uid, a.gid) == (b.mode, b.uid, b.gid),
        _ => false,
    }
}

fn content_same(a: &Node, b: &Node) -> bool {
    match (&a.kind, &b.kind) {
        // Which names belong to one file is no content.
        (NodeKind::File { chunks: a, .. }, NodeKind::File { chunks: b, .. }) => a == b,
        (a, b) => a == b,
    }
}

/// Merges, path by path: what only one side changed is taken; what both changed is merged line by line where it is
/// text; where that cannot be, ours stays, and the new default is kept beside and listed. Nothing of either
/// side is dropped in silence.
#[must_use]
pub fn merge(sides: &Sides<'_>) -> Merged {
    let mut merged = Merged::default();
    merged.snapshot.dirs.insert(BoxPath::default(), crate::Listing::default());
    let none = Snapshot::default();
    let base = sides.base.unwrap_or(&none);
    let paths: BTreeSet<BoxPath> =
        sides.ours.iter().chain(sides.theirs.iter()).map(|(path, _)| path).collect();
    let mut lost = Vec::new();
    for path in &paths {
        let (was, own, new) = (base.get(path), sides.ours.get(path), sides.theirs.get(path));
        let chosen = if same(own, new) {
            own.cloned()
        } else if sides.base.is_none() {
            // Without a base nobody knows who changed what: ours, and what only the new version has.
            own.or(new).cloned()
        } else if same(own, was) {
            new.cloned()
        } else if same(new, was) {
            own.cloned()
        } else {
            clash(sides, path, [was, own, new], &mut merged, &mut lost)
        };
        if !same(chosen.as_ref(), own) {
            let kind = match (own, &chosen) {
                (None, _) => ChangeKind::Added,
                (_, None) => ChangeKind::Removed,
                _ => ChangeKind::Changed,
            };
            if !merged.merged.contains(path) {
                merged.arrived.push(Change { path: path.clone(), kind });
            }
        }
        // A directory that one side dropped stays for what the other side has in it.
        let Some(node) = chosen else { continue };
        merged.snapshot.insert(path, node);
    }
    for (path, node) in lost {
        merged.snapshot.insert(&path, node);
    }
    for (path, listing) in &mut merged.snapshot.dirs {
        let whole = |side: &Snapshot| side.dirs.get(path).is_some_and(|l| l.whole);
        listing.whole = whole(sides.ours) || whole(sides.theirs);
    }
    merged
}

/// Both changed it. Which node stays.
fn clash(
    sides: &Sides<'_>,
    path: &BoxPath,
    [was, own, new]: [Option<&Node>; 3],
    merged: &mut Merged,
    lost: &mut Vec<(BoxPath, Node)>,
) -> Option<Node> {
    let mut conflict = |what: &str| {
        let kept =
            new.filter(|n| matches!(n.kind, NodeKind::File { .. } | NodeKind::Link(_))).and_then(|node| {
                let place =
                    BoxPath::new(format!("/var/lib/esos/conflicts/{}", sides.version.replace('/', "_")))?;
                let place = BoxPath::new([place.as_bytes(), path.as_bytes()].concat())?;
                lost.push((place.clone(), node.clone()));
                Some(place)
            });
        merged.conflicts.push(Conflict { path: path.clone(), what: what.to_owned(), kept });
    };
    let (Some(own), Some(new)) = (own, new) else {
        conflict(if own.is_none() {
            "removed here; the new version changes it"
        } else {
            "changed here; the new version does not have it any more"
        });
        return own.cloned();
    };
    let mut node = own.clone();
    // Mode and owner each go by who changed them.
    if let Some(was) = was {
        if own.mode == was.mode {
            node.mode = new.mode;
        }
        if (own.uid, own.gid) == (was.uid, was.gid) {
            (node.uid, node.gid) = (new.uid, new.gid);
        }
        if content_same(own, new) || content_same(new, was) {
            return Some(node);
        }
        if content_same(own, was) {
            node.kind = new.kind.clone();
            node.mtime = new.mtime;
            return Some(node);
        }
    } else if content_same(own, new) {
        return Some(node);
    }
    let text = |node: &Node| match &node.kind {
        NodeKind::File { chunks, len, .. } if *len <= LONGEST => {
            String::from_utf8((sides.content)(chunks)?).ok().filter(|t| !t.contains('\0'))
        }
        _ => None,
    };
    let before = was.map_or(Some(String::new()), text);
    let (Some(before), Some(ours), Some(theirs)) = (before, text(own), text(new)) else {
        conflict("changed here and by the new version");
        return Some(node);
    };
    let (result, clean) = if keyed::is_keyed(path.as_bytes()) {
        let (result, both) = keyed::merge(&before, &ours, &theirs);
        if !both.is_empty() {
            conflict(&format!("changed here and by the new version: {}", both.join(", ")));
        }
        (result, true)
    } else {
        match diffy::merge(&before, &ours, &theirs) {
            Ok(result) => (result, true),
            Err(_marked) => (String::new(), false),
        }
    };
    if !clean {
        conflict("the same lines were changed here and by the new version");
        return Some(node);
    }
    let pieces: Vec<(Id, Vec<u8>)> =
        result.as_bytes().chunks(CHUNK).map(|p| (Id::of(p), p.to_vec())).collect();
    node.kind = NodeKind::File {
        len: result.len() as u64,
        chunks: pieces.iter().map(|(id, _)| *id).collect(),
        group: 0,
    };
    merged.made.extend(pieces);
    merged.merged.push(path.clone());
    Some(node)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::MemBox;
    use crate::{Tracked, scan};

    type Files<'f> = &'f [(&'f str, &'f str)];

    fn side(files: Files<'_>, contents: &mut BTreeMap<Id, Vec<u8>>) -> Snapshot {
        let mem = MemBox::new();
        files.iter().for_each(|(path, text)| mem.write(path, text.as_bytes(), 0o644));
        let mut keep = |id: Id, piece: &[u8]| {
            contents.insert(id, piece.to_vec());
            Ok(())
        };
        scan::observe(&mem, &Tracked::default(), &mut keep).unwrap().0
    }

    fn check(
        base: Option<Files<'_>>,
        ours: Files<'_>,
        theirs: Files<'_>,
        expected: Files<'_>,
        conflicts: &[&str],
    ) {
        let mut contents = BTreeMap::new();
        let base = base.map(|files| side(files, &mut contents));
        let (ours, theirs) = (side(ours, &mut contents), side(theirs, &mut contents));
        let content = |ids: &[Id]| {
            let pieces: Option<Vec<_>> = ids.iter().map(|id| contents.get(id).cloned()).collect();
            Some(pieces?.concat())
        };
        let sides =
            Sides { base: base.as_ref(), ours: &ours, theirs: &theirs, content: &content, version: "2" };
        let merged = merge(&sides);
        let mut found = Vec::new();
        for (path, node) in merged.snapshot.iter() {
            let NodeKind::File { chunks, .. } = &node.kind else { continue };
            let bytes: Vec<u8> = chunks
                .iter()
                .flat_map(|id| merged.made.get(id).or(contents.get(id)).unwrap().clone())
                .collect();
            found.push((path.to_string(), String::from_utf8(bytes).unwrap()));
        }
        let found: Vec<(&str, &str)> = found.iter().map(|(p, t)| (p.as_str(), t.as_str())).collect();
        assert_eq!(found, expected);
        let paths: Vec<String> = merged.conflicts.iter().map(|c| c.path.to_string()).collect();
        assert_eq!(paths, conflicts);
    }

    #[test]
    fn who_changed_it_wins() {
        let base: Files<'_> = &[("/etc/a", "1"), ("/etc/b", "1"), ("/etc/c", "1"), ("/etc/d", "1")];
        check(
            Some(base),
            &[("/etc/a", "2"), ("/etc/b", "1"), ("/etc/d", "1"), ("/etc/own", "x")],
            &[("/etc/a", "1"), ("/etc/b", "3"), ("/etc/c", "1"), ("/etc/new", "y")],
            &[("/etc/a", "2"), ("/etc/b", "3"), ("/etc/new", "y"), ("/etc/own", "x")],
            &[],
        );
    }

    #[test]
    fn lines_of_both() {
        let base: Files<'_> = &[("/etc/f", "1\n2\n3\n4\n5\n6\n7\n")];
        let ours: Files<'_> = &[("/etc/f", "one\n2\n3\n4\n5\n6\n7\n")];
        check(
            Some(base),
            ours,
            &[("/etc/f", "1\n2\n3\n4\n5\n6\nseven\n")],
            &[("/etc/f", "one\n2\n3\n4\n5\n6\nseven\n")],
            &[],
        );
    }

    #[test]
    fn a_conflict_keeps_ours_and_the_new_default_beside() {
        let base: Files<'_> = &[("/etc/f", "1\n"), ("/etc/g", "1\n"), ("/etc/h", "1\n")];
        check(
            Some(base),
            &[("/etc/f", "ours\n"), ("/etc/h", "ours\n")],
            &[("/etc/f", "theirs\n"), ("/etc/g", "theirs\n")],
            &[
                ("/etc/f", "ours\n"),
                ("/etc/h", "ours\n"),
                ("/var/lib/esos/conflicts/2/etc/f", "theirs\n"),
                ("/var/lib/esos/conflicts/2/etc/g", "theirs\n"),
            ],
            &["/etc/f", "/etc/g", "/etc/h"],
        );
    }

    #[test]
    fn without_a_base_ours_and_what_is_new() {
        check(
            None,
            &[("/etc/a", "ours")],
            &[("/etc/a", "theirs"), ("/etc/n", "new")],
            &[("/etc/a", "ours"), ("/etc/n", "new")],
            &[],
        );
    }
}
