//! Small images, and the tool.
#![allow(dead_code, reason = "each test uses a part")]
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use esos_bootimg::disk::Seed;
use esos_bootimg::disk::description::Signer;
use esos_bootimg::disk::grub::{BootLoader, Menu};
use esos_bootimg::disk::image::{Layout, Parts, compose};
use esos_bootimg::disk::slot::{SlotFile, SlotParts};
use esos_units::Bytes;

/// Runs the tool with standard input that ends at once.
pub(crate) fn tool(args: &[&str]) -> Output {
    let mut cmd = Command::new(env!("CARGO_BIN_EXE_esos-image"));
    cmd.args(args).stdin(std::process::Stdio::null()).output().unwrap()
}

/// Runs it for its JSON document.
pub(crate) fn json(args: &[&str], code: i32) -> serde_json::Value {
    let out = tool(&[args, &["--json"]].concat());
    let said = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(code), "{args:?}: {said}");
    serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{e}: {said}"))
}

/// Its words on standard error; it must end with that code.
pub(crate) fn words(args: &[&str], code: i32) -> String {
    let out = tool(args);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(code), "{args:?}: {said}");
    said
}

/// An image with that version in PRIMARY.
pub(crate) fn image(dir: &Path, version: &str, signer: Option<&Signer>) -> PathBuf {
    let fill = |n: u8, len: usize| -> Vec<u8> { version.bytes().chain([n]).cycle().take(len).collect() };
    let (kernel, initramfs, more) = (fill(1, 150_000), fill(2, 60_000), fill(3, 1_500_000));
    let mut boot_img = vec![0x90; 512];
    boot_img[510..].copy_from_slice(&[0x55, 0xaa]);
    let primary = SlotParts {
        version: version.into(),
        signer,
        files: vec![
            SlotFile::bytes("vmlinuz", &kernel),
            SlotFile::bytes("initrd.img", &initramfs),
            SlotFile::bytes("more", &more),
        ],
        ..SlotParts::default()
    };
    let parts = Parts {
        layout: Layout {
            slot: Bytes::mib(4),
            conf: Bytes::mib(32),
            logs: Bytes::mib(32),
            ..Layout::default()
        },
        seed: Seed::from_text(version),
        time: 1_700_000_000,
        boot: BootLoader { boot_img, core_img: vec![5; 30_000], cd_img: vec![7; 4096], efi: vec![6; 40_000] },
        menu: Menu::default(),
        primary,
        secondary: None,
        boot_files: vec![],
    };
    let path = dir.join(format!("{version}.img"));
    let mut file = File::create(&path).unwrap();
    let summary = compose(&mut file, parts).unwrap();
    file.set_len(summary.bytes).unwrap();
    path
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
