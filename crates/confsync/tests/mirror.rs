//! A second store that follows the first one.
#![expect(clippy::unwrap_used, reason = "test helpers")]
use esos_confsync::testing::{Cut, MemBox, MemMedium};
use esos_confsync::{
    MirrorError, Request, Retention, Store, Tracked, collect, mirror, restore, retain, sync,
};

struct Keeper {
    files: MemBox,
    tracked: Tracked,
    step: u64,
}

impl Keeper {
    fn new() -> Self {
        Self { files: MemBox::new(), tracked: Tracked::default(), step: 0 }
    }

    fn sync(&mut self, medium: &MemMedium) -> u64 {
        self.step += 1;
        let text = format!("{}\n", self.step).repeat(300);
        self.files.write(&format!("/etc/f{}", self.step % 4), text.as_bytes(), 0o644);
        let request = Request::new("esos1", "5.0.0", "change", self.step * 4000);
        sync(&self.files, &self.tracked, medium, None, None, &request).unwrap().0.generation
    }

    fn prune(&self, medium: &MemMedium) {
        let store = Store::open(medium).unwrap();
        let all: Vec<_> = store.generations().collect();
        let gone = retain(&all, self.step * 4000, &Retention::tight(), &[]);
        collect(Store::open(medium).unwrap(), &gone).unwrap();
    }
}

#[test]
fn it_becomes_the_same_and_then_nothing_is_written() {
    let (mut source, first, second) = (Keeper::new(), MemMedium::new(), MemMedium::new());
    for round in 0..12 {
        source.sync(&first);
        if round % 3 == 2 {
            source.prune(&first);
        }
        mirror(&first, &second, false).unwrap();
        assert_eq!(first.files(), second.files(), "round {round}");
        let again = mirror(&first, &second, false).unwrap();
        assert_eq!((again.copied.len(), again.removed.len(), again.written_bytes), (0, 0, 0));
    }
    let store = Store::open(&second).unwrap();
    store.generations().for_each(|g| store.verify(g).unwrap());
}

#[test]
fn power_that_goes_leaves_the_old_newest_or_the_new_one() {
    let (mut source, first) = (Keeper::new(), MemMedium::new());
    let mut before = std::collections::BTreeMap::new();
    let (mut newest, mut cuts) = (0, 0);
    for round in 0..9 {
        let mut made = source.sync(&first);
        if round % 2 == 1 {
            made = source.sync(&first);
        }
        if round % 3 == 2 {
            source.prune(&first);
        }
        let second = MemMedium::with(before.clone());
        mirror(&first, &second, false).unwrap();
        let ops = second.ops();
        for after in 0..=ops.len() {
            for seed in 0..8 {
                cuts += 1;
                let left = MemMedium::with(ops.cut(&before, Cut { after, seed }));
                let store = Store::open(&left).unwrap();
                match restore::choose(&store, "5.0.0") {
                    Ok(found) => {
                        let id = found.generation.id;
                        assert!((newest..=made).contains(&id), "round {round}, cut {after}/{seed}: @{id}");
                        store.verify(&found.generation).unwrap();
                    }
                    Err(e) => assert_eq!(newest, 0, "round {round}, cut {after}/{seed}: {e}"),
                }
                // And the next time it is made whole.
                mirror(&first, &left, false).unwrap();
                let packs = |medium: &MemMedium| {
                    let mut files = medium.files();
                    files.retain(|name, _| name.ends_with(".esc"));
                    files
                };
                assert_eq!(packs(&left), packs(&first));
                // Nothing stays of a pack that was half written: a mirror that nobody boots from would fill up.
                assert!(!left.files().keys().any(|name| name.ends_with(".tmp")), "{:?}", left.files().keys());
            }
        }
        before = second.files();
        newest = made;
    }
    assert!(cuts > 300, "{cuts}");
}

#[test]
fn what_only_the_mirror_has_is_not_thrown_away() {
    let (mut source, first, second) = (Keeper::new(), MemMedium::new(), MemMedium::new());
    source.sync(&first);
    mirror(&first, &second, false).unwrap();
    // The box ran from the mirror for a while.
    source.sync(&second);
    assert!(matches!(mirror(&first, &second, false), Err(MirrorError::Foreign(ids)) if ids == [2]));
    // And then from the first one again: two histories under one number.
    source.sync(&first);
    let error = mirror(&first, &second, false).unwrap_err();
    assert_eq!(error.to_string(), "the mirror has generations that the store does not have: @2");
    assert_eq!(mirror(&first, &second, true).unwrap().copied, ["gen-0000000002.esc"]);
    assert_eq!(first.files(), second.files());
}

#[test]
fn damage_is_not_copied_and_a_full_mirror_says_so() {
    let (mut source, first, second) = (Keeper::new(), MemMedium::new(), MemMedium::new());
    source.sync(&first);
    source.sync(&first);
    mirror(&first, &second, false).unwrap();
    let whole = second.files();
    first.damage("gen-0000000001.esc", |bytes| bytes.truncate(40));
    let done = mirror(&first, &second, false).unwrap();
    assert_eq!((done.damaged.len(), done.removed.len()), (1, 0));
    assert_eq!(second.files(), whole);
    // Damage in the mirror is mended.
    second.damage("gen-0000000002.esc", |bytes| bytes.truncate(40));
    assert_eq!(mirror(&first, &second, false).unwrap().copied, ["gen-0000000002.esc"]);

    source.sync(&first);
    second.room(Some(100));
    assert!(matches!(mirror(&first, &second, false), Err(MirrorError::To(esos_confsync::StoreError::Full))));
    second.room(None);
    second.read_only(true);
    assert!(matches!(
        mirror(&first, &second, false),
        Err(MirrorError::To(esos_confsync::StoreError::ReadOnly))
    ));
}
