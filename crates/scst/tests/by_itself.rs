//! What SCST does by itself, and later than one thinks: devices that an ALUA state opens and closes, sizes of
//! devices that are not open, sessions that end after their target was disabled.
#![expect(clippy::unwrap_used, reason = "test helpers")]
mod support;

use esos_scst::{ApplyError, Class, Journal, NoJournal, Options, Policy, Write, apply, plan};
use esos_scst_sim::Sim;
use esos_sysfs::AttrTree;
use support::{ALL, config, live, must, sim};

/// A block device in a group whose state is given, with the target of another box in it or without.
fn group(device: &str, state: &str, target: &str) -> String {
    format!(
        "HANDLER vdisk_blockio {{\n\tDEVICE b1 {{\n\t\tfilename /dev/b1\n{device}\t}}\n}}\n\
         DEVICE_GROUP dg {{\n\tDEVICE b1\n\tTARGET_GROUP remote {{\n\t\tgroup_id 2\n\t\tstate {state}\n{target}\t}}\n}}\n"
    )
}

const REMOTE: &str = "\t\tTARGET iqn.other:t {\n\t\t\trel_tgt_id 2\n\t\t}\n";

fn active(sim: &Sim) -> String {
    sim.read("devices/b1/active").unwrap().lines().next().unwrap_or("").to_owned()
}

#[test]
fn a_state_closes_the_devices_of_its_group_and_the_plan_tells() {
    let sim = sim();
    must(&sim, &group("", "active", ""));
    let planned = plan(&live(&sim), &config(&group("", "standby", "")), &Policy::default());
    let told: Vec<String> = planned.operations.iter().map(|o| format!("{} {:?}", o.path, o.to)).collect();
    assert_eq!(told, ["dgrp/dg/tgrp/remote Some(\"standby\")", "dev/vdisk_blockio/b1 Some(\"0\")"]);
    assert_eq!(planned.class(), Class::Safe);
    let why = "active: 1 -> 0  (SCST closes it with the state of dgrp/dg/tgrp/remote (bind_alua_state))";
    assert!(planned.to_string().contains(why), "{planned}");
    must(&sim, &group("", "standby", ""));
    assert_eq!(active(&sim), "0");
    must(&sim, &group("", "nonoptimized", ""));
    assert_eq!(active(&sim), "1");
}

#[test]
fn the_state_of_another_box_closes_nothing_here() {
    let sim = sim();
    must(&sim, &group("", "active", REMOTE));
    let planned = plan(&live(&sim), &config(&group("", "standby", REMOTE)), &Policy::default());
    assert_eq!(planned.operations.len(), 1, "{planned}");
    must(&sim, &group("", "standby", REMOTE));
    assert_eq!(active(&sim), "1");
}

#[test]
fn what_the_file_says_of_active_holds_whatever_the_state() {
    for (wanted, state) in [("1", "standby"), ("0", "active")] {
        for start in ["active", "offline"] {
            let sim = sim();
            must(&sim, &group("", start, ""));
            let text = group(&format!("\t\tactive {wanted}\n"), state, "");
            must(&sim, &text);
            assert_eq!(active(&sim), wanted, "{start} to {state}");
            assert!(plan(&live(&sim), &config(&text), &Policy::default()).is_empty());
        }
    }
}

#[test]
fn devices_that_a_state_moved_are_put_back() {
    let sim = sim();
    must(&sim, &group("", "standby", REMOTE));
    // Taking everything away puts the state back last, when the target of the other box is not named yet.
    let wanted = config("HANDLER vdisk_blockio {\n\tDEVICE b1 {\n\t\tfilename /dev/b1\n\t}\n}\n");
    let policy = Policy { prune: true, ..Policy::default() };
    let before = live(&sim);
    let planned = plan(&before, &wanted, &policy);
    let steps = planned.steps().count();
    assert!(steps > 3, "{planned}");
    for k in 0..steps {
        let sim = sim.fork();
        sim.fail_write(sim.writes() + k as u64, 5);
        let error = apply(&sim, &before, &planned, &wanted, &policy, ALL, &mut NoJournal).unwrap_err();
        assert!(matches!(error, ApplyError::RolledBack { .. }), "write {k}: {error}");
        assert_eq!(live(&sim).canonical(), before.canonical());
    }
}

#[test]
fn a_device_that_is_not_open_keeps_the_size_it_is_told() {
    let text = group("\t\tactive 0\n\t\tsize 67108864\n", "standby", "");
    let sim = sim();
    must(&sim, &text);
    assert_eq!(sim.read("devices/b1/size").unwrap(), "67108864\n[key]\n");
    // What a box that stands by saves is what it can start from.
    let saved = live(&sim).to_config();
    assert!(plan(&live(&sim), &saved, &Policy::default()).is_empty());
    let device =
        |c: &esos_scst::Config| c.handlers.values().flat_map(|h| h.devices.clone()).collect::<Vec<_>>();
    assert!(device(&saved).iter().any(|(_, d)| d.attributes.get("size").is_some()));
    // It needs nothing behind it, so it waits for nothing.
    let policy = Policy { missing: ["/dev/b1".to_owned()].into(), ..Policy::default() };
    assert!(plan(&live(&support::sim()), &config(&text), &policy).pending.is_empty());
}

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
