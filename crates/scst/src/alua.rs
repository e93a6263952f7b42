//! ALUA for two boxes: do their configurations fit, and the safe way from one to the other.
use crate::attributes::{Attributes, Value};
use crate::live::Live;
use crate::model::{Config, DeviceGroup};
use crate::name::{AluaGroupName, DeviceName, TargetName};
use crate::plan::Write;
use std::collections::BTreeMap;

/// What does not fit between two boxes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Misfit {
    /// A stable word: `group-missing`, `group-id`, `device-identity`, …
    pub code: &'static str,
    /// The object.
    pub path: String,
    /// What is wrong, and with what it would be right.
    pub message: String,
}

fn value<'a>(attributes: &'a Attributes, name: &str) -> &'a str {
    attributes.get(name).map_or("", Value::expose)
}

/// All that does not fit between the configurations of two boxes that serve the same devices: initiators
/// take two paths for the same disk only if identities, ids and groups agree.
#[must_use]
pub fn lint(one: &Config, other: &Config) -> Vec<Misfit> {
    let mut lint = Lint { one, other, found: Vec::new() };
    for (name, group) in &one.device_groups {
        match other.device_groups.get(name) {
            Some(theirs) => lint.group(name, group, theirs),
            None => {
                lint.say("group-missing", format!("dgrp/{name}"), "the other box has no such device group");
            }
        }
    }
    for name in other.device_groups.keys().filter(|n| !one.device_groups.contains_key(*n)) {
        lint.say("group-missing", format!("dgrp/{name}"), "the one box has no such device group");
    }
    if one.device_groups.is_empty() && other.device_groups.is_empty() {
        lint.say("no-groups", "dgrp".to_owned(), "neither box has a device group; paths have no states");
    }
    lint.found
}

struct Lint<'c> {
    one: &'c Config,
    other: &'c Config,
    found: Vec<Misfit>,
}

impl Lint<'_> {
    fn say(&mut self, code: &'static str, path: String, message: impl Into<String>) {
        self.found.push(Misfit { code, path, message: message.into() });
    }

    fn group(&mut self, name: &AluaGroupName, one: &DeviceGroup, other: &DeviceGroup) {
        let path = format!("dgrp/{name}");
        for device in one.devices.symmetric_difference(&other.devices) {
            let has = if one.devices.contains(device) { "the other" } else { "the one" };
            self.say("device-missing", format!("{path}/dev/{device}"), format!("{has} box's group lacks it"));
        }
        for device in one.devices.intersection(&other.devices) {
            self.device(&path, device);
        }
        let mut ids: BTreeMap<&str, &AluaGroupName> = BTreeMap::new();
        for (tg, group) in &one.target_groups {
            let at = format!("{path}/tgrp/{tg}");
            let id = value(&group.attributes, "group_id");
            if let Some(twin) = ids.insert(id, tg) {
                self.say("group-id", at.clone(), format!("{twin} has the same group_id {id}"));
            }
            let Some(theirs) = other.target_groups.get(tg) else {
                self.say("target-group-missing", at, "the other box has no such target group");
                continue;
            };
            let other_id = value(&theirs.attributes, "group_id");
            if id != other_id {
                self.say(
                    "group-id",
                    at.clone(),
                    format!("group_id is {id} here and {other_id} on the other box"),
                );
            }
            let states = [&group.attributes, &theirs.attributes].map(|a| value(a, "state").to_owned());
            if let [here, there] = &states
                && here != there
            {
                self.say("state", at.clone(), format!("state is {here} here and {there} on the other box"));
            }
            for target in group.targets.keys().filter(|t| !theirs.targets.contains_key(*t)) {
                self.say("target-missing", format!("{at}/tgt/{target}"), "the other box does not name it");
            }
            for (target, foreign) in &theirs.targets {
                let at = format!("{at}/tgt/{target}");
                match group.targets.get(target) {
                    None => self.say("target-missing", at, "the one box does not name it"),
                    Some(own) => self.target(at, target, own, foreign),
                }
            }
        }
        for tg in other.target_groups.keys().filter(|t| !one.target_groups.contains_key(*t)) {
            self.say(
                "target-group-missing",
                format!("{path}/tgrp/{tg}"),
                "the one box has no such target group",
            );
        }
        self.relative_ids(&path, one);
    }

    /// The id that a box gives its own target must be the one that the other box tells initiators.
    fn target(&mut self, path: String, target: &TargetName, one: &Attributes, other: &Attributes) {
        let own = |config: &Config| {
            let found = config.drivers.values().find_map(|d| d.targets.get(target));
            found.map(|t| value(&t.attributes, "rel_tgt_id").to_owned())
        };
        for (here, there, told) in
            [(own(self.one), own(self.other), other), (own(self.other), own(self.one), one)]
        {
            let (Some(id), None) = (here, there) else { continue };
            let told = value(told, "rel_tgt_id");
            if id.is_empty() {
                self.say("relative-id", path.clone(), "its box gives it no rel_tgt_id, so it can change");
            } else if id != told {
                let message = format!("its box gives it rel_tgt_id {id}, the other box says {told}");
                self.say("relative-id", path.clone(), message);
            }
        }
    }

    fn relative_ids(&mut self, path: &str, group: &DeviceGroup) {
        let mut seen: BTreeMap<String, TargetName> = BTreeMap::new();
        for target in group.target_groups.values().flat_map(|g| g.targets.keys()) {
            for config in [self.one, self.other] {
                let own = config.drivers.values().find_map(|d| d.targets.get(target));
                let Some(id) = own.map(|t| value(&t.attributes, "rel_tgt_id")).filter(|id| !id.is_empty())
                else {
                    continue;
                };
                if let Some(twin) = seen.insert(id.to_owned(), target.clone()).filter(|t| t != target) {
                    let message = format!("{twin} and {target} have the same rel_tgt_id {id}");
                    self.say("relative-id", path.to_owned(), message);
                }
            }
        }
    }

    fn device(&mut self, path: &str, device: &DeviceName) {
        let find = |config: &Config| {
            let found = config.handlers.values().find_map(|h| h.devices.get(device));
            found.map(|d| d.attributes.clone())
        };
        let (Some(one), Some(other)) = (find(self.one), find(self.other)) else {
            self.say("device-missing", format!("{path}/dev/{device}"), "a box does not configure the device");
            return;
        };
        for name in [
            "t10_dev_id",
            "naa_id",
            "eui64_id",
            "usn",
            "scsi_device_name",
            "blocksize",
            "prod_id",
            "t10_vend_id",
        ] {
            let (here, there) = (value(&one, name), value(&other, name));
            let path = format!("{path}/dev/{device}");
            if here != there {
                let shown = |v: &str| if v.is_empty() { "not given".to_owned() } else { v.to_owned() };
                let message = format!(
                    "{name} is {} here and {} on the other box; initiators see two disks",
                    shown(here),
                    shown(there)
                );
                self.say("device-identity", path, message);
            } else if here.is_empty() && name == "t10_dev_id" && value(&one, "naa_id").is_empty() {
                let message = "neither t10_dev_id nor naa_id is given: each box makes one up";
                self.say("device-identity", path, message);
            }
        }
    }
}

/// On which box a step is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "lowercase"))]
pub enum Box {
    /// The one whose paths are active now.
    Old,
    /// The one whose paths become active.
    New,
    /// Both.
    Both,
}

/// One step of the way.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct AluaStep {
    /// Where.
    pub on: Box,
    /// What happens.
    pub what: String,
    /// Writes below `/sys/kernel/scst_tgt`; none where another tool acts.
    pub writes: Vec<Write>,
}

/// Why there is no way.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AluaError {
    /// There is no such group.
    #[error("there is no device group {group}")]
    NoGroup {
        /// Its name.
        group: String,
    },
    /// There is no such target group.
    #[error("the device group {group} has no target group {target_group}; it has {has}")]
    NoTargetGroup {
        /// The device group.
        group: String,
        /// The target group's name.
        target_group: String,
        /// Those that it has.
        has: String,
    },
}

/// The safe sequence that makes a target group the active one, in the order that SCST's documentation
/// recommends: commands are held and the paths transitioning before the data moves, and initiators hear
/// of the new active path only when it serves.
///
/// # Errors
/// [`AluaError`] where the groups are not there.
pub fn takeover(live: &Live, group: &str, active: &str, others: &str) -> Result<Vec<AluaStep>, AluaError> {
    let found = live.device_groups.iter().find(|(n, _)| n.as_str() == group);
    let (_, found) = found.ok_or_else(|| AluaError::NoGroup { group: group.to_owned() })?;
    if !found.target_groups.keys().any(|t| t.as_str() == active) {
        let has: Vec<&str> = found.target_groups.keys().map(AluaGroupName::as_str).collect();
        return Err(AluaError::NoTargetGroup {
            group: group.to_owned(),
            target_group: active.to_owned(),
            has: has.join(", "),
        });
    }
    let devices: Vec<&DeviceName> = found.devices.iter().collect();
    let each = |name: &str, value: &str| -> Vec<Write> {
        // A device without a backing store has nothing to close.
        let has = |d: &&&DeviceName| live.devices.get(**d).is_some_and(|d| d.attributes.contains_key(name));
        devices.iter().filter(has).map(|d| Write::new(format!("devices/{d}/{name}"), value)).collect()
    };
    let state =
        |tg: &str, value: &str| Write::new(format!("device_groups/{group}/target_groups/{tg}/state"), value);
    let all = |value: &dyn Fn(&str) -> String| -> Vec<Write> {
        found.target_groups.keys().map(|t| state(t.as_str(), &value(t.as_str()))).collect()
    };
    let step = |on, what: &str, writes| AluaStep { on, what: what.to_owned(), writes };
    let ends = |tg: &str| if tg == active { "active".to_owned() } else { others.to_owned() };
    Ok(vec![
        step(Box::Both, "hold new commands; wait until those under way are done", each("block", "1")),
        step(Box::Both, "tell initiators that paths change", all(&|_| "transitioning".to_owned())),
        step(Box::Old, "close the backing devices", each("active", "0")),
        step(Box::Old, "give the data up (DRBD: secondary)", Vec::new()),
        step(Box::New, "take the data (DRBD: primary)", Vec::new()),
        step(Box::New, "open the backing devices", each("active", "1")),
        step(Box::New, "the new states", all(&ends)),
        step(Box::Old, "the new states", all(&ends)),
        step(Box::Both, "let commands go on", each("block", "0")),
    ])
}
