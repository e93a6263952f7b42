//! Device groups and target groups.
use super::attrs::{set, text};
use super::bound::StateChange;
use super::{Op, Phase, Planner};
use crate::attributes::Value;
use crate::live::LiveDeviceGroup;
use crate::mgmt::Command;
use crate::model::{DeviceGroup, TargetGroup};
use crate::name::{AluaGroupName, DeviceName, TargetName};
use crate::plan::{Action, Class, Step, Write};

fn add(name: &str) -> Command {
    Command::Add { name: name.to_owned() }
}

fn del(name: &str) -> Command {
    Command::Del { name: name.to_owned() }
}

fn step(mgmt: &str, write: &Command, undo: &Command) -> Step {
    Step { write: Write::command(mgmt, write), undo: vec![Write::command(mgmt, undo)] }
}

impl Planner<'_> {
    pub(super) fn alua(&mut self) {
        for (name, wanted) in self.wanted.device_groups.clone() {
            self.device_group(&name, &wanted);
        }
    }

    fn device_group(&mut self, name: &AluaGroupName, wanted: &DeviceGroup) {
        let path = format!("dgrp/{name}");
        let now = self.live.device_groups.get(name).cloned();
        if now.is_none() {
            let create = Command::Create { name: name.to_string() };
            self.push(
                Phase::Alua,
                Op::new(&path, Action::Add),
                vec![step("device_groups/mgmt", &create, &del(name.as_str()))],
            );
            if !self.selected(&path) {
                return;
            }
        }
        let now = now.unwrap_or_default();
        let mgmt = format!("device_groups/{name}/devices/mgmt");
        for device in wanted.devices.iter().filter(|d| !now.devices.contains(*d)) {
            let path = format!("{path}/dev/{device}");
            if !self.live.devices.contains_key(device) {
                self.waits(&path, format!("device {device} is not there"), Some(device));
                continue;
            }
            // A device is in one group only.
            let other =
                self.live.device_groups.iter().find(|(n, g)| *n != name && g.devices.contains(device));
            if let Some(other) = other.map(|(n, _)| n.clone()) {
                self.leave_device_group(&other, device);
            }
            self.push(
                Phase::Alua,
                Op::new(&path, Action::Add),
                vec![step(&mgmt, &add(device.as_str()), &del(device.as_str()))],
            );
        }
        for (tg, wanted) in &wanted.target_groups {
            self.target_group(name, &now, tg, wanted);
        }
    }

    fn leave_device_group(&mut self, group: &AluaGroupName, device: &DeviceName) {
        let mgmt = format!("device_groups/{group}/devices/mgmt");
        let op = Op::new(format!("dgrp/{group}/dev/{device}"), Action::Remove)
            .class(Class::Disruptive, "initiators lose its ALUA state until it is in a group again");
        self.push(Phase::RemoveAlua, op, vec![step(&mgmt, &del(device.as_str()), &add(device.as_str()))]);
        if let Some(group) = self.live.device_groups.get_mut(group) {
            group.devices.remove(device);
        }
    }

    pub(super) fn leave_device_groups(&mut self, device: &DeviceName) {
        let groups: Vec<_> = self
            .live
            .device_groups
            .iter()
            .filter(|(_, g)| g.devices.contains(device))
            .map(|(n, _)| n.clone())
            .collect();
        for group in groups {
            self.leave_device_group(&group, device);
        }
    }

    fn target_group(
        &mut self,
        group: &AluaGroupName,
        live: &LiveDeviceGroup,
        name: &AluaGroupName,
        wanted: &TargetGroup,
    ) {
        let path = format!("dgrp/{group}/tgrp/{name}");
        let groups = format!("device_groups/{group}/target_groups");
        let dir = format!("{groups}/{name}");
        let now = live.target_groups.get(name);
        if now.is_none() {
            let create = Command::Create { name: name.to_string() };
            let mgmt = format!("{groups}/mgmt");
            self.push(
                Phase::Alua,
                Op::new(&path, Action::Add),
                vec![step(&mgmt, &create, &del(name.as_str()))],
            );
            if !self.selected(&path) {
                return;
            }
        }
        // Its id first: initiators must not see a state under another group's id. The state comes last.
        let mut first = wanted.attributes.clone();
        let state = first.get("state").map(|v| v.expose().to_owned());
        first.remove("state");
        let attributes = now.map(|g| &g.attributes);
        self.attributes(Phase::Alua, &path, &dir, attributes, &first, |op| op);
        for (target, wanted) in &wanted.targets {
            self.group_target(group, live, name, target, wanted);
        }
        if let Some(state) = state {
            let mut only = crate::attributes::Attributes::new();
            only.set("state", state.clone());
            // Nobody notices where no initiator is logged in to a target of the group.
            let named = |target: &TargetName| wanted.targets.contains_key(target);
            let mut targets = self.live.drivers.values().flat_map(|d| &d.targets);
            let used = targets.any(|(name, t)| {
                let held = now.is_some_and(|g| g.targets.contains_key(name));
                (named(name) || held) && !t.sessions.is_empty()
            });
            let class = |op: Op| match state.as_str() {
                "active" | "nonoptimized" => op,
                _ if !used => op,
                _ => op.class(Class::Disruptive, format!("paths through this group become {state}")),
            };
            let before = self.operations.len();
            self.attributes(Phase::Alua, &path, &dir, attributes, &only, class);
            if self.operations.len() > before {
                let held = self.live.device_groups.get(group).and_then(|g| g.target_groups.get(name));
                let held = held.into_iter().flat_map(|g| g.targets.keys());
                let targets = held.chain(wanted.targets.keys()).cloned().collect();
                let from = now.map_or("active", |g| text(&g.attributes, "state"));
                let change = StateChange { group, path: &path, from, to: &state, targets: &targets };
                self.binds(&change);
            }
        }
    }

    fn group_target(
        &mut self,
        group: &AluaGroupName,
        live: &LiveDeviceGroup,
        name: &AluaGroupName,
        target: &TargetName,
        wanted: &crate::attributes::Attributes,
    ) {
        let path = format!("dgrp/{group}/tgrp/{name}/tgt/{target}");
        let dir = format!("device_groups/{group}/target_groups/{name}");
        let local = self.is_local(target);
        let held = self.live.device_groups.get(group).and_then(|g| g.target_groups.get(name));
        let there = held.and_then(|g| g.targets.get(target)).cloned();
        if local && there.as_ref().is_some_and(|a| !a.is_empty()) {
            // Its entry is older than the target itself, so SCST takes it for one of another box.
            let mgmt = format!("{dir}/mgmt");
            let why = "SCST takes it for a target of another box until it is named anew";
            let op = Op::new(&path, Action::Change).class(Class::Disruptive, why);
            let renew = |command: &Command| Step { write: Write::command(&mgmt, command), undo: Vec::new() };
            let back = step(&mgmt, &del(target.as_str()), &add(target.as_str()));
            self.push(Phase::Alua, op, vec![back, renew(&add(target.as_str()))]);
            return;
        }
        if there.is_none() {
            // A target is in one group of a device group only.
            let other = live.target_groups.iter().find(|(n, g)| *n != name && g.targets.contains_key(target));
            let mut steps = Vec::new();
            if let Some((other, held)) = other {
                let mgmt = format!("device_groups/{group}/target_groups/{other}/mgmt");
                let mut undo = vec![Write::command(mgmt.clone(), &add(target.as_str()))];
                if let Some(id) = held
                    .targets
                    .get(target)
                    .map(|a| text(a, "rel_tgt_id"))
                    .filter(|id| !id.is_empty() && *id != "0")
                {
                    undo.push(set(
                        format!("device_groups/{group}/target_groups/{other}/{target}/rel_tgt_id"),
                        "rel_tgt_id",
                        id,
                    ));
                }
                steps.push(Step { write: Write::command(mgmt, &del(target.as_str())), undo });
            }
            steps.push(step(&format!("{dir}/mgmt"), &add(target.as_str()), &del(target.as_str())));
            self.push(Phase::Alua, Op::new(&path, Action::Add), steps);
            if !self.selected(&path) {
                return;
            }
        }
        // A target of this box has its id itself; only those of other boxes have one here.
        if !local {
            let mut attributes = wanted.clone();
            if attributes.get("rel_tgt_id").map(Value::expose) == Some("0") {
                attributes.remove("rel_tgt_id");
            }
            self.attributes(
                Phase::Alua,
                &path,
                &format!("{dir}/{target}"),
                there.as_ref(),
                &attributes,
                |op| op,
            );
        }
    }
}
