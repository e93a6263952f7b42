//! The ISO of an image: what names its files, what becomes of it on a medium, and how it is found damaged.
#![cfg(test)]
#![allow(dead_code, reason = "the helpers are those of the upgrade tests too")]
#![allow(clippy::disallowed_types, reason = "an ISO is a temporary file, as it is where it is made")]
#[path = "upgrade/images.rs"]
mod images;
#[path = "upgrade/medium.rs"]
mod medium;

use esos_bootimg::disk::grub::Menu;
use esos_bootimg::disk::inspect::inspect;
use esos_bootimg::disk::iso;
use esos_bootimg::disk::verify::verify;
use esos_bootimg::disk::{Medium, Reading};
use esos_bootimg::write::{Facts, plan};
use esos_layout::part;
use images::{Wanted, image};
use medium::{Disk, Pages};
use std::io::{Read, Seek, SeekFrom, Write};

const CD_IMG: [u8; 9001] = [7; 9001];

/// The ISO of a small image.
fn made() -> std::fs::File {
    let source = image(&Wanted::of("1.0"));
    let mut file = tempfile::tempfile().unwrap();
    let len = iso::make(&mut Reading::new(&source), &mut file, &Menu::default(), &CD_IMG, 1_700_000_000);
    file.set_len(len.unwrap()).unwrap();
    file
}

fn at(file: &mut std::fs::File, place: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    file.seek(SeekFrom::Start(place)).unwrap();
    file.read_exact(&mut bytes).unwrap();
    bytes
}

fn word(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()))
}

/// Name, place and length of the entries of a directory, by Rock Ridge's names.
fn entries(file: &mut std::fs::File, directory: (u64, u64)) -> Vec<(String, (u64, u64))> {
    let bytes = at(file, directory.0, usize::try_from(directory.1).unwrap());
    let mut found = Vec::new();
    for sector in bytes.chunks(2048) {
        let mut rest = sector;
        while let Some(len) = rest.first().map(|n| usize::from(*n)).filter(|n| *n > 0) {
            let (record, next) = rest.split_at(len);
            let name = record.windows(2).position(|w| w == b"NM").map(|n| {
                let len = usize::from(record[n + 2]);
                String::from_utf8(record[n + 5..n + len].to_vec()).unwrap()
            });
            // Both byte orders say the same.
            let big = u64::from(u32::from_be_bytes(record[6..10].try_into().unwrap()));
            assert_eq!(word(record, 2), big);
            found.extend(name.map(|name| (name, (word(record, 2) * 2048, word(record, 10)))));
            rest = next;
        }
    }
    found
}

#[test]
fn the_volume_names_the_files_of_the_slot_where_they_lie() {
    let mut file = made();
    let primary = at(&mut file, 16 * 2048, 2048);
    assert_eq!(&primary[..7], b"\x01CD001\x01");
    assert_eq!(String::from_utf8_lossy(&primary[40..72]).trim_end(), part::ISO_LABEL);
    assert_eq!(&primary[813..829], b"2023111422132000");
    assert_eq!(word(&primary, 80) * 2048, file.metadata().unwrap().len());
    let root = entries(&mut file, (word(&primary, 158) * 2048, word(&primary, 166)));
    let [(name, esos)] = &root[..] else { panic!("{root:?}") };
    assert_eq!(name, "esos");
    let own = entries(&mut file, *esos);
    let of = |list: &[(String, (u64, u64))], name: &str| list.iter().find(|e| e.0 == name).unwrap().1;
    let menu = of(&own, "grub.cfg");
    let text = at(&mut file, menu.0, usize::try_from(menu.1).unwrap());
    assert_eq!(String::from_utf8(text).unwrap(), Menu::default().iso());
    let slot = entries(&mut file, of(&own, "slot"));
    let listed = inspect(&mut file).unwrap().slots[0].files.clone();
    assert_eq!(slot.len(), listed.len());
    for known in listed.iter().filter(|f| f.name != "SHA256SUMS") {
        let (place, len) = of(&slot, &known.name);
        assert_eq!(len, known.bytes, "{}", known.name);
        use sha2::{Digest, Sha256};
        let sum = Sha256::digest(at(&mut file, place, usize::try_from(len).unwrap()));
        assert_eq!(sum.iter().map(|b| format!("{b:02x}")).collect::<String>(), known.sha256);
    }
}

#[test]
fn both_firmwares_find_their_image() {
    let mut file = made();
    let record = at(&mut file, 17 * 2048, 2048);
    assert!(record.starts_with(b"\0CD001\x01EL TORITO SPECIFICATION"));
    let catalog = at(&mut file, word(&record, 71) * 2048, 128);
    let sum = catalog[..32].chunks(2).fold(0u16, |s, p| s.wrapping_add(u16::from_le_bytes([p[0], p[1]])));
    assert_eq!((sum, catalog[32], catalog[64], catalog[65], catalog[96]), (0, 0x88, 0x91, 0xef, 0x88));
    let bios = at(&mut file, word(&catalog, 40) * 2048, CD_IMG.len());
    assert_eq!((word(&bios, 8), word(&bios, 12), word(&bios, 16)), (16, word(&catalog, 40), 9001));
    assert_eq!(&bios[64..], &CD_IMG[64..]);
    let fat = at(&mut file, word(&catalog, 104) * 2048, 512);
    assert_eq!(&fat[510..], &[0x55, 0xaa]);
    assert_eq!(&fat[82..90], b"FAT32   ");
    // A stick's firmware finds the partitions; none has the name of a box's.
    let names: Vec<String> = inspect(&mut file).unwrap().partitions.into_iter().map(|p| p.name).collect();
    assert_eq!(names, ["esos_iso_bios", "ESOS_ISO_BOOT", "esos_iso_primary"]);
}

#[test]
fn two_are_equal_and_damage_is_found() {
    let (mut one, mut two) = (made(), made());
    let len = usize::try_from(one.metadata().unwrap().len()).unwrap();
    assert!(at(&mut one, 0, len) == at(&mut two, 0, len));
    let findings = |file: &mut std::fs::File| verify(file, &mut |_| {}).unwrap().findings;
    assert_eq!(findings(&mut one), []);
    for place in [0x20, 16 * 2048 + 90, 25 * 2048, (1 << 20) + 700, (266 << 20) + 8192] {
        let byte = at(&mut one, place, 1)[0];
        for (value, wrong) in [(byte ^ 4, true), (byte, false)] {
            one.seek(SeekFrom::Start(place)).unwrap();
            one.write_all(&[value]).unwrap();
            assert_eq!(!findings(&mut one).is_empty(), wrong, "byte {place}");
        }
    }
}

#[test]
fn what_is_written_of_it_is_a_stick_as_any_other() {
    let mut file = made();
    let target = Disk::new(4 << 30, Pages::default());
    let facts = Facts { bytes: target.len(), sector: 512, fresh: false };
    let made = plan(&mut file, facts).unwrap();
    made.apply(&mut file, &target, &[], b"n", 1_790_000_000, &mut |_| {}).unwrap();
    let mut disk = Reading::new(&target);
    assert_eq!(verify(&mut disk, &mut |_| {}).unwrap().findings, []);
    let found = inspect(&mut disk).unwrap();
    let names: Vec<&str> = found.partitions.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, [part::BIOS, part::BOOT, part::PRIMARY, part::SECONDARY, part::CONF, part::LOGS]);
    assert_eq!(found.slots[0].version.as_deref(), Some("1.0"));
    assert_eq!(found.slots[1].version, None);
    // The menu is the stick's.
    let esp = found.partitions[1].start_bytes;
    let region = esos_bootimg::disk::Region::new(disk, esp, found.partitions[1].size_bytes);
    let mut fat = esos_bootimg::disk::fat::Fat::open(region).unwrap();
    assert_eq!(fat.label(), part::BOOT);
    assert_eq!(fat.read(part::GRUB_CFG).unwrap(), Menu::default().print().into_bytes());
    assert!(fat.read(part::STICK_GRUB_CFG).is_err());
    // A medium that would hold the ISO, but not the stick that it becomes.
    let small = Facts { bytes: 2 << 30, ..facts };
    assert!(plan(&mut file, small).is_err());
}
