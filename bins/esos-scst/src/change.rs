//! `plan`, `apply`, `rollback`: what changes SCST.
use crate::args::{ApplyArgs, How, PlanArgs, RollbackArgs};
use crate::machine::{self, Patience};
use crate::{files, keep};
use esos_cli::{Confirm, Exit, Failure, OrExit, Ui};
use esos_hostfs::Files;
use esos_scst::store::{CONF, Recovered, Store};
use esos_scst::{
    Class, Config, Document, Live, ObjectPath, Options, Plan, Policy, Report, apply, plan, plan_now,
};
use esos_sysfs::AttrTree;
use std::mem::ManuallyDrop;

/// From how many writes on SCST is suspended for them unless told otherwise.
const BULK: usize = 50;

fn policy(ui: &Ui, args: &PlanArgs, wanted: &Config) -> Policy {
    let missing =
        if args.state.is_some() { Default::default() } else { machine::missing(ui.global(), wanted) };
    Policy {
        prune: args.prune,
        only: args.only.clone(),
        numa_nodes: machine::numa_nodes(ui.global()),
        missing,
    }
}

pub(crate) fn show(ui: &mut Ui, planned: &Plan) -> Result<(), Failure> {
    ui.emit("esos.scst.plan/1", planned, |human| planned.to_string().lines().for_each(|l| human.line(l)))
}

pub(crate) fn plan_verb(ui: &mut Ui, args: &PlanArgs, detailed: bool) -> Result<Exit, Failure> {
    let (_, wanted) = files::wanted(ui, &args.file, args.allow_empty)?;
    let policy = policy(ui, args, &wanted);
    let live = match &args.state {
        Some(state) => machine::live(&machine::simulator(state, &wanted)?)?,
        None => machine::live(&machine::tree(ui.global()))?,
    };
    selected(&live, &wanted, &policy)?;
    let planned = plan(&live, &wanted, &policy);
    show(ui, &planned)?;
    Ok(if detailed && !planned.is_empty() { Exit::Differs } else { Exit::Done })
}

/// That `--only` names something: a slip would look like a box where nothing is to do.
fn selected(live: &Live, wanted: &Config, policy: &Policy) -> Result<(), Failure> {
    let nothing = |only: &&String| {
        only.parse::<ObjectPath>().is_ok_and(|path| wanted.only(&path).is_none() && !live.contains(&path))
    };
    match policy.only.iter().find(nothing) {
        Some(only) => Err(Failure::new(Exit::Usage, format!("neither the file nor SCST has {only}"))
            .help("esos scst show lists what SCST has")),
        None => Ok(()),
    }
}

/// One change of SCST that is to be carried out.
pub(crate) struct Change<'a> {
    pub(crate) wanted: &'a Config,
    pub(crate) policy: &'a Policy,
    /// The file that is in force afterwards; `None` where nothing is kept.
    pub(crate) document: Option<&'a Document>,
    pub(crate) how: &'a How,
}

pub(crate) fn apply_verb(ui: &mut Ui, args: &ApplyArgs) -> Result<Exit, Failure> {
    if args.plan.state.is_none() && !ui.global().is_live() && !args.how.dry_run {
        return Err(Failure::new(Exit::Usage, "`apply` works on this machine; --root is for looking").help(
            "use `plan --root DIR`, or `apply --state STATE.json --state-out NEW.json` for the simulator",
        ));
    }
    // The process ends afterwards: a thousand LUNs are not taken apart piece by piece before.
    let read = ManuallyDrop::new(files::wanted(ui, &args.plan.file, args.plan.allow_empty)?);
    let (document, wanted) = &*read;
    match &args.plan.state {
        Some(state) => {
            let sim = machine::simulator(state, wanted)?;
            let policy = policy(ui, &args.plan, wanted);
            if !policy.only.is_empty() {
                selected(&machine::live(&sim)?, wanted, &policy)?;
            }
            let change = Change { wanted, policy: &policy, document: None, how: &args.how };
            let exit = on_tree(ui, &sim, &change)?;
            if let Some(out) = args.state_out.as_ref().filter(|_| !args.how.dry_run) {
                let text = serde_json::to_string_pretty(&sim.dump())?;
                keep::replace(out, text.as_bytes(), 0o600)
                    .context(format!("cannot write {}", out.display()))?;
            }
            Ok(exit)
        }
        None => {
            let _lock = if args.how.dry_run { None } else { Some(keep::hold(ui, args.how.wait)?) };
            let policy = policy(ui, &args.plan, wanted);
            // A scan of its own, so only where there is something to look up.
            if !policy.only.is_empty() {
                selected(&machine::live(&machine::tree(ui.global()))?, wanted, &policy)?;
            }
            let document = Some(document).filter(|_| !args.how.no_persist);
            on_machine(ui, &Change { wanted, policy: &policy, document, how: &args.how })
        }
    }
}

/// Carries a change out on this machine; the caller holds the lock.
pub(crate) fn on_machine(ui: &mut Ui, change: &Change<'_>) -> Result<Exit, Failure> {
    // What waits for its confirmation is not in the file yet: nothing is applied over it.
    let files = keep::files(ui);
    let waiting =
        if ui.global().is_live() { Store::new(&files).waiting().map_err(keep::failure)? } else { None };
    if let Some(waiting) = waiting.filter(|_| !change.how.dry_run) {
        return Err(keep::failure(esos_scst::store::StoreError::Waiting { number: waiting.number }));
    }
    let tree = machine::tree(ui.global());
    on_tree(ui, &tree, change)
}

/// Shows, asks, applies and reports.
pub(crate) fn on_tree(ui: &mut Ui, tree: &dyn AttrTree, change: &Change<'_>) -> Result<Exit, Failure> {
    // As with the file: they go with the process.
    let live = ManuallyDrop::new(machine::live(tree)?);
    if change.how.dry_run {
        show(ui, &plan(&live, change.wanted, change.policy))?;
        return Ok(Exit::Done);
    }
    let planned = ManuallyDrop::new(plan_now(&live, change.wanted, change.policy));
    let destructive = planned.operations.iter().filter(|o| o.class == Class::Destructive).count();
    let blocked = planned.class() == Class::Blocked;
    if destructive > 0 && change.how.allow_disruptive && !blocked {
        planned.to_string().lines().for_each(|l| ui.say(l));
        ui.confirm(&Confirm::new(format!("carry out {destructive} destructive operations")))?;
    }
    let options = options(&planned, change.how, destructive > 0);
    let report = carry_out(ui, tree, &live, &planned, change, options)?;
    for p in &planned.pending {
        ui.warn(format!("{} is pending: {}", p.path, p.why));
    }
    told(ui, &report, &planned, change)
}

fn options(planned: &Plan, how: &How, destructive: bool) -> Options {
    let bulk = (planned.steps().count() > BULK).then_some(30);
    Options {
        allow_disruptive: how.allow_disruptive,
        allow_destructive: how.allow_disruptive && destructive,
        suspend: how.suspend.or(bulk).filter(|_| !how.no_suspend),
    }
}

fn carry_out(
    ui: &mut Ui,
    tree: &dyn AttrTree,
    live: &Live,
    planned: &Plan,
    change: &Change<'_>,
    options: Options,
) -> Result<Report, Failure> {
    let Change { wanted, policy, document, how } = *change;
    let mut patience = Patience::new(keep::PATIENCE).with_progress(ui, planned.steps().count());
    let Some(document) = document.filter(|_| how.is_kept(ui)) else {
        if how.confirm_within.is_some() {
            ui.warn("--confirm-within means nothing where nothing is kept");
        }
        let done = apply(tree, live, planned, wanted, policy, options, &mut patience);
        return done.map_err(|e| keep::apply_failure(&e));
    };
    let files = keep::files(ui);
    let store = Store::new(&files);
    let by = keep::who();
    let confirm_by = how.confirm_within.map(|t| keep::since_boot().saturating_add(t.as_secs().max(1)));
    let kept = keep::keep(document, &by, confirm_by);
    let done = store.apply(tree, live, planned, wanted, policy, options, Some(&kept), &mut patience);
    let report = done.map_err(keep::failure)?;
    let empty = document.config().is_empty();
    if empty && store.saved().map_err(keep::failure)?.is_some_and(|s| !s.config().is_empty()) {
        ui.warn(format!("{CONF} is kept: an empty configuration never replaces one that is not"));
    }
    if let Some(waiting) = store.waiting().map_err(keep::failure)? {
        keep::watch(waiting.number)?;
    }
    Ok(report)
}

fn told(ui: &mut Ui, report: &Report, planned: &Plan, change: &Change<'_>) -> Result<Exit, Failure> {
    let s = |n: usize| if n == 1 { "" } else { "s" };
    let within = change.how.confirm_within.filter(|_| !planned.is_empty() && change.document.is_some());
    let verbose = ui.global().verbose > 0;
    ui.emit("esos.scst.report/1", report, |human| {
        if verbose {
            planned.to_string().lines().for_each(|l| human.line(l));
        }
        human.line(format!(
            "applied {} operation{} in {} write{}, verified; {} pending",
            report.operations,
            s(report.operations),
            report.writes,
            s(report.writes),
            report.pending
        ));
        if let Some(within) = within {
            human.line(format!("rolling back in {} s unless you run: esos scst confirm", within.as_secs()));
        }
    })?;
    Ok(Exit::Done)
}

pub(crate) fn rollback_verb(ui: &mut Ui, args: &RollbackArgs) -> Result<Exit, Failure> {
    if !ui.global().is_live() && !args.how.dry_run {
        return Err(Failure::new(Exit::Usage, "`rollback` works on this machine; --root is for --dry-run"));
    }
    let _lock = if args.how.dry_run { None } else { Some(keep::hold(ui, args.how.wait)?) };
    let files = keep::files(ui);
    let store = Store::new(&files);
    if let Some(waiting) = store.waiting().map_err(keep::failure)?.filter(|_| args.to.is_none()) {
        if args.how.dry_run {
            ui.warn(format!("@{} waits for its confirmation and would be taken back", waiting.number));
            ui.emit("esos.scst.recovered/1", &Recovered::Nothing, |_| {})?;
            return Ok(Exit::Done);
        }
        let tree = machine::tree(ui.global());
        let done = store.take_back(&tree, &mut Patience::new(keep::PATIENCE)).map_err(keep::failure)?;
        ui.emit("esos.scst.recovered/1", &done, |human| {
            human.line(format!("@{} was taken back", waiting.number));
        })?;
        return Ok(Exit::Done);
    }
    let back = store.rollback(args.to).map_err(keep::failure)?;
    let policy = Policy {
        numa_nodes: machine::numa_nodes(ui.global()),
        missing: machine::missing(ui.global(), &back.wanted),
        ..back.policy
    };
    ui.say(format!("back to @{}", back.number));
    let change =
        Change { wanted: &back.wanted, policy: &policy, document: Some(&back.document), how: &args.how };
    on_machine(ui, &change)
}

/// What an edit of `/etc/scst.conf` starts from: the file, or nothing yet.
pub(crate) fn saved(ui: &Ui) -> Result<Document, Failure> {
    let files = keep::files(ui);
    match files.read(CONF) {
        Ok(_) => {
            let saved = Store::new(&files).saved().map_err(keep::failure)?;
            Ok(saved.unwrap_or_else(|| Document::parse(CONF, "")))
        }
        Err(e) if e.is_not_found() => Ok(Document::parse(CONF, "")),
        Err(e) => Err(e.into()),
    }
}
