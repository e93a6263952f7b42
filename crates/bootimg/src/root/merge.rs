//! Many packages into one tree.
use super::RootError;
use super::decide::{Decisions, Rules};
use super::divert::{self, Diversion};
use super::listing::Listing;
use super::replaces::replaces;
use super::tree::{Node, Tree};
use crate::deb::{Entry, Kind, TreePath};
use std::collections::{BTreeMap, BTreeSet};

/// The tree, what becomes of each package's entries, and what was decided on the way.
#[derive(Debug, Default)]
pub(crate) struct Merged {
    pub(crate) tree: Tree,
    pub(crate) decisions: Vec<Decisions>,
    pub(crate) notes: Vec<String>,
}

/// One package with its listing, in the order of names.
pub(crate) struct Part<'a> {
    pub(crate) name: &'a str,
    pub(crate) version: &'a str,
    pub(crate) listing: &'a Listing,
}

/// Merges packages. Directories may be shared; `base-files` tells their owners and modes where it has
/// them, otherwise the first package by name does. A path of two packages belongs to the one that
/// `Replaces` the other; without that it is an error, as for dpkg. A path that leads through a link to a
/// directory is put where the link leads, as dpkg does. A file that another package diverts goes where
/// that package says.
pub(crate) fn merge(parts: &[Part<'_>], rules: &Rules, epoch: i64) -> Result<Merged, RootError> {
    let mut merged = Merged { decisions: vec![Decisions::default(); parts.len()], ..Merged::default() };
    let links = Links::new(parts, rules);
    let diversions = diversions(parts, &mut merged.notes);
    let mut owners: BTreeMap<TreePath, usize> = BTreeMap::new();
    let base = parts.iter().position(|p| p.name == "base-files");
    for at in base.into_iter().chain((0..parts.len()).filter(|at| Some(*at) != base)) {
        let Some(part) = parts.get(at) else { continue };
        for entry in &part.listing.entries {
            if !entry.kind.is_dir() && rules.drops(entry) {
                if rules.own.contains(&entry.path) {
                    merged.notes.push(format!("/{}: ours, not that of {}", entry.path, part.name));
                }
                decide(&mut merged, at, |d| d.drop.extend([entry.path.clone()]));
                continue;
            }
            let path = links.place(&entry.path).map_err(|through| RootError::NotADirectory {
                path: entry.path.clone(),
                package: part.name.to_owned(),
                kind: "symbolic link that leads nowhere",
                owner: links.owner(&through, parts).to_owned(),
                through,
            })?;
            if entry.kind.is_dir() && links.is_link(&path) {
                // A directory here, a link to a directory there: the link stays, as with dpkg.
                links.leads_to_directory(&path).map_err(|()| conflict(&path, part, entry, &links, parts))?;
                continue;
            }
            let aside = diversions.get(&path).filter(|d| d.by.as_deref() != Some(part.name));
            let path = match aside.filter(|_| !entry.kind.is_dir()) {
                Some(diversion) => {
                    let by = diversion.by.as_deref().unwrap_or("a local diversion");
                    merged
                        .notes
                        .push(format!("/{path} of {}: /{}, diverted by {by}", part.name, diversion.to));
                    decide(&mut merged, at, |d| {
                        d.rename.extend([(entry.path.clone(), diversion.to.clone())]);
                    });
                    diversion.to.clone()
                }
                None => path,
            };
            let mut placed = entry.clone();
            placed.path = path.clone();
            placed.mtime = placed.mtime.min(epoch);
            if let Some(a) = rules.attributes.get(&entry.path) {
                (placed.uid, placed.gid, placed.mode) = (a.uid, a.gid, a.mode);
                placed.xattrs.extend(a.xattrs.clone());
                if !entry.kind.is_dir() {
                    decide(&mut merged, at, |d| d.attributes.extend([(entry.path.clone(), a.clone())]));
                }
            }
            if aside.is_none() && !entry.kind.is_dir() && path != entry.path {
                merged.notes.push(format!("{}: /{} lies in /{path}, through a link", part.name, entry.path));
                decide(&mut merged, at, |d| d.rename.extend([(entry.path.clone(), path.clone())]));
            }
            let node =
                Node { entry: placed, package: Some(part.name.to_owned()), origin: entry.path.clone() };
            claim(&mut merged, &mut owners, parts, at, node)?;
        }
    }
    close(&mut merged.tree, rules, epoch)?;
    Ok(merged)
}

fn diversions(parts: &[Part<'_>], notes: &mut Vec<String>) -> BTreeMap<TreePath, Diversion> {
    let mut all = BTreeMap::new();
    for part in parts {
        let (found, unclear) = divert::read(part.name, &part.listing.preinst);
        notes.extend(unclear);
        all.extend(found);
    }
    all
}

fn decide(merged: &mut Merged, at: usize, change: impl FnOnce(&mut Decisions)) {
    if let Some(decisions) = merged.decisions.get_mut(at) {
        change(decisions);
    }
}

/// Puts a node into the tree, or settles whose the path is.
fn claim(
    merged: &mut Merged,
    owners: &mut BTreeMap<TreePath, usize>,
    parts: &[Part<'_>],
    at: usize,
    node: Node,
) -> Result<(), RootError> {
    let path = node.entry.path.clone();
    let Some(there) = merged.tree.nodes.get(&path) else {
        owners.insert(path.clone(), at);
        merged.tree.nodes.insert(path, node);
        return Ok(());
    };
    if there.entry.kind.is_dir() && node.entry.kind.is_dir() {
        let differs = (there.entry.mode, there.entry.uid, there.entry.gid)
            != (node.entry.mode, node.entry.uid, node.entry.gid);
        if differs {
            let (a, b) = (there.package.as_deref().unwrap_or(""), node.package.as_deref().unwrap_or(""));
            let (old, new) = (there.entry.mode, node.entry.mode);
            merged.notes.push(format!("/{path}: mode {old:o} as in {a}, not {new:o} as in {b}"));
        }
        return Ok(());
    }
    let before = owners.get(&path).copied().unwrap_or(at);
    let (Some(old), Some(new)) = (parts.get(before), parts.get(at)) else { return Ok(()) };
    let takes = |a: &Part<'_>, b: &Part<'_>| {
        a.listing.field("Replaces").is_some_and(|field| replaces(&field, b.name, b.version))
    };
    let files = !there.entry.kind.is_dir() && !node.entry.kind.is_dir();
    let (winner, loser, origin) = if files && before != at && takes(new, old) {
        (new, before, there.origin.clone())
    } else if files && before != at && takes(old, new) {
        (old, at, node.origin.clone())
    } else {
        return Err(RootError::Conflict {
            path,
            first: old.name.to_owned(),
            first_kind: there.entry.kind.word(),
            second: new.name.to_owned(),
            second_kind: node.entry.kind.word(),
        });
    };
    let lost = parts.get(loser).map_or("", |p| p.name);
    merged.notes.push(format!("/{path}: of {}, which replaces {lost}", winner.name));
    decide(merged, loser, |d| d.drop.extend([origin]));
    if loser == before {
        owners.insert(path.clone(), at);
        merged.tree.nodes.insert(path, node);
    }
    Ok(())
}

/// Adds directories that no package has, takes out empty ones that the filter does not want, and looks
/// that every path leads through directories only.
pub(crate) fn close(tree: &mut Tree, rules: &Rules, epoch: i64) -> Result<(), RootError> {
    let mut needed = BTreeSet::from([TreePath::default()]);
    for (path, node) in &tree.nodes {
        if node.entry.kind.is_dir() && !rules.filter.keeps(path) {
            continue;
        }
        let mut above = path.parent();
        while let Some(dir) = above {
            if let Some(found) = tree.nodes.get(&dir).filter(|n| !n.entry.kind.is_dir()) {
                return Err(RootError::NotADirectory {
                    path: path.clone(),
                    package: node.package.clone().unwrap_or_else(|| "ESOS".to_owned()),
                    kind: found.entry.kind.word(),
                    owner: found.package.clone().unwrap_or_else(|| "ESOS".to_owned()),
                    through: dir,
                });
            }
            above = dir.parent();
            if !needed.insert(dir) {
                break;
            }
        }
    }
    tree.nodes.retain(|path, n| !n.entry.kind.is_dir() || needed.contains(path) || rules.filter.keeps(path));
    for path in needed {
        tree.nodes.entry(path.clone()).or_insert_with(|| {
            let entry = Entry { mtime: epoch, ..Entry::new(path.clone(), Kind::Dir, 0o755) };
            Node { entry, package: None, origin: path }
        });
    }
    Ok(())
}

/// The symbolic links of all packages, to find out where paths lead.
struct Links<'a> {
    links: BTreeMap<&'a str, (&'a str, usize)>,
    dirs: BTreeSet<TreePath>,
}

impl<'a> Links<'a> {
    fn new(parts: &'a [Part<'_>], rules: &Rules) -> Self {
        let mut links = BTreeMap::new();
        let mut dirs = BTreeSet::new();
        for (at, part) in parts.iter().enumerate() {
            for entry in &part.listing.entries {
                match &entry.kind {
                    Kind::Symlink { target } if !rules.drops(entry) => {
                        links.entry(entry.path.as_str()).or_insert((target.as_str(), at));
                    }
                    Kind::Dir => dirs.extend([entry.path.clone()]),
                    _ => {}
                }
            }
        }
        Self { links, dirs }
    }

    fn is_link(&self, path: &TreePath) -> bool {
        self.links.contains_key(path.as_str())
    }

    fn owner<'p>(&self, path: &TreePath, parts: &'p [Part<'_>]) -> &'p str {
        self.links.get(path.as_str()).and_then(|(_, at)| parts.get(*at)).map_or("", |part| part.name)
    }

    /// Where a path lies when links among its directories are followed.
    fn place(&self, path: &TreePath) -> Result<TreePath, TreePath> {
        let mut path = path.clone();
        for _ in 0..40 {
            let Some((link, target, rest)) = self.first_link(&path) else { return Ok(path) };
            let led = link.follow(target).map(|t| super::usrmerge::moved(&t).unwrap_or(t));
            let Some(led) = led.filter(|t| self.dirs.contains(t) || self.links.contains_key(t.as_str()))
            else {
                return Err(link);
            };
            path = led.join(&rest).map_err(|_bad| link)?;
        }
        Err(path)
    }

    fn first_link(&self, path: &TreePath) -> Option<(TreePath, &'a str, String)> {
        let text = path.as_str();
        text.match_indices('/').find_map(|(at, _)| {
            let (above, rest) = (text.get(..at)?, text.get(at.saturating_add(1)..)?);
            let (target, _) = self.links.get(above)?;
            Some((above.parse().ok()?, *target, rest.to_owned()))
        })
    }

    fn leads_to_directory(&self, path: &TreePath) -> Result<(), ()> {
        let below = path.join("x").map_err(|_bad| ())?;
        self.place(&below).map(drop).map_err(|_through| ())
    }
}

fn conflict(
    path: &TreePath,
    part: &Part<'_>,
    entry: &Entry,
    links: &Links<'_>,
    parts: &[Part<'_>],
) -> RootError {
    RootError::Conflict {
        path: path.clone(),
        first: links.owner(path, parts).to_owned(),
        first_kind: "symbolic link",
        second: part.name.to_owned(),
        second_kind: entry.kind.word(),
    }
}
