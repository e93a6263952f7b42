//! Objects by the one string that plans, commands and errors call them.
use crate::attributes::Attributes;
use crate::live::{Live, LiveAttrs};
use crate::model::{Config, LunMap};
use crate::name::{
    AluaGroupName, DeviceName, DriverName, GroupName, HandlerName, InitiatorName, NameError, TargetName,
};
use esos_units::Lun;
use std::fmt;
use std::str::FromStr;

/// One object of SCST: `dev/vdisk_blockio/vol1`, `iscsi/iqn…:a/group/esx/lun/0`, `dgrp/dg1/tgrp/local`.
///
/// ```
/// use esos_scst::ObjectPath;
///
/// let path: ObjectPath = "iscsi/iqn.2026-01.org.esos:a/lun/3".parse()?;
/// assert!(matches!(path, ObjectPath::Lun { group: None, .. }));
/// assert_eq!(path.to_string(), "iscsi/iqn.2026-01.org.esos:a/lun/3");
/// assert!("iscsi/a/lun/70000".parse::<ObjectPath>().is_err());
/// # Ok::<(), esos_scst::PathError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ObjectPath {
    /// `scst`: SCST itself.
    Scst,
    /// `dev/HANDLER`.
    Handler(HandlerName),
    /// `dev/HANDLER/DEVICE`.
    Device(HandlerName, DeviceName),
    /// `DRIVER`.
    Driver(DriverName),
    /// `DRIVER/TARGET`.
    Target(DriverName, TargetName),
    /// `DRIVER/TARGET/lun/N` or `DRIVER/TARGET/group/GROUP/lun/N`.
    Lun {
        /// The driver.
        driver: DriverName,
        /// The target.
        target: TargetName,
        /// The group; `None` for the target's own LUNs.
        group: Option<GroupName>,
        /// The number.
        lun: Lun,
    },
    /// `DRIVER/TARGET/group/GROUP`.
    Group(DriverName, TargetName, GroupName),
    /// `DRIVER/TARGET/group/GROUP/ini/INITIATOR`.
    Initiator(DriverName, TargetName, GroupName, InitiatorName),
    /// `dgrp/GROUP`.
    DeviceGroup(AluaGroupName),
    /// `dgrp/GROUP/dev/DEVICE`.
    GroupDevice(AluaGroupName, DeviceName),
    /// `dgrp/GROUP/tgrp/GROUP`.
    TargetGroup(AluaGroupName, AluaGroupName),
    /// `dgrp/GROUP/tgrp/GROUP/tgt/TARGET`.
    GroupTarget(AluaGroupName, AluaGroupName, TargetName),
}

use ObjectPath as P;

/// A text that is no path of an object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// It has another form.
    #[error(
        "`{text}` is no object; expected dev/HANDLER/DEVICE, DRIVER/TARGET[/group/G][/lun/N | /ini/NAME], dgrp/G[/dev/D | /tgrp/T[/tgt/NAME]] or scst"
    )]
    Form {
        /// The text.
        text: String,
    },
    /// A LUN is no number from 0 to 16383.
    #[error("`{text}` is no LUN (0 to 16383)")]
    Lun {
        /// The text in its place.
        text: String,
    },
    /// A part of it cannot be a name.
    #[error(transparent)]
    Name(#[from] NameError),
}

impl FromStr for ObjectPath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let lun = |t: &str| t.parse::<Lun>().map_err(|_any| PathError::Lun { text: t.to_owned() });
        let parts: Vec<&str> = text.split('/').collect();
        Ok(match parts.as_slice() {
            ["scst"] => P::Scst,
            ["dev", h] => P::Handler(h.parse()?),
            ["dev", h, d] => P::Device(h.parse()?, d.parse()?),
            ["dgrp", g] => P::DeviceGroup(g.parse()?),
            ["dgrp", g, "dev", d] => P::GroupDevice(g.parse()?, d.parse()?),
            ["dgrp", g, "tgrp", t] => P::TargetGroup(g.parse()?, t.parse()?),
            ["dgrp", g, "tgrp", t, "tgt", x] => P::GroupTarget(g.parse()?, t.parse()?, x.parse()?),
            ["dev" | "dgrp" | "scst" | "", ..] => return Err(PathError::Form { text: text.to_owned() }),
            [d] => P::Driver(d.parse()?),
            [d, t] => P::Target(d.parse()?, t.parse()?),
            [d, t, "lun", n] => P::Lun { driver: d.parse()?, target: t.parse()?, group: None, lun: lun(n)? },
            [d, t, "group", g] => P::Group(d.parse()?, t.parse()?, g.parse()?),
            [d, t, "group", g, "lun", n] => {
                P::Lun { driver: d.parse()?, target: t.parse()?, group: Some(g.parse()?), lun: lun(n)? }
            }
            [d, t, "group", g, "ini", i] => P::Initiator(d.parse()?, t.parse()?, g.parse()?, i.parse()?),
            _ => return Err(PathError::Form { text: text.to_owned() }),
        })
    }
}

impl fmt::Display for ObjectPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            P::Scst => f.write_str("scst"),
            P::Handler(h) => write!(f, "dev/{h}"),
            P::Device(h, d) => write!(f, "dev/{h}/{d}"),
            P::Driver(d) => write!(f, "{d}"),
            P::Target(d, t) => write!(f, "{d}/{t}"),
            P::Lun { driver, target, group: None, lun } => write!(f, "{driver}/{target}/lun/{lun}"),
            P::Lun { driver, target, group: Some(g), lun } => {
                write!(f, "{driver}/{target}/group/{g}/lun/{lun}")
            }
            P::Group(d, t, g) => write!(f, "{d}/{t}/group/{g}"),
            P::Initiator(d, t, g, i) => write!(f, "{d}/{t}/group/{g}/ini/{i}"),
            P::DeviceGroup(g) => write!(f, "dgrp/{g}"),
            P::GroupDevice(g, d) => write!(f, "dgrp/{g}/dev/{d}"),
            P::TargetGroup(g, t) => write!(f, "dgrp/{g}/tgrp/{t}"),
            P::GroupTarget(g, t, x) => write!(f, "dgrp/{g}/tgrp/{t}/tgt/{x}"),
        }
    }
}

impl ObjectPath {
    /// Headers of the sections that name it in `scst.conf`, outermost first; none for SCST itself. A
    /// LUN's header has no device.
    #[must_use]
    pub fn sections(&self) -> Vec<String> {
        let target =
            |d: &DriverName, t: &TargetName| vec![format!("TARGET_DRIVER {d}"), format!("TARGET {t}")];
        let with = |mut outer: Vec<String>, inner: String| {
            outer.push(inner);
            outer
        };
        match self {
            P::Scst => Vec::new(),
            P::Handler(h) => vec![format!("HANDLER {h}")],
            P::Device(h, d) => vec![format!("HANDLER {h}"), format!("DEVICE {d}")],
            P::Driver(d) => vec![format!("TARGET_DRIVER {d}")],
            P::Target(d, t) => target(d, t),
            P::Lun { driver, target: t, group: None, lun } => with(target(driver, t), format!("LUN {lun}")),
            P::Lun { driver, target: t, group: Some(g), lun } => {
                with(with(target(driver, t), format!("GROUP {g}")), format!("LUN {lun}"))
            }
            P::Group(d, t, g) => with(target(d, t), format!("GROUP {g}")),
            P::Initiator(d, t, g, i) => {
                with(with(target(d, t), format!("GROUP {g}")), format!("INITIATOR {i}"))
            }
            P::DeviceGroup(g) => vec![format!("DEVICE_GROUP {g}")],
            P::GroupDevice(g, d) => vec![format!("DEVICE_GROUP {g}"), format!("DEVICE {d}")],
            P::TargetGroup(g, t) => vec![format!("DEVICE_GROUP {g}"), format!("TARGET_GROUP {t}")],
            P::GroupTarget(g, t, x) => {
                vec![format!("DEVICE_GROUP {g}"), format!("TARGET_GROUP {t}"), format!("TARGET {x}")]
            }
        }
    }

    /// Its name alone, as the last part of the path has it.
    #[must_use]
    pub fn name(&self) -> String {
        let text = self.to_string();
        text.rsplit('/').next().unwrap_or_default().to_owned()
    }
}

impl Live {
    /// The attributes of an object; `None` where it is not there. Initiators and devices of groups have
    /// none of their own.
    #[must_use]
    pub fn attributes_of(&self, path: &ObjectPath) -> Option<&LiveAttrs> {
        let target = |d: &DriverName, t: &TargetName| self.drivers.get(d)?.targets.get(t);
        match path {
            P::Scst => Some(&self.attributes),
            P::Handler(h) => self.handlers.get(h).map(|h| &h.attributes),
            P::Device(h, d) => {
                self.devices.get(d).filter(|d| d.handler.as_ref() == Some(h)).map(|d| &d.attributes)
            }
            P::Driver(d) => self.drivers.get(d).map(|d| &d.attributes),
            P::Target(d, t) => target(d, t).map(|t| &t.attributes),
            P::Lun { driver, target: t, group, lun } => {
                let target = target(driver, t)?;
                let luns = match group {
                    Some(group) => &target.groups.get(group)?.luns,
                    None => &target.luns,
                };
                luns.get(lun).map(|l| &l.attributes)
            }
            P::Group(d, t, g) => target(d, t)?.groups.get(g).map(|g| &g.attributes),
            P::DeviceGroup(g) => self.device_groups.get(g).map(|g| &g.attributes),
            P::TargetGroup(g, t) => self.device_groups.get(g)?.target_groups.get(t).map(|t| &t.attributes),
            P::GroupTarget(g, t, x) => self.device_groups.get(g)?.target_groups.get(t)?.targets.get(x),
            P::Initiator(..) | P::GroupDevice(..) => None,
        }
    }

    /// Whether an object is there.
    #[must_use]
    pub fn contains(&self, path: &ObjectPath) -> bool {
        match path {
            P::Initiator(d, t, g, i) => {
                let target = self.drivers.get(d).and_then(|d| d.targets.get(t));
                target.and_then(|t| t.groups.get(g)).is_some_and(|g| g.initiators.contains(i))
            }
            P::GroupDevice(g, d) => self.device_groups.get(g).is_some_and(|g| g.devices.contains(d)),
            path => self.attributes_of(path).is_some(),
        }
    }
}

impl Config {
    /// A configuration that names one object and nothing else. A LUN needs its device.
    #[must_use]
    pub fn of(path: &ObjectPath, device: Option<DeviceName>, attributes: Attributes) -> Self {
        let mut config = Self::default();
        let drivers = &mut config.drivers;
        let groups = &mut config.device_groups;
        match path.clone() {
            P::Scst => {}
            P::Handler(h) => {
                config.handlers.entry(h).or_default();
            }
            P::Device(h, d) => {
                config.handlers.entry(h).or_default().devices.entry(d).or_default();
            }
            P::Driver(d) => {
                drivers.entry(d).or_default();
            }
            P::Target(d, t) => {
                drivers.entry(d).or_default().targets.entry(t).or_default();
            }
            P::Lun { driver, target, group, lun } => {
                let target = drivers.entry(driver).or_default().targets.entry(target).or_default();
                let luns = match group {
                    Some(group) => &mut target.groups.entry(group).or_default().luns,
                    None => &mut target.luns,
                };
                if let Some(device) = device {
                    luns.insert(lun, LunMap { device, attributes: Attributes::new() });
                }
            }
            P::Group(d, t, g) => {
                drivers.entry(d).or_default().targets.entry(t).or_default().groups.entry(g).or_default();
            }
            P::Initiator(d, t, g, i) => {
                let target = drivers.entry(d).or_default().targets.entry(t).or_default();
                target.groups.entry(g).or_default().initiators.insert(i);
            }
            P::DeviceGroup(g) => {
                groups.entry(g).or_default();
            }
            P::GroupDevice(g, d) => {
                groups.entry(g).or_default().devices.insert(d);
            }
            P::TargetGroup(g, t) => {
                groups.entry(g).or_default().target_groups.entry(t).or_default();
            }
            P::GroupTarget(g, t, x) => {
                let group = groups.entry(g).or_default().target_groups.entry(t).or_default();
                group.targets.entry(x).or_default();
            }
        }
        if let Some(own) = config.attributes_mut(path) {
            *own = attributes;
        }
        config
    }

    /// An object with all that is in it, and the sections around it; `None` where it is not named.
    #[must_use]
    pub fn only(&self, path: &ObjectPath) -> Option<Self> {
        let mut rest = self.clone();
        let mut found = Self::default();
        match path {
            P::Scst => found.attributes = self.attributes.clone(),
            P::Handler(h) => {
                found.handlers.insert(h.clone(), rest.handlers.remove(h)?);
            }
            P::Device(h, d) => {
                let device = rest.handlers.get_mut(h)?.devices.remove(d)?;
                found.handlers.entry(h.clone()).or_default().devices.insert(d.clone(), device);
            }
            P::Driver(d) => {
                found.drivers.insert(d.clone(), rest.drivers.remove(d)?);
            }
            P::DeviceGroup(g) | P::GroupDevice(g, _) | P::TargetGroup(g, _) | P::GroupTarget(g, ..) => {
                found.device_groups.insert(g.clone(), rest.device_groups.remove(g)?);
            }
            P::Target(d, t) | P::Group(d, t, _) | P::Initiator(d, t, ..) => {
                let target = rest.drivers.get_mut(d)?.targets.remove(t)?;
                found.drivers.entry(d.clone()).or_default().targets.insert(t.clone(), target);
            }
            P::Lun { driver, target, .. } => {
                let whole = rest.drivers.get_mut(driver)?.targets.remove(target)?;
                found.drivers.entry(driver.clone()).or_default().targets.insert(target.clone(), whole);
            }
        }
        Some(found)
    }

    /// Takes an object out, with all that is in it.
    pub fn remove(&mut self, path: &ObjectPath) {
        let drivers = &mut self.drivers;
        let groups = &mut self.device_groups;
        match path {
            P::Scst => self.attributes = Attributes::new(),
            P::Handler(h) => {
                self.handlers.remove(h);
            }
            P::Device(h, d) => {
                self.handlers.get_mut(h).map(|h| h.devices.remove(d));
            }
            P::Driver(d) => {
                drivers.remove(d);
            }
            P::Target(d, t) => {
                drivers.get_mut(d).map(|d| d.targets.remove(t));
            }
            P::Lun { driver, target, group, lun } => {
                let Some(target) = drivers.get_mut(driver).and_then(|d| d.targets.get_mut(target)) else {
                    return;
                };
                match group {
                    Some(group) => {
                        target.groups.get_mut(group).map(|g| g.luns.remove(lun));
                    }
                    None => {
                        target.luns.remove(lun);
                    }
                }
            }
            P::Group(d, t, g) => {
                drivers.get_mut(d).and_then(|d| d.targets.get_mut(t)).map(|t| t.groups.remove(g));
            }
            P::Initiator(d, t, g, i) => {
                let target = drivers.get_mut(d).and_then(|d| d.targets.get_mut(t));
                target.and_then(|t| t.groups.get_mut(g)).map(|g| g.initiators.remove(i));
            }
            P::DeviceGroup(g) => {
                groups.remove(g);
            }
            P::GroupDevice(g, d) => {
                groups.get_mut(g).map(|g| g.devices.remove(d));
            }
            P::TargetGroup(g, t) => {
                groups.get_mut(g).map(|g| g.target_groups.remove(t));
            }
            P::GroupTarget(g, t, x) => {
                let group = groups.get_mut(g).and_then(|g| g.target_groups.get_mut(t));
                group.map(|g| g.targets.remove(x));
            }
        }
    }

    /// The attributes of an object; `None` where the configuration does not name it or where it has none
    /// of its own.
    pub fn attributes_mut(&mut self, path: &ObjectPath) -> Option<&mut Attributes> {
        let drivers = &mut self.drivers;
        match path {
            P::Scst => Some(&mut self.attributes),
            P::Handler(h) => self.handlers.get_mut(h).map(|h| &mut h.attributes),
            P::Device(h, d) => self.handlers.get_mut(h)?.devices.get_mut(d).map(|d| &mut d.attributes),
            P::Driver(d) => drivers.get_mut(d).map(|d| &mut d.attributes),
            P::Target(d, t) => drivers.get_mut(d)?.targets.get_mut(t).map(|t| &mut t.attributes),
            P::Lun { driver, target, group, lun } => {
                let target = drivers.get_mut(driver)?.targets.get_mut(target)?;
                let luns = match group {
                    Some(group) => &mut target.groups.get_mut(group)?.luns,
                    None => &mut target.luns,
                };
                luns.get_mut(lun).map(|l| &mut l.attributes)
            }
            P::Group(d, t, g) => {
                drivers.get_mut(d)?.targets.get_mut(t)?.groups.get_mut(g).map(|g| &mut g.attributes)
            }
            P::DeviceGroup(g) => self.device_groups.get_mut(g).map(|g| &mut g.attributes),
            P::TargetGroup(g, t) => {
                self.device_groups.get_mut(g)?.target_groups.get_mut(t).map(|t| &mut t.attributes)
            }
            P::GroupTarget(g, t, x) => {
                self.device_groups.get_mut(g)?.target_groups.get_mut(t)?.targets.get_mut(x)
            }
            P::Initiator(..) | P::GroupDevice(..) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn path() -> impl Strategy<Value = String> {
        let w = "[a-z][a-z0-9:_-]{0,6}";
        prop_oneof![
            Just("scst".to_owned()),
            (w, w).prop_map(|(a, b)| format!("dev/x{a}/{b}")),
            (w, w, 0..16384u32).prop_map(|(a, b, n)| format!("x{a}/{b}/lun/{n}")),
            (w, w, w, 0..16384u32).prop_map(|(a, b, g, n)| format!("x{a}/{b}/group/{g}/lun/{n}")),
            (w, w, w, w).prop_map(|(a, b, g, i)| format!("x{a}/{b}/group/{g}/ini/{i}")),
            (w, w, w).prop_map(|(a, b, c)| format!("dgrp/{a}/tgrp/{b}/tgt/{c}")),
        ]
    }

    proptest! {
        #[test]
        fn paths_print_back(text in path()) {
            prop_assert_eq!(text.parse::<ObjectPath>().unwrap().to_string(), text);
        }

        #[test]
        fn any_text_gives_an_answer(text in ".{0,40}") {
            let _answer = text.parse::<ObjectPath>();
        }
    }
}
