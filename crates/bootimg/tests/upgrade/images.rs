//! Small images with real slots.
use super::medium::{Disk, Pages};
use esos_bootimg::disk::Seed;
use esos_bootimg::disk::description::Signer;
use esos_bootimg::disk::grub::{BootLoader, Menu};
use esos_bootimg::disk::image::{Layout, Parts, compose};
use esos_bootimg::disk::slot::{SlotFile, SlotParts};
use esos_layout::frames::{Frame, Index};
use esos_units::Bytes;
use sha2::{Digest, Sha256};
use std::io::{self, Seek, SeekFrom, Write};

/// A sink for [`compose`].
#[derive(Default)]
struct Sink {
    pages: Pages,
    at: u64,
    end: u64,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.pages.write(bytes, self.at);
        self.at += bytes.len() as u64;
        self.end = self.end.max(self.at);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Sink {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = match to {
            SeekFrom::Start(at) => at,
            SeekFrom::Current(by) => self.at.checked_add_signed(by).unwrap(),
            SeekFrom::End(by) => self.end.checked_add_signed(by).unwrap(),
        };
        Ok(self.at)
    }
}

/// What an image is like.
pub(crate) struct Wanted<'a> {
    pub(crate) primary: &'a str,
    pub(crate) secondary: Option<&'a str>,
    pub(crate) signer: Option<&'a Signer>,
    pub(crate) minimum: Option<&'a str>,
    /// With a kernel of its own for the Debug entries.
    pub(crate) debug: bool,
}

impl<'a> Wanted<'a> {
    pub(crate) fn of(primary: &'a str) -> Self {
        Self { primary, secondary: None, signer: None, minimum: None, debug: false }
    }
}

/// An image whose slots have about 2.6 MB, so that they are written in several pieces.
pub(crate) fn image(wanted: &Wanted<'_>) -> Disk {
    let fill = |version: &str, n: usize, len: usize| -> Vec<u8> {
        let seed: [u8; 32] = Sha256::digest(format!("{version}{n}")).into();
        seed.iter().copied().cycle().take(len).collect()
    };
    let root = |version: &str| {
        let frames: Vec<Vec<u8>> = vec![fill(version, 1, 900_000), fill(version, 2, 1_400_000)];
        let index = |(n, bytes): (usize, &Vec<u8>)| Frame {
            packed: bytes.len() as u64,
            unpacked: 1,
            entries: 1,
            sha256: Sha256::digest(bytes).into(),
            name: format!("package{n}"),
        };
        let index = Index { frames: frames.iter().enumerate().map(index).collect() };
        (frames.concat(), index.to_string())
    };
    let slot = |version: &str| {
        let (root, index) = root(version);
        let file = |name: &str, bytes: Vec<u8>| SlotFile {
            name: name.into(),
            len: bytes.len() as u64,
            source: Box::new(io::Cursor::new(bytes)),
        };
        let mut files = vec![
            file("vmlinuz", fill(version, 3, 200_000)),
            file("initrd.img", fill(version, 4, 90_000)),
            file("root.tar.zst", root),
            file("root.idx", index.into_bytes()),
        ];
        if wanted.debug {
            files.push(file("vmlinuz-debug", fill(version, 5, 50_000)));
            files.push(file("initrd-debug.img", fill(version, 6, 50_000)));
        }
        SlotParts {
            version: version.into(),
            minimum: wanted.minimum.map(str::to_owned),
            signer: wanted.signer,
            files,
            ..SlotParts::default()
        }
    };
    let mut boot_img = vec![0x90; 512];
    boot_img[510..].copy_from_slice(&[0x55, 0xaa]);
    let parts = Parts {
        layout: Layout {
            slot: Bytes::mib(8),
            conf: Bytes::mib(32),
            logs: Bytes::mib(32),
            ..Layout::default()
        },
        seed: Seed::from_text(wanted.primary),
        time: 1_700_000_000,
        boot: BootLoader { boot_img, core_img: vec![5; 30_000], cd_img: vec![7; 4096], efi: vec![6; 40_000] },
        menu: Menu::default(),
        primary: slot(wanted.primary),
        secondary: wanted.secondary.map(slot),
        boot_files: vec![],
    };
    let mut sink = Sink::default();
    let summary = compose(&mut sink, parts).unwrap();
    Disk::new(summary.bytes, sink.pages)
}
