//! Devices that SCST hands out.
use esos_sysfs::{AttrError, AttrTree};
use std::fmt;

/// One SCST device and what is behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// SCST's name of the device.
    pub device: String,
    /// The handler: `vdisk_blockio`, `vdisk_fileio`, `dev_disk`.
    pub handler: String,
    /// The device or file behind it; `None` for handlers without one, or when it is gone.
    pub filename: Option<String>,
    /// Where initiators see it.
    pub luns: Vec<ExportLun>,
}

/// A LUN that a device is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExportLun {
    /// The target driver: `iscsi`, `qla2x00t`.
    pub driver: String,
    /// The target.
    pub target: String,
    /// The initiator group; `None` is the target's own list.
    pub group: Option<String>,
    /// The number, as SCST prints it.
    pub lun: String,
}

impl fmt::Display for ExportLun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LUN {} of {} target {}", self.lun, self.driver, self.target)?;
        self.group.as_ref().map_or(Ok(()), |group| write!(f, " (group {group})"))
    }
}

impl ExportLun {
    /// From the end of a link: `../../../targets/iscsi/iqn.x/ini_groups/g/luns/3`. SCST's own copy
    /// manager has a LUN of every device, for copies between them: no host sees those.
    fn of_link(link: &str) -> Option<Self> {
        let (_, path) = link.split_once("targets/")?;
        let parts: Vec<&str> = path.trim_end_matches('/').split('/').collect();
        if parts.first() == Some(&"copy_manager") {
            return None;
        }
        let (driver, target, group, lun) = match parts.as_slice() {
            [driver, target, "luns", lun] => (driver, target, None, lun),
            [driver, target, "ini_groups", group, "luns", lun] => {
                (driver, target, Some((*group).to_owned()), lun)
            }
            _ => return None,
        };
        let word = |text: &&str| (*text).to_owned();
        Some(Self { driver: word(driver), target: word(target), group, lun: word(lun) })
    }
}

impl Export {
    /// All devices of SCST; the tree's root is `/sys/kernel/scst_tgt`. No SCST, no devices.
    ///
    /// SCST lists every SCSI device of the machine (`0:0:0:0`): without a handler and a LUN it hands
    /// nothing of it out, and such a one is left out here.
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
            let link = scst.read_link(&format!("devices/{device}/handler"));
            let handled = !matches!(&link, Err(error) if error.is_not_found());
            let handler = link.unwrap_or_default();
            let handler = handler.rsplit('/').next().unwrap_or("").to_owned();
            // The value stands in the first line; `[key]` may follow.
            let text = scst.read(&format!("devices/{device}/filename")).unwrap_or_default();
            let filename = text.lines().next().map(str::trim).filter(|f| f.starts_with('/'));
            let exported = format!("devices/{device}/exported");
            let links = scst.list(&exported).unwrap_or_default().into_iter();
            let links = links.filter_map(|e| scst.read_link(&format!("{exported}/{}", e.name)).ok());
            let mut luns: Vec<ExportLun> = links.filter_map(|link| ExportLun::of_link(&link)).collect();
            luns.sort();
            let filename = filename.map(str::to_owned);
            (handled || !luns.is_empty()).then_some(Self { device, handler, filename, luns })
        };
        Ok(entries.into_iter().filter_map(|e| read(e.name)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_names_target_and_lun() {
        let lun = ExportLun::of_link("../../../targets/iscsi/iqn.2020-01.x:y/ini_groups/hosts/luns/3");
        assert_eq!(lun.unwrap().to_string(), "LUN 3 of iscsi target iqn.2020-01.x:y (group hosts)");
        let lun = ExportLun::of_link("../../../targets/qla2x00t/21:00:00:24:ff:57:76:95/luns/0").unwrap();
        assert_eq!((lun.group, lun.lun.as_str()), (None, "0"));
        assert_eq!(ExportLun::of_link("../../../devices/disk1"), None);
        let own = "../../../targets/copy_manager/copy_manager_tgt/luns/1";
        assert_eq!(ExportLun::of_link(own), None);
    }
}
