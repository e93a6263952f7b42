//! Where the stick that was booted is now.
use crate::{BootReport, ReadReportError};
use esos_hostfs::{FileError, Files};
use esos_layout::run;
use esos_layout::stick_state::{Presence, StickState};

/// The stick that this box was booted from, as `esos-init` found it and the stick watcher has followed it.
///
/// ```
/// use esos_hostfs::{Files, MemFiles};
/// use esos_initramfs::{BootedStick, BootedStickError};
///
/// let files = MemFiles::new();
/// files.make_dir("/run/esos")?;
/// let report = r#"{"stick": {"device": "/dev/sdb", "partitions": {"esos_conf": {"device": "/dev/sdb5"}}}}"#;
/// files.replace("/run/esos/boot.json", report.as_bytes(), 0o644)?;
/// assert_eq!(BootedStick::read(&files)?.partition("esos_conf")?, "/dev/sdb5");
///
/// let state = r#"{"schema": "esos-stick/1", "state": "gone", "message": "the stick was pulled"}"#;
/// files.replace("/run/esos/stick.json", state.as_bytes(), 0o644)?;
/// assert!(matches!(BootedStick::read(&files)?.partition("esos_conf"), Err(BootedStickError::Gone(_))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootedStick {
    report: BootReport,
    state: Option<StickState>,
}

/// Why a partition of the booted stick cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BootedStickError {
    /// This is no box that `esos-init` has booted.
    #[error("it is not known which stick was booted")]
    NoReport(#[source] FileError),
    /// The report makes no sense.
    #[error(transparent)]
    Report(#[from] ReadReportError),
    /// The stick was pulled or died, or another one is in its place; in the watcher's words.
    #[error("{0}")]
    Gone(String),
    /// The stick came back under another name this very moment.
    #[error("the stick came back as {now}; its partitions are not there yet, try again in a few seconds")]
    Moved {
        /// Its node now.
        now: String,
    },
    /// It has no such partition.
    #[error("the stick {stick} has no partition {name}")]
    NoPartition {
        /// The stick's node, `none` where the box was booted from no stick.
        stick: String,
        /// The partition's name.
        name: String,
    },
}

impl BootedStick {
    /// Reads the boot report and what the watcher says; a watcher that has not said anything yet is none.
    ///
    /// # Errors
    /// [`BootedStickError::NoReport`], [`BootedStickError::Report`].
    pub fn read(files: &dyn Files) -> Result<Self, BootedStickError> {
        let bytes = files.read(run::BOOT_REPORT).map_err(BootedStickError::NoReport)?;
        let report = BootReport::from_json(&String::from_utf8_lossy(&bytes))?;
        let state = files.read(run::STICK_STATE).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Ok(Self { report, state })
    }

    /// The node of a partition, by its GPT name. Never one of another stick that carries the same names.
    ///
    /// # Errors
    /// [`BootedStickError`] but for the first two.
    pub fn partition(&self, name: &str) -> Result<&str, BootedStickError> {
        let stick = self.report.stick.as_ref();
        if let Some(state) = &self.state {
            match (&state.state, &state.device, stick) {
                (Presence::Gone | Presence::Refused, ..) => {
                    return Err(BootedStickError::Gone(state.message.clone()));
                }
                // The watcher writes the report anew as soon as it sees the partitions.
                (Presence::Present, Some(now), Some(stick)) if *now != stick.device => {
                    return Err(BootedStickError::Moved { now: now.clone() });
                }
                _ => {}
            }
        }
        let found = stick.and_then(|s| s.partitions.get(name)).map(|p| p.device.as_str());
        found.ok_or_else(|| BootedStickError::NoPartition {
            stick: stick.map_or("none", |s| s.device.as_str()).to_owned(),
            name: name.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use esos_hostfs::MemFiles;

    fn files(state: Option<&str>) -> MemFiles {
        let files = MemFiles::new();
        files.make_dir(run::DIR).unwrap();
        let report =
            r#"{"stick": {"device": "/dev/sdb", "partitions": {"esos_logs": {"device": "/dev/sdb6"}}}}"#;
        files.replace(run::BOOT_REPORT, report.as_bytes(), 0o644).unwrap();
        if let Some(state) = state {
            files.replace(run::STICK_STATE, state.as_bytes(), 0o644).unwrap();
        }
        files
    }

    fn of(state: Option<&str>, name: &str) -> Result<String, String> {
        let stick = BootedStick::read(&files(state)).unwrap();
        stick.partition(name).map(str::to_owned).map_err(|e| e.to_string())
    }

    fn state(word: &str, device: &str) -> String {
        format!(r#"{{"schema": "esos-stick/1", "state": "{word}", "device": "{device}", "message": "so"}}"#)
    }

    #[test]
    fn what_the_watcher_says_goes_before_what_was_at_boot() {
        assert_eq!(of(None, "esos_logs"), Ok("/dev/sdb6".to_owned()));
        assert_eq!(of(Some(&state("present", "/dev/sdb")), "esos_logs"), Ok("/dev/sdb6".to_owned()));
        for word in ["gone", "refused"] {
            assert_eq!(of(Some(&state(word, "/dev/sdb")), "esos_logs"), Err("so".to_owned()));
        }
        assert!(of(Some(&state("present", "/dev/sdc")), "esos_logs").unwrap_err().contains("/dev/sdc"));
        // A newer watcher's word, and half a file, are no reason to refuse.
        assert!(of(Some(&state("sulking", "/dev/sdc")), "esos_logs").is_ok());
        assert!(of(Some("{"), "esos_logs").is_ok());
        assert_eq!(of(None, "esos_data").unwrap_err(), "the stick /dev/sdb has no partition esos_data");
    }

    #[test]
    fn without_a_report_nothing_is_guessed() {
        let none = MemFiles::new();
        assert!(matches!(BootedStick::read(&none), Err(BootedStickError::NoReport(_))));
        let files = files(None);
        files.replace(run::BOOT_REPORT, b"{}", 0o644).unwrap();
        let error = BootedStick::read(&files).unwrap().partition("esos_logs").unwrap_err();
        assert_eq!(error.to_string(), "the stick none has no partition esos_logs");
        files.replace(run::BOOT_REPORT, b"{", 0o644).unwrap();
        assert!(matches!(BootedStick::read(&files), Err(BootedStickError::Report(_))));
    }
}
