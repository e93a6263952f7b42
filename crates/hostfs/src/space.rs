//! Room on a file system.
use crate::{FileError, FileOp};
use esos_units::Bytes;
use std::path::Path;

/// Room on a file system, by statvfs(3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// The whole file system.
    pub total: Bytes,
    /// Not used, what is kept back for root included.
    pub free: Bytes,
    /// What everybody may still use.
    pub available: Bytes,
    /// How many files it can hold; 0 where it has no such limit.
    pub inodes: u64,
    /// How many more files it can hold.
    pub free_inodes: u64,
    /// Whether it is mounted read-only.
    pub read_only: bool,
}

/// Room on the file system that holds a path.
///
/// # Errors
/// The errno of statvfs(3).
pub fn space(path: &Path) -> Result<Space, FileError> {
    let found = nix::sys::statvfs::statvfs(path)
        .map_err(|errno| FileError::new(&path.to_string_lossy(), FileOp::Stat, errno as i32))?;
    let unit = found.fragment_size();
    let bytes = |blocks: u64| Bytes::new(blocks.saturating_mul(unit));
    Ok(Space {
        total: bytes(found.blocks()),
        free: bytes(found.blocks_free()),
        available: bytes(found.blocks_available()),
        inodes: found.files(),
        free_inodes: found.files_free(),
        read_only: found.flags().contains(nix::sys::statvfs::FsFlags::ST_RDONLY),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_has_some() {
        let space = space(Path::new("/")).unwrap();
        assert!(space.total >= space.free && space.free >= space.available && space.total.get() > 0);
    }
}
