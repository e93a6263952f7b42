//! One block device.
use esos_units::{Bytes, DevNo, ScsiAddress, Wwn};
use std::fmt;

/// What makes a block device.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum DeviceKind {
    /// A disk, or what looks like one.
    Disk,
    /// A part of a disk.
    Partition,
    /// A CD or DVD drive.
    Optical,
    /// An md array.
    Md,
    /// A device-mapper device: a logical volume, a multipath or crypt device.
    Dm,
    /// A loop device.
    Loop,
    /// A DRBD device.
    Drbd,
    /// A network block device.
    Nbd,
    /// Memory: `ram`, `zram`, `pmem`.
    Memory,
}

impl fmt::Display for DeviceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Disk => "disk",
            Self::Partition => "partition",
            Self::Optical => "optical",
            Self::Md => "md",
            Self::Dm => "dm",
            Self::Loop => "loop",
            Self::Drbd => "drbd",
            Self::Nbd => "nbd",
            Self::Memory => "memory",
        })
    }
}

/// The bus that a disk hangs on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum Transport {
    /// USB.
    Usb,
    /// ATA, SATA.
    Ata,
    /// NVMe.
    Nvme,
    /// virtio.
    Virtio,
    /// SCSI of any other kind: SAS, Fibre Channel, iSCSI, a RAID controller.
    Scsi,
    /// MMC and SD cards.
    Mmc,
    /// None: it is made by software.
    Virtual,
    /// Another one.
    Other,
}

/// One block device as sysfs shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Device {
    /// The kernel's name, such as `sda1` or `cciss!c0d0` (its node is `/dev/cciss/c0d0`).
    pub name: String,
    /// The directory in sysfs, without `/sys/`.
    pub path: String,
    /// Its number.
    pub dev: DevNo,
    /// What makes it.
    pub kind: DeviceKind,
    /// The bus, of a partition that of its disk.
    pub transport: Transport,
    /// Its size; 0 for a drive without a medium and for a loop device without a file.
    pub size: Bytes,
    /// Whether it cannot be written to.
    pub read_only: bool,
    /// Whether its medium can be taken out.
    pub removable: bool,
    /// Whether it turns; `None` where the kernel does not say.
    pub rotational: Option<bool>,
    /// Bytes of a logical block.
    pub logical_block: u32,
    /// The disk that this is a partition of.
    pub disk: Option<String>,
    /// The number of the partition.
    pub partition: Option<u32>,
    /// The partition's first byte on its disk.
    pub start: Option<Bytes>,
    /// The partition's name in its table (GPT).
    pub part_name: Option<String>,
    /// The partition's identity in its table.
    pub part_uuid: Option<String>,
    /// Devices that are made of this one.
    pub holders: Vec<String>,
    /// Devices that this one is made of.
    pub slaves: Vec<String>,
    /// The name of a device-mapper device, as under `/dev/mapper`.
    pub dm_name: Option<String>,
    /// The identity of a device-mapper device; `LVM-…` for logical volumes, `mpath-…` for multipath.
    pub dm_uuid: Option<String>,
    /// The level of an md array: `raid6`.
    pub md_level: Option<String>,
    /// The file behind a loop device.
    pub backing_file: Option<String>,
    /// The maker.
    pub vendor: Option<String>,
    /// The model.
    pub model: Option<String>,
    /// The serial number.
    pub serial: Option<String>,
    /// The world wide identifier as the kernel prints it (`naa.5000…`, `eui.…`, `t10.ATA …`).
    pub wwid: Option<String>,
    /// The SCSI address.
    pub scsi: Option<ScsiAddress>,
    /// Names under `/dev` that point to it, such as `disk/by-id/wwn-0x…`; from udev's records.
    pub links: Vec<String>,
}

impl Device {
    /// The path of its node.
    #[must_use]
    pub fn node(&self) -> String {
        format!("/dev/{}", self.name.replace('!', "/"))
    }

    /// Its world wide name, where [`Self::wwid`] is one.
    #[must_use]
    pub fn wwn(&self) -> Option<Wwn> {
        self.wwid.as_deref().and_then(|w| w.parse().ok())
    }

    /// What a person needs to know it by: `sdb (SanDisk Ultra, 28.6 GiB, serial 4C53…)`.
    #[must_use]
    pub fn describe(&self) -> String {
        let mut about: Vec<String> = Vec::new();
        let maker = [self.vendor.as_deref(), self.model.as_deref()];
        let maker = maker.into_iter().flatten().collect::<Vec<_>>().join(" ");
        about.extend(Some(maker).filter(|m| !m.is_empty()));
        about.extend(self.dm_name.clone());
        about.extend(self.md_level.clone());
        about.extend(self.part_name.as_ref().map(|n| format!("partition `{n}`")));
        about.push(self.size.human());
        about.extend(self.serial.as_ref().map(|s| format!("serial {s}")));
        format!("{} ({})", self.name, about.join(", "))
    }
}
