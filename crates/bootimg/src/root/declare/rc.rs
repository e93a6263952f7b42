//! The links in `/etc/rc?.d`, as insserv computes them.
//!
//! In a runlevel a script gets the number of the longest chain of scripts that must have been started
//! (or stopped) before it, plus one. What must be there but runs in an earlier level does not count.
use super::DeclareError;
use super::lsb::Header;
use std::collections::{BTreeMap, BTreeSet};

/// Runlevels that have a directory.
const LEVELS: [char; 8] = ['S', '0', '1', '2', '3', '4', '5', '6'];

/// System facilities as in insserv's own configuration; packages may add to them.
const FACILITIES: &[(&str, &[&str])] = &[
    ("$local_fs", &["mountall", "mountall-bootclean", "mountoverflowtmp", "umountfs"]),
    ("$named", &["named", "dnsmasq", "lwresd", "bind9", "unbound", "pdns-recursor", "$network"]),
    ("$network", &["networking", "ifupdown"]),
    ("$remote_fs", &["$local_fs", "mountnfs", "mountnfs-bootclean", "umountnfs", "sendsigs"]),
    ("$syslog", &["rsyslog", "sysklogd", "syslog-ng", "dsyslog", "inetutils-syslogd", "busybox-syslogd"]),
    ("$time", &["hwclock"]),
];

/// One init script: its file name, its header, whether it is wanted at boot.
#[derive(Debug, Clone)]
pub(crate) struct InitScript {
    pub(crate) name: String,
    pub(crate) header: Header,
    pub(crate) enabled: bool,
    pub(crate) own: bool,
}

/// Links as path and target: `etc/rc2.d/S01ssh` → `../init.d/ssh`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct RcLinks {
    pub(crate) links: Vec<(String, String)>,
    pub(crate) notes: Vec<String>,
}

/// Computes the links.
///
/// # Errors
/// [`DeclareError::Cycle`] with the scripts of the circle, [`DeclareError::Provided`] where two scripts
/// of packages provide one facility.
pub(crate) fn links(
    mut scripts: Vec<InitScript>,
    extra: &[(String, Vec<String>)],
) -> Result<RcLinks, DeclareError> {
    let mut result = RcLinks::default();
    scripts.sort_by(|a, b| a.name.cmp(&b.name));
    let ours: BTreeSet<String> =
        scripts.iter().filter(|s| s.own).flat_map(|s| s.header.provides.iter().cloned()).collect();
    // Where ours stands in for a package's script, that one is left out.
    scripts.retain(|s| {
        let stays =
            s.own || s.header.provides.is_empty() || !s.header.provides.iter().any(|p| ours.contains(p));
        if !stays {
            result.notes.push(format!("/etc/init.d/{} gets no rc links: ours provides the same", s.name));
        }
        stays
    });
    let mut providers: BTreeMap<&str, usize> = BTreeMap::new();
    for (at, script) in scripts.iter().enumerate().filter(|(_, s)| s.enabled) {
        for facility in &script.header.provides {
            if let Some(other) = providers.insert(facility, at) {
                return Err(DeclareError::Provided {
                    facility: facility.clone(),
                    first: scripts.get(other).map(|s| s.name.clone()).unwrap_or_default(),
                    second: script.name.clone(),
                });
            }
        }
        providers.entry(&script.name).or_insert(at);
    }
    let names = Names { providers, extra };
    for script in scripts.iter().filter(|s| s.enabled) {
        for word in &script.header.required_start {
            if !word.starts_with(['$', '+', '<']) && !names.providers.contains_key(word.as_str()) {
                result
                    .notes
                    .push(format!("/etc/init.d/{} requires {word}, which nothing provides", script.name));
            }
        }
    }
    for level in LEVELS {
        let starts: Vec<usize> = members(&scripts, |s| s.enabled && s.header.start.contains(&level));
        let edges = start_edges(&scripts, &starts, &names);
        number(&scripts, &starts, &edges, level, 'S', &mut result)?;
        // Nothing runs before S, so there is nothing to stop.
        if level != 'S' {
            let stops: Vec<usize> = members(&scripts, |s| s.enabled && s.header.stop.contains(&level));
            let edges = stop_edges(&scripts, &stops, &names);
            number(&scripts, &stops, &edges, level, 'K', &mut result)?;
        }
    }
    Ok(result)
}

fn members(scripts: &[InitScript], wanted: impl Fn(&InitScript) -> bool) -> Vec<usize> {
    scripts.iter().enumerate().filter(|(_, s)| wanted(s)).map(|(at, _)| at).collect()
}

struct Names<'a> {
    providers: BTreeMap<&'a str, usize>,
    extra: &'a [(String, Vec<String>)],
}

impl Names<'_> {
    /// Scripts that a word stands for.
    fn of(&self, word: &str, depth: u8) -> Vec<usize> {
        let word = word.trim_start_matches('+');
        if !word.starts_with('$') {
            return self.providers.get(word).copied().into_iter().collect();
        }
        if depth > 8 {
            return Vec::new();
        }
        let known =
            FACILITIES.iter().filter(|(name, _)| *name == word).flat_map(|(_, of)| of.iter().copied());
        let added = self.extra.iter().filter(|(name, _)| name == word);
        let added = added.flat_map(|(_, of)| of.iter().map(String::as_str));
        known.chain(added).flat_map(|part| self.of(part, depth.saturating_add(1))).collect()
    }
}

type Edges = BTreeMap<usize, BTreeSet<usize>>;

/// For each script those that come before it.
fn start_edges(scripts: &[InitScript], level: &[usize], names: &Names<'_>) -> Edges {
    let mut edges = Edges::new();
    let all =
        |s: &InitScript| s.header.required_start.iter().chain(&s.header.should_start).any(|w| w == "$all");
    for at in level {
        let Some(script) = scripts.get(*at) else { continue };
        let before = edges.entry(*at).or_default();
        for word in script.header.required_start.iter().chain(&script.header.should_start) {
            before.extend(names.of(word, 0));
        }
        if all(script) {
            before.extend(level.iter().filter(|o| scripts.get(**o).is_some_and(|s| !all(s))));
        }
        for other in script.header.start_before.iter().flat_map(|word| names.of(word, 0)) {
            edges.entry(other).or_default().insert(*at);
        }
    }
    edges
}

fn stop_edges(scripts: &[InitScript], level: &[usize], names: &Names<'_>) -> Edges {
    let mut edges = Edges::new();
    for at in level {
        let Some(script) = scripts.get(*at) else { continue };
        // What this one needs goes after it.
        for other in
            script.header.required_stop.iter().chain(&script.header.should_stop).flat_map(|w| names.of(w, 0))
        {
            edges.entry(other).or_default().insert(*at);
        }
        for other in script.header.stop_after.iter().flat_map(|word| names.of(word, 0)) {
            edges.entry(*at).or_default().insert(other);
        }
    }
    edges
}

fn number(
    scripts: &[InitScript],
    level: &[usize],
    edges: &Edges,
    name: char,
    letter: char,
    result: &mut RcLinks,
) -> Result<(), DeclareError> {
    let inside: BTreeSet<usize> = level.iter().copied().collect();
    let mut depths: BTreeMap<usize, usize> = BTreeMap::new();
    for at in level {
        depth(*at, &inside, edges, &mut depths, &mut Vec::new()).map_err(|circle| DeclareError::Cycle {
            runlevel: name,
            scripts: circle.iter().filter_map(|at| scripts.get(*at)).map(|s| s.name.clone()).collect(),
        })?;
    }
    for at in level {
        let (Some(script), Some(depth)) = (scripts.get(*at), depths.get(at)) else { continue };
        let link = format!("etc/rc{name}.d/{letter}{:02}{}", (*depth).min(99), script.name);
        result.links.push((link, format!("../init.d/{}", script.name)));
    }
    Ok(())
}

/// Length of the longest chain to a script; the circle, if there is one.
fn depth(
    at: usize,
    inside: &BTreeSet<usize>,
    edges: &Edges,
    depths: &mut BTreeMap<usize, usize>,
    path: &mut Vec<usize>,
) -> Result<usize, Vec<usize>> {
    if let Some(known) = depths.get(&at) {
        return Ok(*known);
    }
    if let Some(start) = path.iter().position(|p| *p == at) {
        let mut circle: Vec<usize> = path.get(start..).unwrap_or_default().to_vec();
        circle.push(at);
        return Err(circle);
    }
    path.push(at);
    let mut deepest = 0;
    for before in edges.get(&at).into_iter().flatten().filter(|b| inside.contains(b) && **b != at) {
        deepest = depth(*before, inside, edges, depths, path)?.max(deepest);
    }
    path.pop();
    let mine = deepest.saturating_add(1);
    depths.insert(at, mine);
    Ok(mine)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn script(name: &str, header: &str) -> InitScript {
        let text = format!("#!/bin/sh\n### BEGIN INIT INFO\n{header}\n### END INIT INFO\n");
        InitScript { name: name.to_owned(), header: Header::parse(&text).unwrap(), enabled: true, own: false }
    }

    fn names(links: &RcLinks) -> Vec<&str> {
        links.links.iter().map(|(link, _)| link.strip_prefix("etc/").unwrap()).collect()
    }

    #[test]
    fn numbers_follow_the_longest_chain() {
        let scripts = vec![
            script(
                "rsyslog",
                "# Provides: rsyslog\n# Required-Start: $remote_fs\n# Default-Start: 2\n# Default-Stop: 0\n# X-Stop-After: sendsigs",
            ),
            script(
                "ssh",
                "# Provides: sshd\n# Required-Start: $remote_fs $syslog\n# Required-Stop: $remote_fs $syslog\n# Default-Start: 2\n# Default-Stop: 0",
            ),
            script("early", "# Provides: early\n# Default-Start: 2\n# X-Start-Before: rsyslog"),
            script("rc.local", "# Provides: rc.local\n# Required-Start: $all\n# Default-Start: 2"),
            script("sendsigs", "# Provides: sendsigs\n# Default-Stop: 0"),
        ];
        let links = links(scripts, &[]).unwrap();
        assert_eq!(
            names(&links),
            [
                "rc0.d/K03rsyslog",
                "rc0.d/K02sendsigs",
                "rc0.d/K01ssh",
                "rc2.d/S01early",
                "rc2.d/S04rc.local",
                "rc2.d/S02rsyslog",
                "rc2.d/S03ssh"
            ]
        );
        assert_eq!(links.links[0].1, "../init.d/rsyslog");
    }

    #[test]
    fn a_circle_is_named() {
        let scripts = vec![
            script("a", "# Provides: a\n# Required-Start: c\n# Default-Start: S"),
            script("b", "# Provides: b\n# Required-Start: a\n# Default-Start: S"),
            script("c", "# Provides: c\n# Should-Start: b\n# Default-Start: S"),
            script("d", "# Provides: d\n# Required-Start: a\n# Default-Start: S"),
        ];
        let error = links(scripts, &[]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "init scripts in runlevel S wait for one another: a waits for c waits for b waits for a"
        );
    }

    #[test]
    fn ours_stand_in_for_a_packages_script() {
        let theirs = script("networking", "# Provides: networking ifupdown\n# Default-Start: S");
        let ours = InitScript {
            own: true,
            ..script("esos-network", "# Provides: esos-network networking\n# Default-Start: S")
        };
        let off =
            InitScript { enabled: false, ..script("off", "# Provides: networking\n# Default-Start: S") };
        let links = links(vec![theirs.clone(), ours], &[]).unwrap();
        assert_eq!(names(&links), ["rcS.d/S01esos-network"]);
        assert_eq!(links.notes.len(), 1);
        assert_eq!(names(&super::links(vec![theirs.clone(), off], &[]).unwrap()), ["rcS.d/S01networking"]);
        let two = script("two", "# Provides: networking\n# Default-Start: S");
        assert!(matches!(super::links(vec![theirs, two], &[]), Err(DeclareError::Provided { .. })));
    }

    proptest! {
        /// Whatever scripts want, the numbers keep every wish, or there is a true circle.
        #[test]
        fn every_wish_is_kept(wishes in proptest::collection::vec((0usize..7, 0usize..7, any::<bool>()), 0..14)) {
            let wish = |at: usize, before: bool| {
                wishes.iter().filter(|w| w.0 == at && w.2 == before && w.1 != at).map(|w| format!(" f{}", w.1)).collect::<String>()
            };
            let scripts = (0..7).map(|at| {
                let (after, before) = (wish(at, false), wish(at, true));
                script(&format!("s{at}"), &format!(
                    "# Provides: f{at}\n# Required-Start:{after}\n# X-Start-Before:{before}\n# Default-Start: 2"
                ))
            });
            let first = |w: &(usize, usize, bool)| if w.2 { (w.0, w.1) } else { (w.1, w.0) };
            match links(scripts.collect(), &[]) {
                Ok(links) => {
                    let number = |at: usize| links.links.iter().find(|(l, _)| l.ends_with(&format!("s{at}"))).map(|(l, _)| l[11..13].to_owned()).unwrap();
                    for (a, b) in wishes.iter().filter(|w| w.0 != w.1).map(first) {
                        prop_assert!(number(a) < number(b), "s{a} before s{b}");
                    }
                }
                Err(DeclareError::Cycle { scripts, .. }) => {
                    let at = |name: &str| name[1..].parse::<usize>().unwrap();
                    for pair in scripts.windows(2) {
                        let edge = (at(&pair[1]), at(&pair[0]));
                        prop_assert!(wishes.iter().any(|w| first(w) == edge), "{pair:?} of {scripts:?} is no wish");
                    }
                }
                Err(other) => prop_assert!(false, "{other}"),
            }
        }
    }
}
