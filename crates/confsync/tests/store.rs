//! What a store answers, whole and damaged.
#![expect(clippy::unwrap_used, reason = "test helpers")]
use esos_confsync::testing::{MemBox, MemMedium};
use esos_confsync::{
    Index, Request, Retention, Snapshot, Store, StoreError, Tracked, changes, collect, restore, retain, sync,
};

fn request(now: u64, version: &str) -> Request {
    Request::new("esos1", version, "change", now)
}

fn full_box() -> MemBox {
    let files = MemBox::new();
    files.write("/etc/passwd", b"root:x:0\n", 0o644);
    files.write("/etc/shadow", b"root:*\n", 0o600);
    files.write("/etc/scst.conf", &vec![b'x'; 30 << 10], 0o600);
    files.write("/etc/empty", b"", 0o644);
    files.write("/var/lib/scst/pr/dev1", b"keys", 0o600);
    files.own("/var/lib/scst/pr/dev1", 12, 34);
    files.link_to("/etc/mtab2", "../proc/mounts");
    files.write("/opt/sbin/storcli64", b"#!", 0o755);
    files
}

/// A box on which nothing but the image was, restored from that store.
fn restored(medium: &MemMedium, version: &str) -> (MemBox, restore::Choice) {
    let store = Store::open(medium).unwrap();
    let choice = restore::choose(&store, version).unwrap();
    let wanted = store.snapshot(&choice.generation).unwrap();
    let place = MemBox::new();
    place.write("/etc/passwd", b"default\n", 0o600);
    place.write("/etc/only-default", b"x", 0o644);
    place.write("/var/lib/dpkg/status", b"x", 0o644);
    let tracked = Tracked::default();
    let present = observe(&place, &tracked);
    let steps = restore::plan(&present, &wanted, &tracked);
    let applied = restore::apply(&place, &steps, &wanted, &|id| store.content(&[*id]));
    assert_eq!(applied.failed, []);
    assert_eq!(
        restore::plan(&observe(&place, &tracked), &wanted, &tracked),
        [],
        "restored twice is restored once"
    );
    (place, choice)
}

fn observe(files: &MemBox, tracked: &Tracked) -> Snapshot {
    let medium = MemMedium::new();
    sync(files, tracked, &medium, None, None, &request(0, "0")).unwrap();
    let store = Store::open(&medium).unwrap();
    store.snapshot(store.generations().next_back().unwrap()).unwrap()
}

#[test]
fn what_is_restored_is_what_was_kept() {
    let (files, medium, tracked) = (full_box(), MemMedium::new(), Tracked::default());
    sync(&files, &tracked, &medium, None, None, &request(1, "5")).unwrap();
    let (place, _) = restored(&medium, "5");
    assert_eq!(changes(&observe(&files, &tracked), &observe(&place, &tracked)), []);
    let dump = place.dump().join("\n");
    assert!(dump.contains("/var/lib/scst/pr/dev1 File 600 12:34"), "{dump}");
    assert!(!dump.contains("only-default") && dump.contains("/var/lib/dpkg/status"), "{dump}");
}

#[test]
fn five_answers_are_five_answers() {
    let (files, medium, tracked) = (full_box(), MemMedium::new(), Tracked::default());
    let open = |medium| restore::choose(&Store::open(medium).unwrap(), "5");
    assert!(matches!(open(&medium), Err(StoreError::Empty)));
    medium.read_only(true);
    let sync = |index: Option<Index>, now| sync(&files, &tracked, &medium, index, None, &request(now, "5"));
    assert!(matches!(sync(None, 1), Err(StoreError::ReadOnly)));
    medium.read_only(false);
    medium.room(Some(100));
    assert!(matches!(sync(None, 1), Err(StoreError::Full)));
    medium.room(None);
    assert_eq!(medium.files().len(), 0, "nothing is left behind");
    sync(None, 1).unwrap();
    let store = Store::open(&medium).unwrap();
    assert!(matches!(store.generation(9), Err(StoreError::NotFound(_))));
    medium.damage("gen-0000000001.esc", |bytes| bytes.truncate(500));
    assert!(matches!(open(&medium), Err(StoreError::Damaged { .. })));
    assert!(matches!(Store::open(&medium).unwrap().generation(1), Err(StoreError::Damaged { .. })));
}

#[test]
fn damage_anywhere_falls_back_and_is_told() {
    let (files, medium, tracked) = (full_box(), MemMedium::new(), Tracked::default());
    sync(&files, &tracked, &medium, None, None, &request(1, "5")).unwrap();
    files.write("/etc/new", b"second generation, with some text in it", 0o644);
    sync(&files, &tracked, &medium, None, None, &request(2, "5")).unwrap();
    let whole = medium.files();
    let size = whole["gen-0000000002.esc"].len();
    for at in 0..size {
        let medium = MemMedium::with(whole.clone());
        medium.damage("gen-0000000002.esc", |bytes| bytes[at] ^= 0x40);
        let choice = restore::choose(&Store::open(&medium).unwrap(), "5").unwrap();
        // Byte 8 and what follows is the head of an object, which nobody reads: the index has it all.
        if choice.generation.id == 1 {
            assert!(!choice.damaged.is_empty(), "byte {at}");
        } else {
            assert_eq!(choice.damaged, [], "byte {at}");
        }
        if at < 8 || at > size - 64 {
            assert_eq!(choice.generation.id, 1, "byte {at}");
        }
    }
    for len in 0..size {
        let medium = MemMedium::with(whole.clone());
        medium.damage("gen-0000000002.esc", |bytes| bytes.truncate(len));
        assert_eq!(
            restore::choose(&Store::open(&medium).unwrap(), "5").unwrap().generation.id,
            1,
            "cut at {len}"
        );
    }
}

#[test]
fn an_older_version_gets_what_it_can_read() {
    let (files, medium, tracked) = (full_box(), MemMedium::new(), Tracked::default());
    sync(&files, &tracked, &medium, None, None, &request(1, "5.0")).unwrap();
    files.write("/etc/v2", b"x", 0o644);
    sync(&files, &tracked, &medium, None, None, &request(2, "5.1")).unwrap();
    let (place, choice) = restored(&medium, "5.0");
    assert_eq!((choice.generation.id, choice.newer), (1, vec![2]));
    assert!(!place.dump().join("\n").contains("/etc/v2"));
    assert_eq!(restored(&medium, "5.1").1.generation.id, 2);
    // Nothing is old enough: the newest there is, rather than none.
    assert_eq!(restored(&medium, "4").1.generation.id, 2);
}

#[test]
fn a_hundred_generations_of_one_change_are_small() {
    let (files, medium, tracked) = (full_box(), MemMedium::new(), Tracked::default());
    for n in 0..200u64 {
        let noise: Vec<u8> = (0..400u64).map(|i| ((i * i * (n + 7)) >> 3) as u8).collect();
        files.write(&format!("/etc/d{}/f{n}", n % 20), &noise, 0o644);
    }
    let (_, mut index) = sync(&files, &tracked, &medium, None, None, &request(1, "5")).unwrap();
    let one: usize = medium.files().values().map(Vec::len).sum();
    for n in 0..100u64 {
        files.write("/etc/passwd", format!("root:{n}\n").as_bytes(), 0o644);
        let (done, next) =
            sync(&files, &tracked, &medium, Some(index), None, &request(100 + n * 10, "5")).unwrap();
        assert!(done.made && done.written_bytes < 16_384, "{}", done.written_bytes);
        index = next;
    }
    let all: usize = medium.files().values().map(Vec::len).sum();
    println!("one generation {one} bytes, a hundred and one {all}");
    let store = Store::open(&medium).unwrap();
    let gone = retain(&store.generations().collect::<Vec<_>>(), 10_000, &Retention::tight(), &[]);
    let collected = collect(Store::open(&medium).unwrap(), &gone).unwrap();
    assert!(collected.dropped.len() >= 90 && collected.freed_bytes > 0, "{collected:?}");
    let store = Store::open(&medium).unwrap();
    store.generations().for_each(|g| store.verify(g).unwrap());
    assert_eq!(restored(&medium, "5").1.generation.id, 101);
}

#[test]
fn hard_links_and_names_that_are_no_text() {
    let (files, medium, tracked) = (MemBox::new(), MemMedium::new(), Tracked::default());
    files.write("/etc/a", b"one file", 0o644);
    let link = |from: &str, to: &str| {
        use esos_confsync::{BoxPath, Place};
        files.hard_link(&BoxPath::new(from).unwrap(), &BoxPath::new(to).unwrap()).unwrap();
    };
    link("/etc/a", "/etc/z");
    link("/etc/a", "/opt-no");
    link("/etc/a", "/etc/n\u{7f}");
    sync(&files, &tracked, &medium, None, None, &request(1, "5")).unwrap();
    let dump = restored(&medium, "5").0.dump().join("\n");
    assert!(dump.contains(r#"/etc/z File 644 0:0 "one file" /etc/a"#), "{dump}");
}
