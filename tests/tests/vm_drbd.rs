//! Real DRBD of Debian's kernel between two boxes that one TOML made: the first resync, power cuts, link cuts,
//! a split brain and its end, with every acknowledged write accounted for.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking")]
use esos_tests::image::{self, eventually};
use esos_tests::pair::{self, MINUTE, Pair, Plan};
use esos_tests::{Level, allowed, skip};
use std::time::Instant;

const POWER_CUTS: usize = 5;
const LINK_CUTS: usize = 2;

fn nothing_is_lost(pair: &Pair, n: usize) -> usize {
    let (checked, lost) = pair.check(n).unwrap();
    assert!(checked > 0 && lost.is_empty(), "of {checked}: {lost:?}");
    checked
}

/// The box that writes loses its power; the other is promoted and has everything.
fn power_cut(pair: &mut Pair, active: usize) {
    let other = 1 - active;
    let mark = pair.write(active).unwrap();
    pair.wait_acks(active, mark, 100).unwrap();
    let lines = pair.since(active, mark);
    pair.cut(active);
    let start = Instant::now();
    let acked = pair.book(lines);
    eventually("the survivor sees it", MINUTE * 5, || {
        pair.word(other, "/connections/0/connection") != "Connected"
    })
    .unwrap();
    let seen = start.elapsed();
    println!("{}", pair.sh(other, "esos-drbd promote r0").unwrap().trim());
    let promoted = start.elapsed();
    let checked = nothing_is_lost(pair, other);
    println!(
        "power cut of n{}: {acked} writes acknowledged, seen after {seen:.1?}, promoted after {promoted:.1?}, {checked} slots checked, 0 lost",
        active + 1
    );
    pair.back(active).unwrap();
}

/// The cable goes while the active box writes, and comes back.
fn link_cut(pair: &mut Pair, active: usize) {
    let other = 1 - active;
    let mark = pair.write(active).unwrap();
    pair.wait_acks(active, mark, 30).unwrap();
    pair.on(other).cable(0, false).unwrap();
    let before = pair.since(active, mark).len();
    pair.wait_acks(active, mark, before + 40).unwrap();
    pair.on(other).cable(0, true).unwrap();
    pair.even().unwrap();
    pair.sh(active, "pkill -x acked; sleep 1").unwrap();
    let lines = pair.since(active, mark);
    let acked = pair.book(lines);
    nothing_is_lost(pair, active);
    hand_over(pair, active);
    let checked = nothing_is_lost(pair, other);
    println!(
        "link cut: {acked} writes acknowledged, {} after the cut, {checked} slots checked on both sides, 0 lost",
        acked - before
    );
}

fn hand_over(pair: &Pair, active: usize) {
    pair.sh(active, "esos-drbd demote r0 --yes").unwrap();
    pair.sh(1 - active, "esos-drbd promote r0").unwrap();
}

/// Both sides are written apart from each other; the other side gives up what it wrote.
fn split_brain(pair: &mut Pair, active: usize) {
    let other = 1 - active;
    let mark = pair.write(active).unwrap();
    pair.wait_acks(active, mark, 20).unwrap();
    pair.on(other).cable(0, false).unwrap();
    eventually("the link is seen down", MINUTE * 5, || {
        pair.word(other, "/connections/0/connection") != "Connected"
    })
    .unwrap();
    pair.wait_acks(active, mark, pair.since(active, mark).len() + 20).unwrap();
    pair.sh(
        other,
        "esos-drbd promote r0 && /root/acked write /dev/drbd0 64 900000000 8 && esos-drbd demote r0 --yes",
    )
    .unwrap();
    pair.sh(active, "pkill -x acked; sleep 1").unwrap();
    let lines = pair.since(active, mark);
    pair.book(lines);
    pair.on(other).cable(0, true).unwrap();
    let apart =
        || [active, other].into_iter().any(|n| pair.word(n, "/connections/0/connection") == "StandAlone");
    eventually("the split brain is found", MINUTE * 5, apart).unwrap();
    println!("{}", pair.sh(other, "esos-drbd status").unwrap().trim());

    let (winner, loser) = (format!("n{}", active + 1), format!("n{}", other + 1));
    // Nobody is there to be asked.
    let refused =
        pair.on(other).run(&format!("esos-drbd resolve r0 --discard {loser} --peer {winner}")).unwrap();
    assert_eq!(refused.status, 5, "{refused:?}");
    for (n, peer) in [(other, &winner), (active, &loser)] {
        let said =
            pair.sh(n, &format!("esos-drbd resolve r0 --discard {loser} --peer {peer} --yes")).unwrap();
        println!("{}", said.trim());
        assert!(said.contains(&format!("{loser} loses")), "{said}");
    }
    pair.even().unwrap();
    nothing_is_lost(pair, active);
    hand_over(pair, active);
    println!("split brain: resolved, {} slots checked on both sides, 0 lost", nothing_is_lost(pair, other));
}

/// An acknowledged write that is taken back must be found.
fn a_planted_loss_is_found(pair: &Pair, active: usize) {
    let last = pair.acks.lines().last().unwrap().to_owned();
    let words: Vec<u64> = last.split(' ').skip(1).filter_map(|w| w.parse().ok()).collect();
    let (slot, stamp) = (words[0], words[1]);
    pair.sh(active, &format!("/root/acked put /dev/drbd0 {slot} {}", stamp.saturating_sub(pair::SLOTS)))
        .unwrap();
    let (_, lost) = pair.check(active).unwrap();
    assert_eq!(lost.len(), 1, "{lost:?}");
    assert!(lost[0].starts_with(&format!("slot {slot}: acknowledged {stamp}")), "{lost:?}");
    println!("a planted loss is found: {}", lost[0]);
    pair.sh(active, &format!("/root/acked put /dev/drbd0 {slot} {stamp}")).unwrap();
    nothing_is_lost(pair, active);
}

#[test]
fn a_pair_from_one_toml_loses_nothing() {
    let test = "a_pair_from_one_toml_loses_nothing";
    if !allowed(test, Level::All) {
        return;
    }
    if let (None, Err(why)) = (std::env::var_os("ESOS_DRBD_IMAGE"), image::release("esos-image")) {
        return skip(test, &why);
    }
    let path = pair::built().unwrap();
    let _turn = image::turn();
    let start = Instant::now();
    let mut pair = Pair::new(tempfile::tempdir().unwrap(), &path, Plan::default()).unwrap();
    println!(
        "two boxes after {:.0?}; {}",
        start.elapsed(),
        pair.sh(0, "uname -r; grep ^version /proc/drbd").unwrap().trim()
    );
    pair.make().unwrap();
    println!("a pair that mirrors after {:.0?}", start.elapsed());
    let mut active = 0;
    for _ in 0..LINK_CUTS {
        link_cut(&mut pair, active);
        active = 1 - active;
    }
    split_brain(&mut pair, active);
    active = 1 - active;
    a_planted_loss_is_found(&pair, active);
    for _ in 0..POWER_CUTS {
        power_cut(&mut pair, active);
        active = 1 - active;
    }
    println!("{} writes acknowledged in all, 0 lost, {:.0?}", pair.acks.lines().count(), start.elapsed());
}
