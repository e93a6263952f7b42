//! `plan` and `apply`.
use crate::args::{ApplyArgs, PlanArgs};
use crate::files;
use crate::machine::{self, Patience};
use esos_cli::{Confirm, Exit, Failure, OrExit, Ui};
use esos_hostfs::{Files, HostFiles, LockError, lock};
use esos_scst::{ApplyError, Class, Config, Document, Options, Plan, Policy, apply, plan};
use esos_sysfs::AttrTree;
use std::path::Path;
use std::time::Duration;

/// From how many writes on SCST is suspended for them unless told otherwise.
const BULK: usize = 50;
/// Where `apply` keeps what it applied.
pub(crate) const CONF: &str = "/etc/scst.conf";
/// Where it keeps the generations before.
pub(crate) const HISTORY: &str = "/var/lib/esos/scst";
/// How many of them.
const KEPT: usize = 50;

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

fn show(ui: &mut Ui, planned: &Plan) -> Result<(), Failure> {
    ui.emit("esos.scst.plan/1", planned, |human| planned.to_string().lines().for_each(|l| human.line(l)))
}

pub(crate) fn plan_verb(ui: &mut Ui, args: &PlanArgs) -> Result<Exit, Failure> {
    let (_, wanted) = files::wanted(ui, &args.file, args.allow_empty)?;
    let policy = policy(ui, args, &wanted);
    let live = match &args.state {
        Some(state) => machine::live(&machine::simulator(state, &wanted)?)?,
        None => machine::live(&machine::tree(ui.global()))?,
    };
    show(ui, &plan(&live, &wanted, &policy))?;
    Ok(Exit::Done)
}

pub(crate) fn apply_verb(ui: &mut Ui, args: &ApplyArgs) -> Result<Exit, Failure> {
    if args.plan.state.is_none() && !ui.global().is_live() && !args.dry_run {
        return Err(Failure::new(Exit::Usage, "`apply` works on this machine; --root is for looking").help(
            "use `plan --root DIR`, or `apply --state STATE.json --state-out NEW.json` for the simulator",
        ));
    }
    let (document, wanted) = files::wanted(ui, &args.plan.file, args.plan.allow_empty)?;
    match &args.plan.state {
        Some(state) => {
            let sim = machine::simulator(state, &wanted)?;
            let exit = carry_out(ui, args, &sim, &wanted)?;
            if let Some(out) = args.state_out.as_ref().filter(|_| !args.dry_run) {
                let text = serde_json::to_string_pretty(&sim.dump())?;
                std::fs::write(out, text).context(format!("cannot write {}", out.display()))?;
            }
            Ok(exit)
        }
        None => {
            let _lock = if args.dry_run { None } else { Some(hold(args.wait)?) };
            let exit = carry_out(ui, args, &machine::tree(ui.global()), &wanted)?;
            if !args.dry_run && !args.no_persist {
                persist(ui, &document)?;
            }
            Ok(exit)
        }
    }
}

/// The one lock of all managers of SCST on this box.
fn hold(wait: u64) -> Result<esos_hostfs::LockGuard, Failure> {
    let dir = Path::new("/run/esos");
    std::fs::create_dir_all(dir).context("cannot make /run/esos")?;
    lock(&dir.join("scst.lock"), Duration::from_secs(wait)).map_err(|e| {
        let exit = if matches!(e, LockError::Busy { .. }) { Exit::Busy } else { Exit::Failed };
        Failure::from(e).with_exit(exit)
    })
}

fn carry_out(ui: &mut Ui, args: &ApplyArgs, tree: &dyn AttrTree, wanted: &Config) -> Result<Exit, Failure> {
    let policy = policy(ui, &args.plan, wanted);
    let live = machine::live(tree)?;
    let planned = plan(&live, wanted, &policy);
    if args.dry_run {
        show(ui, &planned)?;
        return Ok(Exit::Done);
    }
    let destructive = planned.operations.iter().filter(|o| o.class == Class::Destructive).count();
    if destructive > 0 && args.allow_disruptive {
        planned.to_string().lines().for_each(|l| ui.say(l));
        ui.confirm(&Confirm::new(format!("carry out {destructive} destructive operations")))?;
    }
    let writes = planned.steps().count();
    let bulk = (writes > BULK).then_some(30);
    let options = Options {
        allow_disruptive: args.allow_disruptive,
        allow_destructive: args.allow_disruptive && destructive > 0,
        suspend: args.suspend.or(bulk).filter(|_| !args.no_suspend),
    };
    let mut patience = Patience::new(Duration::from_secs(120));
    let report = apply(tree, &live, &planned, wanted, &policy, options, &mut patience).map_err(failure)?;
    for p in &planned.pending {
        ui.warn(format!("{} is pending: {}", p.path, p.why));
    }
    ui.emit("esos.scst.report/1", &report, |human| {
        let s = |n: usize| if n == 1 { "" } else { "s" };
        human.line(format!(
            "applied {} operation{} in {} write{}, verified; {} pending",
            report.operations,
            s(report.operations),
            report.writes,
            s(report.writes),
            report.pending
        ));
    })?;
    Ok(Exit::Done)
}

fn failure(error: ApplyError) -> Failure {
    let (exit, help) = match &error {
        ApplyError::Refused { class: Class::Blocked, .. } => {
            (Exit::Refused, "see `esos scst plan` for all reasons")
        }
        ApplyError::Refused { .. } => {
            (Exit::Refused, "run again with --allow-disruptive, or leave it out with --only")
        }
        ApplyError::Changed => (Exit::Busy, "run it again"),
        ApplyError::RolledBack { .. } => {
            (Exit::RolledBack, "nothing has changed; mend the cause and run it again")
        }
        ApplyError::RollbackFailed { .. } => (Exit::RollbackFailed, "compare with `esos scst show`"),
        _ => (Exit::Failed, ""),
    };
    let failure = Failure::from(error).with_exit(exit);
    if help.is_empty() { failure } else { failure.help(help) }
}

/// Keeps the applied file as `/etc/scst.conf` and the one before in the history; both hold passwords
/// and have mode 0600. A file that configures nothing never replaces one that does.
pub(crate) fn persist(ui: &mut Ui, document: &Document) -> Result<(), Failure> {
    let files = HostFiles::new("/");
    let old = files.read(CONF).unwrap_or_default();
    if old == document.text().as_bytes() {
        return Ok(());
    }
    let empty = document.config().is_empty();
    let old_text = String::from_utf8_lossy(&old).into_owned();
    if empty && !Document::parse(CONF, old_text).config().is_empty() {
        ui.warn(format!("{CONF} is kept: an empty configuration never replaces one that is not"));
        return Ok(());
    }
    files.make_dir(HISTORY)?;
    let mut kept: Vec<u64> = generations(&files);
    let next = kept.iter().max().map_or(1, |n| n.saturating_add(1));
    if !old.is_empty() {
        files.replace(&format!("{HISTORY}/{next:06}.conf"), &old, 0o600)?;
        kept.push(next);
    }
    kept.sort_unstable();
    for gone in kept.iter().take(kept.len().saturating_sub(KEPT)) {
        files.remove(&format!("{HISTORY}/{gone:06}.conf"))?;
    }
    files
        .replace(CONF, document.text().as_bytes(), 0o600)
        .context(format!("applied, but {CONF} cannot be written"))
}

/// Numbers of the kept generations.
pub(crate) fn generations(files: &HostFiles) -> Vec<u64> {
    let names = files.list(HISTORY).unwrap_or_default();
    names.iter().filter_map(|n| n.strip_suffix(".conf")?.parse().ok()).collect()
}
