//! Verbs that change something: a plan first, then its steps.
use crate::args::{Change, From, Resolve};
use crate::source;
use esos_cli::{Confirm, Exit, Failure, Ui};
use esos_drbd::{
    Plan, Refused, Resource, Risk, Step, connect, demote, promote, resize, resolve as plan_resolve, verify,
};
use esos_units::Bytes;

#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Promote,
    Demote,
    Connect,
    Verify,
    Resize,
}

fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "here".to_owned(), |n| n.trim().to_owned())
}

fn resource(from: &From, name: &str, ui: &mut Ui) -> Result<Resource, Failure> {
    let report = source::any(from, ui)?;
    let mut list = report.status.resources;
    let at = list.iter().position(|r| r.name.as_deref() == Some(name));
    // A recording by minor number has one resource without a name.
    let at = at.or_else(|| (list.len() == 1 && list.first().is_some_and(|r| r.name.is_none())).then_some(0));
    let Some(at) = at else {
        let known: Vec<String> = list.iter().map(Resource::label).collect();
        let failure = Failure::new(Exit::Failed, format!("there is no resource {name}"));
        return Err(failure.help(format!(
            "known: {}",
            if known.is_empty() { "none".to_owned() } else { known.join(", ") }
        )));
    };
    let mut found = list.swap_remove(at);
    found.name = Some(name.to_owned());
    Ok(found)
}

pub(crate) fn run(kind: Kind, args: &Change, ui: &mut Ui) -> Result<Exit, Failure> {
    let r = resource(&args.from, &args.resource, ui)?;
    let here = host();
    let plan = match kind {
        Kind::Promote => promote(&r, &here),
        Kind::Demote => demote(&r, &here),
        Kind::Connect => connect(&r, &here),
        Kind::Verify => verify(&r, &here),
        Kind::Resize => resize(&r, &here),
    };
    carry_out(plan, args.dry_run || args.from.from.is_some(), &args.resource, &here, ui)
}

pub(crate) fn resolve(args: &Resolve, ui: &mut Ui) -> Result<Exit, Failure> {
    let r = resource(&args.from, &args.resource, ui)?;
    let here = args.here.clone().unwrap_or_else(host);
    let there = match &args.peer_from {
        None => None,
        Some(path) => {
            let from = From { from: Some(path.clone()), kind: None, rc: None, stderr: None };
            Some(resource(&from, &args.resource, ui)?)
        }
    };
    let peer = args
        .peer
        .clone()
        .or_else(|| r.connections.first().and_then(|p| p.name.clone()).filter(|n| n != "peer"));
    let peer = peer
        .or_else(|| (args.discard != here).then(|| args.discard.clone()))
        .unwrap_or_else(|| "the peer".to_owned());
    let plan = plan_resolve(&r, there.as_ref(), &here, &peer, &args.discard);
    carry_out(plan, args.dry_run || args.from.from.is_some(), &args.discard, &here, ui)
}

fn carry_out(
    plan: Result<Plan, Refused>,
    dry: bool,
    typed: &str,
    here: &str,
    ui: &mut Ui,
) -> Result<Exit, Failure> {
    let plan = plan.map_err(|e| Failure::new(Exit::Refused, e.reason))?;
    if !dry && plan.risk() == Risk::Destructive {
        ui.confirm(&Confirm::new(format!("{}{}", plan.goal, lost(&plan))).typed(typed))?;
    }
    let mut elsewhere = 0usize;
    for step in plan.steps.iter().filter(|_| !dry) {
        if step.node != here {
            elsewhere = elsewhere.saturating_add(1);
            ui.say(format!("on {}: {}", step.node, step.command.join(" ")));
            continue;
        }
        one(step, ui)?;
    }
    ui.emit("esos.drbd.plan/1", &plan, |human| {
        for s in &plan.steps {
            human.line(format!("{}: {}  # {}", s.node, s.command.join(" "), s.why));
        }
        if plan.steps.is_empty() {
            human.line("nothing is to be done");
        }
        human.line(format!("{}{}", plan.goal, lost(&plan)));
        if elsewhere > 0 {
            human.line(format!("{elsewhere} steps are to be done on the other node: see above"));
        }
    })?;
    Ok(Exit::Done)
}

fn lost(plan: &Plan) -> String {
    let Some(loss) = &plan.loss else { return String::new() };
    let bytes = loss.bytes.map_or("an unknown number of bytes".to_owned(), |b| Bytes::new(b).human());
    format!("; {} loses {bytes} of its own changes; {}", loss.node, loss.decides)
}

fn one(step: &Step, ui: &mut Ui) -> Result<(), Failure> {
    let args: Vec<&str> = step.command.iter().skip(1).map(String::as_str).collect();
    let out = source::run("/usr/sbin/drbdadm", &args)?;
    if out.status.success() {
        return Ok(());
    }
    let failure = source::said(&out);
    if step.tolerates.contains(&failure.kind) {
        ui.detail(format!("{}: {} (as it should be)", step.command.join(" "), failure.what));
        return Ok(());
    }
    Err(source::failure(&failure).context(step.command.join(" ")))
}
