//! The power goes at every write.
#![expect(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, reason = "test helpers")]
use esos_confsync::testing::{Cut, MemBox, MemMedium};
use esos_confsync::{NodeKind, Request, Retention, Snapshot, Store, Tracked, collect, restore, retain, sync};
use std::collections::BTreeMap;

/// A day in the life of a box: files change, links are made, generations come and go.
fn life(files: &MemBox, step: u64) {
    let name = format!("/etc/f{}", step % 5);
    match step % 4 {
        0 => files.write(&name, format!("{step}").repeat(50).as_bytes(), 0o644),
        1 => files.write("/etc/shadow", format!("root:{step}").as_bytes(), 0o600),
        2 => files.link_to("/etc/link", &name),
        _ => files.wipe(&name),
    }
}

/// What a snapshot comes to, contents included.
fn whole(store: &Store<'_>, snapshot: &Snapshot) -> Vec<String> {
    let row = |(path, node): (_, &esos_confsync::Node)| {
        let content = match &node.kind {
            NodeKind::File { chunks, .. } => store.content(chunks).unwrap(),
            NodeKind::Link(target) => target.clone(),
            NodeKind::Dir => Vec::new(),
        };
        format!("{path} {:o} {content:?}", node.mode)
    };
    snapshot.iter().map(row).collect()
}

/// Cuts the power after each operation of each step, in several ways; what can be restored is the state before the
/// step or the one after it, whole. Returns how many cuts there were.
fn cut_everywhere(steps: u64, seeds: u64) -> u64 {
    let (files, tracked) = (MemBox::new(), Tracked::default());
    let mut before: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut states: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    let (mut newest, mut cuts) = (0, 0);
    for step in 0..steps {
        life(&files, step);
        let medium = MemMedium::with(before.clone());
        let request = Request::new("esos1", "5.0.0", "change", step * 4000);
        let (done, _) = sync(&files, &tracked, &medium, None, None, &request).unwrap();
        let store = Store::open(&medium).unwrap();
        let generation = store.generation(done.generation).unwrap();
        states.insert(generation.id, whole(&store, &store.snapshot(generation).unwrap()));
        if step % 3 == 2 {
            let all: Vec<_> = store.generations().collect();
            let gone = retain(&all, step * 4000, &Retention::tight(), &[]);
            collect(Store::open(&medium).unwrap(), &gone).unwrap();
        }
        let ops = medium.ops();
        for after in 0..=ops.len() {
            for seed in 0..seeds {
                cuts += 1;
                let left = MemMedium::with(ops.cut(&before, Cut { after, seed }));
                let store = Store::open(&left).unwrap();
                let found = restore::choose(&store, "5.0.0");
                if newest == 0 && found.is_err() {
                    continue;
                }
                let found =
                    found.unwrap_or_else(|e| panic!("step {step}, cut {after}/{seed}: {e}")).generation;
                assert!(
                    found.id == newest || found.id == done.generation,
                    "step {step}, cut {after}/{seed}: @{} where @{newest} or @{} should be",
                    found.id,
                    done.generation
                );
                assert_eq!(whole(&store, &store.snapshot(&found).unwrap()), states[&found.id]);
                if after == ops.len() {
                    assert_eq!(found.id, done.generation, "what was reported as done is there");
                }
                // And the box goes on from there.
                if seed == 0 {
                    let next = Request::new("esos1", "5.0.0", "timer", step * 4000 + 1);
                    sync(&files, &tracked, &left, None, None, &next).unwrap();
                    let store = Store::open(&left).unwrap();
                    let last = store.generations().next_back().unwrap();
                    store.verify(last).unwrap();
                }
            }
        }
        before = medium.files();
        newest = done.generation;
    }
    cuts
}

#[test]
fn old_or_new_and_never_a_mixture() {
    let cuts = cut_everywhere(18, 6);
    assert!(cuts > 1000, "{cuts}");
}

/// More of the same; ESOS_SLOW=1.
#[test]
fn old_or_new_a_hundred_thousand_times() {
    if std::env::var_os("ESOS_SLOW").is_none() {
        println!("skipped: old_or_new_a_hundred_thousand_times: set ESOS_SLOW=1");
        return;
    }
    let cuts = cut_everywhere(120, 64);
    println!("{cuts} cuts");
    assert!(cuts > 100_000, "{cuts}");
}
