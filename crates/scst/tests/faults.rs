//! Faults planted on purpose, one where each would be made: every one is noticed by the law that it breaks.
mod support;

use esos_scst::{Action, ApplyError, Class, NoJournal, Operation, Options, Policy, Step, Write, apply, plan};
use esos_scst_sim::{Again, Sim};
use esos_sysfs::{AttrError, AttrTree, Entry};
use support::{ALL, FULL, config, live, must, sim, stranger};

/// An executor's hand that errs: it never resumes, writes a second time what was
/// answered by `EAGAIN`, or writes where it has no business.
struct Errs<'s> {
    sim: &'s Sim,
    forgets: bool,
    doubles: bool,
    /// Writes to an object that is none of its business, beside the first device.
    strays: bool,
}

impl<'s> Errs<'s> {
    fn of(sim: &'s Sim) -> Self {
        Self { sim, forgets: false, doubles: false, strays: false }
    }
}

impl AttrTree for Errs<'_> {
    fn read(&self, path: &str) -> Result<String, AttrError> {
        self.sim.read(path)
    }
    fn write(&self, path: &str, value: &str) -> Result<(), AttrError> {
        if self.forgets && path == "suspend" && value == "-1" {
            return Ok(());
        }
        let answer = self.sim.write(path, value);
        if self.strays && value.starts_with("add_device disk1 ") {
            self.sim.write("devices/other/prod_id", "stray")?;
        }
        if self.doubles && answer.as_ref().is_err_and(AttrError::is_again) {
            return self.sim.write(path, value);
        }
        answer
    }
    fn list(&self, path: &str) -> Result<Vec<Entry>, AttrError> {
        self.sim.list(path)
    }
    fn read_link(&self, path: &str) -> Result<String, AttrError> {
        self.sim.read_link(path)
    }
    fn mode(&self, path: &str) -> Result<Option<u32>, AttrError> {
        self.sim.mode(path)
    }
}

fn run(
    tree: &dyn AttrTree,
    sim: &Sim,
    options: Options,
    spoil: impl FnOnce(&mut esos_scst::Plan),
) -> Result<(), ApplyError> {
    let wanted = config(FULL);
    let now = live(sim);
    let mut planned = plan(&now, &wanted, &Policy::default());
    spoil(&mut planned);
    apply(tree, &now, &planned, &wanted, &Policy::default(), options, &mut NoJournal).map(|_| ())
}

#[test]
fn without_a_fault_all_is_well() {
    let sim = sim();
    run(&sim, &sim, ALL, |_| {}).unwrap();
}

#[test]
fn a_wrong_order_is_noticed() {
    let sim = sim();
    let before = live(&sim).canonical();
    let error = run(&sim, &sim, ALL, |planned| planned.operations.reverse()).unwrap_err();
    assert!(matches!(error, ApplyError::RolledBack { .. }), "{error}");
    assert_eq!(live(&sim).canonical(), before);
}

#[test]
fn a_missed_undo_is_noticed() {
    let sim = sim();
    sim.fail_write(sim.writes() + 12, 12);
    let error = run(&sim, &sim, ALL, |planned| {
        let device = planned.operations.iter_mut().find(|o| o.action == Action::Add).unwrap();
        device.steps.iter_mut().for_each(|s| s.undo.clear());
    })
    .unwrap_err();
    match error {
        ApplyError::RollbackFailed { left, .. } => {
            assert!(left.iter().any(|l| l.contains("device")), "{left:?}");
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_forgotten_end_of_a_suspension_is_noticed() {
    let sim = sim();
    let tree = Errs { forgets: true, ..Errs::of(&sim) };
    let error = run(&tree, &sim, Options { suspend: Some(5), ..ALL }, |_| {}).unwrap_err();
    let said = format!("{error} {error:?}");
    assert!(sim.suspended() && said.contains("suspend"), "{said}");
}

#[test]
fn a_write_to_an_object_that_nobody_named_is_noticed() {
    let sim = sim();
    must(&sim, "HANDLER vdisk_nullio {\n\tDEVICE other\n}\nTARGET_DRIVER iscsi {\n}\n");
    let wanted = config(FULL);
    let before = live(&sim);
    let planned = plan(&before, &wanted, &Policy::default());
    let strangers = |sim: &Sim, from: usize| {
        let log = sim.log();
        let told = log.iter().skip(from);
        told.filter_map(|(file, value)| stranger(&before, &wanted, &planned, file, value)).collect::<Vec<_>>()
    };
    let from = sim.log().len();
    // By a hand that does more than it was told: the kernel takes it, and the law sees it.
    let erring = sim.fork();
    run(&Errs { strays: true, ..Errs::of(&erring) }, &erring, ALL, |_| {}).unwrap();
    assert_eq!(strangers(&erring, from), ["device other"]);
    // By a planner that plans it.
    let planning = sim.fork();
    let undo = vec![Write::new("devices/other/prod_id", "x")];
    let touch = Operation {
        path: "dev/vdisk_nullio/other".to_owned(),
        action: Action::Change,
        attribute: Some("prod_id".to_owned()),
        from: None,
        to: None,
        class: Class::Safe,
        why: None,
        steps: vec![Step { write: Write::new("devices/other/prod_id", "y"), undo }],
    };
    run(&planning, &planning, ALL, |planned| planned.operations.push(touch)).unwrap();
    assert_eq!(strangers(&planning, from), ["device other"]);
    run(&sim, &sim, ALL, |_| {}).unwrap();
    assert!(strangers(&sim, from).is_empty());
}

#[test]
fn a_second_write_after_eagain_is_noticed() {
    let sim = sim();
    sim.set_again(Again::Always, 1);
    let tree = Errs { doubles: true, ..Errs::of(&sim) };
    let outcome = run(&tree, &sim, ALL, |_| {});
    let steps = sim.log().len();
    let wanted = plan(&live(&support::sim()), &config(FULL), &Policy::default()).steps().count();
    assert!(outcome.is_err() || steps > wanted, "{steps} writes for {wanted} steps");
}
