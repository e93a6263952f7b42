//! What the file does not name: removed with `--prune`, listed without.
use super::attrs::{set, text};
use super::luns::Place;
use super::{Op, Phase, Planner, sessions_text, users};
use crate::attributes::Value;
use crate::live::{LiveAttrs, LiveGroup, LiveTarget};
use crate::mgmt::Command;
use crate::name::{AluaGroupName, DeviceName, DriverName, GroupName, TargetName};
use crate::plan::{Action, Class, Step, Write};

/// Writes that give an object its saved attributes back; `several` go through `mgmt`.
fn restore(dir: &str, attributes: &LiveAttrs, mgmt: Option<(&str, &str)>) -> Vec<Write> {
    let mut writes = Vec::new();
    for (name, attr) in attributes.iter().filter(|(n, a)| a.key && a.writable && n.as_str() != "enabled") {
        let Some(value) = &attr.value else { continue };
        let base = name.trim_end_matches(|c: char| c.is_ascii_digit());
        let several = matches!(base, "IncomingUser" | "OutgoingUser" | "allowed_portal");
        writes.push(match mgmt.filter(|_| several) {
            Some((file, target)) => {
                let (target, name) = (target.to_owned(), base.to_owned());
                Write::command(
                    file,
                    &Command::AddTargetAttribute { target, name, value: value.expose().to_owned() },
                )
            }
            None => set(format!("{dir}/{name}"), name, value.expose()),
        });
    }
    writes
}

impl Planner<'_> {
    pub(super) fn prune(&mut self) {
        self.prune_alua();
        let drivers: Vec<DriverName> = self.live.drivers.keys().cloned().collect();
        for driver in drivers.iter().filter(|d| d.as_str() != "copy_manager") {
            let targets = self.live.drivers.get(driver).map(|d| d.targets.clone()).unwrap_or_default();
            for (name, live) in targets {
                self.prune_target(driver, &name, &live);
            }
        }
        let wanted = |name: &DeviceName| self.wanted.handlers.values().any(|h| h.devices.contains_key(name));
        let devices = self.live.devices.iter().filter(|(name, _)| !wanted(name));
        let devices: Vec<_> = devices.filter_map(|(n, d)| Some((n.clone(), d.handler.clone()?))).collect();
        for (name, handler) in devices {
            let path = super::devices::path(&handler, &name);
            if self.goes(&path) {
                self.remove_device(&handler, &name, None);
            }
        }
    }

    /// Whether an object that the file does not name is to go; else it is listed.
    fn goes(&mut self, path: &str) -> bool {
        if self.policy.prune && self.selected(path) {
            return true;
        }
        self.unmanaged.push(path.to_owned());
        false
    }

    fn prune_target(&mut self, driver: &DriverName, name: &TargetName, live: &LiveTarget) {
        let wanted = self.wanted.drivers.get(driver).and_then(|d| d.targets.get(name)).cloned();
        let path = format!("{driver}/{name}");
        let Some(wanted) = wanted else {
            let hardware = text(&live.attributes, "hw_target") == "1";
            let fixed = hardware || !self.live.drivers.get(driver).is_some_and(|d| d.has_mgmt);
            if self.goes(&path) {
                if fixed {
                    self.empty_target(driver, name, live);
                } else {
                    self.remove_target(driver, name, live);
                }
            }
            return;
        };
        for lun in live.luns.keys().filter(|l| !wanted.luns.contains_key(l)) {
            if self.goes(&format!("{path}/lun/{lun}")) {
                self.remove_lun(driver, name, None, *lun);
            }
        }
        for (group, live_group) in &live.groups {
            let at = Place { driver, target: name, group: Some(group) };
            match wanted.groups.get(group) {
                None if self.goes(&at.path()) => {
                    self.remove_group(driver, name, live, group, live_group, false);
                }
                None => {}
                Some(wanted) => {
                    for lun in live_group.luns.keys().filter(|l| !wanted.luns.contains_key(l)) {
                        if self.goes(&format!("{}/lun/{lun}", at.path())) {
                            self.remove_lun(driver, name, Some(group), *lun);
                        }
                    }
                    for initiator in live_group.initiators.difference(&wanted.initiators) {
                        if self.goes(&format!("{}/ini/{initiator}", at.path())) {
                            self.remove_initiator(at, live, initiator);
                        }
                    }
                }
            }
        }
    }

    fn remove_initiator(&mut self, at: Place<'_>, live: &LiveTarget, initiator: &crate::name::InitiatorName) {
        let mgmt = format!("{}/initiators/mgmt", at.dir());
        let name = initiator.to_string();
        let used: Vec<String> = live
            .sessions
            .iter()
            .filter(|(_, s)| s.group.as_deref() == at.group.map(GroupName::as_str) && s.initiator == name)
            .map(|(n, _)| n.clone())
            .collect();
        let mut op = Op::new(format!("{}/ini/{initiator}", at.path()), Action::Remove);
        if !used.is_empty() {
            op = op.class(Class::Destructive, format!("{} lose the group's LUNs", sessions_text(&used)));
        }
        let step = Step {
            write: Write::command(mgmt.clone(), &Command::Del { name: name.clone() }),
            undo: vec![Write::command(mgmt, &Command::Add { name })],
        };
        self.push(Phase::RemoveGroups, op, vec![step]);
    }

    /// `closed` tells that the target was disabled before, so that no session is left.
    fn remove_group(
        &mut self,
        driver: &DriverName,
        target: &TargetName,
        live: &LiveTarget,
        name: &GroupName,
        group: &LiveGroup,
        closed: bool,
    ) {
        let at = Place { driver, target, group: Some(name) };
        let used = users(live, Some(name.as_str()));
        if !used.is_empty() && !closed {
            let why = format!("{} are in it; log them out or disable the target first", sessions_text(&used));
            let op = Op::new(at.path(), Action::Remove).class(Class::Blocked, why);
            self.push(Phase::RemoveGroups, op, Vec::new());
            return;
        }
        for lun in group.luns.keys() {
            self.remove_lun(driver, target, Some(name), *lun);
        }
        let mgmt = format!("targets/{driver}/{target}/ini_groups/mgmt");
        let mut undo = vec![Write::command(mgmt.clone(), &Command::Create { name: name.to_string() })];
        undo.extend(restore(&at.dir(), &group.attributes, None));
        let initiators = format!("{}/initiators/mgmt", at.dir());
        undo.extend(
            group
                .initiators
                .iter()
                .map(|i| Write::command(initiators.clone(), &Command::Add { name: i.to_string() })),
        );
        let write = Write::command(mgmt, &Command::Del { name: name.to_string() });
        self.push(Phase::RemoveGroups, Op::new(at.path(), Action::Remove), vec![Step { write, undo }]);
        if let Some(target) = self.live.drivers.get_mut(driver).and_then(|d| d.targets.get_mut(target)) {
            target.groups.remove(name);
        }
    }

    fn disable(&mut self, driver: &DriverName, name: &TargetName, live: &LiveTarget) -> bool {
        if text(&live.attributes, "enabled") != "1" {
            return false;
        }
        let file = format!("targets/{driver}/{name}/enabled");
        let mut op = Op::new(format!("{driver}/{name}"), Action::Change)
            .attribute("enabled")
            .values(Some("1".to_owned()), Some("0".to_owned()));
        op = op.class(Class::Disruptive, "initiators cannot reach it any more");
        if !live.sessions.is_empty() {
            let sessions: Vec<String> = live.sessions.keys().cloned().collect();
            op = op.class(Class::Destructive, format!("{} are closed", sessions_text(&sessions)));
        }
        let step = Step { write: Write::new(file.clone(), "0"), undo: vec![Write::new(file, "1")] };
        self.push(Phase::Disable, op, vec![step]);
        true
    }

    /// A port of a card stays; its LUNs and groups go, and it is disabled.
    fn empty_target(&mut self, driver: &DriverName, name: &TargetName, live: &LiveTarget) {
        let closed = self.disable(driver, name, live);
        for lun in live.luns.keys() {
            self.remove_lun(driver, name, None, *lun);
        }
        for (group, live_group) in &live.groups {
            self.remove_group(driver, name, live, group, live_group, closed);
        }
    }

    fn remove_target(&mut self, driver: &DriverName, name: &TargetName, live: &LiveTarget) {
        let path = format!("{driver}/{name}");
        if !live.sessions.is_empty() && !live.attributes.contains_key("enabled") {
            // scst_local: the kernel takes target and sessions at once.
            let sessions: Vec<String> = live.sessions.keys().cloned().collect();
            let why = format!("{} are closed", sessions_text(&sessions));
            self.drop_target(
                driver,
                name,
                live,
                Op::new(&path, Action::Remove).class(Class::Destructive, why),
            );
            return;
        }
        self.empty_target(driver, name, live);
        self.drop_target(
            driver,
            name,
            live,
            Op::new(&path, Action::Remove).class(Class::Disruptive, "the target is not in the file"),
        );
    }

    fn drop_target(&mut self, driver: &DriverName, name: &TargetName, live: &LiveTarget, op: Op) {
        // scst_local's LUNs and groups go before it, too.
        if !live.attributes.contains_key("enabled") {
            for lun in live.luns.keys() {
                self.remove_lun(driver, name, None, *lun);
            }
            for (group, live_group) in &live.groups {
                self.remove_group(driver, name, live, group, live_group, false);
            }
        }
        self.leave_target_groups(name);
        let mgmt = format!("targets/{driver}/mgmt");
        let mut undo = vec![Write::command(
            mgmt.clone(),
            &Command::AddTarget { name: name.to_string(), parameters: Vec::new() },
        )];
        undo.extend(restore(
            &format!("targets/{driver}/{name}"),
            &live.attributes,
            Some((&mgmt, name.as_str())),
        ));
        let write = Write::command(mgmt, &Command::DelTarget { name: name.to_string() });
        self.push(Phase::RemoveTargets, op, vec![Step { write, undo }]);
        if let Some(driver) = self.live.drivers.get_mut(driver) {
            driver.targets.remove(name);
        }
    }

    /// A local target that goes leaves its target groups first, each a step of its own. An entry with an id
    /// of its own is none of this box's targets for SCST, and stays.
    fn leave_target_groups(&mut self, target: &TargetName) {
        for (group, tg, _) in self.memberships(target).into_iter().filter(|(.., foreign)| !foreign) {
            self.leave_target_group(&group, &tg, target);
        }
    }

    /// The target groups that name a target, and whether SCST takes it for one of another box there.
    pub(super) fn memberships(&self, target: &TargetName) -> Vec<(AluaGroupName, AluaGroupName, bool)> {
        let mut found = Vec::new();
        for (group, live) in &self.live.device_groups {
            for (tg, live) in &live.target_groups {
                if let Some(attributes) = live.targets.get(target) {
                    found.push((group.clone(), tg.clone(), !attributes.is_empty()));
                }
            }
        }
        found
    }

    pub(super) fn leave_target_group(
        &mut self,
        group: &AluaGroupName,
        tg: &AluaGroupName,
        target: &TargetName,
    ) {
        let dir = format!("device_groups/{group}/target_groups/{tg}");
        let mgmt = format!("{dir}/mgmt");
        let held = self.live.device_groups.get_mut(group).and_then(|g| g.target_groups.get_mut(tg));
        let attributes = held.and_then(|g| g.targets.remove(target)).unwrap_or_default();
        let mut undo = vec![Write::command(mgmt.clone(), &Command::Add { name: target.to_string() })];
        // An id of 0 is the one that a target of another box starts with; it cannot be written.
        let id = text(&attributes, "rel_tgt_id");
        if !id.is_empty() && id != "0" {
            undo.push(Write::new(format!("{dir}/{target}/rel_tgt_id"), id));
        }
        let write = Write::command(mgmt, &Command::Del { name: target.to_string() });
        let op = Op::new(format!("dgrp/{group}/tgrp/{tg}/tgt/{target}"), Action::Remove);
        self.push(Phase::RemoveAlua, op, vec![Step { write, undo }]);
    }

    fn prune_alua(&mut self) {
        for (name, live) in self.live.device_groups.clone() {
            let wanted = self.wanted.device_groups.get(&name).cloned();
            let path = format!("dgrp/{name}");
            if wanted.is_none() && !self.goes(&path) {
                continue;
            }
            let gone = wanted.is_none();
            let wanted = wanted.unwrap_or_default();
            for (tg, live) in &live.target_groups {
                let path = format!("{path}/tgrp/{tg}");
                let kept = wanted.target_groups.get(tg);
                for target in
                    live.targets.keys().filter(|t| !kept.is_some_and(|k| k.targets.contains_key(*t)))
                {
                    let moves =
                        wanted.target_groups.iter().any(|(n, g)| n != tg && g.targets.contains_key(target));
                    if !moves && (gone || self.goes(&format!("{path}/tgt/{target}"))) {
                        self.leave_target_group(&name, tg, target);
                    }
                }
                if kept.is_none() && (gone || self.goes(&path)) {
                    self.remove_target_group(&name, tg);
                }
            }
            for device in live.devices.difference(&wanted.devices) {
                let moves =
                    self.wanted.device_groups.iter().any(|(n, g)| *n != name && g.devices.contains(device));
                if gone || (!moves && self.goes(&format!("{path}/dev/{device}"))) {
                    let mgmt = format!("device_groups/{name}/devices/mgmt");
                    let step = Step {
                        write: Write::command(mgmt.clone(), &Command::Del { name: device.to_string() }),
                        undo: vec![Write::command(mgmt, &Command::Add { name: device.to_string() })],
                    };
                    self.push(
                        Phase::RemoveAlua,
                        Op::new(format!("{path}/dev/{device}"), Action::Remove),
                        vec![step],
                    );
                    if let Some(group) = self.live.device_groups.get_mut(&name) {
                        group.devices.remove(device);
                    }
                }
            }
            if gone {
                let mgmt = "device_groups/mgmt";
                let step = Step {
                    write: Write::command(mgmt, &Command::Del { name: name.to_string() }),
                    undo: vec![Write::command(mgmt, &Command::Create { name: name.to_string() })],
                };
                self.push(Phase::RemoveAlua, Op::new(&path, Action::Remove), vec![step]);
                self.live.device_groups.remove(&name);
            }
        }
    }

    fn remove_target_group(&mut self, group: &AluaGroupName, tg: &AluaGroupName) {
        let groups = format!("device_groups/{group}/target_groups");
        let live = self.live.device_groups.get_mut(group).and_then(|g| g.target_groups.remove(tg));
        let Some(live) = live else { return };
        // Targets that move to another group of the file go with this one; they come back with it.
        let mgmt = format!("{groups}/mgmt");
        let dir = format!("{groups}/{tg}");
        let mut undo = vec![Write::command(mgmt.clone(), &Command::Create { name: tg.to_string() })];
        // Its state comes last, and what that does to devices is put right.
        let state = live.attributes.get("state").and_then(|a| a.value.as_ref()).map(Value::expose);
        let mut others = live.attributes.clone();
        others.remove("state");
        undo.extend(restore(&dir, &others, None));
        for (target, attributes) in &live.targets {
            undo.push(Write::command(format!("{dir}/mgmt"), &Command::Add { name: target.to_string() }));
            let id = text(attributes, "rel_tgt_id");
            if !id.is_empty() && id != "0" {
                undo.push(Write::new(format!("{dir}/{target}/rel_tgt_id"), id));
            }
        }
        // A new group is `active`.
        if let Some(state) = state.filter(|s| *s != "active") {
            undo.push(set(format!("{dir}/state"), "state", state));
            undo.extend(self.reopen(group));
        }
        let write = Write::command(mgmt, &Command::Del { name: tg.to_string() });
        self.push(
            Phase::RemoveAlua,
            Op::new(format!("dgrp/{group}/tgrp/{tg}"), Action::Remove),
            vec![Step { write, undo }],
        );
    }
}
