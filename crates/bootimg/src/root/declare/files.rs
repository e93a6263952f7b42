//! Directories and small files that scripts make, and modes that they set.
use super::users::Accounts;
use crate::deb::TreePath;
use crate::root::{Attributes, Listing, Own, RootError, Tree};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// `cap_net_raw=ep` as `security.capability` (`struct vfs_cap_data`, revision 2, little endian).
const CAP_NET_RAW: [u8; 20] = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// Owner, group and mode of a path of a package: the package, path, uid, gid, mode.
pub const MODES: &[(&str, &str, u32, u32, u32)] = &[
    ("chrony", "var/lib/chrony", 103, 112, 0o750),
    ("cluster-glue", "var/lib/heartbeat/cores/hacluster", 100, 102, 0o755),
    ("cluster-glue", "var/lib/heartbeat/cores/nobody", 65534, 65534, 0o755),
    ("cron", "usr/bin/crontab", 0, 101, 0o2755),
    ("cron-daemon-common", "var/spool/cron/crontabs", 0, 101, 0o1730),
    ("dbus", "usr/lib/dbus-1.0/dbus-daemon-launch-helper", 0, 104, 0o4754),
    ("fuse3", "usr/bin/fusermount3", 0, 0, 0o4755),
    ("openssh-client", "usr/bin/ssh-agent", 0, 110, 0o2755),
    ("pacemaker-common", "var/lib/pacemaker/blackbox", 100, 102, 0o750),
    ("pacemaker-common", "var/lib/pacemaker/cib", 100, 102, 0o750),
    ("pacemaker-common", "var/lib/pacemaker/cores", 100, 102, 0o750),
    ("pacemaker-common", "var/lib/pacemaker/pengine", 100, 102, 0o750),
    ("pacemaker-common", "var/log/pacemaker", 100, 102, 0o770),
    ("pacemaker-common", "var/log/pacemaker/bundles", 100, 102, 0o770),
    ("sudo", "etc/sudoers", 0, 0, 0o440),
    ("uuid-runtime", "var/lib/libuuid", 101, 103, 0o2775),
];

/// Directories that base-files' script makes: path, gid, mode.
const DIRS: &[(&str, u32, u32)] = &[
    ("media", 0, 0o755),
    ("mnt", 0, 0o755),
    ("opt", 0, 0o755),
    ("srv", 0, 0o755),
    ("etc/opt", 0, 0o755),
    ("usr/local", 0, 0o755),
    ("usr/local/bin", 0, 0o755),
    ("usr/local/etc", 0, 0o755),
    ("usr/local/lib", 0, 0o755),
    ("usr/local/sbin", 0, 0o755),
    ("usr/local/share", 0, 0o755),
    ("usr/local/src", 0, 0o755),
    ("var/mail", 8, 0o2775),
    ("var/opt", 0, 0o755),
];

pub(crate) fn attributes() -> BTreeMap<TreePath, Attributes> {
    let mut all = BTreeMap::new();
    for (_, path, uid, gid, mode) in MODES {
        let attributes = Attributes { uid: *uid, gid: *gid, mode: *mode, xattrs: BTreeMap::new() };
        all.extend(path.parse().ok().map(|path| (path, attributes)));
    }
    let xattrs = BTreeMap::from([("security.capability".to_owned(), CAP_NET_RAW.to_vec())]);
    let ping = Attributes { uid: 0, gid: 0, mode: 0o755, xattrs };
    all.extend("usr/bin/ping".parse().ok().map(|path| (path, ping)));
    all
}

/// What a root with these packages needs beside accounts, alternatives, certificates and rc links.
pub(crate) fn files(
    tree: &Tree,
    packages: &[(&str, &Listing)],
    accounts: &Accounts,
    epoch: i64,
) -> Result<Vec<Own>, RootError> {
    let has = |package: &str| packages.iter().any(|(name, _)| *name == package);
    let mut own = Vec::new();
    let day = epoch.max(0) / 86400;
    let (group, gshadow) = accounts.group_files();
    own.push(Own::file("etc/passwd", accounts.passwd().into_bytes(), 0o644)?);
    own.push(Own::file("etc/shadow", accounts.shadow(day).into_bytes(), 0o640)?.owned(0, 42));
    own.push(Own::file("etc/group", group.into_bytes(), 0o644)?);
    own.push(Own::file("etc/gshadow", gshadow.into_bytes(), 0o640)?.owned(0, 42));
    // Empty: made at first boot, so that no two boxes share it.
    own.push(Own::file("etc/machine-id", &b""[..], 0o444)?);
    if has("base-files") {
        for (path, gid, mode) in DIRS.iter().filter(|(path, ..)| tree.get(path).is_none()) {
            own.push(Own::dir(path, *mode)?.owned(0, *gid));
        }
        own.push(Own::link("var/spool/mail", "../mail")?);
        own.push(Own::link("etc/dpkg/origins/default", "debian")?);
        own.push(Own::file("etc/environment", &b""[..], 0o644)?);
        own.push(Own::file("var/log/wtmp", &b""[..], 0o664)?.owned(0, 43));
        own.push(Own::file("var/log/btmp", &b""[..], 0o660)?.owned(0, 43));
        own.push(Own::file("var/log/lastlog", &b""[..], 0o664)?.owned(0, 43));
    }
    if has("login") {
        own.push(Own::file("var/log/faillog", &b""[..], 0o644)?);
        own.push(Own::file("etc/subuid", &b""[..], 0o644)?);
        own.push(Own::file("etc/subgid", &b""[..], 0o644)?);
    }
    if has("libwtmpdb0") {
        own.push(Own::link("var/lib/wtmpdb/wtmp.db", "../../log/wtmp.db")?);
    }
    if has("libpam-modules") {
        own.push(Own::file("etc/security/opasswd", &b""[..], 0o600)?);
    }
    if has("netbase") {
        let text = &b"default\t\t0.0.0.0\nloopback\t127.0.0.0\nlink-local\t169.254.0.0\n"[..];
        own.push(Own::file("etc/networks", text, 0o644)?);
    }
    if has("crmsh") && accounts.uid("hacluster").is_some() {
        own.push(Own::dir("var/log/crmsh", 0o775)?.owned(100, 102));
    }
    for (from, to) in [
        ("usr/share/readline/inputrc", "etc/inputrc"),
        ("usr/share/smartmontools/drivedb.h", "var/lib/smartmontools/drivedb/drivedb.h"),
    ] {
        if tree.get(from).is_some() && tree.get(to).is_none() {
            own.push(Own::link(to, &format!("/{from}"))?);
        }
    }
    own.extend(tmpfiles(tree, packages, accounts)?);
    own.extend(status(packages)?);
    Ok(own)
}

/// Directories of `tmpfiles.d(5)` below `/var`; what lies in `/run` is made at every boot.
fn tmpfiles(tree: &Tree, packages: &[(&str, &Listing)], accounts: &Accounts) -> Result<Vec<Own>, RootError> {
    let mut dirs: BTreeMap<String, Own> = BTreeMap::new();
    for (_, listing) in packages {
        for (_, text) in listing.files.iter().filter(|(path, _)| path.below("usr/lib/tmpfiles.d").is_some()) {
            for line in String::from_utf8_lossy(text).lines() {
                let words: Vec<&str> = line.split_whitespace().collect();
                let [kind, path, mode, user, group, ..] = words.as_slice() else { continue };
                let Some(path) = path.strip_prefix('/').filter(|p| p.starts_with("var/") && !p.contains('%'))
                else {
                    continue;
                };
                let ids = (
                    if *user == "-" { Some(0) } else { accounts.uid(user) },
                    if *group == "-" { Some(0) } else { accounts.gid(group) },
                );
                let mode = u32::from_str_radix(mode.trim_start_matches(['~', ':']), 8).unwrap_or(0o755);
                if let (true, (Some(uid), Some(gid)), None) =
                    (kind.starts_with(['d', 'D']), ids, tree.get(path))
                {
                    dirs.entry(path.to_owned()).or_insert(Own::dir(path, mode)?.owned(uid, gid));
                }
            }
        }
    }
    Ok(dirs.into_values().collect())
}

/// dpkg's database, as far as `dpkg -l`, `-L` and `-S` read it.
fn status(packages: &[(&str, &Listing)]) -> Result<Vec<Own>, RootError> {
    let mut own = vec![Own::dir("var/lib/dpkg", 0o755)?, Own::dir("var/lib/dpkg/info", 0o755)?];
    // Lists of `Multi-Arch: same` packages have the architecture in their names.
    own.push(Own::file("var/lib/dpkg/info/format", &b"1\n"[..], 0o644)?);
    let mut status = String::new();
    for (name, listing) in packages {
        let mut skip = false;
        for line in listing.control.lines() {
            let continued = line.starts_with([' ', '\t']);
            skip = continued && skip || line.to_ascii_lowercase().starts_with("description:");
            if !(skip && continued) {
                status.push_str(line);
                status.push('\n');
            }
            if !continued && line.to_ascii_lowercase().starts_with("package:") {
                status.push_str("Status: install ok installed\n");
            }
        }
        status.push('\n');
        let mut list = String::from("/.\n");
        for entry in listing.entries.iter().filter(|e| !e.path.is_root()) {
            let _fits = writeln!(list, "/{}", entry.path);
        }
        let same = listing.field("Multi-Arch").as_deref() == Some("same");
        let arch =
            listing.field("Architecture").filter(|_| same).map_or_else(String::new, |a| format!(":{a}"));
        own.push(Own::file(&format!("var/lib/dpkg/info/{name}{arch}.list"), list.into_bytes(), 0o644)?);
    }
    own.push(Own::file("var/lib/dpkg/status", status.into_bytes(), 0o644)?);
    Ok(own)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::root::declare::users::{GROUPS, USERS};

    #[test]
    fn owners_are_those_of_the_tables() {
        for (package, path, uid, gid, _) in MODES {
            assert!(*uid == 0 || *uid == 65534 || USERS.iter().any(|u| u.uid == *uid), "{package} {path}");
            assert!(*gid == 0 || *gid == 65534 || GROUPS.iter().any(|g| g.gid == *gid), "{package} {path}");
        }
        assert_eq!(attributes().len(), MODES.len() + 1);
    }
}
