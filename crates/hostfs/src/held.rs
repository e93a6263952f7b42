//! Names that the kernel does not forget.
use nix::fcntl::OFlag;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Holds names in the kernel's memory, with the directories on their way, until it is dropped. An overlay asks all its
/// layers for a name that the kernel has forgotten, also those on a disk that is gone
/// (`Documentation/filesystems/overlayfs.rst`, "Directories").
#[derive(Debug)]
pub struct Held(Vec<File>);

impl Held {
    /// Those of the paths that are there; links themselves, not what they lead to.
    pub fn these<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> Self {
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW;
        let open =
            |path: P| OpenOptions::new().read(true).custom_flags(flags.bits()).open(path.as_ref()).ok();
        Self(paths.into_iter().filter_map(open).collect())
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn what_is_there_is_held_and_links_are_themselves() {
        let dir = crate::TempDir::new("held").unwrap();
        let [file, link, none] = ["file", "link", "none"].map(|name| dir.path().join(name));
        // Nobody may read it, and it is held.
        fs::write(&file, "x").unwrap();
        fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o000)).unwrap();
        std::os::unix::fs::symlink("nowhere", &link).unwrap();
        let held = Held::these([&file, &link, &none]);
        assert!(held.len() == 2 && !held.is_empty());
        let inode = |path| fs::symlink_metadata(path).unwrap().ino();
        let inodes: Vec<u64> = held.0.iter().map(|f| f.metadata().unwrap().ino()).collect();
        assert_eq!(inodes, [inode(&file), inode(&link)]);
        assert!(Held::these(Vec::<String>::new()).is_empty());
    }
}
