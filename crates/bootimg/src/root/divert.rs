//! Diversions: a package takes the name of another package's file, which stays under another one.
//!
//! They are made by `dpkg-divert` in a `preinst`. No script runs here; the call is read where all its
//! words are plain, which they are in Debian's packages, or a note says that it was not followed. A call
//! for an upgrade only, or in the name of another package (as openssh-server's, which parks its own new
//! sshd for the length of an upgrade), is none for a fresh root. See dpkg-divert(1).
use super::usrmerge;
use crate::deb::TreePath;
use std::collections::BTreeMap;

/// One diversion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Diversion {
    /// The package whose own file keeps the name; `None` for all packages' files (`--local`).
    pub(crate) by: Option<String>,
    /// Where everybody else's file goes.
    pub(crate) to: TreePath,
}

/// The diversions that a package's `preinst` adds, by path, and notes about those that cannot be read.
pub(crate) fn read(package: &str, preinst: &str) -> (BTreeMap<TreePath, Diversion>, Vec<String>) {
    let (mut found, mut notes) = (BTreeMap::new(), Vec::new());
    let joined = preinst.replace("\\\n", " ");
    let mut place = Place::default();
    for line in joined.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
        if place.upgrade_only(line) {
            continue;
        }
        let Some((_, call)) = line.split_once("dpkg-divert ") else { continue };
        let call = call.split([';', '|', '&', '>']).next().unwrap_or("");
        match one(package, call) {
            Call::Adds(path, diversion) => {
                found.insert(path, diversion);
            }
            Call::Other => {}
            Call::Unclear => {
                notes.push(format!("{package}: its diversion is not followed: dpkg-divert {}", call.trim()));
            }
        }
    }
    (found, notes)
}

/// Which branch of a script a line is in.
#[derive(Debug, Default)]
struct Place {
    /// For each `if` that is open, whether it asks for an upgrade.
    ifs: Vec<bool>,
    /// Whether the pattern of a `case` that is open asks for one.
    pattern: bool,
}

impl Place {
    fn upgrade_only(&mut self, line: &str) -> bool {
        let asks = line.contains("upgrade") && !line.contains("install");
        if line.starts_with("if ") {
            self.ifs.push(asks);
        } else if line == "fi" || line.starts_with("fi ") || line.starts_with("fi;") {
            self.ifs.pop();
        } else if line.ends_with(')') && !line.contains('(') {
            self.pattern = asks;
        }
        let inside = self.pattern || self.ifs.contains(&true);
        if line.contains(";;") || line == "esac" {
            self.pattern = false;
        }
        inside
    }
}

enum Call {
    Adds(TreePath, Diversion),
    /// It asks or removes.
    Other,
    Unclear,
}

fn one(package: &str, call: &str) -> Call {
    let (mut path, mut to, mut by) = (None, None, Some(package.to_owned()));
    let mut words = call.split_whitespace().map(|word| word.trim_matches(['"', '\'']));
    while let Some(word) = words.next() {
        let (option, value) =
            word.split_once('=').map_or((word, None), |(option, value)| (option, Some(value)));
        match option {
            "--divert" => to = value.or_else(|| words.next()),
            "--package" => {
                let name = value.or_else(|| words.next());
                // A variable is the package's own name.
                by = name.filter(|n| !n.contains('$')).map(str::to_owned).or(by);
            }
            "--local" => by = None,
            "--remove" | "--list" | "--listpackage" | "--truename" | "--version" | "--help" => {
                return Call::Other;
            }
            "--admindir" | "--instdir" | "--root" if value.is_none() => drop(words.next()),
            _ if option.starts_with("--") => {}
            _ => path = Some(word),
        }
    }
    let Some(path) = path else { return Call::Unclear };
    let default = format!("{path}.distrib");
    let tree_path = |text: &str| -> Option<TreePath> {
        if text.contains(['$', '`', '*']) {
            return None;
        }
        let path: TreePath = text.trim_start_matches('/').parse().ok()?;
        Some(usrmerge::moved(&path).unwrap_or(path))
    };
    if by.as_deref().is_some_and(|by| by != package) {
        return Call::Other;
    }
    match (tree_path(path), tree_path(to.unwrap_or(&default))) {
        (Some(path), Some(to)) => Call::Adds(path, Diversion { by, to }),
        _ => Call::Unclear,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(preinst: &str, expected: &[(&str, Option<&str>, &str)]) {
        let (found, notes) = read("loud", preinst);
        let found: Vec<_> = found.iter().map(|(p, d)| (p.as_str(), d.by.as_deref(), d.to.as_str())).collect();
        assert_eq!((found.as_slice(), notes.as_slice()), (expected, [].as_slice()), "{preinst}");
    }

    #[test]
    fn calls_as_packages_write_them() {
        let to = [("usr/bin/a", Some("loud"), "usr/bin/a.plain")];
        check("dpkg-divert --package loud --add --rename --divert /usr/bin/a.plain /usr/bin/a", &to);
        check(
            "if true; then\n  dpkg-divert --add --no-rename \\\n    --divert=/bin/a.plain \"/bin/a\" >/dev/null\nfi",
            &to,
        );
        check(
            "dpkg-divert --quiet --package $DPKG_MAINTSCRIPT_PACKAGE --divert /usr/bin/a.plain /usr/bin/a || exit 1",
            &to,
        );
        check("dpkg-divert --local /etc/x", &[("etc/x", None, "etc/x.distrib")]);
        check(
            "case \"$1\" in\n  upgrade)\n dpkg-divert /bin/a\n ;;\n install|upgrade)\n dpkg-divert --divert /bin/a.plain /bin/a\n ;;\nesac",
            &to,
        );
        check("dpkg-divert --remove /etc/x\n# dpkg-divert /etc/y\ndpkg-divert --truename /etc/z", &[]);
    }

    #[test]
    fn what_is_for_an_upgrade_or_in_another_name_is_not_followed() {
        check("if [ \"$1\" = upgrade ] && true; then\n  dpkg-divert --add /usr/bin/a\nfi", &[]);
        check("dpkg-divert --package other --add --divert /usr/sbin/sshd.split /usr/sbin/sshd", &[]);
    }

    #[test]
    fn what_cannot_be_read_is_noted() {
        let (found, notes) = read("loud", "dpkg-divert --add \"$file\"");
        assert!(found.is_empty());
        assert_eq!(notes, ["loud: its diversion is not followed: dpkg-divert --add \"$file\""]);
    }
}
