//! One word for the state of a machine's SCST.
use crate::live::{Live, LiveAttrs, LiveLun};
use esos_units::Lun;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Attributes that change by themselves (an initiator reserves a device), or that say how SCST talks, not what it
/// serves.
const VOLATILE: [&str; 10] = [
    "pr_state",
    "last_sysfs_mgmt_res",
    "trace_level",
    "trace_cmds",
    "trace_mcmds",
    "tid",
    "suspend",
    "stats",
    "open_state",
    "version",
];

impl Live {
    /// SHA-256 in hex over everything that can be configured: objects, values, LUNs, groups, ALUA.
    /// Sessions, counters, the numbers of copy_manager's automatic LUNs, and whether a value is marked
    /// with `[key]` do not count.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let digest = Sha256::digest(self.canonical().as_bytes());
        digest.iter().fold(String::new(), |mut hex, byte| {
            // Writing to a string cannot fail.
            let _always = write!(hex, "{byte:02x}");
            hex
        })
    }

    /// What the fingerprint is taken of, one line a fact; for showing how two states differ. Holds
    /// secrets.
    #[must_use]
    pub fn canonical(&self) -> String {
        let mut out = Lines(String::new());
        out.attributes("", &self.attributes);
        for (name, handler) in &self.handlers {
            out.attributes(&format!("handler {name}"), &handler.attributes);
        }
        for (name, device) in &self.devices {
            let handler = device.handler.as_ref().map_or("-", |h| h.as_str());
            out.line(&format!("device {name} {handler}"), "", "");
            out.attributes(&format!("device {name}"), &device.attributes);
        }
        for (driver, live) in &self.drivers {
            out.attributes(&format!("driver {driver}"), &live.attributes);
            for (name, target) in &live.targets {
                let at = format!("target {driver} {name}");
                out.line(&at, "", "");
                out.attributes(&at, &target.attributes);
                out.luns(&at, &target.luns, driver.as_str() == "copy_manager");
                for (group, live) in &target.groups {
                    let at = format!("{at} group {group}");
                    out.line(&at, "", "");
                    out.attributes(&at, &live.attributes);
                    out.luns(&at, &live.luns, false);
                    live.initiators.iter().for_each(|i| out.line(&at, "initiator", i.as_str()));
                }
            }
        }
        for (name, group) in &self.device_groups {
            let at = format!("device group {name}");
            out.line(&at, "", "");
            group.devices.iter().for_each(|d| out.line(&at, "device", d.as_str()));
            for (tg, live) in &group.target_groups {
                let at = format!("{at} target group {tg}");
                out.line(&at, "", "");
                out.attributes(&at, &live.attributes);
                for (target, attributes) in &live.targets {
                    out.line(&at, "target", target.as_str());
                    // Which of this box's targets are older than their entry is nothing to configure.
                    if !self.drivers.values().any(|d| d.targets.contains_key(target)) {
                        out.attributes(&format!("{at} target {target}"), attributes);
                    }
                }
            }
        }
        out.0
    }
}

struct Lines(String);

impl Lines {
    fn line(&mut self, at: &str, name: &str, value: &str) {
        for part in [at, "\t", name, "\t", value, "\n"] {
            self.0.push_str(part);
        }
    }

    fn attributes(&mut self, at: &str, attributes: &LiveAttrs) {
        // Instances of one key have numbers that mean nothing.
        let mut all: Vec<(&str, &str)> = Vec::new();
        for (name, attr) in attributes {
            let counter =
                name.ends_with("_count") || name.ends_with("_count_kb") || name.contains("checks_failed");
            if let Some(value) =
                attr.value.as_ref().filter(|_| !counter && !VOLATILE.contains(&name.as_str()))
            {
                all.push((crate::live::base_name(name, attributes), value.expose()));
            }
        }
        all.sort_unstable();
        all.into_iter().for_each(|(name, value)| self.line(at, name, value));
    }

    fn luns(&mut self, at: &str, luns: &BTreeMap<Lun, LiveLun>, automatic: bool) {
        let mut all: Vec<String> = Vec::new();
        for (lun, live) in luns {
            let read_only =
                live.attributes.get("read_only").and_then(|a| a.value.as_ref()).map_or("", |v| v.expose());
            let number = if automatic { "*".to_owned() } else { lun.to_string() };
            all.push(format!("{number} {} {read_only}", live.device));
        }
        all.sort_unstable();
        all.iter().for_each(|lun| self.line(at, "lun", lun));
    }
}
