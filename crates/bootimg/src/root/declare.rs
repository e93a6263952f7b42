//! What maintainer scripts would have done, said instead of run.
use super::{Attributes, Own, Prepared, RootError};
use crate::deb::TreePath;
use std::collections::BTreeMap;

/// Why what packages declare does not fit together.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeclareError {}

/// Entries that stand for what scripts would have made.
#[derive(Debug, Default)]
pub(crate) struct Declared {
    pub(crate) own: Vec<Own>,
    pub(crate) notes: Vec<String>,
}

/// Owners, modes and capabilities that scripts give to files of packages.
pub(crate) fn attributes() -> BTreeMap<TreePath, Attributes> {
    BTreeMap::new()
}

pub(crate) fn declare(root: &Prepared<'_>) -> Result<Declared, RootError> {
    let mut declared = Declared::default();
    for name in super::usrmerge::MERGED {
        if root.tree().get(&format!("usr/{name}")).is_some() {
            declared.own.push(Own::link(name, &format!("usr/{name}"))?);
        }
    }
    Ok(declared)
}
