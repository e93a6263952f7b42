//! The inventory of this machine, or of a copied tree.
use crate::{Claims, Export, Inventory, InventoryError, UdevRecord};

use esos_hostfs::{Files, HostFiles, Mount, Swap};
use esos_sysfs::HostTree;
use std::path::Path;

impl Inventory {
    /// All block devices below a root (`/` is this machine), with what udev recorded about them.
    ///
    /// Without feature `udev` the records are read from `/run/udev/data`, so this works where libudev is
    /// not; with it, libudev is asked on this machine. A machine where udev does not run has no records;
    /// that is no error.
    ///
    /// # Errors
    /// [`InventoryError`].
    pub fn of_machine(root: &Path) -> Result<Self, InventoryError> {
        let mut inventory = Self::read(&HostTree::new(root.join("sys")))?;
        #[cfg(feature = "udev")]
        if root == Path::new("/") {
            for (dev, record) in crate::udev_live::records() {
                inventory.add_udev(dev, &record);
            }
            return Ok(inventory);
        }
        let files = HostFiles::new(root);
        let numbers: Vec<_> = inventory.devices().map(|d| d.dev).collect();
        for dev in numbers {
            if let Ok(text) = files.read(&format!("/run/udev/data/b{dev}")) {
                inventory.add_udev(dev, &UdevRecord::parse(&String::from_utf8_lossy(&text)));
            }
        }
        Ok(inventory)
    }
}

/// What is in use could not be found out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimsError {
    /// A file of `/proc` cannot be read.
    #[error(transparent)]
    File(#[from] esos_hostfs::FileError),
    /// It does not hold what it should.
    #[error(transparent)]
    Parse(#[from] esos_diag::ParseError),
    /// SCST's devices cannot be listed.
    #[error("cannot list what SCST hands out")]
    Scst(#[source] esos_sysfs::AttrError),
}

impl Claims {
    /// Mounts, swap and SCST's devices below a root. The boot stick and other claimants are for the
    /// caller to add.
    ///
    /// # Errors
    /// [`ClaimsError`]; a kernel without swap or SCST is none.
    pub fn of_machine(root: &Path) -> Result<Self, ClaimsError> {
        let files = HostFiles::new(root);
        let text = |path: &str| files.read(path).map(|b| String::from_utf8_lossy(&b).into_owned());
        let (mounts, swaps) = ("/proc/self/mountinfo", "/proc/swaps");
        let scst = HostTree::new(root.join("sys/kernel/scst_tgt"));
        Ok(Self {
            mounts: Mount::parse_all(mounts, &text(mounts)?)?,
            swaps: match text(swaps) {
                Ok(text) => Swap::parse_all(swaps, &text)?,
                Err(error) if error.is_not_found() => Vec::new(),
                Err(error) => return Err(error.into()),
            },
            exports: Export::read_all(&scst).map_err(ClaimsError::Scst)?,
            others: Vec::new(),
            boot_stick: None,
        })
    }
}
