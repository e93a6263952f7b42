//! Probing against recordings of what real tools write.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper of tests may end the test")]
use esos_blockdev::{Format, TableError, partitions, probe};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::io::Cursor;

fn recorded(name: &str) -> Vec<u8> {
    let text = esos_fixtures::text(&format!("blockdev/probe/{name}.hex")).unwrap();
    let mut lines = text.lines();
    let size: usize = lines.next().unwrap().strip_prefix("size ").unwrap().parse().unwrap();
    let mut image = vec![0; size];
    for line in lines {
        let (at, hex) = line.split_once(' ').unwrap();
        let at = usize::from_str_radix(at, 16).unwrap();
        for (i, pair) in hex.as_bytes().chunks(2).enumerate() {
            image[at + i] = u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        }
    }
    image
}

fn blkid(name: &str) -> BTreeMap<String, String> {
    let text = esos_fixtures::text(&format!("blockdev/probe/{name}.blkid")).unwrap();
    text.lines().filter_map(|l| l.split_once('=')).map(|(k, v)| (k.to_owned(), v.replace('\\', ""))).collect()
}

fn names() -> Vec<String> {
    let dir = std::fs::read_dir(esos_fixtures::path("blockdev/probe")).unwrap();
    let mut names: Vec<_> = dir
        .filter_map(|e| e.unwrap().file_name().to_str().unwrap().strip_suffix(".hex").map(str::to_owned))
        .collect();
    names.sort();
    names
}

#[test]
fn every_recording_says_what_blkid_says() {
    let names = names();
    assert!(names.len() >= 20, "{names:?}");
    for name in names {
        let told = blkid(&name);
        let found = probe(&mut Cursor::new(recorded(&name))).unwrap();
        let first = found.first().unwrap_or_else(|| panic!("{name}: nothing found"));
        let kind = told.get("TYPE").or(told.get("PTTYPE")).unwrap();
        assert_eq!(first.format.name(), kind, "{name}");
        if first.format != Format::Exfat {
            // exFAT's label lies in its root directory, which probing does not read.
            assert_eq!(Some(&first.label).filter(|l| !l.is_empty()), told.get("LABEL"), "{name}: label");
        }
        let uuid = told.get("UUID").or(told.get("PTUUID"));
        if first.format != Format::Drbd {
            assert_eq!(Some(&first.uuid).filter(|u| !u.is_empty()), uuid, "{name}: uuid");
        }
        let versioned = [Format::MdMember, Format::Drbd, Format::Vfat, Format::Luks];
        if versioned.contains(&first.format) {
            assert_eq!(Some(&first.version), told.get("VERSION"), "{name}: version");
        }
        assert_eq!(found.len(), 1, "{name}: {found:?}");
    }
}

#[test]
fn tables_are_read_with_names_and_checksums() {
    let mut disk = recorded("gpt");
    let table = partitions(&mut Cursor::new(&disk)).unwrap();
    let names: Vec<_> = table.partitions.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["esos_bios", "ESOS_BOOT", "esos_primary"]);
    assert_eq!((table.partitions[0].start, table.partitions[0].len), (1 << 20, 1 << 20));
    assert_eq!(table.partitions[0].kind, "21686148-6449-6e6f-744e-656564454649");
    assert!(!table.from_backup);
    disk[1024 + 56] ^= 1; // a letter of a name
    assert!(partitions(&mut Cursor::new(&disk)).unwrap().from_backup);
    let last = disk.len() - 512;
    disk[last + 40] ^= 1;
    assert!(matches!(partitions(&mut Cursor::new(&disk)), Err(TableError::Damaged { .. })));
    let table = partitions(&mut Cursor::new(recorded("mbr"))).unwrap();
    assert_eq!((table.format, table.uuid.as_str()), (Format::Mbr, "1234abcd"));
    assert_eq!(table.partitions.iter().map(|p| p.kind.as_str()).collect::<Vec<_>>(), ["83", "8e"]);
    assert!(matches!(partitions(&mut Cursor::new(recorded("fat32"))), Err(TableError::None)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn no_byte_of_a_superblock_can_hurt(which in any::<prop::sample::Index>(), changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8), cut in any::<prop::sample::Index>()) {
        let names = names();
        let text = esos_fixtures::text(&format!("blockdev/probe/{}.hex", which.get(names.as_slice()))).unwrap();
        // Short images: only what lies in the first MiB, so that a case costs little.
        let mut image = recorded(which.get(names.as_slice()).as_str());
        image.truncate(1 << 20);
        let places: Vec<usize> = text.lines().skip(1).filter_map(|l| usize::from_str_radix(l.split_once(' ')?.0, 16).ok()).filter(|a| *a < 1 << 20).collect();
        if places.is_empty() { return Ok(()); }
        for (place, byte) in changes {
            image[*place.get(&places)] = byte;
        }
        let _found = probe(&mut Cursor::new(&image)).unwrap();
        let _table = partitions(&mut Cursor::new(&image));
        image.truncate(cut.index(image.len()));
        let _found = probe(&mut Cursor::new(&image)).unwrap();
    }
}
