//! The one answer to: is this device in use, and by what?
use crate::{Device, DeviceKind, Export, Inventory, Mapping};
use esos_hostfs::{Mount, Swap};
use esos_layout::part;
use std::collections::BTreeSet;
use std::fmt;

/// Somebody who uses a device and of whom sysfs does not tell: a DRBD resource and its disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimant {
    /// Who: `DRBD resource r0`.
    pub who: String,
    /// The path of the device or file.
    pub path: String,
}

/// Everything but sysfs that says what is in use.
#[derive(Debug, Clone, Default)]
pub struct Claims {
    /// Mounts of this machine.
    pub mounts: Vec<Mount>,
    /// Its swap.
    pub swaps: Vec<Swap>,
    /// What SCST hands out.
    pub exports: Vec<Export>,
    /// Others.
    pub others: Vec<Claimant>,
    /// The disk that the box booted from, by the kernel's name, where that is known.
    pub boot_stick: Option<String>,
}

/// Why a device must be left alone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(tag = "reason", rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Reason {
    /// Its file system is mounted.
    Mounted {
        /// Where.
        target: String,
    },
    /// It is swap.
    Swap,
    /// Another device is made of it.
    Member {
        /// The kernel's name of that device.
        of: String,
        /// Its name as its tools know it: `md0`, `vg0-vol01`.
        name: String,
        /// What it is.
        kind: DeviceKind,
        /// What keeps a device-mapper device.
        #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
        mapping: Option<Mapping>,
    },
    /// SCST hands it out, or a file on it.
    Exported {
        /// SCST's name of the device.
        device: String,
        /// SCST's handler.
        handler: String,
        /// The file, where it is one.
        file: Option<String>,
    },
    /// A loop device is made of a file on it.
    LoopFile {
        /// The loop device.
        device: String,
        /// The file.
        file: String,
    },
    /// Somebody else uses it.
    Claimed {
        /// Who.
        by: String,
    },
    /// The box booted from it.
    BootStick,
    /// It carries the labels of an ESOS stick, but is not (known to be) the one that was booted.
    StickTwin {
        /// The labels.
        labels: Vec<String>,
    },
}

/// One use of a device, or of something that lies on it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Use {
    /// The device that is used: the one that was asked about, a partition of it, an array over it.
    pub device: String,
    /// Why.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub reason: Reason,
}

impl fmt::Display for Use {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let device = &self.device;
        match &self.reason {
            Reason::Mounted { target } => write!(f, "{device} is mounted on {target}"),
            Reason::Swap => write!(f, "{device} is used as swap"),
            Reason::Member { name, kind, .. } => write!(f, "{device} is part of {name} ({kind})"),
            Reason::Exported { device: scst, handler, file: None } => {
                write!(f, "{device} is handed out by SCST as `{scst}` ({handler})")
            }
            Reason::Exported { device: scst, handler, file: Some(file) } => {
                write!(f, "{device} holds {file}, which SCST hands out as `{scst}` ({handler})")
            }
            Reason::LoopFile { device: by, file } => write!(f, "{device} holds {file}, which is {by}"),
            Reason::Claimed { by } => write!(f, "{device} is used by {by}"),
            Reason::BootStick => write!(f, "{device} is the stick that this box booted from"),
            Reason::StickTwin { labels } => {
                write!(f, "{device} carries partitions of an ESOS stick ({})", labels.join(", "))
            }
        }
    }
}

impl Inventory {
    /// Every use of a device: of itself, of its partitions, of everything that is made of them; of a
    /// partition also the uses of its whole disk. Sorted; empty where it is free. `None` where there is
    /// no such device.
    ///
    /// What only the kernel knows (a device that a program holds open) shows when it is claimed, see
    /// [`claim`](crate::claim).
    #[must_use]
    pub fn uses(&self, name: &str, claims: &Claims) -> Option<Vec<Use>> {
        let device = self.get(name)?;
        let mut found = BTreeSet::new();
        let mut scope: Vec<&Device> = vec![device];
        scope.extend(self.above(name));
        // A use of the whole disk is a use of each partition; a use of a sibling is not.
        scope.extend(device.disk.as_ref().and_then(|d| self.get(d)));
        for device in &scope {
            self.direct(device, claims, &mut found);
        }
        if let Some(disk) = self.whole(name) {
            found.extend(self.stick(disk, claims));
        }
        Some(found.into_iter().collect())
    }

    fn direct(&self, device: &Device, claims: &Claims, found: &mut BTreeSet<Use>) {
        let mut add = |reason| found.insert(Use { device: device.name.clone(), reason });
        let is_here = |path: &str| self.by_path(path).is_some_and(|d| d.name == device.name);
        for mount in &claims.mounts {
            if self.mounted(mount).is_some_and(|d| d.name == device.name) {
                add(Reason::Mounted { target: mount.target.clone() });
            }
        }
        if claims.swaps.iter().any(|s| !s.is_file && is_here(&s.path)) {
            add(Reason::Swap);
        }
        for holder in device.holders.iter().filter_map(|h| self.get(h)) {
            let name = holder.dm_name.clone().unwrap_or_else(|| holder.name.clone());
            let (kind, mapping) = (holder.kind.clone(), holder.mapping());
            add(Reason::Member { of: holder.name.clone(), name, kind, mapping });
        }
        for export in &claims.exports {
            let by_address = device.scsi.is_some_and(|a| a.to_string() == export.device);
            let path = export.filename.as_deref();
            let file = path.filter(|f| self.holds(device, f, claims));
            if by_address || path.is_some_and(is_here) || file.is_some() {
                let (device, handler) = (export.device.clone(), export.handler.clone());
                add(Reason::Exported { device, handler, file: file.map(str::to_owned) });
            }
        }
        for other in self.devices() {
            let Some(file) = other.backing_file.as_deref() else { continue };
            if is_here(file) || self.holds(device, file, claims) {
                add(Reason::LoopFile { device: other.name.clone(), file: file.to_owned() });
            }
        }
        for claimant in &claims.others {
            if is_here(&claimant.path) || self.holds(device, &claimant.path, claims) {
                add(Reason::Claimed { by: claimant.who.clone() });
            }
        }
    }

    /// The device of a mount: by number; file systems over several devices have a number of their own,
    /// and name one of them.
    fn mounted(&self, mount: &Mount) -> Option<&Device> {
        self.by_number(mount.dev).or_else(|| self.by_path(&mount.source))
    }

    /// Whether a file that is no device lies on a file system on the device.
    fn holds(&self, device: &Device, file: &str, claims: &Claims) -> bool {
        let inside = |m: &&Mount| {
            file.strip_prefix(m.target.as_str()).is_some_and(|rest| m.target == "/" || rest.starts_with('/'))
        };
        // Of mounts on one place the last one counts, of several places the deepest.
        let mount = claims.mounts.iter().filter(inside).max_by_key(|m| m.target.len());
        mount.and_then(|m| self.mounted(m)).is_some_and(|d| d.name == device.name)
    }

    fn stick(&self, disk: &Device, claims: &Claims) -> Option<Use> {
        let here = |reason| Some(Use { device: disk.name.clone(), reason });
        if claims.boot_stick.as_deref() == Some(disk.name.as_str()) {
            return here(Reason::BootStick);
        }
        let ours = [part::BOOT, part::PRIMARY, part::SECONDARY, part::CONF, part::LOGS];
        let names = self.partitions(&disk.name).filter_map(|p| p.part_name.clone());
        let labels: Vec<String> = names.filter(|n| ours.contains(&n.as_str())).collect();
        if labels.is_empty() { None } else { here(Reason::StickTwin { labels }) }
    }
}
