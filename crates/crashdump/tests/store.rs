//! A directory of dumps through crashes, power cuts, full file systems and time.
#![allow(clippy::unwrap_used, reason = "this is a test, its helpers too")]
use esos_crashdump::{
    CheckNote, Codec, Core, DumpState, Kept, Level, PART_ENDING, SaveOptions, Store, beside,
};
use esos_hostfs::{Files, HostFiles, Stream, TempDir};

const OPTIONS: SaveOptions =
    SaveOptions { level: Level::LEAST, codec: Codec::Zstd, workers: 1, max_size: None };

/// A core of 64 pages, of a kernel that says nothing but its release.
fn core() -> Vec<u8> {
    let mut core = vec![0_u8; 8192 + 64 * 4096];
    let mut put = |at: usize, bytes: &[u8]| core[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"\x7fELF\x02\x01");
    put(16, &4_u16.to_le_bytes());
    put(18, &62_u16.to_le_bytes());
    put(32, &64_u64.to_le_bytes());
    put(54, &56_u16.to_le_bytes());
    put(56, &2_u16.to_le_bytes());
    put(64, &4_u32.to_le_bytes());
    put(72, &4096_u64.to_le_bytes());
    put(96, &512_u64.to_le_bytes());
    put(120, &1_u32.to_le_bytes());
    for (at, word) in [(128, 8192), (144, 0x10_0000), (152, 64 * 4096), (160, 64 * 4096_u64)] {
        put(at, &word.to_le_bytes());
    }
    let text = b"OSRELEASE=6.1.0-a/b c\nCRASHTIME=5\n";
    put(4096, &11_u32.to_le_bytes());
    put(4100, &(text.len() as u32).to_le_bytes());
    put(4108, b"VMCOREINFO\0");
    put(4120, text);
    for (i, byte) in core[8192..].iter_mut().enumerate() {
        *byte = (i / 4096 * 7 + i % 13) as u8;
    }
    core
}

fn crash(store: &Store) -> Kept {
    let core = Core::open(core()).unwrap();
    let kept = store.begin(&core).unwrap();
    let manifest = store.add_dump(&core, &kept, &OPTIONS, &mut |_| ()).unwrap();
    assert!(manifest.complete);
    kept
}

fn told(store: &Store, name: &str) {
    store.note(name, &CheckNote { good: true, problems: Vec::new(), queued: true, reported: true }).unwrap();
}

fn names(store: &Store) -> Vec<String> {
    store.entries().unwrap().into_iter().map(|e| e.name).collect()
}

#[test]
fn numbers_count_up_and_nothing_is_overwritten() {
    let dir = TempDir::new("store").unwrap();
    let store = Store::open(&dir.path().join("crash")).unwrap();
    assert_eq!(crash(&store).name, "crash-0001-6.1.0-abc");
    assert_eq!(crash(&store).name, "crash-0002-6.1.0-abc");
    store.remove("crash-0001-6.1.0-abc").unwrap();
    assert!(store.remove("crash-0001-6.1.0-abc").unwrap_err().is_not_found());
    // The clock played no part, and a number is not used again while a newer one lives.
    assert_eq!(crash(&store).name, "crash-0003-6.1.0-abc");
    let entries = store.entries().unwrap();
    assert!(entries.iter().all(|e| e.state == DumpState::Complete && store.verify(e).unwrap().is_empty()));
}

#[test]
fn what_a_power_cut_left_is_told_and_kept() {
    let dir = TempDir::new("store").unwrap();
    let store = Store::open(dir.path()).unwrap();
    let whole = crash(&store);
    let bytes = HostFiles::new(dir.path()).read(&format!("{}.kdump", whole.name)).unwrap();
    for (number, cut) in [(2, bytes.len() - 500), (3, 100), (4, 0)] {
        let kept = store.begin(&Core::open(core()).unwrap()).unwrap();
        let part = Stream::create(&beside(&store.dump(&kept.name), PART_ENDING), 0o600).unwrap();
        part.write_all_at(&bytes[..cut], 0).unwrap();
        let state = |store: &Store| store.entries().unwrap()[number - 1].state;
        assert_eq!(state(&store), DumpState::Unfinished);
        assert_eq!(store.recover().unwrap().len(), 1, "{cut}");
        let expected = if cut > 1000 { DumpState::Incomplete } else { DumpState::Log };
        assert_eq!(state(&store), expected, "{cut}");
        let entry = &store.entries().unwrap()[number - 1];
        assert_eq!(store.verify(entry).unwrap(), [""; 0], "what is missing is no damage");
        assert_eq!(store.recover().unwrap(), [""; 0]);
    }
    let lost = store.entries().unwrap()[1].manifest.clone().unwrap();
    assert!(lost.unfinished_pages > 0 && lost.unfinished_pages < lost.pages, "{lost:?}");
}

#[test]
fn damage_after_the_crash_is_found() {
    let dir = TempDir::new("store").unwrap();
    let store = Store::open(dir.path()).unwrap();
    let kept = crash(&store);
    let file = Stream::open_rw(&store.dump(&kept.name)).unwrap();
    let at = file.size().unwrap() - 30;
    file.write_all_at(&[0x55; 8], at).unwrap();
    assert!(!store.verify(&store.entries().unwrap()[0]).unwrap().is_empty());
}

#[test]
fn that_somebody_has_looked_outlives_a_check() {
    let dir = TempDir::new("store").unwrap();
    let store = Store::open(dir.path()).unwrap();
    let kept = crash(&store);
    assert!(!store.entries().unwrap()[0].seen);
    store.note_seen(&kept.name).unwrap();
    told(&store, &kept.name);
    let entry = &store.entries().unwrap()[0];
    assert!(entry.seen && entry.checked.is_some() && entry.state == DumpState::Complete);
    store.remove(&kept.name).unwrap();
    assert_eq!(HostFiles::new(dir.path()).list("/").unwrap(), [""; 0]);
}

#[test]
fn the_newest_and_what_nobody_was_told_of_stay() {
    let dir = TempDir::new("store").unwrap();
    let store = Store::open(dir.path()).unwrap();
    let all: Vec<String> = (0..5).map(|_| crash(&store).name).collect();
    assert_eq!(store.surplus(2, u64::MAX).unwrap(), [""; 0], "nobody was told of any");
    for name in [0, 2, 3, 4] {
        told(&store, &all[name]);
    }
    assert_eq!(store.surplus(2, u64::MAX).unwrap(), [all[0].clone(), all[2].clone()]);
    assert_eq!(store.surplus(1, 0).unwrap(), [all[0].clone(), all[2].clone(), all[3].clone()]);
    for name in store.surplus(2, u64::MAX).unwrap() {
        store.remove(&name).unwrap();
    }
    assert_eq!(names(&store), [all[1].clone(), all[3].clone(), all[4].clone()]);
}

#[test]
fn the_reserve_is_real_room_and_goes_when_asked() {
    let dir = TempDir::new("store").unwrap();
    let store = Store::open(dir.path()).unwrap();
    store.keep_reserve(1 << 20).unwrap();
    store.keep_reserve(1 << 20).unwrap();
    assert_eq!(names(&store), [""; 0], "it is no dump");
    assert!(store.free_reserve().unwrap());
    assert!(!store.free_reserve().unwrap());
    let refused = store.keep_reserve(1 << 60).unwrap_err();
    assert!(refused.is_full() || refused.errno == 27, "{refused}");
    assert!(!store.free_reserve().unwrap(), "half a reserve does not stay");
}
