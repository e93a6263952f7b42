//! Laws of plan and apply, on the simulator. `PROPTEST_CASES=10000 cargo test --release -p esos-scst --test
//! properties --test killed -- --nocapture` is the slow run.
mod support;

use esos_scst::{ApplyError, Class, Config, Document, NoJournal, Options, Policy, apply, plan};
use esos_scst_sim::Again;
use proptest::prelude::*;
use std::collections::BTreeSet;
use support::generate::{check, logins, possible, start, wanted};
use support::{ALL, config, live, run, stranger};

const PRUNE: bool = true;

fn policy(prune: bool) -> Policy {
    Policy { prune, ..Policy::default() }
}

/// The objects of a configuration; what is there without being asked for is not among them.
fn objects(config: &Config) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for (handler, h) in &config.handlers {
        all.extend(h.devices.keys().map(|d| format!("dev/{handler}/{d}")));
    }
    for (driver, d) in config.drivers.iter().filter(|(d, _)| d.as_str() != "copy_manager") {
        for (name, t) in &d.targets {
            if driver.as_str() != "qla2x00t" {
                all.insert(format!("{driver}/{name}"));
            }
            let luns = |place: &str, luns: &std::collections::BTreeMap<_, esos_scst::LunMap>| {
                luns.iter().map(|(n, m)| format!("{place}/lun/{n:?} {}", m.device)).collect::<Vec<_>>()
            };
            all.extend(luns(&format!("{driver}/{name}"), &t.luns));
            for (group, g) in &t.groups {
                let place = format!("{driver}/{name}/group/{group}");
                all.extend(luns(&place, &g.luns));
                all.extend(g.initiators.iter().map(|i| format!("{place}/ini/{i}")));
                all.insert(place);
            }
        }
    }
    for (group, g) in &config.device_groups {
        all.insert(format!("dgrp/{group}"));
        all.extend(g.devices.iter().map(|d| format!("dgrp/{group}/dev/{d}")));
        for (tg, t) in &g.target_groups {
            all.extend(t.targets.keys().map(|x| format!("dgrp/{group}/tgrp/{tg}/tgt/{x}")));
        }
    }
    all
}

#[test]
fn apply_reaches_what_is_wanted() {
    check("apply reaches what is wanted", 48, &(wanted(), wanted(), logins()), |(a, b, logins), seen| {
        let sim = start(&a, &logins);
        let wanted = config(&b);
        let planned = plan(&live(&sim), &wanted, &policy(PRUNE));
        seen.plan(&planned, &wanted);
        let sessions =
            live(&sim).drivers.values().flat_map(|d| d.targets.values()).any(|t| t.sessions.len() > 1);
        seen.count(if sessions { "with several sessions" } else { "with at most one session" });
        if !possible(&planned) {
            let refused = run(&sim, &wanted, &policy(PRUNE), ALL);
            let blocked = matches!(refused, Err(ApplyError::Refused { class: Class::Blocked, .. }));
            prop_assert!(blocked);
            seen.count("refused as blocked");
            return Ok(());
        }
        if planned.class() > Class::Safe {
            let writes = sim.writes();
            let refused = run(&sim, &wanted, &policy(PRUNE), Options::default());
            let refused = matches!(refused, Err(ApplyError::Refused { .. }));
            prop_assert!(refused);
            prop_assert_eq!(sim.writes(), writes);
            seen.count("refused without consent");
        }
        if let Err(e) = run(&sim, &wanted, &policy(PRUNE), ALL) {
            panic!("{e}: {:?}\n{planned}", std::error::Error::source(&e));
        }
        let again = plan(&live(&sim), &wanted, &policy(PRUNE));
        prop_assert!(again.is_empty() && again.pending.is_empty(), "{}", again);
        prop_assert_eq!(objects(&live(&sim).to_config()), objects(&wanted));
        Ok(())
    });
}

#[test]
fn any_failing_write_is_rolled_back() {
    let errno = prop::sample::select(vec![1, 5, 12, 16, 17, 22, 28]);
    check(
        "any failing write",
        6,
        &(wanted(), wanted(), errno, any::<bool>()),
        |(a, b, errno, again), seen| {
            let base = start(&a, &[]);
            let wanted = config(&b);
            let before = live(&base);
            let planned = plan(&before, &wanted, &policy(PRUNE));
            if !possible(&planned) {
                return Ok(());
            }
            seen.plan(&planned, &wanted);
            let fingerprint = before.canonical();
            for k in 0..planned.steps().count() {
                let sim = base.fork();
                if again {
                    sim.set_again(Again::Always, 1);
                }
                sim.fail_write(sim.writes() + k as u64, errno);
                let error =
                    apply(&sim, &before, &planned, &wanted, &policy(PRUNE), ALL, &mut NoJournal).unwrap_err();
                seen.count(format!(
                    "errno {errno}{}",
                    if again { " in a kernel that answers EAGAIN" } else { "" }
                ));
                prop_assert!(
                    matches!(error, ApplyError::RolledBack { step, .. } if step == k + 1),
                    "{}: {:?}\n{}",
                    error,
                    std::error::Error::source(&error),
                    planned
                );
                prop_assert_eq!(live(&sim).canonical(), fingerprint.clone());
            }
            Ok(())
        },
    );
}

/// Every write of an apply fails once, the ends of the suspension and the way back among them: where the
/// old state is not there again, it is said (9), and SCST runs.
#[test]
fn two_failing_writes_are_said_and_scst_runs() {
    check(
        "two failing writes",
        6,
        &(wanted(), wanted(), any::<prop::sample::Index>()),
        |(a, b, at), seen| {
            let base = start(&a, &[]);
            let wanted = config(&b);
            let before = live(&base);
            let planned = plan(&before, &wanted, &policy(PRUNE));
            if !possible(&planned) || planned.is_empty() {
                return Ok(());
            }
            let writes = planned.steps().count() as u64 + 2;
            let first = at.index(writes as usize) as u64;
            for second in first + 1..first + 1 + writes.min(8) {
                let sim = base.fork();
                sim.fail_write(sim.writes() + first, 12);
                sim.fail_write(sim.writes() + second, 5);
                let options = Options { suspend: Some(5), ..ALL };
                let outcome =
                    apply(&sim, &before, &planned, &wanted, &policy(PRUNE), options, &mut NoJournal);
                prop_assert!(!sim.suspended(), "{:?}\n{:?}", outcome, sim.log());
                match outcome {
                    Ok(_) => {
                        seen.count("done all the same");
                        prop_assert!(plan(&live(&sim), &wanted, &policy(PRUNE)).is_empty());
                    }
                    Err(ApplyError::RolledBack { .. }) => {
                        seen.count("rolled back");
                        prop_assert_eq!(live(&sim).canonical(), before.canonical());
                    }
                    Err(ApplyError::RollbackFailed { left, .. }) => {
                        seen.count("roll-back failed and said so");
                        prop_assert!(!left.is_empty());
                        prop_assert_ne!(live(&sim).canonical(), before.canonical());
                    }
                    Err(other) => panic!("{other}"),
                }
            }
            Ok(())
        },
    );
}

#[test]
fn eagain_is_waited_for_and_never_written_twice() {
    let suspend = prop::option::of(1..30u32);
    check("EAGAIN", 32, &(wanted(), wanted(), suspend), |(a, b, suspend), seen| {
        let sim = start(&a, &[]);
        let wanted = config(&b);
        let before = live(&sim);
        let planned = plan(&before, &wanted, &policy(PRUNE));
        if !possible(&planned) {
            return Ok(());
        }
        seen.plan(&planned, &wanted);
        sim.set_again(Again::Always, 3);
        let writes = sim.writes();
        let options = Options { suspend, ..ALL };
        if let Err(e) = apply(&sim, &before, &planned, &wanted, &policy(PRUNE), options, &mut NoJournal) {
            panic!("{e}: {:?}\n{planned}", std::error::Error::source(&e));
        }
        let extra = if suspend.is_some() && !planned.is_empty() { 2 } else { 0 };
        prop_assert_eq!(sim.writes() - writes, planned.steps().count() as u64 + extra);
        prop_assert!(!sim.suspended());
        Ok(())
    });
}

#[test]
fn without_prune_nothing_unnamed_is_touched() {
    check("without --prune", 32, &(wanted(), wanted(), logins()), |(a, b, logins), seen| {
        let sim = start(&a, &logins);
        let wanted = config(&b);
        let before = live(&sim);
        let planned = plan(&before, &wanted, &Policy::default());
        seen.plan(&planned, &wanted);
        for step in planned.steps() {
            let stranger = stranger(&before, &wanted, &planned, &step.write.file, step.write.expose());
            prop_assert!(stranger.is_none(), "{:?} {}\n{}", stranger, step.write, planned);
        }
        if !possible(&planned) {
            return Ok(());
        }
        // What the kernel was told says the same as the plan.
        let told = sim.log().len();
        let done = apply(&sim, &before, &planned, &wanted, &Policy::default(), ALL, &mut NoJournal);
        seen.count(if done.is_ok() { "applied" } else { "refused by the kernel, rolled back" });
        for (file, value) in sim.log().iter().skip(told) {
            let stranger = stranger(&before, &wanted, &planned, file, value);
            prop_assert!(stranger.is_none(), "{:?} {} <- {}", stranger, file, value);
        }
        Ok(())
    });
}

#[test]
fn what_is_saved_is_what_is_there() {
    check("what is saved", 32, &wanted(), |a, _| {
        let sim = start(&a, &[]);
        let saved = live(&sim).to_config();
        let planned = plan(&live(&sim), &saved, &policy(PRUNE));
        prop_assert!(planned.is_empty(), "{}", planned);
        for text in [saved.to_conf().unwrap(), saved.to_own_conf()] {
            let again = Document::parse("saved", text);
            prop_assert_eq!(again.config(), &saved);
        }
        Ok(())
    });
}
