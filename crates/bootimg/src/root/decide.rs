//! What becomes of each entry of a package.
use super::Filter;
use super::listing::Listing;
use crate::deb::{Entry, TreePath};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// Owner, mode and extended attributes that a maintainer script would have set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Attributes {
    /// Numeric owner.
    pub uid: u32,
    /// Numeric group.
    pub gid: u32,
    /// Permission bits with set-uid, set-gid and sticky.
    pub mode: u32,
    /// Extended attributes by full name.
    pub xattrs: BTreeMap<String, Vec<u8>>,
}

/// What is known before any package was looked at.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rules {
    pub(crate) filter: Filter,
    /// Paths of our own files, which win over packages.
    pub(crate) own: BTreeSet<TreePath>,
    pub(crate) attributes: BTreeMap<TreePath, Attributes>,
}

impl Rules {
    pub(crate) fn drops(&self, entry: &Entry) -> bool {
        self.own.contains(&entry.path) || !self.filter.keeps(&entry.path)
    }

    /// Decisions for a package that meets no other.
    pub(crate) fn guess(&self, listing: &Listing) -> Decisions {
        let mut decisions = Decisions::default();
        for entry in listing.entries.iter().filter(|e| !e.kind.is_dir()) {
            if self.drops(entry) {
                decisions.drop.insert(entry.path.clone());
            } else if let Some(attributes) = self.attributes.get(&entry.path) {
                decisions.attributes.insert(entry.path.clone(), attributes.clone());
            }
        }
        decisions
    }
}

/// What becomes of the entries of one package; directories are not its business.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Decisions {
    pub(crate) drop: BTreeSet<TreePath>,
    pub(crate) rename: BTreeMap<TreePath, TreePath>,
    pub(crate) attributes: BTreeMap<TreePath, Attributes>,
}

impl Decisions {
    /// Where an entry goes.
    pub(crate) fn place<'a>(&'a self, path: &'a TreePath) -> &'a TreePath {
        self.rename.get(path).unwrap_or(path)
    }

    /// A text that differs wherever the frames would, apart from the package itself.
    pub(crate) fn digest(&self, listing: &Listing, level: i32, epoch: i64) -> String {
        let newest = listing.entries.iter().map(|e| e.mtime).max().unwrap_or(0);
        let mut hash = Sha256::new();
        let zstd = zstd::zstd_safe::version_number();
        hash.update(format!("{} {level} {zstd} {}\n", super::FORMAT, newest.min(epoch)));
        for path in &self.drop {
            hash.update(format!("- {path}\n"));
        }
        for (from, to) in &self.rename {
            hash.update(format!("> {from}\n  {to}\n"));
        }
        for (path, a) in &self.attributes {
            hash.update(format!("@ {path} {} {} {} {:?}\n", a.uid, a.gid, a.mode, a.xattrs));
        }
        hex(hash.finalize().get(..12).unwrap_or(&[]))
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}
