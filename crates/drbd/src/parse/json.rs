//! `drbdsetup status --json` of DRBD 9.
use crate::attrs::{self, Attrs, Notes};
use crate::model::{Peer, Resource, Status};
use esos_diag::ParseError;
use serde_json::{Map, Value};

/// Reads the array.
///
/// # Errors
/// Text that is no JSON, or no array of objects.
pub(crate) fn status(origin: &str, text: &str, notes: &mut Notes) -> Result<Status, ParseError> {
    let value: Value = serde_json::from_str(text).map_err(|e| error(origin, text, &e))?;
    let Value::Array(list) = value else {
        return Err(ParseError::at(origin, text, 0, "an array of resources"));
    };
    let mut out = Status::default();
    for item in list {
        let Value::Object(map) = item else {
            return Err(ParseError::at(origin, text, 0, "an array of objects"));
        };
        let name = map.get("name").and_then(Value::as_str);
        if name.is_none() {
            notes.warn("a resource without a name");
        }
        let mut r = Resource::new(name);
        with(&map, &["name", "devices", "connections"], |a| attrs::resource(&mut r, a, notes));
        reasons(&map, &mut r);
        for (volume, map) in children(&map, "devices", notes) {
            let Some(volume) = volume else { continue };
            with(&map, &["volume"], |a| attrs::device(r.device(volume), a, notes));
            if !map.contains_key("quorum") {
                notes.warn(format!("volume {volume}: nothing is said about quorum"));
            }
        }
        for (_, map) in children(&map, "connections", notes) {
            let mut p = Peer::new(map.get("name").and_then(Value::as_str));
            with(&map, &["name", "peer_devices", "paths"], |a| attrs::peer(&mut p, a, notes));
            for (volume, map) in children(&map, "peer_devices", notes) {
                let Some(volume) = volume else { continue };
                with(&map, &["volume"], |a| attrs::peer_device(p.device(volume), a, notes));
            }
            for (_, map) in children(&map, "paths", notes) {
                let end = |key: &str| map.get(key).map(address).unwrap_or_default();
                let (local, peer) = (end("this_host"), end("remote_host"));
                let established = map.get("established").map(text_of).unwrap_or_default();
                let attrs = vec![("local", local.as_str()), ("peer", &peer), ("established", &established)];
                attrs::path(&mut p, &attrs, notes);
            }
            r.connections.push(p);
        }
        out.resources.push(r);
    }
    Ok(out)
}

pub(crate) fn error(origin: &str, text: &str, e: &serde_json::Error) -> ParseError {
    let line = text.split_inclusive('\n').take(e.line().saturating_sub(1)).map(str::len).sum::<usize>();
    let at = line.saturating_add(e.column().saturating_sub(1)).min(text.len());
    let what = if e.is_eof() { "more: the document is cut off" } else { "JSON" };
    ParseError::at(origin, text, at, what)
}

/// `suspended` is a plain yes or no here; the reasons have keys of their own.
fn reasons(map: &Map<String, Value>, r: &mut Resource) {
    let of = |word: &str| map.get(&format!("suspended-{word}")).and_then(Value::as_bool) == Some(true);
    let list: Vec<String> =
        ["user", "no-data", "fencing", "quorum"].into_iter().filter(|w| of(w)).map(str::to_owned).collect();
    if !list.is_empty() {
        r.suspended = Some(list);
    }
}

fn children(
    map: &Map<String, Value>,
    key: &str,
    notes: &mut Notes,
) -> Vec<(Option<u32>, Map<String, Value>)> {
    let list = match map.get(key) {
        Some(Value::Array(list)) => list.as_slice(),
        None if key == "paths" => &[],
        _ => {
            notes.warn(format!("there is no list `{key}`"));
            &[]
        }
    };
    let one = |v: &Value| {
        let map = v.as_object()?.clone();
        let volume = map.get("volume").and_then(Value::as_u64).and_then(|v| u32::try_from(v).ok());
        Some((volume, map))
    };
    let found: Vec<_> = list.iter().filter_map(one).collect();
    if found.len() != list.len() || (key.ends_with("devices") && found.iter().any(|(v, _)| v.is_none())) {
        notes.warn(format!("an entry of `{key}` is no object with a volume number"));
    }
    found
}

/// Calls with the attributes in the words of events2.
fn with(map: &Map<String, Value>, skip: &[&str], mut f: impl FnMut(&Attrs<'_>)) {
    let word = |k: &str, v: &Value| match (k, text_of(v).as_str()) {
        ("suspended", "true") => "yes".to_owned(),
        ("suspended", "false") => "no".to_owned(),
        (_, text) => text.to_owned(),
    };
    let list: Vec<(&str, String)> = map
        .iter()
        .filter(|(k, _)| !skip.contains(&k.as_str()))
        .map(|(k, v)| (spelling(k), word(k, v)))
        .collect();
    f(&list.iter().map(|(k, v)| (*k, v.as_str())).collect());
}

fn spelling(key: &str) -> &str {
    match key {
        "disk-state" => "disk",
        "connection-state" => "connection",
        "peer-role" => "role",
        "replication-state" => "replication",
        "peer-disk-state" => "peer-disk",
        "percent-resync-done" | "percent-done" => "done",
        "estimated-seconds-to-finish" => "eta",
        other => other,
    }
}

pub(crate) fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// `{"address": "10.0.0.1", "port": 7789, "family": "ipv4"}` as events2 prints it.
fn address(value: &Value) -> String {
    let part = |key: &str| value.get(key).map(text_of);
    match (part("family"), part("address"), part("port")) {
        (Some(family), Some(address), Some(port)) => format!("{family}:{address}:{port}"),
        (None, Some(address), Some(port)) => format!("{address}:{port}"),
        _ => text_of(value),
    }
}
