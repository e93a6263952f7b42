//! Builds that end without an image, out of a directory of tiny packages.
use crate::kernel::{linked, object};
use crate::seen::Seen;
use esos_bootimg::archive::{ArchiveError, MirrorChoice, UnixTime};
use esos_bootimg::assemble::{
    self, AddFile, Binary, BinaryError, Build, BuildError, Built, Doors, Quiet, request,
};
use esos_bootimg::deb::DebWriter;
use esos_bootimg::disk::image::{Layout, compress};
use esos_bootimg::dkms::DkmsError;
use esos_bootimg::extra::{Extra, choose};
use esos_bootimg::kernel::InitramfsError;
use esos_bootimg::manifest::{Manifest, Suite};
use esos_bootimg::root::MemCache;
use esos_exec::{Cmd, ExecError, Exit, Output, Runner};
use esos_fetch::{HostFetch, Location, Store};
use esos_hostfs::{HostClock, HostFiles};
use esos_units::Bytes;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Stands for gpgv and for GRUB's linker.
#[derive(Default)]
pub(crate) struct Tools {
    /// What gpgv says on its status lines; without any, that the signature is good.
    pub(crate) gpgv: &'static str,
    /// What the linker's loader lists.
    pub(crate) libraries: &'static str,
    /// With which status the linker ends.
    pub(crate) status: i32,
    /// Whether no program is there.
    pub(crate) missing: bool,
}

impl Runner for Tools {
    fn run(&self, cmd: &Cmd) -> Result<Output, ExecError> {
        if self.missing {
            return Err(ExecError::NotFound { program: cmd.program().to_owned() });
        }
        if cmd.program().ends_with("gpgv") {
            let text = String::from_utf8_lossy(cmd.input()).into_owned();
            let inner = text.split_once("\n\n").map_or("", |(_, rest)| rest);
            let inner = inner.split("-----BEGIN PGP SIGNATURE-----").next().unwrap_or("");
            let said = if self.gpgv.is_empty() { "[GNUPG:] GOODSIG A Somebody\n" } else { self.gpgv };
            return Ok(Output { status: Exit::Code(0), stdout: inner.into(), stderr: said.into() });
        }
        let mut status = 0;
        if let Some(at) = cmd.arguments().iter().position(|a| a == "-o") {
            fs::write(&cmd.arguments()[at + 1], vec![7; 2000]).unwrap();
            status = self.status;
        }
        let stdout = self.libraries.into();
        Ok(Output { status: Exit::Code(status), stdout, stderr: b"no such module\n".to_vec() })
    }
}

/// Packages by name: paths and contents.
pub(crate) type Packages = Vec<(&'static str, Vec<(&'static str, Vec<u8>)>)>;

/// What linking the boot loader wants, with nothing true in it.
pub(crate) fn grub_packages() -> Packages {
    let mut boot = vec![0; 512];
    boot[510..].copy_from_slice(&[0x55, 0xaa]);
    vec![
        ("libc6", vec![("usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", b"loader".to_vec())]),
        ("grub-common", vec![("usr/bin/grub-mkimage", b"program".to_vec())]),
        ("grub-pc-bin", vec![("usr/lib/grub/i386-pc/boot.img", boot)]),
        ("grub-efi-amd64-bin", vec![("usr/lib/grub/x86_64-efi/kernel.img", b"kernel".to_vec())]),
    ]
}

fn kernel(release: &str) -> Vec<(&'static str, Vec<u8>)> {
    let path = |path: String| -> &'static str { path.leak() };
    vec![
        (path(format!("boot/vmlinuz-{release}")), b"kernel".to_vec()),
        (path(format!("usr/lib/modules/{release}/modules.order")), Vec::new()),
        (path(format!("usr/lib/modules/{release}/modules.builtin")), Vec::new()),
        (path(format!("usr/lib/modules/{release}/modules.builtin.modinfo")), Vec::new()),
        (path(format!("usr/lib/modules/{release}/kernel/plain.ko")), object()),
    ]
}

fn deb(name: &str, files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let version = if name == "libc6" { "2.41-1" } else { "1" };
    let mut deb = DebWriter::new(&format!("Package: {name}\nVersion: {version}\nArchitecture: amd64\n"));
    for (path, bytes) in files {
        deb.file(path, bytes, 0o755);
    }
    deb.finish()
}

/// What a build is made of; what a case changes.
pub(crate) struct Case {
    packages: Packages,
    /// Further ones, whatever their bytes are.
    pub(crate) whole: Vec<(&'static str, Vec<u8>)>,
    pub(crate) include: &'static str,
    load: &'static str,
    tools: Tools,
    init: Vec<u8>,
    binaries: Vec<Binary>,
    epoch: Option<i64>,
    debug_kernel: Option<(&'static str, Vec<u8>)>,
    locked_debug: bool,
    slot: Bytes,
    out: Option<PathBuf>,
    offline_mirror: bool,
    extra: Option<Vec<u8>>,
}

impl Default for Case {
    fn default() -> Self {
        let mut packages = grub_packages();
        packages.push(("linux-image", kernel("6.1-test")));
        Self {
            packages,
            whole: Vec::new(),
            include: "\"linux-image\", \"libc6\"",
            load: "",
            tools: Tools::default(),
            init: object(),
            binaries: Vec::new(),
            epoch: Some(1_700_000_000),
            debug_kernel: None,
            locked_debug: false,
            slot: Bytes::mib(4),
            out: None,
            offline_mirror: true,
            extra: None,
        }
    }
}

impl Case {
    pub(crate) fn build(self) -> Result<Built, BuildError> {
        let dir = tempfile::tempdir().unwrap();
        let debs = dir.path().join("debs");
        fs::create_dir(&debs).unwrap();
        if self.offline_mirror {
            for (name, files) in &self.packages {
                fs::write(debs.join(format!("{name}.deb")), deb(name, files)).unwrap();
            }
            for (name, bytes) in &self.whole {
                fs::write(debs.join(format!("{name}.deb")), bytes).unwrap();
            }
        }
        let text = format!(
            "base = \"none\"\ninclude = [{}]\nimage = [\"libc6\", \"grub-common\", \"grub-pc-bin\", \"grub-efi-amd64-bin\"]\n\
             [[initramfs]]\nload = [{}]\nreason = \"a test\"\n",
            self.include, self.load
        );
        let manifest = Manifest::with_file(Suite::Trixie, &[], "m.toml", &text).unwrap();
        let wanted = request(&manifest, Suite::Trixie, UnixTime::new(1_795_424_400)).unwrap();
        let mut wanted =
            wanted.with(|request| request.mirror = MirrorChoice::At(Location::directory(debs.clone())));
        if let Some(bytes) = self.extra {
            let extra = dir.path().join("extra");
            fs::create_dir(&extra).unwrap();
            fs::write(extra.join("module-dkms.deb"), bytes).unwrap();
            wanted = wanted.extra_debs(Some(extra));
        }
        let (store, frames) = (Store::open(&dir.path().join("cache")).unwrap(), MemCache::default());
        let (fetch, host) = (HostFetch::offline(), HostFiles::new("/"));
        let doors = Doors {
            fetch: &fetch,
            runner: &self.tools,
            host: &host,
            store: &store,
            frames: &frames,
            clock: &HostClock,
        };
        if self.locked_debug {
            let archive = esos_bootimg::archive::Doors {
                fetch: &fetch,
                runner: &self.tools,
                host: &host,
                store: &store,
            };
            let mut lock = assemble::lock(&wanted, &archive, &()).unwrap().lock;
            lock.debug_kernel = lock.packages.values().next().cloned();
            lock.debug_kernel.as_mut().unwrap().name = "linux-image-dbg".into();
            wanted = wanted.with(|request| request.lock = Some(lock.clone()));
        }
        let debug_kernel = self.debug_kernel.map(|(name, bytes)| {
            let path = dir.path().join(name);
            fs::write(&path, bytes).unwrap();
            path
        });
        let out = self.out.unwrap_or_else(|| {
            // An image of last time lies there.
            let out = dir.path().join("out");
            fs::create_dir(&out).unwrap();
            fs::write(out.join("esos.img"), b"of last time").unwrap();
            out
        });
        let before = contents(&out);
        let build = Build {
            iso: false,
            manifest: &manifest,
            wanted,
            version: "1".into(),
            epoch: self.epoch,
            out: &out,
            init: Binary { name: "esos-init".into(), bytes: self.init },
            binaries: self.binaries,
            added: vec![AddFile { path: "/etc/added".into(), bytes: b"x".to_vec(), mode: 0o644 }],
            ssh_keys: String::new(),
            debug_kernel,
            level: 1,
            threads: 1,
            layout: Layout {
                slot: self.slot,
                conf: Bytes::mib(32),
                logs: Bytes::mib(32),
                ..Layout::default()
            },
            compress: false,
            minimum: None,
            signer: None,
            secure_boot: false,
        };
        let built = assemble::build(&build, &doors, &Quiet);
        if built.is_err() {
            assert_eq!(contents(&out), before, "a failed build changed its output directory");
        }
        built
    }
}

/// Names and contents of what lies in a directory.
fn contents(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let all = fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path());
    all.map(|path| (path.clone(), fs::read(path).unwrap_or_default())).collect()
}

pub(crate) fn with(change: impl FnOnce(&mut Case)) -> Result<Built, BuildError> {
    let mut case = Case::default();
    change(&mut case);
    case.build()
}

pub(crate) fn all(seen: &mut Seen) {
    let built = with(|_| {}).unwrap();
    assert!(built.products.iter().any(|p| p.name == "esos.img"), "{:?}", built.products);

    seen.failed(with(|c| c.offline_mirror = false));
    seen.failed(with(|c| c.tools.status = 1));
    // A package of the tools whose data cannot be unpacked over one another.
    seen.failed(with(|c| {
        c.packages[1].1.push(("usr/lib/grub/a", Vec::new()));
        c.packages[1].1.push(("usr/lib/grub/a/b", Vec::new()));
    }));
    seen.failed(with(|c| {
        c.packages[4].1.push(("etc/same", Vec::new()));
        c.packages[0].1.push(("etc/same", Vec::new()));
    }));
    kernels(seen);
    seen.failed(with(|c| c.init = b"#!/bin/sh\n".to_vec()));
    let program = || Binary { name: "esos".into(), bytes: object() };
    seen.failed(with(|c| (c.include, c.binaries) = ("\"linux-image\"", vec![program()])));
    seen.failed(with(|c| c.slot = Bytes::mib(1)));
    seen.failed(with(|c| c.epoch = Some(-1)));
    seen.failed(with(|c| c.out = Some("/proc/self/none".into())));
    // A medium that fails in the middle of a build: the cause is real, and handed on as a build does.
    seen.saw(&BuildError::from(InitramfsError::NoFile { name: "nvme".into() }));
    let unread = compress(&mut std::io::empty(), Broken, 1, 1).unwrap_err();
    seen.saw(&BuildError::from(unread));
    seen.saw(&BuildError::from(DkmsError::NoSource));
    let dkms = || deb("module-dkms", &[("usr/src/module-1/dkms.conf", b"PACKAGE_NAME=module\n".to_vec())]);
    match with(|c| c.extra = Some(dkms())).unwrap_err() {
        BuildError::Archive(inner) => seen.saw(&*inner),
        other => seen.saw(&other),
    }
    let ready = Extra { kernels: ["6.0-other".to_owned()].into(), ..Extra::named("module") };
    let foreign = choose(&[ready], Some("6.1-test")).unwrap_err();
    seen.saw(&foreign);
    seen.saw(&ArchiveError::from(foreign));

    programs(seen);
}

struct Broken;

impl std::io::Write for Broken {
    fn write(&mut self, _bytes: &[u8]) -> std::io::Result<usize> {
        Err(std::io::ErrorKind::StorageFull.into())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn kernels(seen: &mut Seen) {
    seen.failed(with(|c| c.include = "\"libc6\""));
    seen.failed(with(|c| {
        c.packages.push(("linux-image-2", kernel("6.2-test")));
        c.include = "\"linux-image\", \"linux-image-2\"";
    }));
    let none = deb("linux-image-dbg", &[("usr/share/none", Vec::new())]);
    seen.failed(with(|c| c.debug_kernel = Some(("dbg.deb", none))));
    let again = deb("linux-image", &kernel("6.3-test"));
    seen.failed(with(|c| c.debug_kernel = Some(("dbg.deb", again))));
    seen.failed(with(|c| c.locked_debug = true));
    seen.failed(with(|c| c.load = "\"squashfs\""));
    seen.failed(with(|c| c.packages[4].1[4].1 = b"no module".to_vec()));
    let module = |name: &str| -> &'static str { format!("usr/lib/modules/6.1-test/kernel/{name}.ko").leak() };
    seen.failed(with(|c| {
        c.packages[4].1.push((module("a"), linked(&["of_a"], &["of_b"])));
        c.packages[4].1.push((module("b"), linked(&["of_b"], &["of_a"])));
    }));
    let debug = deb("linux-image-dbg", &kernel("6.4-dbg"));
    let built = with(|c| c.debug_kernel = Some(("dbg.deb", debug))).unwrap();
    assert!(built.packages.iter().any(|p| p.name == "linux-image-dbg"), "{:?}", built.packages);
}

fn programs(seen: &mut Seen) {
    let me = Binary { name: "this".into(), bytes: fs::read(Path::new("/proc/self/exe")).unwrap() };
    let refused = [
        Binary { name: "script".into(), bytes: b"#!/bin/sh".to_vec() }.check_static(),
        me.check("trixie", (2, 2), |_| true),
        me.check("trixie", (9, 0), |_| false),
        me.check_static(),
    ];
    for result in refused {
        if let Err(BinaryError::Elf { source, .. }) = &result {
            seen.saw(source);
        }
        seen.failed(result);
    }
}
