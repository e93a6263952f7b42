//! What this box is, and its doors.
use esos_alert::{DIR, Origin, Settings};
use esos_cli::{Exit, Failure, OrExit, Ui};
use esos_hostfs::{Files, HostFiles, LockGuard, lock, uname};
use esos_layout::run;
use std::path::PathBuf;
use std::time::Duration;

/// The box's doors, as this tool needs them.
pub(crate) struct Machine {
    pub(crate) files: HostFiles,
    pub(crate) host: String,
    pub(crate) settings: Settings,
    root: PathBuf,
}

impl Machine {
    pub(crate) fn open(ui: &Ui) -> Result<Self, Failure> {
        let files = HostFiles::new(ui.root());
        let settings = match files.read(Settings::PATH) {
            Ok(bytes) => {
                Settings::parse(Settings::PATH, &String::from_utf8_lossy(&bytes)).or_exit(Exit::Invalid)?
            }
            Err(e) if e.is_not_found() => Settings::default(),
            Err(e) => return Err(e.into()),
        };
        let name = files.read("/etc/hostname").ok().map(|b| String::from_utf8_lossy(&b).trim().to_owned());
        let host = name
            .filter(|n| !n.is_empty())
            .or_else(|| Some(uname().ok()?.nodename))
            .unwrap_or_else(|| "localhost".to_owned());
        Ok(Self { files, host, settings, root: ui.root().to_owned() })
    }

    /// One taker at a time.
    pub(crate) fn lock(&self) -> Result<LockGuard, Failure> {
        self.files.make_dir(DIR)?;
        let path = self.root.join(DIR.trim_start_matches('/')).join("lock");
        lock(&path, Duration::from_secs(90)).or_exit(Exit::Busy)
    }

    pub(crate) fn origin(&self) -> Origin {
        let text = |path: &str| {
            let bytes = self.files.read(path).ok()?;
            Some(String::from_utf8_lossy(&bytes).trim().to_owned()).filter(|t| !t.is_empty())
        };
        let report: Option<serde_json::Value> =
            self.files.read(run::BOOT_REPORT).ok().and_then(|b| serde_json::from_slice(&b).ok());
        let slot = report.as_ref().and_then(|r| r["slot"].as_str());
        let mut origin = Origin::new(&self.host);
        let release = text(run::RELEASE).unwrap_or_else(|| "ESOS of unknown version".to_owned());
        origin = origin.about(slot.map_or(release.clone(), |slot| format!("{release}, slot {slot}")));
        let dmi = |name: &str| text(&format!("/sys/class/dmi/id/{name}"));
        let hardware: Vec<String> = [dmi("sys_vendor"), dmi("product_name")].into_iter().flatten().collect();
        let serial = dmi("product_serial").map(|s| format!(", serial number {s}")).unwrap_or_default();
        if !hardware.is_empty() {
            origin = origin.about(format!("{}{serial}", hardware.join(" ")));
        }
        origin
    }
}
