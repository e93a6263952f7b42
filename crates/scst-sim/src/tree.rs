//! Directories, attributes and links, kept by path.
use std::collections::BTreeMap;
use std::ops::Bound;

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

/// All nodes below a root that is itself not in the map.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Tree {
    nodes: BTreeMap<String, Node>,
}

pub(crate) fn join(dir: &str, name: &str) -> String {
    if dir.is_empty() { name.to_owned() } else { format!("{dir}/{name}") }
}

/// The directory and the name of a path.
pub(crate) fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

impl Tree {
    pub(crate) fn get(&self, path: &str) -> Option<&Node> {
        self.nodes.get(path)
    }

    pub(crate) fn is_dir(&self, path: &str) -> bool {
        path.is_empty() || matches!(self.get(path), Some(Node::Dir))
    }

    pub(crate) fn exists(&self, path: &str) -> bool {
        path.is_empty() || self.nodes.contains_key(path)
    }

    pub(crate) fn insert(&mut self, path: String, node: Node) {
        self.nodes.insert(path, node);
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
        if let Some(Node::Attr(attr)) = self.nodes.get_mut(path) {
            attr.text = Ok(text.into());
        }
    }

    /// Removes a node and all below it.
    pub(crate) fn remove(&mut self, path: &str) {
        self.nodes.remove(path);
        let prefix = format!("{path}/");
        let below: Vec<String> = self
            .nodes
            .range::<str, _>((Bound::Included(prefix.as_str()), Bound::Unbounded))
            .map(|(p, _)| p)
            .take_while(|p| p.starts_with(&prefix))
            .cloned()
            .collect();
        for path in below {
            self.nodes.remove(&path);
        }
    }

    /// Names of the nodes of a directory with the nodes, sorted by name; costs nothing for what lies
    /// deeper.
    pub(crate) fn children<'t>(&'t self, dir: &str) -> Vec<(&'t str, &'t Node)> {
        let prefix = if dir.is_empty() { String::new() } else { format!("{dir}/") };
        let mut children = Vec::new();
        let mut from = Bound::Included(prefix.clone());
        loop {
            let range = (from.as_ref().map(String::as_str), Bound::Unbounded);
            let Some((path, node)) = self.nodes.range::<str, _>(range).next() else { break };
            let Some(rest) = path.strip_prefix(&prefix) else { break };
            match rest.split_once('/') {
                // Something deeper whose directory was passed already: jump behind all of it.
                Some((name, _)) => from = Bound::Included(format!("{prefix}{name}0")),
                None => {
                    if !rest.is_empty() {
                        children.push((rest, node));
                    }
                    from = Bound::Excluded(path.clone());
                }
            }
        }
        children
    }

    /// Sub-directories of a directory.
    pub(crate) fn dirs(&self, dir: &str) -> Vec<String> {
        let dirs = self.children(dir).into_iter().filter(|(_, n)| **n == Node::Dir);
        dirs.map(|(name, _)| name.to_owned()).collect()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, &Node)> {
        self.nodes.iter()
    }

    /// The path that a path leads to when every link on the way is followed.
    pub(crate) fn resolve(&self, path: &str) -> String {
        let mut at = String::new();
        for part in path.split('/').filter(|p| !p.is_empty()) {
            at = join(&at, part);
            if let Some(Node::Link(target)) = self.get(&at) {
                at = follow(&at, target);
            }
        }
        at
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
