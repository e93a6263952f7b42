//! What one event changed, what that means, and whether DRBD may go there.
use crate::model::{Resource, Status};
use crate::parse::Event;
use crate::words::{Connection, Disk, Replication, Role};
use serde::Serialize;

/// One state word of one object that went from one value to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Transition {
    /// The line of the event, from 1.
    pub line: usize,
    /// Its time stamp.
    pub time: Option<String>,
    /// The resource.
    pub resource: String,
    /// `role`, `disk`, `connection`, `peer_role`, `replication`, `peer_disk`, `quorum`, `suspended`, `helper`.
    pub what: &'static str,
    /// The volume or peer, where it is one's.
    pub of: Option<String>,
    /// The word before; `-` where the object is new.
    pub from: String,
    /// The word after; `-` where the object is gone.
    pub to: String,
    /// Whether DRBD goes there in one step; a step that it does not take means that lines are missing.
    pub expected: bool,
    /// One sentence for steps that an operator must know of.
    pub meaning: Option<String>,
}

impl Disk {
    /// Whether a local disk goes from this state to that one in one step (DRBD's `sanitize_state` and
    /// `is_valid_soft_transition`, and what recordings of 8.4.11 and 9.2.18 show).
    #[must_use]
    pub fn may_become(&self, next: &Self) -> bool {
        use Disk::{
            Attaching, Consistent, Detaching, Diskless, Failed, Inconsistent, Negotiating, Other, Outdated,
        };
        match (self, next) {
            (a, b) if a == b => true,
            (Other(_), _) | (_, Other(_)) => true,
            (Diskless, next) => matches!(next, Attaching),
            (Failed | Detaching, next) => matches!(next, Diskless | Failed),
            (_, Attaching) => false,
            // Every attached disk can fail or be detached; `Diskless` at once where no I/O was pending.
            (_, Failed | Detaching | Diskless) => true,
            (_, Negotiating) => matches!(self, Attaching),
            // A resync that ends, a forced promotion or a lost fencing race.
            (Attaching | Negotiating | Inconsistent | Outdated | Consistent | Self::UpToDate, _) => true,
            (Self::Unknown, _) => true,
        }
    }
}

impl Connection {
    /// Whether a connection goes from this state to that one in one step.
    #[must_use]
    pub fn may_become(&self, next: &Self) -> bool {
        match (self, next) {
            (a, b) if a == b => true,
            (Self::Other(_), _) | (_, Self::Other(_)) => true,
            (Self::StandAlone, next) => matches!(next, Self::Unconnected | Self::Disconnecting),
            (Self::Unconnected, next) => {
                matches!(next, Self::Connecting | Self::Disconnecting | Self::StandAlone)
            }
            (_, Self::Connected) => matches!(self, Self::Connecting),
            (Self::Disconnecting, next) => matches!(next, Self::StandAlone),
            _ => true,
        }
    }
}

impl Replication {
    /// Whether a pair of volumes goes from this state to that one in one step.
    #[must_use]
    pub fn may_become(&self, next: &Self) -> bool {
        match (self, next) {
            (a, b) if a == b => true,
            (Self::Other(_), _) | (_, Self::Other(_)) | (_, Self::Off) => true,
            (_, Self::WfSyncUuid) => matches!(self, Self::WfBitMapT | Self::StartingSyncT),
            (Self::SyncSource, next) => !matches!(next, Self::SyncTarget | Self::WfSyncUuid | Self::Behind),
            (Self::SyncTarget, next) => !matches!(next, Self::SyncSource | Self::Ahead),
            _ => true,
        }
    }
}

/// What an event changed.
pub(crate) fn transition(event: &Event, before: &Status, after: &Status) -> Vec<Transition> {
    let name = event.attributes.get("name").cloned().unwrap_or_default();
    let find = |s: &Status| s.resources.iter().find(|r| r.name.as_deref() == Some(&name)).cloned();
    let mut out = Vec::new();
    let mut add = |what: &'static str, of: Option<String>, from: &str, to: &str, expected: bool| {
        if from != to {
            let meaning = meaning(what, from, to);
            out.push(Transition {
                line: event.line,
                time: event.time.clone(),
                resource: name.clone(),
                what,
                of,
                from: from.to_owned(),
                to: to.to_owned(),
                expected,
                meaning,
            });
        }
    };
    if event.object == "helper" {
        let attribute = |key: &str| event.attributes.get(key).cloned();
        let helper = attribute("helper").unwrap_or_default();
        let (from, to) = match event.action.as_str() {
            "call" => ("-".to_owned(), helper),
            _ => (helper, attribute("status").unwrap_or_default()),
        };
        add("helper", attribute("conn-name"), &from, &to, true);
        return out;
    }
    let empty = Resource::new(None);
    let (old, new) = (find(before), find(after));
    let none = |there: bool, word: &str| if there { word.to_owned() } else { "-".to_owned() };
    let (is, was) = (new.is_some(), old.is_some());
    let (old, new) = (old.unwrap_or_else(|| empty.clone()), new.unwrap_or(empty));
    add("role", None, &none(was, old.role.as_str()), &none(is, new.role.as_str()), true);
    let list = |s: &Option<Vec<String>>| {
        s.as_ref().filter(|l| !l.is_empty()).map_or("no".to_owned(), |l| l.join(","))
    };
    add("suspended", None, &list(&old.suspended), &list(&new.suspended), true);
    for d in &new.devices {
        let o = old.devices.iter().find(|x| x.volume == d.volume);
        let of = Some(format!("volume {}", d.volume));
        let expected = o.is_none_or(|o| o.disk.may_become(&d.disk));
        add("disk", of.clone(), o.map_or("-", |o| o.disk.as_str()), d.disk.as_str(), expected);
        let word = |q: Option<bool>| q.map_or("-", |q| if q { "yes" } else { "no" });
        add("quorum", of, word(o.and_then(|o| o.quorum)), word(d.quorum), true);
    }
    for p in &new.connections {
        let o = old.find(p.peer_node_id, p.name.as_deref()).and_then(|i| old.connections.get(i));
        let of = p.name.clone();
        let expected = o.is_none_or(|o| o.connection.may_become(&p.connection));
        add(
            "connection",
            of.clone(),
            o.map_or("-", |o| o.connection.as_str()),
            p.connection.as_str(),
            expected,
        );
        add("peer_role", of, o.map_or("-", |o| o.peer_role.as_str()), p.peer_role.as_str(), true);
        for d in &p.peer_devices {
            let o = o.and_then(|o| o.peer_devices.iter().find(|x| x.volume == d.volume));
            let of = Some(format!("{} volume {}", p.label(), d.volume));
            let expected = o.is_none_or(|o| o.replication.may_become(&d.replication));
            let from = o.map_or("-", |o| o.replication.as_str());
            add("replication", of.clone(), from, d.replication.as_str(), expected);
            add("peer_disk", of, o.map_or("-", |o| o.peer_disk.as_str()), d.peer_disk.as_str(), true);
        }
    }
    for p in old.connections.iter().filter(|p| new.find(p.peer_node_id, p.name.as_deref()).is_none()) {
        add("connection", p.name.clone(), p.connection.as_str(), "-", true);
    }
    out
}

fn meaning(what: &str, from: &str, to: &str) -> Option<String> {
    let text = match (what, from, to) {
        ("helper", _, "split-brain") => {
            "both sides were written apart from each other, and DRBD dropped the connection: choose the side whose changes are given up (`esos drbd resolve`)"
        }
        ("helper", _, "quorum-lost") => "this node lost quorum; its I/O is stopped as `on-no-quorum` says",
        ("helper", _, "pri-lost-after-sb" | "pri-lost") => "this node lost the decision after a split brain",
        ("helper", _, "out-of-sync") => {
            "an online verify found blocks that differ: disconnect and connect to resync them"
        }
        ("helper", _, "local-io-error") => "the backing device had an I/O error",
        ("quorum", _, "no") => "fewer than half of the nodes can be seen",
        ("disk", _, "Failed") => "the backing device had an I/O error and is being given up",
        ("disk", _, "Outdated") => "a peer has newer data; this side must not be promoted",
        ("disk", "Inconsistent", "UpToDate") => {
            "the resync has ended, or the data was declared good by force"
        }
        ("role", _, "Primary") => "this node may write now",
        ("connection", "Connected", _) => "the peer is not reached any more",
        _ => return None,
    };
    Some(text.to_owned())
}

/// The roles in which a resource was last seen on both sides: two primaries are a danger without
/// `allow-two-primaries`.
#[must_use]
pub fn dual_primary(r: &Resource) -> bool {
    r.role == Role::Primary && r.connections.iter().any(|p| p.peer_role == Role::Primary)
}
