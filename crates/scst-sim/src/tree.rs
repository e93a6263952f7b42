//! Directories, attributes and links, kept by path.
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Stands for a `/` inside a name, which sysfs cannot show.
pub(crate) const SLASH: char = '\u{1}';

/// One node of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Node {
    Dir,
    Link(String),
    Attr(Attr),
}

/// An attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attr {
    /// Permission bits.
    pub(crate) mode: u32,
    /// What a read gives: a text, or an error number.
    pub(crate) text: Result<String, i32>,
}

/// All nodes below a root that is itself no node. Directories are shared until one side changes, so that a
/// copy of a whole tree costs next to nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Tree {
    root: Arc<Below>,
}

/// What lies directly in a directory, by name.
type Below = BTreeMap<Box<str>, Slot>;

/// One name of a directory. A recording may name what lies below a directory and not the directory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Slot {
    node: Option<Node>,
    below: Arc<Below>,
}

pub(crate) fn join(dir: &str, name: &str) -> String {
    if dir.is_empty() { name.to_owned() } else { format!("{dir}/{name}") }
}

/// The directory and the name of a path.
pub(crate) fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

impl Tree {
    fn slot(&self, path: &str) -> Option<&Slot> {
        let mut parts = path.split('/');
        let mut slot = self.root.get(parts.next()?)?;
        for part in parts {
            slot = slot.below.get(part)?;
        }
        Some(slot)
    }

    fn slot_mut(&mut self, path: &str) -> Option<&mut Slot> {
        let mut parts = path.split('/');
        let mut slot = Arc::make_mut(&mut self.root).get_mut(parts.next()?)?;
        for part in parts {
            slot = Arc::make_mut(&mut slot.below).get_mut(part)?;
        }
        Some(slot)
    }

    pub(crate) fn get(&self, path: &str) -> Option<&Node> {
        self.slot(path)?.node.as_ref()
    }

    pub(crate) fn is_dir(&self, path: &str) -> bool {
        path.is_empty() || matches!(self.get(path), Some(Node::Dir))
    }

    pub(crate) fn exists(&self, path: &str) -> bool {
        path.is_empty() || self.get(path).is_some()
    }

    pub(crate) fn insert(&mut self, path: String, node: Node) {
        let mut below = Arc::make_mut(&mut self.root);
        let (dirs, name) = split(&path);
        for part in dirs.split('/').filter(|p| !p.is_empty()) {
            below = Arc::make_mut(&mut below.entry(part.into()).or_default().below);
        }
        below.entry(name.into()).or_default().node = Some(node);
    }

    pub(crate) fn dir(&mut self, path: &str) {
        self.insert(path.to_owned(), Node::Dir);
    }

    pub(crate) fn attr(&mut self, path: String, mode: u32, text: impl Into<String>) {
        self.insert(path, Node::Attr(Attr { mode, text: Ok(text.into()) }));
    }

    pub(crate) fn link(&mut self, path: String, target: String) {
        self.insert(path, Node::Link(target));
    }

    /// The text of an attribute, `""` where there is none.
    pub(crate) fn text(&self, path: &str) -> &str {
        match self.get(path) {
            Some(Node::Attr(Attr { text: Ok(text), .. })) => text,
            _ => "",
        }
    }

    /// The value of an attribute: its first line.
    pub(crate) fn value(&self, path: &str) -> &str {
        self.text(path).split('\n').next().unwrap_or("")
    }

    /// Replaces what a read of an attribute gives; nothing where there is no such attribute.
    pub(crate) fn set(&mut self, path: &str, text: impl Into<String>) {
        if let Some(Slot { node: Some(Node::Attr(attr)), .. }) = self.slot_mut(path) {
            attr.text = Ok(text.into());
        }
    }

    /// Removes a node and all below it.
    pub(crate) fn remove(&mut self, path: &str) {
        let (dir, name) = split(path);
        if dir.is_empty() {
            Arc::make_mut(&mut self.root).remove(name);
        } else if let Some(slot) = self.slot_mut(dir) {
            Arc::make_mut(&mut slot.below).remove(name);
        }
    }

    /// Names of the nodes of a directory with the nodes, sorted by name.
    pub(crate) fn children<'t>(&'t self, dir: &str) -> Vec<(&'t str, &'t Node)> {
        let below = if dir.is_empty() { Some(&self.root) } else { self.slot(dir).map(|s| &s.below) };
        let all = below.into_iter().flat_map(|b| b.iter());
        all.filter_map(|(name, slot)| Some((&**name, slot.node.as_ref()?))).collect()
    }

    /// Sub-directories of a directory.
    pub(crate) fn dirs(&self, dir: &str) -> Vec<String> {
        let dirs = self.children(dir).into_iter().filter(|(_, n)| **n == Node::Dir);
        dirs.map(|(name, _)| name.to_owned()).collect()
    }

    /// All nodes with their paths.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (String, &Node)> {
        let mut all = Vec::new();
        let mut open: Vec<(String, &Arc<Below>)> = vec![(String::new(), &self.root)];
        while let Some((dir, below)) = open.pop() {
            for (name, slot) in below.iter() {
                let path = join(&dir, name);
                if !slot.below.is_empty() {
                    open.push((path.clone(), &slot.below));
                }
                all.extend(slot.node.as_ref().map(|node| (path, node)));
            }
        }
        all.into_iter()
    }

    /// The path that a path leads to when every link on the way is followed.
    pub(crate) fn resolve<'p>(&self, path: &'p str) -> Cow<'p, str> {
        // Most paths have no link on the way.
        let mut below = &self.root;
        let mut clean = !path.starts_with('/') && !path.ends_with('/') && !path.contains("//");
        for part in path.split('/') {
            match below.get(part) {
                Some(Slot { node: Some(Node::Link(_)), .. }) => clean = false,
                Some(slot) => below = &slot.below,
                None => break,
            }
            if !clean {
                break;
            }
        }
        if clean {
            return Cow::Borrowed(path);
        }
        let mut at = String::new();
        for part in path.split('/').filter(|p| !p.is_empty()) {
            at = join(&at, part);
            if let Some(Node::Link(target)) = self.get(&at) {
                at = follow(&at, target);
            }
        }
        Cow::Owned(at)
    }
}

/// Where a link at a path leads, both within the tree.
pub(crate) fn follow(link: &str, target: &str) -> String {
    let mut parts: Vec<&str> = split(link).0.split('/').filter(|p| !p.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    parts.join("/")
}

/// The order in which the kernel lists a directory: by hash (`kernfs_name_hash` of 6.1).
pub(crate) fn listing_order(name: &str) -> u64 {
    let step = |hash: u64, c: u8| {
        let c = u64::from(c);
        hash.wrapping_add(c << 4).wrapping_add(c >> 4).wrapping_mul(11)
    };
    let hash = name.bytes().fold(0u64, |h, b| step(h, if b == 1 { b'/' } else { b }));
    let hash = hash.wrapping_mul(0x61C8_8646_80B5_83EB) >> 32;
    (hash & 0x7fff_ffff).clamp(2, 0x7fff_fffe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_are_direct_and_sorted() {
        let mut tree = Tree::default();
        for path in ["a", "a/x", "a/x/deep", "a-b", "a/y", "b"] {
            tree.dir(path);
        }
        let names = |dir| tree.children(dir).into_iter().map(|(n, _)| n).collect::<Vec<_>>();
        assert_eq!(names(""), ["a", "a-b", "b"]);
        assert_eq!(names("a"), ["x", "y"]);
    }

    #[test]
    fn links_are_followed_on_the_way() {
        let mut tree = Tree::default();
        tree.dir("targets/t");
        tree.link("groups/g/t".into(), "../../targets/t".into());
        assert_eq!(tree.resolve("groups/g/t/attr"), "targets/t/attr");
    }
}
