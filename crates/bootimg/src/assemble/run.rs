//! A build, step by step.
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use esos_exec::Runner;
use esos_fetch::{Fetch, Sha256, Store};
use esos_hostfs::{Clock, Files, Stream};
use esos_layout::slot;

use super::boot_loader::boot_loader;
use super::kernels::{self, Kernel};
use super::output::{Hashed, Output, rewind};
use super::papers::{Papers, sums};
use super::ready::{Ready, with_tables};
use super::root_files::{self, AddFile};
use super::{Binary, BuildError, SizeRow, Step, StepTime, Wanted, Watch, debug_kernel, packages};
use crate::archive::{self, Chosen, Planned};
use crate::disk::Seed;
use crate::disk::description::Signer;
use crate::disk::grub::{BootLoader, Core, Menu};
use crate::disk::image::{self, Layout, Parts, Summary, compose};
use crate::disk::iso;
use crate::disk::slot::{SlotFile, SlotParts};
use crate::dkms::{self, Order, Part};
use crate::manifest::Manifest;
use crate::root::{Cache, Filter, Options, PackageSource, Prepared, Progress, RootBuilder, RootImage};

/// What is to be built.
#[derive(Debug)]
pub struct Build<'a> {
    /// What is in it.
    pub manifest: &'a Manifest,
    /// Its packages, and where they are.
    pub wanted: Wanted,
    /// The version of the image, one line.
    pub version: String,
    /// The source date, where the caller knows better than the packages.
    pub epoch: Option<i64>,
    /// Where the products go.
    pub out: &'a Path,
    /// The static `/init`.
    pub init: Binary,
    /// Programs of ours for the root.
    pub binaries: Vec<Binary>,
    /// Files of the user for the root.
    pub added: Vec<AddFile>,
    /// Public keys that may log in as root, one a line.
    pub ssh_keys: String,
    /// A `linux-image` package for the Debug entries.
    pub debug_kernel: Option<PathBuf>,
    /// zstd's level for the root image: 3 while developing, 19 for releases.
    pub level: i32,
    /// Threads to use.
    pub threads: usize,
    /// Sizes of the partitions.
    pub layout: Layout,
    /// Whether `esos.img.zst` is wanted.
    pub compress: bool,
    /// Whether `esos.iso` is wanted, too.
    pub iso: bool,
    /// The oldest version that a box which runs this one still takes.
    pub minimum: Option<String>,
    /// Who signs what is in the slot. Boxes of this image trust this key.
    pub signer: Option<Signer>,
    /// Whether the boot loader is Debian's signed one. The manifest's `image` then names [`SECURE_BOOT`].
    pub secure_boot: bool,
}

/// The packages of the signed boot loader.
pub const SECURE_BOOT: [&str; 2] = ["shim-signed", "grub-efi-amd64-signed"];

/// Their files: the shim that the firmware starts, and what goes beside it onto the EFI system partition, by its
/// path there and its path in the packages.
pub const SIGNED_FILES: (&str, [(&str, &str); 2]) = (
    "usr/lib/shim/shimx64.efi.signed",
    [
        ("EFI/BOOT/grubx64.efi", "usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed"),
        ("EFI/BOOT/mmx64.efi", "usr/lib/shim/mmx64.efi.signed"),
    ],
);

/// What a build leads through.
#[derive(Clone, Copy)]
pub struct Doors<'d> {
    /// The network and directories.
    pub fetch: &'d dyn Fetch,
    /// gpgv and GRUB's linker.
    pub runner: &'d dyn Runner,
    /// The build host's files.
    pub host: &'d dyn Files,
    /// Packages that were fetched.
    pub store: &'d Store,
    /// Frames that were packed.
    pub frames: &'d dyn Cache,
    /// How long steps take.
    pub clock: &'d dyn Clock,
}

impl fmt::Debug for Doors<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Doors").field("store", self.store).finish_non_exhaustive()
    }
}

/// A file that a build made.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Product {
    /// Its name in the output directory.
    pub name: String,
    /// Its bytes; of the disk image, holes included.
    pub size_bytes: u64,
    /// Its SHA-256 in hex; none of the raw disk image, which `verify` checks piece by piece.
    pub sha256: Option<String>,
}

/// A finished build.
#[derive(Debug)]
pub struct Built {
    /// The version of the image.
    pub version: String,
    /// Its source date.
    pub epoch: i64,
    /// The files.
    pub products: Vec<Product>,
    /// Where their directory is.
    pub out: PathBuf,
    /// What is on the disk.
    pub disk: Summary,
    /// The packages of the root.
    pub packages: Vec<Chosen>,
    /// Packages whose frames came from the cache.
    pub cached: usize,
    /// What takes how much.
    pub sizes: Vec<SizeRow>,
    /// How long each step took.
    pub times: Vec<StepTime>,
    /// What was decided on the way.
    pub notes: Vec<String>,
}

struct Timed<'a> {
    clock: &'a dyn Clock,
    watch: &'a dyn Watch,
    times: Vec<StepTime>,
}

impl Timed<'_> {
    fn step<T>(&mut self, step: Step, work: impl FnOnce() -> Result<T, BuildError>) -> Result<T, BuildError> {
        self.watch.begin(step);
        let start = self.clock.monotonic();
        let result = work()?;
        let time = StepTime { step, took: self.clock.monotonic().saturating_sub(start) };
        self.watch.end(time);
        self.times.push(time);
        Ok(result)
    }
}

impl Timed<'_> {
    /// A short step on this thread beside a long one on another, of which people see how far it is.
    fn beside<S, L: Send>(
        &mut self,
        short: (Step, impl FnOnce() -> Result<S, BuildError>),
        long: (Step, impl FnOnce() -> Result<L, BuildError> + Send),
    ) -> Result<(S, L), BuildError> {
        self.watch.begin(long.0);
        let start = self.clock.monotonic();
        let since = |clock: &dyn Clock| clock.monotonic().saturating_sub(start);
        let ((short_done, short_took), long_done) = std::thread::scope(|scope| {
            let other = scope.spawn(long.1);
            let done = (short.1(), since(self.clock));
            // A panic there is one here.
            (done, other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        });
        let both = (short_done?, long_done?);
        for time in
            [StepTime { step: long.0, took: since(self.clock) }, StepTime { step: short.0, took: short_took }]
        {
            self.watch.end(time);
            self.times.push(time);
        }
        Ok(both)
    }
}

/// Builds an image.
///
/// # Errors
/// [`BuildError`]; the output directory is as it was before then.
pub fn build(build: &Build<'_>, doors: &Doors<'_>, watch: &dyn Watch) -> Result<Built, BuildError> {
    build.init.check_static()?;
    let mut timed = Timed { clock: doors.clock, watch, times: Vec::new() };
    let archive =
        archive::Doors { fetch: doors.fetch, runner: doors.runner, host: doors.host, store: doors.store };
    let fetching = Fetching(watch);
    let mut planned = timed.step(Step::Packages, || packages::plan(&build.wanted, &archive, &fetching))?;
    let debug_name = debug_kernel::add(build.debug_kernel.as_deref(), &mut planned)?;
    let suite = build.wanted.root.suite.clone();
    planned.notices.iter().for_each(|notice| watch.note(&notice.to_string()));
    let (epoch, time) = source_date(build, &planned)?;
    let mut output = Output::new(build.out)?;
    let modules = if planned.lock.dkms.is_empty() {
        None
    } else {
        Some(timed.step(Step::Dkms, || modules(build, &planned, doors, &output, watch))?)
    };
    let ((boot, signed), mut prepared) = timed.beside(
        (Step::BootLoader, || boot_loader(build, &planned, doors, &output)),
        (Step::Frames, || prepare(build, &planned, modules, epoch, doors.frames, watch)),
    )?;
    let in_root = |p: &&Chosen| packages::is_root(&planned.lock, &p.name);
    let libc = planned.packages.iter().filter(in_root).find(|p| p.name == "libc6");
    let glibc = libc.and_then(|p| super::glibc_of_package(&p.version.to_string()));
    root_files::check(&build.binaries, &suite, glibc, prepared.tree())?;

    let mut kernels = timed.step(Step::Modules, || {
        let all = kernels::find(&prepared);
        let (debug, plain): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|k| Some(&k.package) == debug_name.as_ref());
        let mut chosen = vec![one_kernel(plain)?];
        if let Some(package) = &debug_name {
            chosen.push(
                debug
                    .into_iter()
                    .next()
                    .ok_or_else(|| BuildError::NoDebugKernel { package: package.clone() })?,
            );
        }
        chosen
            .into_iter()
            .map(|k| with_tables(k, build, &mut prepared, doors.frames))
            .collect::<Result<Vec<_>, _>>()
    })?;
    for kernel in &mut kernels {
        kernel.take(&prepared, doors.frames)?;
        kernels::absent_note(&kernel.kernel.release, &kernel.chosen).iter().for_each(|note| watch.note(note));
    }

    let root_path = output.scratch("root");
    let mut root_stream = Stream::create_new(&root_path, 0o600)?;
    let root = timed.step(Step::Root, || {
        let mut out = io::BufWriter::with_capacity(1 << 20, &mut root_stream);
        Ok(prepared.write(&mut out)?)
    })?;
    rewind(&mut root_stream).map_err(|e| read_error(&root_path, &e))?;

    let index = root.index.to_string();
    let (initramfs, capture) = timed.step(Step::Initramfs, || {
        let all = kernels.iter().map(|kernel| kernel.initramfs(build, &index, time));
        let all = all.collect::<Result<Vec<_>, _>>()?;
        let capture = kernels.first().map(|kernel| kernel.capture(build, time)).transpose()?.flatten();
        Ok((all, capture))
    })?;
    capture.iter().for_each(|c| watch.note(&c.note()));
    let lock = planned.lock.to_string();
    let cd_img = boot.cd_img.clone();
    let disk = timed.step(Step::Disk, || {
        let image = output.product("esos.img")?;
        let mut files = slot_files(&kernels, &initramfs, root_stream, root.index.packed(), &index, &lock);
        files.extend(capture.iter().map(|c| SlotFile::bytes(slot::CAPTURE, &c.packed)));
        let primary = SlotParts {
            version: build.version.clone(),
            args: capture.as_ref().map(|_| esos_layout::crash::argument()).unwrap_or_default(),
            minimum: build.minimum.clone(),
            signer: build.signer.as_ref(),
            files,
            ..SlotParts::default()
        };
        write_disk(image, build, &planned, boot, signed, primary, time)
    })?;
    if build.iso {
        timed.step(Step::Iso, || {
            let mut image = output.open("esos.img")?;
            let mut iso = output.product("esos.iso")?;
            let len = iso::make(&mut image, &mut iso, &menu(build), &cd_img, time)?;
            Ok(iso.set_len(len)?)
        })?;
    }
    finish(build, timed, output, planned, &root, disk, &lock, epoch)
}

fn menu(build: &Build<'_>) -> Menu {
    let core = if build.secure_boot { Core::Signed } else { Core::Own };
    Menu { core, ..Menu::default() }
}

fn source_date(build: &Build<'_>, planned: &Planned) -> Result<(i64, u32), BuildError> {
    let epoch = match build.epoch {
        Some(epoch) => epoch,
        None => {
            let mut streams = Vec::new();
            for package in &planned.packages {
                streams.push(Stream::open(&package.deb)?);
            }
            super::epoch(streams)
        }
    };
    Ok((epoch, u32::try_from(epoch).map_err(|_e| BuildError::Epoch { epoch })?))
}

/// The modules of `dkms` packages, as a package.
fn modules(
    build: &Build<'_>,
    planned: &Planned,
    doors: &Doors<'_>,
    output: &Output,
    watch: &dyn Watch,
) -> Result<PackageSource, BuildError> {
    let lock = &planned.lock;
    let release = lock.kernel_release().ok_or(BuildError::NoKernel)?;
    let chosen = planned.packages.iter().filter(|p| lock.dkms.contains(&p.name));
    let part = |p: &Chosen| Part { name: p.name.clone(), sha256: *p.sha256.bytes(), deb: p.deb.clone() };
    let room = output.scratch("dkms");
    let order = Order { release, parts: chosen.map(part).collect(), threads: build.threads, room: &room };
    let step = |text: &str| watch.advance(Step::Dkms, 0, None, text);
    let (package, cached) = dkms::build(&order, doors.runner, doors.frames, &step)?;
    if cached {
        watch.note("kernel modules of dkms packages were built before, and kept");
    }
    Ok(package)
}

fn source(name: String, version: String, sha256: Sha256, size: u64, deb: PathBuf) -> PackageSource {
    let open = move || {
        let stream = Stream::open(&deb).map_err(io::Error::other)?;
        Ok(Box::new(io::BufReader::with_capacity(1 << 17, stream)) as Box<dyn io::Read + Send>)
    };
    PackageSource { name, version, sha256: *sha256.bytes(), size, open: Box::new(open) }
}

fn prepare<'c>(
    build: &Build<'_>,
    planned: &Planned,
    modules: Option<PackageSource>,
    epoch: i64,
    frames: &'c dyn Cache,
    watch: &dyn Watch,
) -> Result<Prepared<'c>, BuildError> {
    let mut options = Options::new(epoch);
    (options.level, options.threads, options.filter) = (build.level, build.threads, filter(build.manifest));
    let mut builder = RootBuilder::new(options);
    for p in planned.packages.iter().filter(|p| packages::is_root(&planned.lock, &p.name)) {
        let (name, version, deb) = (p.name.clone(), p.version.to_string(), p.deb.clone());
        builder = builder.package(source(name, version, p.sha256, p.size, deb));
    }
    if let Some(package) = modules
        && !planned
            .packages
            .iter()
            .any(|p| p.name == package.name && packages::is_root(&planned.lock, &p.name))
    {
        builder = builder.package(package);
    }
    builder = builder.overlay()?;
    let key = build.signer.as_ref().map(Signer::public_key);
    for own in
        root_files::own(&build.version, &build.binaries, &build.ssh_keys, key.as_deref(), &build.added)?
    {
        builder = builder.own(own);
    }
    Ok(builder.prepare(frames, &Packing(watch))?)
}

/// The manifest's rules as the root's.
fn filter(manifest: &Manifest) -> Filter {
    let mut filter = Filter::new();
    for rule in &manifest.drop {
        for path in &rule.paths {
            filter = filter.drop(path);
        }
        for path in &rule.keep {
            filter = filter.keep(path);
        }
    }
    for path in manifest.module_drop.iter().flat_map(|d| &d.paths) {
        filter = filter.drop(&format!("usr/lib/modules/*/kernel/{path}*"));
    }
    filter
}

fn one_kernel(mut kernels: Vec<Kernel>) -> Result<Kernel, BuildError> {
    match (kernels.pop(), kernels.len()) {
        (Some(kernel), 0) => Ok(kernel),
        (None, _) => Err(BuildError::NoKernel),
        (Some(last), n) => {
            let all: Vec<&str> = kernels.iter().chain([&last]).map(|k| k.release.as_str()).collect();
            Err(BuildError::ManyKernels { count: n.saturating_add(1), releases: all.join(", ") })
        }
    }
}

fn slot_files<'a>(
    kernels: &'a [Ready],
    initramfs: &'a [Vec<u8>],
    root: Stream,
    root_len: u64,
    index: &'a str,
    lock: &'a str,
) -> Vec<SlotFile<'a>> {
    let names = [(slot::KERNEL, slot::INITRAMFS), (slot::DEBUG_KERNEL, slot::DEBUG_INITRAMFS)];
    let mut files = Vec::new();
    for ((kernel, initramfs), (kernel_name, initramfs_name)) in kernels.iter().zip(initramfs).zip(names) {
        files.push(SlotFile::bytes(kernel_name, &kernel.image));
        files.push(SlotFile::bytes(initramfs_name, initramfs));
    }
    let root = Box::new(io::BufReader::with_capacity(1 << 20, root));
    files.push(SlotFile { name: slot::ROOT.to_owned(), len: root_len, source: root });
    files.push(SlotFile::bytes(slot::ROOT_INDEX, index.as_bytes()));
    files.push(SlotFile::bytes(slot::PACKAGES, lock.as_bytes()));
    files
}

fn write_disk(
    mut image: Stream,
    build: &Build<'_>,
    planned: &Planned,
    boot: BootLoader,
    boot_files: Vec<(String, Vec<u8>)>,
    primary: SlotParts<'_>,
    time: u32,
) -> Result<Summary, BuildError> {
    // Identities come from what is in the image, so that two images differ where their content does.
    let seed = Seed::from_text(&format!("{}\n{}\n{time}", build.version, planned.lock));
    let layout = build.layout;
    let menu = menu(build);
    let parts = Parts { layout, seed, time, boot, menu, primary, secondary: None, boot_files };
    image.set_len(layout.bytes())?;
    Ok(compose(&mut image, parts)?)
}

#[expect(clippy::too_many_arguments, reason = "the last step gathers what all others made")]
fn finish(
    build: &Build<'_>,
    mut timed: Timed<'_>,
    mut output: Output,
    planned: Planned,
    root: &RootImage,
    disk: Summary,
    lock: &str,
    epoch: i64,
) -> Result<Built, BuildError> {
    let mut hashes: BTreeMap<String, Sha256> = BTreeMap::new();
    if build.compress {
        let sha256 = timed.step(Step::Compress, || {
            let mut image = output.open("esos.img")?;
            let mut packed = Hashed::new(output.product("esos.img.zst")?);
            let threads = u32::try_from(build.threads).unwrap_or(1);
            image::compress(&mut image, &mut packed, build.level, threads)?;
            packed.finish().map_err(|e| read_error(&output.scratch("esos.img.zst"), &e))
        })?;
        hashes.insert("esos.img.zst".to_owned(), sha256);
    }
    let in_root = |p: &&Chosen| packages::is_root(&planned.lock, &p.name);
    let papers = Papers {
        version: &build.version,
        suite: &planned.lock.suite,
        epoch,
        packages: planned.packages.iter().filter(in_root).collect(),
        binaries: &build.binaries,
        index: &root.index,
    };
    let sizes = papers.sizes();
    let (out, products) = timed.step(Step::Papers, || {
        for (name, text) in [
            ("sbom.json", papers.sbom()),
            ("packages.lock", lock.to_owned()),
            ("manifest.txt", papers.manifest()),
        ] {
            hashes.insert(name.to_owned(), output.text(name, text.as_bytes())?);
        }
        output.text("SHA256SUMS", sums(&hashes).as_bytes())?;
        let names: Vec<String> = output.names().to_vec();
        let mut products = Vec::new();
        for name in names {
            let size_bytes = output.open(&name)?.size()?;
            let sha256 = hashes.get(&name).map(Sha256::to_string);
            products.push(Product { name, size_bytes, sha256 });
        }
        Ok((output.publish()?, products))
    })?;
    let packages = planned.packages.iter().filter(in_root).cloned().collect();
    Ok(Built {
        version: build.version.clone(),
        epoch,
        products,
        out,
        disk,
        packages,
        cached: root.cached,
        sizes,
        times: timed.times,
        notes: root.notes.clone(),
    })
}

fn read_error(path: &Path, error: &io::Error) -> BuildError {
    BuildError::Scratch { path: path.to_owned(), message: error.to_string() }
}

/// Tells of downloads.
struct Fetching<'a>(&'a dyn Watch);

impl esos_fetch::Progress for Fetching<'_> {
    fn report(&self, event: esos_fetch::Event<'_>) {
        self.0.fetch(event);
    }
}

/// Tells of packages packed.
struct Packing<'a>(&'a dyn Watch);

impl Progress for Packing<'_> {
    fn package(&self, name: &str, done: usize, of: usize, _cached: bool) {
        self.0.advance(Step::Frames, done as u64, Some(of as u64), name);
    }
}
