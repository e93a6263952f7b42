//! LUNs of targets and groups.
use super::attrs::{same, text};
use super::{Op, Phase, Planner, sessions_text, users};
use crate::attributes::Value;
use crate::live::{LiveAttr, LiveLun};
use crate::mgmt::{Command, Parameters};
use crate::model::LunMap;
use crate::name::{DeviceName, DriverName, GroupName, TargetName};
use crate::plan::{Action, Class, Step, Write};
use esos_units::Lun;
use std::collections::{BTreeMap, BTreeSet};

/// Where LUNs are: a target's own, or a group's.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) driver: &'a DriverName,
    pub(super) target: &'a TargetName,
    pub(super) group: Option<&'a GroupName>,
}

impl Place<'_> {
    pub(super) fn path(&self) -> String {
        match self.group {
            Some(group) => format!("{}/{}/group/{group}", self.driver, self.target),
            None => format!("{}/{}", self.driver, self.target),
        }
    }

    pub(super) fn dir(&self) -> String {
        match self.group {
            Some(group) => format!("targets/{}/{}/ini_groups/{group}", self.driver, self.target),
            None => format!("targets/{}/{}", self.driver, self.target),
        }
    }

    fn mgmt(&self) -> String {
        format!("{}/luns/mgmt", self.dir())
    }
}

fn read_only_of(map: &LunMap) -> bool {
    map.attributes.get("read_only").map(Value::expose).is_some_and(|v| !same("read_only", v, "0"))
}

fn parameters(read_only: bool) -> Parameters {
    if read_only { vec![("read_only".to_owned(), "1".to_owned())] } else { Vec::new() }
}

fn add(device: &DeviceName, lun: Lun, read_only: bool) -> Command {
    Command::AddLun { device: device.to_string(), lun: lun.to_string(), parameters: parameters(read_only) }
}

fn replace(device: &DeviceName, lun: Lun, read_only: bool) -> Command {
    let (device, lun) = (device.to_string(), lun.to_string());
    Command::ReplaceLun { device, lun, parameters: parameters(read_only), unit_attention: true }
}

fn del(lun: Lun) -> Command {
    Command::Del { name: lun.to_string() }
}

impl Planner<'_> {
    pub(super) fn users_at(&self, at: Place<'_>) -> Vec<String> {
        let target = self.live.drivers.get(at.driver).and_then(|d| d.targets.get(at.target));
        target.map(|t| users(t, at.group.map(GroupName::as_str))).unwrap_or_default()
    }

    pub(super) fn luns_at(&mut self, at: Place<'_>) -> Option<&mut BTreeMap<Lun, LiveLun>> {
        let target = self.live.drivers.get_mut(at.driver)?.targets.get_mut(at.target)?;
        match at.group {
            Some(group) => target.groups.get_mut(group).map(|g| &mut g.luns),
            None => Some(&mut target.luns),
        }
    }

    pub(super) fn remove_lun(
        &mut self,
        driver: &DriverName,
        target: &TargetName,
        group: Option<&GroupName>,
        lun: Lun,
    ) {
        let at = Place { driver, target, group };
        let Some(gone) = self.luns_at(at).and_then(|l| l.remove(&lun)) else { return };
        if let Some(places) = &mut self.places {
            places.remove(at, lun, &gone.device);
        }
        let read_only = text(&gone.attributes, "read_only") == "1";
        let mgmt = at.mgmt();
        let write = Write::command(mgmt.clone(), &del(lun));
        let undo = vec![Write::command(mgmt, &add(&gone.device, lun, read_only))];
        let used = self.users_at(at);
        let mut op = Op::new(format!("{}/lun/{lun}", at.path()), Action::Remove)
            .values(Some(gone.device.to_string()), None);
        if !used.is_empty() {
            op = op.class(Class::Destructive, format!("{} use LUN {lun}", sessions_text(&used)));
        }
        // The last way to a device cuts it off from everybody.
        else if driver.as_str() != "copy_manager" && self.spots(&gone.device).is_empty() {
            op = op.class(Class::Disruptive, format!("it is the last LUN that shows {}", gone.device));
        }
        self.push(Phase::RemoveLuns, op, vec![Step { write, undo }]);
    }

    /// Whether a device takes no writes, whatever its LUNs say.
    fn is_read_only(&self, device: &DeviceName) -> bool {
        let live = self.live.devices.get(device).map(|d| text(&d.attributes, "read_only"));
        let wanted = self.wanted.handlers.values().find_map(|h| h.devices.get(device));
        let wanted = wanted.and_then(|d| d.attributes.get("read_only")).map(Value::expose);
        wanted.or(live).is_some_and(|v| !v.is_empty() && !same("read_only", v, "0"))
    }

    fn shown_by_themselves(&mut self, at: Place<'_>) -> BTreeSet<DeviceName> {
        let mut shown = self.made.clone();
        shown.extend(self.luns_at(at).into_iter().flat_map(|l| l.values()).map(|l| l.device.clone()));
        shown
    }

    pub(super) fn luns(&mut self, at: Place<'_>, wanted: &BTreeMap<Lun, LunMap>) {
        let automatic = at.driver.as_str() == "copy_manager";
        let mgmt = at.mgmt();
        // copy_manager numbers its LUNs itself; which devices it has is what counts. A device that is made
        // in this plan gets its LUN there by itself.
        let mut shown = if automatic { self.shown_by_themselves(at) } else { BTreeSet::new() };
        let used = self.users_at(at);
        for (lun, map) in wanted {
            let path = format!("{}/lun/{lun}", at.path());
            // A SCSI device that no handler has taken cannot be shown.
            if self.live.devices.get(&map.device).is_none_or(|d| d.handler.is_none()) {
                let known = self.wanted.handlers.values().any(|h| h.devices.contains_key(&map.device));
                if known || automatic {
                    self.waits(&path, format!("device {} is not there", map.device), Some(&map.device));
                } else {
                    let why = format!("no device {} is configured", map.device);
                    let op = Op::new(&path, Action::Add).class(Class::Blocked, why);
                    self.push(Phase::Luns, op, Vec::new());
                }
                continue;
            }
            let read_only = read_only_of(map);
            if automatic && shown.contains(&map.device) {
                continue;
            }
            let live = self.luns_at(at).and_then(|l| l.get(lun)).cloned();
            let (op, command, undo) = match live {
                None => (
                    Op::new(&path, Action::Add).values(None, Some(map.device.to_string())),
                    add(&map.device, *lun, read_only),
                    del(*lun),
                ),
                Some(now) => {
                    let now_read_only = text(&now.attributes, "read_only") == "1";
                    // The kernel shows every LUN of a device that is read-only as read-only.
                    let same_way = now_read_only == read_only || self.is_read_only(&map.device);
                    if now.device == map.device && same_way {
                        continue;
                    }
                    if automatic {
                        continue;
                    }
                    let words = |device: &DeviceName, read_only: bool| {
                        let mark = if read_only { " read_only" } else { "" };
                        Some(format!("{device}{mark}"))
                    };
                    let mut op = Op::new(&path, Action::Change)
                        .values(words(&now.device, now_read_only), words(&map.device, read_only));
                    if now.device != map.device {
                        op = op.class(Class::Disruptive, format!("LUN {lun} leads to {} now", now.device));
                        if !used.is_empty() {
                            op = op.class(
                                Class::Destructive,
                                format!("{} see {} there", sessions_text(&used), now.device),
                            );
                        }
                    } else if !used.is_empty() {
                        op = op.class(Class::Disruptive, format!("{} use it", sessions_text(&used)));
                    }
                    (op, replace(&map.device, *lun, read_only), replace(&now.device, *lun, now_read_only))
                }
            };
            let step = Step {
                write: Write::command(mgmt.clone(), &command),
                undo: vec![Write::command(mgmt.clone(), &undo)],
            };
            self.push(Phase::Luns, op, vec![step]);
            shown.insert(map.device.clone());
            if self.selected(&path) {
                let value = Value::of("read_only", if read_only { "1" } else { "0" });
                let attr = LiveAttr { value: Some(value), key: read_only, writable: false };
                let attributes = BTreeMap::from([("read_only".to_owned(), attr)]);
                let shown = LiveLun { device: map.device.clone(), attributes };
                let before = self.luns_at(at).and_then(|luns| luns.insert(*lun, shown));
                if let Some(places) = &mut self.places {
                    before.iter().for_each(|b| places.remove(at, *lun, &b.device));
                    places.add(at, *lun, &map.device);
                }
            }
        }
    }
}
