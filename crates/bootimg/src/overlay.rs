//! What the running root has that comes from no package: init scripts, settings, links.
//!
//! The files lie in `assets/root/` and are built into the program, so an image needs nothing but
//! packages and this crate. They are laid over the packages' files; a path that a package has too
//! ([`File::path`]) is replaced, because a RAM root without maintainer scripts and without systemd needs
//! other settings than an installed Debian.
//!
//! ```
//! use esos_bootimg::overlay;
//!
//! let inittab = overlay::FILES.iter().find(|f| f.path == "etc/inittab").unwrap();
//! assert_eq!((inittab.mode, inittab.uid), (0o644, 0));
//! assert!(overlay::off("checkroot.sh").is_some_and(|why| why.contains("RAM")));
//! ```

/// One file of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct File {
    /// Its path in the root, without a leading slash.
    pub path: &'static str,
    /// Its mode: permission bits only.
    pub mode: u32,
    /// The owner's number; names are not needed, everything of ours is root's.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
    /// Its content.
    pub bytes: &'static [u8],
    /// Put in only where the root has this path too (no leading slash); empty where it is always wanted.
    pub needs: &'static str,
}

/// One directory of ours, made where no package has it, with this mode in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dir {
    /// Its path in the root, without a leading slash.
    pub path: &'static str,
    /// Its mode: permission bits and the sticky bit.
    pub mode: u32,
}

/// One symbolic link of ours. It replaces an empty directory or a link of a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Its path in the root, without a leading slash.
    pub path: &'static str,
    /// What it points to, as it is written into it.
    pub target: &'static str,
}

macro_rules! files {
    ($($mode:literal $path:literal $(if $needs:literal)?),* $(,)?) => {
        &[$(File {
            path: $path,
            mode: $mode,
            uid: 0,
            gid: 0,
            bytes: include_bytes!(concat!("../assets/root/", $path)),
            needs: concat!($($needs)?),
        }),*]
    };
}

/// All files, sorted by path.
pub const FILES: &[File] = files![
    0o644 "etc/chrony/chrony.conf" if "usr/sbin/chronyd",
    0o644 "etc/cron.d/esos-conf" if "usr/sbin/cron",
    0o644 "etc/cron.d/esos-health" if "usr/sbin/cron",
    0o644 "etc/cron.d/esos-logs" if "usr/sbin/cron",
    0o644 "etc/default/halt",
    0o644 "etc/default/locale",
    0o644 "etc/default/mdadm" if "usr/sbin/mdadm",
    0o644 "etc/default/rcS",
    0o644 "etc/default/rsyslog" if "usr/sbin/rsyslogd",
    0o644 "etc/default/smartmontools" if "usr/sbin/smartd",
    0o644 "etc/default/tmpfs",
    0o644 "etc/fstab",
    0o644 "etc/hostname",
    0o644 "etc/hosts",
    0o755 "etc/init.d/esos-answers",
    0o755 "etc/init.d/esos-conf",
    0o755 "etc/init.d/esos-crash",
    0o755 "etc/init.d/esos-crash-arm",
    0o755 "etc/init.d/esos-early",
    0o755 "etc/init.d/esos-good",
    0o755 "etc/init.d/esos-identity",
    0o755 "etc/init.d/esos-logs",
    0o755 "etc/init.d/esos-network",
    0o755 "etc/init.d/esos-ready",
    0o755 "etc/init.d/esos-storage",
    0o755 "etc/init.d/esos-tools",
    0o755 "etc/init.d/esos-tune",
    0o755 "etc/init.d/hwclock.sh",
    0o755 "etc/init.d/mdadm" if "usr/sbin/mdadm",
    0o755 "etc/init.d/mdadm-waitidle" if "usr/sbin/mdadm",
    0o755 "etc/init.d/multipath-tools" if "usr/sbin/multipathd",
    0o755 "etc/init.d/rsyslog" if "usr/sbin/rsyslogd",
    0o755 "etc/init.d/scst",
    0o644 "etc/inittab",
    0o600 "etc/iscsi/initiatorname.iscsi" if "usr/sbin/iscsid",
    0o644 "etc/mdadm/mdadm.conf" if "usr/sbin/mdadm",
    0o644 "etc/modprobe.d/esos.conf",
    0o644 "etc/modules",
    0o644 "etc/modules-load.d/esos.conf",
    0o644 "etc/motd",
    0o644 "etc/multipath.conf" if "usr/sbin/multipathd",
    0o644 "etc/network.conf",
    0o644 "etc/nsswitch.conf",
    0o644 "etc/pam.d/common-account",
    0o644 "etc/pam.d/common-auth",
    0o644 "etc/pam.d/common-password",
    0o644 "etc/pam.d/common-session",
    0o644 "etc/pam.d/common-session-noninteractive",
    0o644 "etc/profile",
    0o644 "etc/profile.d/esos.sh",
    0o644 "etc/resolv.conf",
    0o644 "etc/rsyslog.conf" if "usr/sbin/rsyslogd",
    0o644 "etc/security/limits.d/esos.conf",
    0o644 "etc/shells",
    0o644 "etc/ssh/sshd_config" if "usr/sbin/sshd",
    0o644 "etc/ssh/sshd_config.d/esos.conf" if "usr/sbin/sshd",
    0o644 "etc/sysctl.d/60-esos.conf",
    0o644 "etc/timezone",
    0o755 "etc/update-motd.d/10-uname",
    0o644 "root/.bashrc",
    0o644 "root/.profile",
    0o755 "usr/lib/esos/address-watcher",
    0o755 "usr/lib/esos/conf-watcher",
    0o755 "usr/lib/esos/getty",
    0o755 "usr/lib/esos/good.d/10-sshd" if "usr/sbin/sshd",
    0o755 "usr/lib/esos/good.d/20-scst",
    0o755 "usr/lib/esos/keep-in-memory",
    0o755 "usr/lib/esos/last-resort",
    0o755 "usr/lib/esos/log-rotate" if "usr/sbin/rsyslogd",
    0o755 "usr/lib/esos/monitor",
    0o755 "usr/lib/esos/rc",
    0o755 "usr/lib/esos/restore-conf",
    0o755 "usr/lib/esos/scst-watcher",
    0o755 "usr/lib/esos/stick-watcher",
    0o755 "usr/lib/esos/watchdog",
    0o755 "usr/sbin/esos-install",
];

/// All directories, sorted by path.
pub const DIRS: &[Dir] = &[
    Dir { path: "boot/esos", mode: 0o755 },
    Dir { path: "etc/chrony/conf.d", mode: 0o755 },
    Dir { path: "etc/chrony/sources.d", mode: 0o755 },
    Dir { path: "etc/esos", mode: 0o755 },
    Dir { path: "etc/rsyslog.d", mode: 0o755 },
    Dir { path: "mnt/conf", mode: 0o755 },
    Dir { path: "mnt/data", mode: 0o755 },
    Dir { path: "mnt/logs", mode: 0o755 },
    Dir { path: "opt/sbin", mode: 0o755 },
    Dir { path: "root", mode: 0o700 },
    Dir { path: "root/.ssh", mode: 0o700 },
    Dir { path: "tmp", mode: 0o1777 },
    Dir { path: "var/log", mode: 0o755 },
    Dir { path: "var/log/chrony", mode: 0o750 },
    Dir { path: "var/log/fsck", mode: 0o755 },
    Dir { path: "var/spool/rsyslog", mode: 0o700 },
    Dir { path: "var/tmp", mode: 0o1777 },
];

/// All links, sorted by path.
pub const LINKS: &[Link] = &[
    Link { path: "etc/localtime", target: "/usr/share/zoneinfo/Etc/UTC" },
    Link { path: "etc/mtab", target: "../proc/self/mounts" },
    Link { path: "usr/lib/ocf/resource.d/esos/scst", target: "/usr/sbin/esos-agent" },
    Link { path: "usr/lib/ocf/resource.d/esos/scst-alua", target: "/usr/sbin/esos-agent" },
    Link { path: "var/lib/dbus/machine-id", target: "/etc/machine-id" },
    Link { path: "var/lock", target: "/run/lock" },
    Link { path: "var/run", target: "/run" },
];

/// Init scripts of packages that get no rc links, with the reason. A service among them can be switched
/// on with `update-rc.d NAME defaults` on the running box.
pub const OFF: &[(&str, &str)] = &[
    ("acpid", "the power button is handled by init through SIGPWR and by the BMC"),
    ("brightness", "there is no display whose brightness could be kept"),
    (
        "checkfs.sh",
        "nothing in /etc/fstab is mounted at boot, so nothing is checked; esos-early stands for it",
    ),
    ("checkroot-bootclean.sh", "the root is fresh RAM, there is nothing to clean; esos-early stands for it"),
    ("checkroot.sh", "the root is RAM: no device, no check, no remount; esos-early stands for it"),
    ("corosync", "a cluster is joined on purpose, with esos-cluster"),
    ("dlm", "started by the cluster"),
    ("drbd", "waits for its peer at boot without end; started when resources are configured"),
    ("fcoe-utils", "FCoE is switched on for the ports that carry it"),
    ("ipmievd", "events of the BMC are read by esos-monitor"),
    ("iscsiuio", "only for offload adapters, which ask for it"),
    ("iwpmd", "iWARP port mapper, only for the infiniband set's users"),
    ("kexec", "a reboot goes through firmware and GRUB, where the slot is chosen"),
    ("kexec-load", "the crash kernel is armed by esos-crash"),
    ("lldpad", "only for FCoE with DCB"),
    ("mountall-bootclean.sh", "/tmp and /run are fresh RAM; esos-early stands for it"),
    ("mountnfs-bootclean.sh", "/tmp and /run are fresh RAM; esos-early stands for it"),
    ("networking", "esos-network stands for it; ifupdown is there for its helpers only"),
    ("openipmi", "the drivers are loaded by udev and /etc/modules-load.d"),
    ("opensm", "one subnet manager per fabric, chosen by a person"),
    ("pacemaker", "a cluster is joined on purpose, with esos-cluster"),
    ("sbd", "a cluster is joined on purpose, with esos-cluster"),
    ("srptools", "a target needs no initiator daemon"),
    ("sysstat", "esos-monitor collects figures"),
    ("urandom", "a seed file in RAM is lost at power-off, and the kernel does not wait for one"),
    ("watchdog", "started with the cluster or by esos-health, with a chosen device"),
    ("wd_keepalive", "belongs to watchdog"),
    ("x11-common", "there is no display"),
];

/// Why an init script of a package gets no rc links, or `None` where it gets those of its LSB header.
#[must_use]
pub fn off(script: &str) -> Option<&'static str> {
    OFF.iter().find(|(name, _)| *name == script).map(|(_, why)| *why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    #[expect(clippy::disallowed_methods, reason = "the test looks at the source tree")]
    fn walk(dir: &Path, base: &Path, into: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, base, into);
            } else {
                into.insert(path.strip_prefix(base).unwrap().to_str().unwrap().to_owned());
            }
        }
    }

    fn text(path: &str) -> &'static str {
        let file = FILES.iter().find(|f| f.path == path).unwrap();
        std::str::from_utf8(file.bytes).unwrap()
    }

    fn scripts() -> impl Iterator<Item = (&'static str, &'static str)> {
        FILES.iter().filter_map(|f| Some((f.path.strip_prefix("etc/init.d/")?, text(f.path))))
    }

    fn header<'a>(script: &'a str, field: &str) -> Vec<&'a str> {
        let start = format!("# {field}:");
        script.lines().find_map(|l| l.strip_prefix(&start)).unwrap_or("").split_whitespace().collect()
    }

    #[test]
    fn the_table_and_the_directory_hold_the_same_files() {
        let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/root");
        let mut there = BTreeSet::new();
        walk(&base, &base, &mut there);
        let table: BTreeSet<String> = FILES.iter().map(|f| f.path.to_owned()).collect();
        assert_eq!(there, table);
        assert_eq!(table.len(), FILES.len(), "a path stands twice in the table");
    }

    #[test]
    fn tables_are_sorted_and_paths_are_relative() {
        assert!(FILES.is_sorted_by_key(|f| f.path));
        assert!(DIRS.is_sorted_by_key(|d| d.path));
        assert!(LINKS.is_sorted_by_key(|l| l.path));
        assert!(OFF.is_sorted_by_key(|o| o.0));
        let paths = FILES.iter().map(|f| f.path).chain(DIRS.iter().map(|d| d.path));
        for path in paths.chain(LINKS.iter().map(|l| l.path)) {
            assert!(!path.starts_with('/') && !path.split('/').any(|p| p.is_empty() || p == ".."), "{path}");
        }
    }

    #[test]
    fn programs_are_executable_and_nothing_else_is() {
        for file in FILES {
            assert_eq!(file.bytes.starts_with(b"#!"), file.mode & 0o111 != 0, "{}", file.path);
        }
    }

    #[test]
    fn every_init_script_has_a_whole_header() {
        for (name, script) in scripts() {
            assert!(
                script.contains("### BEGIN INIT INFO\n") && script.contains("\n### END INIT INFO\n"),
                "{name}"
            );
            assert!(!header(script, "Provides").is_empty(), "{name}");
            assert!(!header(script, "Short-Description").is_empty(), "{name}");
            let (start, stop) = (header(script, "Default-Start"), header(script, "Default-Stop"));
            assert!(!start.is_empty() || !stop.is_empty(), "{name}");
            assert!(!start.contains(&"S") || start.len() == 1, "{name}");
            assert_eq!(off(name), None, "{name} is ours and switched off");
        }
    }

    #[test]
    fn no_facility_is_provided_twice() {
        let mut seen = BTreeSet::new();
        for (name, script) in scripts() {
            for facility in header(script, "Provides") {
                assert!(seen.insert(facility), "{name} provides {facility} again");
            }
        }
    }

    #[test]
    fn what_inittab_and_scripts_start_is_in_the_table() {
        for line in text("etc/inittab").lines().filter(|l| l.contains("/usr/lib/esos/")) {
            let program = line.split([':', ' ']).find(|w| w.starts_with("/usr/lib/esos/")).unwrap();
            assert!(FILES.iter().any(|f| f.path == &program[1..]), "{line}");
        }
    }

    #[test]
    fn every_setting_of_the_kernel_has_a_reason() {
        let mut reason = false;
        for line in text("etc/sysctl.d/60-esos.conf").lines() {
            match line {
                "" => reason = false,
                l if l.starts_with('#') => reason = true,
                l => assert!(reason && l.contains(" = "), "no reason for {l}"),
            }
        }
    }

    #[test]
    fn nothing_of_the_stick_is_mounted_at_boot() {
        for line in text("etc/fstab").lines().filter(|l| l.starts_with("PARTLABEL=")) {
            let options = line.split_whitespace().nth(3).unwrap();
            assert!(options.starts_with("noauto,ro,"), "{line}");
        }
    }
}
