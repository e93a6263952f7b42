//! A small image, looked at and verified, whole and damaged in every place.
#![cfg(test)]
#![expect(clippy::disallowed_types, reason = "a sparse temporary file stands for the disk")]
use esos_bootimg::disk::fat::Fat;
use esos_bootimg::disk::grub::{BootLoader, Menu};
use esos_bootimg::disk::image::{Layout, Parts, compose};
use esos_bootimg::disk::inspect::inspect;
use esos_bootimg::disk::slot::{SlotFile, SlotParts};
use esos_bootimg::disk::verify::verify;
use esos_bootimg::disk::{Region, Seed};
use esos_layout::frames::{Frame, Index};
use esos_layout::state::SlotState;
use esos_layout::{Slot, part};
use esos_units::Bytes;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};

const PACKAGES: &str = "# packages.lock 1\nsuite trixie\narchitecture amd64\n\
bash 5.2.37-2 amd64 ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad 1497620 main main pool/b.deb\n";

/// The root image of the test: three frames.
fn root() -> (Vec<u8>, String) {
    let frames: Vec<Vec<u8>> = vec![vec![1; 5000], vec![2; 300_000], vec![3; 10]];
    let index = |(n, bytes): (usize, &Vec<u8>)| Frame {
        packed: bytes.len() as u64,
        unpacked: 1,
        entries: 1,
        sha256: Sha256::digest(bytes).into(),
        name: format!("package{n}"),
    };
    let index = Index { frames: frames.iter().enumerate().map(index).collect() };
    (frames.concat(), index.to_string())
}

fn image(secondary: bool) -> File {
    let (root, index) = root();
    let slot = |version: &str| SlotParts {
        version: version.into(),
        args: "crashkernel=256M".into(),
        files: vec![
            SlotFile::bytes("vmlinuz", &[7; 70_000]),
            SlotFile::bytes("initrd.img", &[8; 9_000]),
            SlotFile::bytes("root.tar.zst", &root),
            SlotFile::bytes("root.idx", index.as_bytes()),
            SlotFile::bytes("packages.lock", PACKAGES.as_bytes()),
        ],
        ..SlotParts::default()
    };
    let mut boot_img = vec![0x90; 512];
    boot_img[510..].copy_from_slice(&[0x55, 0xaa]);
    let parts = Parts {
        layout: Layout {
            slot: Bytes::mib(4),
            conf: Bytes::mib(32),
            logs: Bytes::mib(32),
            ..Layout::default()
        },
        seed: Seed::from_text("verify"),
        time: 1_700_000_000,
        boot: BootLoader { boot_img, core_img: vec![5; 30_000], cd_img: vec![7; 4096], efi: vec![6; 40_000] },
        menu: Menu::default(),
        primary: slot("1.0"),
        secondary: secondary.then(|| slot("2.0")),
        boot_files: vec![("esos/answers.conf.example".into(), b"# empty\n".to_vec())],
    };
    let mut file = tempfile::tempfile().unwrap();
    compose(&mut file, parts).unwrap();
    file
}

fn flip(file: &mut File, at: u64, bit: u8) {
    let mut byte = [0];
    file.seek(SeekFrom::Start(at)).unwrap();
    file.read_exact(&mut byte).unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(&[byte[0] ^ (1 << bit)]).unwrap();
}

fn findings(file: &mut File) -> Vec<String> {
    let found = verify(file, &mut |_| {}).unwrap();
    found.findings.iter().map(ToString::to_string).collect()
}

fn start(file: &mut File, name: &str) -> u64 {
    inspect(file).unwrap().partitions.iter().find(|p| p.name == name).unwrap().start_bytes
}

#[test]
fn a_fresh_image_shows_what_is_in_it_and_verifies() {
    let mut file = image(false);
    let found = inspect(&mut file).unwrap();
    assert_eq!(found.problems, Vec::<String>::new());
    let names: Vec<&str> = found.partitions.iter().map(|p| &p.name[..]).collect();
    assert_eq!(names, [part::BIOS, part::BOOT, part::PRIMARY, part::SECONDARY, part::CONF, part::LOGS]);
    let [primary, secondary] = &found.slots[..] else { panic!("{found:?}") };
    assert_eq!(
        (primary.version.as_deref(), primary.state, primary.tries_left),
        (Some("1.0"), Some(SlotState::Good), Some(3))
    );
    assert_eq!(primary.files.len(), 11);
    assert!(primary.files.iter().all(|f| f.sha256.len() == 64 || f.name == "SHA256SUMS"));
    assert_eq!(primary.packages[0].name, "bash");
    assert_eq!(
        (secondary.version.as_deref(), secondary.state, &secondary.problem),
        (None, Some(SlotState::None), &None)
    );
    assert_eq!(found.stick.as_deref(), Some("unset"));
    assert_eq!(found.state.as_ref().unwrap().default, Some(Slot::Primary));
    let json = serde_json::to_value(&found).unwrap();
    assert_eq!(json["state"]["control"]["preferred"], "PRIMARY");

    let verified = verify(&mut file, &mut |_| {}).unwrap();
    assert_eq!(verified.findings, []);
    // Six of the boot loader and nine of the slot.
    assert_eq!((verified.files, verified.frames), (16, 3));
}

#[test]
fn damage_is_named_with_its_partition_and_file() {
    let mut file = image(true);
    let at = |file: &mut File, name, offset| start(file, name) + offset;
    let esp = start(&mut file, part::BOOT);
    let mut fat = Fat::open(Region::new(&mut file, esp, 264 << 20)).unwrap();
    let mut place = |path: &str| esp + fat.find(path).unwrap().extents[0].start;
    let (cb, s2, efi, cfg) =
        (place("esos/state/cb"), place("esos/state/S2"), place(part::EFI_LOADER), place(part::GRUB_CFG));
    for (offset, expected) in [
        (100, "partition table: bios:mbr: SHA-256"),
        (450, "partition table: no protective entry"),
        (512 + 60, "partition table: Primary partition table: header checksum"),
        (at(&mut file, part::BIOS, 1000), "esos_bios: bios:core: SHA-256"),
        (efi + 9, "ESOS_BOOT: EFI/BOOT/BOOTX64.EFI: SHA-256"),
        (cfg + 9, "ESOS_BOOT: esos/grub.cfg: SHA-256"),
        (cb + 30, "ESOS_BOOT: cb: "),
        (s2 + 30, "ESOS_BOOT: S2: "),
        (at(&mut file, part::PRIMARY, 4096 + 5), "esos_primary: vmlinuz: SHA-256"),
        (at(&mut file, part::SECONDARY, 1), "esos_secondary: the control record says good, but"),
        (at(&mut file, part::SECONDARY, 30), "esos_secondary: superblock, minor version: expected 0"),
        (at(&mut file, part::PRIMARY, 100_000), "esos_primary: root.tar.zst: frame `package1` at byte 5000"),
        (at(&mut file, part::CONF, 1024 + 0x78), "esos_conf: the superblock does not match"),
        (at(&mut file, part::LOGS, 4096), "esos_logs: group 0: the descriptor does not match"),
    ] {
        flip(&mut file, offset, 2);
        let found = findings(&mut file);
        assert!(found.iter().any(|f| f.starts_with(expected)), "{expected}\n{found:#?}");
        flip(&mut file, offset, 2);
    }
    assert_eq!(findings(&mut file), Vec::<String>::new());
}

#[test]
fn every_flipped_bit_of_a_slot_is_found() {
    let mut file = image(false);
    let (from, used) = (start(&mut file, part::PRIMARY), inspect(&mut file).unwrap().slots[0].used_bytes);
    // What lies in the gaps between files belongs to nothing: they are all zero, and the superblock's
    // last bytes, its tables and every file are not.
    let mut bytes = vec![0; used as usize];
    file.seek(SeekFrom::Start(from)).unwrap();
    file.read_exact(&mut bytes).unwrap();
    let solid: Vec<u64> = (0..used).filter(|at| bytes[*at as usize] != 0).collect();
    let mut runner = TestRunner::new(ProptestConfig::with_cases(48));
    runner
        .run(&(prop::sample::select(solid), 0u8..8), |(at, bit)| {
            let mut file = file.try_clone().unwrap();
            flip(&mut file, from + at, bit);
            let found = findings(&mut file);
            flip(&mut file, from + at, bit);
            prop_assert!(found.iter().any(|f| f.starts_with("esos_primary")), "{} {}", at, bit);
            Ok(())
        })
        .unwrap();
}

#[test]
fn the_other_table_serves_where_one_is_gone() {
    let mut file = image(false);
    file.seek(SeekFrom::Start(512)).unwrap();
    file.write_all(&[0; 512]).unwrap();
    let found = inspect(&mut file).unwrap();
    assert_eq!((found.partitions.len(), found.problems.len()), (6, 1));
    assert_eq!(findings(&mut file).len(), 1);
    let end = file.seek(SeekFrom::End(-512)).unwrap();
    file.set_len(end).unwrap();
    assert!(inspect(&mut file).is_err());
}
