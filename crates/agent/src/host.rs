//! This machine: SCST's tree, DRBD, the cluster, a lock and a clock behind one [`Machine`].
use crate::decide::{Goal, Step};
use crate::facts::{Drbd, Facts};
use crate::observe::{StepError, observe, perform};
use crate::params::Params;
use crate::run::Machine;
use esos_exec::{Cmd, Runner};
use esos_hostfs::{Clock, Deadline};
use esos_sysfs::AttrTree;
use std::time::Duration;

/// How long between two looks while waiting.
const PAUSE: Duration = Duration::from_millis(50);
/// How old an answer of DRBD and Pacemaker may be: some steps follow each other within milliseconds.
const FRESH: Duration = Duration::from_millis(400);

/// What nobody but the rest of the machine knows.
#[derive(Debug, Clone, Default)]
struct Around {
    drbd: Vec<esos_drbd::Resource>,
    unclean: Vec<String>,
    quorum: Option<bool>,
}

/// A box with its doors.
#[derive(Debug)]
pub struct Host<'a, T, R, C> {
    /// `/sys/kernel/scst_tgt`.
    pub tree: &'a T,
    /// Runs `drbdsetup` and `crm_mon`.
    pub runner: &'a R,
    /// The time.
    pub clock: &'a C,
    /// The action's parameters.
    pub params: &'a Params,
    /// When the action must have ended.
    pub deadline: Deadline,
    /// Whether another action holds the lock.
    pub locked: bool,
    /// What was done, for the log.
    pub log: Vec<String>,
    /// When it was asked, and whether Pacemaker was.
    around: Option<(Duration, bool, Around)>,
}

impl<'a, T: AttrTree, R: Runner, C: Clock> Host<'a, T, R, C> {
    /// A box; the action must end by itself before the cluster ends it.
    pub fn new(tree: &'a T, runner: &'a R, clock: &'a C, params: &'a Params, limit: Duration) -> Self {
        let deadline = Deadline::after(clock, limit);
        Self { tree, runner, clock, params, deadline, locked: false, log: Vec::new(), around: None }
    }

    /// DRBD's state; with `cluster`, Pacemaker's too.
    fn ask(&mut self, cluster: bool) -> Around {
        let now = self.clock.monotonic();
        if let Some((then, whole, around)) = &self.around
            && (*whole || !cluster)
            && now.saturating_sub(*then) < FRESH
        {
            return around.clone();
        }
        let left = self.deadline.left(self.clock).max(Duration::from_secs(1));
        let run = |program: &str, args: &[&str]| {
            let cmd = args.iter().fold(Cmd::new(program).limit(left), |c, a| c.arg(*a));
            self.runner.run(&cmd).ok().map(|o| o.text().into_owned())
        };
        let mut around = Around::default();
        for name in &self.params.drbd {
            let told = run("/usr/sbin/drbdsetup", &["events2", "--now", "--statistics", name]);
            let report =
                told.and_then(|t| esos_drbd::read(Some(esos_drbd::Kind::Events2), "drbdsetup", &t).ok());
            let all = report.into_iter().flat_map(|r| r.status.resources);
            around.drbd.extend(all.filter(|r| r.name.as_ref() == Some(name)));
        }
        let state = cluster.then(|| run("/usr/sbin/crm_mon", &["--one-shot", "--output-as=xml"])).flatten();
        if let Some(seen) = state.and_then(|text| esos_cluster::monitor("crm_mon", &text).ok()) {
            around.quorum = seen.cluster.quorum;
            let lost = seen.cluster.nodes.iter().filter(|n| n.unclean && n.name != self.params.node);
            around.unclean = lost.map(|n| n.name.clone()).collect();
        }
        self.around = Some((self.clock.monotonic(), cluster, around.clone()));
        around
    }
}

/// What a decision rests on.
fn summary(r: &esos_drbd::Resource) -> Drbd {
    let lost = |p: &esos_drbd::Peer| {
        p.connection == esos_drbd::Connection::StandAlone || p.peer_role == esos_drbd::Role::Primary
    };
    Drbd {
        diverged: r.connections.iter().any(lost),
        name: r.name.clone().unwrap_or_default(),
        primary: r.role == esos_drbd::Role::Primary,
        up_to_date: !r.devices.is_empty()
            && r.devices.iter().all(|d| d.disk.is_up_to_date() && d.quorum != Some(false)),
    }
}

/// The size of the volume that a device's file is: `/dev/drbd0`, `/dev/drbd/by-res/r0/0`.
fn backing(file: &str, resources: &[esos_drbd::Resource]) -> Option<u64> {
    let volumes = resources.iter().flat_map(|r| r.devices.iter().map(move |d| (r, d)));
    let names = |(r, d): &(&esos_drbd::Resource, &esos_drbd::Device)| {
        let minor = d.minor.map(|m| format!("/dev/drbd{m}"));
        let by_name = r.name.as_ref().map(|n| format!("/dev/drbd/by-res/{n}/{}", d.volume));
        [minor, by_name].iter().flatten().any(|n| n == file)
    };
    volumes.into_iter().find(names)?.1.size_bytes
}

impl<T: AttrTree, R: Runner, C: Clock> Machine for Host<'_, T, R, C> {
    fn observe(&mut self, goal: &Goal) -> Facts {
        let mut facts = observe(self.tree, self.params);
        facts.locked = self.locked;
        // Only a promotion must know of others; a start wants sizes.
        if matches!(goal, Goal::Promote | Goal::Start) {
            let around = self.ask(*goal == Goal::Promote);
            for d in facts.group.iter_mut().flat_map(|g| &mut g.devices) {
                d.backing = d.file.as_ref().and_then(|f| backing(f, &around.drbd));
            }
            facts.drbd = around.drbd.iter().map(summary).collect();
            (facts.unclean, facts.quorum) = (around.unclean, around.quorum);
        }
        facts
    }

    fn perform(&mut self, step: &Step) -> Result<(), StepError> {
        let (clock, deadline) = (self.clock, self.deadline);
        let mut pause = || {
            clock.sleep(Duration::from_millis(5));
            !deadline.passed(clock)
        };
        perform(self.tree, self.params, step, &mut pause)
    }

    fn pause(&mut self) -> bool {
        self.around = None;
        self.clock.sleep(PAUSE);
        !self.deadline.passed(self.clock)
    }

    fn log(&mut self, line: &str) {
        // What is tried again is told once.
        if self.log.last().is_none_or(|last| last != line) {
            self.log.push(line.to_owned());
        }
    }
}
