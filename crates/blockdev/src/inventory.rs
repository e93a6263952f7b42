//! All block devices, and how they hang together.
use crate::udev_record::UdevRecord;
use crate::{Device, scan};
use esos_sysfs::{AttrError, AttrTree};
use esos_units::DevNo;
use std::collections::{BTreeMap, BTreeSet};

/// The inventory could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InventoryError {
    /// `class/block` cannot be listed.
    #[error("cannot list block devices")]
    List(#[source] AttrError),
    /// A device has an attribute that makes no sense.
    #[error("{device}: {attribute} holds `{value}`, expected {expected}")]
    Attribute {
        /// The device.
        device: String,
        /// The attribute.
        attribute: &'static str,
        /// What it holds.
        value: String,
        /// What it should hold.
        expected: &'static str,
    },
    /// A device's directory cannot be read.
    #[error("cannot read block device {device}")]
    Read {
        /// The device.
        device: String,
        /// Why.
        #[source]
        source: AttrError,
    },
}

/// All block devices, by the kernel's name.
///
/// ```
/// use esos_blockdev::Inventory;
/// use esos_sysfs::MemTree;
///
/// let disk = "devices/pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0/host6/target6:0:0/6:0:0:0/block/sdb";
/// let sys = MemTree::new()
///     .link("class/block/sdb", &format!("../../{disk}"))
///     .file(&format!("{disk}/dev"), "8:16\n")
///     .file(&format!("{disk}/size"), "60062500\n")
///     .link("class/block/sdb1", &format!("../../{disk}/sdb1"))
///     .file(&format!("{disk}/sdb1/dev"), "8:17\n")
///     .file(&format!("{disk}/sdb1/size"), "2048\n")
///     .file(&format!("{disk}/sdb1/partition"), "1\n");
/// let inventory = Inventory::read(&sys)?;
/// assert_eq!(inventory.get("sdb1").and_then(|d| d.disk.as_deref()), Some("sdb"));
/// assert_eq!(inventory.partitions("sdb").count(), 1);
/// # Ok::<(), esos_blockdev::InventoryError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct Inventory {
    devices: BTreeMap<String, Device>,
}

impl Inventory {
    /// Reads all block devices of a tree whose root is `/sys`.
    ///
    /// A device that goes while it is read is left out.
    ///
    /// # Errors
    /// [`InventoryError`].
    pub fn read(sys: &impl AttrTree) -> Result<Self, InventoryError> {
        let mut devices = BTreeMap::new();
        for entry in sys.list("class/block").map_err(InventoryError::List)? {
            match scan::device(sys, &entry) {
                Ok(device) => {
                    devices.insert(device.name.clone(), device);
                }
                Err(InventoryError::Read { source, .. }) if source.is_not_found() => {}
                Err(error) => return Err(error),
            }
        }
        let disks: BTreeMap<_, _> =
            devices.values().filter(|d| d.disk.is_none()).map(|d| (d.name.clone(), d.clone())).collect();
        for device in devices.values_mut() {
            let Some(disk) = device.disk.as_ref().and_then(|d| disks.get(d)) else { continue };
            scan::inherit(device, disk);
        }
        Ok(Self { devices })
    }

    /// Adds the names and identities that udev found, from the texts of `/run/udev/data/b*`.
    pub fn add_udev(&mut self, dev: DevNo, record: &UdevRecord) {
        let Some(device) = self.devices.values_mut().find(|d| d.dev == dev) else { return };
        device.links.clone_from(&record.links);
        let property = |name: &str| record.properties.get(name).filter(|v| !v.is_empty()).cloned();
        device.serial =
            device.serial.take().or_else(|| property("ID_SERIAL_SHORT")).or_else(|| property("ID_SERIAL"));
        device.model = device.model.take().or_else(|| property("ID_MODEL"));
        device.vendor = device.vendor.take().or_else(|| property("ID_VENDOR"));
        device.wwid = device.wwid.take().or_else(|| property("ID_WWN"));
    }

    /// All devices, by name.
    pub fn devices(&self) -> impl Iterator<Item = &Device> {
        self.devices.values()
    }

    /// A device by the kernel's name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Device> {
        self.devices.get(name)
    }

    /// A device by its number.
    #[must_use]
    pub fn by_number(&self, dev: DevNo) -> Option<&Device> {
        self.devices.values().find(|d| d.dev == dev)
    }

    /// A device by a path under `/dev`: its node, `/dev/mapper/NAME`, `/dev/VG/LV`, or a link that udev
    /// recorded. Resolve other links before.
    #[must_use]
    pub fn by_path(&self, path: &str) -> Option<&Device> {
        let rest = path.strip_prefix("/dev/")?;
        let lv = rest
            .split_once('/')
            .map(|(vg, lv)| format!("{}-{}", vg.replace('-', "--"), lv.replace('-', "--")));
        let dm = rest.strip_prefix("mapper/").or(lv.as_deref());
        self.get(&rest.replace('/', "!"))
            .or_else(|| self.devices.values().find(|d| d.links.iter().any(|l| l == rest)))
            .or_else(|| self.devices.values().find(|d| d.dm_name.is_some() && d.dm_name.as_deref() == dm))
    }

    /// The partitions of a disk, by number.
    pub fn partitions(&self, disk: &str) -> impl Iterator<Item = &Device> {
        let mut parts: Vec<_> = self.devices.values().filter(|d| d.disk.as_deref() == Some(disk)).collect();
        parts.sort_by_key(|d| d.partition);
        parts.into_iter()
    }

    /// The disk that a device is a partition of, or the device itself.
    #[must_use]
    pub fn whole(&self, name: &str) -> Option<&Device> {
        let device = self.get(name)?;
        device.disk.as_ref().map_or(Some(device), |disk| self.get(disk))
    }

    /// Everything that is made of a device, directly or not: its partitions, arrays and volumes over it
    /// and theirs. The device itself is not among them.
    #[must_use]
    pub fn above(&self, name: &str) -> Vec<&Device> {
        self.reach(name, |d| {
            let parts = self.partitions(&d.name).map(|p| p.name.clone());
            parts.chain(d.holders.iter().cloned()).collect()
        })
    }

    /// Everything that a device is made of, directly or not, down to disks.
    #[must_use]
    pub fn below(&self, name: &str) -> Vec<&Device> {
        self.reach(name, |d| d.slaves.iter().chain(&d.disk).cloned().collect())
    }

    fn reach(&self, name: &str, next: impl Fn(&Device) -> Vec<String>) -> Vec<&Device> {
        let mut seen = BTreeSet::from([name.to_owned()]);
        let mut todo: Vec<String> = self.get(name).map(&next).unwrap_or_default();
        let mut found = Vec::new();
        while let Some(name) = todo.pop() {
            if !seen.insert(name.clone()) {
                continue;
            }
            if let Some(device) = self.get(&name) {
                found.push(device);
                todo.extend(next(device));
            }
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found
    }
}
