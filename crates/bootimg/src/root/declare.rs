//! What maintainer scripts would have done, said instead of run.
//!
//! `docs/maintainer-scripts.md` has a row for every package of the default image whose script does more
//! than debhelper's own lines; the tables here are what those rows refer to.
mod alternatives;
mod certs;
mod files;
mod lsb;
mod rc;
mod sha1;
mod users;

pub use alternatives::{ALTERNATIVES, Alternative};
pub use files::MODES;
pub use users::{Accounts, GROUPS, GroupRow, USERS, UserRow};

use super::{Attributes, Listing, Own, Prepared, RootError, usrmerge};
use crate::deb::TreePath;
use crate::overlay;
use lsb::Header;
use rc::InitScript;
use std::collections::BTreeMap;

/// Why what packages declare does not fit together.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeclareError {
    /// Init scripts that wait for one another.
    #[error("init scripts in runlevel {runlevel} wait for one another: {}", scripts.join(" waits for "))]
    Cycle {
        /// The runlevel.
        runlevel: char,
        /// The circle; the first script stands at the end again.
        scripts: Vec<String>,
    },
    /// Two init scripts for one facility.
    #[error("init scripts {first} and {second} both provide {facility}; switch one of them off")]
    Provided {
        /// What both provide.
        facility: String,
        /// One script.
        first: String,
        /// The other one.
        second: String,
    },
    /// A line of base-passwd that is none.
    #[error("base-passwd: `{line}` is no line of passwd or group")]
    BasePasswd {
        /// The line.
        line: String,
    },
    /// A line of `sysusers.d` that cannot be followed.
    #[error("/{origin}: cannot follow `{line}`")]
    Sysusers {
        /// The file.
        origin: String,
        /// The line.
        line: String,
    },
}

/// Entries that stand for what scripts would have made.
#[derive(Debug, Default)]
pub(crate) struct Declared {
    pub(crate) own: Vec<Own>,
    pub(crate) notes: Vec<String>,
}

/// Owners, modes and capabilities that scripts give to files of packages.
pub(crate) fn attributes() -> BTreeMap<TreePath, Attributes> {
    files::attributes()
}

pub(crate) fn declare(root: &Prepared<'_>) -> Result<Declared, RootError> {
    let mut declared = Declared::default();
    let tree = root.tree();
    for name in usrmerge::MERGED {
        if tree.get(&format!("usr/{name}")).is_some() {
            declared.own.push(Own::link(name, &format!("usr/{name}"))?);
        }
    }
    let packages: Vec<(&str, &Listing)> =
        root.packages().map(|(source, l)| (source.name.as_str(), l)).collect();
    if packages.is_empty() {
        return Ok(declared);
    }
    let names: Vec<&str> = packages.iter().map(|(name, _)| *name).collect();
    let accounts = Accounts::new(&packages)?;
    declared.own.extend(files::files(tree, &packages, &accounts, root.epoch())?);
    declared.own.extend(alternatives::links(tree, &names)?);
    let (certificates, notes) =
        certs::certificates(root.files().filter(|(path, _)| tree.get(path.as_str()).is_some()))?;
    declared.own.extend(certificates);
    declared.notes.extend(notes);
    let rc = rc::links(init_scripts(root), &facilities(root))?;
    for (path, target) in rc.links {
        declared.own.push(Own::link(&path, &target)?);
    }
    declared.notes.extend(rc.notes);
    declared.notes.extend(search_paths(root));
    declared.notes.extend(packages.iter().flat_map(|(name, listing)| unknown(name, listing)));
    Ok(declared)
}

/// Init scripts as they will be in the root: those of packages, and ours in place of them.
fn init_scripts(root: &Prepared<'_>) -> Vec<InitScript> {
    let mut scripts = BTreeMap::new();
    let disabled = |name: &str| {
        root.packages().any(|(_, l)| l.postinst.contains(&format!("update-rc.d {name} defaults-disabled")))
    };
    // Kernels and programs are among these files: what is no script is not looked into.
    for (path, bytes) in root.files() {
        let Some(name) = path.below("etc/init.d") else { continue };
        let header = Header::parse(&String::from_utf8_lossy(bytes));
        if let Some(header) = header.filter(|_| root.tree().get(path.as_str()).is_some()) {
            let enabled = overlay::off(name).is_none() && !disabled(name);
            scripts
                .insert(name.to_owned(), InitScript { name: name.to_owned(), header, enabled, own: false });
        }
    }
    for own in root.own_entries() {
        let Some(name) = own.entry.path.below("etc/init.d") else { continue };
        if let Some(header) = Header::parse(&String::from_utf8_lossy(&own.bytes)) {
            let enabled = overlay::off(name).is_none();
            scripts.insert(name.to_owned(), InitScript { name: name.to_owned(), header, enabled, own: true });
        }
    }
    scripts.into_values().collect()
}

/// What packages add to system facilities: lines `$syslog +busybox-syslogd`.
fn facilities(root: &Prepared<'_>) -> Vec<(String, Vec<String>)> {
    let files = root.files().filter(|(path, _)| path.below("etc/insserv.conf.d").is_some());
    let mut all = Vec::new();
    for (_, bytes) in files {
        for line in String::from_utf8_lossy(bytes).lines() {
            let mut words = line.split_whitespace().map(str::to_owned);
            if let Some(name) = words.next().filter(|w| w.starts_with('$')) {
                all.push((name, words.map(|w| w.trim_start_matches('+').to_owned()).collect()));
            }
        }
    }
    all
}

/// There is no `ld.so.cache`: without it the loader searches `/lib`, `/usr/lib` and their multiarch
/// directories, where Debian has its libraries. A package that puts some elsewhere is named.
fn search_paths(root: &Prepared<'_>) -> Vec<String> {
    let files = root.files().filter(|(path, _)| path.as_str().starts_with("etc/ld.so.conf"));
    let mut notes = Vec::new();
    for (path, bytes) in files {
        for line in String::from_utf8_lossy(bytes).lines().map(str::trim) {
            let Some(dir) = line.strip_prefix('/') else { continue };
            let usual = ["lib", "usr/lib", "lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu"].contains(&dir);
            if !usual && root.tree().children(dir).any(|(name, _)| name.contains(".so")) {
                notes.push(format!(
                    "/{dir} ({path}) is searched only with an ld.so.cache: run ldconfig on the box"
                ));
            }
        }
    }
    notes
}

/// Things that a script does and no table has: said, so that nobody wonders.
fn unknown(name: &str, listing: &Listing) -> Vec<String> {
    let mut notes = Vec::new();
    let joined = listing.postinst.replace("\\\n", " ");
    let lines: Vec<String> =
        joined.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let does =
        |words: &[&str]| lines.iter().any(|l| !l.starts_with('#') && words.iter().any(|w| l.contains(w)));
    let manual_only = || {
        lines
            .iter()
            .filter(|l| l.contains("update-alternatives") && l.contains("--install"))
            .all(|l| l.contains("--install /usr/share/man/"))
    };
    if does(&["update-alternatives --install", "update-alternatives --quiet --install"])
        && !ALTERNATIVES.iter().any(|row| row.package == name)
        && !manual_only()
    {
        notes.push(format!("{name}: its script installs alternatives that no table has"));
    }
    let sysusers = listing.files.keys().any(|path| path.below("usr/lib/sysusers.d").is_some());
    let rows = USERS.iter().any(|u| u.package == name) || GROUPS.iter().any(|g| g.package == name);
    if does(&["adduser --", "addgroup --", "useradd -", "groupadd -"])
        && !rows
        && !sysusers
        && name != "passwd"
    {
        notes.push(format!("{name}: its script makes accounts that no table has"));
    }
    notes
}
