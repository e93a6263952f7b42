//! A whole image from unpacked packages. `ESOS_TEST_GRUB_TOOLS` names a directory into which
//! grub-common, grub-pc-bin, grub-efi-amd64-bin and what they depend on were unpacked; without it the
//! test says so and does nothing. With `ESOS_TEST_KERNEL`, `ESOS_TEST_INITRD` and `ESOS_TEST_IMAGE` the
//! image is kept, for booting; `ESOS_TEST_SIGNED_EFI` puts another loader into it, `ESOS_TEST_4KN` makes
//! it for a disk with native sectors of 4096 bytes.
#![cfg(test)]
use esos_bootimg::disk::Seed;
use esos_bootimg::disk::gpt::SectorSize;
use esos_bootimg::disk::grub::{BootLoader, Core, Linker, Menu};
use esos_bootimg::disk::image::{Layout, Parts, compose};
use esos_bootimg::disk::slot::{SlotFile, SlotParts};
use esos_bootimg::disk::verify::verify;
use esos_exec::HostRunner;
use esos_hostfs::HostFiles;
use esos_units::Bytes;
use std::io::Cursor;

fn variable(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "the test is told by its environment where things are")]
    std::env::var(name).ok()
}

#[expect(clippy::disallowed_methods, reason = "the test reads what its environment names")]
fn file_of(name: &str) -> Vec<u8> {
    variable(name).map_or_else(|| vec![1; 100_000], |path| std::fs::read(path).unwrap())
}

#[test]
fn the_same_parts_give_the_same_image() {
    let Some(tools) = variable("ESOS_TEST_GRUB_TOOLS") else {
        return println!("skipped: ESOS_TEST_GRUB_TOOLS names no unpacked packages");
    };
    let (kernel, initrd) = (file_of("ESOS_TEST_KERNEL"), file_of("ESOS_TEST_INITRD"));
    let scratch = tempfile::tempdir().unwrap();
    let boot = Linker {
        runner: &HostRunner,
        files: &HostFiles::new("/"),
        tools: &tools,
        scratch: scratch.path().to_str().unwrap(),
    }
    .link()
    .unwrap();
    let boot = match variable("ESOS_TEST_SIGNED_EFI") {
        Some(_) => BootLoader { efi: file_of("ESOS_TEST_SIGNED_EFI"), ..boot },
        None => boot,
    };
    let core = if variable("ESOS_TEST_SIGNED_EFI").is_some() { Core::Signed } else { Core::Own };
    let sector = if variable("ESOS_TEST_4KN").is_some() { SectorSize::B4096 } else { SectorSize::B512 };
    println!("core.img {} bytes, BOOTX64.EFI {} bytes", boot.core_img.len(), boot.efi.len());
    let slot = |version: &str| SlotParts {
        version: version.into(),
        args: format!("test.version={version}"),
        debug_args: "test.debug".into(),
        files: vec![SlotFile::bytes("vmlinuz", &kernel), SlotFile::bytes("initrd.img", &initrd)],
        ..SlotParts::default()
    };
    let parts = || Parts {
        layout: Layout {
            sector,
            slot: Bytes::mib(64),
            conf: Bytes::mib(32),
            logs: Bytes::mib(32),
            ..Layout::default()
        },
        seed: Seed::from_text("test"),
        time: 1_700_000_000,
        boot: boot.clone(),
        menu: Menu { core, ..Menu::default() },
        primary: slot("1.0"),
        secondary: Some(slot("2.0")),
        boot_files: vec![],
    };
    let mut image = tempfile::NamedTempFile::new().unwrap();
    let summary = compose(image.as_file_mut(), parts()).unwrap();
    assert_eq!(image.as_file().metadata().unwrap().len(), summary.bytes);
    let mut again = tempfile::tempfile().unwrap();
    assert_eq!(compose(&mut again, parts()).unwrap(), summary);
    assert!(same(image.as_file_mut(), &mut again));
    // An image that is cut off by a full sink says so.
    let mut small = [0; 4096];
    assert!(compose(&mut Cursor::new(&mut small[..]), parts()).is_err());
    assert_eq!(verify(image.as_file_mut(), &mut |_| {}).unwrap().findings, []);
    if let Some(path) = variable("ESOS_TEST_IMAGE") {
        image.persist(path).unwrap();
    }
}

fn same(a: &mut (impl std::io::Read + std::io::Seek), b: &mut (impl std::io::Read + std::io::Seek)) -> bool {
    a.rewind().unwrap();
    b.rewind().unwrap();
    let (mut x, mut y) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    loop {
        let n = a.read(&mut x).unwrap();
        b.read_exact(&mut y[..n]).unwrap();
        if x[..n] != y[..n] {
            return false;
        }
        if n == 0 {
            return b.read(&mut y).unwrap() == 0;
        }
    }
}
