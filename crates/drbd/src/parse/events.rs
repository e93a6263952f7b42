//! `drbdsetup events2`, of 8.4 and 9: a stream of objects that appear, change and go.
use crate::attrs::{self, Attrs, Notes, get};
use crate::model::{Peer, Resource, Status};
use crate::transition::{Transition, transition};
use esos_diag::ParseError;
use serde::Serialize;
use std::collections::BTreeMap;

/// One line of the stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Event {
    /// The line, from 1.
    pub line: usize,
    /// The time stamp, with `--timestamps`.
    pub time: Option<String>,
    /// `exists`, `create`, `change`, `rename`, `destroy`, `call`, `response`, or a word not known.
    pub action: String,
    /// `resource`, `device`, `connection`, `peer-device`, `path`, `helper`; `-` ends the first part.
    pub object: String,
    /// Its attributes; later ones of the same name win.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
}

/// A stream that was read to its end.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[non_exhaustive]
pub struct Events {
    /// All lines.
    pub events: Vec<Event>,
    /// What changed, and whether DRBD may do that.
    pub transitions: Vec<Transition>,
    /// The state after the last line.
    pub state: Status,
    /// What was odd.
    #[serde(skip)]
    pub warnings: Vec<String>,
}

const ACTIONS: [&str; 7] = ["exists", "create", "change", "rename", "destroy", "call", "response"];

/// Reads a stream.
///
/// # Errors
/// A line that is no event, or a stream without `exists -`: its first part was cut off, so that objects may
/// be missing. A last line without its end is a warning: copied text often has lost it.
pub fn events(origin: &str, text: &str) -> Result<Events, ParseError> {
    let mut out = Events::default();
    let mut notes = Notes::default();
    let (mut offset, mut whole) = (0usize, false);
    for (n, raw) in text.split_inclusive('\n').enumerate() {
        let start = offset;
        offset = offset.saturating_add(raw.len());
        let line = raw.trim_end_matches(['\n', '\r']);
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let (event, attrs) = event(origin, text, start, line, n.saturating_add(1))?;
        if !raw.ends_with('\n') {
            notes.warn(format!("line {}: the last line has no end; the output may be cut off", event.line));
        }
        if !ACTIONS.contains(&event.action.as_str()) {
            notes.warn(format!(
                "line {}: `{}` is no action that this version knows; it counts as a change",
                event.line, event.action
            ));
        }
        if event.object == "-" {
            whole = true;
        } else {
            apply(&mut out, &event, &attrs, &mut notes);
        }
        out.events.push(event);
    }
    if !whole {
        return Err(ParseError::truncated(origin, text, "`exists -`, which ends the list of objects"));
    }
    out.warnings = notes.warnings;
    Ok(out)
}

fn event<'t>(
    origin: &str,
    text: &str,
    start: usize,
    line: &'t str,
    n: usize,
) -> Result<(Event, Attrs<'t>), ParseError> {
    let wrong = |at: usize, what: &str| Err(ParseError::at(origin, text, start.saturating_add(at), what));
    let at = |word: &str| (word.as_ptr() as usize).saturating_sub(line.as_ptr() as usize);
    let mut words = line.split_ascii_whitespace().peekable();
    let time = words.next_if(|w| w.starts_with(|c: char| c.is_ascii_digit())).map(str::to_owned);
    let Some(action) = words.next().filter(|w| !w.contains(':')) else {
        return wrong(0, "an action such as `exists` or `change`");
    };
    let Some(object) = words.next().filter(|w| !w.contains(':')) else {
        return wrong(line.len(), "an object such as `resource` or `device`");
    };
    let word = |w: &str| w.bytes().all(|b| b.is_ascii_lowercase() || b == b'-' || b == b'_');
    if !(ACTIONS.contains(&action) || word(action) && word(object)) {
        return wrong(at(action), "one of exists, create, change, rename, destroy, call, response");
    }
    let mut attrs = Attrs::new();
    for word in words {
        match word.split_once(':') {
            Some((key, value)) if !key.is_empty() => attrs.push((key, value)),
            _ => return wrong(at(word), "an attribute `name:value`"),
        }
    }
    if object != "-" && get(&attrs, "name").is_none() {
        return wrong(line.len(), "the name of a resource, `name:…`");
    }
    let attributes = attrs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let event = Event { line: n, time, action: action.to_owned(), object: object.to_owned(), attributes };
    Ok((event, attrs))
}

fn apply(out: &mut Events, event: &Event, attrs: &Attrs<'_>, notes: &mut Notes) {
    let name = get(attrs, "name").unwrap_or("");
    let before = out.state.clone();
    let fresh = matches!(event.action.as_str(), "exists" | "create");
    if event.object == "helper" {
        out.transitions.extend(transition(event, &before, &out.state));
        return;
    }
    let at = out.state.resources.iter().position(|r| r.name.as_deref() == Some(name));
    if event.object == "resource" {
        match (event.action.as_str(), at) {
            ("destroy", Some(at)) => drop(out.state.resources.remove(at)),
            ("rename", Some(at)) => {
                let new = get(attrs, "new_name").or(get(attrs, "new-name"));
                if let (Some(r), Some(new)) = (out.state.resources.get_mut(at), new) {
                    r.name = Some(new.to_owned());
                }
            }
            _ => {
                let r = ensure(out, at, name, fresh, event, notes);
                attrs::resource(r, attrs, notes);
            }
        }
    } else {
        let r = ensure(out, at, name, at.is_some(), event, notes);
        part(r, event, attrs, fresh, notes);
    }
    out.transitions.extend(transition(event, &before, &out.state));
}

fn ensure<'s>(
    out: &'s mut Events,
    at: Option<usize>,
    name: &str,
    expected: bool,
    event: &Event,
    notes: &mut Notes,
) -> &'s mut Resource {
    let at = match at {
        Some(at) => at,
        None => {
            if !expected {
                notes.warn(format!("line {}: the resource {name} was never shown before", event.line));
            }
            out.state.resources.push(Resource::new(Some(name)));
            out.state.resources.len().saturating_sub(1)
        }
    };
    // `at` is the position that was just found or made.
    &mut out.state.resources[at]
}

/// An event about a part of a resource.
fn part(r: &mut Resource, event: &Event, attrs: &Attrs<'_>, fresh: bool, notes: &mut Notes) {
    let number = |key: &str| get(attrs, key).and_then(|v| v.parse::<u32>().ok());
    let destroy = event.action == "destroy";
    let unseen = |notes: &mut Notes, what: &str| {
        notes.warn(format!("line {}: {what} was never shown before", event.line));
    };
    if event.object == "device" {
        let Some(volume) = number("volume") else {
            return notes.warn(format!("line {}: a device without a volume number", event.line));
        };
        let there = r.devices.iter().any(|d| d.volume == volume);
        if destroy {
            return r.devices.retain(|d| d.volume != volume);
        }
        if !fresh && !there {
            unseen(notes, &format!("volume {volume}"));
        }
        return attrs::device(r.device(volume), attrs, notes);
    }
    if !["connection", "peer-device", "path"].contains(&event.object.as_str()) {
        return notes.warn(format!("line {}: `{}` is no object that is known", event.line, event.object));
    }
    let (id, name) = (number("peer-node-id"), get(attrs, "conn-name"));
    let at = r.find(id, name);
    if event.object == "connection" && destroy {
        at.map(|at| r.connections.remove(at));
        return;
    }
    if at.is_none() {
        if destroy {
            return;
        }
        if !fresh || event.object != "connection" {
            unseen(notes, &format!("the connection to {}", name.unwrap_or("a peer")));
        }
        let mut new = Peer::new(name);
        new.peer_node_id = id;
        r.connections.push(new);
    }
    let at = at.unwrap_or(r.connections.len().saturating_sub(1));
    let Some(p) = r.connections.get_mut(at) else { return };
    match event.object.as_str() {
        "connection" => attrs::peer(p, attrs, notes),
        "path" if destroy => {
            let (local, peer) = (get(attrs, "local"), get(attrs, "peer"));
            p.paths.retain(|x| Some(x.local.as_str()) != local || Some(x.peer.as_str()) != peer);
        }
        "path" => attrs::path(p, attrs, notes),
        _ => {
            let Some(volume) = number("volume") else {
                return notes.warn(format!("line {}: a peer device without a volume number", event.line));
            };
            if destroy {
                return p.peer_devices.retain(|d| d.volume != volume);
            }
            if !fresh && !p.peer_devices.iter().any(|d| d.volume == volume) {
                unseen(notes, &format!("the peer's volume {volume}"));
            }
            let d = p.device(volume);
            attrs::peer_device(d, attrs, notes);
            // Progress belongs to a resync; it is not told when that ends.
            if !d.replication.is_resync() && !d.replication.as_str().starts_with("Verify") {
                (d.done_percent, d.eta_seconds) = (None, None);
            }
        }
    }
}
