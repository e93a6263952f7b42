//! From a call of Pacemaker to an answer.
use crate::decide::Goal;
use crate::host::Host;
use crate::params::{BadParams, Params, is_true};
use crate::run::{Outcome, run};
use esos_cluster::{Action, OcfExit, OcfRequest};
use esos_exec::{Cmd, Runner};
use esos_hostfs::{Clock, Files, HostFiles, LockGuard, lock};
use esos_sysfs::AttrTree;
use std::path::Path;
use std::time::Duration;

/// Which agent is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Agent {
    /// `ocf:esos:scst`.
    Scst,
    /// `ocf:esos:scst-alua` (`alua` is the original's name).
    ScstAlua,
}

impl Agent {
    /// The agent of a program's name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "scst" => Some(Self::Scst),
            "scst-alua" | "alua" => Some(Self::ScstAlua),
            _ => None,
        }
    }
}

/// What an agent works with.
#[derive(Debug)]
pub struct Doors<'a, T, R, C> {
    /// `/sys/kernel/scst_tgt`.
    pub tree: &'a T,
    /// Runs programs.
    pub runner: &'a R,
    /// The time.
    pub clock: &'a C,
    /// Where lock files lie: `/run`.
    pub run_dir: &'a Path,
    /// This node's name in the cluster.
    pub node: &'a str,
}

fn outcome(exit: OcfExit) -> Outcome {
    Outcome { exit, reason: None }
}

fn because(exit: OcfExit, reason: impl Into<String>) -> Outcome {
    Outcome { exit, reason: Some(reason.into()) }
}

/// Carries out one call. Returns the answer and the lines for the log.
pub fn call<T: AttrTree, R: Runner, C: Clock>(
    agent: Agent,
    action: Action,
    request: &OcfRequest,
    doors: &Doors<'_, T, R, C>,
) -> (Outcome, Vec<String>) {
    let with_alua = agent == Agent::ScstAlua || request.param("alua").is_some_and(is_true);
    let params = match with_alua.then(|| Params::read(request, doors.node)).transpose() {
        Ok(params) => params,
        // What is running must come down whatever its parameters are; a probe finds nothing of ours.
        Err(_) if action == Action::Stop => return (outcome(OcfExit::Success), Vec::new()),
        Err(_) if action == Action::Monitor && request.is_probe() => {
            return (outcome(OcfExit::NotRunning), Vec::new());
        }
        Err(BadParams { reason, exit }) => return (because(exit, reason), Vec::new()),
    };
    let loaded = doors.tree.read("version").is_ok();
    // Pacemaker's own limit, less what an orderly end takes.
    let given = request.timeout_ms().unwrap_or(20_000);
    let limit = Duration::from_millis(given.saturating_mul(8) / 10);
    match (agent, action) {
        (_, Action::ValidateAll) => (outcome(OcfExit::Success), Vec::new()),
        (_, Action::Reload | Action::ReloadAgent) => (outcome(OcfExit::Success), Vec::new()),
        (Agent::Scst, Action::Start) => {
            if !loaded {
                let started = service(doors, "start", limit);
                if started.exit != OcfExit::Success {
                    return (started, Vec::new());
                }
                if doors.tree.read("version").is_err() {
                    return (
                        because(OcfExit::Installed, "the service scst was started, and SCST is not loaded"),
                        Vec::new(),
                    );
                }
            }
            alua(action, params.as_ref(), request, doors, limit)
        }
        (Agent::Scst, Action::Stop) => {
            let (first, log) = alua(action, params.as_ref(), request, doors, limit);
            if first.exit != OcfExit::Success || doors.tree.read("version").is_err() {
                return (first, log);
            }
            let stopped = service(doors, "stop", limit);
            let gone = doors.tree.read("version").is_err();
            (
                if gone {
                    outcome(OcfExit::Success)
                } else if stopped.exit == OcfExit::Success {
                    because(OcfExit::Generic, "the service scst was stopped, and SCST is still loaded")
                } else {
                    stopped
                },
                log,
            )
        }
        (Agent::Scst, Action::Monitor) if !loaded => (outcome(OcfExit::NotRunning), Vec::new()),
        _ => alua(action, params.as_ref(), request, doors, limit),
    }
}

fn service<T, R: Runner, C>(doors: &Doors<'_, T, R, C>, verb: &str, limit: Duration) -> Outcome {
    match doors.runner.run(&Cmd::new("/usr/sbin/service").arg("scst").arg(verb).limit(limit)) {
        Ok(out) if out.status.success() => outcome(OcfExit::Success),
        Ok(out) if verb == "start" => because(
            OcfExit::Installed,
            format!("the service scst does not start: {}", out.error_text().trim()),
        ),
        Ok(out) => because(OcfExit::Generic, format!("service scst {verb}: {}", out.error_text().trim())),
        Err(e) if verb == "start" => because(OcfExit::Installed, e.to_string()),
        Err(e) => because(OcfExit::Generic, e.to_string()),
    }
}

fn alua<T: AttrTree, R: Runner, C: Clock>(
    action: Action,
    params: Option<&Params>,
    request: &OcfRequest,
    doors: &Doors<'_, T, R, C>,
    limit: Duration,
) -> (Outcome, Vec<String>) {
    let Some(params) = params else {
        // Without ALUA: loaded is running, and there is nothing to promote.
        return match action {
            Action::Start | Action::Stop | Action::Monitor | Action::Notify => {
                (outcome(OcfExit::Success), Vec::new())
            }
            _ => (because(OcfExit::Unimplemented, format!("{action} needs `alua=true`")), Vec::new()),
        };
    };
    let goals = match action {
        Action::Start => vec![Goal::Start],
        Action::Stop => vec![Goal::Stop],
        Action::Promote => vec![Goal::Promote],
        Action::Demote => vec![Goal::Demote],
        Action::Monitor => vec![Goal::Monitor],
        Action::Notify => notified(request, params),
        other => return (because(OcfExit::Unimplemented, other.to_string()), Vec::new()),
    };
    let mut host = Host::new(doors.tree, doors.runner, doors.clock, params, limit);
    let _held: Option<LockGuard>;
    if action == Action::Monitor {
        _held = None;
    } else {
        let file = doors.run_dir.join(format!("esos-agent-{}.lock", params.device_group));
        match lock(&file, limit / 2) {
            Ok(guard) => _held = Some(guard),
            Err(e) => {
                return (
                    because(
                        OcfExit::Generic,
                        format!("another action of this resource still runs on this box: {e}"),
                    ),
                    Vec::new(),
                );
            }
        }
    }
    let mut last = outcome(OcfExit::Success);
    for goal in &goals {
        last = run(goal, params, &mut host);
        if last.exit != OcfExit::Success {
            break;
        }
        started(goal, params, doors, request, &mut last);
        if let Some(score) = score(goal) {
            let said = promotion_score(request, doors, score);
            host.log.extend(said);
        }
    }
    (last, host.log)
}

/// Ports that stand by with nothing open are the same whether a start left them so or the box's own file
/// has them so when it boots. To a probe they run only after a start of this boot: Pacemaker would
/// never call start else, and this box would never get a score. Nothing that serves rests on the mark, and a
/// mark that is lost costs one more start, which changes nothing.
fn started<T, R, C>(
    goal: &Goal,
    params: &Params,
    doors: &Doors<'_, T, R, C>,
    request: &OcfRequest,
    last: &mut Outcome,
) {
    let files = HostFiles::new(doors.run_dir);
    let mark = format!("/esos-agent-{}.started", params.device_group);
    match goal {
        Goal::Start => drop(files.replace(&mark, b"", 0o600)),
        Goal::Stop => drop(files.remove(&mark)),
        Goal::Monitor if request.is_probe() && files.stat(&mark).is_err() => {
            *last = outcome(OcfExit::NotRunning);
        }
        _ => {}
    }
}

/// How well this box would serve, after that.
fn score(goal: &Goal) -> Option<Option<u32>> {
    match goal {
        Goal::Start | Goal::Demote => Some(Some(10)),
        Goal::Promote => Some(Some(100)),
        Goal::Stop => Some(None),
        Goal::Monitor | Goal::Remote { .. } => None,
    }
}

/// Tells Pacemaker; a failure is told in the log and fails no action.
fn promotion_score<T, R: Runner, C>(
    request: &OcfRequest,
    doors: &Doors<'_, T, R, C>,
    score: Option<u32>,
) -> Option<String> {
    let instance = request.instance.as_deref()?.split(':').next()?.to_owned();
    let cmd =
        Cmd::new("/usr/sbin/crm_attribute").arg(format!("--promotion={instance}")).arg("--lifetime=reboot");
    let cmd = match score {
        Some(n) => cmd.arg(format!("--update={n}")),
        None => cmd.arg("--delete"),
    };
    match doors.runner.run(&cmd.limit(Duration::from_secs(10))) {
        Ok(out) if out.status.success() => None,
        Ok(out) => Some(format!("crm_attribute: {}", out.error_text().trim())),
        Err(e) => Some(e.to_string()),
    }
}

/// What a notification tells about the other boxes.
fn notified(request: &OcfRequest, params: &Params) -> Vec<Goal> {
    let Some((when, what)) = request.notification() else { return Vec::new() };
    let (list, state) = match (when.as_str(), what.as_str()) {
        ("pre", "promote") if params.use_trans_state => ("notify_promote_uname", "transitioning"),
        ("pre", "demote") if params.use_trans_state => ("notify_demote_uname", "transitioning"),
        ("post", "promote") => ("notify_promote_uname", params.active_state.as_str()),
        ("post", "demote") => ("notify_demote_uname", params.passive_state.as_str()),
        ("post", "start") => ("notify_start_uname", params.passive_state.as_str()),
        ("post", "stop") => ("notify_stop_uname", params.stopped_state.as_str()),
        _ => return Vec::new(),
    };
    let nodes = request.nodes(list).into_iter().filter(|n| *n != params.node);
    nodes.map(|node| Goal::Remote { node, state: state.to_owned() }).collect()
}
