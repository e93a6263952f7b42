//! Target drivers, targets and groups of initiators.
use super::attrs::{Several, same, text};
use super::luns::Place;
use super::{Op, Phase, Planner, sessions_text};
use crate::attributes::{Attributes, Value};
use crate::live::{LiveAttrs, LiveDriver, LiveGroup, LiveTarget};
use crate::mgmt::Command;
use crate::model::{Driver, Group, Target};
use crate::name::{DriverName, GroupName, TargetName};
use crate::plan::{Action, Class, Step, Write};

impl Planner<'_> {
    pub(super) fn targets(&mut self) {
        for (name, wanted) in self.wanted.drivers.clone() {
            match self.live.drivers.get(&name).cloned() {
                Some(live) => self.driver(&name, &live, &wanted),
                None => self.waits(name.as_str(), format!("target driver {name} is not loaded"), None),
            }
        }
    }

    fn driver(&mut self, name: &DriverName, live: &LiveDriver, wanted: &Driver) {
        let path = name.as_str();
        if text(&live.attributes, "open_state") == "closed" {
            self.waits(path, "iscsi-scstd is not running".to_owned(), None);
            return;
        }
        let dir = format!("targets/{name}");
        let several: Vec<String> = live.driver_attributes.iter().cloned().collect();
        let plain = without(&wanted.attributes, &several);
        self.attributes(Phase::DriverAttributes, path, &dir, Some(&live.attributes), &plain, |op| op);
        let mgmt = format!("{dir}/mgmt");
        let at = Several { mgmt: &mgmt, target: None, names: &several };
        self.multiple(Phase::DriverAttributes, path, at, &live.attributes, &wanted.attributes);
        for (target, wanted) in &wanted.targets {
            self.target(name, live, target, wanted);
        }
        if let Some(enabled) = wanted.attributes.get("enabled").map(Value::expose) {
            let sessions: Vec<String> =
                live.targets.values().flat_map(|t| t.sessions.keys().cloned()).collect();
            self.enable(
                path,
                &dir,
                &live.attributes,
                enabled,
                (Phase::EnableDrivers, Phase::EnableDrivers),
                &sessions,
            );
        }
    }

    /// Plans `enabled` of a driver or target.
    fn enable(
        &mut self,
        path: &str,
        dir: &str,
        live: &LiveAttrs,
        wanted: &str,
        phases: (Phase, Phase),
        sessions: &[String],
    ) {
        if !live.contains_key("enabled") {
            self.blocked(phases.0, path, Some("enabled"), "it cannot be enabled or disabled");
            return;
        }
        let now = text(live, "enabled");
        if same("enabled", now, wanted) {
            return;
        }
        let mut op = Op::new(path, Action::Change)
            .attribute("enabled")
            .values(Some(now.to_owned()), Some(wanted.to_owned()));
        let on = !same("enabled", wanted, "0");
        if !on {
            op = op.class(Class::Disruptive, "initiators cannot reach it any more");
            if !sessions.is_empty() {
                op = op.class(Class::Destructive, format!("{} are closed", sessions_text(sessions)));
            }
        }
        let file = format!("{dir}/enabled");
        let mut undo = vec![Write::new(file.clone(), now)];
        // A target without a relative id gets one when it is enabled, and keeps it.
        if on && text(live, "rel_tgt_id") == "0" {
            undo.push(Write::new(format!("{dir}/rel_tgt_id"), "0"));
        }
        let step = Step { write: Write::new(file, wanted), undo };
        self.push(if on { phases.1 } else { phases.0 }, op, vec![step]);
    }

    fn target(&mut self, driver: &DriverName, live: &LiveDriver, name: &TargetName, wanted: &Target) {
        let path = format!("{driver}/{name}");
        let now = match live.targets.get(name) {
            Some(now) => now.clone(),
            None => match self.add_target(driver, live, name, wanted) {
                Some(made) => made,
                None => return,
            },
        };
        let is_new = !live.targets.contains_key(name);
        let dir = format!("targets/{driver}/{name}");
        let several: Vec<String> = live.target_attributes.iter().cloned().collect();
        let mut plain = without(&wanted.attributes, &several);
        // A session's name is given when an scst_local target is made and shown nowhere.
        plain.remove("session_name");
        let stays = wanted.attributes.get("enabled").is_none_or(|v| !same("enabled", v.expose(), "0"));
        self.rel_tgt_id(&path, &dir, &now, &mut plain, is_new || !stays);
        let attributes = if is_new { None } else { Some(&now.attributes) };
        let sessions: Vec<String> = now.sessions.keys().cloned().collect();
        let class = |op: Op| match op.attribute.as_deref() {
            Some("addr_method" | "io_grouping_type" | "cpu_mask" | "forwarding" | "redirect")
                if !sessions.is_empty() =>
            {
                op.class(
                    Class::Disruptive,
                    format!("{} have to log in again to see it", sessions_text(&sessions)),
                )
            }
            _ => op,
        };
        self.attributes(Phase::TargetAttributes, &path, &dir, attributes, &plain, class);
        let mgmt = format!("targets/{driver}/mgmt");
        let at = Several { mgmt: &mgmt, target: Some(name.as_str()), names: &several };
        self.multiple(Phase::TargetAttributes, &path, at, &now.attributes, &wanted.attributes);
        self.luns(Place { driver, target: name, group: None }, &wanted.luns);
        for (group, wanted) in &wanted.groups {
            self.group(driver, name, &now, group, wanted);
        }
        if let Some(enabled) = wanted.attributes.get("enabled").map(Value::expose) {
            let phases = (Phase::Disable, Phase::EnableTargets);
            self.enable(&path, &dir, &now.attributes, enabled, phases, &sessions);
        }
    }

    /// A relative target id changes only while its target is disabled; one that is new or is disabled
    /// anyhow needs no more than the write.
    fn rel_tgt_id(&mut self, path: &str, dir: &str, now: &LiveTarget, plain: &mut Attributes, off: bool) {
        let Some(wanted) = plain.get("rel_tgt_id").map(|v| v.expose().to_owned()) else { return };
        let live = text(&now.attributes, "rel_tgt_id").to_owned();
        if off || same("rel_tgt_id", &live, &wanted) || text(&now.attributes, "enabled") != "1" {
            return;
        }
        plain.remove("rel_tgt_id");
        let sessions: Vec<String> = now.sessions.keys().cloned().collect();
        let mut op = Op::new(path, Action::Change)
            .attribute("rel_tgt_id")
            .values(Some(live.clone()), Some(wanted.clone()));
        let why = if sessions.is_empty() {
            "the target is disabled for it".to_owned()
        } else {
            format!("the target is disabled for it; {} reconnect", sessions_text(&sessions))
        };
        op = op.class(Class::Disruptive, why);
        let write = |name: &str, value: &str| Write::new(format!("{dir}/{name}"), value);
        let step = |name: &str, value: &str, old: &str| Step {
            write: write(name, value),
            undo: vec![write(name, old)],
        };
        let steps =
            vec![step("enabled", "0", "1"), step("rel_tgt_id", &wanted, &live), step("enabled", "1", "0")];
        self.push(Phase::TargetAttributes, op, steps);
    }

    /// Makes a target; gives what it looks like then, `None` where it cannot be made now.
    fn add_target(
        &mut self,
        driver: &DriverName,
        live: &LiveDriver,
        name: &TargetName,
        wanted: &Target,
    ) -> Option<LiveTarget> {
        let path = format!("{driver}/{name}");
        if !live.has_mgmt || wanted.hardware {
            self.waits(&path, "the port is not there".to_owned(), None);
            return None;
        }
        // Ports of cards are named by their WWN; virtual ones (NPIV) are made with these two.
        let early = ["session_name", "node_name", "parent_host"];
        let given = wanted.attributes.iter().filter(|(n, _)| early.contains(n) && live.create.contains(*n));
        let parameters =
            given.filter_map(|(n, v)| Some((n.to_owned(), v.first()?.expose().to_owned()))).collect();
        let mgmt = format!("targets/{driver}/mgmt");
        let write = Write::command(mgmt.clone(), &Command::AddTarget { name: name.to_string(), parameters });
        let undo = vec![Write::command(mgmt, &Command::DelTarget { name: name.to_string() })];
        // A target that comes after its entry in a target group would stay one of another box there.
        for (group, tg, foreign) in self.memberships(name) {
            let named = self.wanted.device_groups.get(&group).and_then(|g| g.target_groups.get(&tg));
            if foreign && self.selected(&path) && named.is_some_and(|g| g.targets.contains_key(name)) {
                self.leave_target_group(&group, &tg, name);
            }
        }
        self.push(Phase::Targets, Op::new(&path, Action::Add), vec![Step { write, undo }]);
        if !self.selected(&path) {
            return None;
        }
        let mut made = LiveTarget::default();
        // Every driver that makes targets lets them be enabled, but for scst_local.
        if driver.as_str() != "scst_local" {
            let value = Some(Value::of("enabled", "0"));
            made.attributes
                .insert("enabled".to_owned(), crate::live::LiveAttr { value, key: false, writable: true });
        }
        if let Some(live) = self.live.drivers.get_mut(driver) {
            live.targets.insert(name.clone(), made.clone());
        }
        Some(made)
    }

    fn group(
        &mut self,
        driver: &DriverName,
        target: &TargetName,
        live: &LiveTarget,
        name: &GroupName,
        wanted: &Group,
    ) {
        let at = Place { driver, target, group: Some(name) };
        let (path, dir) = (at.path(), at.dir());
        let now = live.groups.get(name).cloned();
        if now.is_none() {
            let mgmt = format!("targets/{driver}/{target}/ini_groups/mgmt");
            let write = Write::command(mgmt.clone(), &Command::Create { name: name.to_string() });
            let undo = vec![Write::command(mgmt, &Command::Del { name: name.to_string() })];
            self.push(Phase::Groups, Op::new(&path, Action::Add), vec![Step { write, undo }]);
            if !self.selected(&path) {
                return;
            }
            if let Some(target) = self.live.drivers.get_mut(driver).and_then(|d| d.targets.get_mut(target)) {
                target.groups.insert(name.clone(), LiveGroup::default());
            }
        }
        let attributes = now.as_ref().map(|g| &g.attributes);
        let used = super::users(live, Some(name.as_str()));
        let class = |op: Op| {
            if used.is_empty() {
                op
            } else {
                op.class(Class::Disruptive, format!("{} use it", sessions_text(&used)))
            }
        };
        self.attributes(Phase::Groups, &path, &dir, attributes, &wanted.attributes, class);
        // LUNs of groups come in the same phase as the groups, behind them; initiators last, so that
        // nobody sees a group half made.
        let before = self.operations.len();
        self.luns(at, &wanted.luns);
        for (phase, _) in self.operations.iter_mut().skip(before) {
            *phase = Phase::Groups;
        }
        let mgmt = format!("{dir}/initiators/mgmt");
        for initiator in &wanted.initiators {
            if now.as_ref().is_some_and(|g| g.initiators.contains(initiator)) {
                continue;
            }
            let name = initiator.to_string();
            let write = Write::command(mgmt.clone(), &Command::Add { name: name.clone() });
            let undo = vec![Write::command(mgmt.clone(), &Command::Del { name })];
            let op = Op::new(format!("{path}/ini/{initiator}"), Action::Add);
            self.push(Phase::Groups, op, vec![Step { write, undo }]);
        }
    }
}

/// Attributes that are written as files: not the several-valued ones, not `enabled`.
fn without(wanted: &Attributes, several: &[String]) -> Attributes {
    let mut plain = Attributes::new();
    for (name, values) in wanted.iter() {
        if let Some(value) =
            values.first().filter(|_| name != "enabled" && !several.iter().any(|s| s == name))
        {
            plain.set(name, value.expose());
        }
    }
    plain
}
