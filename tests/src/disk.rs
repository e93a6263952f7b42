//! Disk images whose slots hold a tiny guest: the real boot loader and partitions, no packages.
use crate::apt;
use crate::tiny::Tiny;
use esos_bootimg::assemble::{SECURE_BOOT, SIGNED_FILES};
use esos_bootimg::disk::Seed;
use esos_bootimg::disk::grub::{BootLoader, Core, Linker, Menu};
use esos_bootimg::disk::image::{Layout, Parts, Summary, compose};
use esos_bootimg::disk::slot::{SlotFile, SlotParts};
use esos_exec::HostRunner;
use esos_hostfs::HostFiles;
use esos_layout::slot::{INITRAMFS, KERNEL};
use esos_units::Bytes;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

/// GRUB's packages, and what `grub-mkimage` and our own programs are linked with.
const GRUB: [&str; 11] = [
    "grub-common",
    "grub-pc-bin",
    "grub-efi-amd64-bin",
    "libc6",
    "libcap2",
    "libgcc-s1",
    "liblzma5",
    "libdevmapper1.02.1",
    "libselinux1",
    "libudev1",
    "libpcre2-8-0",
];

/// The directory with GRUB's packages of this host's Debian, unpacked.
///
/// # Errors
/// In words, where the packages cannot be had.
pub fn grub_tools() -> Result<PathBuf, String> {
    let names = || Ok(GRUB.map(str::to_owned).to_vec());
    let needed = ["usr/bin/grub-mkimage", "usr/share/doc/libgcc-s1", "usr/share/doc/libcap2"];
    apt::unpacked("tools", &names, |dir| needed.iter().all(|path| dir.join(path).symlink_metadata().is_ok()))
}

/// GRUB's cores, linked from unpacked packages.
///
/// # Errors
/// Where they do not link.
pub fn boot_loader(tools: &Path) -> Result<BootLoader, Box<dyn Error>> {
    let scratch = tempfile::tempdir()?;
    let linker = Linker {
        runner: &HostRunner,
        files: &HostFiles::new(Path::new("/")),
        tools: &tools.to_string_lossy(),
        scratch: &scratch.path().to_string_lossy(),
    };
    Ok(linker.link()?)
}

/// What a stick starts from.
#[derive(Debug, Clone)]
pub struct Loader {
    /// Its cores.
    pub boot: BootLoader,
    /// Who reads its menu.
    pub core: Core,
    /// Further files of the EFI system partition.
    pub files: Vec<(String, Vec<u8>)>,
}

impl From<BootLoader> for Loader {
    fn from(boot: BootLoader) -> Self {
        Self { boot, core: Core::Own, files: Vec::new() }
    }
}

/// Debian's signed boot loader of this host's Debian, as an image that is built for Secure Boot has it.
///
/// # Errors
/// In words, where the packages cannot be had or the cores do not link.
pub fn signed_loader() -> Result<Loader, String> {
    let mut boot = boot_loader(&grub_tools()?).map_err(|error| error.to_string())?;
    let names = || Ok(SECURE_BOOT.map(str::to_owned).into_iter().chain([HELPERS.to_owned()]).collect());
    let (shim, files) = SIGNED_FILES;
    let whole = |dir: &Path| files.iter().chain([&("", shim)]).all(|(_, from)| dir.join(from).is_file());
    let dir = apt::unpacked("signed", &names, whole)?;
    let read = |from: &str| fs::read(dir.join(from)).map_err(|error| format!("{from}: {error}"));
    boot.efi = read(shim)?;
    let files = files.iter().map(|(to, from)| Ok(((*to).to_owned(), read(from)?)));
    Ok(Loader { boot, core: Core::Signed, files: files.collect::<Result<_, String>>()? })
}

/// Part of what `shim-signed` depends on.
const HELPERS: &str = "shim-helpers-amd64-signed";

/// Writes a disk image whose slots boot a tiny guest, each under its version, the second where one is
/// given.
///
/// # Errors
/// In words.
pub fn tiny_image(
    path: &Path,
    tiny: &Tiny,
    loader: impl Into<Loader>,
    versions: (&str, Option<&str>),
) -> Result<Summary, Box<dyn Error>> {
    let Loader { boot, core, files } = loader.into();
    let (kernel, initramfs) = (fs::read(tiny.kernel())?, fs::read(tiny.initramfs())?);
    let slot = |version: &str| SlotParts {
        version: version.to_owned(),
        args: format!("quiet tiny.version={version}"),
        debug_args: "tiny.debug".to_owned(),
        files: vec![SlotFile::bytes(KERNEL, &kernel), SlotFile::bytes(INITRAMFS, &initramfs)],
        ..SlotParts::default()
    };
    let layout =
        Layout { slot: Bytes::mib(64), conf: Bytes::mib(32), logs: Bytes::mib(32), ..Layout::default() };
    let parts = Parts {
        layout,
        seed: Seed::from_text("tiny"),
        time: 1_700_000_000,
        boot,
        menu: Menu { core, timeout: 2, ..Menu::default() },
        primary: slot(versions.0),
        secondary: versions.1.map(slot),
        boot_files: files,
    };
    let mut file = fs::File::create(path)?;
    let summary = compose(&mut file, parts)?;
    file.set_len(summary.bytes)?;
    Ok(summary)
}
