//! A tree in memory.
use crate::{AttrError, AttrOp, AttrTree, Entry, Kind};
use nix::errno::Errno;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone)]
enum Node {
    Attr(String),
    Link(String),
}

/// A tree of plain values in memory: what is written is read back, nothing else happens.
#[derive(Debug, Clone, Default)]
pub struct MemTree {
    nodes: RefCell<BTreeMap<String, Node>>,
    dirs: BTreeSet<String>,
}

impl MemTree {
    /// An empty tree.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an attribute, and the directories above it.
    #[must_use]
    pub fn file(mut self, path: &str, value: &str) -> Self {
        self.parents(path);
        self.nodes.get_mut().insert(path.to_owned(), Node::Attr(value.to_owned()));
        self
    }

    /// Adds a symbolic link, and the directories above it.
    #[must_use]
    pub fn link(mut self, path: &str, target: &str) -> Self {
        self.parents(path);
        self.nodes.get_mut().insert(path.to_owned(), Node::Link(target.to_owned()));
        self
    }

    /// Adds a directory, and those above it.
    #[must_use]
    pub fn dir(mut self, path: &str) -> Self {
        self.parents(path);
        self.dirs.insert(path.to_owned());
        self
    }

    fn parents(&mut self, path: &str) {
        for (i, _) in path.match_indices('/') {
            self.dirs.extend(path.get(..i).map(str::to_owned));
        }
    }

    fn is_dir(&self, path: &str) -> bool {
        path.is_empty() || self.dirs.contains(path)
    }
}

impl AttrTree for MemTree {
    fn read(&self, path: &str) -> Result<String, AttrError> {
        let error = |errno: Errno| AttrError::new(path, AttrOp::Read, errno as i32);
        match self.nodes.borrow().get(path) {
            Some(Node::Attr(value)) => Ok(value.clone()),
            Some(Node::Link(_)) => Err(error(Errno::EINVAL)),
            None if self.is_dir(path) => Err(error(Errno::EISDIR)),
            None => Err(error(Errno::ENOENT)),
        }
    }

    fn write(&self, path: &str, value: &str) -> Result<(), AttrError> {
        match self.nodes.borrow_mut().get_mut(path) {
            Some(Node::Attr(old)) => {
                value.clone_into(old);
                Ok(())
            }
            _ => Err(AttrError::new(path, AttrOp::Write(value.to_owned()), Errno::ENOENT as i32)),
        }
    }

    fn list(&self, path: &str) -> Result<Vec<Entry>, AttrError> {
        if !self.is_dir(path) {
            return Err(AttrError::new(path, AttrOp::List, Errno::ENOENT as i32));
        }
        let prefix = if path.is_empty() { String::new() } else { format!("{path}/") };
        let child = |full: &str| {
            full.strip_prefix(&prefix).filter(|n| !n.is_empty() && !n.contains('/')).map(str::to_owned)
        };
        let dirs = self.dirs.iter().filter_map(|d| child(d)).map(|name| Entry { name, kind: Kind::Dir });
        let nodes = self.nodes.borrow();
        let files = nodes.iter().filter_map(|(full, node)| {
            let kind = if matches!(node, Node::Link(_)) { Kind::Link } else { Kind::Attr };
            child(full).map(|name| Entry { name, kind })
        });
        let mut entries: Vec<_> = dirs.chain(files).collect();
        entries.sort();
        Ok(entries)
    }

    fn read_link(&self, path: &str) -> Result<String, AttrError> {
        match self.nodes.borrow().get(path) {
            Some(Node::Link(target)) => Ok(target.clone()),
            Some(Node::Attr(_)) => Err(AttrError::new(path, AttrOp::ReadLink, Errno::EINVAL as i32)),
            None => Err(AttrError::new(path, AttrOp::ReadLink, Errno::ENOENT as i32)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_remembers_and_refuses() {
        let tree = MemTree::new().file("a/b", "1").link("a/l", "b").dir("empty");
        tree.write("a/b", "2").unwrap();
        assert_eq!(tree.read("a/b").unwrap(), "2");
        assert_eq!(tree.read("a").unwrap_err().errno_name(), "EISDIR");
        assert!(tree.write("a/c", "x").unwrap_err().is_not_found());
        assert_eq!(tree.list("").unwrap().len(), 2);
        assert_eq!(tree.list("empty").unwrap(), []);
    }
}
