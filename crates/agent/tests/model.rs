//! The decision core against a world of two and three boxes with an adversarial cluster engine and random
//! faults: what must never be, whatever happens.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a test"
)]
mod world;

use esos_agent::Flaw;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use world::{Event, Want, World};

fn want() -> impl Strategy<Value = Want> {
    prop_oneof![1 => Just(Want::Start), 1 => Just(Want::Stop), 4 => Just(Want::Promote), 3 => Just(Want::Demote)]
}

fn event() -> impl Strategy<Value = Event> {
    let b = || 0usize..3;
    prop_oneof![
        6 => (b(), want()).prop_map(|(b, w)| Event::Run(b, w)),
        4 => (b(), want()).prop_map(|(b, w)| Event::Begin(b, w)),
        8 => b().prop_map(Event::Tick),
        3 => b().prop_map(Event::Ghost),
        2 => b().prop_map(Event::KillAgent),
        2 => b().prop_map(Event::GiveUp),
        1 => b().prop_map(Event::PowerCut),
        2 => b().prop_map(Event::Boot),
        2 => (b(), b()).prop_map(|(a, b)| Event::Cut(a, b)),
        1 => (b(), b()).prop_map(|(a, b)| Event::Heal(a, b)),
        2 => (b(), b(), any::<bool>()).prop_map(|(a, b, w)| Event::Fence(a, b, w)),
        6 => b().prop_map(Event::DrbdPromote),
        4 => b().prop_map(Event::DrbdDemote),
        1 => b().prop_map(Event::Resync),
        1 => b().prop_map(Event::DiskFails),
        3 => b().prop_map(Event::Io),
        2 => b().prop_map(Event::IoEnds),
        1 => b().prop_map(Event::Reload),
        3 => b().prop_map(Event::Monitor),
        2 => (b(), b(), any::<bool>()).prop_map(|(a, b, w)| Event::Told(a, b, w)),
    ]
}

type History = (usize, bool, Vec<Event>);

fn histories() -> impl Strategy<Value = History> {
    (2usize..=3, any::<bool>(), prop::collection::vec(event(), 1..60))
}

fn play(history: &History, flaw: Option<Flaw>) -> Result<(), String> {
    let (n, fences, events) = history;
    let mut world = World::new(*n, *fences, flaw);
    events.iter().try_for_each(|e| world.apply(e))
}

fn search(cases: u32, flaw: Option<Flaw>) -> Option<(History, String)> {
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 6_000, ..Config::default() };
    let seed = [7u8; 32];
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let test = |h: History| play(&h, flaw).map_err(TestCaseError::fail);
    match runner.run(&histories(), test) {
        Ok(()) => None,
        Err(TestError::Fail(reason, history)) => Some((history, reason.message().to_owned())),
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
}

fn cases() -> u32 {
    if std::env::var("ESOS_VM").is_ok_and(|v| v == "all") { 100_000 } else { 1_000 }
}

#[test]
fn nothing_that_must_never_be_happens() {
    let found = search(cases(), None);
    assert!(found.is_none(), "{found:#?}");
    println!("{} histories", cases());
}

#[test]
fn every_known_defect_is_found() {
    for flaw in Flaw::ALL {
        let found = search(20_000, Some(flaw));
        let Some(((n, _, events), why)) = found else { panic!("{flaw:?} is not found") };
        println!("{flaw:?}: {} events on {n} boxes: {why}", events.len());
        assert!(events.len() <= 12, "{flaw:?}: {events:?}");
    }
}

/// Promotion works at all: the invariants are not kept by doing nothing.
#[test]
fn a_handover_and_a_failover_go_through() {
    for n in 2..=3 {
        let mut w = World::new(n, true, None);
        let mut all =
            vec![Event::DrbdPromote(0), Event::Run(0, Want::Promote), Event::Io(0), Event::IoEnds(0)];
        all.extend([
            Event::Run(0, Want::Demote),
            Event::DrbdDemote(0),
            Event::DrbdPromote(1),
            Event::Run(1, Want::Promote),
        ]);
        all.iter().for_each(|e| w.apply(e).unwrap());
        assert!(w.boxes[1].open && w.boxes[1].local == "active" && w.boxes[1].enabled && !w.boxes[0].open);
        for e in [Event::PowerCut(1), Event::Run(0, Want::Promote)] {
            w.apply(&e).unwrap();
        }
        assert!(!w.boxes[0].open, "nobody promotes before the fence");
        let rest = [
            Event::Fence(0, 1, true),
            Event::DrbdPromote(0),
            Event::Run(0, Want::Promote),
            Event::Monitor(0),
        ];
        rest.iter().for_each(|e| w.apply(e).unwrap());
        assert!(w.boxes[0].open && w.boxes[0].local == "active");
    }
}

/// Killed at every step of promote and demote, the next monitor tells the truth and the next action
/// arrives.
#[test]
fn killed_anywhere_the_next_action_arrives() {
    for n in 2..=3 {
        for cut in 0..20 {
            for (first, second) in [
                (Want::Promote, Want::Promote),
                (Want::Promote, Want::Demote),
                (Want::Demote, Want::Demote),
                (Want::Demote, Want::Promote),
                (Want::Promote, Want::Stop),
            ] {
                let mut w = World::new(n, true, None);
                w.apply(&Event::DrbdPromote(0)).unwrap();
                if first == Want::Demote {
                    w.apply(&Event::Run(0, Want::Promote)).unwrap();
                }
                w.apply(&Event::Begin(0, first)).unwrap();
                (0..cut).for_each(|_| w.apply(&Event::Tick(0)).unwrap());
                for e in [Event::KillAgent(0), Event::Monitor(0), Event::Run(0, second), Event::Monitor(0)] {
                    w.apply(&e).unwrap();
                }
                let m = &w.boxes[0];
                assert_eq!(
                    (m.open, m.blocks),
                    (second == Want::Promote, 0),
                    "{first:?} cut at {cut}, then {second:?}"
                );
            }
        }
    }
}
