//! Devices that an ALUA state opens and closes: those with `bind_alua_state`, which blockio has by default
//! (`vdev_on_alua_state_change_finish` in `scst_vdisk.c`, `__scst_tg_set_state` in `scst_tg.c`).
use super::attrs::{same, text};
use super::{Op, Phase, Planner, sessions_text};
use crate::attributes::Value;
use crate::model::{Device, DeviceGroup};
use crate::name::{AluaGroupName, DeviceName, HandlerName, TargetName};
use crate::plan::{Action, Class, Step, Write};
use std::collections::BTreeSet;

/// One of them, right before the state is written.
struct Bound {
    handler: HandlerName,
    device: DeviceName,
    active: bool,
    /// Whether the file says what `active` is to be.
    named: bool,
}

impl Bound {
    fn set(&self, active: bool) -> Write {
        Write::new(format!("devices/{}/active", self.device), if active { "1" } else { "0" })
    }
}

/// Whether SCST opens devices for a state, or closes them.
fn opens(state: &str) -> bool {
    matches!(state, "active" | "nonoptimized")
}

/// A target group whose state is written: its targets at that time.
pub(super) struct StateChange<'a> {
    pub(super) group: &'a AluaGroupName,
    pub(super) path: &'a str,
    pub(super) from: &'a str,
    pub(super) to: &'a str,
    pub(super) targets: &'a BTreeSet<TargetName>,
}

impl Planner<'_> {
    /// What a state does to the devices of its group, beside the last operation, which writes it: what the
    /// file wants of them is written again, what only SCST decides is told, and the way back is complete.
    pub(super) fn binds(&mut self, change: &StateChange<'_>) {
        if change.from == change.to {
            return;
        }
        let to = opens(change.to);
        let remote = change.targets.iter().any(|t| !self.is_local(t));
        let (mut again, mut back) = (Vec::new(), Vec::new());
        for bound in self.bound(change.group) {
            // The way back writes the state, which moves the device too.
            back.push(bound.set(bound.active));
            let moved = bound.active != to && (!remote || self.is_seen(&bound.device, change.targets));
            if moved && bound.named {
                again.push(Step { write: bound.set(bound.active), undo: Vec::new() });
            } else if moved {
                self.moves(change, &bound, to);
                self.active.insert(bound.device, to);
            }
        }
        let written = self.operations.iter_mut().rev().find(|(_, op)| op.path == change.path);
        let Some((_, op)) = written else { return };
        if let Some(step) = op.steps.first_mut() {
            step.undo.extend(back);
        }
        op.steps.extend(again);
    }

    /// Tells that SCST opens or closes a device by itself: no write of ours.
    fn moves(&mut self, change: &StateChange<'_>, bound: &Bound, to: bool) {
        let value = |active: bool| Some(if active { "1" } else { "0" }.to_owned());
        let path = super::devices::path(&bound.handler, &bound.device);
        let mut op = Op::new(path, Action::Change).attribute("active");
        op = op.values(value(bound.active), value(to));
        let verb = if to { "opens" } else { "closes" };
        let why = format!("SCST {verb} it with the state of {} (bind_alua_state)", change.path);
        op.why = Some(why.clone());
        let used = if to { Vec::new() } else { self.sessions_of(&bound.device) };
        if !used.is_empty() {
            op = op.class(Class::Disruptive, format!("{why}; {} use it", sessions_text(&used)));
        }
        self.push(Phase::Alua, op, Vec::new());
    }

    /// The writes that give the bound devices of a group back what they are now, after its states were
    /// written.
    pub(super) fn reopen(&self, group: &AluaGroupName) -> Vec<Write> {
        let devices = self.live.device_groups.get(group).map(|g| g.devices.clone()).unwrap_or_default();
        let is = |d: &DeviceName, name: &str| {
            self.live.devices.get(d).map_or("", |d| text(&d.attributes, name)).to_owned()
        };
        let bound = devices.iter().filter(|d| is(d, "bind_alua_state") == "1");
        bound.map(|d| Write::new(format!("devices/{d}/active"), is(d, "active"))).collect()
    }

    fn bound(&self, group: &AluaGroupName) -> Vec<Bound> {
        let none = DeviceGroup::default();
        let wanted = self.wanted.device_groups.get(group).unwrap_or(&none);
        let held = self.live.device_groups.get(group).map(|g| &g.devices);
        let names: BTreeSet<&DeviceName> = wanted.devices.iter().chain(held.into_iter().flatten()).collect();
        names.into_iter().filter_map(|name| self.bound_device(name)).collect()
    }

    fn bound_device(&self, name: &DeviceName) -> Option<Bound> {
        let live = self.live.devices.get(name)?;
        let handler = live.handler.clone()?;
        let path = super::devices::path(&handler, name);
        let wanted = self.wanted.handlers.get(&handler).and_then(|h| h.devices.get(name));
        let wanted: Option<&Device> = wanted.filter(|_| self.selected(&path));
        let named = |attribute| wanted.and_then(|d| d.attributes.get(attribute)).map(Value::expose);
        // What a device that is yet to be made starts with.
        let start = |attribute, made: &'static str| {
            if self.made.contains(name) { made } else { text(&live.attributes, attribute) }
        };
        let binds = if handler.as_str() == "vdisk_blockio" { "1" } else { "0" };
        let is = |attribute, made| {
            named(attribute).map_or_else(|| start(attribute, made) == "1", |v| !same(attribute, v, "0"))
        };
        if !is("bind_alua_state", binds) {
            return None;
        }
        let active = self.active.get(name).copied().unwrap_or_else(|| is("active", "1"));
        Some(Bound { handler, device: name.clone(), active, named: named("active").is_some() })
    }

    /// Whether a session sees a device through one of these targets.
    fn is_seen(&mut self, device: &DeviceName, targets: &BTreeSet<TargetName>) -> bool {
        let spots = self.spots(device).into_iter().filter(|(_, target, ..)| targets.contains(target));
        let spots: Vec<_> = spots.collect();
        spots.iter().any(|(driver, target, group, _)| {
            let target = self.live.drivers.get(driver).and_then(|d| d.targets.get(target));
            target.is_some_and(|t| !super::users(t, group.as_ref().map(|g| g.as_str())).is_empty())
        })
    }

    /// Whether a target is one of this box.
    pub(super) fn is_local(&self, target: &TargetName) -> bool {
        self.live.drivers.values().any(|d| d.targets.contains_key(target))
    }
}
