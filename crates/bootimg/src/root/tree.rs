//! The merged tree.
use crate::deb::{Entry, Kind, TreePath};
use std::collections::BTreeMap;

/// One path of the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// What is there, as it will be unpacked.
    pub entry: Entry,
    /// The package that it comes from; `None` if it is ours.
    pub package: Option<String>,
    /// Its path in the package.
    pub(crate) origin: TreePath,
}

/// All paths of the root, directories included.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tree {
    pub(crate) nodes: BTreeMap<TreePath, Node>,
}

impl Tree {
    /// What is at a path.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&Node> {
        self.nodes.get(path)
    }

    /// Whether something is at a path, links followed; no leading slash.
    #[must_use]
    pub fn exists(&self, path: &str) -> bool {
        path.parse().is_ok_and(|path| self.resolve(&path, 0).is_some())
    }

    /// All paths in order: a directory comes before what is in it.
    pub fn iter(&self) -> impl Iterator<Item = (&TreePath, &Node)> {
        self.nodes.iter()
    }

    /// Names in a directory, with what is there.
    pub fn children<'a>(&'a self, dir: &'a str) -> impl Iterator<Item = (&'a str, &'a Node)> + 'a {
        let start = format!("{dir}/");
        let range = (std::ops::Bound::Included(start), std::ops::Bound::Unbounded);
        self.nodes
            .range::<str, _>((range.0.as_ref().map(String::as_str), range.1))
            .map_while(move |(path, node)| Some((path.below(dir)?, node)))
            .filter(|(name, _)| !name.contains('/'))
    }

    /// How many paths there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The path that a path means, links followed; `None` if nothing is there.
    pub(crate) fn resolve(&self, path: &TreePath, depth: u8) -> Option<TreePath> {
        if depth > 40 {
            return None;
        }
        let mut here = TreePath::default();
        let mut parts = path.as_str().split('/').filter(|p| !p.is_empty());
        while let Some(part) = parts.next() {
            here = here.join(part).ok()?;
            if let Some(merged) = super::usrmerge::moved(&here) {
                here = merged;
            }
            let node = self.nodes.get(&here)?;
            if let Kind::Symlink { target } = &node.entry.kind {
                let rest = parts.collect::<Vec<_>>().join("/");
                let target = here.follow(target)?;
                let whole = if rest.is_empty() { target } else { target.join(&rest).ok()? };
                return self.resolve(&whole, depth.saturating_add(1));
            }
        }
        Some(here)
    }
}
