//! What a sync makes with the memory of the last one is what it makes without.
use esos_confsync::testing::{MemBox, MemMedium};
use esos_confsync::{BoxPath, Index, Place, Request, Snapshot, Store, Tracked, changes, observe, sync};
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Step {
    Write(u8, u8, u8),
    Change(u8, u8),
    Wipe(u8),
    WipeDir(u8),
    Link(u8, u8),
    Hard(u8, u8),
    Own(u8, u32),
    Forget,
    Track(bool),
}

/// A few names in a few directories, with one that is left out, and with directories on the way.
fn name(n: u8) -> String {
    let dirs = ["/etc", "/etc/a", "/etc/a/b", "/opt", "/var/lib/scst", "/var/lib/other", "/root"];
    let names = ["f", "g", "h.tmp", ".h.tmp", ".bash_history"];
    format!("{}/{}", dirs[usize::from(n) % dirs.len()], names[usize::from(n / 7) % names.len()])
}

fn steps() -> impl Strategy<Value = Vec<Vec<Step>>> {
    let step = prop_oneof![
        4 => (any::<u8>(), any::<u8>(), 0u8..3).prop_map(|(n, c, m)| Step::Write(n, c, m)),
        3 => (any::<u8>(), any::<u8>()).prop_map(|(n, c)| Step::Change(n, c)),
        2 => any::<u8>().prop_map(Step::Wipe),
        1 => any::<u8>().prop_map(Step::WipeDir),
        1 => (any::<u8>(), any::<u8>()).prop_map(|(n, t)| Step::Link(n, t)),
        1 => (any::<u8>(), any::<u8>()).prop_map(|(n, t)| Step::Hard(n, t)),
        1 => (any::<u8>(), 0u32..3).prop_map(|(n, u)| Step::Own(n, u)),
        1 => Just(Step::Forget),
        1 => any::<bool>().prop_map(Step::Track),
    ];
    proptest::collection::vec(proptest::collection::vec(step, 0..5), 1..12)
}

/// Times alone are no difference.
fn timeless(mut snapshot: Snapshot) -> Snapshot {
    for node in snapshot.dirs.values_mut().flat_map(|listing| listing.nodes.values_mut()) {
        node.mtime = (0, 0);
    }
    snapshot
}

proptest! {
    #[test]
    fn with_memory_and_without(history in steps()) {
        let (files, medium) = (MemBox::new(), MemMedium::new());
        let mut tracked = Tracked::default();
        let mut index: Option<Index> = None;
        let mut before = Snapshot::default();
        let at = |n: u8| BoxPath::new(name(n)).unwrap();
        for (n, steps) in history.into_iter().enumerate() {
            for step in steps {
                match step {
                    Step::Write(n, content, mode) => {
                        files.write(&name(n), &[content; 5], [0o644, 0o600, 0o755][usize::from(mode)]);
                    }
                    Step::Change(n, content) => files.change(&name(n), &[content; 7]),
                    Step::Wipe(n) => files.wipe(&name(n)),
                    Step::WipeDir(n) => files.wipe(&at(n).split().unwrap().0.to_string()),
                    Step::Link(n, to) => files.link_to(&name(n), &name(to)),
                    Step::Hard(n, to) => drop(files.hard_link(&at(n), &at(to))),
                    Step::Own(n, uid) => files.own(&name(n), uid, 0),
                    Step::Forget => index = None,
                    Step::Track(more) => {
                        let extras = if more { r#"{"include": ["/var/lib/other"], "exclude": ["/etc/a/g"]}"# } else { "{}" };
                        tracked = Tracked::with_extras(extras).unwrap();
                    }
                }
            }
            let request = Request::new("esos1", "5", "change", 10_000_000 + n as u64);
            let (done, next) = sync(&files, &tracked, &medium, index.take(), None, &request).unwrap();
            // As it is kept by the box.
            let decoded = Index::decode(&next.encode()).unwrap();
            prop_assert_eq!(decoded.encode(), next.encode());
            index = Some(decoded);
            let (now, _) = observe(&files, &tracked, &mut |_, _| Ok(())).unwrap();
            let store = Store::open(&medium).unwrap();
            let newest = store.generations().next_back().unwrap();
            store.verify(newest).unwrap();
            let kept = store.snapshot(newest).unwrap();
            prop_assert_eq!(timeless(kept.clone()), timeless(now));
            let differs = changes(&before, &kept);
            if done.made {
                prop_assert_eq!(&done.changes, &differs);
            } else {
                prop_assert_eq!(differs, []);
            }
            prop_assert_eq!(done.generation, newest.id);
            before = kept;
        }
    }
}
