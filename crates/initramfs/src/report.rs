//! What the running root learns of its boot.
use esos_layout::Slot;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The document at [`esos_layout::run::BOOT_REPORT`]. Times are milliseconds; those named `at` are on
/// the kernel's clock of time since boot.
///
/// ```
/// use esos_initramfs::BootReport;
///
/// let report = BootReport { version: "4.0.1".into(), ..BootReport::default() };
/// assert_eq!(BootReport::from_json(&report.to_json()).unwrap(), report);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct BootReport {
    /// [`BootReport::SCHEMA`].
    pub schema: String,
    /// The version of ESOS in the initramfs.
    pub version: String,
    /// The kernel's release.
    pub kernel: String,
    /// `ram`, `persist`, `iso-live`, `iso-install`, `capture`.
    pub mode: String,
    /// The slot that runs; none from an ISO.
    pub slot: Option<Slot>,
    /// `prod` or `debug`.
    pub flavour: Option<String>,
    /// Which attempt of the slot this was, counted by GRUB from 1.
    pub attempt: Option<u8>,
    /// `lost` or `ro`: why GRUB could not count.
    pub state: Option<String>,
    /// GRUB had no attempt left in any slot.
    pub exhausted: bool,
    /// Single-user mode was asked for.
    pub single_user: bool,
    /// `MemTotal`.
    pub memory_bytes: u64,
    /// The medium booted from.
    pub stick: Option<StickReport>,
    /// The root image.
    pub root: Option<RootReport>,
    /// The restore of the configuration.
    pub restore: Option<RestoreReport>,
    /// What was done, in order.
    pub steps: Vec<StepReport>,
    /// What the operator should know; each was on the console too.
    pub warnings: Vec<String>,
}

/// The medium booted from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct StickReport {
    /// 32 hex digits; none for a stick that has no identity yet.
    pub identity: Option<String>,
    /// The kernel's name of the disk at boot, `/dev/sdb`.
    pub device: String,
    /// Its place in sysfs below `/sys`, `devices/pci0000:00/…/block/sdb`.
    pub path: String,
    /// Vendor and model, as far as the device says.
    pub model: Option<String>,
    /// Its serial number, as far as the device says.
    pub serial: Option<String>,
    /// Bytes of the medium.
    pub size_bytes: u64,
    /// The GPT's disk GUID.
    pub disk_guid: Option<String>,
    /// Device node and GUID of each partition, by its GPT name.
    pub partitions: BTreeMap<String, PartitionReport>,
    /// The rule by which it was chosen, in words.
    pub chosen_by: String,
    /// Other media with the same labels, which were not taken.
    pub twins: Vec<String>,
}

/// A partition of the stick.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PartitionReport {
    /// `/dev/sdb4`.
    pub device: String,
    /// Its GUID in the GPT.
    pub guid: String,
    /// Bytes.
    pub size_bytes: u64,
}

/// How the root image came into RAM.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RootReport {
    /// `tmpfs`, or `overlay` with `esos_persist`.
    pub kind: String,
    /// Frames in the image.
    pub frames: u64,
    /// Files, directories, links and devices.
    pub entries: u64,
    /// Bytes read.
    pub packed_bytes: u64,
    /// Bytes of tar.
    pub unpacked_bytes: u64,
    /// The size given to the tmpfs.
    pub tmpfs_bytes: u64,
    /// Threads that unpacked.
    pub workers: u64,
    /// Frames that had to be read twice, the first time wrong.
    pub reread: u64,
}

/// What the restore hook did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RestoreReport {
    /// `restored`, `failed`, `timeout` or `absent` (the root image has no such hook).
    pub outcome: String,
    /// Its exit status, where it had one.
    pub status: Option<i32>,
    /// The last lines that it printed.
    pub output: String,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct StepReport {
    /// Its name, as `unpack`.
    pub step: String,
    /// When it began.
    pub at_ms: u64,
    /// How long it took.
    pub took_ms: u64,
    /// How long it may take.
    pub budget_ms: u64,
    /// `ok`, or what went wrong.
    pub outcome: String,
}

impl BootReport {
    /// Whether `/usr` lies on the stick (`esos_persist`): a stick that is pulled takes it along.
    #[must_use]
    pub fn usr_is_on_the_stick(&self) -> bool {
        self.mode == "persist"
    }

    /// The name and version of this document.
    pub const SCHEMA: &'static str = "esos-boot/1";

    /// The document.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Serialising strings and integers into memory has nothing to fail at.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// Reads a document.
    ///
    /// # Errors
    /// [`ReadReportError`] for other JSON, or none, or another schema.
    pub fn from_json(text: &str) -> Result<Self, ReadReportError> {
        let report: Self = serde_json::from_str(text).map_err(|e| ReadReportError {
            line: e.line(),
            column: e.column(),
            problem: e.to_string(),
        })?;
        match report.schema.as_str() {
            Self::SCHEMA | "" => Ok(report),
            other => {
                let problem = format!("schema is `{other}`, expected `{}`", Self::SCHEMA);
                Err(ReadReportError { line: 1, column: 1, problem })
            }
        }
    }
}

/// Why a boot report cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("boot report, line {line}, column {column}: {problem}")]
pub struct ReadReportError {
    /// From 1.
    pub line: usize,
    /// From 1.
    pub column: usize,
    /// What is wrong.
    pub problem: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_comes_back_and_newer_fields_do_not_hurt() {
        let mut report =
            BootReport { schema: BootReport::SCHEMA.into(), slot: Some(Slot::Primary), ..Default::default() };
        report.steps.push(StepReport {
            step: "unpack".into(),
            at_ms: 1200,
            took_ms: 800,
            ..Default::default()
        });
        report.stick = Some(StickReport { device: "/dev/sda".into(), ..Default::default() });
        assert_eq!(BootReport::from_json(&report.to_json()).unwrap(), report);
        let newer = report.to_json().replacen('{', "{\"new_field\": [1],", 1);
        assert_eq!(BootReport::from_json(&newer).unwrap(), report);
    }

    #[test]
    fn what_is_no_report_is_refused_with_its_place() {
        let error = BootReport::from_json("{\n\"version\": 7}").unwrap_err();
        assert_eq!((error.line, error.column), (2, 12));
        assert!(BootReport::from_json("{\"schema\": \"esos-boot/9\"}").is_err());
        assert!(BootReport::from_json("").is_err());
    }
}
