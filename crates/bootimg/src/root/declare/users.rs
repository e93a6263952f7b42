//! Users and groups: those of every Debian, and those that packages would have made.
//!
//! Numbers are fixed here, so that files on the stick keep their owners from one image to the next.
use super::DeclareError;
use crate::root::Listing;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// A system user that the script of a package makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserRow {
    /// The package.
    pub package: &'static str,
    /// The user's name.
    pub name: &'static str,
    /// Its number.
    pub uid: u32,
    /// Its group's number.
    pub gid: u32,
    /// What the user is for.
    pub gecos: &'static str,
    /// Its home directory.
    pub home: &'static str,
}

/// A system group that the script of a package makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupRow {
    /// The package.
    pub package: &'static str,
    /// The group's name.
    pub name: &'static str,
    /// Its number.
    pub gid: u32,
}

const fn user(
    package: &'static str,
    name: &'static str,
    ids: (u32, u32),
    gecos: &'static str,
    home: &'static str,
) -> UserRow {
    UserRow { package, name, uid: ids.0, gid: ids.1, gecos, home }
}

const fn group(package: &'static str, name: &'static str, gid: u32) -> GroupRow {
    GroupRow { package, name, gid }
}

const NOGROUP: u32 = 65534;

/// All users, by number.
pub const USERS: &[UserRow] = &[
    user("apt", "_apt", (42, NOGROUP), "", "/nonexistent"),
    user("cluster-glue", "hacluster", (100, 102), "", "/var/lib/pacemaker"),
    user("pacemaker-common", "hacluster", (100, 102), "", "/var/lib/pacemaker"),
    user("uuid-runtime", "uuidd", (101, 103), "", "/run/uuidd"),
    user("dbus-system-bus-common", "messagebus", (102, 104), "System Message Bus", "/nonexistent"),
    user("chrony", "_chrony", (103, 112), "Chrony daemon", "/var/lib/chrony"),
    user("msmtp-mta", "msmtp", (104, 113), "", "/var/lib/msmtp"),
    user("openssh-server", "sshd", (105, NOGROUP), "", "/run/sshd"),
    user("rpcbind", "_rpc", (106, NOGROUP), "", "/run/rpcbind"),
    user("nfs-common", "statd", (107, NOGROUP), "", "/var/lib/nfs"),
    user("powerman", "powerman", (108, NOGROUP), "", "/run/powerman"),
    user("tcpdump", "tcpdump", (109, 114), "", "/nonexistent"),
    user("dhcpcd-base", "dhcpcd", (110, NOGROUP), "DHCP Client Daemon", "/usr/lib/dhcpcd"),
    user("iperf3", "iperf3", (111, 117), "", "/nonexistent"),
    user("systemd", "systemd-network", (998, 998), "systemd Network Management", "/"),
];

/// All groups, by number.
pub const GROUPS: &[GroupRow] = &[
    group("cron-daemon-common", "crontab", 101),
    group("cluster-glue", "haclient", 102),
    group("pacemaker-common", "haclient", 102),
    group("uuid-runtime", "uuidd", 103),
    group("dbus-system-bus-common", "messagebus", 104),
    group("udev", "input", 105),
    group("udev", "sgx", 106),
    group("udev", "kvm", 107),
    group("udev", "render", 108),
    group("libibverbs1", "rdma", 109),
    group("openssh-client", "_ssh", 110),
    group("ifupdown", "netdev", 111),
    group("chrony", "_chrony", 112),
    group("msmtp-mta", "msmtp", 113),
    group("tcpdump", "tcpdump", 114),
    group("udev", "clock", 115),
    group("systemd", "systemd-journal", 116),
    group("iperf3", "iperf3", 117),
    group("systemd", "systemd-network", 998),
];

/// First number for users and groups of `sysusers.d` files that the tables do not have.
const FIRST: u32 = 400;

/// What stands in `/etc/passwd` and its companions. No account has a password: `*` lets nobody in by
/// password, and root by key only, until one was set at the console.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Accounts {
    users: BTreeMap<String, (u32, u32, String, String, String)>,
    groups: BTreeMap<String, (u32, BTreeSet<String>)>,
}

impl Accounts {
    /// Of packages: `base-passwd`'s master files, the rows of packages that are there, and `sysusers.d`.
    pub(crate) fn new(packages: &[(&str, &Listing)]) -> Result<Self, DeclareError> {
        let mut accounts = Self::default();
        accounts
            .users
            .insert("root".to_owned(), (0, 0, "root".to_owned(), "/root".to_owned(), "/bin/bash".to_owned()));
        accounts.groups.insert("root".to_owned(), (0, BTreeSet::new()));
        let files = |path: &str| {
            packages.iter().find_map(|(_, l)| l.files.get(path)).map(|b| String::from_utf8_lossy(b))
        };
        for line in files("usr/share/base-passwd/group.master").unwrap_or_default().lines() {
            if let [name, _, gid, ..] = line.split(':').collect::<Vec<_>>().as_slice() {
                accounts.groups.insert((*name).to_owned(), (number(gid, line)?, BTreeSet::new()));
            }
        }
        for line in files("usr/share/base-passwd/passwd.master").unwrap_or_default().lines() {
            if let [name, _, uid, gid, gecos, home, shell] = line.split(':').collect::<Vec<_>>().as_slice() {
                let ids = (number(uid, line)?, number(gid, line)?);
                let texts = ((*gecos).to_owned(), (*home).to_owned(), (*shell).to_owned());
                accounts.users.insert((*name).to_owned(), (ids.0, ids.1, texts.0, texts.1, texts.2));
            }
        }
        let has = |package: &str| packages.iter().any(|(name, _)| *name == package);
        for row in GROUPS.iter().filter(|row| has(row.package)) {
            accounts.groups.entry(row.name.to_owned()).or_insert((row.gid, BTreeSet::new()));
        }
        for row in USERS.iter().filter(|row| has(row.package)) {
            accounts.add_user(row.name, row.uid, row.gid, row.gecos, row.home, "/usr/sbin/nologin");
        }
        for (_, listing) in packages {
            for (path, text) in &listing.files {
                if path.below("usr/lib/sysusers.d").is_some() {
                    accounts.sysusers(path.as_str(), &String::from_utf8_lossy(text))?;
                }
            }
        }
        Ok(accounts)
    }

    fn add_user(&mut self, name: &str, uid: u32, gid: u32, gecos: &str, home: &str, shell: &str) {
        let texts = (gecos.to_owned(), home.to_owned(), shell.to_owned());
        self.users.entry(name.to_owned()).or_insert((uid, gid, texts.0, texts.1, texts.2));
    }

    /// Lines of `sysusers.d(5)`: `u`, `g` and `m`; the other kinds only restrict ranges.
    fn sysusers(&mut self, origin: &str, text: &str) -> Result<(), DeclareError> {
        for line in text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')) {
            let words = words(line);
            let word = |n: usize| words.get(n).map(String::as_str).filter(|w| *w != "-").unwrap_or("");
            let name = word(1);
            let bad = || DeclareError::Sysusers { origin: origin.to_owned(), line: line.to_owned() };
            if name.is_empty() || name.contains([':', '/', '%']) {
                return Err(bad());
            }
            match word(0).trim_end_matches(['!', '+']) {
                "g" => {
                    self.group(name, word(2).parse().ok());
                }
                "u" => {
                    let (uid, gid) = word(2).split_once(':').unwrap_or((word(2), ""));
                    let row = USERS.iter().find(|row| row.name == name);
                    let gid = match gid.parse() {
                        Ok(gid) => gid,
                        Err(_) if !gid.is_empty() => self.groups.get(gid).ok_or_else(bad)?.0,
                        Err(_) => row.map_or_else(|| self.group(name, uid.parse().ok()), |row| row.gid),
                    };
                    if gid != NOGROUP && !self.groups.values().any(|(g, _)| *g == gid) {
                        self.groups.insert(name.to_owned(), (gid, BTreeSet::new()));
                    }
                    let uid = uid.parse().ok().or(row.map(|r| r.uid)).unwrap_or_else(|| self.free());
                    let home = if word(4).is_empty() { "/" } else { word(4) };
                    let shell = if word(5).is_empty() { "/usr/sbin/nologin" } else { word(5) };
                    self.add_user(name, uid, gid, word(3), home, shell);
                }
                "m" => {
                    self.group(word(2), None);
                    if let Some((_, members)) = self.groups.get_mut(word(2)) {
                        members.insert(name.to_owned());
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn group(&mut self, name: &str, gid: Option<u32>) -> u32 {
        if let Some((gid, _)) = self.groups.get(name) {
            return *gid;
        }
        let row = GROUPS.iter().find(|row| row.name == name).map(|row| row.gid);
        let gid = gid.or(row).unwrap_or_else(|| self.free());
        self.groups.insert(name.to_owned(), (gid, BTreeSet::new()));
        gid
    }

    fn free(&self) -> u32 {
        let taken =
            |id: &u32| self.users.values().any(|u| u.0 == *id) || self.groups.values().any(|g| g.0 == *id);
        (FIRST..60_000).find(|id| !taken(id)).unwrap_or(NOGROUP)
    }

    /// A user's number.
    #[must_use]
    pub fn uid(&self, name: &str) -> Option<u32> {
        name.parse().ok().or_else(|| self.users.get(name).map(|u| u.0))
    }

    /// A group's number.
    #[must_use]
    pub fn gid(&self, name: &str) -> Option<u32> {
        name.parse().ok().or_else(|| self.groups.get(name).map(|g| g.0))
    }

    /// `/etc/passwd`.
    #[must_use]
    pub fn passwd(&self) -> String {
        let mut rows: Vec<_> = self.users.iter().collect();
        rows.sort_by_key(|(name, user)| (user.0, name.as_str()));
        rows.iter().fold(String::new(), |mut text, (name, (uid, gid, gecos, home, shell))| {
            let _fits = writeln!(text, "{name}:x:{uid}:{gid}:{gecos}:{home}:{shell}");
            text
        })
    }

    /// `/etc/shadow`; `day` is the build's source date in days since 1970.
    #[must_use]
    pub fn shadow(&self, day: i64) -> String {
        let mut rows: Vec<_> = self.users.iter().collect();
        rows.sort_by_key(|(name, user)| (user.0, name.as_str()));
        rows.iter().fold(String::new(), |text, (name, _)| format!("{text}{name}:*:{day}:0:99999:7:::\n"))
    }

    /// `/etc/group` and `/etc/gshadow`.
    #[must_use]
    pub fn group_files(&self) -> (String, String) {
        let mut rows: Vec<_> = self.groups.iter().collect();
        rows.sort_by_key(|(name, group)| (group.0, name.as_str()));
        let (mut group, mut gshadow) = (String::new(), String::new());
        for (name, (gid, members)) in rows {
            let members = members.iter().map(String::as_str).collect::<Vec<_>>().join(",");
            let _fits = writeln!(group, "{name}:x:{gid}:{members}");
            let _fits = writeln!(gshadow, "{name}:*::{members}");
        }
        (group, gshadow)
    }
}

fn number(text: &str, line: &str) -> Result<u32, DeclareError> {
    text.parse().map_err(|_bad| DeclareError::BasePasswd { line: line.to_owned() })
}

/// Words of a line, with double quotes around those that have blanks in them.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let quote = rest.chars().next().filter(|c| *c == '"' || *c == '\'');
        let (word, after) = match quote {
            Some(q) => rest.trim_start_matches(q).split_once(q).unwrap_or((rest.trim_start_matches(q), "")),
            None => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
        };
        words.push(word.to_owned());
        rest = after.trim_start();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_unique() {
        let users: BTreeMap<u32, &str> = USERS.iter().map(|u| (u.uid, u.name)).collect();
        let groups: BTreeMap<u32, &str> = GROUPS.iter().map(|g| (g.gid, g.name)).collect();
        assert!(USERS.iter().all(|u| users[&u.uid] == u.name));
        assert!(GROUPS.iter().all(|g| groups[&g.gid] == g.name));
        for user in USERS.iter().filter(|u| u.gid != NOGROUP) {
            assert!(GROUPS.iter().any(|g| g.gid == user.gid), "{} has a group", user.name);
        }
    }

    #[test]
    fn accounts_of_packages() {
        let mut base = Listing::default();
        let file = |path: &str| path.parse().unwrap();
        base.files.insert(
            file("usr/share/base-passwd/passwd.master"),
            b"root:*:0:0:root:/root:/bin/bash\nnobody:*:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
                .to_vec(),
        );
        base.files.insert(file("usr/share/base-passwd/group.master"), b"root:*:0:\nadm:*:4:\n".to_vec());
        base.files.insert(
            file("usr/lib/sysusers.d/x.conf"),
            b"# c\nu messagebus - \"System Message Bus\"\nu foo - \"Foo daemon\" /var/lib/foo\nm foo adm\ng bar -\n".to_vec(),
        );
        let accounts =
            Accounts::new(&[("base-passwd", &base), ("dbus-system-bus-common", &Listing::default())])
                .unwrap();
        assert_eq!(
            accounts.passwd(),
            "root:x:0:0:root:/root:/bin/bash\n\
             messagebus:x:102:104:System Message Bus:/nonexistent:/usr/sbin/nologin\n\
             foo:x:401:400:Foo daemon:/var/lib/foo:/usr/sbin/nologin\n\
             nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
        );
        let (group, gshadow) = accounts.group_files();
        assert!(group.contains("adm:x:4:foo\n") && group.contains("bar:x:402:\n"), "{group}");
        assert!(gshadow.contains("adm:*::foo\n"));
        assert!(accounts.shadow(1).lines().all(|l| l.contains(":*:1:")));
    }
}
