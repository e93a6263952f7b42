//! A real cluster with real DRBD and SCST, and an initiator that keeps writing while the service changes sides.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking")]
use esos_tests::ha::{self, Ha, SERVICE};
use esos_tests::image::eventually;
use esos_tests::pair::MINUTE;
use esos_tests::{Level, allowed, image, scst, skip};
use std::time::{Duration, Instant};

/// Everything that was acknowledged is there: through the initiator's paths, and below them on the box.
fn nothing_is_lost(ha: &Ha, n: usize) -> usize {
    for (checked, lost) in [ha.pair.check_at(&ha.client, &ha.disk).unwrap(), ha.pair.check(n).unwrap()] {
        assert!(checked > 0 && lost.is_empty(), "of {checked}: {lost:?}");
    }
    ha.pair.check(n).unwrap().0
}

/// What `esos cluster explain` says on a box, once all of these words are in it.
fn explained(ha: &Ha, n: usize, words: &[&str]) {
    let mut last = String::new();
    let said = eventually(&format!("the sentence with {words:?}"), MINUTE * 10, || {
        last = ha.pair.sh(n, &format!("esos-cluster explain {SERVICE}")).unwrap_or_else(|e| e.to_string());
        words.iter().all(|w| last.contains(w))
    });
    assert!(said.is_ok(), "{said:?}: {last}");
    println!("{}", last.trim());
}

/// The operator hands over while the initiator writes.
fn hand_over(ha: &mut Ha, active: usize) -> usize {
    let other = 1 - active;
    let fences = ha.fenced().len();
    let mark = ha.write().unwrap();
    ha.wait_acks(mark, 50).unwrap();
    ha.pair.sh(active, &format!("esos-cluster move {SERVICE} --to n{} --yes", other + 1)).unwrap();
    let before = ha.acks(mark).len();
    ha.wait_acks(mark, before + 50).unwrap();
    assert_eq!(ha.settled().unwrap(), other, "it is not where it was moved to");
    let (acked, longest) = ha.ended(mark).unwrap();
    let checked = nothing_is_lost(ha, other);
    println!(
        "handed over to n{}: {acked} writes acknowledged, the initiator waited at most {:.1} s, {checked} slots checked, 0 lost",
        other + 1,
        Duration::from_millis(longest).as_secs_f64()
    );
    assert_eq!(ha.fenced().len(), fences, "a hand-over fences nobody: {:?}", ha.fenced());
    other
}

/// The active box loses its power while the initiator writes; the other serves without a hand.
fn fail_over(ha: &mut Ha, active: usize) -> usize {
    let other = 1 - active;
    let mark = ha.write().unwrap();
    ha.wait_acks(mark, 50).unwrap();
    let fences = ha.fenced().len();
    ha.pair.cut(active);
    let start = Instant::now();
    let before = ha.acks(mark).len();
    ha.wait_acks(mark, before + 1).unwrap();
    let first = start.elapsed();
    ha.wait_acks(mark, before + 60).unwrap();
    let (acked, longest) = ha.ended(mark).unwrap();
    let checked = nothing_is_lost(ha, other);
    let (gone, here) = (format!("n{}", active + 1), format!("n{}", other + 1));
    println!(
        "power cut of {gone}: {acked} writes acknowledged, {} after it; first one {first:.1?} after the cut by this machine's clock, the initiator waited {:.1} s by its own; {checked} slots checked, 0 lost",
        acked - before,
        Duration::from_millis(longest).as_secs_f64()
    );
    let fenced = ha.fenced().split_off(fences);
    assert!(!fenced.is_empty() && fenced.iter().all(|f| f.ends_with(&format!(" {gone}"))), "{fenced:?}");
    assert_eq!(ha.active(), Some(other));
    // The row of the table of ns_cluster.rs for a power cut.
    let words = [
        &format!("promoted on {here}"),
        &format!("{gone} was fenced by {here} at"),
        "is off",
        &format!("bring {gone} back"),
    ];
    explained(ha, other, &words);
    other
}

/// An acknowledged write that is taken back below the initiator must be found.
fn a_planted_loss_is_found(ha: &Ha, active: usize) {
    let last = ha.pair.acks.lines().last().unwrap().to_owned();
    let words: Vec<u64> = last.split(' ').skip(1).filter_map(|w| w.parse().ok()).collect();
    let (slot, stamp) = (words[0], words[1]);
    let put = |stamp| ha.pair.sh(active, &format!("/root/acked put /dev/drbd0 {slot} {stamp}")).unwrap();
    put(stamp.saturating_sub(esos_tests::pair::SLOTS));
    let (_, lost) = ha.pair.check_at(&ha.client, &ha.disk).unwrap();
    assert_eq!(lost.len(), 1, "{lost:?}");
    println!("a planted loss is found by the initiator: {}", lost[0]);
    put(stamp);
    nothing_is_lost(ha, active);
}

#[test]
fn an_initiator_writes_through_a_failover() {
    let test = "an_initiator_writes_through_a_failover";
    if !allowed(test, Level::All) {
        return;
    }
    let Some(debs) = scst::packages(test).unwrap() else { return };
    if let (None, Err(why)) = (std::env::var_os("ESOS_HA_IMAGE"), image::release("esos-image")) {
        return skip(test, &why);
    }
    let path = ha::built(&debs).unwrap();
    let _turn = image::turn();
    let start = Instant::now();
    let mut ha = Ha::new(&path).unwrap();
    let mut active = ha.settled().unwrap();
    println!("n{} serves and the initiator has both paths after {:.0?}", active + 1, start.elapsed());
    println!("{}", ha.paths(2).unwrap().trim());
    active = fail_over(&mut ha, active);
    a_planted_loss_is_found(&ha, active);
    println!("{}", ha.back(1 - active).unwrap().trim());
    println!("the pair is whole again after {:.0?}", start.elapsed());
    active = hand_over(&mut ha, active);
    active = fail_over(&mut ha, active);
    println!(
        "{} writes acknowledged in all, 0 lost, n{} serves, {:.0?}",
        ha.pair.acks.lines().count(),
        active + 1,
        start.elapsed()
    );
}
