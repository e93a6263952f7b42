//! What the running system says about itself. A fact that is not there is a reason, never a blank.
use esos_blockdev::Inventory;
use esos_exec::Runner;
use esos_hostfs::{Files, MemInfo, Mount, parse_uptime};
use esos_initramfs::BootReport;
use esos_layout::run::{BOOT_REPORT, RELEASE, STICK_STATE};
use esos_layout::stick_state::{Presence, StickState};
use esos_units::Bytes;
use serde::{Serialize, Serializer};
use std::path::Path;
use std::time::Duration;

/// A fact, or why it is not known. In JSON the value, or `null` with the reason among the warnings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fact<T>(pub Result<T, String>);

impl<T: Serialize> Serialize for Fact<T> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        self.0.as_ref().ok().serialize(s)
    }
}

/// The facts.
#[derive(Debug, Serialize)]
pub(crate) struct Facts {
    /// The version of ESOS in the running root.
    pub(crate) version: Fact<String>,
    /// How `esos-init` brought the box up.
    pub(crate) boot: Fact<BootReport>,
    /// The kernel's release.
    pub(crate) kernel: Fact<String>,
    /// Seconds since the kernel started.
    pub(crate) uptime_seconds: Fact<u64>,
    /// The type of the root file system.
    pub(crate) root_type: Fact<String>,
    /// Interfaces and their addresses; the loopback is left out.
    pub(crate) addresses: Fact<Vec<Interface>>,
    /// Whether the stick is there.
    pub(crate) stick: Fact<Stick>,
    /// Memory.
    pub(crate) memory: Fact<Memory>,
}

/// One interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Interface {
    pub(crate) name: String,
    pub(crate) up: bool,
    pub(crate) carrier: bool,
    pub(crate) addresses: Vec<String>,
}

/// The stick.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Stick {
    pub(crate) state: Presence,
    /// One line for people.
    pub(crate) text: String,
}

/// Memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Memory {
    pub(crate) total_bytes: u64,
    pub(crate) available_bytes: u64,
}

impl Facts {
    /// Reads all of them below a root (`/` is this machine).
    pub(crate) fn gather(files: &impl Files, runner: &impl Runner, root: &Path) -> Self {
        let boot = boot(files);
        Self {
            version: Fact(text(files, RELEASE).map(|t| t.trim().to_owned())),
            kernel: Fact(text(files, "/proc/sys/kernel/osrelease").map(|t| t.trim().to_owned())),
            uptime_seconds: Fact(uptime(files)),
            root_type: Fact(root_type(files)),
            addresses: Fact(addresses(runner, root)),
            stick: Fact(stick(files, &boot, root)),
            memory: Fact(memory(files)),
            boot: Fact(boot),
        }
    }

    /// Reasons of all facts that are not known, as `name: reason`.
    pub(crate) fn unknown(&self) -> Vec<String> {
        fn why<T>(name: &str, fact: &Fact<T>) -> Option<String> {
            fact.0.as_ref().err().map(|e| format!("{name}: {e}"))
        }
        let all = [
            why("version", &self.version),
            why("boot", &self.boot),
            why("kernel", &self.kernel),
            why("uptime", &self.uptime_seconds),
            why("root", &self.root_type),
            why("addresses", &self.addresses),
            why("stick", &self.stick),
            why("memory", &self.memory),
        ];
        all.into_iter().flatten().collect()
    }
}

fn text(files: &impl Files, path: &str) -> Result<String, String> {
    let bytes = files.read(path).map_err(|e| e.to_string())?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn boot(files: &impl Files) -> Result<BootReport, String> {
    match files.read(BOOT_REPORT) {
        Ok(bytes) => {
            BootReport::from_json(&String::from_utf8_lossy(&bytes)).map_err(|e| format!("{BOOT_REPORT}: {e}"))
        }
        Err(e) if e.is_not_found() => Err(format!("not booted by esos-init (there is no {BOOT_REPORT})")),
        Err(e) => Err(e.to_string()),
    }
}

fn uptime(files: &impl Files) -> Result<u64, String> {
    let path = "/proc/uptime";
    parse_uptime(path, &text(files, path)?).map(|d: Duration| d.as_secs()).map_err(|e| e.to_string())
}

fn root_type(files: &impl Files) -> Result<String, String> {
    let path = "/proc/self/mountinfo";
    let mounts = Mount::parse_all(path, &text(files, path)?).map_err(|e| e.to_string())?;
    // Of mounts on one place the last one is seen.
    mounts.iter().rfind(|m| m.target == "/").map(|m| m.fs_type.clone()).ok_or(format!("{path} has no `/`"))
}

fn addresses(runner: &impl Runner, root: &Path) -> Result<Vec<Interface>, String> {
    if root != Path::new("/") {
        return Err("a copied tree has no network".to_owned());
    }
    let output = runner.run(&esos_network::seen_command()).map_err(|e| e.to_string())?;
    if !output.status.success() {
        return Err(format!("ip: {}: {}", output.status, output.error_text().trim()));
    }
    let seen = esos_network::observe(&output.text()).map_err(|e| format!("ip: {e}"))?;
    let shown = seen.into_iter().filter(|s| s.link_type != "loopback");
    Ok(shown
        .map(|s| Interface {
            name: s.name.to_string(),
            up: s.up,
            carrier: s.carrier,
            addresses: s.addresses.iter().map(ToString::to_string).collect(),
        })
        .collect())
}

/// The watcher's word, and where there is none, what the boot report and the inventory show.
fn stick(files: &impl Files, boot: &Result<BootReport, String>, root: &Path) -> Result<Stick, String> {
    match files.read(STICK_STATE) {
        Ok(bytes) => {
            let state: StickState =
                serde_json::from_slice(&bytes).map_err(|e| format!("{STICK_STATE}: {e}"))?;
            let device = state.device.map(|d| format!("{d}: ")).unwrap_or_default();
            return Ok(Stick { state: state.state, text: format!("{device}{}", state.message) });
        }
        Err(e) if e.is_not_found() => {}
        Err(e) => return Err(e.to_string()),
    }
    let boot = boot.as_ref().map_err(Clone::clone)?;
    let booted = boot.stick.as_ref().ok_or("booted from no stick")?;
    let inventory = Inventory::of_machine(root).map_err(|e| e.to_string())?;
    // The same place is not the same stick: size and serial number must be what they were, too.
    let here = inventory.by_path(&booted.device).filter(|d| {
        d.size == Bytes::new(booted.size_bytes) && (booted.serial.is_none() || d.serial == booted.serial)
    });
    Ok(match here {
        Some(device) => Stick { state: Presence::Present, text: device.describe() },
        None => Stick { state: Presence::Gone, text: format!("{} is not there any more", booted.device) },
    })
}

fn memory(files: &impl Files) -> Result<Memory, String> {
    let path = "/proc/meminfo";
    let info = MemInfo::parse(path, &text(files, path)?).map_err(|e| e.to_string())?;
    match (info.total(), info.available()) {
        (Some(total), Some(available)) => {
            Ok(Memory { total_bytes: total.get(), available_bytes: available.get() })
        }
        _ => Err(format!("{path} has no MemTotal or MemAvailable")),
    }
}
