//! What a configuration says that SCST takes and initiators do not, or that does not fit this machine.
use crate::attributes::{Value, is_secret};
use crate::model::{Config, Device};
use std::collections::{BTreeMap, BTreeSet};

/// One finding; its words never hold a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Lint {
    /// A stable word: `portal-absent`, `chap-secret`, `duplicate-serial`, …
    pub code: &'static str,
    /// The object.
    pub path: String,
    /// What is wrong, and what to do.
    pub message: String,
}

/// What the machine has, as far as a configuration depends on it.
#[derive(Debug, Clone, Default)]
pub struct Machine {
    /// Addresses of its interfaces, as text (`192.0.2.1`, `2001:db8::1`).
    pub addresses: BTreeSet<String>,
    /// Backing files of the configuration that are not there.
    pub missing: BTreeSet<String>,
    /// NUMA nodes that are online.
    pub numa_nodes: BTreeSet<i64>,
}

/// All findings about a configuration, and about how it fits a machine where one is given.
#[must_use]
pub fn lint(config: &Config, machine: Option<&Machine>) -> Vec<Lint> {
    let mut found = Vec::new();
    chap(config, &mut found);
    serials(config, &mut found);
    made_up(config, &mut found);
    if let Some(machine) = machine {
        portals(config, machine, &mut found);
        backing(config, machine, &mut found);
    }
    found
}

fn say(found: &mut Vec<Lint>, code: &'static str, path: impl Into<String>, message: impl Into<String>) {
    found.push(Lint { code, path: path.into(), message: message.into() });
}

fn chap(config: &Config, found: &mut Vec<Lint>) {
    for (driver, d) in &config.drivers {
        let places = d.targets.iter().map(|(t, target)| (format!("{driver}/{t}"), &target.attributes));
        for (path, attributes) in places.chain([(driver.to_string(), &d.attributes)]) {
            let mut passwords: BTreeMap<&str, &str> = BTreeMap::new();
            for (name, values) in attributes.iter().filter(|(n, _)| is_secret(n)) {
                for value in values {
                    let Some((user, password)) = value.expose().split_once(char::is_whitespace) else {
                        continue;
                    };
                    let what = match password.chars().count() {
                        0..12 => Some("has less than 12 characters: SCST refuses it"),
                        17.. => Some("has more than 16 characters: Windows and ESXi initiators refuse it"),
                        _ if !password.chars().all(|c| c.is_ascii_graphic()) => Some(
                            "holds a character that initiators do not take: use printable ASCII without blanks",
                        ),
                        _ => None,
                    };
                    if let Some(what) = what {
                        say(
                            found,
                            "chap-secret",
                            path.as_str(),
                            format!("the password of `{user}` ({name}) {what}"),
                        );
                    }
                    if let Some(other) = passwords.insert(password, name).filter(|o| *o != name) {
                        let message =
                            format!("{other} and {name} have the same password: initiators refuse that");
                        say(found, "chap-secret", path.as_str(), message);
                    }
                }
            }
        }
    }
}

fn serials(config: &Config, found: &mut Vec<Lint>) {
    for name in ["t10_dev_id", "naa_id", "eui64_id", "usn", "scsi_device_name"] {
        let mut seen: BTreeMap<&str, String> = BTreeMap::new();
        for (handler, h) in &config.handlers {
            for (device, d) in &h.devices {
                let Some(value) = d.attributes.get(name).map(Value::expose).filter(|v| !v.is_empty()) else {
                    continue;
                };
                let path = format!("dev/{handler}/{device}");
                if let Some(first) = seen.insert(value, path.clone()) {
                    let message =
                        format!("{first} has the same {name} `{value}`: initiators take both for one disk");
                    say(found, "duplicate-serial", path, message);
                }
            }
        }
    }
}

/// A serial number that SCST makes up holds the `setup_id` of the moment: it is another one for a device that
/// was made before `setup_id` was set than for one that is made after it.
fn made_up(config: &Config, found: &mut Vec<Lint>) {
    let set = config.attributes.get("setup_id").and_then(|v| crate::conf::number(v.expose()));
    if set.is_none_or(|n| n == 0) {
        return;
    }
    let devices = config.handlers.iter().filter(|(h, _)| h.as_str().starts_with("vdisk_"));
    let devices =
        devices.flat_map(|(h, handler)| handler.devices.iter().map(move |(d, device)| (h, d, device)));
    let unset = |d: &Device| d.attributes.get("usn").is_none() || d.attributes.get("t10_dev_id").is_none();
    let mut unset = devices.filter(|(.., device)| unset(device)).map(|(h, d, _)| format!("dev/{h}/{d}"));
    if let Some(first) = unset.next() {
        let more = match unset.count() {
            0 => String::new(),
            n => format!(" (and {n} more)"),
        };
        let message = format!(
            "it has no usn or no t10_dev_id{more}, and setup_id is set: the serial number that SCST makes up depends \
             on when the device was made; give both"
        );
        say(found, "serial-made-up", first, message);
    }
}

/// SCST's patterns: `*` any text, `?` any character.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => (0..=text.len()).any(|n| matches(rest, text.get(n..).unwrap_or(&[]))),
        (Some((b'?', rest)), Some((_, text))) => matches(rest, text),
        (Some((a, rest)), Some((b, text))) => a.eq_ignore_ascii_case(b) && matches(rest, text),
        _ => false,
    }
}

fn portals(config: &Config, machine: &Machine, found: &mut Vec<Lint>) {
    for (driver, d) in &config.drivers {
        for (target, t) in &d.targets {
            for portal in t.attributes.all("allowed_portal").iter().map(Value::expose) {
                let pattern = portal.trim_start_matches('[').trim_end_matches(']');
                // The matcher backtracks; a pattern of many stars is nobody's portal.
                let bounded = pattern.matches('*').count() <= 4;
                let there =
                    machine.addresses.iter().any(|a| bounded && matches(pattern.as_bytes(), a.as_bytes()));
                if !there && !pattern.starts_with('!') {
                    let message =
                        format!("no interface has an address that matches allowed_portal `{portal}`");
                    say(found, "portal-absent", format!("{driver}/{target}"), message);
                }
            }
        }
    }
}

fn backing(config: &Config, machine: &Machine, found: &mut Vec<Lint>) {
    for (handler, h) in &config.handlers {
        for (device, d) in &h.devices {
            let path = format!("dev/{handler}/{device}");
            if let Some(file) = d.attributes.get("filename").filter(|f| machine.missing.contains(f.expose()))
            {
                say(
                    found,
                    "backing-missing",
                    path.as_str(),
                    format!("{file} is not there; the device will be pending"),
                );
            }
            let node = d.attributes.get("numa_node_id").map(Value::expose);
            let online =
                |n: &str| n.trim().parse().is_ok_and(|n: i64| n == -1 || machine.numa_nodes.contains(&n));
            if let Some(node) = node.filter(|n| !online(n)) {
                let message = format!("NUMA node {node} is not online; the kernel would oops");
                say(found, "numa-node", path, message);
            }
        }
    }
}
