//! Whether a crash would be captured: the reservation, the crash kernel, the settings that lead to it.
use esos_hostfs::Files;
use serde::{Deserialize, Serialize};

/// A setting of the kernel that makes a fault a crash, and a crash a reboot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its file below `/proc/sys/kernel`.
    pub name: &'static str,
    /// What it must be.
    pub value: &'static str,
    /// Why.
    pub reason: &'static str,
}

/// All of them. One that the kernel does not have is passed over.
pub const SETTINGS: [Setting; 8] = [
    Setting { name: "panic", value: "10", reason: "a panic that is not captured reboots" },
    Setting { name: "panic_on_oops", value: "1", reason: "a kernel that has oopsed holds locks for ever" },
    Setting {
        name: "hung_task_timeout_secs",
        value: "300",
        reason: "longer than any command of a disk is retried",
    },
    Setting { name: "hung_task_panic", value: "1", reason: "a task that waits so long waits for ever" },
    Setting { name: "softlockup_panic", value: "1", reason: "a processor that schedules nothing" },
    Setting { name: "hardlockup_panic", value: "1", reason: "a processor that takes no interrupts" },
    Setting { name: "unknown_nmi_panic", value: "1", reason: "the NMI button of a machine that hangs" },
    Setting { name: "panic_on_io_nmi", value: "1", reason: "a bus error must not go on writing to disks" },
];

/// Why a crash would not be captured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case", tag = "why")]
#[non_exhaustive]
pub enum Trouble {
    /// The kernel has no kexec.
    #[error("this kernel cannot load a crash kernel: it has no /sys/kernel/kexec_crash_size")]
    NoKexec,
    /// Nothing was asked for.
    #[error("missing reservation: the kernel command line has no crashkernel=")]
    NotRequested,
    /// The machine has less memory than the first range.
    #[error("missing reservation: {asked} reserves nothing on a machine with {memory_mib} MiB")]
    TooLittleMemory {
        /// The argument.
        asked: String,
        /// Memory in MiB.
        memory_mib: u64,
    },
    /// Asked for, and the kernel could not.
    #[error(
        "too large: the kernel found no room for {asked} below 4 GiB{}",
        kernel.as_deref().map(|k| format!(" ({k})")).unwrap_or_default()
    )]
    NoRoom {
        /// The argument.
        asked: String,
        /// The kernel's own words.
        kernel: Option<String>,
    },
    /// It lies where many devices cannot reach.
    #[error(
        "too large: the reservation lies above 4 GiB and nothing below, so devices with 32-bit addresses fail in it"
    )]
    Above4Gib,
    /// There is a reservation, and no kernel in it.
    #[error("unloaded: {reserved_mib} MiB are reserved, but no crash kernel is loaded")]
    NotLoaded {
        /// MiB reserved.
        reserved_mib: u64,
    },
}

/// What there is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readiness {
    /// `crashkernel=…` of the kernel command line.
    pub asked: Option<String>,
    /// Bytes reserved.
    pub reserved_bytes: u64,
    /// Whether a crash kernel is loaded.
    pub loaded: bool,
    /// Memory of the machine in bytes, the reservation included.
    pub memory_bytes: u64,
    /// What the table has for a machine like this.
    pub wanted_bytes: Option<u64>,
    /// Settings that are not as they should be: name, found, wanted.
    pub settings: Vec<(String, String, String)>,
    /// Why a crash would not be captured; the first is the one to mend.
    pub troubles: Vec<Trouble>,
}

impl Readiness {
    /// Reads it. `kernel_log` is the kernel's own log, for its words.
    #[must_use]
    pub fn observe(files: &dyn Files, kernel_log: &str) -> Self {
        let read = |path: &str| files.read(path).ok().map(|b| String::from_utf8_lossy(&b).trim().to_owned());
        let number = |path: &str| read(path).and_then(|t| t.parse::<u64>().ok());
        let line = read("/proc/cmdline").unwrap_or_default();
        let asked = line.split_ascii_whitespace().rfind(|w| w.starts_with("crashkernel="));
        let reserved = number("/sys/kernel/kexec_crash_size");
        let reserved_bytes = reserved.unwrap_or(0);
        let total = read("/proc/meminfo").and_then(|t| mem_total(&t)).unwrap_or(0);
        let memory_bytes = total.saturating_add(reserved_bytes);
        let mut this = Self {
            asked: asked.map(str::to_owned),
            reserved_bytes,
            loaded: number("/sys/kernel/kexec_crash_loaded") == Some(1),
            memory_bytes,
            wanted_bytes: esos_layout::crash::reservation(memory_bytes),
            ..Self::default()
        };
        for setting in SETTINGS {
            let found = read(&format!("/proc/sys/kernel/{}", setting.name));
            if let Some(found) = found.filter(|f| f != setting.value) {
                this.settings.push((setting.name.to_owned(), found, setting.value.to_owned()));
            }
        }
        let iomem = read("/proc/iomem").unwrap_or_default();
        this.troubles = this.judge(reserved.is_some(), &iomem, kernel_log);
        this
    }

    fn judge(&self, kexec: bool, iomem: &str, log: &str) -> Vec<Trouble> {
        let mut found = Vec::new();
        match &self.asked {
            _ if !kexec => found.push(Trouble::NoKexec),
            None if self.reserved_bytes == 0 => found.push(Trouble::NotRequested),
            Some(asked) if self.reserved_bytes == 0 => {
                let memory_mib = self.memory_bytes >> 20;
                let kernel = log.lines().rfind(|l| {
                    let l = l.to_ascii_lowercase();
                    l.contains("crashkernel") && !l.contains("command line") && !l.contains("reserving")
                });
                let words = kernel.map(|l| l.rsplit("] ").next().unwrap_or(l).trim().to_owned());
                let none = words.is_none() && ranges_give_nothing(asked, memory_mib);
                let asked = asked.clone();
                found.push(if none {
                    Trouble::TooLittleMemory { asked, memory_mib }
                } else {
                    Trouble::NoRoom { asked, kernel: words }
                });
            }
            _ => {
                let starts: Vec<u64> = crash_ranges(iomem);
                if !starts.is_empty() && starts.iter().all(|s| *s >= 1 << 32) {
                    found.push(Trouble::Above4Gib);
                }
                if !self.loaded {
                    found.push(Trouble::NotLoaded { reserved_mib: self.reserved_bytes >> 20 });
                }
            }
        }
        found
    }
}

/// Where `/proc/iomem` has the reservation; all zeros without the right to see it, which tells nothing.
fn crash_ranges(iomem: &str) -> Vec<u64> {
    let lines = iomem.lines().filter(|l| l.trim_end().ends_with(": Crash kernel"));
    let starts = lines.filter_map(|l| u64::from_str_radix(l.trim().split('-').next()?, 16).ok());
    starts.filter(|s| *s > 0).collect()
}

/// Whether `crashkernel=512M-2G:128M,…` has no range for so much memory.
fn ranges_give_nothing(asked: &str, memory_mib: u64) -> bool {
    let mib = |text: &str| {
        let digits = text.trim_end_matches(['K', 'M', 'G', 'T', 'k', 'm', 'g', 't']);
        let number: u64 = digits.parse().ok()?;
        Some(match text.as_bytes().last()?.to_ascii_uppercase() {
            b'G' => number.saturating_mul(1024),
            b'T' => number.saturating_mul(1 << 20),
            b'M' => number,
            b'K' => number >> 10,
            _ => number >> 20,
        })
    };
    let Some(value) = asked.strip_prefix("crashkernel=").filter(|v| v.contains(':')) else { return false };
    !value.split('@').next().unwrap_or(value).split(',').any(|range| {
        let Some((from, to)) = range.split(':').next().and_then(|r| r.split_once('-')) else { return false };
        mib(from).is_some_and(|from| memory_mib >= from) && mib(to).is_none_or(|to| memory_mib < to)
    })
}

fn mem_total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|l| l.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// Words of the running kernel's command line that the crash kernel must not have: what reserves or takes memory,
/// what belongs to one boot, what waits for people.
const DROPPED: &[&str] = &[
    "BOOT_IMAGE=",
    "crashkernel=",
    "initrd=",
    "root=",
    "hugepages=",
    "hugepagesz=",
    "default_hugepagesz=",
    "slub_debug",
    "page_poison",
    "page_owner",
    "cma=",
    "mem=",
    "memmap=",
    "nr_cpus=",
    "maxcpus=",
    "panic=",
    "esos.attempt=",
    "esos.state=",
    "esos.fallback=",
    "esos.exhausted=",
    "esos_persist",
    "esos_iso=",
    "rescue",
    "single_user",
    "kexec_jump_back_entry=",
    "elfcorehdr=",
    "acpi_rsdp=",
];

/// The crash kernel's command line, from the running kernel's: consoles, quirks and the stick's identity stay.
#[must_use]
pub fn arguments(running: &str, level: u8) -> String {
    let is_dropped = |word: &&str| {
        let rest = |d: &&'static str| word.strip_prefix(*d).map(|rest| (d.ends_with('='), rest));
        DROPPED.iter().filter_map(rest).any(|(open, rest)| open || rest.is_empty() || rest.starts_with('='))
    };
    let kept: Vec<&str> = running.split_ascii_whitespace().filter(|w| !is_dropped(w)).collect();
    format!("{} {} {}{level}", kept.join(" "), esos_layout::crash::ARGUMENTS, esos_layout::crash::LEVEL)
        .trim_start()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use esos_hostfs::MemFiles;

    fn machine(cmdline: &str, size: Option<&str>, loaded: &str, iomem: &str) -> MemFiles {
        let files = MemFiles::new()
            .file("/proc/cmdline", cmdline)
            .file("/proc/meminfo", "MemTotal:        2904064 kB\nMemFree: 1 kB\n")
            .file("/proc/iomem", iomem)
            .file("/proc/sys/kernel/panic", "10\n")
            .file("/proc/sys/kernel/panic_on_oops", "0\n")
            .file("/sys/kernel/kexec_crash_loaded", loaded);
        size.map_or(files.clone(), |s| files.file("/sys/kernel/kexec_crash_size", s))
    }

    fn check(cmdline: &str, size: Option<&str>, loaded: &str, iomem: &str, log: &str) -> Option<String> {
        let found = Readiness::observe(&machine(cmdline, size, loaded, iomem), log);
        assert_eq!(found.settings, [("panic_on_oops".to_owned(), "0".to_owned(), "1".to_owned())]);
        found.troubles.first().map(ToString::to_string)
    }

    #[test]
    fn each_reason_has_its_words() {
        let low = "  a0000000-abffffff : Crash kernel\n";
        let high = "  120000000-12fffffff : Crash kernel\n";
        let said = |a, b, c, d, e| check(a, b, c, d, e).unwrap_or_default();
        assert_eq!(check("crashkernel=192M", Some("201326592\n"), "1\n", low, ""), None);
        assert!(said("quiet", None, "0", "", "").contains("no /sys/kernel/kexec_crash_size"));
        assert!(said("quiet", Some("0\n"), "0\n", "", "").starts_with("missing reservation"));
        let small = said("crashkernel=4G-:256M", Some("0\n"), "0\n", "", "");
        assert!(small.contains("reserves nothing on a machine with 2836 MiB"), "{small}");
        let log = "[    0.0] Kernel command line: crashkernel=2900M\n[    0.01] crashkernel reservation failed - No suitable area found.\n";
        let large = said("crashkernel=2900M", Some("0\n"), "0\n", "", log);
        assert!(large.starts_with("too large") && large.contains("No suitable area found"), "{large}");
        assert!(said("crashkernel=1G", Some("1073741824\n"), "0\n", high, "").starts_with("too large"));
        assert!(
            said("crashkernel=192M", Some("201326592\n"), "0\n", low, "").starts_with("unloaded: 192 MiB")
        );
    }

    #[test]
    fn the_command_line_keeps_consoles_and_quirks() {
        let running = "BOOT_IMAGE=/vmlinuz console=tty0 console=ttyS0,115200n8 panic=10 crashkernel=192M slot=PRIMARY esos.stick=ab slub_debug=FZ pci=nomsi esos.attempt=1 rescue";
        let line = arguments(running, 31);
        assert!(
            line.starts_with(
                "console=tty0 console=ttyS0,115200n8 slot=PRIMARY esos.stick=ab pci=nomsi irqpoll"
            ),
            "{line}"
        );
        assert!(line.ends_with("esos.crash.level=31"));
        for gone in ["crashkernel", "slub_debug", "rescue", "attempt", "BOOT_IMAGE"] {
            assert!(!line.contains(gone), "{line}");
        }
        assert!(!arguments("", 31).starts_with(' '));
    }
}
