//! What a machine's SCST is right now.
use crate::attributes::{Attributes, Value};
use crate::model::{Config, Device, DeviceGroup, Driver, Group, Handler, LunMap, Target, TargetGroup};
use crate::name::{AluaGroupName, DeviceName, DriverName, GroupName, HandlerName, InitiatorName, TargetName};
use esos_units::Lun;
use std::collections::{BTreeMap, BTreeSet};

/// One attribute of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct LiveAttr {
    /// Its value; `None` where it cannot be read.
    pub value: Option<Value>,
    /// Whether SCST marks it as one to be saved.
    pub key: bool,
    /// Whether it can be written; true where the tree does not tell.
    pub writable: bool,
}

/// Attributes of one object by their names in the tree (`IncomingUser1` is one of its own).
pub type LiveAttrs = BTreeMap<String, LiveAttr>;

/// Everything that SCST has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Live {
    /// Attributes of SCST itself.
    pub attributes: LiveAttrs,
    /// Handlers by name.
    pub handlers: BTreeMap<HandlerName, LiveHandler>,
    /// Devices by name.
    pub devices: BTreeMap<DeviceName, LiveDevice>,
    /// Target drivers by name.
    pub drivers: BTreeMap<DriverName, LiveDriver>,
    /// ALUA device groups by name.
    pub device_groups: BTreeMap<AluaGroupName, LiveDeviceGroup>,
}

/// A device handler.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct LiveHandler {
    /// Its attributes.
    pub attributes: LiveAttrs,
    /// Parameters that its `add_device` takes, as its `mgmt` file names them.
    pub create: BTreeSet<String>,
}

/// A device.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct LiveDevice {
    /// Its handler; `None` for a pass-through device that no handler has taken.
    pub handler: Option<HandlerName>,
    /// Its attributes.
    pub attributes: LiveAttrs,
    /// The LUNs that show it, as paths in the tree (`targets/iscsi/iqn…/luns/0`).
    pub exported: BTreeSet<String>,
}

/// A target driver.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct LiveDriver {
    /// Its attributes.
    pub attributes: LiveAttrs,
    /// Parameters that its `add_target` takes; empty where it makes no targets.
    pub create: BTreeSet<String>,
    /// Attributes that `add_attribute` of the driver takes.
    pub driver_attributes: BTreeSet<String>,
    /// Attributes that `add_target_attribute` takes.
    pub target_attributes: BTreeSet<String>,
    /// Whether it has a `mgmt` file.
    pub has_mgmt: bool,
    /// Its targets by name.
    pub targets: BTreeMap<TargetName, LiveTarget>,
}

/// A target.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct LiveTarget {
    /// Its attributes.
    pub attributes: LiveAttrs,
    /// LUNs of initiators that are in no group.
    pub luns: BTreeMap<Lun, LiveLun>,
    /// Groups by name.
    pub groups: BTreeMap<GroupName, LiveGroup>,
    /// Sessions by name.
    pub sessions: BTreeMap<String, LiveSession>,
}

/// A LUN.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct LiveLun {
    /// The device that it leads to.
    pub device: DeviceName,
    /// Its attributes.
    pub attributes: LiveAttrs,
}

/// A group of initiators.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct LiveGroup {
    /// Its attributes.
    pub attributes: LiveAttrs,
    /// Its LUNs.
    pub luns: BTreeMap<Lun, LiveLun>,
    /// Its initiators.
    pub initiators: BTreeSet<InitiatorName>,
}

/// A session of an initiator.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct LiveSession {
    /// The initiator's name; a second session of the same one has `_1` in the session's name only.
    pub initiator: String,
    /// The group whose LUNs it sees; `None` for the target's own.
    pub group: Option<String>,
    /// Its attributes, counters among them.
    pub attributes: LiveAttrs,
    /// Addresses of its connections (iSCSI).
    pub connections: Vec<String>,
}

/// An ALUA device group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct LiveDeviceGroup {
    /// Its attributes.
    pub attributes: LiveAttrs,
    /// Its devices.
    pub devices: BTreeSet<DeviceName>,
    /// Its target groups.
    pub target_groups: BTreeMap<AluaGroupName, LiveTargetGroup>,
}

/// An ALUA target group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct LiveTargetGroup {
    /// Its attributes.
    pub attributes: LiveAttrs,
    /// Its targets; those that are not on this box have attributes here.
    pub targets: BTreeMap<TargetName, LiveAttrs>,
}

impl Live {
    /// The configuration that a saved file must have: what SCST marks with `[key]`, and `enabled`.
    #[must_use]
    pub fn to_config(&self) -> Config {
        let mut config = Config { attributes: saved(&self.attributes), ..Config::default() };
        for (name, handler) in &self.handlers {
            let attributes = saved(&handler.attributes);
            let of = |d: &&LiveDevice| d.handler.as_ref() == Some(name);
            let devices: BTreeMap<_, _> = self
                .devices
                .iter()
                .filter(|(_, d)| of(d))
                .map(|(n, d)| (n.clone(), Device { attributes: saved(&d.attributes) }))
                .collect();
            if !attributes.is_empty() || !devices.is_empty() {
                config.handlers.insert(name.clone(), Handler { attributes, devices });
            }
        }
        for (name, driver) in &self.drivers {
            let targets = driver.targets.iter().map(|(n, t)| (n.clone(), target(t))).collect();
            config.drivers.insert(name.clone(), Driver { attributes: saved(&driver.attributes), targets });
        }
        for (name, group) in &self.device_groups {
            let target_group = |g: &LiveTargetGroup| TargetGroup {
                attributes: saved(&g.attributes),
                targets: g.targets.iter().map(|(n, a)| (n.clone(), saved(a))).collect(),
            };
            let target_groups =
                group.target_groups.iter().map(|(n, g)| (n.clone(), target_group(g))).collect();
            let group = DeviceGroup {
                attributes: saved(&group.attributes),
                devices: group.devices.clone(),
                target_groups,
            };
            config.device_groups.insert(name.clone(), group);
        }
        config
    }
}

fn target(live: &LiveTarget) -> Target {
    let group = |g: &LiveGroup| Group {
        attributes: saved(&g.attributes),
        luns: luns(&g.luns),
        initiators: g.initiators.clone(),
    };
    let hw = live.attributes.get("hw_target").and_then(|a| a.value.as_ref());
    Target {
        hardware: hw.is_some_and(|v| v.expose() == "1"),
        attributes: saved(&live.attributes),
        luns: luns(&live.luns),
        groups: live.groups.iter().map(|(n, g)| (n.clone(), group(g))).collect(),
    }
}

fn luns(live: &BTreeMap<Lun, LiveLun>) -> BTreeMap<Lun, LunMap> {
    let map = |l: &LiveLun| LunMap { device: l.device.clone(), attributes: saved(&l.attributes) };
    live.iter().map(|(lun, l)| (*lun, map(l))).collect()
}

/// Attributes to be saved, numbered instances under their own name.
fn saved(live: &LiveAttrs) -> Attributes {
    let mut attributes = Attributes::new();
    for (name, attr) in live {
        if let Some(value) = attr.value.as_ref().filter(|_| attr.key || name == "enabled") {
            attributes.add(base_name(name, live), value.expose());
        }
    }
    attributes
}

/// `allowed_portal` for `allowed_portal1`: the kernel numbers the further instances of one key, and a number stays
/// when the instance without one goes. Of keys that we do not know so, where both stand side by side.
pub(crate) fn base_name<'n>(name: &'n str, all: &LiveAttrs) -> &'n str {
    let base = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let several =
        |base| all.contains_key(base) || crate::conf::is_multiple(base) || crate::attributes::is_secret(base);
    if base.len() < name.len() && several(base) { base } else { name }
}
