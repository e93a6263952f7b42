//! Copying a tree: read as a directory, made as an unpacked entry is.
use super::tree::HostTree;
use esos_initramfs::{Entry, EntryKind, Tree, TreeWorker};
use rustix::fs::{lgetxattr, llistxattr, major, minor};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io::{self, BufReader};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// The largest list of names, and the largest value, that the kernel takes (`XATTR_LIST_MAX`, `XATTR_SIZE_MAX`).
const XATTR_MAX: usize = 65_536;

/// Copies a directory into another one, but for what is called `without` at the top; the bytes of the files.
pub(super) fn copy(from: &str, to: &str, without: &str) -> io::Result<u64> {
    let tree = HostTree::open(to)?;
    let mut copy = Copy { from: Path::new(from), hand: tree.worker(), names: BTreeMap::new(), bytes: 0 };
    copy.entry(b"")?;
    copy.inside(b"", Some(without.as_bytes()))?;
    let bytes = copy.bytes;
    drop(copy);
    tree.finish().map_err(io::Error::other)?;
    Ok(bytes)
}

struct Copy<'a> {
    from: &'a Path,
    hand: Box<dyn TreeWorker + 'a>,
    /// The first name of a file that has several, by device and inode.
    names: BTreeMap<(u64, u64), Vec<u8>>,
    bytes: u64,
}

impl Copy<'_> {
    fn inside(&mut self, directory: &[u8], without: Option<&[u8]>) -> io::Result<()> {
        let path = self.path(directory);
        for entry in fs::read_dir(&path).map_err(|e| at(&path, &e))? {
            let name = entry.map_err(|e| at(&path, &e))?.file_name().into_vec();
            if without == Some(name.as_slice()) {
                continue;
            }
            let below = if directory.is_empty() { name } else { [directory, b"/", name.as_slice()].concat() };
            if self.entry(&below)? {
                self.inside(&below, None)?;
            }
        }
        Ok(())
    }

    fn path(&self, below: &[u8]) -> PathBuf {
        self.from.join(OsStr::from_bytes(below))
    }

    /// Makes one; whether it is a directory.
    fn entry(&mut self, below: &[u8]) -> io::Result<bool> {
        let path = self.path(below);
        self.make(below, &path).map_err(|e| at(&path, &e))
    }

    fn make(&mut self, below: &[u8], path: &Path) -> io::Result<bool> {
        let meta = fs::symlink_metadata(path)?;
        let Some(kind) = self.kind(below, path, &meta)? else { return Ok(false) };
        let is_file = matches!(kind, EntryKind::File);
        let is_dir = matches!(kind, EntryKind::Dir);
        let entry = Entry {
            path: below.to_vec(),
            mode: meta.mode() & 0o7777,
            uid: meta.uid(),
            gid: meta.gid(),
            mtime: (meta.mtime(), u32::try_from(meta.mtime_nsec()).unwrap_or(0)),
            size: if is_file { meta.len() } else { 0 },
            xattrs: if is_file || is_dir { xattrs(path)? } else { Vec::new() },
            kind,
        };
        self.bytes = self.bytes.saturating_add(entry.size);
        let made = if is_file {
            self.hand.make(&entry, &mut BufReader::with_capacity(1 << 16, File::open(path)?))
        } else {
            self.hand.make(&entry, &mut io::empty())
        };
        made.map_err(|e| io::Error::new(e.source.kind(), format!("{e}: {}", e.source)))?;
        Ok(is_dir)
    }

    /// What it is; none for what no archive holds, a socket.
    fn kind(&mut self, below: &[u8], path: &Path, meta: &Metadata) -> io::Result<Option<EntryKind>> {
        let kind = meta.file_type();
        if !kind.is_dir() && meta.nlink() > 1 {
            if let Some(first) = self.names.get(&(meta.dev(), meta.ino())) {
                return Ok(Some(EntryKind::Hard(first.clone())));
            }
            self.names.insert((meta.dev(), meta.ino()), below.to_vec());
        }
        let device = (major(meta.rdev()), minor(meta.rdev()));
        Ok(Some(match kind {
            k if k.is_file() => EntryKind::File,
            k if k.is_dir() => EntryKind::Dir,
            k if k.is_symlink() => EntryKind::Symlink(fs::read_link(path)?.into_os_string().into_vec()),
            k if k.is_fifo() => EntryKind::Fifo,
            k if k.is_char_device() => EntryKind::Char(device.0, device.1),
            k if k.is_block_device() => EntryKind::Block(device.0, device.1),
            _ => return Ok(None),
        }))
    }
}

fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn xattrs(path: &Path) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut list = vec![0; XATTR_MAX];
    let length = match llistxattr(path, &mut list) {
        // The file system has none.
        Err(rustix::io::Errno::NOTSUP) => 0,
        other => other?,
    };
    list.truncate(length);
    let mut found = Vec::new();
    for name in list.split(|b| *b == 0).filter(|name| !name.is_empty()) {
        let name = String::from_utf8_lossy(name).into_owned();
        let mut value = vec![0; XATTR_MAX];
        let length = lgetxattr(path, name.as_str(), &mut value)?;
        value.truncate(length);
        found.push((name, value));
    }
    Ok(found)
}
