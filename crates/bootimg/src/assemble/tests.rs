//! A small image out of packages made here, without network and without any tool of the host.
#![expect(clippy::disallowed_methods, reason = "the tests look at what a build leaves behind")]
use std::collections::BTreeMap;
use std::path::Path;

use esos_exec::{Cmd, ExecError, Exit, Output, Runner};
use esos_fetch::{HostFetch, Location, Store};
use esos_hostfs::{Files, HostFiles, ManualClock, Stream, TempDir};
use esos_units::Bytes;

use super::{Binary, Build, BuildError, Built, Doors, Quiet, build, request};
use crate::archive::{MirrorChoice, UnixTime};
use crate::deb::DebWriter;
use crate::disk::image::Layout;
use crate::disk::verify::verify;
use crate::kernel::elf::sample::object;
use crate::manifest::{Manifest, Suite};
use crate::root::DirCache;

const MANIFEST: &str = r#"
base = "none"
include = ["linux-image-test", "busybox"]
image = ["grub-test"]
[[initramfs]]
load = ["squashfs"]
modules = ["nvme"]
reason = "the test"
"#;

/// Stands for grub-mkimage: writes something of a core's size where it is told to.
struct Linker;

impl Runner for Linker {
    fn run(&self, cmd: &Cmd) -> Result<Output, ExecError> {
        let words: Vec<String> = cmd.arguments().iter().map(|a| a.to_string_lossy().into_owned()).collect();
        if let Some(at) = words.iter().position(|w| w == "-o") {
            HostFiles::new("/").replace(&words[at + 1], &[7; 4096], 0o644).unwrap();
        }
        Ok(Output { status: Exit::Code(0), stdout: Vec::new(), stderr: Vec::new() })
    }
}

fn deb(dir: &Path, name: &str, fields: &str, fill: impl FnOnce(&mut DebWriter)) {
    let control = format!(
        "Package: {name}\nVersion: 1.0-1\nArchitecture: amd64\nMaintainer: x\nDescription: x\n{fields}"
    );
    let mut writer = DebWriter::new(&control);
    fill(&mut writer);
    std::fs::write(dir.join(format!("{name}.deb")), writer.finish()).unwrap();
}

fn packages(dir: &Path) {
    let modules = "lib/modules/6.12.0-test";
    deb(dir, "linux-image-test", "", |deb| {
        let squashfs = object(&["alias=fs-squashfs"], &[], &["zstd_x"]);
        deb.dir("boot", 0o755).dir("lib", 0o755).dir("lib/modules", 0o755).dir(modules, 0o755);
        deb.file("boot/vmlinuz-6.12.0-test", b"the kernel", 0o644);
        deb.dir(&format!("{modules}/kernel"), 0o755);
        deb.file(&format!("{modules}/kernel/squashfs.ko"), &squashfs, 0o644);
        deb.file(&format!("{modules}/kernel/zstd.ko"), &object(&[], &["zstd_x"], &[]), 0o644);
        deb.file(&format!("{modules}/modules.order"), b"kernel/zstd.ko\nkernel/squashfs.ko\n", 0o644);
        deb.file(&format!("{modules}/modules.builtin"), b"kernel/ext4.ko\n", 0o644);
        deb.file(&format!("{modules}/modules.builtin.modinfo"), b"ext4.alias=fs-ext4\0", 0o644);
    });
    deb(dir, "busybox", "Essential: yes\n", |deb| {
        deb.dir("bin", 0o755).file("bin/busybox", b"shell", 0o755);
    });
    deb(dir, "grub-test", "", |deb| {
        let mut boot = vec![0; 512];
        boot[510..].copy_from_slice(&[0x55, 0xaa]);
        for path in [
            "usr",
            "usr/bin",
            "usr/lib",
            "usr/lib/grub",
            "usr/lib/grub/i386-pc",
            "usr/lib/grub/x86_64-efi",
            "usr/lib/x86_64-linux-gnu",
        ] {
            deb.dir(path, 0o755);
        }
        deb.file("usr/bin/grub-mkimage", b"program", 0o755);
        deb.file("usr/lib/grub/i386-pc/boot.img", &boot, 0o644);
        deb.file("usr/lib/grub/x86_64-efi/kernel.img", b"x", 0o644);
        deb.file("usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", b"loader", 0o755);
    });
}

/// Builds in `dir` from `dir/debs` into `dir/out`.
fn try_build(
    dir: &Path,
    manifest: &str,
    threads: usize,
    change: impl FnOnce(&mut Build<'_>),
) -> Result<Built, BuildError> {
    let manifest = Manifest::with_file(Suite::Trixie, &[], "test.toml", manifest).unwrap();
    let wanted = request(&manifest, Suite::Trixie, UnixTime::new(1_800_000_000)).unwrap();
    let mirror = MirrorChoice::At(Location::directory(dir.join("debs")));
    let (out, cache) = (dir.join("out"), dir.join(format!("cache-{threads}")));
    std::fs::create_dir_all(cache.join("frames")).unwrap();
    let layout =
        Layout { slot: Bytes::mib(16), conf: Bytes::mib(32), logs: Bytes::mib(32), ..Layout::default() };
    let mut wish = Build {
        manifest: &manifest,
        wanted: wanted.with(|r| {
            r.mirror.clone_from(&mirror);
            r.offline = true;
        }),
        version: "1.0-test".to_owned(),
        epoch: None,
        out: &out,
        init: Binary { name: "esos-init".to_owned(), bytes: object(&[], &[], &[]) },
        binaries: Vec::new(),
        added: Vec::new(),
        ssh_keys: "ssh-ed25519 AAAA me\n".to_owned(),
        debug_kernel: None,
        level: 3,
        threads,
        layout,
        compress: true,
    };
    change(&mut wish);
    let frames = DirCache::new(&cache.join("frames"));
    let host = HostFiles::new("/");
    let doors = Doors {
        fetch: &HostFetch::offline(),
        runner: &Linker,
        host: &host,
        store: &Store::open(&cache.join("packages")).unwrap(),
        frames: &frames,
        clock: &ManualClock::at(std::time::Duration::from_secs(1)),
    };
    build(&wish, &doors, &Quiet)
}

fn content(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let Ok(entries) = std::fs::read_dir(dir) else { return BTreeMap::new() };
    let file = |e: std::io::Result<std::fs::DirEntry>| {
        let path = e.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        // The raw image has holes of 300 MiB; its compressed form stands for it.
        let bytes = if name == "esos.img" { Vec::new() } else { std::fs::read(&path).unwrap() };
        (name, bytes)
    };
    entries.map(file).collect()
}

fn setting() -> TempDir {
    let dir = TempDir::new("assemble").unwrap();
    std::fs::create_dir(dir.path().join("debs")).unwrap();
    packages(&dir.path().join("debs"));
    dir
}

#[test]
fn packages_become_an_image_that_verifies_and_does_so_twice() {
    let dir = setting();
    let built = try_build(dir.path(), MANIFEST, 1, |_| ()).unwrap();
    let first = content(&dir.path().join("out"));
    let names: Vec<&str> = first.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["SHA256SUMS", "esos.img", "esos.img.zst", "manifest.txt", "packages.lock", "sbom.json"]
    );
    assert_eq!(
        built.packages.iter().map(|p| p.name.as_str()).collect::<Vec<_>>(),
        ["busybox", "linux-image-test"]
    );
    assert!(built.times.len() >= 8);
    let lock = String::from_utf8_lossy(&first["packages.lock"]).into_owned();
    assert!(lock.lines().any(|l| l.starts_with("grub-test ") && l.ends_with(" build-only")), "{lock}");
    let mut image = Stream::open(&dir.path().join("out/esos.img")).unwrap();
    let found = verify(&mut image, &mut |_| {}).unwrap();
    assert_eq!(found.findings, []);
    let index = built.sizes.iter().map(|row| row.name.as_str()).collect::<Vec<_>>();
    assert!(index.contains(&"linux-image-test") && index.contains(&"<esos>"), "{index:?}");

    std::fs::remove_dir_all(dir.path().join("out")).unwrap();
    let again = try_build(dir.path(), MANIFEST, 3, |wish| {
        let lock = crate::archive::Lock::parse("packages.lock", &lock).unwrap();
        wish.wanted = wish.wanted.clone().with(|r| r.lock = Some(lock.clone()));
    });
    assert_eq!(again.unwrap().epoch, built.epoch);
    let second = content(&dir.path().join("out"));
    for (name, bytes) in &first {
        assert!(
            second.get(name) == Some(bytes),
            "{name} differs with an empty cache, a lock and three threads"
        );
    }
}

/// A fault, and the output directory before and after it.
fn fault(manifest: &str, change: impl FnOnce(&mut Build<'_>), spoil: impl FnOnce(&Path)) -> BuildError {
    let dir = setting();
    spoil(&dir.path().join("debs"));
    std::fs::create_dir(dir.path().join("out")).unwrap();
    std::fs::write(dir.path().join("out/esos.img.zst"), b"of an earlier build").unwrap();
    let before = content(&dir.path().join("out"));
    let error = try_build(dir.path(), manifest, 2, change).unwrap_err();
    assert_eq!(content(&dir.path().join("out")), before, "{error}");
    error
}

#[test]
fn every_fault_has_a_name_and_leaves_nothing() {
    let needs = MANIFEST.replace("\"squashfs\"", "\"squashfs\", \"overlay\"");
    let error = fault(&needs, |_| (), |_| ());
    assert!(matches!(&error, BuildError::Choose { source, .. } if source.module == "overlay"), "{error}");

    let error = fault(&MANIFEST.replace("\"linux-image-test\", ", ""), |_| (), |_| ());
    assert!(matches!(error, BuildError::NoKernel), "{error}");

    let error = fault(&MANIFEST.replace("busybox", "nothing-of-that-name"), |_| (), |_| ());
    assert!(matches!(error, BuildError::Archive(_)), "{error}");

    let error =
        fault(MANIFEST, |_| (), |debs| std::fs::write(debs.join("busybox.deb"), b"!<arch>\njunk").unwrap());
    assert!(matches!(error, BuildError::Archive(_)), "{error}");

    let error = fault(MANIFEST, |wish| wish.layout.slot = Bytes::mib(1), |_| ());
    assert!(matches!(error, BuildError::Disk(_)), "{error}");

    let error = fault(MANIFEST, |wish| wish.epoch = Some(-1), |_| ());
    assert!(matches!(error, BuildError::Epoch { epoch: -1 }), "{error}");

    let program = Binary { name: "esos-x".into(), bytes: std::fs::read("/proc/self/exe").unwrap() };
    let init = program.clone();
    let error = fault(MANIFEST, |wish| wish.init = init, |_| ());
    assert!(matches!(error, BuildError::Binary(super::BinaryError::NotStatic { .. })), "{error}");
    let error = fault(MANIFEST, |wish| wish.binaries.push(program), |_| ());
    assert!(matches!(error, BuildError::NoLibc), "{error}");

    let error = fault(&MANIFEST.replace("grub-test", "busybox"), |_| (), |_| ());
    assert!(matches!(error, BuildError::BootLoader(_)), "{error}");

    let error = fault(MANIFEST, |wish| wish.debug_kernel = Some("/nowhere/linux.deb".into()), |_| ());
    assert!(matches!(error, BuildError::File(_)), "{error}");
}

#[test]
fn a_second_kernel_is_for_debugging_or_too_much() {
    let second = |dir: &Path, name: &str| {
        deb(dir, name, "", |deb| {
            deb.dir("boot", 0o755)
                .dir("lib", 0o755)
                .dir("lib/modules", 0o755)
                .dir("lib/modules/6.13.0-debug", 0o755);
            deb.file("boot/vmlinuz-6.13.0-debug", b"another kernel", 0o644);
            deb.file("lib/modules/6.13.0-debug/modules.builtin", b"kernel/squashfs.ko\n", 0o644);
        });
    };
    let both = MANIFEST.replace("\"busybox\"", "\"busybox\", \"linux-image-debug\"");
    let error = fault(&both, |_| (), |debs| second(debs, "linux-image-debug"));
    assert!(matches!(error, BuildError::ManyKernels { count: 2, .. }), "{error}");

    let dir = setting();
    second(dir.path(), "linux-image-debug");
    let package = dir.path().join("linux-image-debug.deb");
    let built = try_build(dir.path(), MANIFEST, 2, |wish| wish.debug_kernel = Some(package)).unwrap();
    let names: Vec<&str> = built.disk.primary.files.iter().map(|f| f.name.as_str()).collect();
    assert!(names.contains(&"vmlinuz-debug") && names.contains(&"initrd-debug.img"), "{names:?}");
}
