//! What to do, as steps that can be shown before they are done.
use crate::failure::FailureKind;
use crate::model::{Peer, Resource};
use crate::promotable::promotable;
use crate::words::{Connection, Disk, Replication, Role};
use serde::Serialize;

/// How much a step puts at risk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Risk {
    /// Nothing is lost and nobody waits.
    Safe,
    /// Initiators may wait.
    Disruptive,
    /// Data is given up.
    Destructive,
}

/// One command on one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Step {
    /// Where: this node, or the peer by its name.
    pub node: String,
    /// The exact words.
    pub command: Vec<String>,
    /// What it does.
    pub why: String,
    /// Failures after which the plan goes on: what was to be reached is there already.
    pub tolerates: Vec<FailureKind>,
    /// How much it puts at risk.
    pub risk: Risk,
}

/// What is given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Loss {
    /// Whose changes.
    pub node: String,
    /// How many bytes of its own changes are overwritten; `None` where the output does not say.
    pub bytes: Option<u64>,
    /// How many bytes the resync will send, at most.
    pub resync_bytes: Option<u64>,
    /// Who decides.
    pub decides: String,
}

/// Steps in order, and what they cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Plan {
    /// What is reached, one sentence.
    pub goal: String,
    /// In order; none where it is reached already.
    pub steps: Vec<Step>,
    /// What is given up.
    pub loss: Option<Loss>,
}

impl Plan {
    /// The greatest risk of its steps.
    #[must_use]
    pub fn risk(&self) -> Risk {
        self.steps.iter().map(|s| s.risk).max().unwrap_or(Risk::Safe)
    }
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
#[non_exhaustive]
pub struct Refused {
    /// One sentence.
    pub reason: String,
}

fn refused(reason: impl Into<String>) -> Refused {
    Refused { reason: reason.into() }
}

struct Maker<'r> {
    name: &'r str,
    steps: Vec<Step>,
}

impl<'r> Maker<'r> {
    fn of(r: &'r Resource) -> Result<Self, Refused> {
        let name = r.name.as_deref().ok_or_else(|| refused("this output does not name the resource"))?;
        Ok(Self { name, steps: Vec::new() })
    }

    fn step(&mut self, node: &str, words: &[&str], why: &str, risk: Risk, tolerates: &[FailureKind]) {
        let mut command = vec!["drbdadm".to_owned()];
        command.extend(words.iter().map(|w| (*w).to_owned()));
        command.push(self.name.to_owned());
        self.steps.push(Step {
            node: node.to_owned(),
            command,
            why: why.to_owned(),
            tolerates: tolerates.to_vec(),
            risk,
        });
    }

    fn done(self, goal: String) -> Plan {
        Plan { goal, steps: self.steps, loss: None }
    }
}

/// Promotes here.
///
/// # Errors
/// [`promotable`] says no; its reason.
pub fn promote(r: &Resource, here: &str) -> Result<Plan, Refused> {
    let mut m = Maker::of(r)?;
    let answer = promotable(r);
    if !answer.yes {
        return Err(refused(answer.reason));
    }
    if r.role != Role::Primary {
        m.step(here, &["primary"], "this node may write", Risk::Safe, &[]);
    }
    let goal = format!("{} is Primary on {here}", m.name);
    Ok(m.done(goal))
}

/// Demotes here. Every handle on the device must be closed before.
///
/// # Errors
/// I/O is frozen, so that open handles cannot be closed.
pub fn demote(r: &Resource, here: &str) -> Result<Plan, Refused> {
    let mut m = Maker::of(r)?;
    if let Some(why) = r.suspended.as_ref().filter(|s| !s.is_empty()) {
        return Err(refused(format!(
            "I/O of {} is suspended ({}): writes that wait would keep the device open",
            m.name,
            why.join(", ")
        )));
    }
    if r.role != Role::Secondary {
        m.step(here, &["secondary"], "the device may be opened elsewhere", Risk::Disruptive, &[]);
    }
    let goal = format!("{} is Secondary on {here}", m.name);
    Ok(m.done(goal))
}

/// Connects to peers that are not connected.
///
/// # Errors
/// Both sides have changes of their own: [`resolve`] it.
pub fn connect(r: &Resource, here: &str) -> Result<Plan, Refused> {
    let mut m = Maker::of(r)?;
    let lost = |p: &Peer| p.connection == Connection::StandAlone;
    let diverged =
        |p: &Peer| lost(p) && p.peer_devices.iter().any(|d| d.out_of_sync_bytes.is_some_and(|b| b > 0));
    if let Some(p) = r.connections.iter().find(|p| diverged(p)) {
        return Err(refused(format!(
            "{here} has changes that {} has not got, and the connection is StandAlone: if both sides were written, resolve the split brain; else connect with `drbdadm connect {}`",
            p.label(),
            m.name
        )));
    }
    if r.connections.is_empty() || r.connections.iter().any(lost) {
        m.step(here, &["connect"], "look for the peer again", Risk::Safe, &[FailureKind::AlreadyUp]);
    }
    let goal = format!("{} is connected, or waits for its peer", m.name);
    Ok(m.done(goal))
}

/// Compares both sides; blocks that differ are resynced by disconnecting and connecting.
///
/// # Errors
/// Not connected, or something else is running.
pub fn verify(r: &Resource, here: &str) -> Result<Plan, Refused> {
    let mut m = Maker::of(r)?;
    if r.connections.is_empty() || r.connections.iter().any(|p| p.connection != Connection::Connected) {
        return Err(refused(format!("{} is not connected to all of its peers", m.name)));
    }
    let busy = r
        .connections
        .iter()
        .flat_map(|p| &p.peer_devices)
        .find(|d| d.replication != Replication::Established);
    if let Some(d) = busy {
        return Err(refused(format!("volume {} is {}: wait for its end", d.volume, d.replication)));
    }
    m.step(
        here,
        &["verify"],
        "read and compare every block; blocks that differ are marked and told in the log",
        Risk::Disruptive,
        &[],
    );
    let goal = format!("every block of {} was compared", m.name);
    Ok(m.done(goal))
}

/// Grows the device to what the backing devices of all nodes have.
///
/// # Errors
/// A side that is not UpToDate, or not connected.
pub fn resize(r: &Resource, here: &str) -> Result<Plan, Refused> {
    let mut m = Maker::of(r)?;
    let disks = r.devices.iter().map(|d| &d.disk);
    let peers = r.connections.iter().flat_map(|p| &p.peer_devices).map(|d| &d.peer_disk);
    if r.connections.is_empty() || disks.chain(peers).any(|d| *d != Disk::UpToDate) {
        return Err(refused(format!("{} is not UpToDate on every node", m.name)));
    }
    if r.role != Role::Primary && !r.connections.iter().any(|p| p.peer_role == Role::Primary) {
        return Err(refused(format!("{} is Primary nowhere: promote it first", m.name)));
    }
    m.step(
        here,
        &["resize"],
        "grow to the smallest backing device; enlarge these on every node before",
        Risk::Disruptive,
        &[],
    );
    let goal = format!("{} has the size of its backing devices", m.name);
    Ok(m.done(goal))
}

/// Ends a split brain by giving up the changes of one side.
///
/// `here` and `peer` are the node names; `discard` one of them. `there` is what the peer shows, where it
/// is known: without it the bytes that the peer would lose are not known.
///
/// # Errors
/// There is no split brain to see, the names do not fit, or the side that would be kept is not UpToDate.
pub fn resolve(
    r: &Resource,
    there: Option<&Resource>,
    here: &str,
    peer: &str,
    discard: &str,
) -> Result<Plan, Refused> {
    let mut m = Maker::of(r)?;
    if discard != here && discard != peer {
        return Err(refused(format!("`{discard}` is neither {here} nor {peer}")));
    }
    if r.connections.iter().any(|p| p.connection == Connection::Connected) {
        return Err(refused(format!("{} is connected: there is no split brain to resolve", m.name)));
    }
    let (kept, lost) = if discard == here { (there, Some(r)) } else { (Some(r), there) };
    let keeper = if discard == here { peer } else { here };
    if let Some(d) = kept.into_iter().flat_map(|k| &k.devices).find(|d| d.disk != Disk::UpToDate) {
        return Err(refused(format!(
            "volume {} of {keeper} is {}: it must not be the side that is kept",
            d.volume, d.disk
        )));
    }
    let gone = &[FailureKind::NotConnected];
    m.step(discard, &["disconnect"], "stop looking for the peer", Risk::Safe, gone);
    if lost.is_none_or(|l| l.role != Role::Secondary) {
        m.step(
            discard,
            &["secondary"],
            "this side's data is given up: it must not be in use",
            Risk::Disruptive,
            &[],
        );
    }
    m.step(discard, &["connect", "--discard-my-data"], "take the other side's data", Risk::Destructive, &[]);
    let waits = |k: &Resource| k.connections.iter().any(|p| p.connection == Connection::Connecting);
    if !kept.is_some_and(waits) {
        m.step(keeper, &["disconnect"], "leave what is left of the old connection", Risk::Safe, gone);
        m.step(keeper, &["connect"], "meet the other side and send it what differs", Risk::Safe, &[]);
    }
    let changed = |r: Option<&Resource>| {
        let list: Vec<Option<u64>> =
            r?.connections.iter().flat_map(|p| &p.peer_devices).map(|d| d.out_of_sync_bytes).collect();
        let sum = list.iter().try_fold(0u64, |sum, b| Some(sum.saturating_add((*b)?)))?;
        (!list.is_empty()).then_some(sum)
    };
    let bytes = changed(lost);
    let resync_bytes = bytes.zip(changed(kept)).map(|(a, b)| a.saturating_add(b));
    let goal = format!(
        "{} is connected again with the data of {keeper}; what only {discard} has is given up",
        m.name
    );
    let mut plan = m.done(goal);
    plan.loss = Some(Loss {
        node: discard.to_owned(),
        bytes,
        resync_bytes,
        decides: "the operator: which writes were the right ones is known only outside of DRBD".to_owned(),
    });
    Ok(plan)
}
