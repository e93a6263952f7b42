//! Packages that make no root, and root images that cannot be read back.
use crate::seen::Seen;
use esos_bootimg::deb::{DebWriter, Entry, Kind};
use esos_bootimg::root::{
    Cache, Draft, MemCache, Options, Own, PackageSource, Progress, ReadSeek, RootBuilder, RootError,
    RootImage, Silent, read_root,
};
use sha2::{Digest, Sha256};
use std::io::{self, Write};

fn package(name: &str, fill: impl FnOnce(&mut DebWriter)) -> PackageSource {
    let mut made = DebWriter::new(&format!("Package: {name}\nVersion: 1\nArchitecture: all\n"));
    fill(&mut made);
    PackageSource::from_bytes(name, "1", made.finish())
}

fn file(name: &str, path: &str, text: &str) -> PackageSource {
    package(name, |d| {
        d.file(path, text.as_bytes(), 0o755);
    })
}

fn write(
    packages: Vec<PackageSource>,
    cache: &dyn Cache,
    progress: &dyn Progress,
    out: &mut dyn Write,
) -> Result<RootImage, RootError> {
    let builder = packages.into_iter().fold(RootBuilder::new(Options::new(1)), RootBuilder::package);
    builder.prepare(cache, progress)?.write(out)
}

fn build(packages: Vec<PackageSource>) -> Result<(RootImage, Vec<u8>), RootError> {
    let mut image = Vec::new();
    let root = write(packages, &MemCache::default(), &Silent, &mut image)?;
    Ok((root, image))
}

/// A full disk.
struct Full;

impl Write for Full {
    fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::StorageFull.into())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A cache on a medium that is gone.
#[derive(Debug)]
struct Gone;

impl Cache for Gone {
    fn open(&self, _key: &str) -> io::Result<Option<Box<dyn ReadSeek>>> {
        Err(io::Error::other("the medium is gone"))
    }
    fn create(&self) -> io::Result<Box<dyn Draft>> {
        Err(io::Error::other("the medium is gone"))
    }
}

struct Stop;

impl Progress for Stop {
    fn stop(&self) -> bool {
        true
    }
}

pub(crate) fn all(seen: &mut Seen) {
    let open = Box::new(|| Err(io::ErrorKind::NotFound.into()));
    seen.failed(build(vec![PackageSource { open, ..file("a", "a", "a") }]));
    seen.failed(build(vec![PackageSource::from_bytes("junk", "1", b"no package".to_vec())]));
    seen.failed(build(vec![PackageSource { sha256: [1; 32], ..file("a", "a", "a") }]));
    seen.failed(build(vec![file("a", "a", "a"), file("a", "b", "b")]));
    seen.failed(build(vec![file("a", "usr/x", "a"), file("b", "usr/x", "b")]));
    seen.failed(build(vec![file("a", "usr/x", "a"), file("b", "usr/x/y", "b")]));
    let target = "usr/bin/of-another".parse().unwrap();
    let link = Entry::new("l".parse().unwrap(), Kind::HardLink { target }, 0o644);
    seen.failed(build(vec![package("a", |d| {
        d.entry(link, b"");
    })]));
    seen.failed(Own::file("../etc/shadow", &b""[..], 0o644));
    seen.failed(write(vec![file("a", "a", "a")], &MemCache::default(), &Silent, &mut Full));
    seen.failed(write(vec![file("a", "a", "a")], &Gone, &Silent, &mut Vec::new()));
    seen.failed(write(vec![file("a", "a", "a")], &MemCache::default(), &Stop, &mut Vec::new()));

    let script = |name: &str, provides: &str, needs: &str| {
        let lines = [
            "#!/bin/sh".to_owned(),
            "### BEGIN INIT INFO".to_owned(),
            format!("# Provides: {provides}"),
            format!("# Required-Start: {needs}"),
            "# Required-Stop:".to_owned(),
            "# Default-Start: 2".to_owned(),
            "# Default-Stop:".to_owned(),
            "### END INIT INFO\n".to_owned(),
        ];
        file(name, &format!("etc/init.d/{name}"), &lines.join("\n"))
    };
    let declared = [
        vec![script("one", "one", "two"), script("two", "two", "one")],
        vec![script("one", "same", ""), script("two", "same", "")],
        vec![file(
            "base-passwd",
            "usr/share/base-passwd/passwd.master",
            "root:*:zero:0:root:/root:/bin/sh\n",
        )],
        vec![file("a", "usr/lib/sysusers.d/a.conf", "u a/b -\n")],
    ];
    for packages in declared {
        let error = build(packages).unwrap_err();
        if let RootError::Declare(inner) = &error {
            seen.saw(inner);
        }
        seen.saw(&error);
    }

    unpacking(seen);
}

fn unpacking(seen: &mut Seen) {
    let (root, image) = build(vec![file("a", "a", "some text")]).unwrap();
    let back = |index: &_, bytes: &[u8]| read_root("image", index, &mut &bytes[..], |_, _, _| Ok(()));
    seen.failed(back(&root.index, &image[..image.len() - 1]));
    let mut damaged = image.clone();
    damaged[0] ^= 1;
    seen.failed(back(&root.index, &damaged));
    seen.failed(back(&root.index, &[&image[..], b"more"].concat()));
    let mut counts = root.index.clone();
    counts.frames[0].entries += 1;
    seen.failed(back(&counts, &image));
    // A frame whose hash is right and whose tar is none.
    let frame = zstd::encode_all(&[b'x'; 1024][..], 1).unwrap();
    let mut index = root.index.clone();
    index.frames.truncate(1);
    index.frames[0].packed = frame.len() as u64;
    index.frames[0].sha256 = Sha256::digest(&frame).into();
    seen.failed(back(&index, &frame));
}
