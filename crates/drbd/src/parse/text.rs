//! `drbdadm status` and `drbdsetup status`, with or without `--verbose --statistics`, of 8.4 and 9.
use crate::attrs::{self, Attrs, Notes, get};
use crate::model::{Peer, Resource, Status};
use crate::words::{Connection, Replication};
use esos_diag::ParseError;

/// What the attributes of a continued line belong to.
#[derive(Debug, Clone, Copy, PartialEq)]
enum At {
    Nothing,
    Resource,
    Device(u32),
    Peer,
    PeerDevice(u32),
    Path,
}

/// Reads the indented text.
///
/// # Errors
/// A line that fits nowhere. A text without its last, empty line may be cut off, or copied without it: a
/// warning.
pub(crate) fn status(origin: &str, text: &str, notes: &mut Notes) -> Result<Status, ParseError> {
    let mut out = Status::default();
    let mut at = At::Nothing;
    let mut paths: Attrs<'_> = Vec::new();
    let mut offset = 0usize;
    for raw in text.split_inclusive('\n') {
        let start = offset;
        offset = offset.saturating_add(raw.len());
        let line = raw.trim_end();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let indent = line.len().saturating_sub(line.trim_start_matches(' ').len());
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let wrong =
            |what: &str| Err(ParseError::at(origin, text, start.saturating_add(indent), what.to_owned()));
        let named = words.first().is_some_and(|w| !w.contains(':'));
        let pairs: Option<Attrs<'_>> =
            words.iter().skip(usize::from(named)).map(|w| w.split_once(':')).collect();
        let Some(pairs) = pairs else { return wrong("attributes `name:value`") };
        if indent == 0 {
            let Some(name) = words.first().filter(|_| named) else { return wrong("the name of a resource") };
            let mut r = Resource::new(Some(name));
            attrs::resource(&mut r, &pairs, notes);
            out.resources.push(r);
            at = At::Resource;
            continue;
        }
        let Some(r) = out.resources.last_mut() else { return wrong("a resource at the start of a line") };
        let volume = get(&pairs, "volume").map(str::parse::<u32>);
        let Ok(volume) = volume.transpose() else { return wrong("a volume number") };
        match (indent, named) {
            (2, true) => {
                let mut p = Peer::new(words.first().copied());
                attrs::peer(&mut p, &pairs, notes);
                r.connections.push(p);
                at = At::Peer;
                continue;
            }
            (2, false) => at = At::Device(volume.unwrap_or(0)),
            (4, false) if at != At::Resource && !r.connections.is_empty() => {
                let path = get(&pairs, "local").is_some();
                let device =
                    ["volume", "replication", "peer-disk", "disk"].iter().any(|k| get(&pairs, k).is_some());
                at = if path {
                    At::Path
                } else if device {
                    At::PeerDevice(volume.unwrap_or(0))
                } else {
                    at
                };
            }
            (_, true) => return wrong("attributes `name:value`"),
            _ => {}
        }
        let Some(last) = r.connections.last_mut() else {
            match at {
                At::Device(volume) => attrs::device(r.device(volume), &pairs, notes),
                _ => attrs::resource(r, &pairs, notes),
            }
            continue;
        };
        match at {
            At::Device(volume) => attrs::device(r.device(volume), &pairs, notes),
            At::Peer => attrs::peer(last, &pairs, notes),
            At::PeerDevice(volume) => attrs::peer_device(last.device(volume), &pairs, notes),
            At::Path => {
                if get(&pairs, "local").is_some() {
                    paths.clear();
                }
                paths.extend(&pairs);
                attrs::path(last, &paths, notes);
            }
            At::Nothing | At::Resource => attrs::resource(r, &pairs, notes),
        }
    }
    if !out.resources.is_empty() && !text.ends_with("\n\n") {
        notes.warn("the empty line that ends a resource is not there; the output may be cut off");
    }
    out.resources.iter_mut().for_each(|r| fill(r, notes));
    Ok(out)
}

/// Without `--verbose` what is as usual is left out.
fn fill(r: &mut Resource, notes: &mut Notes) {
    for p in &mut r.connections {
        let told = p.connection != Connection::Other(String::new());
        if !told {
            // The short form names a connection state only where it is not `Connected`.
            let connected = p.peer_role != crate::Role::Unknown || !p.peer_devices.is_empty();
            p.connection = if connected { Connection::Connected } else { Connection::from_word("not told") };
            if !connected {
                notes.warn(format!("nothing is told about the connection to {}", p.label()));
            }
        }
        if p.connection == Connection::Connected {
            for d in &mut p.peer_devices {
                if d.replication == Replication::Off {
                    d.replication = Replication::Established;
                }
            }
        } else if p.peer_devices.is_empty() {
            let volumes: Vec<u32> = r.devices.iter().map(|d| d.volume).collect();
            for v in volumes {
                // Made as `Off` and `DUnknown`.
                let _made = p.device(v);
            }
        }
    }
}
