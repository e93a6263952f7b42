//! Makes a [`Plan`] of what is and what is wanted. No I/O, no choice left for later.
mod alua;
mod attrs;
mod bound;
mod devices;
mod identity;
mod luns;
mod making;
mod places;
mod prune;
mod targets;

pub(crate) use attrs::same;
use places::{Places, Spot};

use crate::live::{Live, LiveTarget};
use crate::model::Config;
use crate::name::{DeviceName, GroupName};
use crate::plan::{Action, Class, Operation, Pending, Plan, Step};
use std::collections::{BTreeMap, BTreeSet};

/// What may be done, and what the planner must know of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Whether live objects that the file does not name are removed.
    pub prune: bool,
    /// Only objects at or below one of these paths (`iscsi/iqn…:a`, `dev/vdisk_fileio/d1`); all if empty.
    pub only: Vec<String>,
    /// NUMA nodes that are online. A `numa_node_id` beside them oopses the kernel and is never written.
    pub numa_nodes: BTreeSet<i64>,
    /// Backing files and devices that are not there now; what needs them is pending.
    pub missing: BTreeSet<String>,
}

impl Default for Policy {
    /// Additive, everything, one NUMA node, all backing devices there.
    fn default() -> Self {
        Self { prune: false, only: Vec::new(), numa_nodes: BTreeSet::from([0]), missing: BTreeSet::new() }
    }
}

/// The order of the object graph: what goes, goes from the outside in; what comes, from the inside out;
/// targets are enabled when everything behind them is there, SCST's own attributes come last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Disable,
    RemoveAlua,
    RemoveLuns,
    RemoveGroups,
    RemoveTargets,
    RemoveDevices,
    Devices,
    Targets,
    TargetAttributes,
    Luns,
    Groups,
    DriverAttributes,
    Alua,
    EnableTargets,
    EnableDrivers,
    Core,
}

/// Plans the way from a machine's state to a wanted configuration.
///
/// Without [`Policy::prune`] no write touches an object that `wanted` does not name. What needs a
/// backing device, a module or a daemon that is not there becomes pending. What the kernel would refuse
/// or would not survive is [`Class::Blocked`] with the reason.
#[must_use]
pub fn plan(live: &Live, wanted: &Config, policy: &Policy) -> Plan {
    Plan { base: live.fingerprint(), ..way(live.clone(), wanted, policy) }
}

/// As [`plan`], for who applies it at once: a plan in which nothing is to do has no [`base`](Plan::base), which
/// nobody would compare with anything.
#[must_use]
pub fn plan_now(live: &Live, wanted: &Config, policy: &Policy) -> Plan {
    let planned = way(live.clone(), wanted, policy);
    if planned.is_empty() { planned } else { Plan { base: live.fingerprint(), ..planned } }
}

/// A plan without the fingerprint of its start.
pub(crate) fn way(live: Live, wanted: &Config, policy: &Policy) -> Plan {
    let mut planner = Planner {
        live,
        wanted: wanted.clone(),
        policy,
        only: policy.only.iter().map(String::as_str).collect(),
        places: None,
        made: BTreeSet::new(),
        removed: BTreeSet::new(),
        active: BTreeMap::new(),
        operations: Vec::new(),
        pending: Vec::new(),
        unmanaged: Vec::new(),
    };
    planner.prune();
    planner.replace_devices();
    planner.copies_of_removed();
    planner.devices();
    planner.targets();
    planner.alua();
    planner.core();
    let mut operations = planner.operations;
    operations.sort_by_key(|(phase, _)| *phase);
    Plan {
        base: String::new(),
        operations: operations.into_iter().map(|(_, op)| op).collect(),
        pending: planner.pending,
        unmanaged: planner.unmanaged,
    }
}

/// The state as it will be after the operations planned so far.
struct Planner<'p> {
    live: Live,
    wanted: Config,
    policy: &'p Policy,
    /// The selected paths; there may be thousands.
    only: BTreeSet<&'p str>,
    /// Where devices are shown; made when the first question comes, and kept true from then on.
    places: Option<Places>,
    /// Devices that are made in this plan.
    made: BTreeSet<DeviceName>,
    /// Devices that are taken away, whether or not they are made again.
    removed: BTreeSet<DeviceName>,
    /// Devices that SCST opens or closes with an ALUA state of this plan.
    active: BTreeMap<DeviceName, bool>,
    operations: Vec<(Phase, Operation)>,
    pending: Vec<Pending>,
    unmanaged: Vec<String>,
}

/// An operation under way.
struct Op {
    path: String,
    action: Action,
    attribute: Option<String>,
    from: Option<String>,
    to: Option<String>,
    class: Class,
    why: Option<String>,
}

impl Op {
    fn new(path: impl Into<String>, action: Action) -> Self {
        Self {
            path: path.into(),
            action,
            attribute: None,
            from: None,
            to: None,
            class: Class::Safe,
            why: None,
        }
    }

    fn attribute(mut self, name: &str) -> Self {
        self.attribute = Some(name.to_owned());
        self
    }

    /// What was and what will be, as people may see it: secrets masked.
    fn values(mut self, from: Option<String>, to: Option<String>) -> Self {
        (self.from, self.to) = (from, to);
        self
    }

    fn class(mut self, class: Class, why: impl Into<String>) -> Self {
        if class >= self.class && class != Class::Safe {
            self.class = class;
            self.why = Some(why.into());
        }
        self
    }
}

impl Planner<'_> {
    /// Whether an object is among those that may be touched.
    fn selected(&self, path: &str) -> bool {
        let above = path.match_indices('/').filter_map(|(i, _)| path.get(..i));
        self.only.is_empty() || above.chain([path]).any(|p| self.only.contains(p))
    }

    fn push(&mut self, phase: Phase, op: Op, steps: Vec<Step>) {
        if !self.selected(&op.path) {
            return;
        }
        let steps = if op.class == Class::Blocked { Vec::new() } else { steps };
        let Op { path, action, attribute, from, to, class, why } = op;
        self.operations.push((phase, Operation { path, action, attribute, from, to, class, why, steps }));
    }

    fn blocked(&mut self, phase: Phase, path: &str, attribute: Option<&str>, why: impl Into<String>) {
        let mut op = Op::new(path, Action::Change).class(Class::Blocked, why);
        op.attribute = attribute.map(str::to_owned);
        self.push(phase, op, Vec::new());
    }

    /// Whatever is removed, copy_manager's LUNs of it go by themselves: one pass over them for all devices.
    fn copies_of_removed(&mut self) {
        let removed = std::mem::take(&mut self.removed);
        let copy = self.live.drivers.iter_mut().filter(|(d, _)| d.as_str() == "copy_manager");
        for target in copy.flat_map(|(_, d)| d.targets.values_mut()) {
            target.luns.retain(|_, lun| !removed.contains(&lun.device));
        }
    }

    /// The LUNs that show a device, copy_manager's aside.
    fn spots(&mut self, device: &DeviceName) -> Vec<Spot> {
        let live = &self.live;
        self.places.get_or_insert_with(|| Places::of(live)).spots(device).cloned().collect()
    }

    /// Sessions that see a device, copy_manager's aside.
    fn sessions_of(&mut self, device: &DeviceName) -> Vec<String> {
        let mut found = BTreeSet::new();
        for (driver, target, group, _) in self.spots(device) {
            let target = self.live.drivers.get(&driver).and_then(|d| d.targets.get(&target));
            found.extend(target.map(|t| users(t, group.as_ref().map(GroupName::as_str))).unwrap_or_default());
        }
        found.into_iter().collect()
    }

    fn core(&mut self) {
        let (live, wanted) = (self.live.attributes.clone(), self.wanted.attributes.clone());
        self.attributes(Phase::Core, "scst", "", Some(&live), &wanted, |op| op);
    }
}

/// Sessions that see the LUNs of a target itself (`None`) or of one of its groups.
fn users(target: &LiveTarget, group: Option<&str>) -> Vec<String> {
    let sessions = target.sessions.iter().filter(|(_, s)| s.group.as_deref() == group);
    sessions.map(|(name, _)| name.clone()).collect()
}

/// `3 sessions (a, b, …)`.
fn sessions_text(sessions: &[String]) -> String {
    let shown: Vec<&str> = sessions.iter().take(3).map(String::as_str).collect();
    let more = if sessions.len() > shown.len() { ", …" } else { "" };
    let s = if sessions.len() == 1 { "session" } else { "sessions" };
    format!("{} {s} ({}{more})", sessions.len(), shown.join(", "))
}
