//! Files in memory.
use crate::{FileError, FileKind, FileOp, Files, Meta};
use nix::errno::Errno;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone, Default)]
struct State {
    files: BTreeMap<String, (Vec<u8>, u32)>,
    dirs: BTreeSet<String>,
    refuse: Option<(u64, i32)>,
    changes: u64,
}

/// Files in memory. Its clock stands still at 0; the n-th change can be made to fail.
#[derive(Debug, Clone, Default)]
pub struct MemFiles {
    state: RefCell<State>,
}

impl MemFiles {
    /// No files.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file with mode 0644 and the directories above it.
    #[must_use]
    pub fn file(self, path: &str, bytes: impl AsRef<[u8]>) -> Self {
        let path = norm(path);
        {
            let mut state = self.state.borrow_mut();
            parents(&mut state.dirs, &path);
            state.files.insert(path, (bytes.as_ref().to_vec(), 0o644));
        }
        self
    }

    /// Makes the n-th change from now on (from 0) fail with an error number, once.
    pub fn refuse(&self, nth: u64, errno: i32) {
        let mut state = self.state.borrow_mut();
        state.refuse = Some((state.changes.saturating_add(nth), errno));
    }

    /// How many changes were tried so far.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.state.borrow().changes
    }
}

fn norm(path: &str) -> String {
    format!("/{}", path.split('/').filter(|p| !p.is_empty() && *p != ".").collect::<Vec<_>>().join("/"))
}

fn parents(dirs: &mut BTreeSet<String>, path: &str) {
    for (i, _) in path.match_indices('/').skip(1) {
        dirs.extend(path.get(..i).map(str::to_owned));
    }
}

impl State {
    fn change(&mut self, path: &str, op: FileOp) -> Result<(), FileError> {
        let n = self.changes;
        self.changes = n.saturating_add(1);
        match self.refuse {
            Some((at, errno)) if at == n => {
                self.refuse = None;
                Err(FileError::new(path, op, errno))
            }
            _ => Ok(()),
        }
    }

    fn is_dir(&self, path: &str) -> bool {
        path == "/" || self.dirs.contains(path)
    }

    fn children(&self, path: &str) -> Vec<String> {
        let prefix = if path == "/" { "/".to_owned() } else { format!("{path}/") };
        let names = self.files.keys().chain(&self.dirs);
        let mut names: Vec<String> = names
            .filter_map(|p| p.strip_prefix(&prefix).filter(|n| !n.is_empty() && !n.contains('/')))
            .map(str::to_owned)
            .collect();
        names.sort();
        names
    }
}

impl Files for MemFiles {
    fn read(&self, path: &str) -> Result<Vec<u8>, FileError> {
        let state = self.state.borrow();
        let full = norm(path);
        let errno = if state.is_dir(&full) { Errno::EISDIR } else { Errno::ENOENT };
        state
            .files
            .get(&full)
            .map(|f| f.0.clone())
            .ok_or_else(|| FileError::new(path, FileOp::Read, errno as i32))
    }

    fn replace(&self, path: &str, bytes: &[u8], mode: u32) -> Result<(), FileError> {
        let mut state = self.state.borrow_mut();
        let full = norm(path);
        let dir = full.rsplit_once('/').map_or("/", |(d, _)| if d.is_empty() { "/" } else { d });
        let error = |errno: Errno| FileError::new(path, FileOp::Replace, errno as i32);
        if !state.is_dir(dir) {
            return Err(error(Errno::ENOENT));
        }
        if state.is_dir(&full) {
            return Err(error(Errno::EISDIR));
        }
        state.change(path, FileOp::Replace)?;
        state.files.insert(full, (bytes.to_vec(), mode));
        Ok(())
    }

    fn list(&self, path: &str) -> Result<Vec<String>, FileError> {
        let state = self.state.borrow();
        let full = norm(path);
        if !state.is_dir(&full) {
            return Err(FileError::new(path, FileOp::List, Errno::ENOENT as i32));
        }
        Ok(state.children(&full))
    }

    fn stat(&self, path: &str) -> Result<Meta, FileError> {
        let state = self.state.borrow();
        let full = norm(path);
        let meta = |kind, len: usize, mode| Meta {
            kind,
            len: u64::try_from(len).unwrap_or(u64::MAX),
            mode,
            mtime: 0,
        };
        match state.files.get(&full) {
            Some((bytes, mode)) => Ok(meta(FileKind::File, bytes.len(), *mode)),
            None if state.is_dir(&full) => Ok(meta(FileKind::Dir, 0, 0o755)),
            None => Err(FileError::new(path, FileOp::Stat, Errno::ENOENT as i32)),
        }
    }

    fn make_dir(&self, path: &str) -> Result<(), FileError> {
        let mut state = self.state.borrow_mut();
        let full = norm(path);
        if state.files.contains_key(&full) {
            return Err(FileError::new(path, FileOp::MakeDir, Errno::EEXIST as i32));
        }
        state.change(path, FileOp::MakeDir)?;
        parents(&mut state.dirs, &full);
        if full != "/" {
            state.dirs.insert(full);
        }
        Ok(())
    }

    fn remove(&self, path: &str) -> Result<(), FileError> {
        let mut state = self.state.borrow_mut();
        let full = norm(path);
        let error = |errno: Errno| FileError::new(path, FileOp::Remove, errno as i32);
        if state.is_dir(&full) && !state.children(&full).is_empty() {
            return Err(error(Errno::ENOTEMPTY));
        }
        if !state.is_dir(&full) && !state.files.contains_key(&full) {
            return Err(error(Errno::ENOENT));
        }
        state.change(path, FileOp::Remove)?;
        state.files.remove(&full);
        state.dirs.remove(&full);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_refuses_as_a_file_system_does() {
        let files = MemFiles::new().file("/etc/a", "1");
        assert!(files.replace("/none/a", b"", 0o600).unwrap_err().is_not_found());
        assert_eq!(files.remove("/etc").unwrap_err().errno, Errno::ENOTEMPTY as i32);
        files.refuse(1, Errno::ENOSPC as i32);
        files.replace("/etc/a", b"2", 0o600).unwrap();
        assert!(files.replace("/etc/a", b"3", 0o600).unwrap_err().is_full());
        assert_eq!(files.read("/etc/a").unwrap(), b"2");
        assert_eq!(files.list("/").unwrap(), ["etc"]);
    }
}
