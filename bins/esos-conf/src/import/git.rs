//! `/etc` of the original: the newest commit of a bare repository. It is read here and not by git, which a box does
//! not have: with Perl and all that it needs it would be a tenth of the root image.
mod objects;

use crate::import::Taken;
use esos_confsync::{BoxPath, Node, NodeKind};
use objects::{Kind, Objects, Oid, hex, oid};
use std::path::Path;

type Error = Box<dyn std::error::Error>;

/// Directories of a configuration are not deeper; a tree that holds itself ends here.
const DEEPEST: usize = 64;

/// Takes the newest commit in. What of it is damaged is told, and the rest is taken.
pub(crate) fn take(repository: &Path, taken: &mut Taken<'_, '_>) -> Result<(), Error> {
    let objects = Objects::open(repository);
    let commit = objects.get(&objects.head()?, Kind::Commit)?;
    let commit = String::from_utf8_lossy(&commit).into_owned();
    let line = |word: &str| commit.lines().take_while(|l| !l.is_empty()).find_map(|l| l.strip_prefix(word));
    let tree = line("tree ").and_then(oid).ok_or("the commit names no tree")?;
    // git keeps no times; that of the commit stands for all.
    let time = line("committer ").and_then(|l| l.rsplit(' ').nth(1)?.parse().ok()).unwrap_or(0);
    walk(&objects, &tree, &BoxPath::new("/etc").unwrap_or_default(), time, 0, taken)
}

/// A damaged listing costs what is in it, and nothing else.
fn walk(
    objects: &Objects,
    tree: &Oid,
    dir: &BoxPath,
    time: i64,
    depth: usize,
    taken: &mut Taken<'_, '_>,
) -> Result<(), Error> {
    let listing = objects.get(tree, Kind::Tree).and_then(|data| rows(&data, tree));
    let listing = match listing {
        Ok(_) if depth > DEEPEST => Err("its directories have no end".to_owned()),
        listing => listing,
    };
    let listing = match listing {
        Ok(listing) => listing,
        Err(e) => {
            taken.missing.push(format!("{dir}/ with all that is in it: {e}"));
            return Ok(());
        }
    };
    taken.add(dir, dir_node());
    for (mode, name, id) in listing {
        let path = dir.join(&name);
        match mode.as_str() {
            "40000" => walk(objects, &id, &path, time, depth.saturating_add(1), taken)?,
            "160000" => taken.missing.push(format!("{path}: another repository in this one")),
            _ => match objects.get(&id, Kind::Blob) {
                Err(e) => taken.missing.push(format!("{path}: {e}")),
                Ok(data) if mode == "120000" => {
                    taken.add(&path, Node { kind: NodeKind::Link(data), mode: 0o777, ..dir_node() });
                }
                Ok(data) => {
                    let node =
                        Node { mode: permissions(&path, mode == "100755"), mtime: (time, 0), ..dir_node() };
                    taken.file(&path, &node, &mut &data[..]).map_err(|e| e.message().to_owned())?;
                    taken.learn(&path, &data);
                }
            },
        }
    }
    Ok(())
}

/// The rows of a tree: mode, name, object.
fn rows(data: &[u8], tree: &Oid) -> Result<Vec<(String, Vec<u8>, Oid)>, String> {
    let nonsense = || format!("tree {} makes no sense", hex(tree));
    let (mut rows, mut rest) = (Vec::new(), data);
    while !rest.is_empty() {
        let end = rest.iter().position(|b| *b == 0).ok_or_else(nonsense)?;
        let (head, tail) = rest.split_at_checked(end).ok_or_else(nonsense)?;
        let space = head.iter().position(|b| *b == b' ').ok_or_else(nonsense)?;
        let (mode, name) = head.split_at_checked(space).ok_or_else(nonsense)?;
        let name = name.get(1..).unwrap_or_default();
        let id = tail.get(1..21).and_then(|id| Oid::try_from(id).ok()).ok_or_else(nonsense)?;
        if name.is_empty() || name == b"." || name == b".." || name.contains(&b'/') {
            return Err(nonsense());
        }
        rows.push((String::from_utf8_lossy(mode).into_owned(), name.to_vec(), id));
        rest = tail.get(21..).unwrap_or_default();
    }
    Ok(rows)
}

fn dir_node() -> Node {
    Node { kind: NodeKind::Dir, mode: 0o755, uid: 0, gid: 0, mtime: (0, 0) }
}

/// git keeps only whether a file can be run. What holds secrets is closed, whatever it was.
fn permissions(path: &BoxPath, run: bool) -> u32 {
    let text = path.to_string();
    let secret =
        ["shadow", "_key", "authkey", "keyring", "ssmtp", "msmtprc", "secret", "scst.conf", "iscsid.conf"];
    let closed = !text.ends_with(".pub") && secret.iter().any(|s| text.contains(s));
    match (closed, run) {
        (true, _) => 0o600,
        (false, true) => 0o755,
        (false, false) => 0o644,
    }
}
