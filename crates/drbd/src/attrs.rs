//! `key:value` attributes, and what each means to the model.
use crate::model::{Device, Extra, Path, Peer, PeerDevice, Resource};
use crate::words::{Connection, Disk, Replication, Role};
use std::collections::BTreeMap;

/// Attributes that DRBD 8.4.11 and 9.2 print and that the model keeps as they are.
const STATISTICS: &[&str] = &[
    "write-ordering",
    "force-io-failures",
    "read",
    "written",
    "al-writes",
    "bm-writes",
    "upper-pending",
    "lower-pending",
    "al-suspended",
    "received",
    "sent",
    "pending",
    "unacked",
    "ap-in-flight",
    "rs-in-flight",
    "dbdt1",
    "rs-total",
    "rs-paused-ms",
    "rs-dt-start-ms",
    "rs-dt0-ms",
    "rs-db0-sectors",
    "rs-dt1-ms",
    "rs-db1-sectors",
    "rs-failed",
    "rs-same-csum",
    "ov-start-sector",
    "ov-last-sector",
    "ov-position",
    "ov-left",
    "ov-skipped",
    "want",
    "db0/dt0 [MiB/s]",
    "db1/dt1 [MiB/s]",
    "db/dt [MiB/s]",
    "has-sync-details",
    "has-online-verify-details",
    "percent-in-sync",
    "suspended-user",
    "suspended-no-data",
    "suspended-fencing",
    "suspended-quorum",
    "tls",
    "net-namespace",
];

/// What was odd about an output, beside its result.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) warnings: Vec<String>,
}

impl Notes {
    pub(crate) fn warn(&mut self, warning: impl Into<String>) {
        let warning = warning.into();
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    fn word(&mut self, what: &str, word: &str, known: bool) {
        if !known {
            self.warn(format!("`{word}` is no {what} that this version knows; it is kept as it is"));
        }
    }

    fn extra(&mut self, extra: &mut Extra, key: &str, value: &str) {
        if !STATISTICS.contains(&key) {
            self.warn(format!("the attribute `{key}:{value}` is not known; it is kept as it is"));
        }
        extra.insert(key.to_owned(), value.to_owned());
    }

    fn yes(&mut self, extra: &mut Extra, key: &str, value: &str) -> Option<bool> {
        match value {
            "yes" | "true" => Some(true),
            "no" | "false" => Some(false),
            _ => {
                self.warn(format!("`{key}` is `{value}`, neither yes nor no; it counts as not told"));
                extra.insert(key.to_owned(), value.to_owned());
                None
            }
        }
    }

    fn number<T: std::str::FromStr>(&mut self, extra: &mut Extra, key: &str, value: &str) -> Option<T> {
        let parsed = value.parse().ok();
        if parsed.is_none() {
            if value != "nan" {
                self.warn(format!("`{key}` is `{value}`, which is no number; it is kept as it is"));
            }
            extra.insert(key.to_owned(), value.to_owned());
        }
        parsed
    }
}

/// Attributes of one object, in order.
pub(crate) type Attrs<'t> = Vec<(&'t str, &'t str)>;

pub(crate) fn get<'t>(attrs: &Attrs<'t>, key: &str) -> Option<&'t str> {
    attrs.iter().find(|(k, _)| *k == key).map(|(_, v)| *v)
}

/// `no` is an empty list; `user,quorum` two reasons.
fn reasons(value: &str) -> Vec<String> {
    if value == "no" { Vec::new() } else { value.split(',').map(str::to_owned).collect() }
}

fn kib(n: u64) -> u64 {
    n.saturating_mul(1024)
}

pub(crate) fn resource(r: &mut Resource, attrs: &Attrs<'_>, notes: &mut Notes) {
    for (key, value) in attrs {
        match *key {
            "name" => {}
            "node-id" => r.node_id = notes.number(&mut r.extra, key, value),
            "role" => {
                r.role = Role::from_word(value);
                notes.word("role", value, r.role.is_known());
            }
            "suspended" => {
                let list = reasons(value);
                for reason in &list {
                    let known = ["user", "no-data", "fencing", "quorum", "yes"].contains(&reason.as_str());
                    notes.word("reason to suspend I/O", reason, known);
                }
                r.suspended = Some(list);
            }
            "may_promote" | "may-promote" => r.may_promote = notes.yes(&mut r.extra, key, value),
            "promotion_score" | "promotion-score" => {
                r.promotion_score = notes.number(&mut r.extra, key, value);
            }
            _ => notes.extra(&mut r.extra, key, value),
        }
    }
}

pub(crate) fn device(d: &mut Device, attrs: &Attrs<'_>, notes: &mut Notes) {
    for (key, value) in attrs {
        match *key {
            "name" | "volume" => {}
            "minor" => d.minor = notes.number(&mut d.extra, key, value),
            "backing_dev" | "backing-dev" => {
                d.backing_device = (*value != "none").then(|| (*value).to_owned());
            }
            "disk" => {
                d.disk = Disk::from_word(value);
                notes.word("disk state", value, d.disk.is_known());
            }
            "client" => d.client = notes.yes(&mut d.extra, key, value),
            "quorum" => d.quorum = notes.yes(&mut d.extra, key, value),
            "open" => drop(d.extra.insert((*key).to_owned(), (*value).to_owned())),
            "size" => d.size_bytes = notes.number(&mut d.extra, key, value).map(kib),
            "blocked" => d.blocked = Some((*value).to_owned()),
            _ => notes.extra(&mut d.extra, key, value),
        }
    }
}

pub(crate) fn peer(p: &mut Peer, attrs: &Attrs<'_>, notes: &mut Notes) {
    for (key, value) in attrs {
        match *key {
            "name" => {}
            "conn-name" | "_name" => p.name = Some((*value).to_owned()),
            "peer-node-id" | "node-id" => p.peer_node_id = notes.number(&mut p.extra, key, value),
            "connection" => {
                p.connection = Connection::from_word(value);
                notes.word("connection state", value, p.connection.is_known());
            }
            "role" => {
                p.peer_role = Role::from_word(value);
                notes.word("role", value, p.peer_role.is_known());
            }
            "congested" => p.congested = notes.yes(&mut p.extra, key, value),
            // Older utilities of 8.4 name a connection by its ends.
            "local" | "peer" => drop(p.extra.insert((*key).to_owned(), (*value).to_owned())),
            _ => notes.extra(&mut p.extra, key, value),
        }
    }
}

pub(crate) fn peer_device(d: &mut PeerDevice, attrs: &Attrs<'_>, notes: &mut Notes) {
    for (key, value) in attrs {
        match *key {
            "name" | "volume" | "peer-node-id" | "conn-name" | "local" | "peer" => {}
            "replication" => {
                d.replication = Replication::from_word(value);
                notes.word("replication state", value, d.replication.is_known());
            }
            // 9.0 said `disk` below a peer, too.
            "peer-disk" | "disk" => {
                d.peer_disk = Disk::from_word(value);
                notes.word("disk state", value, d.peer_disk.is_known());
            }
            "peer-client" => d.peer_client = notes.yes(&mut d.extra, key, value),
            "resync-suspended" => d.resync_suspended = Some(reasons(value)),
            "done" => d.done_percent = notes.number(&mut d.extra, key, value),
            "out-of-sync" => d.out_of_sync_bytes = notes.number(&mut d.extra, key, value).map(kib),
            "eta" => d.eta_seconds = notes.number(&mut d.extra, key, value),
            _ => notes.extra(&mut d.extra, key, value),
        }
    }
}

pub(crate) fn path(p: &mut Peer, attrs: &Attrs<'_>, notes: &mut Notes) {
    let (local, peer) = (get(attrs, "local").unwrap_or(""), get(attrs, "peer").unwrap_or(""));
    let at = p.paths.iter().position(|x| x.local == local && x.peer == peer);
    let mut new =
        Path { local: local.to_owned(), peer: peer.to_owned(), established: None, extra: BTreeMap::new() };
    for (key, value) in attrs {
        match *key {
            "name" | "peer-node-id" | "conn-name" | "local" | "peer" => {}
            "established" => new.established = notes.yes(&mut new.extra, key, value),
            _ => notes.extra(&mut new.extra, key, value),
        }
    }
    match at.and_then(|i| p.paths.get_mut(i)) {
        Some(old) => *old = new,
        None => p.paths.push(new),
    }
}
