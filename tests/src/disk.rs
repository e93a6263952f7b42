//! Disk images whose slots hold a tiny guest: the real boot loader and partitions, no packages.
use crate::apt;
use crate::tiny::Tiny;
use esos_bootimg::disk::Seed;
use esos_bootimg::disk::grub::{BootLoader, Linker, Menu};
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

/// Writes a disk image whose slots boot a tiny guest, each under its version, the second where one is
/// given.
///
/// # Errors
/// In words.
pub fn tiny_image(
    path: &Path,
    tiny: &Tiny,
    boot: BootLoader,
    versions: (&str, Option<&str>),
) -> Result<Summary, Box<dyn Error>> {
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
        menu: Menu { timeout: 2, ..Menu::default() },
        primary: slot(versions.0),
        secondary: versions.1.map(slot),
        boot_files: Vec::new(),
    };
    let mut file = fs::File::create(path)?;
    let summary = compose(&mut file, parts)?;
    file.set_len(summary.bytes)?;
    Ok(summary)
}
