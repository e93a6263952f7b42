//! The box's files and the medium, as the library wants them.
use esos_confsync::{BoxPath, Kind, Medium, NewPack, Node, NodeKind, Place, ReadPack, Stat, Tree};
use esos_hostfs::{FileError, Files, HostFiles, NewFile, Stream, rename, sync_dir};
use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag};
use nix::sys::stat::{FileStat, Mode, SFlag, UtimensatFlags, fstatat, utimensat};
use nix::sys::time::TimeSpec;
use nix::unistd::{Gid, Uid, fchownat, geteuid};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

static SERIAL: AtomicU64 = AtomicU64::new(0);

/// Files below a root.
pub(crate) struct HostBox {
    root: PathBuf,
}

impl HostBox {
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    fn full(&self, path: &BoxPath) -> PathBuf {
        let below = path.as_bytes().strip_prefix(b"/").unwrap_or_default();
        if below.is_empty() { self.root.clone() } else { self.root.join(OsStr::from_bytes(below)) }
    }

    /// For writing: no link may stand in the way, or what is below it would land elsewhere.
    fn target(&self, path: &BoxPath) -> io::Result<PathBuf> {
        let mut above = path.clone();
        while let Some((dir, _)) = above.split() {
            if dir.split().is_some() && fs::symlink_metadata(self.full(&dir)).is_ok_and(|m| m.is_symlink()) {
                return Err(io::Error::other(format!("{dir} is a link; nothing is written through it")));
            }
            above = dir;
        }
        Ok(self.full(path))
    }

    fn temp(full: &Path) -> PathBuf {
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let mut name = OsString::from(".");
        name.push(full.file_name().unwrap_or_default());
        name.push(format!(".{}-{serial}.tmp", std::process::id()));
        full.with_file_name(name)
    }

    /// Puts a new thing in place of what is there.
    fn swap(full: &Path, make: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
        let temp = Self::temp(full);
        make(&temp).and_then(|()| fs::rename(&temp, full)).inspect_err(|_| {
            // The first error is the one that counts.
            let _leftover = fs::remove_file(&temp);
        })
    }
}

/// Puts a file that carries its own checksum and can be made anew: one that the power cut is no loss, so nothing is
/// flushed.
pub(crate) fn put_memory(path: &Path, bytes: &[u8]) -> io::Result<()> {
    HostBox::swap(path, |temp| {
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(temp)?.write_all(bytes)
    })
}

fn stat(meta: &fs::Metadata) -> Stat {
    let kind = match meta.file_type() {
        t if t.is_file() => Kind::File,
        t if t.is_dir() => Kind::Dir,
        t if t.is_symlink() => Kind::Link,
        _ => Kind::Other,
    };
    let nanos = |n: i64| u32::try_from(n).unwrap_or(0);
    Stat {
        kind,
        len: meta.len(),
        mode: meta.mode() & 0o7777,
        uid: meta.uid(),
        gid: meta.gid(),
        mtime: (meta.mtime(), nanos(meta.mtime_nsec())),
        ctime: (meta.ctime(), nanos(meta.ctime_nsec())),
        inode: (meta.dev(), meta.ino()),
        links: meta.nlink(),
    }
}

/// The same of what fstatat(2) gives.
fn known(found: &FileStat) -> Stat {
    let kind = match SFlag::from_bits_truncate(found.st_mode & SFlag::S_IFMT.bits()) {
        SFlag::S_IFREG => Kind::File,
        SFlag::S_IFDIR => Kind::Dir,
        SFlag::S_IFLNK => Kind::Link,
        _ => Kind::Other,
    };
    let nanos = |n: i64| u32::try_from(n).unwrap_or(0);
    Stat {
        kind,
        len: u64::try_from(found.st_size).unwrap_or(0),
        mode: found.st_mode & 0o7777,
        uid: found.st_uid,
        gid: found.st_gid,
        mtime: (found.st_mtime, nanos(found.st_mtime_nsec)),
        ctime: (found.st_ctime, nanos(found.st_ctime_nsec)),
        inode: (found.st_dev, found.st_ino),
        links: found.st_nlink,
    }
}

impl Tree for HostBox {
    fn stat(&self, path: &BoxPath) -> io::Result<Stat> {
        Ok(stat(&fs::symlink_metadata(self.full(path))?))
    }

    fn list(&self, path: &BoxPath) -> io::Result<Vec<(Vec<u8>, Stat)>> {
        let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let dir = nix::fcntl::open(&self.full(path), flags, Mode::empty())?;
        let mut names = Vec::new();
        // Names are looked up in the directory that is open: a path would be walked for each.
        for entry in Dir::from_fd(dir.try_clone()?)?.iter() {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            match fstatat(&dir, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
                Ok(found) => names.push((name.to_bytes().to_vec(), known(&found))),
                // Gone since its name was read.
                Err(Errno::ENOENT) => {}
                Err(e) => return Err(e.into()),
            }
        }
        Ok(names)
    }

    fn open(&self, path: &BoxPath) -> io::Result<Box<dyn Read + '_>> {
        let flags = (OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits();
        Ok(Box::new(OpenOptions::new().read(true).custom_flags(flags).open(self.full(path))?))
    }

    fn link(&self, path: &BoxPath) -> io::Result<Vec<u8>> {
        Ok(fs::read_link(self.full(path))?.into_os_string().into_vec())
    }
}

/// Owner first: chown(2) takes the set-user-id bits away.
fn own(path: &Path, node: &Node) -> io::Result<()> {
    let now = fs::symlink_metadata(path)?;
    if (now.uid(), now.gid()) == (node.uid, node.gid) {
        return Ok(());
    }
    let owner = (Some(Uid::from_raw(node.uid)), Some(Gid::from_raw(node.gid)));
    match fchownat(AT_FDCWD, path, owner.0, owner.1, AtFlags::AT_SYMLINK_NOFOLLOW) {
        // Only root may give files away; a copied tree of somebody else stays his.
        Err(Errno::EPERM) if !geteuid().is_root() => Ok(()),
        done => Ok(done?),
    }
}

fn times(path: &Path, node: &Node) -> io::Result<()> {
    let time = TimeSpec::new(node.mtime.0, node.mtime.1.into());
    Ok(utimensat(AT_FDCWD, path, &time, &time, UtimensatFlags::NoFollowSymlink)?)
}

impl Place for HostBox {
    fn dir(&self, path: &BoxPath, node: &Node) -> io::Result<()> {
        let full = self.target(path)?;
        match fs::create_dir(&full) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists && full.is_dir() => {}
            done => done?,
        }
        self.meta(path, node)
    }

    fn file(&self, path: &BoxPath, node: &Node, content: &mut dyn Read) -> io::Result<()> {
        Self::swap(&self.target(path)?, |temp| {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(temp)?;
            io::copy(content, &mut file)?;
            own(temp, node)?;
            file.set_permissions(Permissions::from_mode(node.mode))?;
            times(temp, node)
        })
    }

    fn symlink(&self, path: &BoxPath, node: &Node, target: &[u8]) -> io::Result<()> {
        Self::swap(&self.target(path)?, |temp| {
            symlink(OsStr::from_bytes(target), temp)?;
            own(temp, node)
        })
    }

    fn hard_link(&self, path: &BoxPath, to: &BoxPath) -> io::Result<()> {
        let first = self.target(path)?;
        Self::swap(&self.target(to)?, |temp| fs::hard_link(first, temp))?;
        // rename(2) does nothing where both names are one file already, and leaves the temporary one.
        Ok(())
    }

    fn meta(&self, path: &BoxPath, node: &Node) -> io::Result<()> {
        let full = self.target(path)?;
        own(&full, node)?;
        if !matches!(node.kind, NodeKind::Link(_)) {
            fs::set_permissions(&full, Permissions::from_mode(node.mode))?;
        }
        if matches!(node.kind, NodeKind::File { .. }) { times(&full, node) } else { Ok(()) }
    }

    fn remove(&self, path: &BoxPath) -> io::Result<()> {
        let full = self.target(path)?;
        let removed = match fs::symlink_metadata(&full) {
            Ok(meta) if meta.is_dir() => fs::remove_dir(full),
            Ok(_) => fs::remove_file(full),
            Err(e) => Err(e),
        };
        removed.or_else(|e| if e.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(e) })
    }
}

/// A directory that packs lie in.
pub(crate) struct HostMedium {
    dir: PathBuf,
}

impl HostMedium {
    pub(crate) fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }
}

fn raw(error: FileError) -> io::Error {
    io::Error::from_raw_os_error(error.errno)
}

struct HostPack(Stream, u64);
impl ReadPack for HostPack {
    fn size(&self) -> u64 {
        self.1
    }
    fn read_exact_at(&self, buffer: &mut [u8], at: u64) -> io::Result<()> {
        let wanted = buffer.len();
        let got = self.0.read_at(buffer, at).map_err(raw)?;
        if got < wanted { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }
}

struct HostNew(io::BufWriter<NewFile>);
impl Write for HostNew {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
impl NewPack for HostNew {
    fn commit(self: Box<Self>) -> io::Result<()> {
        self.0.into_inner().map_err(io::IntoInnerError::into_error)?.commit().map_err(raw)
    }
}

impl Medium for HostMedium {
    fn list(&self) -> io::Result<Vec<String>> {
        HostFiles::new(&self.dir).list("/").map_err(raw)
    }
    fn open(&self, name: &str) -> io::Result<Box<dyn ReadPack + '_>> {
        let stream = Stream::open(&self.dir.join(name)).map_err(raw)?;
        let size = stream.size().map_err(raw)?;
        Ok(Box::new(HostPack(stream, size)))
    }
    fn create(&self, name: &str) -> io::Result<Box<dyn NewPack + '_>> {
        let file = NewFile::create(&self.dir.join(name), 0o600).map_err(raw)?;
        Ok(Box::new(HostNew(io::BufWriter::with_capacity(1 << 18, file))))
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        rename(&self.dir.join(from), &self.dir.join(to)).map_err(raw)?;
        sync_dir(&self.dir).map_err(raw)
    }
    fn note(&self, before: Option<&str>, name: &str) -> io::Result<()> {
        let name = self.dir.join(name);
        match before {
            Some(before) => fs::rename(self.dir.join(before), name),
            None => {
                OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(name).map(drop)
            }
        }
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        HostFiles::new(&self.dir).remove(&format!("/{name}")).map_err(raw)
    }
}

/// Everything written to the file system that holds a directory is on its medium.
pub(crate) fn flush(dir: &Path) -> io::Result<()> {
    Ok(nix::unistd::syncfs(File::open(dir)?)?)
}
