//! What `apply` asks of its journal: every step once, in order, before it is written; a journal that
//! fails stops it before the write.
#![expect(clippy::unwrap_used, reason = "test helpers")]
use esos_scst::{ApplyError, Document, Journal, Options, Policy, StepError, Write, apply, observe, plan};
use esos_scst_sim::{Again, Environment, Sim};
use mockall::predicate::{always, eq};
use mockall::{Sequence, mock};

mock! {
    Log {}
    impl Journal for Log {
        fn before(&mut self, step: usize, write: &Write) -> Result<(), String>;
        fn wait(&mut self) -> bool;
    }
}

const FILE: &str =
    "HANDLER vdisk_nullio {\n\tDEVICE a\n\tDEVICE b\n\tDEVICE c\n}\nTARGET_DRIVER iscsi {\n}\n";

/// A new machine, and the three steps that the file takes on it.
fn machine() -> (Sim, esos_scst::Config, esos_scst::Plan) {
    let sim = Sim::new(Environment::default());
    let wanted = Document::parse("f", FILE).to_config().unwrap();
    let planned = plan(&observe(&sim).unwrap(), &wanted, &Policy::default());
    assert_eq!(planned.steps().count(), 3);
    (sim, wanted, planned)
}

#[test]
fn every_step_is_announced_once_and_in_order() {
    let (sim, wanted, planned) = machine();
    let mut log = MockLog::new();
    let mut order = Sequence::new();
    for (n, step) in planned.steps().enumerate() {
        let write = step.write.clone();
        let same = move |w: &Write| *w == write;
        log.expect_before()
            .with(eq(n), mockall::predicate::function(same))
            .times(1)
            .in_sequence(&mut order)
            .returning(|_, _| Ok(()));
    }
    log.expect_wait().never();
    apply(&sim, &observe(&sim).unwrap(), &planned, &wanted, &Policy::default(), Options::default(), &mut log)
        .unwrap();
    assert_eq!(sim.writes(), 3);
}

#[test]
fn a_journal_that_cannot_be_kept_stops_before_the_write() {
    let (sim, wanted, planned) = machine();
    let before = observe(&sim).unwrap().fingerprint();
    let mut log = MockLog::new();
    log.expect_before().with(eq(0), always()).times(1).returning(|_, _| Ok(()));
    log.expect_before().with(eq(1), always()).times(1).returning(|_, _| Err("no space".to_owned()));
    let error = apply(
        &sim,
        &observe(&sim).unwrap(),
        &planned,
        &wanted,
        &Policy::default(),
        Options::default(),
        &mut log,
    )
    .unwrap_err();
    let journal = |e: &ApplyError| matches!(e, ApplyError::RolledBack { step: 2, source, .. } if matches!(**source, StepError::Journal(_)));
    assert!(journal(&error), "{error}");
    // One step, and its way back.
    assert_eq!(sim.writes(), 2);
    assert_eq!(observe(&sim).unwrap().fingerprint(), before);
}

#[test]
fn a_result_that_never_comes_is_no_success() {
    let (sim, wanted, planned) = machine();
    sim.set_again(Again::At(0), u32::MAX);
    let mut log = MockLog::new();
    log.expect_before().times(1).returning(|_, _| Ok(()));
    let mut waits = 0;
    log.expect_wait().returning(move || {
        waits += 1;
        waits < 5
    });
    let error = apply(
        &sim,
        &observe(&sim).unwrap(),
        &planned,
        &wanted,
        &Policy::default(),
        Options::default(),
        &mut log,
    )
    .unwrap_err();
    let no_result = |e: &ApplyError| match e {
        ApplyError::RolledBack { source, .. } | ApplyError::RollbackFailed { source, .. } => {
            matches!(**source, StepError::NoResult)
        }
        _ => false,
    };
    assert!(no_result(&error), "{error}");
}
