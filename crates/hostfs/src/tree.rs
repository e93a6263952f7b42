//! Links and whole directories.
use crate::{FileError, FileOp};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink as make_symlink};
use std::path::{Path, PathBuf};

/// Makes a symbolic link at `link` that says `target`.
///
/// # Errors
/// The errno of making it, `EEXIST` where something is there.
pub fn symlink(target: &Path, link: &Path) -> Result<(), FileError> {
    make_symlink(target, link).map_err(FileError::io(&link.to_string_lossy(), FileOp::Link))
}

/// What a symbolic link says.
///
/// # Errors
/// The errno of reading it, `EINVAL` where it is no link.
pub fn read_link(link: &Path) -> Result<PathBuf, FileError> {
    fs::read_link(link).map_err(FileError::io(&link.to_string_lossy(), FileOp::Read))
}

/// The path without links, `.` and `..`.
///
/// # Errors
/// The errno of following it.
pub fn real_path(path: &Path) -> Result<PathBuf, FileError> {
    fs::canonicalize(path).map_err(FileError::io(&path.to_string_lossy(), FileOp::Stat))
}

/// Sets the permission bits (`0o755`).
///
/// # Errors
/// The errno of chmod(2).
pub fn set_mode(path: &Path, mode: u32) -> Result<(), FileError> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .map_err(FileError::io(&path.to_string_lossy(), FileOp::Write))
}

/// Renames within one file system; what was at `to` is gone then.
///
/// # Errors
/// The errno of rename(2).
pub fn rename(from: &Path, to: &Path) -> Result<(), FileError> {
    fs::rename(from, to).map_err(FileError::io(&from.to_string_lossy(), FileOp::Replace))
}

/// Flushes a directory, so that files made, renamed or removed in it stay so when the power goes.
///
/// # Errors
/// The errno of opening or flushing it.
pub fn sync_dir(dir: &Path) -> Result<(), FileError> {
    let done = fs::File::open(dir).and_then(|d| d.sync_all());
    done.map_err(FileError::io(&dir.to_string_lossy(), FileOp::Sync))
}

/// Removes a directory with everything in it; links are not followed.
///
/// # Errors
/// The errno of the first thing that could not be removed.
pub fn remove_tree(dir: &Path) -> Result<(), FileError> {
    fs::remove_dir_all(dir).map_err(FileError::io(&dir.to_string_lossy(), FileOp::Remove))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TempDir;

    #[test]
    fn links_modes_and_trees() {
        let dir = TempDir::new("tree").unwrap();
        let (sub, link) = (dir.path().join("sub"), dir.path().join("l"));
        fs::create_dir(&sub).unwrap();
        fs::write(sub.join("f"), "x").unwrap();
        symlink(Path::new("sub/f"), &link).unwrap();
        assert_eq!(read_link(&link).unwrap(), Path::new("sub/f"));
        assert_eq!(real_path(&link).unwrap(), real_path(&sub.join("f")).unwrap());
        assert!(symlink(Path::new("x"), &link).is_err());
        set_mode(&sub.join("f"), 0o400).unwrap();
        assert_eq!(fs::metadata(sub.join("f")).unwrap().permissions().mode() & 0o777, 0o400);
        rename(&sub, &dir.path().join("sub2")).unwrap();
        sync_dir(dir.path()).unwrap();
        remove_tree(&dir.path().join("sub2")).unwrap();
        assert!(real_path(&link).unwrap_err().is_not_found());
    }
}
