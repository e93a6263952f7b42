//! The door to block devices: what there is, what lies on it, what comes and goes, and what is in use.
//!
//! [`Inventory`] reads sysfs through an [`AttrTree`](esos_sysfs::AttrTree), so a copied tree works as
//! the machine does; relations (partition and disk, array and member) are the kernel's, never cut from
//! names. [`probe`] finds superblocks and [`partitions`] reads tables in anything that is `Read + Seek`.
//! [`Uevent`] and [`UeventSocket`] hear the kernel. [`Inventory::uses`] is the one answer to "is this
//! device in use, and by what"; [`claim`] opens a device that nobody else has, and [`reread`] has the kernel read a
//! partition table that was written.
//!
//! Nothing here needs libudev. Feature `udev` (default) asks it for links and properties instead of
//! reading `/run/udev/data`; binaries of ESOS and `esos-init` go without.
//!
//! ```
//! use esos_blockdev::{Claims, Inventory};
//! use esos_hostfs::Mount;
//! use esos_sysfs::MemTree;
//!
//! let disk = "devices/pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/block/sda";
//! let sys = MemTree::new()
//!     .link("class/block/sda", &format!("../../{disk}"))
//!     .file(&format!("{disk}/dev"), "8:0\n")
//!     .file(&format!("{disk}/size"), "4194304\n")
//!     .link("class/block/sda1", &format!("../../{disk}/sda1"))
//!     .file(&format!("{disk}/sda1/dev"), "8:1\n")
//!     .file(&format!("{disk}/sda1/size"), "2048\n")
//!     .file(&format!("{disk}/sda1/partition"), "1\n");
//! let inventory = Inventory::read(&sys)?;
//! let mounts = Mount::parse_all("mountinfo", "27 1 8:1 / /mnt/data rw - ext4 /dev/root rw\n")?;
//! let claims = Claims { mounts, ..Claims::default() };
//! let uses = inventory.uses("sda", &claims).unwrap_or_default();
//! assert_eq!(uses[0].to_string(), "sda1 is mounted on /mnt/data");
//! assert_eq!(uses[0].remedy().as_deref(), Some("umount /mnt/data"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
mod bytes_at;
mod claim;
mod container;
mod device;
mod export;
mod filesystem;
mod format;
mod inventory;
mod machine;
mod mapping;
mod partition;
mod probe;
mod remedy;
mod reread;
mod scan;
#[cfg(feature = "udev")]
mod udev_live;
mod udev_record;
mod uevent;
mod uevent_socket;
mod usage;

pub use claim::{ClaimError, claim, claim_direct};
pub use device::{Device, DeviceKind, Transport};
pub use export::{Export, ExportLun};
pub use format::{Format, Signature};
pub use inventory::{Inventory, InventoryError};
pub use machine::ClaimsError;
pub use mapping::Mapping;
pub use partition::{Partition, PartitionTable, TableError, partitions};
pub use probe::{ProbeError, probe};
pub use reread::{RereadError, reread};
pub use udev_record::UdevRecord;
pub use uevent::{Action, Uevent, UeventError};
pub use uevent_socket::{Heard, SocketError, UeventSocket};
pub use usage::{Claimant, Claims, Reason, Use};
