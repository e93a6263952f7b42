//! Facts out of files.
use crate::{programs, scst};
use esos_alert::Settings;
use esos_health::{CertificateError, Fact, Facts, FileSystem, Sensor, not_after};
use esos_hostfs::{Clock, Files, HostClock, HostFiles, Mount};
use esos_layout::run;
use serde_json::Value;
use std::path::Path;

const MAIL: &str = "/etc/esos/mail.toml";

/// A text, or why there is none; `absent` is what a file that is not there means.
pub(crate) fn text(files: &HostFiles, path: &str, absent: Fact<String>) -> Fact<String> {
    match files.read(path) {
        Ok(bytes) => Fact::Known(String::from_utf8_lossy(&bytes).into_owned()),
        Err(e) if e.is_not_found() => absent,
        Err(e) => Fact::Unknown(e.to_string()),
    }
}

pub(crate) fn gather(root: &Path, live: bool) -> Facts {
    let files = HostFiles::new(root);
    let missing = |path: &str| Fact::Unknown(format!("{path} is not there"));
    let needed = |path: &str| text(&files, path, missing(path));
    let mut facts = Facts::unused();
    facts.meminfo = needed("/proc/meminfo");
    facts.mdstat = text(&files, "/proc/mdstat", Fact::Unused);
    facts.stick = needed(run::STICK_STATE);
    facts.boot = needed(run::BOOT_REPORT);
    facts.conf = needed("/run/esos/conf.json");
    facts.restored = needed("/var/lib/esos/conf/restored.json");
    facts.crash_loaded = needed("/sys/kernel/kexec_crash_loaded");
    facts.sensors = sensors(&files);
    facts.file_systems = file_systems(&files, live);
    facts.certificates = certificates(&files);
    facts.uptime = uptime(&files);
    if has_stick(&files) {
        let why = "nobody has looked for crash dumps since the boot: esos crash check";
        facts.dumps = text(&files, run::DUMPS, Fact::Unknown(why.to_owned()));
    }
    scst::gather(&files, &mut facts);
    programs::gather(&files, live, &mut facts);
    facts
}

/// Whether the box was started from a stick.
pub(crate) fn has_stick(files: &HostFiles) -> bool {
    let report = files.read(run::BOOT_REPORT).ok().and_then(|b| serde_json::from_slice::<Value>(&b).ok());
    report.is_some_and(|report| report["stick"].is_object())
}

/// `/proc/uptime`: seconds since the box started, and idle ones of all processors.
fn uptime(files: &HostFiles) -> Fact<u64> {
    const PATH: &str = "/proc/uptime";
    let Some(text) = trimmed(files, PATH) else { return Fact::Unknown(format!("{PATH} is not there")) };
    let whole = text.split(['.', ' ']).next().and_then(|s| s.parse().ok());
    whole.map_or_else(|| Fact::Unknown(format!("{PATH} says `{text}`")), Fact::Known)
}

pub(crate) fn trimmed(files: &HostFiles, path: &str) -> Option<String> {
    Some(String::from_utf8_lossy(&files.read(path).ok()?).trim().to_owned())
}

fn sensors(files: &HostFiles) -> Fact<Vec<Sensor>> {
    const DIR: &str = "/sys/class/hwmon";
    let Ok(chips) = files.list(DIR) else { return Fact::Unused };
    let mut found = Vec::new();
    for chip in chips {
        let dir = format!("{DIR}/{chip}");
        let name = trimmed(files, &format!("{dir}/name")).unwrap_or(chip);
        for input in files.list(&dir).unwrap_or_default() {
            let Some(sensor) = input.strip_suffix("_input").filter(|s| s.starts_with("temp")) else {
                continue;
            };
            let number = |what: &str| trimmed(files, &format!("{dir}/{sensor}_{what}"))?.parse::<i64>().ok();
            // A sensor that is not wired cannot be read.
            let Some(now) = number("input") else { continue };
            let label = trimmed(files, &format!("{dir}/{sensor}_label")).unwrap_or_else(|| sensor.to_owned());
            found.push(Sensor {
                name: format!("{name}/{label}"),
                now,
                max: number("max"),
                crit: number("crit"),
            });
        }
    }
    if found.is_empty() { Fact::Unused } else { Fact::Known(found) }
}

/// Certificates of the box itself: what lies where they are put, and what the settings of mails name. The bundle of
/// authorities in `/etc/ssl/certs` is the image's.
fn certificates(files: &HostFiles) -> Fact<Vec<(String, Fact<i64>)>> {
    let dirs = ["/etc/esos", "/etc/esos/certs", "/etc/ssl/esos", "/var/lib/pcsd"];
    let named = |dir: &&str| {
        let names = files.list(dir).unwrap_or_default();
        let fits = |name: &String| [".crt", ".pem", ".cer"].iter().any(|end| name.ends_with(end));
        names.into_iter().filter(fits).map(|name| format!("{dir}/{name}")).collect::<Vec<_>>()
    };
    let mut paths: Vec<String> = dirs.iter().flat_map(named).collect();
    if let Fact::Known(toml) = text(files, MAIL, Fact::Unused) {
        paths.extend(Settings::parse(MAIL, &toml).ok().and_then(|s| s.smtp?.ca));
    }
    paths.sort();
    paths.dedup();
    let now = i64::try_from(HostClock.now().as_secs()).unwrap_or(i64::MAX);
    let one = |path: String| {
        let missing = Fact::Unknown("it is not there".to_owned());
        let left = match text(files, &path, missing) {
            Fact::Known(pem) => match not_after(&pem) {
                Ok(end) => Fact::Known(end.saturating_sub(now)),
                // A key, or parameters, under the same ending.
                Err(CertificateError::None) => Fact::Unused,
                Err(e) => Fact::Unknown(e.to_string()),
            },
            Fact::Unused => Fact::Unused,
            Fact::Unknown(why) => Fact::Unknown(why),
        };
        (path, left)
    };
    let found: Vec<_> = paths.into_iter().map(one).filter(|(_, left)| *left != Fact::Unused).collect();
    if found.is_empty() { Fact::Unused } else { Fact::Known(found) }
}

fn file_systems(files: &HostFiles, live: bool) -> Fact<Vec<FileSystem>> {
    const PATH: &str = "/proc/self/mountinfo";
    if !live {
        return Fact::Unknown("how full a file system is cannot be told from a copied tree".to_owned());
    }
    let Some(text) = trimmed(files, PATH) else { return Fact::Unknown(format!("{PATH} cannot be read")) };
    let mounts = match Mount::parse_all(PATH, &text) {
        Ok(mounts) => mounts,
        Err(e) => return Fact::Unknown(e.to_string()),
    };
    let real = ["ext2", "ext3", "ext4", "xfs", "btrfs", "tmpfs", "zfs", "vfat", "overlay"];
    let has = |options: &[String], word: &str| options.iter().any(|o| o == word);
    let mut found: Vec<FileSystem> = Vec::new();
    for mount in mounts.iter().filter(|m| real.contains(&m.fs_type.as_str())) {
        let place = mount.target.clone();
        // A dead stick can hold statvfs; what is mounted for a moment by our own tools is not looked at.
        if place.starts_with("/run/esos/") || found.iter().any(|f| f.mount == place) {
            continue;
        }
        let Ok(space) = esos_hostfs::space(Path::new(&mount.target)) else { continue };
        let (total, free) = (space.total.get(), space.free.get());
        if total == 0 {
            continue;
        }
        found.push(FileSystem {
            mount: place,
            total,
            used: total.saturating_sub(free),
            inodes: space.inodes,
            used_inodes: space.inodes.saturating_sub(space.free_inodes),
            // So the kernel shows a file system that it has stopped writing to after an error.
            read_only: has(&mount.options, "rw")
                && (has(&mount.super_options, "ro") || has(&mount.super_options, "emergency_ro")),
            errors: ext4_errors(files, mount).unwrap_or(0),
        });
    }
    Fact::Known(found)
}

/// `/sys/fs/ext4/NAME/errors_count`, under the kernel's name of the device.
fn ext4_errors(files: &HostFiles, mount: &Mount) -> Option<u64> {
    if mount.fs_type != "ext4" {
        return None;
    }
    let event = trimmed(files, &format!("/sys/dev/block/{}/uevent", mount.dev))?;
    let name = event.lines().find_map(|line| line.strip_prefix("DEVNAME="))?;
    trimmed(files, &format!("/sys/fs/ext4/{}/errors_count", name.replace('/', "!")))?.parse().ok()
}
