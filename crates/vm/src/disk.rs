//! Disks of a machine: a file, where it hangs, and what becomes of what the guest writes.
use crate::qcow2;
use serde_json::{Value, json};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Where a disk hangs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bus {
    /// A USB stick (`usb-storage`) at an xHCI controller; can be pulled and plugged.
    Usb,
    /// `virtio-blk-pci`; can be plugged while the machine runs.
    Virtio,
    /// A SATA disk at the board's AHCI controller; six at most, CDs included.
    Sata,
    /// A CD drive at the board's AHCI controller.
    Cdrom,
    /// An NVMe drive.
    Nvme,
}

impl Bus {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Usb, Self::Virtio, Self::Sata, Self::Cdrom, Self::Nvme];
}

impl fmt::Display for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Usb => "usb",
            Self::Virtio => "virtio",
            Self::Sata => "sata",
            Self::Cdrom => "cdrom",
            Self::Nvme => "nvme",
        })
    }
}

/// The word names no bus.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected usb, virtio, sata, cdrom or nvme, found `{text}`")]
pub struct ParseBusError {
    /// What stood there.
    pub text: String,
}

impl FromStr for Bus {
    type Err = ParseBusError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|bus| bus.to_string() == text);
        known.ok_or_else(|| ParseBusError { text: text.to_owned() })
    }
}

/// What becomes of the guest's writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keep {
    /// They go to an overlay that ends with the guest; the file stays as it is.
    Discard,
    /// They go to an overlay file of one's own, made where it is missing, kept for the next guest.
    Overlay(PathBuf),
    /// They go to the file.
    Write,
    /// They go to the file, and every write with its flushes is logged in the second file in the
    /// format of Linux's dm-log-writes (QEMU's `blklogwrites`).
    WriteAndLog(PathBuf),
    /// The guest cannot write.
    ReadOnly,
}

/// One disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    pub(crate) file: PathBuf,
    pub(crate) bus: Bus,
    pub(crate) keep: Keep,
    pub(crate) id: Option<String>,
    pub(crate) serial: Option<String>,
    pub(crate) sector: Option<u32>,
    pub(crate) absent: bool,
}

impl Disk {
    /// A raw image file at a bus; what the guest writes is discarded.
    #[must_use]
    pub fn new(file: impl Into<PathBuf>, bus: Bus) -> Self {
        let keep = if bus == Bus::Cdrom { Keep::ReadOnly } else { Keep::Discard };
        Self { file: file.into(), bus, keep, id: None, serial: None, sector: None, absent: false }
    }

    /// What becomes of the guest's writes.
    #[must_use]
    pub fn keep(mut self, keep: Keep) -> Self {
        self.keep = keep;
        self
    }

    /// The name by which it is pulled and plugged; `disk0`, `disk1`, … by default.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Its serial number, as the guest sees it; the id by default.
    #[must_use]
    pub fn serial(mut self, serial: impl Into<String>) -> Self {
        self.serial = Some(serial.into());
        self
    }

    /// Bytes of its sectors, logical and physical: 4096 for a disk of native 4K sectors; 512 by default. For virtio
    /// and NVMe: an AHCI disk cannot have others, and `usb-storage` of QEMU 7.2 passes over the wish.
    #[must_use]
    pub fn sector(mut self, bytes: u32) -> Self {
        self.sector = Some(bytes);
        self
    }

    /// Not there when the machine starts; [`crate::Guest::plug`] brings it.
    #[must_use]
    pub fn absent(mut self) -> Self {
        self.absent = true;
        self
    }
}

/// A disk with its place in a machine.
#[derive(Debug, Clone)]
pub(crate) struct Placed {
    pub(crate) disk: Disk,
    pub(crate) id: String,
    /// The bus of QEMU that it hangs at.
    pub(crate) at: String,
    pub(crate) boot_index: usize,
}

impl Placed {
    fn node(&self) -> String {
        format!("node-{}", self.id)
    }

    /// The block node; an overlay that is needed and missing is written to `dir`.
    pub(crate) fn block_node(&self, dir: &Path) -> io::Result<Value> {
        let file = |path: &Path| json!({ "driver": "file", "filename": path.to_string_lossy() });
        let raw = |read_only: bool| json!({ "driver": "raw", "read-only": read_only, "file": file(&self.disk.file) });
        let overlay = |path: &Path| {
            if !path.exists() {
                std::fs::write(path, qcow2::empty(std::fs::metadata(&self.disk.file)?.len())?)?;
            }
            Ok::<_, io::Error>(json!({
                "driver": "qcow2", "file": file(path), "backing": raw(true), "cache": { "no-flush": true },
            }))
        };
        let mut node = match &self.disk.keep {
            Keep::Discard => overlay(&dir.join(format!("{}.qcow2", self.id)))?,
            Keep::Overlay(path) => overlay(path)?,
            Keep::Write => raw(false),
            Keep::WriteAndLog(log) => {
                // The log tells of every write at once, also while the guest runs and where it is killed.
                json!({
                    "driver": "blklogwrites", "file": raw(false), "log": file(log), "log-super-update-interval": 1,
                })
            }
            Keep::ReadOnly => raw(true),
        };
        if let Some(fields) = node.as_object_mut() {
            fields.insert("node-name".to_owned(), self.node().into());
        }
        Ok(node)
    }

    /// The device, as `-device` and `device_add` take it.
    pub(crate) fn device(&self) -> Value {
        let driver = match self.disk.bus {
            Bus::Usb => "usb-storage",
            Bus::Virtio => "virtio-blk-pci",
            Bus::Sata => "ide-hd",
            Bus::Cdrom => "ide-cd",
            Bus::Nvme => "nvme",
        };
        let serial = self.disk.serial.as_deref().unwrap_or(&self.id);
        let mut device = json!({
            "driver": driver, "id": self.id, "drive": self.node(), "bus": self.at, "serial": serial,
            "bootindex": self.boot_index,
        });
        if let Some(fields) = device.as_object_mut() {
            if self.disk.bus == Bus::Usb {
                fields.insert("removable".to_owned(), true.into());
            }
            for (name, bytes) in
                ["logical_block_size", "physical_block_size"].into_iter().zip([self.disk.sector; 2])
            {
                fields.extend(bytes.map(|bytes| (name.to_owned(), bytes.into())));
            }
        }
        device
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        for bus in Bus::ALL {
            assert_eq!(bus.to_string().parse(), Ok(bus));
        }
        assert!("scsi".parse::<Bus>().is_err());
    }

    #[test]
    fn a_discarding_disk_writes_to_an_overlay_only() {
        let dir = tempfile::tempdir().unwrap();
        let image = dir.path().join("a,b.img");
        std::fs::write(&image, [0; 4096]).unwrap();
        let disk = Disk::new(&image, Bus::Usb);
        let placed = Placed { disk, id: "stick".to_owned(), at: "xhci.0".to_owned(), boot_index: 0 };
        let node = placed.block_node(dir.path()).unwrap();
        assert_eq!(node["backing"]["read-only"], true);
        assert_eq!(node["backing"]["file"]["filename"], image.to_str().unwrap());
        assert_eq!(node["file"]["filename"], dir.path().join("stick.qcow2").to_str().unwrap());
        assert_eq!(placed.device()["drive"], node["node-name"]);
        assert_eq!(placed.device().get("logical_block_size"), None);
        let native = Placed { disk: placed.disk.clone().sector(4096), ..placed };
        assert_eq!(native.device()["logical_block_size"], 4096);
        assert_eq!(native.device()["physical_block_size"], 4096);
    }
}
