//! Attributes: which differ, and the write that changes each.
use super::{Op, Phase, Planner};
use crate::attributes::{Attributes, Value};
use crate::live::{LiveAttr, LiveAttrs};
use crate::mgmt::Command;
use crate::plan::{Action, Step, Write};

/// Where attributes with several values are added and deleted.
#[derive(Clone, Copy)]
pub(super) struct Several<'a> {
    /// The driver's `mgmt` file.
    pub(super) mgmt: &'a str,
    /// The target that they belong to; the driver itself if none.
    pub(super) target: Option<&'a str>,
    /// Their names, as the help of `mgmt` has them.
    pub(super) names: &'a [String],
}

/// Attributes whose value is a text that SCST keeps as it is: another case or another way to write a number
/// is another value.
const TEXTS: [&str; 14] = [
    "alias",
    "cluster_name",
    "comment",
    "dif_filename",
    "filename",
    "inq_vend_specific",
    "pr_file_name",
    "prod_id",
    "prod_rev_lvl",
    "scsi_device_name",
    "t10_dev_id",
    "t10_vend_id",
    "usn",
    "vend_specific_id",
];

/// Whether the kernel would take two texts for the same value of an attribute: numbers in any base, words in
/// any case, lists in any order, identifiers with `0x` or without; texts only as they are.
pub(crate) fn same(name: &str, a: &str, b: &str) -> bool {
    let (a, b) = (a.trim(), b.trim());
    if a == b {
        return true;
    }
    if TEXTS.contains(&name) || crate::attributes::is_secret(name) {
        return false;
    }
    if matches!(name, "naa_id" | "eui64_id") {
        let digits = |t: &str| t.strip_prefix("0x").unwrap_or(t).to_ascii_lowercase();
        return digits(a) == digits(b);
    }
    if a.eq_ignore_ascii_case(b) {
        return true;
    }
    if let (Some(a), Some(b)) = (crate::conf::number(a), crate::conf::number(b)) {
        return a == b;
    }
    let list = |t: &str| {
        let mut words: Vec<String> = t.split(',').map(|w| w.trim().to_owned()).collect();
        words.sort();
        words
    };
    // iscsi-scstd leaves the port out of `redirect` where it is the usual one.
    let usual = |t: &str| t.replace(":3260 temp", " temp").replace(":3260 perm", " perm");
    (a.contains(',') && list(a) == list(b)) || usual(a) == usual(b)
}

/// Whether a difference is the kernel's own decision: thin provisioning that was asked for is off where the
/// backing store cannot do it, where the device is read-only, or while it is not active.
pub(super) fn kernel_decides(name: &str, now: &LiveAttr, wanted: &str) -> bool {
    let off = now.value.as_ref().is_some_and(|v| v.expose() == "0");
    name == "thin_provisioned" && now.key && off && !same(name, wanted, "0")
}

/// What is written for a value: an empty one is a line end, since nothing never reaches SCST.
pub(super) fn written(value: &str) -> String {
    if value.is_empty() { "\n".to_owned() } else { value.to_owned() }
}

/// The value of a live attribute, `""` where it has none.
pub(super) fn text<'a>(attributes: &'a LiveAttrs, name: &str) -> &'a str {
    attributes.get(name).and_then(|a| a.value.as_ref()).map_or("", Value::expose)
}

/// A write of an attribute; the value of a CHAP pair is not shown.
pub(super) fn set(file: String, name: &str, value: &str) -> Write {
    if crate::attributes::is_secret(name) {
        let shown = Value::of(name, value).to_string();
        return Write::masked(file, written(value), shown);
    }
    Write::new(file, written(value))
}

impl Planner<'_> {
    /// Plans single-valued attributes of one object. `live` is `None` for an object that is yet to be
    /// made: then everything is written, and taking the object back undoes it.
    pub(super) fn attributes(
        &mut self,
        phase: Phase,
        path: &str,
        dir: &str,
        live: Option<&LiveAttrs>,
        wanted: &Attributes,
        class: impl Fn(Op) -> Op,
    ) {
        for (name, values) in wanted.iter() {
            let Some(value) = values.first().map(Value::expose) else { continue };
            let file = if dir.is_empty() { name.to_owned() } else { format!("{dir}/{name}") };
            let now = live.and_then(|l| l.get(name)).and_then(|a| a.value.as_ref());
            let now = now.map(|v| v.to_string());
            let undo = match live.map(|l| l.get(name)) {
                None => Vec::new(),
                Some(None) => {
                    self.blocked(phase, path, Some(name), "there is no such attribute here");
                    continue;
                }
                Some(Some(LiveAttr { value: Some(now), .. })) if same(name, now.expose(), value) => continue,
                Some(Some(now)) if kernel_decides(name, now, value) => continue,
                Some(Some(LiveAttr { writable: false, .. })) => {
                    self.blocked(phase, path, Some(name), "the kernel does not let it be changed");
                    continue;
                }
                Some(Some(LiveAttr { value: now, .. })) => {
                    now.iter().map(|now| set(file.clone(), name, now.expose())).collect()
                }
            };
            // Its sessions are copy_manager's, which sees every device.
            if name == "pr_file_name" && dir.starts_with("devices/") {
                self.blocked(
                    phase,
                    path,
                    Some(name),
                    "SCST refuses it while a session sees the device (EBUSY)",
                );
                continue;
            }
            if name == "numa_node_id" && !self.node_is_online(value) {
                self.blocked(phase, path, Some(name), "no such NUMA node is online; the kernel would oops");
                continue;
            }
            let to = Value::of(name, value).to_string();
            let op = class(Op::new(path, Action::Change).attribute(name).values(now, Some(to)));
            self.push(phase, op, vec![Step { write: set(file, name, value), undo }]);
        }
    }

    pub(super) fn node_is_online(&self, value: &str) -> bool {
        value.trim().parse::<i64>().is_ok_and(|n| n == -1 || self.policy.numa_nodes.contains(&n))
    }

    /// Plans attributes with several values (`IncomingUser`, `allowed_portal`): values that are missing
    /// are added by `mgmt`, values that are too many are deleted where the file names the attribute or is to
    /// be the whole truth.
    pub(super) fn multiple(
        &mut self,
        phase: Phase,
        path: &str,
        at: Several<'_>,
        live: &LiveAttrs,
        wanted: &Attributes,
    ) {
        let Several { mgmt, target, names } = at;
        for name in names {
            let wanted = wanted.all(name);
            // A file that does not name it wants what is there, unless it is to be the whole truth.
            if wanted.is_empty() && !self.policy.prune {
                continue;
            }
            let base = |n: &str| n.trim_end_matches(|c: char| c.is_ascii_digit()) == name;
            let have: Vec<&Value> =
                live.iter().filter(|(n, _)| base(n)).filter_map(|(_, a)| a.value.as_ref()).collect();
            let command = |add: bool, value: &str| Write::command(mgmt, &several(target, name, value, add));
            let secret = crate::attributes::is_secret(name);
            let mut steps = Vec::new();
            for value in have.iter().filter(|v| !wanted.contains(v)) {
                // A user is deleted by name.
                let text = value.expose();
                let gone = if secret { text.split_whitespace().next().unwrap_or("") } else { text };
                steps.push(Step { write: command(false, gone), undo: vec![command(true, text)] });
            }
            for value in wanted.iter().filter(|v| !have.contains(v)) {
                let text = value.expose();
                let gone = if secret { text.split_whitespace().next().unwrap_or("") } else { text };
                steps.push(Step { write: command(true, text), undo: vec![command(false, gone)] });
            }
            if let Some(why) = wanted.iter().find_map(|v| chap_fault(name, v.expose())) {
                self.blocked(phase, path, Some(name), why);
            } else if !steps.is_empty() {
                let from: Vec<String> = have.iter().map(ToString::to_string).collect();
                let to: Vec<String> = wanted.iter().map(ToString::to_string).collect();
                let op = Op::new(path, Action::Change).attribute(name);
                self.push(phase, op.values(Some(from.join(", ")), Some(to.join(", "))), steps);
            }
        }
    }
}

/// Why the kernel would refuse a CHAP pair; the words never hold the secret.
fn chap_fault(name: &str, value: &str) -> Option<String> {
    if !crate::attributes::is_secret(name) {
        return None;
    }
    let words: Vec<&str> = value.split_whitespace().collect();
    match words.as_slice() {
        [_, password] if password.len() >= 12 => None,
        [user, _] => Some(format!("the password of `{user}` has less than 12 characters")),
        _ => Some("a CHAP user is a name and a password without blanks".to_owned()),
    }
}

fn several(target: Option<&str>, name: &str, value: &str, add: bool) -> Command {
    let (name, value) = (name.to_owned(), value.to_owned());
    match (target.map(str::to_owned), add) {
        (None, true) => Command::AddAttribute { name, value },
        (None, false) => Command::DelAttribute { name, value },
        (Some(target), true) => Command::AddTargetAttribute { target, name, value },
        (Some(target), false) => Command::DelTargetAttribute { target, name, value },
    }
}

#[cfg(test)]
mod tests {
    use super::same;

    #[test]
    fn the_kernels_way_of_writing_a_value_is_no_difference() {
        let n = |a, b| same("threads", a, b);
        assert!(n("0x1234", "4660") && n("010", "8") && same("addr_method", "flat", "FLAT"));
        assert!(same("HeaderDigest", "CRC32C,None", "None,CRC32C") && n(" a ", "a"));
        assert!(n("10.0.0.9:3260 temp", "10.0.0.9 temp") && n("[::1] perm", "[::1]:3260 perm"));
        assert!(!n("10.0.0.9:3261 temp", "10.0.0.9 temp"));
        assert!(!n("1", "2") && !n("a", "b") && !n("", "0") && !n("-1", "1"));
        // Identifiers are digits, with `0x` or without; texts are texts.
        assert!(same("naa_id", "0x6001405ABC", "6001405abc") && !same("naa_id", "10", "0xa"));
        assert!(!same("prod_id", "DISK", "disk") && !same("usn", "010", "8"));
        assert!(!same("filename", "/srv/A", "/srv/a") && !same("comment", "a,b", "b,a"));
    }
}
