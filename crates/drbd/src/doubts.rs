//! What a status leaves open: nothing that is missing may look like something good.
use crate::attrs::Notes;
use crate::model::Status;
use crate::words::{Connection, Disk, Role};

/// Warns of every gap in a status.
pub(crate) fn doubts(status: &Status, notes: &mut Notes) {
    for r in &status.resources {
        let name = r.label();
        if r.role == Role::Unknown {
            notes.warn(format!("{name}: the role is not told"));
        }
        if r.devices.is_empty() {
            notes.warn(format!("{name}: no volume is shown"));
        }
        for d in &r.devices {
            if d.disk == Disk::Unknown {
                notes.warn(format!("{name}: the disk of volume {} is not told", d.volume));
            }
        }
        let nine = r.devices.iter().any(|d| d.quorum.is_some() || d.client.is_some());
        for d in r.devices.iter().filter(|d| nine && d.quorum.is_none()) {
            notes.warn(format!("{name}: nothing is said about quorum of volume {}", d.volume));
        }
        for p in &r.connections {
            let peer = p.label();
            if p.connection == Connection::Other(String::new()) {
                notes.warn(format!("{name}: nothing is told about the connection to {peer}"));
            }
            if p.connection == Connection::Connected && p.peer_role == Role::Unknown {
                notes.warn(format!("{name}: the role of {peer} is not told"));
            }
            for d in &r.devices {
                let there = p.peer_devices.iter().find(|x| x.volume == d.volume);
                let told = there.is_some_and(|x| x.peer_disk != Disk::Unknown);
                if p.connection == Connection::Connected && !told {
                    notes.warn(format!("{name}: the disk of volume {} on {peer} is not told", d.volume));
                }
            }
            for d in &p.peer_devices {
                if !r.devices.iter().any(|x| x.volume == d.volume) {
                    notes.warn(format!("{name}: {peer} has a volume {} that is not shown here", d.volume));
                }
            }
        }
    }
}
