//! Devices: made, changed in place, or made anew where SCST cannot change them.
use super::attrs::{kernel_decides, same, text};
use super::identity::lost;
use super::luns::Place;
use super::making::{has_no_effect, is_inactive, saved, settable};
use super::{Op, Phase, Planner, sessions_text};
use crate::attributes::{Attributes, Value};
use crate::live::{LiveDevice, LiveHandler};
use crate::mgmt::Command;
use crate::model::{Device, LunMap};
use crate::name::{DeviceName, HandlerName};
use crate::plan::{Action, Class, Pending, Step, Write};

/// Attributes that tell initiators which disk they see.
const IDENTITY: [&str; 9] = [
    "t10_dev_id",
    "t10_vend_id",
    "vend_specific_id",
    "prod_id",
    "prod_rev_lvl",
    "scsi_device_name",
    "naa_id",
    "eui64_id",
    "usn",
];

/// Attributes whose change interrupts those who use the device.
const DISTURBING: [&str; 5] = ["active", "filename", "block", "threads_pool_type", "cluster_mode"];

pub(super) fn path(handler: &HandlerName, device: &DeviceName) -> String {
    format!("dev/{handler}/{device}")
}

/// Whether a handler takes SCSI devices that are there (`dev_disk`) instead of making devices.
fn is_pass_through(handler: &LiveHandler) -> bool {
    handler.create.is_empty()
}

impl Planner<'_> {
    /// Devices that exist with attributes that only a new device can have are taken away and made anew,
    /// with every LUN and group membership that they have, named in the file or not.
    pub(super) fn replace_devices(&mut self) {
        for (handler, wanted) in self.wanted.handlers.clone() {
            for (name, device) in &wanted.devices {
                let Some(live) = self.live.devices.get(name) else { continue };
                if !self.selected(&path(&handler, name)) {
                    continue;
                }
                let Some(now) = live.handler.clone() else { continue };
                let why = if now == handler {
                    self.only_by_new(&handler, live, device)
                        .map(|n| format!("`{n}` can only be given to a new device"))
                } else {
                    Some(format!("the device belongs to handler {now}"))
                };
                if let Some(why) = why {
                    let live = live.clone();
                    self.make_anew(&now, &handler, name, &live, &why);
                }
            }
        }
    }

    /// The first attribute that differs, cannot be written, and is a parameter of `add_device`.
    fn only_by_new(&self, handler: &HandlerName, live: &LiveDevice, wanted: &Device) -> Option<String> {
        let create = &self.live.handlers.get(handler)?.create;
        let differs = |name: &str, value: &Value| match live.attributes.get(name) {
            Some(attr) => {
                let now = attr.value.as_ref().map_or("", Value::expose);
                let in_place =
                    attr.writable && !(name == "filename" && text(&live.attributes, "active") != "0");
                let equal = same(name, now, value.expose()) || kernel_decides(name, attr, value.expose());
                !in_place && create.contains(name) && !equal
            }
            // Attributes that exist only where they were asked for (dif_mode).
            None => create.contains(name) && !has_no_effect(name, &wanted.attributes),
        };
        let values = wanted.attributes.iter().filter_map(|(n, v)| Some((n, v.first()?)));
        values.into_iter().find(|(n, v)| differs(n, v)).map(|(n, _)| n.to_owned())
    }

    fn make_anew(
        &mut self,
        now: &HandlerName,
        handler: &HandlerName,
        name: &DeviceName,
        live: &LiveDevice,
        why: &str,
    ) {
        // What the file does not say about it stays as it is, unless the file is to be the whole truth;
        // another handler has other attributes.
        let keep = now == handler && !self.policy.prune;
        let identity = lost(name, live, &self.live.attributes);
        let kept = live.attributes.iter().filter(|(_, a)| a.key && keep);
        let wanted =
            self.wanted.handlers.entry(handler.clone()).or_default().devices.entry(name.clone()).or_default();
        for (attribute, attr) in kept {
            if let Some(value) = attr.value.as_ref().filter(|_| wanted.attributes.get(attribute).is_none()) {
                wanted.attributes.set(attribute, value.expose());
            }
        }
        let on = |n: &str| wanted.attributes.get(n).is_some_and(|v| !same(n, v.expose(), "0"));
        if handler.as_str() == "vdisk_fileio" && on("read_only") && (on("nv_cache") || on("write_through")) {
            let why =
                "SCST refuses a read-only device with nv_cache or write_through; the file must say both";
            let op = Op::new(path(handler, name), Action::Change).class(Class::Blocked, why);
            self.push(Phase::Devices, op, Vec::new());
            return;
        }
        let whole = text(&live.attributes, "read_only") == "1";
        // Initiators see the same disk afterwards, whatever SCST would call it now.
        for (attribute, value) in identity.into_iter().filter(|_| now == handler) {
            if wanted.attributes.get(attribute).is_none() {
                wanted.attributes.set(attribute, value);
            }
        }
        for (driver, target, group, lun) in self.spots(name) {
            let place = Place { driver: &driver, target: &target, group: group.as_ref() };
            let read_only =
                self.luns_at(place).and_then(|l| l.get(&lun)).map(|l| text(&l.attributes, "read_only"));
            let mut attributes = Attributes::new();
            // A LUN of a read-only device is read-only without having been made so.
            if read_only == Some("1") && !whole {
                attributes.set("read_only", "1");
            }
            let map = LunMap { device: name.clone(), attributes };
            let wanted = self.wanted.drivers.entry(driver).or_default().targets.entry(target).or_default();
            let luns = match group {
                Some(group) => &mut wanted.groups.entry(group).or_default().luns,
                None => &mut wanted.luns,
            };
            luns.entry(lun).or_insert(map);
        }
        for (group, live) in &self.live.device_groups {
            if live.devices.contains(name)
                && !self.wanted.device_groups.values().any(|g| g.devices.contains(name))
            {
                self.wanted.device_groups.entry(group.clone()).or_default().devices.insert(name.clone());
            }
        }
        self.remove_device(now, name, Some(why));
    }

    /// Takes a device away: its LUNs and memberships first, each a step of its own, because the kernel
    /// would take them without a word.
    pub(super) fn remove_device(&mut self, handler: &HandlerName, name: &DeviceName, why: Option<&str>) {
        let Some(live) = self.live.devices.get(name).cloned() else { return };
        let mut used = Vec::new();
        let mut kept = None;
        for (driver, target, group, lun) in self.spots(name) {
            let place = Place { driver: &driver, target: &target, group: group.as_ref() };
            used.extend(self.users_at(place));
            let path = format!("{}/lun/{lun}", place.path());
            kept = kept.or(Some(path).filter(|p| !self.selected(p)));
            self.remove_lun(&driver, &target, group.as_ref(), lun);
        }
        self.leave_device_groups(name);
        let Some(handlers) = self.live.handlers.get(handler).cloned() else { return };
        let mgmt = format!("handlers/{handler}/mgmt");
        let mut attributes = saved(&live);
        for (attribute, value) in lost(name, &live, &self.live.attributes) {
            attributes.set(attribute, value);
        }
        let undo = self.making(handler, &handlers, name, &attributes);
        let command = Command::DelDevice { name: name.to_string() };
        let step =
            Step { write: Write::command(mgmt, &command), undo: undo.into_iter().map(|s| s.write).collect() };
        let mut op = Op::new(path(handler, name), Action::Remove);
        op = op.class(Class::Disruptive, why.unwrap_or("the device is not in the file"));
        if !used.is_empty() {
            used.sort();
            used.dedup();
            op = op.class(Class::Destructive, format!("{} use it", sessions_text(&used)));
        }
        // The kernel would take a LUN that nobody selected with it.
        if let Some(lun) = kept {
            op = op.class(Class::Blocked, format!("{lun} shows it, which is not among the selected objects"));
        }
        self.push(Phase::RemoveDevices, op, vec![step]);
        if is_pass_through(&handlers) {
            // The SCSI device stays; only nobody has taken it then.
            if let Some(device) = self.live.devices.get_mut(name) {
                device.handler = None;
            }
        } else {
            self.live.devices.remove(name);
        }
        self.removed.insert(name.clone());
    }

    pub(super) fn devices(&mut self) {
        for (handler, wanted) in self.wanted.handlers.clone() {
            let Some(live) = self.live.handlers.get(&handler).cloned() else {
                for name in wanted.devices.keys() {
                    let why = format!("handler {handler} is not loaded");
                    self.waits(&path(&handler, name), why, Some(name));
                }
                continue;
            };
            let at = format!("handlers/{handler}");
            self.attributes(
                Phase::Devices,
                &format!("dev/{handler}"),
                &at,
                Some(&live.attributes),
                &wanted.attributes,
                |op| op,
            );
            for (name, device) in &wanted.devices {
                match self.live.devices.get(name) {
                    Some(now) if now.handler.as_ref() == Some(&handler) => {
                        if Self::differs(now, device) {
                            let now = now.clone();
                            self.change_device(&handler, name, &now, device);
                        }
                    }
                    now => {
                        let now = now.cloned();
                        self.add_device(&handler, &live, name, now.as_ref(), device);
                    }
                }
            }
        }
    }

    pub(super) fn waits(&mut self, path: &str, why: String, device: Option<&DeviceName>) {
        if self.selected(path) {
            self.pending.push(Pending { path: path.to_owned(), why, device: device.cloned() });
        }
    }

    fn add_device(
        &mut self,
        handler: &HandlerName,
        live: &LiveHandler,
        name: &DeviceName,
        now: Option<&LiveDevice>,
        device: &Device,
    ) {
        let path = path(handler, name);
        if is_pass_through(live) {
            if now.is_none() {
                self.waits(&path, format!("there is no SCSI device {name}"), Some(name));
                return;
            }
        } else if let Some(why) = self.cannot_make(live, device) {
            let op = Op::new(&path, Action::Add).class(Class::Blocked, why);
            self.push(Phase::Devices, op, Vec::new());
            return;
        }
        let filename = device.attributes.get("filename").map(Value::expose);
        // An inactive device does not open what is behind it.
        let opens = !is_inactive(&device.attributes);
        if let Some(missing) = filename.filter(|f| opens && self.policy.missing.contains(*f)) {
            let why = format!("{missing} is not there");
            self.waits(&path, why, Some(name));
            return;
        }
        if device.attributes.get("pr_file_name").is_some()
            && self.live.drivers.keys().any(|d| d.as_str() == "copy_manager")
        {
            let why = "SCST refuses `pr_file_name` while a session sees the device, and copy_manager sees a new one at once";
            let op = Op::new(&path, Action::Add).class(Class::Blocked, why);
            self.push(Phase::Devices, op, Vec::new());
            return;
        }
        let wanted = settable(handler, live, &device.attributes);
        let steps = self.making(handler, live, name, &wanted);
        self.push(Phase::Devices, Op::new(&path, Action::Add), steps);
        if self.selected(&path) {
            self.made.insert(name.clone());
            let mut made = LiveDevice { handler: Some(handler.clone()), ..LiveDevice::default() };
            if let Some(now) = now {
                made.attributes.clone_from(&now.attributes);
            }
            self.live.devices.insert(name.clone(), made);
        }
    }

    /// Whether any attribute that a device is wanted to have is not what it has now.
    fn differs(now: &LiveDevice, wanted: &Device) -> bool {
        wanted.attributes.iter().any(|(name, values)| {
            let now = now.attributes.get(name).and_then(|a| a.value.as_ref());
            values
                .first()
                .is_some_and(|wanted| now.is_none_or(|now| !same(name, now.expose(), wanted.expose())))
        })
    }

    fn change_device(&mut self, handler: &HandlerName, name: &DeviceName, now: &LiveDevice, device: &Device) {
        let path = path(handler, name);
        let mut wanted = Attributes::new();
        for (attribute, values) in device.attributes.iter() {
            let attr = now.attributes.get(attribute);
            // A size that follows from the backing device cannot be set; it is what it is.
            let derived = matches!(attribute, "size" | "size_mb") && attr.is_some_and(|a| !a.writable);
            let idle = attr.is_none() && has_no_effect(attribute, &device.attributes);
            if let Some(value) = values.first().filter(|_| !derived && !idle) {
                wanted.set(attribute, value.expose());
            }
        }
        // `size` says it in bytes; both would be one too many.
        if wanted.get("size").is_some() {
            wanted.remove("size_mb");
        }
        // Who uses it is asked only where something may disturb them.
        let disturbs = |n: &str| IDENTITY.contains(&n) || DISTURBING.contains(&n);
        let differs = |n: &str, v: &Value| now.attributes.get(n).is_none_or(|a| a.value.as_ref() != Some(v));
        let mut values = wanted.iter().filter_map(|(n, v)| Some((n, v.first()?)));
        let used = if values.any(|(n, v)| disturbs(n) && differs(n, v)) {
            self.sessions_of(name)
        } else {
            Vec::new()
        };
        let class = |op: Op| {
            let attribute = op.attribute.clone().unwrap_or_default();
            let then = match attribute.as_str() {
                a if IDENTITY.contains(&a) => "see another disk then",
                a if DISTURBING.contains(&a) => "use it",
                _ => return op,
            };
            if used.is_empty() {
                op
            } else {
                op.class(Class::Disruptive, format!("{} {then}", sessions_text(&used)))
            }
        };
        self.attributes(
            Phase::Devices,
            &path,
            &format!("devices/{name}"),
            Some(&now.attributes),
            &wanted,
            class,
        );
    }
}
