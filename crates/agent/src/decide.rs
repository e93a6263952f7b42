//! The decision core: what was observed, and what is to be reached, to the one next step. It keeps
//! nothing: an action that was cut off anywhere goes on from what is there.
use crate::facts::{Device, Facts, Group, PortGroup, Stand};
use crate::flaw::Flaw;
use crate::params::Params;
use esos_cluster::OcfExit;
use std::fmt;

/// What is to be reached.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Goal {
    /// Stand by.
    Start,
    /// Out of service.
    Stop,
    /// Serve.
    Promote,
    /// Stop serving.
    Demote,
    /// Say how it stands.
    Monitor,
    /// Another instance's ports are now like that.
    Remote {
        /// Its node.
        node: String,
        /// What it is about to be, or has become.
        state: String,
    },
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step {
    /// Hold back new commands of a device, and let the running ones end.
    Block(String),
    /// Let commands run again, once as often as it was blocked.
    Unblock(String),
    /// Open the backing device.
    Activate(String),
    /// Close the backing device.
    Deactivate(String),
    /// Tell the size of a device that is closed: initiators ask a path that stands by, too, and take one
    /// whose size differs for another disk.
    SetSize {
        /// The device.
        device: String,
        /// In bytes.
        size: u64,
    },
    /// The state of a target group, in this box's view.
    SetState {
        /// The target group.
        group: String,
        /// The state.
        state: String,
    },
    /// Let a target take sessions.
    Enable(String),
    /// Change the ports of another box from here: never done; a defect of old agents.
    #[doc(hidden)]
    TouchPeer(String),
}

/// As an order: `open the device d`.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Block(device) => write!(f, "hold back new commands of the device {device}"),
            Self::Unblock(device) => write!(f, "let commands of the device {device} run again"),
            Self::Activate(device) => write!(f, "open the device {device}"),
            Self::Deactivate(device) => write!(f, "close the device {device}"),
            Self::SetSize { device, size } => write!(f, "tell the device {device} its size, {size} bytes"),
            Self::SetState { group, state } => write!(f, "make the target group {group} {state}"),
            Self::Enable(path) => write!(f, "enable {path}"),
            Self::TouchPeer(group) => write!(f, "change the target group {group} on its own box"),
        }
    }
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Do this, then observe again.
    Do(Step),
    /// Observe again in a moment; after the time limit [`Next::Fail`] by [`timed_out`].
    Wait(String),
    /// It is reached.
    Done(OcfExit),
    /// It cannot be reached.
    Fail(OcfExit, String),
}

/// The next step. `recorded` is only for a defect: nothing is remembered between actions.
#[must_use]
pub fn next(goal: &Goal, facts: &Facts, params: &Params) -> Next {
    next_with(goal, facts, params, None)
}

/// [`next`], with a defect of older agents in it; for tests.
#[must_use]
#[doc(hidden)]
pub fn next_with(goal: &Goal, facts: &Facts, params: &Params, flaw: Option<Flaw>) -> Next {
    let d = Decide { facts, params, flaw };
    if facts.locked && *goal != Goal::Monitor && flaw != Some(Flaw::LockIgnored) {
        return Next::Wait("another action of this resource still runs on this box".to_owned());
    }
    match goal {
        Goal::Monitor => d.monitor(),
        Goal::Start => d.start(),
        Goal::Stop => d.stop(),
        Goal::Promote => d.promote(),
        Goal::Demote => d.demote(),
        Goal::Remote { node, state } => d.remote(node, state),
    }
}

/// What must be undone when an action ends without reaching its goal: no command may be held back for
/// ever. Nothing is left to undo at `None`.
#[must_use]
pub fn undo(facts: &Facts) -> Option<Step> {
    let devices = facts.group.iter().flat_map(|g| &g.devices);
    devices.into_iter().find(|d| d.blocks > 0).map(|d| Step::Unblock(d.name.clone()))
}

/// What an action answers whose time is over.
#[must_use]
pub fn timed_out(goal: &Goal, waiting: &str) -> Next {
    let what = match goal {
        Goal::Start => "start",
        Goal::Stop => "stop",
        Goal::Promote => "promote",
        Goal::Demote => "demote",
        Goal::Monitor => "monitor",
        Goal::Remote { .. } => "notify",
    };
    Next::Fail(OcfExit::Generic, format!("{what} gave up: {waiting}"))
}

/// How things stand here, from SCST's own state.
#[must_use]
pub fn stand(facts: &Facts, params: &Params) -> Stand {
    let Some(g) = facts.group.as_ref().filter(|_| facts.scst) else { return Stand::Absent };
    let Some(local) = &g.local else { return Stand::Absent };
    let open = |d: &Device| !params.set_dev_active || d.active;
    let opened = g.devices.iter().filter(|d| params.set_dev_active && d.active).count();
    let blocked = g.devices.iter().find(|d| d.blocks > 0);
    let all = g.devices.iter().all(open);
    let mixed = |why: String| Stand::Mixed { why, serving: local.serves() || opened > 0 };
    if let Some(d) = blocked {
        return mixed(format!("{} is blocked: an action was cut off", d.name));
    }
    if local.state == params.active_state && all {
        return match g.remotes.iter().find(|r| r.state == "active") {
            Some(r) => mixed(format!("the target group {} is active beside this box's", r.name)),
            None => Stand::Promoted,
        };
    }
    if local.serves() && local.state != params.passive_state {
        return mixed(format!("the ports are {} and not every device is open", local.state));
    }
    if opened > 0 {
        return mixed(format!("a device is open and the ports are {}", local.state));
    }
    match local.state.as_str() {
        "offline" => Stand::Stopped,
        state if state == params.stopped_state => Stand::Stopped,
        "transitioning" => mixed("the ports are in transition: an action was cut off".to_owned()),
        _ => Stand::Unpromoted,
    }
}

struct Decide<'a> {
    facts: &'a Facts,
    params: &'a Params,
    flaw: Option<Flaw>,
}

impl<'a> Decide<'a> {
    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    /// The group and this box's ports.
    fn parts(&self) -> Option<(&'a Group, &'a PortGroup)> {
        let g = self.facts.group.as_ref().filter(|_| self.facts.scst)?;
        Some((g, g.local.as_ref()?))
    }

    fn missing(&self) -> String {
        match (&self.facts.scst, &self.facts.group) {
            (false, _) => "SCST is not loaded".to_owned(),
            (true, None) => format!("SCST has no device group {}", self.params.device_group),
            (true, Some(_)) => format!(
                "the device group {} has no target group {}",
                self.params.device_group, self.params.local
            ),
        }
    }

    fn monitor(&self) -> Next {
        if self.has(Flaw::MonitorWrites)
            && let Some((g, _)) = self.parts()
            && let Some(r) = g.remotes.iter().find(|r| r.state != self.params.passive_state)
        {
            return Next::Do(Step::SetState {
                group: r.name.clone(),
                state: self.params.passive_state.clone(),
            });
        }
        match stand(self.facts, self.params) {
            Stand::Absent | Stand::Stopped => Next::Done(OcfExit::NotRunning),
            Stand::Unpromoted => Next::Done(OcfExit::Success),
            Stand::Promoted => Next::Done(OcfExit::RunningPromoted),
            Stand::Mixed { why, serving: true } => Next::Fail(OcfExit::FailedPromoted, why),
            Stand::Mixed { why, serving: false } => Next::Fail(OcfExit::Generic, why),
        }
    }

    fn set(&self, group: &PortGroup, state: &str) -> Option<Next> {
        let step = Step::SetState { group: group.name.clone(), state: state.to_owned() };
        (group.state != state).then_some(Next::Do(step))
    }

    fn start(&self) -> Next {
        let Some((g, local)) = self.parts() else {
            return Next::Fail(OcfExit::Installed, self.missing());
        };
        // A start where it serves already would take it away from initiators.
        if stand(self.facts, self.params) == Stand::Promoted {
            return Next::Done(OcfExit::Success);
        }
        let passive = &self.params.passive_state;
        let closed = self.close(passive).or_else(|| self.set(local, passive));
        closed.or_else(|| self.offer(g)).unwrap_or(Next::Done(OcfExit::Success))
    }

    /// Paths that stand by are there before they are needed: an initiator that had to find them first would
    /// not get over a failover. A device without a size stays out of sight until a promotion.
    fn offer(&self, g: &Group) -> Option<Next> {
        self.size(g).or_else(|| {
            let known = !g.devices.is_empty() && g.devices.iter().all(|d| d.size > 0);
            let target = g.targets.iter().find(|t| known && !t.enabled)?;
            Some(Next::Do(Step::Enable(target.path.clone())))
        })
    }

    /// A closed device whose size is not that of what lies below.
    fn size(&self, g: &Group) -> Option<Next> {
        let wrong = |d: &&Device| !d.active && d.backing.is_some_and(|n| n > 0 && n != d.size);
        let d = g.devices.iter().find(wrong)?;
        Some(Next::Do(Step::SetSize { device: d.name.clone(), size: d.backing? }))
    }

    fn stop(&self) -> Next {
        let Some((_, local)) = self.parts() else { return Next::Done(OcfExit::Success) };
        self.close(&self.params.stopped_state).unwrap_or_else(|| {
            self.set(local, &self.params.stopped_state).unwrap_or(Next::Done(OcfExit::Success))
        })
    }

    fn demote(&self) -> Next {
        let Some((_, local)) = self.parts() else {
            // Nothing can be open where SCST is not.
            return Next::Done(OcfExit::Success);
        };
        let rest = || match local.serves() || local.state == "transitioning" {
            true => self.set(local, &self.params.passive_state),
            false => None,
        };
        self.close(&self.params.passive_state).or_else(rest).unwrap_or(Next::Done(OcfExit::Success))
    }

    /// From wherever it is to: nothing open, nothing blocked, the ports out of service. `None` when that is
    /// reached. The order: hold back new commands, let running ones end, ports, close, ports, go on.
    fn close(&self, last: &str) -> Option<Next> {
        let (g, local) = self.parts()?;
        let closing = self.params.set_dev_active && g.devices.iter().any(|d| d.active);
        if closing {
            if !self.has(Flaw::NoDrain) {
                if let Some(d) = g.devices.iter().find(|d| d.blocks == 0) {
                    return Some(Next::Do(Step::Block(d.name.clone())));
                }
                if let Some(d) = g.devices.iter().find(|d| d.draining) {
                    return Some(Next::Wait(format!("commands of {} do not end", d.name)));
                }
            }
            let meanwhile = if self.params.use_trans_state { "transitioning" } else { last };
            if local.serves() || (local.state != meanwhile && local.state != last) {
                return self.set(local, meanwhile);
            }
            let open = g.devices.iter().find(|d| d.active)?;
            return Some(Next::Do(Step::Deactivate(open.name.clone())));
        }
        // Ports first, so that what was held back meets their new state.
        if local.serves() || local.state == "transitioning" {
            return self.set(local, last);
        }
        let blocked = g.devices.iter().find(|d| d.blocks > 0)?;
        Some(Next::Do(Step::Unblock(blocked.name.clone())))
    }

    /// Why nothing may be opened now.
    fn forbidden(&self) -> Option<Next> {
        let f = self.facts;
        if !self.has(Flaw::PendingFenceUnseen)
            && let Some(n) = f.unclean.first()
        {
            return Some(Next::Wait(format!("{n} was lost and is not known to be off: it may still serve")));
        }
        if f.quorum == Some(false) {
            return Some(Next::Fail(OcfExit::Generic, "this partition has no quorum".to_owned()));
        }
        if self.has(Flaw::DrbdUnchecked) {
            return None;
        }
        let seen = |name: &String| f.drbd.iter().find(|d| d.name == *name);
        for name in &self.params.drbd {
            match seen(name) {
                None => return Some(Next::Wait(format!("DRBD's resource {name} is not up here"))),
                Some(d) if !d.primary => {
                    return Some(Next::Wait(format!("DRBD's resource {name} is not Primary here")));
                }
                Some(d) if !d.up_to_date => {
                    return Some(Next::Fail(
                        OcfExit::Generic,
                        format!("DRBD's resource {name} is not UpToDate here"),
                    ));
                }
                Some(d) if d.diverged => {
                    let why = format!(
                        "DRBD's resource {name} was written on both sides, or a peer is Primary too: resolve it first"
                    );
                    return Some(Next::Fail(OcfExit::Generic, why));
                }
                Some(_) => {}
            }
        }
        None
    }

    fn promote(&self) -> Next {
        let Some((g, local)) = self.parts() else { return Next::Fail(OcfExit::Generic, self.missing()) };
        if g.devices.is_empty() {
            return Next::Fail(
                OcfExit::Generic,
                format!("the device group {} has no device", self.params.device_group),
            );
        }
        // Looked at before each step: what was right a moment ago may be gone.
        if let Some(no) = self.forbidden() {
            return no;
        }
        if self.has(Flaw::ServesClosedDevice)
            && let Some(now) = self.set(local, &self.params.active_state)
        {
            return now;
        }
        if self.has(Flaw::TouchesThePeer)
            && let Some(r) = g.remotes.iter().find(|r| r.state != self.params.passive_state)
        {
            return Next::Do(Step::TouchPeer(r.name.clone()));
        }
        let closed = g.devices.iter().find(|d| self.params.set_dev_active && !d.active);
        if let Some(closed) = closed {
            if let Some(d) = g.devices.iter().find(|d| d.blocks == 0) {
                return Next::Do(Step::Block(d.name.clone()));
            }
            if let Some(d) = g.devices.iter().find(|d| d.draining) {
                return Next::Wait(format!("commands of {} do not end", d.name));
            }
            if (local.serves() || self.params.use_trans_state)
                && let Some(now) = self.set(local, "transitioning")
                && !self.has(Flaw::ServesClosedDevice)
            {
                return now;
            }
            if let Some(now) = self.size(g) {
                return now;
            }
            return Next::Do(Step::Activate(closed.name.clone()));
        }
        if let Some(d) = g.devices.iter().find(|d| d.size == 0) {
            return Next::Fail(
                OcfExit::Generic,
                format!("the device {} is open and has no size: its backing device is not there", d.name),
            );
        }
        // Nobody else serves, before this box does.
        let skip = |r: &PortGroup| {
            self.has(Flaw::RemoteStaysActive)
                || (self.has(Flaw::TwoBoxesOnly) && g.remotes.first().is_some_and(|x| x.name != r.name))
                || (self.has(Flaw::UncleanPeerStaysUsable) && r.state == "active")
        };
        let quiet = |r: &PortGroup| !r.serves() && r.state != "transitioning";
        if let Some(r) = g.remotes.iter().find(|r| !quiet(r) && !skip(r)) {
            let state = if self.params.passive_state == "nonoptimized" {
                "standby"
            } else {
                &self.params.passive_state
            };
            return Next::Do(Step::SetState { group: r.name.clone(), state: state.to_owned() });
        }
        if let Some(now) = self.set(local, &self.params.active_state) {
            return now;
        }
        if let Some(d) = g.devices.iter().find(|d| d.blocks > 0) {
            return Next::Do(Step::Unblock(d.name.clone()));
        }
        // Last of all: sessions find a device that is open and ports that serve.
        match g.targets.iter().find(|t| !t.enabled) {
            Some(t) => Next::Do(Step::Enable(t.path.clone())),
            None => Next::Done(OcfExit::Success),
        }
    }

    /// Another instance's ports, in this box's view. Never this box's own.
    fn remote(&self, node: &str, state: &str) -> Next {
        let Some((g, _)) = self.parts() else { return Next::Done(OcfExit::Success) };
        let named = g.remotes.iter().find(|r| r.name == node);
        // Two boxes whose groups are called `local` and `remote`.
        let only = (g.remotes.len() == 1).then(|| g.remotes.first()).flatten();
        let Some(r) = named.or(only).filter(|_| node != self.params.node) else {
            return Next::Done(OcfExit::Success);
        };
        // While this box serves, nobody else does in its view.
        let promoted = stand(self.facts, self.params) == Stand::Promoted;
        if promoted && ["active", "nonoptimized"].contains(&state) {
            return Next::Done(OcfExit::Success);
        }
        self.set(r, state).unwrap_or(Next::Done(OcfExit::Success))
    }
}
