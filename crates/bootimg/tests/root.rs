//! Packages merged into root images, compared with GNU tar and with what dpkg would do.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "a test that runs GNU tar and reads real packages in place"
)]
use esos_bootimg::deb::{DebWriter, Entry, Kind, tar};
use esos_bootimg::root::{
    Cache as _, DirCache, Filter, MemCache, Options, Own, PackageSource, RootBuilder, RootError, RootImage,
    Silent, UnpackError, read_root,
};
use esos_layout::frames::Index;
use proptest::prelude::*;
use std::collections::BTreeMap;

const EPOCH: i64 = 1_700_000_000;

fn package(name: &str, fields: &str, fill: impl FnOnce(&mut DebWriter)) -> PackageSource {
    let mut made = DebWriter::new(&format!("Package: {name}\nVersion: 1\nArchitecture: all\n{fields}"));
    fill(&mut made);
    PackageSource::from_bytes(name, "1", made.finish())
}

fn options() -> Options {
    Options { filter: Filter::new().drop("usr/share/doc/*"), ..Options::new(EPOCH) }
}

fn build_with(
    packages: Vec<PackageSource>,
    own: Vec<Own>,
    cache: &MemCache,
) -> Result<(RootImage, Vec<u8>), RootError> {
    let builder = packages.into_iter().fold(RootBuilder::new(options()), RootBuilder::package);
    let builder = own.into_iter().fold(builder, RootBuilder::own);
    let mut image = Vec::new();
    let root = builder.prepare(cache, &Silent)?.write(&mut image)?;
    Ok((root, image))
}

fn build(packages: Vec<PackageSource>) -> Result<(RootImage, Vec<u8>), RootError> {
    build_with(packages, Vec::new(), &MemCache::default())
}

fn contents(root: &RootImage, image: &[u8]) -> BTreeMap<String, (Entry, Vec<u8>, String)> {
    let mut all = BTreeMap::new();
    read_root("image", &root.index, &mut &image[..], |frame, entry, content| {
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes)?;
        let before = all.insert(entry.path.to_string(), (entry.clone(), bytes, frame.name.clone()));
        assert!(before.is_none(), "{} is in two frames", entry.path);
        Ok(())
    })
    .unwrap();
    all
}

fn entry(path: &str, kind: Kind) -> Entry {
    Entry { mtime: 1_800_000_000, ..Entry::new(path.parse().unwrap(), kind, 0o644) }
}

#[test]
fn packages_become_one_tree() {
    let cache = MemCache::default();
    let packages = || {
        vec![
            package("base-files", "", |d| {
                d.dir("", 0o755).dir("etc", 0o755).dir("var/lock", 0o755);
            }),
            package("tool", "", |d| {
                d.dir("etc", 0o700).dir("./bin", 0o755).file("./bin/tool", b"tool", 0o755);
                d.file("etc/tool.conf", b"theirs", 0o644).file("usr/share/doc/tool/README", b"x", 0o644);
                d.entry(entry("lib/new", Kind::File { size: 0 }), b"newer than the build");
                d.entry(entry("lib/newlink", Kind::HardLink { target: "lib/new".parse().unwrap() }), b"");
            }),
        ]
    };
    let own = || {
        vec![
            Own::file("etc/tool.conf", &b"ours"[..], 0o640).unwrap().owned(0, 42),
            Own::link("var/lock", "/run/lock").unwrap(),
            Own { needs: "usr/bin/none".to_owned(), ..Own::file("etc/none", &b""[..], 0o644).unwrap() },
        ]
    };
    let (root, image) = build_with(packages(), own(), &cache).unwrap();
    let all = contents(&root, &image);
    assert_eq!(all["usr/bin/tool"].1, b"tool");
    assert_eq!(all["bin"].0.kind, Kind::Symlink { target: "usr/bin".to_owned() });
    assert_eq!((all["etc/tool.conf"].1.as_slice(), all["etc/tool.conf"].0.gid), (&b"ours"[..], 42));
    assert_eq!(all["etc"].0.mode, 0o755, "base-files decides");
    assert_eq!(all["var/lock"].0.kind, Kind::Symlink { target: "/run/lock".to_owned() });
    assert_eq!(all["usr/lib/new"].0.mtime, EPOCH);
    assert_eq!(all["usr/lib/newlink"].0.kind, Kind::HardLink { target: "usr/lib/new".parse().unwrap() });
    assert!(!all.contains_key("etc/none") && !all.contains_key("usr/share/doc/tool/README"));
    for (path, (entry, _, frame)) in &all {
        assert_eq!(entry.kind.is_dir(), frame == "<directories>", "{path} is in {frame}");
    }
    assert_eq!(root.index.frames.last().unwrap().name, "<end>");

    let (again, same) = build_with(packages(), own(), &cache).unwrap();
    assert_eq!((again.cached, again.packages), (2, 2));
    assert!(same == image && again.index == root.index, "a rebuild differs");
    let (_, fresh) = build_with(packages(), own(), &MemCache::default()).unwrap();
    assert!(fresh == image, "a build with an empty cache differs");
}

#[test]
fn one_path_of_two_packages() {
    let file = |name: &str, fields: &str| {
        package(name, fields, |d| {
            d.file("usr/lib/x", name.as_bytes(), 0o644);
        })
    };
    let error = build(vec![file("a", ""), file("b", "")]).unwrap_err().to_string();
    assert_eq!(
        error,
        "/usr/lib/x: a has it as a file, b as a file, and neither replaces the other; leave one of them out"
    );
    for (a, b, winner) in [("", "Replaces: a (<< 2)\n", "b"), ("Replaces: b\n", "", "a")] {
        let (root, image) = build(vec![file("a", a), file("b", b)]).unwrap();
        assert_eq!(contents(&root, &image)["usr/lib/x"].1, winner.as_bytes());
        assert_eq!(root.notes.len(), 1);
    }
    assert!(build(vec![file("a", ""), file("b", "Replaces: a (<< 1)\n")]).is_err());
    assert!(build(vec![file("a", ""), file("a", "")]).unwrap_err().to_string().contains("twice"));
}

#[test]
fn a_diverted_file_stays_under_its_other_name() {
    let plain = package("greet", "", |deb| {
        deb.dir("bin", 0o755).file("bin/greet", b"plain", 0o755);
    });
    let loud = package("greet-loud", "Depends: greet\n", |deb| {
        deb.dir("usr", 0o755).dir("usr/bin", 0o755).file("usr/bin/greet", b"loud", 0o755);
        let call =
            "dpkg-divert --package greet-loud --add --rename --divert /usr/bin/greet.plain /usr/bin/greet";
        deb.control_file("preinst", format!("#!/bin/sh\nset -e\n{call}\n").as_bytes());
    });
    let (root, image) = build(vec![plain, loud]).unwrap();
    let contents = contents(&root, &image);
    assert_eq!(contents["usr/bin/greet"].1, b"loud");
    assert_eq!(contents["usr/bin/greet.plain"].1, b"plain");
    assert_eq!(root.tree.get("usr/bin/greet.plain").unwrap().package.as_deref(), Some("greet"));
}

#[test]
fn links_to_directories_are_followed_as_dpkg_does() {
    let data = |d: &mut DebWriter| {
        d.dir("usr/share/new", 0o755).file("usr/share/new/one", b"1", 0o644);
        d.symlink("usr/share/old", "new");
    };
    let through = package("b", "", |d| {
        d.dir("usr/share/old", 0o755).file("usr/share/old/two", b"2", 0o644);
    });
    let (root, image) = build(vec![package("a", "", data), through]).unwrap();
    let all = contents(&root, &image);
    assert_eq!(all["usr/share/new/two"].1, b"2");
    assert!(matches!(all["usr/share/old"].0.kind, Kind::Symlink { .. }));

    let swapped = package("b", "", |d| {
        d.file("usr/share/old", b"a file now", 0o644);
    });
    let error = build(vec![package("a", "", data), swapped]).unwrap_err().to_string();
    assert!(error.contains("a has it as a symbolic link, b as a file"), "{error}");

    let into_file = package("b", "", |d| {
        d.file("usr/share/new/one/x", b"", 0o644);
    });
    let error = build(vec![package("a", "", data), into_file]).unwrap_err().to_string();
    assert!(error.contains("/usr/share/new/one is a file of a, not a directory"), "{error}");

    let nowhere = package("b", "", |d| {
        d.symlink("usr/x", "/nowhere").file("usr/x/y", b"", 0o644);
    });
    let error = build(vec![nowhere]).unwrap_err().to_string();
    assert!(error.contains("link that leads nowhere"), "{error}");
}

#[test]
fn hard_links_stay_with_their_file() {
    let big = vec![7u8; 9 << 20];
    let link = |target: &str| Kind::HardLink { target: target.parse().unwrap() };
    let far = package("far", "", |d| {
        d.file("usr/share/doc/far/first", b"content", 0o644).file("a", &big, 0o644).file("b", &big, 0o644);
        d.entry(entry("z1", link("a")), b"").entry(entry("z2", link("usr/share/doc/far/first")), b"");
        d.entry(entry("z3", link("usr/share/doc/far/first")), b"");
    });
    let (root, image) = build(vec![far]).unwrap();
    let all = contents(&root, &image);
    assert_eq!(all["z1"].2, all["a"].2, "the frame of the file that it links to");
    assert_ne!(all["a"].2, all["b"].2);
    assert_eq!(all["z2"].1, b"content", "the file that stays out gives its content to its first other name");
    assert_eq!(all["z3"].0.kind, link("z2"));
    let foreign = package("b", "", |d| {
        d.entry(entry("l", link("usr/bin/of-another-package")), b"");
    });
    let error = build(vec![foreign]).unwrap_err().to_string();
    assert_eq!(
        error,
        "/l of b is a hard link to /usr/bin/of-another-package, which is no file of the same package"
    );
}

#[test]
fn a_damaged_image_or_package_is_found() {
    let make = || {
        package("a", "", |d| {
            d.file("a", b"some text", 0o644);
        })
    };
    let (root, image) = build(vec![make()]).unwrap();
    for at in [0, image.len() / 2, image.len() - 1] {
        let mut bad = image.clone();
        bad[at] ^= 0x10;
        let error = read_root("image", &root.index, &mut &bad[..], |_, _, _| Ok(())).unwrap_err();
        assert!(matches!(error, UnpackError::Hash { .. }), "{error}");
        assert!(read_root("image", &root.index, &mut &image[..at], |_, _, _| Ok(())).is_err());
    }
    let mut index = root.index.clone();
    index.frames[1].entries += 1;
    let error = read_root("image", &index, &mut &image[..], |_, _, _| Ok(())).unwrap_err();
    assert!(matches!(error, UnpackError::Index { what: "entries", .. }), "{error}");
    let wrong = PackageSource { sha256: [1; 32], ..make() };
    assert!(matches!(build(vec![wrong]).unwrap_err(), RootError::Hash { .. }));
}

#[test]
fn a_damaged_cache_is_made_again() {
    let dir = esos_hostfs::TempDir::new("root").unwrap();
    let cache = DirCache::new(dir.path());
    let build = || {
        let builder = RootBuilder::new(options()).package(package("a", "", |d| {
            d.file("a", b"some text", 0o644);
        }));
        let mut image = Vec::new();
        let root = builder.prepare(&cache, &Silent).unwrap().write(&mut image).unwrap();
        (root.cached, image)
    };
    let first = build();
    assert_eq!(build(), (1, first.1.clone()));
    for file in std::fs::read_dir(dir.path()).unwrap() {
        let path = file.unwrap().path();
        let mut bytes = std::fs::read(&path).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        std::fs::write(&path, bytes).unwrap();
    }
    assert_eq!(build().1, first.1);
    assert!(cache.open("none").unwrap().is_none());
}

fn node() -> impl Strategy<Value = (String, Kind, u32, Vec<u8>)> {
    let kind = prop_oneof![3 => Just(Kind::File { size: 0 }), 1 => Just(Kind::Dir),
        1 => "[a-z]{1,9}".prop_map(|target| Kind::Symlink { target }), 1 => Just(Kind::Fifo)];
    let name = prop_oneof![4 => "[a-d]{1,2}(/[e-h]{1,2}){0,2}", 1 => "[a-d]{90,100}/[e-h]{20,30}"];
    (name, kind, 0u32..0o10000, proptest::collection::vec(any::<u8>(), 0..600))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever is packed, GNU tar reads the same from `zstd -d` of the image as we do.
    #[test]
    fn gnu_tar_reads_the_image(nodes in proptest::collection::vec(node(), 1..12)) {
        let mut made: BTreeMap<String, (Kind, u32, Vec<u8>)> = BTreeMap::new();
        for (name, kind, mode, content) in nodes {
            let under = made.iter().any(|(n, (k, ..))| name.starts_with(&format!("{n}/")) && !k.is_dir());
            let over = !kind.is_dir() && made.keys().any(|n| n.starts_with(&format!("{name}/")));
            if !under && !over && !made.contains_key(&name) {
                made.insert(name, (kind, mode, content));
            }
        }
        let source = package("p", "", |d| for (name, (kind, mode, content)) in &made {
            d.entry(Entry::new(name.parse().unwrap(), kind.clone(), *mode), if kind.is_file() { content } else { &[] });
        });
        let (root, image) = build(vec![source]).unwrap();
        let index: Index = root.index.to_string().parse().unwrap();
        prop_assert_eq!(&index, &root.index);
        let all = contents(&root, &image);
        for (name, (kind, mode, content)) in &made {
            let (entry, bytes, _) = &all[name];
            prop_assert_eq!(std::mem::discriminant(&entry.kind), std::mem::discriminant(kind));
            prop_assert_eq!(entry.mode, *mode);
            if kind.is_file() { prop_assert_eq!(bytes, content); }
        }
        let plain = zstd::decode_all(&image[..]).unwrap();
        prop_assert_eq!(tar::read_all("image", &plain).unwrap().len(), all.len());
        let Some(mut listed) = tar_list(&plain) else { return Ok(()) };
        listed.sort();
        let mut want: Vec<String> = all.keys().cloned().collect();
        want.sort();
        prop_assert_eq!(listed, want);
    }
}

/// What GNU tar lists; `None` where there is no tar.
fn tar_list(bytes: &[u8]) -> Option<Vec<String>> {
    use std::io::Write as _;
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let out = std::process::Command::new("tar").arg("-tf").arg(file.path()).output().ok()?;
    assert!(out.status.success() && out.stderr.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8(out.stdout).unwrap();
    let name = |line: &str| line.trim_start_matches("./").trim_end_matches('/').to_owned();
    Some(text.lines().map(name).collect())
}

/// A root of all packages in the directory that `ESOS_DEBS` names, with the overlay; twice.
#[test]
fn real_root() {
    let Some(dir) = std::env::var_os("ESOS_DEBS") else {
        eprintln!("skipped: ESOS_DEBS names no directory of packages");
        return;
    };
    let cache_dir = tempfile::tempdir().unwrap();
    let cache = DirCache::new(cache_dir.path());
    let out = std::env::var_os("ESOS_ROOT_OUT");
    let mut images = Vec::new();
    for _ in 0..2 {
        let start = std::time::Instant::now();
        let mut builder = RootBuilder::new(Options::new(EPOCH + 100_000_000)).overlay().unwrap();
        for file in std::fs::read_dir(&dir).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_some_and(|e| e == "deb") {
                builder = builder.package(from_file(&path));
            }
        }
        let prepared = builder.prepare(&cache, &Silent).unwrap();
        let prepare = start.elapsed();
        let mut image = Vec::new();
        let root = prepared.write(&mut image).unwrap();
        eprintln!(
            "{} packages ({} cached), {} paths, {} frames, {} MB -> {} MB, prepare {prepare:.1?}, whole {:.1?}",
            root.packages,
            root.cached,
            root.tree.len(),
            root.index.frames.len(),
            root.index.unpacked() >> 20,
            root.index.packed() >> 20,
            start.elapsed()
        );
        for note in root.notes.iter().take(400) {
            eprintln!("  {note}");
        }
        images.push((root, image));
    }
    assert!(images[0].1 == images[1].1, "a rebuild differs");
    read_root("image", &images[0].0.index, &mut &images[0].1[..], |_, _, _| Ok(())).unwrap();
    if let Some(out) = out {
        std::fs::write(std::path::Path::new(&out).join("root.tar.zst"), &images[0].1).unwrap();
        std::fs::write(std::path::Path::new(&out).join("root.idx"), images[0].0.index.to_string()).unwrap();
    }
}

fn from_file(path: &std::path::Path) -> PackageSource {
    use sha2::Digest as _;
    let bytes = std::fs::read(path).unwrap();
    let deb = esos_bootimg::deb::Deb::open("x", &bytes[..], esos_bootimg::deb::Limits::default()).unwrap();
    let field = |name: &str| deb.control().field(name).unwrap().to_owned();
    let own = path.to_owned();
    PackageSource {
        name: field("Package"),
        version: field("Version"),
        sha256: sha2::Sha256::digest(&bytes).into(),
        size: bytes.len() as u64,
        open: Box::new(move || Ok(Box::new(std::fs::File::open(&own)?))),
    }
}
