//! A medium that says it has written what it has dropped.
#![expect(clippy::unwrap_used, clippy::panic, reason = "test helpers")]
use esos_confsync::testing::{MemBox, MemMedium};
use esos_confsync::{Request, Store, StoreError, Tracked, confirm, sync};

/// A box with two generations on a medium; the index of the second.
fn two() -> (MemBox, MemMedium, esos_confsync::Index) {
    let (files, medium, tracked) = (MemBox::new(), MemMedium::new(), Tracked::default());
    files.write("/etc/passwd", b"root:x:0\n", 0o644);
    files.write("/etc/long", &(0..200_000u32).flat_map(u32::to_le_bytes).collect::<Vec<_>>(), 0o600);
    let request = |now| Request::new("esos1", "5.0.0", "change", now);
    let (_, index) = sync(&files, &tracked, &medium, None, None, &request(1)).unwrap();
    files.write("/etc/hosts", b"127.0.0.1 localhost\n", 0o644);
    let (second, index) = sync(&files, &tracked, &medium, Some(index), None, &request(2)).unwrap();
    assert_eq!(second.generation, 2);
    (files, medium, index)
}

fn lost(medium: &MemMedium) -> String {
    match confirm(medium, 2) {
        Err(e @ StoreError::Lost { generation: 2, .. }) => e.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_there_is_confirmed() {
    let (_, medium, _) = two();
    confirm(&medium, 1).unwrap();
    confirm(&medium, 2).unwrap();
}

#[test]
fn what_was_dropped_whole_or_in_part_is_not() {
    let (_, medium, _) = two();
    let name = "gen-0000000002.esc";
    let whole = medium.files()[name].clone();
    let mut found = 0;
    for at in 0..whole.len() {
        medium.damage(name, |bytes| bytes[at] ^= 1);
        let said = confirm(&medium, 2);
        assert!(matches!(said, Ok(()) | Err(StoreError::Lost { .. })), "{at}: {said:?}");
        found += usize::from(said.is_err());
        medium.damage(name, |bytes| bytes[at] ^= 1);
    }
    // The 49 bytes before each of the objects (the file, /etc, the list) only say again what the index says.
    assert!(whole.len() - found <= 3 * 49, "{found} of {}", whole.len());
    for length in [0, 1, 64, whole.len() / 2, whole.len() - 1] {
        medium.damage(name, |bytes| bytes.truncate(length));
        assert!(
            lost(&medium).contains("does not keep what is written to it: generation @2: gen-"),
            "{length}"
        );
        medium.damage(name, |bytes| bytes.clone_from(&whole));
    }
    // A block that was never written.
    let start = whole.len() / 3;
    medium.damage(name, |bytes| bytes[start..whole.len() / 2].fill(0));
    lost(&medium);
    let mut files = medium.files();
    files.remove(name);
    assert!(lost(&MemMedium::with(files)).ends_with("gen-0000000002.esc is not there"));
}

/// When the medium keeps again what it is given, the next sync brings it up to date, though the index says that nothing
/// has changed since.
#[test]
fn the_next_sync_writes_what_was_dropped() {
    let (files, medium, index) = two();
    let mut kept = medium.files();
    kept.remove("gen-0000000002.esc");
    let medium = MemMedium::with(kept);
    lost(&medium);
    let request = Request::new("esos1", "5.0.0", "change", 3);
    let (synced, _) = sync(&files, &Tracked::default(), &medium, Some(index), None, &request).unwrap();
    assert!(synced.made, "{synced:?}");
    confirm(&medium, synced.generation).unwrap();
    let store = Store::open(&medium).unwrap();
    let newest = store.generations().next_back().unwrap();
    store.verify(newest).unwrap();
    let hosts = esos_confsync::BoxPath::new("/etc/hosts").unwrap();
    assert!(store.snapshot(newest).unwrap().get(&hosts).is_some());
}
