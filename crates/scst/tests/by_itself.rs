//! What SCST does by itself, and later than one thinks: sessions that end after their target was disabled.
mod support;

use esos_scst::{ApplyError, Class, Journal, Options, Policy, Write, apply, plan};
use esos_scst_sim::Sim;
use support::{ALL, config, live, must, sim};

const TARGET: &str = "HANDLER vdisk_nullio {\n\tDEVICE n1\n}\nTARGET_DRIVER iscsi {\n\tenabled 1\n\tTARGET iqn.t:1 {\n\
    \t\tenabled 1\n\t\tGROUP hosts {\n\t\t\tINITIATOR iqn.i:1\n\t\t\tLUN 0 n1\n\t\t}\n\t}\n}\n";

/// How often the executor waited, and whether SCST was suspended then; it gives up after that many times.
struct Waits<'s> {
    sim: &'s Sim,
    left: u32,
    suspended: bool,
}

impl Journal for Waits<'_> {
    fn before(&mut self, _step: usize, _write: &Write) -> Result<(), String> {
        Ok(())
    }

    fn wait(&mut self) -> bool {
        self.suspended |= self.sim.suspended();
        self.left = self.left.saturating_sub(1);
        self.left > 0
    }
}

fn without_the_target(sim: &Sim, waits: u32) -> (Result<(), ApplyError>, u32, bool) {
    let wanted = config("HANDLER vdisk_nullio {\n\tDEVICE n1\n}\nTARGET_DRIVER iscsi {\n\tenabled 1\n}\n");
    let policy = Policy { prune: true, ..Policy::default() };
    let before = live(sim);
    let planned = plan(&before, &wanted, &policy);
    assert_eq!(planned.class(), Class::Destructive);
    let options = Options { suspend: Some(30), ..ALL };
    let mut journal = Waits { sim, left: waits, suspended: false };
    let done = apply(sim, &before, &planned, &wanted, &policy, options, &mut journal).map(|_| ());
    (done, waits - journal.left, journal.suspended)
}

#[test]
fn sessions_that_end_later_are_waited_for_before_scst_is_suspended() {
    let sim = sim();
    must(&sim, TARGET);
    sim.login("iscsi", "iqn.t:1", "iqn.i:1").unwrap();
    sim.set_linger(5);
    let (done, waited, suspended) = without_the_target(&sim, 100);
    done.unwrap();
    assert!((3..=5).contains(&waited), "waited {waited} times");
    assert!(!suspended, "a session cannot end while SCST is suspended");
    assert!(sim.log().iter().any(|(file, value)| file == "suspend" && value == "30"));
}

#[test]
fn sessions_that_do_not_end_roll_everything_back() {
    let sim = sim();
    must(&sim, TARGET);
    sim.login("iscsi", "iqn.t:1", "iqn.i:1").unwrap();
    sim.set_linger(1000);
    let before = live(&sim).canonical();
    let (done, waited, _) = without_the_target(&sim, 10);
    let error = done.unwrap_err();
    let ApplyError::RolledBack { source, .. } = &error else { panic!("{error}") };
    assert!(source.to_string().contains("EBUSY"), "{source}");
    assert_eq!(waited, 10);
    assert_eq!(live(&sim).canonical(), before);
}

#[test]
fn a_target_that_is_only_disabled_waits_for_nobody() {
    let sim = sim();
    must(&sim, TARGET);
    sim.login("iscsi", "iqn.t:1", "iqn.i:1").unwrap();
    sim.set_linger(1000);
    let text = TARGET.replace("\t\tenabled 1\n", "\t\tenabled 0\n");
    let wanted = config(&text);
    let (before, policy) = (live(&sim), Policy::default());
    let planned = plan(&before, &wanted, &policy);
    let mut journal = Waits { sim: &sim, left: 10, suspended: false };
    apply(&sim, &before, &planned, &wanted, &policy, ALL, &mut journal).unwrap();
    assert_eq!(journal.left, 10);
}
