//! The stick that is meant, and what this box knows of it.
use std::path::{Path, PathBuf};
use std::time::Duration;

use esos_bootimg::upgrade::Stick;
use esos_cli::{Exit, Failure, OrExit};
use esos_hostfs::{Clock, Files, HostClock, HostFiles, LockGuard, lock};
use esos_initramfs::BootReport;
use esos_layout::state::Fallback;
use esos_layout::stick_state::{Presence, StickState};
use esos_layout::{Slot, cmdline, run};

use crate::medium::{How, Opened};

/// How this box came up.
pub(crate) struct Booted {
    pub(crate) slot: Option<Slot>,
    pub(crate) fallback: Option<Fallback>,
    /// The identity of its stick, where it has one.
    identity: Option<String>,
    /// The identity of its partition table.
    disk: Option<String>,
    /// Where its stick is now.
    pub(crate) device: PathBuf,
}

/// What `esos-init` left; none where this is no box.
pub(crate) fn booted(root: &Path) -> Option<Booted> {
    let files = HostFiles::new(root);
    let text = |path: &str| Some(String::from_utf8_lossy(&files.read(path).ok()?).into_owned());
    let report = BootReport::from_json(&text(run::BOOT_REPORT)?).ok()?;
    let stick = report.stick?;
    let watched: Option<StickState> = text(run::STICK_STATE).and_then(|t| serde_json::from_str(&t).ok());
    // A stick that was pulled may have come back under another name.
    let now = watched.filter(|w| w.state == Presence::Present).and_then(|w| w.device);
    let words = text("/proc/cmdline").unwrap_or_default();
    let fallback = words.split_whitespace().find_map(|w| w.strip_prefix(cmdline::FALLBACK)?.parse().ok());
    Some(Booted {
        slot: report.slot,
        fallback,
        identity: stick.identity,
        disk: stick.disk_guid,
        device: now.unwrap_or(stick.device).into(),
    })
}

/// How long a stick may be held by somebody else: udev locks a disk while it looks at it, and looks at it whenever
/// somebody has written to it.
const HELD: Duration = Duration::from_secs(30);

/// Keeps others away from a stick that is to be written.
pub(crate) fn locked(path: &Path) -> Result<LockGuard, Failure> {
    lock(path, HELD).or_exit(Exit::Busy)
}

/// A stick that somebody named, or the one that this box booted from.
pub(crate) struct Meant {
    pub(crate) medium: Opened,
    pub(crate) path: PathBuf,
    /// How this box came up, where it came up from this stick.
    pub(crate) booted: Option<Booted>,
    _lock: Option<LockGuard>,
}

impl Meant {
    /// Opens it; for writing, nobody else may be at it.
    pub(crate) fn open(named: Option<&Path>, how: How, root: &Path) -> Result<Self, Failure> {
        let booted = booted(root);
        let path = match (named, &booted) {
            (Some(path), _) => path.to_owned(),
            (None, Some(booted)) => booted.device.clone(),
            (None, None) => {
                let failure = Failure::new(Exit::Usage, "this is no box that booted from a stick of ESOS");
                return Err(failure.help("name an image or a device"));
            }
        };
        let medium = Opened::open(&path, how)?;
        let guard = match how {
            How::Read => None,
            How::Write => Some(locked(&path)?),
        };
        let stick = Stick::open(&medium).or_exit(Exit::Invalid)?;
        let identity = stick.records().stick.clone();
        let disk = stick.table().disk.to_string();
        // A stick that has no identity of its own yet is known by its partition table.
        let ours = |b: &Booted| match &b.identity {
            Some(_) => b.identity == identity,
            None => b.disk.as_ref().is_some_and(|d| d.eq_ignore_ascii_case(&disk)),
        };
        if named.is_none() && !booted.as_ref().is_some_and(ours) {
            let text = format!("{} is not the stick that this box booted from", path.display());
            return Err(Failure::new(Exit::Refused, text).help("name the device if it is meant all the same"));
        }
        // Another stick may carry the same image: the node decides between the two.
        let same_node = |b: &Booted| b.device == path;
        let booted = booted.filter(|b| ours(b) && (b.identity.is_some() || same_node(b)));
        Ok(Self { medium, path, booted, _lock: guard })
    }

    /// Its records.
    pub(crate) fn stick(&self) -> Result<Stick<'_>, Failure> {
        Stick::open(&self.medium).or_exit(Exit::Invalid)
    }

    /// The slot that runs from it, or else the one that it would start.
    pub(crate) fn running(&self, stick: &Stick<'_>) -> Result<Slot, Failure> {
        let runs = self.booted.as_ref().and_then(|b| b.slot);
        runs.or_else(|| stick.state().default_slot()).ok_or_else(|| {
            let text = format!("{} has no slot that can be started", self.path.display());
            Failure::new(Exit::Invalid, text).help("write a whole image onto it: esos-image write")
        })
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    HostClock.now().as_secs()
}

/// 32 random hex digits.
pub(crate) fn new_identity() -> Result<String, Failure> {
    let random = HostFiles::new("/").read("/proc/sys/kernel/random/uuid")?;
    Ok(String::from_utf8_lossy(&random).chars().filter(char::is_ascii_hexdigit).collect())
}
