//! The crash kernel with a core in memory.
use super::Ending;
use super::machine::{Fake, Twist};
use esos_crashdump::{DumpState, Store};
use esos_hostfs::Files;

const LINE: &str = "slot=PRIMARY esos.stick=000000000000000000000000000000aa esos.crash.level=31";

/// A core of some pages, of a kernel that says nothing of itself.
fn core() -> Vec<u8> {
    let mut core = vec![0_u8; 4096 + 16 * 4096];
    core[..6].copy_from_slice(b"\x7fELF\x02\x01");
    let mut put = |at: usize, bytes: &[u8]| core[at..at + bytes.len()].copy_from_slice(bytes);
    put(16, &4_u16.to_le_bytes());
    put(18, &62_u16.to_le_bytes());
    put(32, &64_u64.to_le_bytes());
    put(54, &56_u16.to_le_bytes());
    put(56, &1_u16.to_le_bytes());
    put(64, &1_u32.to_le_bytes());
    for (at, word) in [(72, 4096), (88, 0x10_0000), (96, 16 * 4096), (104, 16 * 4096_u64)] {
        put(at, &word.to_le_bytes());
    }
    put(4096, &[7; 5000]);
    core
}

fn after(core: Option<Vec<u8>>) -> Twist {
    let mut twist = Twist::of(LINE);
    (twist.vmcore, twist.core) = (true, core);
    twist
}

fn crashed(broken: &[&'static str]) -> Fake {
    let mut twist = after(Some(core()));
    twist.broken = broken.to_vec();
    Fake::new(twist)
}

fn store(fake: &Fake) -> Vec<(String, DumpState)> {
    let store = Store::at(&fake.dumps.path().join("crash"));
    store.entries().unwrap().into_iter().map(|e| (e.name, e.state)).collect()
}

#[test]
fn a_dump_is_saved_on_the_log_partition() {
    let fake = crashed(&[]);
    for number in 1..=2 {
        assert_eq!(fake.run(), Ending::Reboot);
        assert_eq!(store(&fake).len(), number, "{:?}", fake.said);
    }
    assert_eq!(store(&fake)[1], ("crash-0002-unknown".to_owned(), DumpState::Complete));
    assert!(fake.has_said("/dev/sda5 (esos_logs of the stick /dev/sda)"), "{:?}", fake.said);
    assert!(fake.calls.borrow().contains(&"unmount /crash".to_owned()));
    assert!(fake.has_said("rebooting"));
}

/// The configuration takes the log, and nothing more.
#[test]
fn a_broken_log_partition_leaves_the_log() {
    let fake = crashed(&["/dev/sda5"]);
    assert_eq!(fake.run(), Ending::Reboot);
    assert_eq!(store(&fake), [("crash-0001-unknown".to_owned(), DumpState::Log)], "{:?}", fake.said);
    assert!(fake.has_said("/dev/sda5 (esos_logs of the stick /dev/sda): cannot be mounted"));
}

/// The log partition of another stick is not ours to write to, unless it has the marker.
#[test]
fn another_stick_takes_dumps_only_with_the_marker() {
    let second = "000000000000000000000000000000bb";
    for marked in [false, true] {
        let mut twist = after(Some(core()));
        twist.identities = vec![second];
        let fake = Fake::new(twist);
        if marked {
            fake.files().make_dir("/crash/crash").unwrap();
        }
        assert_eq!(fake.run(), Ending::Reboot);
        assert_eq!(store(&fake).len(), usize::from(marked), "{:?}", fake.said);
        assert_eq!(fake.has_said("nothing could be saved; the end of the log follows"), !marked);
    }
}

#[test]
fn without_any_medium_the_box_comes_back() {
    for core in [None, Some(core()), Some(b"no core at all".to_vec())] {
        let mut twist = after(core);
        twist.identities = vec![];
        let fake = Fake::new(twist);
        assert_eq!(fake.run(), Ending::Reboot);
        assert!(fake.has_said("rebooting"), "{:?}", fake.said);
    }
}
