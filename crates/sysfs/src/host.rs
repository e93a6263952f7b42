//! A directory of this machine.
use crate::tree::join;
use crate::{AttrError, AttrOp, AttrTree, Entry, Kind, Look};
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use std::fs::{self, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// A tree under a directory of this machine, such as `/sys` or a copy of it.
#[derive(Debug, Clone)]
pub struct HostTree {
    root: PathBuf,
    written: Arc<Mutex<Option<Written>>>,
}

/// The attribute that was written last, open still: hundreds of commands in a row go to one `mgmt`. An object
/// that goes and comes back under its name takes a command to another attribute, or another manager; so it is
/// kept open until anything else is written or asked for, and no longer.
#[derive(Debug)]
struct Written {
    path: PathBuf,
    file: fs::File,
}

impl HostTree {
    /// The tree under that directory.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), written: Arc::default() }
    }

    /// The directory.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn path(&self, path: &str, op: &AttrOp) -> Result<PathBuf, AttrError> {
        let inside = |c| matches!(c, Component::Normal(_) | Component::CurDir);
        if path.contains('\0') || !Path::new(path).components().all(inside) {
            return Err(AttrError::new(path, op.clone(), Errno::EINVAL as i32));
        }
        Ok(self.root.join(path))
    }

    /// The path of what is asked for; see [`Written`].
    fn asked(&self, path: &str, op: &AttrOp) -> Result<PathBuf, AttrError> {
        *self.written.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.path(path, op)
    }
}

fn error(path: &str, op: AttrOp) -> impl Fn(io::Error) -> AttrError {
    move |e| AttrError::new(path, op.clone(), e.raw_os_error().unwrap_or(Errno::EIO as i32))
}

impl AttrTree for HostTree {
    fn read(&self, path: &str) -> Result<String, AttrError> {
        let error = error(path, AttrOp::Read);
        let mut file = fs::File::open(self.asked(path, &AttrOp::Read)?).map_err(&error)?;
        whole(&mut file, &mut { PAGE }).map_err(&error)
    }

    fn write(&self, path: &str, value: &str) -> Result<(), AttrError> {
        let op = AttrOp::Write(value.to_owned());
        let path_of_file = self.path(path, &op)?;
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let file = match written.take().filter(|last| last.path == path_of_file) {
            Some(last) => last.file,
            None => {
                // As sysfs wants it: neither created nor truncated.
                let mut open = OpenOptions::new();
                open.write(true).custom_flags(nix::libc::O_CLOEXEC);
                open.open(&path_of_file).map_err(error(path, op.clone()))?
            }
        };
        // Always at the beginning, as the kernel's attributes take it wherever it stands.
        match file.write_at(value.as_bytes(), 0).map_err(error(path, op.clone()))? {
            n if n == value.len() => {
                *written = Some(Written { path: path_of_file, file });
                Ok(())
            }
            _ => Err(AttrError::new(path, op, Errno::EIO as i32)),
        }
    }

    fn list(&self, path: &str) -> Result<Vec<Entry>, AttrError> {
        let error = error(path, AttrOp::List);
        let mut entries = Vec::new();
        for entry in fs::read_dir(self.asked(path, &AttrOp::List)?).map_err(&error)? {
            let entry = entry.map_err(&error)?;
            let kind = entry.file_type().map_err(&error)?;
            let kind = match (kind.is_symlink(), kind.is_dir()) {
                (true, _) => Kind::Link,
                (_, true) => Kind::Dir,
                _ => Kind::Attr,
            };
            entries.push(Entry { name: entry.file_name().to_string_lossy().into_owned(), kind });
        }
        entries.sort();
        Ok(entries)
    }

    fn read_link(&self, path: &str) -> Result<String, AttrError> {
        let op = AttrOp::ReadLink;
        let target = fs::read_link(self.asked(path, &op)?).map_err(error(path, op))?;
        Ok(target.to_string_lossy().into_owned())
    }

    fn mode(&self, path: &str) -> Result<Option<u32>, AttrError> {
        let op = AttrOp::Read;
        let meta = fs::metadata(self.asked(path, &op)?).map_err(error(path, op))?;
        Ok(Some(meta.permissions().mode() & 0o7777))
    }

    fn look(&self, path: &str) -> Result<Look, AttrError> {
        match fs::File::open(self.asked(path, &AttrOp::Read)?) {
            Ok(file) => look(path, file, &mut { PAGE }),
            // Not there, or there to be written only.
            Err(_) => {
                let mode = self.mode(path)?;
                let readable = mode.is_none_or(|m| m & 0o444 != 0);
                Ok(Look { mode, value: readable.then(|| self.read(path)) })
            }
        }
    }

    fn look_in(&self, dir: &str, names: &[&str]) -> Result<Vec<Look>, AttrError> {
        let there = self.opened(dir, names)?;
        let mut page = PAGE;
        let one = |name: &&str| match inside(there.as_ref(), name) {
            Some(file) => look(&join(dir, name), file, &mut page),
            None => self.look(&join(dir, name)),
        };
        names.iter().map(one).collect()
    }

    fn read_in(&self, dir: &str, names: &[&str]) -> Vec<Result<String, AttrError>> {
        // Where it cannot be opened each attribute says why.
        let there = self.opened(dir, names).ok().flatten();
        let mut page = PAGE;
        let one = |name: &&str| match inside(there.as_ref(), name) {
            Some(mut file) => whole(&mut file, &mut page).map_err(error(&join(dir, name), AttrOp::Read)),
            None => self.read(&join(dir, name)),
        };
        names.iter().map(one).collect()
    }
}

impl HostTree {
    /// The directory, where opening it is worth it: from a few attributes on.
    fn opened(&self, dir: &str, names: &[&str]) -> Result<Option<fs::File>, AttrError> {
        if names.len() <= 3 {
            return Ok(None);
        }
        fs::File::open(self.asked(dir, &AttrOp::List)?).map(Some).map_err(error(dir, AttrOp::List))
    }
}

/// An attribute of an open directory; `None` for what is no name, and what cannot be opened to be read.
fn inside(dir: Option<&fs::File>, name: &str) -> Option<fs::File> {
    let plain = Path::new(name).components().eq([Component::Normal(name.as_ref())]);
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
    dir.filter(|_| plain).and_then(|dir| openat(dir, name, flags, Mode::empty()).ok()).map(fs::File::from)
}

fn look(path: &str, mut file: fs::File, page: &mut Page) -> Result<Look, AttrError> {
    let error = error(path, AttrOp::Read);
    let mode = file.metadata().map_err(&error)?.permissions().mode() & 0o7777;
    let value = (mode & 0o444 != 0).then(|| whole(&mut file, page).map_err(&error));
    Ok(Look { mode: Some(mode), value })
}

/// Room for one read; made once for all attributes of a directory.
type Page = [u8; 4096];
const PAGE: Page = [0; 4096];

/// What a file has from here on. The kernel gives an attribute of less than a page with one read.
fn whole(file: &mut fs::File, page: &mut Page) -> io::Result<String> {
    let first = loop {
        match file.read(page) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            other => break other?,
        }
    };
    let mut bytes = page.get(..first).unwrap_or_default().to_vec();
    if first == page.len() {
        file.read_to_end(&mut bytes)?;
    }
    Ok(match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(e) => String::from_utf8_lossy(e.as_bytes()).into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copied_tree_reads_like_the_machine() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("d")).unwrap();
        fs::write(dir.path().join("d/a"), "old\n").unwrap();
        std::os::unix::fs::symlink("d/a", dir.path().join("l")).unwrap();
        let tree = HostTree::new(dir.path());
        tree.write("d/a", "new").unwrap();
        assert_eq!(tree.read("d/a").unwrap(), "new\n");
        assert_eq!(tree.read_link("l").unwrap(), "d/a");
        let kinds: Vec<_> = tree.list("").unwrap().into_iter().map(|e| (e.name, e.kind)).collect();
        assert_eq!(kinds, [("d".into(), Kind::Dir), ("l".into(), Kind::Link)]);
        assert!(tree.write("d/none", "x").unwrap_err().is_not_found());
        assert_eq!(tree.read("../etc/passwd").unwrap_err().errno_name(), "EINVAL");
    }

    #[test]
    fn a_look_is_mode_and_value_in_one() {
        let dir = tempfile::tempdir().unwrap();
        let long = "x".repeat(3 * 4096 + 7);
        for (name, text, mode) in [("a", "1\n", 0o644), ("long", long.as_str(), 0o444), ("w", "old", 0o200)] {
            fs::write(dir.path().join(name), text).unwrap();
            fs::set_permissions(dir.path().join(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        let tree = HostTree::new(dir.path());
        assert_eq!(tree.look("a"), Ok(Look { mode: Some(0o644), value: Some(Ok("1\n".to_owned())) }));
        assert_eq!(tree.look("long"), Ok(Look { mode: Some(0o444), value: Some(Ok(long.clone())) }));
        assert_eq!(tree.read("long"), Ok(long));
        assert_eq!(tree.look("w"), Ok(Look { mode: Some(0o200), value: None }));
        assert!(tree.look("none").unwrap_err().is_not_found());
        fs::create_dir(dir.path().join("sub")).unwrap();
        fs::write(dir.path().join("sub/b"), "2\n").unwrap();
        for names in [&["w", "a"][..], &["w", "a", "long", "sub/b", "a"]] {
            let alone: Vec<_> = names.iter().map(|n| tree.look(n).unwrap()).collect();
            assert_eq!(tree.look_in("", names).unwrap(), alone);
            let alone: Vec<_> = names.iter().map(|n| tree.read(n)).collect();
            assert_eq!(tree.read_in("", names), alone);
        }
        assert_eq!(tree.look_in("sub", &["../a"; 5]).unwrap_err().errno_name(), "EINVAL");
        assert!(tree.look_in("sub", &["b", "b", "b", "none"]).unwrap_err().is_not_found());
        let read = tree.read_in("sub", &["b", "../a", "b", "none"]);
        assert_eq!((&read[0], &read[2]), (&Ok("2\n".to_owned()), &Ok("2\n".to_owned())));
        assert_eq!(read[1].as_ref().unwrap_err().errno_name(), "EINVAL");
        assert!(read[3].as_ref().unwrap_err().is_not_found());
        assert!(tree.read_in("gone", &["b"; 5]).iter().all(|r| r.as_ref().unwrap_err().is_not_found()));
    }

    #[test]
    fn an_attribute_that_is_written_again_is_the_one_that_is_there_then() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["mgmt", "other"] {
            fs::write(dir.path().join(name), "....").unwrap();
        }
        let tree = HostTree::new(dir.path());
        tree.write("mgmt", "add").unwrap();
        tree.write("mgmt", "del").unwrap();
        assert_eq!(fs::read_to_string(dir.path().join("mgmt")).unwrap(), "del.");
        // The object goes and comes back: by a command to another attribute, or noticed by a look.
        for look in [false, true] {
            fs::remove_file(dir.path().join("mgmt")).unwrap();
            fs::write(dir.path().join("mgmt"), "new.").unwrap();
            if look {
                tree.list("").unwrap();
            } else {
                tree.write("other", "create").unwrap();
            }
            tree.write("mgmt", "set").unwrap();
            assert_eq!(tree.read("mgmt").unwrap(), "set.");
            tree.write("mgmt", "end").unwrap();
        }
    }

    #[test]
    fn the_error_names_path_and_errno_but_not_the_value() {
        let error = HostTree::new("/nowhere").write("mgmt", "IncomingUser joe secret").unwrap_err();
        assert_eq!(error.to_string(), "cannot write mgmt: ENOENT (No such file or directory)");
    }
}
