//! Making entries below one directory, and nowhere else.
use esos_initramfs::{Entry, EntryKind, Tree, TreeError, TreeWorker};
use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags, Timespec, Timestamps, Uid, XattrFlags, chmodat,
    chownat, fchmod, fchown, futimens, linkat, makedev, mkdirat, mknodat, openat, openat2, symlinkat,
    utimensat,
};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::sync::{Mutex, PoisonError};

/// The directory under which everything is made. Directories on the way are opened with `openat2` and
/// `RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS`: a link inside the tree never leads a later entry out of it.
pub(crate) struct HostTree {
    root: OwnedFd,
    /// Their times are set when nothing is made in them any more.
    directories: Mutex<Vec<(Vec<u8>, Timestamps)>>,
}

impl HostTree {
    pub(crate) fn open(directory: &str) -> io::Result<Self> {
        let root =
            rustix::fs::open(directory, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        // Modes are those of the archive.
        rustix::process::umask(Mode::empty());
        Ok(Self { root, directories: Mutex::default() })
    }

    fn below(&self, path: &[u8]) -> rustix::io::Result<OwnedFd> {
        let path = if path.is_empty() { b"." } else { path };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
        openat2(&self.root, OsStr::from_bytes(path), flags, Mode::empty(), resolve)
    }
}

impl Tree for HostTree {
    fn worker(&self) -> Box<dyn TreeWorker + '_> {
        Box::new(Hand { tree: self, parent: None })
    }

    fn finish(&self) -> Result<(), TreeError> {
        // What comes after, the hook and init, makes files as programs do.
        rustix::process::umask(Mode::from_raw_mode(0o022));
        let directories = self.directories.lock().unwrap_or_else(PoisonError::into_inner);
        for (path, times) in directories.iter() {
            let fail = |e: rustix::io::Errno| error(path, e.into());
            let dir = self.below(path).map_err(fail)?;
            utimensat(&dir, "", times, AtFlags::EMPTY_PATH)
                .or_else(|_| {
                    let open = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
                    futimens(openat(&dir, ".", open, Mode::empty())?, times)
                })
                .map_err(fail)?;
        }
        Ok(())
    }
}

fn error(path: &[u8], source: io::Error) -> TreeError {
    TreeError { path: String::from_utf8_lossy(path).into_owned(), source }
}

struct Hand<'a> {
    tree: &'a HostTree,
    /// The directory of the last entry: packages come sorted, so the next one is often beside it.
    parent: Option<(Vec<u8>, OwnedFd)>,
}

impl TreeWorker for Hand<'_> {
    fn make(&mut self, entry: &Entry, data: &mut dyn BufRead) -> Result<(), TreeError> {
        self.entry(entry, data).map_err(|e| error(&entry.path, e))
    }
}

impl Hand<'_> {
    fn entry(&mut self, entry: &Entry, data: &mut dyn BufRead) -> io::Result<()> {
        let times = times(entry);
        let mode = Mode::from_raw_mode(entry.mode);
        if entry.path.is_empty() {
            own(&self.tree.root, entry)?;
            return Ok(chmodat(&self.tree.root, ".", mode, AtFlags::empty())?);
        }
        let (parent, name) = split(&entry.path);
        self.enter(parent)?;
        let Some((_, dir)) = &self.parent else { return Err(io::ErrorKind::NotFound.into()) };
        let name = OsStr::from_bytes(name);
        match &entry.kind {
            EntryKind::File => {
                let flags =
                    OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let mut file = File::from(openat(dir, name, flags, mode)?);
                loop {
                    let part = data.fill_buf()?;
                    if part.is_empty() {
                        break;
                    }
                    file.write_all(part)?;
                    let written = part.len();
                    data.consume(written);
                }
                if (entry.uid, entry.gid) != (0, 0) {
                    fchown(&file, Some(Uid::from_raw(entry.uid)), Some(Gid::from_raw(entry.gid)))?;
                }
                // A change of owner, and writing, take these bits away.
                if entry.mode & 0o7000 != 0 {
                    fchmod(&file, mode)?;
                }
                for (key, value) in &entry.xattrs {
                    rustix::fs::fsetxattr(&file, key.as_str(), value, XattrFlags::empty())?;
                }
                return Ok(futimens(&file, &times)?);
            }
            EntryKind::Dir => {
                match mkdirat(dir, name, mode) {
                    Err(rustix::io::Errno::EXIST) => {}
                    other => other?,
                }
                // Also finds out that what was there is a directory.
                let made = self.tree.below(&entry.path)?;
                own(&made, entry)?;
                chmodat(&made, ".", mode, AtFlags::empty())?;
                let mut all = self.tree.directories.lock().unwrap_or_else(PoisonError::into_inner);
                all.push((entry.path.clone(), times));
            }
            EntryKind::Symlink(target) => {
                symlinkat(OsStr::from_bytes(target), dir, name)?;
                self.finish_plain(name, entry, &times)?;
            }
            EntryKind::Hard(target) => {
                let (parent, target) = split(target);
                let from = self.tree.below(parent)?;
                linkat(&from, OsStr::from_bytes(target), dir, name, AtFlags::empty())?;
            }
            EntryKind::Char(major, minor) => {
                mknodat(dir, name, FileType::CharacterDevice, mode, makedev(*major, *minor))?;
                self.finish_plain(name, entry, &times)?;
            }
            EntryKind::Block(major, minor) => {
                mknodat(dir, name, FileType::BlockDevice, mode, makedev(*major, *minor))?;
                self.finish_plain(name, entry, &times)?;
            }
            EntryKind::Fifo => {
                mknodat(dir, name, FileType::Fifo, mode, 0)?;
                self.finish_plain(name, entry, &times)?;
            }
        }
        if !entry.xattrs.is_empty() && matches!(entry.kind, EntryKind::Dir) {
            let dir = self.tree.below(&entry.path)?;
            let open =
                openat(&dir, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
            for (key, value) in &entry.xattrs {
                rustix::fs::fsetxattr(&open, key.as_str(), value, XattrFlags::empty())?;
            }
        }
        Ok(())
    }

    /// Owner and time of what is not opened.
    fn finish_plain(&self, name: &OsStr, entry: &Entry, times: &Timestamps) -> io::Result<()> {
        let Some((_, dir)) = &self.parent else { return Ok(()) };
        if (entry.uid, entry.gid) != (0, 0) {
            let (uid, gid) = (Uid::from_raw(entry.uid), Gid::from_raw(entry.gid));
            chownat(dir, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
        }
        Ok(utimensat(dir, name, times, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    fn enter(&mut self, parent: &[u8]) -> io::Result<()> {
        if self.parent.as_ref().is_none_or(|(path, _)| path != parent) {
            self.parent = Some((parent.to_vec(), self.tree.below(parent)?));
        }
        Ok(())
    }
}

fn own(dir: &OwnedFd, entry: &Entry) -> io::Result<()> {
    let (uid, gid) = (Uid::from_raw(entry.uid), Gid::from_raw(entry.gid));
    if (entry.uid, entry.gid) == (0, 0) {
        Ok(())
    } else {
        Ok(chownat(dir, ".", Some(uid), Some(gid), AtFlags::empty())?)
    }
}

fn times(entry: &Entry) -> Timestamps {
    let time = Timespec { tv_sec: entry.mtime.0, tv_nsec: entry.mtime.1.into() };
    Timestamps { last_access: time, last_modification: time }
}

fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|b| *b == b'/') {
        Some(at) => {
            (path.get(..at).unwrap_or_default(), path.get(at.saturating_add(1)..).unwrap_or_default())
        }
        None => (b"", path),
    }
}
