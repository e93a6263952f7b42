//! Initiators that come and go.
use crate::errno::{EINVAL, ENOENT, Outcome};
use crate::sim::{Sim, State};
use crate::template::{COUNTERS, Row, fill};
use crate::tree::{Node, SLASH, follow};
use std::collections::BTreeSet;

/// Attributes of every session beside its counters.
const SESSION: &[Row] =
    &[("active_commands", 0o444, "0\n"), ("commands", 0o444, "0\n"), ("force_close", 0o200, "")];

impl Sim {
    /// An initiator logs in; gives the session's name, which has `_1` and so on behind it where the same
    /// initiator has one already.
    ///
    /// # Errors
    /// `ENOENT` for an unknown target, `EINVAL` for one that is not enabled.
    pub fn login(&self, driver: &str, target: &str, initiator: &str) -> Result<String, i32> {
        self.state.borrow_mut().login(driver, target, initiator)
    }

    /// An initiator's session ends.
    ///
    /// # Errors
    /// `ENOENT` for an unknown session.
    pub fn logout(&self, driver: &str, target: &str, session: &str) -> Result<(), i32> {
        let mut state = self.state.borrow_mut();
        let path = format!("targets/{driver}/{target}/sessions/{session}");
        if !state.tree.is_dir(&path) {
            return Err(ENOENT);
        }
        state.tree.remove(&path);
        Ok(())
    }
}

impl State {
    pub(crate) fn login(&mut self, driver: &str, target: &str, initiator: &str) -> Result<String, i32> {
        let dir = format!("targets/{driver}/{target}");
        if !self.tree.is_dir(&dir) {
            return Err(ENOENT);
        }
        if self.tree.value(&format!("{dir}/enabled")) == "0" {
            return Err(EINVAL);
        }
        Ok(self.new_session(&dir, initiator))
    }

    pub(crate) fn new_session(&mut self, dir: &str, initiator: &str) -> String {
        let mut name = initiator.to_owned();
        let mut n = 0u64;
        while self.tree.exists(&format!("{dir}/sessions/{name}")) {
            n = n.saturating_add(1);
            name = format!("{initiator}_{n}");
        }
        let path = format!("{dir}/sessions/{name}");
        self.tree.dir(&path);
        fill(&mut self.tree, &path, SESSION);
        for counter in COUNTERS {
            self.tree.attr(format!("{path}/{counter}"), 0o644, "0\n");
        }
        self.tree.attr(format!("{path}/initiator_name"), 0o444, format!("{initiator}\n"));
        self.place_session(dir, &name);
        name
    }

    /// Sessions of a target end, at once or after some listings.
    pub(crate) fn close_sessions(&mut self, dir: &str) {
        for session in self.tree.dirs(&format!("{dir}/sessions")) {
            let path = format!("{dir}/sessions/{session}");
            if self.linger == 0 {
                self.tree.remove(&path);
            } else {
                self.leaving.insert(path, self.linger);
            }
        }
    }

    /// A directory is listed: sessions in it that are to end come nearer to it.
    pub(crate) fn sessions_leave(&mut self, dir: &str) {
        let inside = |path: &str| path.rsplit_once('/').is_some_and(|(parent, _)| parent == dir);
        let mut gone = Vec::new();
        for (path, left) in self.leaving.iter_mut().filter(|(path, _)| inside(path)) {
            *left = left.saturating_sub(1);
            if *left == 0 {
                gone.push(path.clone());
            }
        }
        for path in gone {
            self.leaving.remove(&path);
            self.tree.remove(&path);
        }
    }

    /// Links a session to the LUNs that it sees now: those of the first group that names its
    /// initiator, or the target's own.
    fn place_session(&mut self, dir: &str, session: &str) {
        let path = format!("{dir}/sessions/{session}");
        let initiator = self.tree.value(&format!("{path}/initiator_name")).to_owned();
        let mut groups = self.tree.dirs(&format!("{dir}/ini_groups"));
        groups.sort_by_key(|g| self.born.get(&format!("{dir}/ini_groups/{g}")).copied().unwrap_or(0));
        let names = |g: &String| self.initiators(&format!("{dir}/ini_groups/{g}"));
        let group = groups.iter().find(|g| names(g).iter().any(|pattern| matches(pattern, &initiator)));
        let target = match group {
            Some(group) => format!("../../ini_groups/{group}/luns"),
            None => "../../luns".to_owned(),
        };
        self.tree.link(format!("{path}/luns"), target);
        self.show_luns(&path);
    }

    /// Sessions of a target are placed anew after its groups have changed.
    pub(crate) fn place_sessions(&mut self, dir: &str) {
        for session in self.tree.dirs(&format!("{dir}/sessions")) {
            self.place_session(dir, &session);
        }
    }

    /// The initiators of a group, a name with `/` among them.
    pub(crate) fn initiators(&self, group: &str) -> Vec<String> {
        let children = self.tree.children(&format!("{group}/initiators"));
        let names = children.into_iter().filter(|(n, _)| *n != "mgmt");
        names.map(|(n, _)| n.replace(SLASH, "/")).collect()
    }

    /// The directory of the LUNs that a session sees.
    pub(crate) fn luns_of(&self, session: &str) -> Option<String> {
        let link = format!("{session}/luns");
        match self.tree.get(&link) {
            Some(Node::Link(target)) => Some(follow(&link, target)),
            _ => None,
        }
    }

    fn show_luns(&mut self, session: &str) {
        let luns = self.luns_of(session).map(|dir| self.tree.dirs(&dir)).unwrap_or_default();
        let luns: BTreeSet<String> = luns.into_iter().collect();
        for dir in self.tree.dirs(session) {
            if dir.strip_prefix("lun").is_some_and(|lun| !luns.contains(lun)) {
                self.tree.remove(&format!("{session}/{dir}"));
            }
        }
        for lun in luns {
            self.show_lun(session, &lun);
        }
    }

    fn show_lun(&mut self, session: &str, lun: &str) {
        let rows: &[Row] = &[
            ("active_commands", 0o444, "0\n"),
            ("thread_index", 0o444, "1\n"),
            ("thread_pid", 0o444, "1\n"),
        ];
        let dir = format!("{session}/lun{lun}");
        if !self.tree.is_dir(&dir) {
            self.tree.dir(&dir);
            fill(&mut self.tree, &dir, rows);
        }
    }

    /// Sessions that see a directory of LUNs.
    fn watching(&self, luns: &str) -> Vec<String> {
        let parts: Vec<&str> = luns.split('/').collect();
        let [targets, driver, target, ..] = parts.as_slice() else { return Vec::new() };
        let dir = format!("{targets}/{driver}/{target}/sessions");
        let paths = self.tree.dirs(&dir).into_iter().map(|session| format!("{dir}/{session}"));
        paths.filter(|path| self.luns_of(path).as_deref() == Some(luns)).collect()
    }

    /// Sessions that see a directory of LUNs follow its changes.
    pub(crate) fn follow_luns(&mut self, luns: &str) {
        for path in self.watching(luns) {
            self.show_luns(&path);
        }
    }

    /// Sessions that see a directory of LUNs see one more.
    pub(crate) fn follow_lun(&mut self, luns: &str, lun: u64) {
        for path in self.watching(luns) {
            self.show_lun(&path, &lun.to_string());
        }
    }

    /// Whether a session sees a device.
    pub(crate) fn has_sessions(&self, device: &str) -> bool {
        self.is_seen_through(device, None)
    }

    /// Whether a session sees a device, through that target if one is named.
    pub(crate) fn is_seen_through(&self, device: &str, through: Option<&str>) -> bool {
        self.exports_of(device).iter().any(|(_, lun)| {
            let luns = lun.rsplit_once('/').map_or("", |(dir, _)| dir);
            let parts: Vec<&str> = luns.split('/').collect();
            let [targets, driver, target, ..] = parts.as_slice() else { return false };
            if through.is_some_and(|through| through != *target) {
                return false;
            }
            let dir = format!("{targets}/{driver}/{target}/sessions");
            self.tree.dirs(&dir).iter().any(|s| self.luns_of(&format!("{dir}/{s}")).as_deref() == Some(luns))
        })
    }

    pub(crate) fn session_attribute(
        &mut self,
        driver: &str,
        target: &str,
        session: &str,
        name: &str,
    ) -> Outcome {
        let path = format!("targets/{driver}/{target}/sessions/{session}");
        if name == "force_close" {
            self.tree.remove(&path);
        } else {
            // Counters start anew, whatever is written.
            self.tree.set(&format!("{path}/{name}"), "0\n");
        }
        Ok(())
    }
}

/// SCST's patterns: `*` any text, `?` any character, a leading `!` turns the match round.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_prefix('!') {
        Some(pattern) => !glob(pattern, name),
        None => glob(pattern, name),
    }
}

fn glob(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n, mut star) = (0usize, 0usize, None);
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p = p.saturating_add(1);
            }
            Some(c)
                if *c == '?'
                    || c.to_ascii_lowercase() == name.get(n).map_or('\0', char::to_ascii_lowercase) =>
            {
                p = p.saturating_add(1);
                n = n.saturating_add(1);
            }
            _ => match star {
                Some((at, from)) => {
                    p = at.saturating_add(1);
                    n = from.saturating_add(1);
                    star = Some((at, n));
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).is_some_and(|rest| rest.iter().all(|c| *c == '*'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_scsts() {
        assert!(matches("iqn.*:w?", "iqn.x:w1"));
        assert!(!matches("iqn.*:w?", "iqn.x:w"));
        assert!(matches("!iqn.x", "iqn.y"));
        assert!(matches("*", ""));
    }
}
