//! Devices that SCST hands out.
use esos_sysfs::{AttrError, AttrTree};

/// One SCST device and what is behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// SCST's name of the device.
    pub device: String,
    /// The handler: `vdisk_blockio`, `vdisk_fileio`, `dev_disk`.
    pub handler: String,
    /// The device or file behind it; `None` for handlers without one, or when it is gone.
    pub filename: Option<String>,
}

impl Export {
    /// All devices of SCST; the tree's root is `/sys/kernel/scst_tgt`. No SCST, no devices.
    ///
    /// # Errors
    /// SCST is there but its devices cannot be listed.
    pub fn read_all(scst: &impl AttrTree) -> Result<Vec<Self>, AttrError> {
        let entries = match scst.list("devices") {
            Ok(entries) => entries,
            Err(error) if error.is_not_found() => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let read = |device: String| {
            let handler = scst.read_link(&format!("devices/{device}/handler")).unwrap_or_default();
            let handler = handler.rsplit('/').next().unwrap_or("").to_owned();
            // The value stands in the first line; `[key]` may follow.
            let text = scst.read(&format!("devices/{device}/filename")).unwrap_or_default();
            let filename = text.lines().next().map(str::trim).filter(|f| f.starts_with('/'));
            Self { device, handler, filename: filename.map(str::to_owned) }
        };
        Ok(entries.into_iter().map(|e| read(e.name)).collect())
    }
}
