//! SCST's objects, as a configuration names them.
use crate::attributes::Attributes;
use crate::name::{AluaGroupName, DeviceName, DriverName, GroupName, HandlerName, InitiatorName, TargetName};
use esos_units::Lun;
use std::collections::{BTreeMap, BTreeSet};

/// A whole configuration: what a file wants, or what a machine has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Config {
    /// Attributes of SCST itself (`threads`, `setup_id`, …).
    pub attributes: Attributes,
    /// Device handlers by name.
    pub handlers: BTreeMap<HandlerName, Handler>,
    /// Target drivers by name.
    pub drivers: BTreeMap<DriverName, Driver>,
    /// ALUA device groups by name.
    pub device_groups: BTreeMap<AluaGroupName, DeviceGroup>,
}

/// A device handler (`vdisk_blockio`, `dev_disk`, …).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Handler {
    /// Attributes of the handler itself.
    pub attributes: Attributes,
    /// Its devices by name.
    pub devices: BTreeMap<DeviceName, Device>,
}

/// A device, the thing that LUNs show to initiators.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Device {
    /// Its attributes; parameters of `add_device` among them.
    pub attributes: Attributes,
}

/// A target driver (`iscsi`, `qla2x00t`, `ib_srpt`, `scst_local`, `fcst`, `copy_manager`, …).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Driver {
    /// Its attributes, `enabled` among them.
    pub attributes: Attributes,
    /// Its targets by name.
    pub targets: BTreeMap<TargetName, Target>,
}

/// A target of a driver.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Target {
    /// Whether it is a port of a card that comes and goes with its driver (`HW_TARGET`).
    pub hardware: bool,
    /// Its attributes, `enabled` and `rel_tgt_id` among them.
    pub attributes: Attributes,
    /// LUNs of initiators that are in no group.
    pub luns: BTreeMap<Lun, LunMap>,
    /// Groups of initiators by name.
    pub groups: BTreeMap<GroupName, Group>,
}

/// What a LUN leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct LunMap {
    /// The device.
    pub device: DeviceName,
    /// Its parameters; `read_only` is the only one that SCST has.
    pub attributes: Attributes,
}

/// A group of initiators with LUNs of its own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Group {
    /// Its attributes (`addr_method`, `io_grouping_type`, `cpu_mask`, …).
    pub attributes: Attributes,
    /// Its LUNs.
    pub luns: BTreeMap<Lun, LunMap>,
    /// Its initiators.
    pub initiators: BTreeSet<InitiatorName>,
}

/// An ALUA device group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct DeviceGroup {
    /// Its attributes.
    pub attributes: Attributes,
    /// Its devices; a device is in one group only.
    pub devices: BTreeSet<DeviceName>,
    /// Its target groups by name.
    pub target_groups: BTreeMap<AluaGroupName, TargetGroup>,
}

/// An ALUA target group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct TargetGroup {
    /// Its attributes (`group_id`, `preferred`, `state`).
    pub attributes: Attributes,
    /// Its targets; those of the other box have a `rel_tgt_id` of their own here.
    pub targets: BTreeMap<TargetName, Attributes>,
}

impl Config {
    /// Whether it names nothing at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
