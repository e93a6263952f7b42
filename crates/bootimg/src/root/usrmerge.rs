//! Merged `/usr`: packages may still have `./bin/sh`, the tree has `usr/bin/sh` and a link `bin`.
use crate::deb::{Entry, Kind, TreePath};

/// Directories of the root that are links into `usr`.
pub(crate) const MERGED: &[&str] = &["bin", "lib", "lib32", "lib64", "libo32", "libx32", "sbin"];

/// Moves a path below `usr` if its first component is merged.
pub(crate) fn moved(path: &TreePath) -> Option<TreePath> {
    let first = path.as_str().split('/').next()?;
    MERGED.contains(&first).then(|| TreePath::parse(format!("usr/{path}").as_bytes()).ok())?
}

/// Moves an entry. A package's own link `bin` → `usr/bin` becomes the directory `usr/bin`: the link
/// itself is made once, for all.
pub(crate) fn place(entry: &mut Entry) {
    if let Some(path) = moved(&entry.path) {
        if let Kind::Symlink { target } = &entry.kind
            && MERGED.contains(&entry.path.as_str())
            && target.trim_start_matches('/') == path.as_str()
        {
            entry.kind = Kind::Dir;
            entry.mode = 0o755;
        }
        entry.path = path;
    }
    if let Kind::HardLink { target } = &mut entry.kind
        && let Some(path) = moved(target)
    {
        *target = path;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves() {
        let path = |text: &str| text.parse::<TreePath>().unwrap();
        assert_eq!(moved(&path("bin/sh")), Some(path("usr/bin/sh")));
        assert_eq!(moved(&path("binary")), None);
        assert_eq!(moved(&path("usr/bin/sh")), None);
        let mut link = Entry::new(path("lib64"), Kind::Symlink { target: "usr/lib64".to_owned() }, 0o777);
        place(&mut link);
        assert_eq!((link.path.as_str(), link.kind.is_dir()), ("usr/lib64", true));
    }
}
