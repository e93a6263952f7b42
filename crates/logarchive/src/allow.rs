//! What a support bundle may hold. What is not named here is left out.

/// Files and directories, by glob: `*` is any text within a name. Below a directory everything is meant.
pub const FILES: &[&str] = &[
    "/etc/chrony/chrony.conf",
    "/etc/corosync/corosync.conf",
    "/etc/cron.d",
    "/etc/crontab",
    "/etc/default",
    "/etc/drbd.conf",
    "/etc/drbd.d",
    "/etc/esos-release",
    "/etc/esos/conf.json",
    "/etc/fstab",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/inittab",
    "/etc/lvm/lvm.conf",
    "/etc/mdadm/mdadm.conf",
    "/etc/modprobe.d",
    "/etc/modules-load.d",
    "/etc/multipath.conf",
    "/etc/multipath/bindings",
    "/etc/multipath/wwids",
    "/etc/network.conf",
    "/etc/rc.conf",
    "/etc/resolv.conf",
    "/etc/rsyslog.conf",
    "/etc/scst.conf",
    "/etc/smartd.conf",
    "/etc/sysctl.conf",
    "/etc/sysctl.d",
    "/proc/buddyinfo",
    "/proc/cmdline",
    "/proc/cpuinfo",
    "/proc/drbd",
    "/proc/interrupts",
    "/proc/loadavg",
    "/proc/mdstat",
    "/proc/meminfo",
    "/proc/modules",
    "/proc/mounts",
    "/proc/net/bonding",
    "/proc/net/dev",
    "/proc/partitions",
    "/proc/scsi/scsi",
    "/proc/swaps",
    "/proc/uptime",
    "/proc/version",
    "/run/esos",
    "/sys/class/dmi/id/bios_version",
    "/sys/class/dmi/id/product_name",
    "/sys/class/dmi/id/sys_vendor",
    "/sys/kernel/kexec_crash_loaded",
    "/sys/kernel/kexec_crash_size",
    "/sys/kernel/scst_tgt",
    "/var/lib/esos/conf/restored.json",
    "/var/log",
];

/// What is left out even where its directory is named, with the reason.
pub const NEVER: &[(&str, &str)] = &[
    ("*/.git", "a history holds every secret that ever was"),
    ("*/wtmp*", "a database of logins, not text"),
    ("*/btmp*", "failed logins hold passwords typed as names"),
    ("*/lastlog", "a database of logins, not text"),
    ("*/journal", "not text"),
    ("/run/esos/*.lock", "a lock"),
    ("*/mgmt", "written, never read"),
    ("*key", "may be a key"),
    ("*keys", "may be keys"),
    ("*.pem", "may be a key"),
    ("*keyring*", "may be a key"),
    ("*shadow*", "password hashes"),
    ("*passwd*", "may be passwords"),
    ("*secret*", "may be a secret"),
    ("*token*", "may be a secret"),
    ("*credential*", "may be a secret"),
];

/// Files of which secrets are learnt, so that they are found wherever else they stand. They are never in a bundle
/// themselves but where [`FILES`] names them too.
pub const SECRETS: &[(&str, crate::LearnKind)] = &[
    ("/etc/shadow", crate::LearnKind::Shadow),
    ("/etc/shadow-", crate::LearnKind::Shadow),
    ("/etc/gshadow", crate::LearnKind::Shadow),
    ("/etc/corosync/authkey", crate::LearnKind::Whole),
    ("/etc/pacemaker/authkey", crate::LearnKind::Whole),
    ("/etc/chrony/chrony.keys", crate::LearnKind::Last),
    ("/etc/ppp/chap-secrets", crate::LearnKind::Field(2)),
    ("/etc/ppp/pap-secrets", crate::LearnKind::Field(2)),
    ("/root/.pgpass", crate::LearnKind::Last),
    ("/etc/ceph", crate::LearnKind::Settings),
    ("/etc/ssh", crate::LearnKind::Settings),
    ("/root/.ssh", crate::LearnKind::Settings),
    ("/etc", crate::LearnKind::Settings),
    ("/opt", crate::LearnKind::Settings),
    ("/root", crate::LearnKind::Settings),
    ("/var/lib/esos", crate::LearnKind::Settings),
    ("/var/lib/pacemaker", crate::LearnKind::Settings),
];

/// Whether a path matches a pattern: `*` is any text.
#[must_use]
pub fn matches(pattern: &str, path: &str) -> bool {
    fn glob(pattern: &[u8], text: &[u8]) -> bool {
        match pattern {
            [] => text.is_empty(),
            [b'*', rest @ ..] => (0..=text.len()).any(|at| text.get(at..).is_some_and(|t| glob(rest, t))),
            [byte, rest @ ..] => {
                text.split_first().is_some_and(|(first, tail)| first == byte && glob(rest, tail))
            }
        }
    }
    glob(pattern.as_bytes(), path.as_bytes())
}

/// Why a path is left out of a bundle, or `None` where it may be in it.
#[must_use]
pub fn left_out(path: &str) -> Option<&'static str> {
    if let Some((_, why)) = NEVER.iter().find(|(pattern, _)| matches(pattern, path)) {
        return Some(why);
    }
    let below = |allowed: &str| {
        path.strip_prefix(allowed).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    if FILES.iter().any(|allowed| below(allowed)) {
        None
    } else {
        Some("not on the list of what a bundle holds")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_list() {
        for path in ["/etc/scst.conf", "/var/log/syslog", "/proc/mdstat", "/etc/drbd.d/r0.res"] {
            assert_eq!(left_out(path), None, "{path}");
        }
        for path in [
            "/etc/shadow",
            "/etc/.git/config",
            "/etc/default/shadow",
            "/root/.ssh/id_ed25519",
            "/etc/scst.confx",
            "/var/log/btmp",
            "/etc/myapp/token",
            "/etc/ssh/ssh_host_rsa_key",
        ] {
            assert!(left_out(path).is_some(), "{path}");
        }
        assert!(FILES.is_sorted());
    }
}
