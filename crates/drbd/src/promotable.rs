//! May this node be promoted now, and why not.
use crate::model::{Device, Peer, Resource};
use crate::words::{Connection, Disk, Role};
use serde::Serialize;

/// The answer, with its reason in one sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Promotable {
    /// Whether to promote.
    pub yes: bool,
    /// Why, or why not.
    pub reason: String,
}

/// Whether a resource may be promoted on this node. Stricter than DRBD itself, which would also promote
/// the target of a running resync, a side that was cut off by a split brain, and one without a disk.
#[must_use]
pub fn promotable(r: &Resource) -> Promotable {
    let yes = |reason: String| Promotable { yes: true, reason };
    let no = |reason: String| Promotable { yes: false, reason };
    let name = r.label();
    match &r.role {
        Role::Primary => {
            return match trouble(r) {
                None => yes(format!("{name} is Primary here already")),
                Some(but) => no(format!("{name} is Primary here already, but {but}")),
            };
        }
        Role::Secondary => {}
        other => {
            return no(format!(
                "the role of {name} here is `{other}`, which does not say whether it may be promoted"
            ));
        }
    }
    if let Some(p) = r.connections.iter().find(|p| p.peer_role == Role::Primary) {
        return no(format!("{} is Primary; demote it there first", p.label()));
    }
    if let Some(p) = r.connections.iter().find(|p| !p.peer_role.is_known() || !p.connection.is_known()) {
        return no(format!(
            "the state of {} is not understood ({}, {})",
            p.label(),
            p.connection,
            p.peer_role
        ));
    }
    if let Some(reasons) = r.suspended.as_ref().filter(|s| !s.is_empty()) {
        return no(format!("I/O of {name} is suspended ({})", reasons.join(", ")));
    }
    if r.devices.is_empty() {
        return no(format!("{name} shows no volume"));
    }
    if let Some(why) = r.devices.iter().find_map(|d| volume(r, d)) {
        return no(why);
    }
    if let Some(p) = r.connections.iter().find(|p| p.connection == Connection::StandAlone) {
        return no(format!(
            "the connection to {} is StandAlone: after a split brain both sides have changes of their own; resolve it first",
            p.label()
        ));
    }
    if r.may_promote == Some(false) {
        return no(format!("DRBD itself says that {name} may not be promoted here"));
    }
    match r.connections.iter().find(|p| p.connection != Connection::Connected) {
        None if r.connections.is_empty() => no(format!(
            "{name} has no connection (StandAlone): what the peer has is not known; connect it first"
        )),
        None => yes(format!("{name} is UpToDate here and its peers are connected and Secondary")),
        Some(p) => yes(format!(
            "{name} is UpToDate here, but {} is {}: fence it first, it may still be Primary",
            p.label(),
            p.connection
        )),
    }
}

/// Why a Primary must not be counted on.
fn trouble(r: &Resource) -> Option<String> {
    if let Some(p) = r.connections.iter().find(|p| p.peer_role == Role::Primary) {
        return Some(format!("{} is Primary too: both sides may be written", p.label()));
    }
    let suspended = r.suspended.as_ref().filter(|s| !s.is_empty());
    let suspended = suspended.map(|why| format!("its I/O is suspended ({})", why.join(", ")));
    suspended.or_else(|| r.devices.iter().find_map(|d| volume(r, d)))
}

/// Why one volume forbids it.
fn volume(r: &Resource, d: &Device) -> Option<String> {
    let n = d.volume;
    if d.quorum == Some(false) {
        return Some(format!("volume {n} has no quorum: fewer than half of the nodes can be seen"));
    }
    let target = |p: &&Peer| {
        p.peer_devices.iter().any(|x| x.volume == n && x.replication.is_resync() && !d.disk.is_up_to_date())
    };
    Some(match &d.disk {
        Disk::UpToDate => return None,
        Disk::Inconsistent => match r.connections.iter().find(target) {
            Some(p) => {
                let done = p.peer_devices.iter().find(|x| x.volume == n).and_then(|x| x.done_percent);
                let done = done.map(|d| format!(" ({d:.1} % done)")).unwrap_or_default();
                format!("volume {n} is Inconsistent: its resync from {} has not ended{done}", p.label())
            }
            None => format!("volume {n} is Inconsistent: it was never filled, or a resync was cut off"),
        },
        Disk::Outdated => format!("volume {n} is Outdated: a peer has newer data"),
        Disk::Diskless => format!("volume {n} has no disk here: it would serve through the peer alone"),
        Disk::Consistent => {
            format!(
                "volume {n} is Consistent only: whether it is the newest data is not known before a peer was asked or fenced"
            )
        }
        Disk::Failed => format!("the disk of volume {n} has failed"),
        Disk::Unknown => format!("the disk of volume {n} is not told"),
        other => format!("the disk of volume {n} is {other}"),
    })
}
