//! Power that goes at any write, with the writes since the last flush on the medium in any order.
use super::images::{Wanted, image};
use super::medium::{Disk, Done, Pages};
use super::{good, starts, upgrade};
use esos_bootimg::upgrade::Stick;
use esos_layout::Slot;

/// A generator that needs no crate: xorshift.
struct Dice(u64);

impl Dice {
    fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below.max(1)
    }
}

/// Every state that power may leave when it goes: after each operation the writes up to the last flush
/// are there; of those since, and of the one under way, any subset, each whole or torn.
fn crash_points(before: &Disk, log: &[Done], reorderings: usize, mut look: impl FnMut(&Disk, &str)) -> usize {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut safe: Pages = before.pages.borrow().clone();
    let mut open: Vec<(u64, Vec<u8>)> = Vec::new();
    let mut points = 0;
    let mut show = |pages: Pages, what: &str| {
        let disk = Disk { sector: before.sector, ..Disk::new(before.len, pages) };
        look(&disk, what);
        points += 1;
    };
    for (n, done) in log.iter().enumerate() {
        match done {
            Done::Flush => {
                for (at, bytes) in open.drain(..) {
                    safe.write(&bytes, at);
                }
            }
            Done::Write { at, bytes } => {
                open.push((*at, bytes.clone()));
                // In order, the last one torn at a few places, in sectors and within one.
                let mut pages = safe.clone();
                for (at, bytes) in &open[..open.len() - 1] {
                    pages.write(bytes, *at);
                }
                let cuts = [0, 1, 100, 255, 511, 512, bytes.len() / 2, bytes.len() - 1];
                for cut in cuts.into_iter().filter(|c| *c < bytes.len()) {
                    let mut torn = pages.clone();
                    torn.write(&bytes[..cut], *at);
                    show(torn, &format!("write {n} cut at {cut}"));
                    // The end of the piece first.
                    let mut torn = pages.clone();
                    torn.write(&bytes[cut..], *at + cut as u64);
                    show(torn, &format!("write {n} from {cut} on"));
                }
                let garbage: Vec<u8> = (0..512).map(|_| dice.next(256) as u8).collect();
                let mut torn = pages.clone();
                torn.write(&garbage, *at);
                show(torn, &format!("write {n} garbage"));
                for k in 0..reorderings {
                    let mut some = safe.clone();
                    for (at, bytes) in &open {
                        for (i, part) in bytes.chunks(before.sector as usize * 64).enumerate() {
                            if dice.next(2) == 0 {
                                some.write(part, *at + (i * before.sector as usize * 64) as u64);
                            }
                        }
                    }
                    show(some, &format!("write {n} subset {k}"));
                }
            }
        }
    }
    points
}

fn cases() -> usize {
    #[expect(clippy::disallowed_methods, reason = "the slow run says so")]
    std::env::var("ESOS_CRASH_REORDERINGS").ok().and_then(|n| n.parse().ok()).unwrap_or(6)
}

#[test]
fn power_that_goes_during_an_upgrade_leaves_old_or_new() {
    for secondary in [None, Some("0.9")] {
        let before = image(&Wanted { secondary, ..Wanted::of("1.0") });
        let source = image(&Wanted::of("2.0"));
        let during = before.again();
        upgrade(&during, &source, Slot::Primary);
        let log = during.log.borrow().clone();
        let mut new = 0;
        let points = crash_points(&before, &log, cases(), |disk, what| match starts(disk) {
            (Slot::Primary, Some(version), true) if version == "1.0" => {}
            (Slot::Secondary, Some(version), true) if version == "2.0" => new += 1,
            other => panic!("{what}: {other:?}"),
        });
        println!("{points} crash points of an upgrade over {secondary:?}, {new} of them new");
        assert!(new > 0 && new < points);
    }
}

#[test]
fn power_that_goes_during_a_mark_leaves_old_or_new() {
    let before = image(&Wanted::of("1.0"));
    upgrade(&before, &image(&Wanted::of("2.0")), Slot::Primary);
    let before = before.again();
    let during = before.again();
    good(&during, Slot::Secondary);
    let log = during.log.borrow().clone();
    assert_eq!(during.writes(), 1);
    let mut marked = 0;
    let points = crash_points(&before, &log, cases(), |disk, what| {
        assert_eq!(starts(disk), (Slot::Secondary, Some("2.0".into()), true), "{what}");
        let control = Stick::open(disk).unwrap().state().control();
        marked += usize::from(control.secondary.state == esos_layout::state::SlotState::Good);
    });
    println!("{points} crash points of a mark, {marked} of them new");
    assert!(marked < points);
}

#[test]
fn power_that_goes_twice_in_an_upgrade_and_its_second_try() {
    let before = image(&Wanted::of("1.0"));
    let source = image(&Wanted::of("2.0"));
    let first = before.again();
    first.fails_at.set(Some(3));
    let _cut =
        super::upgrade_with(&first, &source, Slot::Primary, super::ANY, &Default::default()).unwrap_err();
    let first = first.again();
    let second = first.again();
    upgrade(&second, &source, Slot::Primary);
    let log = second.log.borrow().clone();
    crash_points(&first, &log, 2, |disk, what| match starts(disk) {
        (Slot::Primary, Some(version), true) if version == "1.0" => {}
        (Slot::Secondary, Some(version), true) if version == "2.0" => {}
        other => panic!("{what}: {other:?}"),
    });
}
