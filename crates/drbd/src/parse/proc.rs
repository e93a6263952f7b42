//! `/proc/drbd`, and the three lines of `drbdadm role`, `cstate` and `dstate`.
use crate::attrs::Notes;
use crate::model::{Peer, PeerDevice, Resource, Status, Version};
use crate::words::{Connection, Disk, Replication, Role, split_cstate};
use esos_diag::ParseError;

/// Reads `/proc/drbd`. 8.4 prints all minors there; 9 prints its version and transports alone.
///
/// # Errors
/// No `version:` line, or a minor's line that makes no sense.
pub(crate) fn proc(origin: &str, text: &str, notes: &mut Notes) -> Result<Status, ParseError> {
    let mut out = Status::default();
    let mut offset = 0usize;
    for raw in text.split_inclusive('\n') {
        let start = offset;
        offset = offset.saturating_add(raw.len());
        let line = raw.trim_end();
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let Some(first) = words.first() else { continue };
        if let Some(rest) = line.strip_prefix("version:") {
            out.version = Some(version(rest, notes));
        } else if out.version.is_none() {
            return Err(ParseError::at(origin, text, start, "`version:`"));
        } else if let (Some(v), Some((key, value))) = (
            out.version.as_mut().filter(|_| out.resources.is_empty()),
            line.split_once(": ").filter(|_| !line.starts_with(' ')),
        ) {
            v.extra.insert(key.to_owned(), value.trim().to_owned());
        } else if let Some(minor) = first.strip_suffix(':').and_then(|n| n.parse::<u32>().ok()) {
            let mut r = Resource::new(None);
            r.device(0).minor = Some(minor);
            let at = start.saturating_add(line.len().saturating_sub(line.trim_start().len()));
            let fine = head(&mut r, words.get(1..).unwrap_or(&[]), notes);
            if !fine {
                return Err(ParseError::at(origin, text, at, "`MINOR: cs:… ro:…/… ds:…/… PROTOCOL FLAGS`"));
            }
            out.resources.push(r);
        } else if let Some(r) = out.resources.last_mut() {
            body(r, line, &words, notes);
        } else {
            notes.warn(format!("the line `{line}` is not known"));
        }
    }
    let Some(version) = &out.version else {
        return Err(ParseError::truncated(origin, text, "`version:`"));
    };
    if out.resources.is_empty() && version.major() == Some(9) {
        notes.warn(
            "DRBD 9 shows no resources in /proc/drbd: this says nothing of their state; ask `drbdsetup status --json`",
        );
    }
    let whole = out.resources.iter().all(|r| {
        r.devices
            .iter()
            .all(|d| d.disk == Disk::Diskless && r.connections.is_empty() || r.extra.contains_key("oos"))
    });
    if !text.ends_with('\n') {
        notes.warn("the last line has no end; the output may be cut off");
    }
    if !whole {
        return Err(ParseError::truncated(origin, text, "the counters of the last minor, up to `oos:`"));
    }
    Ok(out)
}

fn version(rest: &str, notes: &mut Notes) -> Version {
    let mut v =
        Version { module: rest.split_ascii_whitespace().next().map(str::to_owned), ..Version::default() };
    let protocol = rest.split_once("proto:").map(|(_, p)| p.trim_end_matches([')', ' ']));
    v.protocol = protocol.and_then(|p| p.rsplit('-').next()?.parse().ok());
    if v.major().is_none() {
        notes.warn(format!("`{}` is no version of DRBD", rest.trim()));
    }
    v
}

fn head(r: &mut Resource, words: &[&str], notes: &mut Notes) -> bool {
    let value = |key: &str| words.iter().find_map(|w| w.strip_prefix(key));
    let Some(cs) = value("cs:") else { return false };
    if cs == "Unconfigured" {
        r.device(0).disk = Disk::Diskless;
        r.role = Role::Secondary;
        return words.len() == 1;
    }
    let pair = |key: &str| value(key).and_then(|v| v.split_once('/'));
    let (Some((role, peer_role)), Some((disk, peer_disk))) = (pair("ro:"), pair("ds:")) else { return false };
    let Some(flags) = words.last().filter(|w| !w.contains(':') && w.len() >= 6) else { return false };
    pairs(r, cs, (role, peer_role), notes);
    r.device(0).disk = disk_word(disk, notes);
    if let Some(d) = r.connections.last_mut().map(|p| p.device(0)) {
        d.peer_disk = disk_word(peer_disk, notes);
    }
    self::flags(r, flags, notes)
}

/// `r-----`: I/O runs or is suspended; resync paused after another, by the peer, by the user; where
/// congestion is; whether the activity log is suspended.
fn flags(r: &mut Resource, flags: &str, notes: &mut Notes) -> bool {
    r.suspended = match flags.chars().next() {
        Some('r') => Some(Vec::new()),
        // The reason is not told.
        Some('s') => Some(vec!["yes".to_owned()]),
        _ => return false,
    };
    let why = [(1, 'a', "dependency"), (2, 'p', "peer"), (3, 'u', "user")];
    let set: Vec<String> = why
        .iter()
        .filter(|(i, c, _)| flags.chars().nth(*i) == Some(*c))
        .map(|(.., w)| (*w).to_owned())
        .collect();
    for (i, c) in flags.chars().enumerate().skip(1) {
        let known = c == '-'
            || why.iter().any(|(k, w, _)| *k == i && *w == c)
            || (i == 4 && "dbna".contains(c))
            || (i == 5 && c == 's');
        if !known {
            notes.warn(format!("the flag `{c}` in `{flags}` is not known"));
        }
    }
    if let Some(d) = r.connections.last_mut().map(|p| p.device(0)) {
        d.resync_suspended = Some(set);
    }
    r.extra.insert("flags".to_owned(), flags.to_owned());
    true
}

fn pairs(r: &mut Resource, cs: &str, (role, peer_role): (&str, &str), notes: &mut Notes) {
    let (connection, replication) = split_cstate(cs);
    if !connection.is_known() {
        notes.warn(format!("`{cs}` is no connection state that this version knows; it is kept as it is"));
    }
    r.role = role_word(role, notes);
    let mut p = Peer::new(None);
    p.connection = connection;
    p.peer_role = role_word(peer_role, notes);
    p.device(0).replication = replication;
    r.connections.push(p);
}

fn role_word(word: &str, notes: &mut Notes) -> Role {
    let role = Role::from_word(word);
    if !role.is_known() {
        notes.warn(format!("`{word}` is no role that this version knows; it is kept as it is"));
    }
    role
}

fn disk_word(word: &str, notes: &mut Notes) -> Disk {
    let disk = Disk::from_word(word);
    if !disk.is_known() {
        notes.warn(format!("`{word}` is no disk state that this version knows; it is kept as it is"));
    }
    disk
}

/// Counters, the bar of a resync, and the debug lines of some builds.
fn body(r: &mut Resource, line: &str, words: &[&str], notes: &mut Notes) {
    let device = |r: &mut Resource, f: &mut dyn FnMut(&mut PeerDevice)| {
        if let Some(p) = r.connections.last_mut() {
            f(p.device(0));
        }
    };
    if let Some((_, rest)) = line.split_once("sync'ed:").or_else(|| line.split_once("verified:")) {
        let percent = rest.split('%').next().and_then(|p| p.trim().parse::<f64>().ok());
        return device(r, &mut |d| d.done_percent = percent);
    }
    if let Some(rest) = line.trim_start().strip_prefix("finish:") {
        let clock = rest.split_ascii_whitespace().next().unwrap_or("");
        let seconds = clock
            .split(':')
            .try_fold(0u64, |sum, part| Some(sum.saturating_mul(60).saturating_add(part.parse().ok()?)));
        let stalled = rest.contains("(stalled)");
        if let Some((_, speed)) = rest.split_once("speed:") {
            r.extra.insert("speed".to_owned(), speed.trim().to_owned());
        }
        return device(r, &mut |d| {
            // A resync that stands still ends never, whatever DRBD guesses.
            d.eta_seconds = seconds.filter(|_| !stalled);
            if stalled {
                d.extra.insert("stalled".to_owned(), "yes".to_owned());
            }
        });
    }
    for word in words {
        match word.split_once(':') {
            Some(("oos", value)) => {
                let bytes = value.parse::<u64>().ok().map(|k| k.saturating_mul(1024));
                if bytes.is_none() {
                    notes.warn(format!("`{word}` is no number of KiB"));
                }
                device(r, &mut |d| d.out_of_sync_bytes = bytes);
                r.extra.insert("oos".to_owned(), value.to_owned());
            }
            Some((key, value)) if key.len() <= 3 => drop(r.extra.insert(key.to_owned(), value.to_owned())),
            _ if line.contains("resync:") || line.contains("act_log:") || line.contains('%') => {}
            _ => return notes.warn(format!("the line `{}` is not known", line.trim())),
        }
    }
}

/// The answers of `drbdadm role`, `drbdadm cstate` and `drbdadm dstate`, one under the other. With 8.4
/// they are pairs; DRBD 9 prints the own role alone, a line for each connection, a line for each volume.
///
/// # Errors
/// A line that is none of the three.
pub(crate) fn short(origin: &str, text: &str, notes: &mut Notes) -> Result<Status, ParseError> {
    let mut r = Resource::new(None);
    let (mut stage, mut offset, mut volume) = (0u8, 0usize, 0u32);
    for raw in text.split_inclusive('\n') {
        let start = offset;
        offset = offset.saturating_add(raw.len());
        let line = raw.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if line.contains([' ', '\t', ':']) {
            return Err(ParseError::at(origin, text, start, "one word, or words with `/` between them"));
        }
        let words: Vec<&str> = line.split('/').collect();
        let first = words.first().copied().unwrap_or("");
        let all_disks = words.iter().all(|w| Disk::from_word(w).is_known());
        if stage == 0 {
            r.role = role_word(first, notes);
            for word in words.get(1..).unwrap_or(&[]) {
                let mut p = Peer::new(None);
                p.peer_role = role_word(word, notes);
                r.connections.push(p);
            }
            stage = 1;
        } else if stage == 1 && words.len() == 1 && !all_disks {
            let (connection, replication) = split_cstate(first);
            if !connection.is_known() {
                notes.warn(format!(
                    "`{first}` is no connection state that this version knows; it is kept as it is"
                ));
            }
            let open = r.connections.iter().position(|p| p.connection == Connection::Other(String::new()));
            let at = open.unwrap_or_else(|| {
                r.connections.push(Peer::new(None));
                r.connections.len().saturating_sub(1)
            });
            if let Some(p) = r.connections.get_mut(at) {
                p.connection = connection;
                p.device(0).replication = replication;
            }
        } else {
            stage = 2;
            r.device(volume).disk = disk_word(first, notes);
            for (i, word) in words.get(1..).unwrap_or(&[]).iter().enumerate() {
                if r.connections.len() <= i {
                    r.connections.push(Peer::new(None));
                }
                if let Some(p) = r.connections.get_mut(i) {
                    let replication =
                        p.peer_devices.first().map_or(Replication::Off, |d| d.replication.clone());
                    let d = p.device(volume);
                    d.peer_disk = disk_word(word, notes);
                    d.replication = replication;
                }
            }
            volume = volume.saturating_add(1);
        }
    }
    if stage != 2 || !text.ends_with('\n') {
        return Err(ParseError::truncated(origin, text, "the disk states, `UpToDate/UpToDate`"));
    }
    for p in r.connections.iter_mut().filter(|p| p.connection == Connection::Other(String::new())) {
        p.connection = Connection::from_word("not told");
        notes.warn("nothing is told about a connection");
    }
    Ok(Status { version: None, resources: vec![r] })
}
