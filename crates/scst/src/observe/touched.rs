//! What a plan touched, read again.
use super::{ObserveError, Scan, join, last};
use crate::attr::Attr;
use crate::attributes::{Attributes, Value};
use crate::conf::is_multiple;
use crate::live::{Live, LiveAttr, LiveAttrs, LiveDevice, LiveGroup, LiveLun, LiveTarget};
use crate::model::Config;
use crate::name::{AluaGroupName, DeviceName, DriverName, GroupName, HandlerName, InitiatorName, TargetName};
use crate::path::ObjectPath;
use crate::plan::{Action, Operation, Plan};
use esos_sysfs::{AttrError, AttrTree, Kind};
use esos_units::Lun;
use std::collections::BTreeSet;

/// The state after a plan: what it touched is read from the tree, the rest is as it was before. Of an
/// object that it made only what the configuration names is read.
///
/// # Errors
/// [`ObserveError`].
pub(crate) fn observe_touched(
    tree: &dyn AttrTree,
    before: &Live,
    planned: &Plan,
    wanted: &Config,
) -> Result<Live, ObserveError> {
    let mut again =
        Again { scan: Scan::new(tree, false), live: before.clone(), wanted, seen: BTreeSet::new() };
    for op in &planned.operations {
        // A path that is none is none of ours: all is read.
        let Ok(path) = op.path.parse::<ObjectPath>() else { return super::observe_configuration(tree) };
        again.object(&path, op)?;
    }
    let devices = |path: &str| matches!(path.parse(), Ok(ObjectPath::Device(..)));
    if planned.operations.iter().any(|o| o.action != Action::Change && devices(&o.path)) {
        again.copy_manager()?;
    }
    Ok(again.live)
}

struct Again<'a> {
    scan: Scan<'a>,
    live: Live,
    wanted: &'a Config,
    /// Directories and attributes that were read already.
    seen: BTreeSet<String>,
}

/// What a read gave, `None` where there is nothing.
fn there<T>(read: Result<T, AttrError>) -> Result<Option<T>, ObserveError> {
    match read {
        Ok(found) => Ok(Some(found)),
        Err(e) if e.is_not_found() => Ok(None),
        Err(source) => Err(ObserveError::Tree { source }),
    }
}

fn base(name: &str) -> &str {
    name.trim_end_matches(|c: char| c.is_ascii_digit())
}

impl Again<'_> {
    fn object(&mut self, path: &ObjectPath, op: &Operation) -> Result<(), ObserveError> {
        let attribute = op.attribute.as_deref();
        match (path, attribute) {
            (ObjectPath::Scst, Some(name)) => {
                let mut attributes = std::mem::take(&mut self.live.attributes);
                self.attribute(&mut attributes, "", name)?;
                self.live.attributes = attributes;
            }
            (ObjectPath::Handler(handler), Some(name)) => {
                let Some(mut live) = self.live.handlers.remove(handler) else { return Ok(()) };
                self.attribute(&mut live.attributes, &format!("handlers/{handler}"), name)?;
                self.live.handlers.insert(handler.clone(), live);
            }
            (ObjectPath::Driver(driver), Some(name)) => {
                let Some(mut live) = self.live.drivers.remove(driver) else { return Ok(()) };
                self.attribute(&mut live.attributes, &format!("targets/{driver}"), name)?;
                self.live.drivers.insert(driver.clone(), live);
            }
            (ObjectPath::Scst | ObjectPath::Handler(_) | ObjectPath::Driver(_), None) => {}
            (ObjectPath::Device(handler, device), _) => self.device(handler, device, attribute)?,
            (ObjectPath::Target(driver, target), _) => self.target(driver, target, attribute)?,
            (ObjectPath::Group(driver, target, group), _) => self.group(driver, target, group, attribute)?,
            (ObjectPath::Lun { driver, target, group, lun }, _) => {
                self.lun(driver, target, group.as_ref(), *lun, op.action == Action::Add)?;
            }
            (ObjectPath::Initiator(driver, target, group, _), _) => {
                let dir = format!("targets/{driver}/{target}/ini_groups/{group}");
                let initiators = self.initiators(&dir)?;
                if let (Some(initiators), Some(live)) = (initiators, self.group_of(driver, target, group)) {
                    live.initiators = initiators;
                }
            }
            (
                ObjectPath::DeviceGroup(group)
                | ObjectPath::GroupDevice(group, _)
                | ObjectPath::TargetGroup(group, _)
                | ObjectPath::GroupTarget(group, ..),
                _,
            ) => self.device_group(group)?,
        }
        Ok(())
    }

    /// Reads one attribute of an object, all instances of it.
    fn attribute(&mut self, all: &mut LiveAttrs, dir: &str, name: &str) -> Result<(), ObserveError> {
        if !self.seen.insert(join(dir, name)) {
            return Ok(());
        }
        all.retain(|n, _| n != name && !(is_multiple(name) && base(n) == name));
        self.add(all, dir, &BTreeSet::from([name]))
    }

    /// Adds the attributes of those names that are there.
    fn add(&self, all: &mut LiveAttrs, dir: &str, names: &BTreeSet<&str>) -> Result<(), ObserveError> {
        // Instances have numbers.
        if names.iter().any(|n| is_multiple(n)) {
            for entry in self.scan.list(dir)?.into_iter().filter(|e| e.kind == Kind::Attr) {
                if is_multiple(base(&entry.name)) && names.contains(base(&entry.name)) {
                    let live = self.value(dir, &entry.name)?;
                    all.extend(live.map(|live| (entry.name, live)));
                }
            }
        }
        for name in names.iter().filter(|n| !is_multiple(n)) {
            let live = self.value(dir, name)?;
            all.extend(live.map(|live| ((*name).to_owned(), live)));
        }
        Ok(())
    }

    /// An attribute's value; whether it could be written is asked for no more.
    fn value(&self, dir: &str, name: &str) -> Result<Option<LiveAttr>, ObserveError> {
        let attr = match self.scan.read(&join(dir, name)) {
            Ok(text) => Some(Attr::parse(&text)),
            Err(e) if e.is_not_found() => return Ok(None),
            // It is there, to be written only.
            Err(_) => None,
        };
        let key = attr.as_ref().is_some_and(|a| a.key);
        Ok(Some(LiveAttr { key, value: attr.map(|a| Value::of(name, a.value)), writable: true }))
    }

    fn named(
        &self,
        dir: &str,
        wanted: Option<&Attributes>,
        also: &[&'static str],
    ) -> Result<LiveAttrs, ObserveError> {
        let mut all = LiveAttrs::new();
        let names = wanted.into_iter().flat_map(Attributes::iter).map(|(name, _)| name);
        self.add(&mut all, dir, &names.chain(also.iter().copied()).collect())?;
        Ok(all)
    }

    fn device(
        &mut self,
        handler: &HandlerName,
        name: &DeviceName,
        attribute: Option<&str>,
    ) -> Result<(), ObserveError> {
        let dir = format!("devices/{name}");
        if self.seen.contains(&dir) {
            return Ok(());
        }
        let before = self.live.devices.remove(name);
        if let (Some(attribute), Some(mut live)) = (attribute, before.clone()) {
            self.attribute(&mut live.attributes, &dir, attribute)?;
            self.live.devices.insert(name.clone(), live);
            return Ok(());
        }
        self.seen.insert(dir.clone());
        let mut live = LiveDevice::default();
        if before.is_some() {
            // It was there under the same name: all of it counts.
            if there(self.scan.tree.list(&dir))?.is_some() {
                live = self.scan.device(&dir)?;
                self.live.devices.insert(name.clone(), live);
            }
            return Ok(());
        }
        let wanted = self.wanted.handlers.get(handler).and_then(|h| h.devices.get(name));
        live.attributes = self.named(&dir, wanted.map(|d| &d.attributes), &[])?;
        // A device that has what was asked for is there, and has the handler that made it.
        if live.attributes.is_empty() && there(self.scan.tree.read_link(&join(&dir, "handler")))?.is_none() {
            return Ok(());
        }
        live.handler = Some(handler.clone());
        self.live.devices.insert(name.clone(), live);
        Ok(())
    }

    fn target(
        &mut self,
        driver: &DriverName,
        name: &TargetName,
        attribute: Option<&str>,
    ) -> Result<(), ObserveError> {
        let dir = format!("targets/{driver}/{name}");
        let Some(targets) = self.live.drivers.get_mut(driver).map(|d| &mut d.targets) else { return Ok(()) };
        let before = targets.remove(name);
        let live = match (attribute, before) {
            (Some(attribute), Some(mut live)) => {
                if !self.seen.contains(&dir) {
                    self.attribute(&mut live.attributes, &dir, attribute)?;
                }
                Some(live)
            }
            _ if there(self.scan.tree.list(&dir))?.is_some() => {
                let wanted = self.wanted.drivers.get(driver).and_then(|d| d.targets.get(name));
                let attributes =
                    self.named(&dir, wanted.map(|t| &t.attributes), &["enabled", "rel_tgt_id", "hw_target"])?;
                self.seen.insert(dir);
                // LUNs and groups of a target that was made are operations of their own.
                Some(LiveTarget { attributes, ..LiveTarget::default() })
            }
            _ => None,
        };
        if let (Some(live), Some(driver)) = (live, self.live.drivers.get_mut(driver)) {
            driver.targets.insert(name.clone(), live);
        }
        Ok(())
    }

    fn group_of(
        &mut self,
        driver: &DriverName,
        target: &TargetName,
        group: &GroupName,
    ) -> Option<&mut LiveGroup> {
        self.live.drivers.get_mut(driver)?.targets.get_mut(target)?.groups.get_mut(group)
    }

    fn group(
        &mut self,
        driver: &DriverName,
        target: &TargetName,
        name: &GroupName,
        attribute: Option<&str>,
    ) -> Result<(), ObserveError> {
        let dir = format!("targets/{driver}/{target}/ini_groups/{name}");
        if self.seen.contains(&dir) {
            return Ok(());
        }
        let target_of = |live: &mut Live| {
            live.drivers.get_mut(driver).and_then(|d| d.targets.get_mut(target)).map(std::mem::take)
        };
        let Some(mut live_target) = target_of(&mut self.live) else { return Ok(()) };
        match (attribute, live_target.groups.get_mut(name)) {
            (Some(attribute), Some(live)) => self.attribute(&mut live.attributes, &dir, attribute)?,
            _ => {
                live_target.groups.remove(name);
                self.seen.insert(dir.clone());
                if there(self.scan.tree.list(&join(&dir, "luns")))?.is_some() {
                    let wanted = self.wanted.drivers.get(driver).and_then(|d| d.targets.get(target));
                    let wanted = wanted.and_then(|t| t.groups.get(name)).map(|g| &g.attributes);
                    let attributes = self.named(&dir, wanted, &[])?;
                    let initiators = self.initiators(&dir)?.unwrap_or_default();
                    let live = LiveGroup { attributes, initiators, ..LiveGroup::default() };
                    live_target.groups.insert(name.clone(), live);
                }
            }
        }
        if let Some(place) = self.live.drivers.get_mut(driver).and_then(|d| d.targets.get_mut(target)) {
            *place = live_target;
        }
        Ok(())
    }

    /// The initiators of a group; `None` where they were read already.
    fn initiators(&mut self, group: &str) -> Result<Option<BTreeSet<InitiatorName>>, ObserveError> {
        let dir = join(group, "initiators");
        if !self.seen.insert(dir.clone()) {
            return Ok(None);
        }
        let entries = there(self.scan.tree.list(&dir))?.unwrap_or_default();
        let names = entries.iter().filter(|e| e.kind == Kind::Attr && e.name != "mgmt");
        names.map(|e| Scan::name(&join(&dir, &e.name), &e.name)).collect::<Result<_, _>>().map(Some)
    }

    fn lun(
        &mut self,
        driver: &DriverName,
        target: &TargetName,
        group: Option<&GroupName>,
        lun: Lun,
        made: bool,
    ) -> Result<(), ObserveError> {
        let place = group.map_or_else(String::new, |g| format!("/ini_groups/{g}"));
        let dir = format!("targets/{driver}/{target}{place}/luns/{lun}");
        if !self.seen.insert(dir.clone()) {
            return Ok(());
        }
        let found = match there(self.scan.tree.read_link(&join(&dir, "device")))? {
            Some(link) => {
                let device = Scan::name(&dir, last(&link))?;
                let wanted = self.wanted.drivers.get(driver).and_then(|d| d.targets.get(target));
                let wanted = match group {
                    Some(group) => wanted.and_then(|t| t.groups.get(group)).map(|g| &g.luns),
                    None => wanted.map(|t| &t.luns),
                };
                let named = wanted.and_then(|l| l.get(&lun)).is_some_and(|l| !l.attributes.is_empty());
                let mut attributes = LiveAttrs::new();
                if named || !made {
                    self.add(&mut attributes, &dir, &BTreeSet::from(["read_only"]))?;
                }
                Some(LiveLun { device, attributes })
            }
            None => None,
        };
        let live = self.live.drivers.get_mut(driver).and_then(|d| d.targets.get_mut(target));
        let luns = match (live, group) {
            (Some(target), Some(group)) => target.groups.get_mut(group).map(|g| &mut g.luns),
            (Some(target), None) => Some(&mut target.luns),
            (None, _) => None,
        };
        let Some(luns) = luns else { return Ok(()) };
        match found {
            Some(found) => drop(luns.insert(lun, found)),
            None => drop(luns.remove(&lun)),
        }
        Ok(())
    }

    fn device_group(&mut self, name: &AluaGroupName) -> Result<(), ObserveError> {
        let dir = format!("device_groups/{name}");
        if !self.seen.insert(dir.clone()) {
            return Ok(());
        }
        self.live.device_groups.remove(name);
        if there(self.scan.tree.list(&dir))?.is_some() {
            let live = self.scan.device_group(&dir)?;
            self.live.device_groups.insert(name.clone(), live);
        }
        Ok(())
    }

    /// Devices come to copy_manager and go from it by themselves; whether they did counts where the
    /// configuration names its LUNs.
    fn copy_manager(&mut self) -> Result<(), ObserveError> {
        for (driver, wanted) in self.wanted.drivers.iter().filter(|(d, _)| d.as_str() == "copy_manager") {
            for target in wanted.targets.iter().filter(|(_, t)| !t.luns.is_empty()).map(|(name, _)| name) {
                let dir = format!("targets/{driver}/{target}/luns");
                let Some(entries) = there(self.scan.tree.list(&dir))? else { continue };
                let live = self.live.drivers.get_mut(driver).and_then(|d| d.targets.get_mut(target));
                let Some(live) = live else { continue };
                live.luns.clear();
                for entry in entries.iter().filter(|e| e.kind == Kind::Dir) {
                    let path = join(&dir, &entry.name);
                    let Ok(lun) = entry.name.parse::<Lun>() else { return Err(ObserveError::Lun { path }) };
                    let link = self.scan.link(&join(&path, "device"))?;
                    let device = Scan::name(&path, last(&link))?;
                    live.luns.insert(lun, LiveLun { device, attributes: LiveAttrs::new() });
                }
            }
        }
        Ok(())
    }
}
