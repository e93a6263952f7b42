//! The build root: packages unpacked into a directory.
use super::DkmsError;
use crate::deb::{Deb, Entry, Kind, Limits, TreePath};
use crate::root::declare::ALTERNATIVES;
use crate::root::usrmerge;
use esos_hostfs::{FileError, Files, HostFiles, Stream, set_mode, symlink};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// What nobody needs for building.
const LEFT_OUT: &[&str] = &[
    "usr/share/doc/",
    "usr/share/man/",
    "usr/share/info/",
    "usr/share/locale/",
    "usr/share/lintian/",
    "usr/share/zoneinfo/",
    "boot/",
];
/// Names that scripts call and packages leave to `update-alternatives`: link and target.
const NAMES: &[(&str, &str)] = &[("usr/bin/cc", "gcc"), ("usr/bin/sh", "dash"), ("usr/bin/sh", "bash")];
const FILES: &[(&str, &str)] = &[
    ("/etc/passwd", "root:x:0:0:root:/root:/bin/bash\n"),
    ("/etc/group", "root:x:0:\n"),
    ("/etc/hosts", "127.0.0.1 localhost esos-build\n"),
];
const DIRS: &[&str] =
    &["/proc", "/dev", "/tmp", "/root", "/etc/dkms/framework.conf.d", "/var/lib/dkms", "/var/tmp"];

/// A directory that is being filled. Links are made when all files are there, so that no file is ever
/// written through one.
pub(super) struct Room<'r> {
    root: &'r Path,
    files: HostFiles,
    links: BTreeMap<TreePath, String>,
}

impl<'r> Room<'r> {
    pub(super) fn new(root: &'r Path) -> Result<Self, FileError> {
        HostFiles::new("/").make_dir(&root.to_string_lossy())?;
        Ok(Self { root, files: HostFiles::new(root), links: BTreeMap::new() })
    }

    /// Unpacks a package; owners, devices and times are left out.
    pub(super) fn unpack(&mut self, package: &str, deb: &Path) -> Result<(), DkmsError> {
        let failed = |source| DkmsError::Unpack { package: package.to_owned(), source };
        let other = |e: crate::deb::DebError| failed(io::Error::other(e));
        let reader = io::BufReader::with_capacity(1 << 17, Stream::open(deb)?);
        let mut entries =
            Deb::open(package, reader, Limits::default()).and_then(Deb::entries).map_err(other)?;
        while let Some(mut entry) = entries.next_entry().map_err(other)? {
            usrmerge::place(&mut entry);
            if LEFT_OUT.iter().any(|prefix| entry.path.as_str().starts_with(prefix)) {
                continue;
            }
            self.put(entry, &mut entries).map_err(|e| match e {
                Put::File(e) => e.into(),
                Put::Io(source) => failed(source),
            })?;
        }
        Ok(())
    }

    fn put(&mut self, entry: Entry, content: &mut dyn io::Read) -> Result<(), Put> {
        let place = format!("/{}", entry.path);
        let target = self.root.join(entry.path.as_str());
        match entry.kind {
            Kind::Dir => self.files.make_dir(&place)?,
            Kind::File { .. } => {
                self.parent(&entry.path)?;
                let mut out = Stream::create(&target, 0o600)?;
                io::copy(content, &mut out)?;
                set_mode(&target, entry.mode & 0o755 | 0o600)?;
            }
            Kind::HardLink { target: first } => {
                self.parent(&entry.path)?;
                let from = self.root.join(first.as_str());
                let mut out = Stream::create(&target, 0o600)?;
                io::copy(&mut Stream::open(&from)?, &mut out)?;
                set_mode(&target, entry.mode & 0o755 | 0o600)?;
            }
            Kind::Symlink { target } => _ = self.links.insert(entry.path, target),
            _ => {}
        }
        Ok(())
    }

    fn parent(&self, path: &TreePath) -> Result<(), FileError> {
        match path.parent() {
            Some(parent) if !parent.as_str().is_empty() => self.files.make_dir(&format!("/{parent}")),
            _ => Ok(()),
        }
    }

    /// Makes what maintainer scripts would have made, and the links.
    pub(super) fn finish(mut self, packages: &[&str]) -> Result<(), FileError> {
        for dir in DIRS {
            self.files.make_dir(dir)?;
        }
        for (path, text) in FILES {
            self.files.replace(path, text.as_bytes(), 0o644)?;
        }
        // A file that is no program: dkms says that it cannot sign, and leaves the modules unsigned.
        let framework =
            "# no signatures: the key would be made anew each time\nsign_file=/etc/dkms/framework.conf\n";
        self.files.replace("/etc/dkms/framework.conf", framework.as_bytes(), 0o644)?;
        for (name, target) in NAMES {
            let Ok(path) = name.parse::<TreePath>() else { continue };
            let there = |p: &str| self.files.stat(&format!("/{p}")).is_ok();
            let beside = format!("usr/bin/{target}");
            let linked = |p: &str| self.links.keys().any(|l| l.as_str() == p);
            if !self.links.contains_key(&path) && !there(name) && (there(&beside) || linked(&beside)) {
                self.links.insert(path, (*target).to_owned());
            }
        }
        let rows = ALTERNATIVES.iter().filter(|row| packages.contains(&row.package));
        for row in rows {
            let Ok(path) = row.link.parse::<TreePath>() else { continue };
            if self.files.stat(&format!("/{path}")).is_err() {
                self.links.entry(path).or_insert_with(|| row.target.to_owned());
            }
        }
        for name in usrmerge::MERGED {
            if self.files.stat(&format!("/usr/{name}")).is_ok()
                && let Ok(path) = name.parse()
            {
                self.links.insert(path, format!("usr/{name}"));
            }
        }
        for (path, target) in &self.links {
            let place = format!("/{path}");
            if self.files.stat(&place).is_ok() {
                continue;
            }
            self.parent(path)?;
            symlink(Path::new(target), &self.root.join(path.as_str()))?;
        }
        Ok(())
    }
}

enum Put {
    File(FileError),
    Io(io::Error),
}

impl From<FileError> for Put {
    fn from(e: FileError) -> Self {
        Self::File(e)
    }
}

impl From<io::Error> for Put {
    fn from(e: io::Error) -> Self {
        Self::Io(e)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deb::DebWriter;
    use esos_hostfs::TempDir;

    #[test]
    fn a_room_is_merged_and_no_file_leaves_it() {
        let dir = TempDir::new("room").unwrap();
        let outside = TempDir::new("outside").unwrap();
        let mut deb = DebWriter::new("Package: p\nVersion: 1\nArchitecture: all\n");
        deb.file("bin/tool", b"#!", 0o755)
            .symlink("usr/bin/gcc", "gcc-14")
            .file("usr/bin/gcc-14", b"", 0o755)
            .symlink("usr/escape", &outside.path().to_string_lossy())
            .file("usr/escape/caught", b"no", 0o644)
            .file("usr/share/doc/p/README", b"", 0o644);
        let place = dir.path().join("p.deb");
        HostFiles::new(dir.path()).replace("/p.deb", &deb.finish(), 0o644).unwrap();
        let root = dir.path().join("root");
        let mut room = Room::new(&root).unwrap();
        room.unpack("p", &place).unwrap();
        room.finish(&["p"]).unwrap();
        let files = HostFiles::new(&root);
        assert_eq!(files.read("/bin/tool").unwrap(), b"#!");
        assert_eq!(files.stat("/usr/bin/tool").unwrap().mode, 0o755);
        assert_eq!(files.read("/usr/bin/cc").unwrap(), b"", "cc is gcc");
        assert!(files.stat("/usr/share/doc/p").is_err());
        assert!(HostFiles::new(outside.path()).list("/").unwrap().is_empty());
        assert!(files.read("/etc/dkms/framework.conf").is_ok());
    }
}
