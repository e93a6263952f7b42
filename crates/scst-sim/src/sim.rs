//! The simulator: one write at a time.
use crate::environment::Environment;
use crate::errno::{EACCES, EAGAIN, EINVAL, EISDIR, ENOENT, Outcome};
use crate::load::{self, LoadError};
use crate::tree::{Attr, Node, SLASH, Tree, listing_order, split};
use esos_sysfs::{AttrError, AttrOp, AttrTree, Entry, Kind};
use serde_json::Value;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// When a write that SCST hands to its command thread answers `EAGAIN`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Again {
    /// Only when it takes longer than the kernel's 15 seconds.
    #[default]
    Slow,
    /// Always, as a kernel built with `CONFIG_SCST_DEBUG_SYSFS_EAGAIN`.
    Always,
    /// At the n-th write from the start (from 0), if that one is handed over.
    At(u64),
}

/// SCST's tree with the kernel's behaviour behind it.
#[derive(Debug)]
pub struct Sim {
    pub(crate) state: RefCell<State>,
}

#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) tree: Tree,
    pub(crate) env: Environment,
    /// The number of the next `exportK` of each device; never used again.
    pub(crate) exports: BTreeMap<String, u64>,
    /// The next LUN of copy_manager; only grows.
    pub(crate) next_copy_lun: u64,
    pub(crate) next_tid: u64,
    pub(crate) next_host: u64,
    /// Names that sysfs shows with `!` for `/`, by path.
    pub(crate) slashed: BTreeMap<String, String>,
    /// In which order objects were made, for what the kernel walks as a list.
    pub(crate) born: BTreeMap<String, u64>,
    pub(crate) births: u64,
    /// Active block devices by their backing store; none where it has to be looked up again.
    pub(crate) open: RefCell<Option<BTreeMap<String, String>>>,
    /// Devices made inactive, whose size is found when they are opened first (`reexam_pending`).
    pub(crate) unexamined: BTreeSet<String>,
    /// A thread was to be made on a node that is not there.
    pub(crate) oopsed: bool,
    /// How often sessions of a disabled target are still listed.
    pub(crate) linger: u32,
    /// Sessions that end after so many listings.
    pub(crate) leaving: BTreeMap<String, u32>,
    again: Again,
    /// Reads of the result that still answer `EAGAIN`.
    pending: u32,
    polls: u32,
    fault: Option<(u64, i32)>,
    writes: u64,
    log: Vec<(String, String)>,
}

impl Sim {
    /// A machine with SCST's core and its virtual-disk handlers loaded and nothing configured.
    #[must_use]
    pub fn new(env: Environment) -> Self {
        let tree = crate::new::tree(&env);
        Self::from_tree(tree, env)
    }

    /// A machine in a recorded state.
    ///
    /// # Errors
    /// [`LoadError`] for a text that is no recorded tree.
    pub fn load(state: &str, env: Environment) -> Result<Self, LoadError> {
        Ok(Self::from_tree(load::load(state)?, env))
    }

    fn from_tree(tree: Tree, env: Environment) -> Self {
        let mut state = State {
            tree,
            env,
            exports: BTreeMap::new(),
            next_copy_lun: 0,
            next_tid: 1,
            next_host: 0,
            slashed: BTreeMap::new(),
            born: BTreeMap::new(),
            births: 0,
            open: RefCell::new(None),
            unexamined: BTreeSet::new(),
            oopsed: false,
            linger: 0,
            leaving: BTreeMap::new(),
            again: Again::Slow,
            pending: 0,
            polls: 0,
            fault: None,
            writes: 0,
            log: Vec::new(),
        };
        state.derive();
        Self { state: RefCell::new(state) }
    }

    /// Sets when queued writes answer `EAGAIN`, and how many reads of the result do after each.
    pub fn set_again(&self, again: Again, polls: u32) {
        let mut state = self.state.borrow_mut();
        state.again = again;
        state.polls = polls;
    }

    /// Sessions of a target that is disabled stay for so many listings of them, as in the kernel, where they
    /// end by themselves a little later.
    pub fn set_linger(&self, listings: u32) {
        self.state.borrow_mut().linger = listings;
    }

    /// Makes the n-th write from the start (from 0) fail with an error number, without any effect.
    pub fn fail_write(&self, nth: u64, errno: i32) {
        self.state.borrow_mut().fault = Some((nth, errno));
    }

    /// How many writes there were so far.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.state.borrow().writes
    }

    /// All writes so far: path and value.
    #[must_use]
    pub fn log(&self) -> Vec<(String, String)> {
        self.state.borrow().log.clone()
    }

    /// Whether a write has made the kernel oops (a thread on a NUMA node that is not there).
    #[must_use]
    pub fn oopsed(&self) -> bool {
        self.state.borrow().oopsed
    }

    /// Whether commands are suspended right now.
    #[must_use]
    pub fn suspended(&self) -> bool {
        !matches!(self.state.borrow().tree.value("suspend"), "0" | "")
    }

    /// The tree as a recorded state, `{"meta": {}, "tree": {…}}`.
    #[must_use]
    pub fn dump(&self) -> Value {
        load::dump(&self.state.borrow().tree)
    }

    /// Changes the machine behind SCST: a disk comes or goes.
    pub fn change_environment(&self, change: impl FnOnce(&mut Environment)) {
        change(&mut self.state.borrow_mut().env);
    }

    /// A copy that goes its own way from here.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self { state: RefCell::new(self.state.borrow().clone()) }
    }
}

impl AttrTree for Sim {
    fn read(&self, path: &str) -> Result<String, AttrError> {
        let error = |errno| AttrError::new(path, AttrOp::Read, errno);
        let mut state = self.state.borrow_mut();
        let full = state.tree.resolve(path);
        if full == "last_sysfs_mgmt_res" && state.pending > 0 {
            state.pending = state.pending.saturating_sub(1);
            return Err(error(EAGAIN));
        }
        match state.tree.get(&full) {
            Some(Node::Attr(Attr { text, .. })) => text.clone().map_err(error),
            Some(_) => Err(error(EISDIR)),
            None if full.is_empty() => Err(error(EISDIR)),
            None => Err(error(ENOENT)),
        }
    }

    fn write(&self, path: &str, value: &str) -> Result<(), AttrError> {
        let mut state = self.state.borrow_mut();
        state.write(path, value).map_err(|errno| AttrError::new(path, AttrOp::Write(value.to_owned()), errno))
    }

    fn list(&self, path: &str) -> Result<Vec<Entry>, AttrError> {
        let mut state = self.state.borrow_mut();
        let full = state.tree.resolve(path);
        if !state.tree.is_dir(&full) {
            return Err(AttrError::new(path, AttrOp::List, ENOENT));
        }
        state.sessions_leave(&full);
        let mut entries: Vec<_> = state.tree.children(&full);
        // A name with `/` ends the kernel's listing; what comes behind it by hash is not seen.
        if entries.iter().any(|(name, _)| name.contains(SLASH)) {
            entries.sort_by_key(|(name, _)| listing_order(name));
            let end = entries.iter().position(|(name, _)| name.contains(SLASH)).unwrap_or(entries.len());
            entries.truncate(end);
        }
        let kind = |node: &Node| match node {
            Node::Dir => Kind::Dir,
            Node::Link(_) => Kind::Link,
            Node::Attr(_) => Kind::Attr,
        };
        let mut entries: Vec<_> = entries
            .into_iter()
            .map(|(name, node)| Entry { name: name.to_owned(), kind: kind(node) })
            .collect();
        entries.sort();
        Ok(entries)
    }

    fn read_link(&self, path: &str) -> Result<String, AttrError> {
        let state = self.state.borrow();
        let (dir, name) = split(path);
        let full = crate::tree::join(&state.tree.resolve(dir), name);
        match state.tree.get(&full) {
            Some(Node::Link(target)) => Ok(target.clone()),
            Some(_) => Err(AttrError::new(path, AttrOp::ReadLink, EINVAL)),
            None => Err(AttrError::new(path, AttrOp::ReadLink, ENOENT)),
        }
    }

    fn mode(&self, path: &str) -> Result<Option<u32>, AttrError> {
        let state = self.state.borrow();
        match state.tree.get(&state.tree.resolve(path)) {
            Some(Node::Attr(attr)) => Ok(Some(attr.mode)),
            Some(_) => Ok(Some(0o755)),
            None => Err(AttrError::new(path, AttrOp::Read, ENOENT)),
        }
    }
}

/// The kernel waits this long for a queued command before it answers `EAGAIN`.
const PATIENCE_MS: u64 = 15_000;

impl State {
    /// What the tree alone does not tell, as far as it can be told from it.
    fn derive(&mut self) {
        for device in self.tree.dirs("devices") {
            let exports = self.tree.children(&format!("devices/{device}/exported"));
            let number = |n: &str| n.strip_prefix("export").and_then(|k| k.parse::<u64>().ok());
            let next = exports.iter().filter_map(|(n, _)| number(n)).max().map_or(0, |k| k.saturating_add(1));
            self.exports.insert(device, next);
        }
        let luns = self.tree.dirs(crate::lun::COPY_LUNS);
        let greatest = luns.iter().filter_map(|n| n.parse::<u64>().ok()).max();
        self.next_copy_lun = greatest.map_or(0, |n| n.saturating_add(1));
        for driver in self.tree.dirs("targets") {
            for target in self.tree.dirs(&format!("targets/{driver}")) {
                let tid =
                    self.tree.value(&format!("targets/{driver}/{target}/tid")).parse::<u64>().unwrap_or(0);
                self.next_tid = self.next_tid.max(tid.saturating_add(1));
            }
        }
    }

    pub(crate) fn birth(&mut self, path: &str) {
        self.births = self.births.saturating_add(1);
        self.born.insert(path.to_owned(), self.births);
    }

    fn write(&mut self, path: &str, value: &str) -> Outcome {
        let nth = self.writes;
        self.writes = nth.saturating_add(1);
        self.log.push((path.to_owned(), value.to_owned()));
        if let Some((at, errno)) = self.fault
            && at == nth
        {
            self.fault = None;
            return Err(errno);
        }
        let full = self.tree.resolve(path);
        match self.tree.get(&full) {
            None if full.is_empty() => return Err(EISDIR),
            None => return Err(ENOENT),
            Some(Node::Dir | Node::Link(_)) => return Err(EISDIR),
            Some(Node::Attr(attr)) if attr.mode & 0o222 == 0 => return Err(EACCES),
            Some(Node::Attr(_)) => {}
        }
        // A write of nothing never reaches SCST; the kernel cuts one of more than a page.
        if value.is_empty() {
            return Ok(());
        }
        let mut end = value.len().min(4096);
        while !value.is_char_boundary(end) {
            end = end.saturating_sub(1);
        }
        let value = value.get(..end).unwrap_or(value);
        self.dispatch(&full, value, nth)
    }

    fn dispatch(&mut self, path: &str, value: &str, nth: u64) -> Outcome {
        let parts: Vec<&str> = path.split('/').collect();
        match parts.as_slice() {
            ["device_groups", "mgmt"] => self.device_groups_mgmt(value),
            ["handlers", handler, "mgmt"] => self.queued(nth, 0, |s| s.handler_mgmt(handler, value)),
            ["targets", driver, "mgmt"] => self.queued(nth, 0, |s| s.driver_mgmt(driver, value)),
            ["targets", .., "luns", "mgmt"] => {
                self.queued(nth, 0, |s| s.luns_mgmt(path.trim_end_matches("/mgmt"), value))
            }
            ["targets", driver, target, "ini_groups", "mgmt"] => {
                self.queued(nth, 0, |s| s.ini_groups_mgmt(driver, target, value))
            }
            ["targets", driver, target, "ini_groups", group, "initiators", "mgmt"] => {
                self.queued(nth, 0, |s| s.initiators_mgmt(driver, target, group, value))
            }
            ["device_groups", group, "devices", "mgmt"] => {
                self.queued(nth, 0, |s| s.group_devices_mgmt(group, value))
            }
            ["device_groups", group, "target_groups", "mgmt"] => {
                self.queued(nth, 0, |s| s.target_groups_mgmt(group, value))
            }
            ["device_groups", group, "target_groups", tg, "mgmt"] => {
                self.queued(nth, 0, |s| s.target_group_mgmt(group, tg, value))
            }
            ["device_groups", _, "target_groups", _, "state"] => {
                self.queued(nth, 0, |s| s.alua_state(path, value))
            }
            ["device_groups", ..] => self.alua_attribute(path, value),
            ["devices", device, "threads_num"] => {
                let threads = State::thread_count(value, 0)?;
                self.queued(nth, 0, |s| s.device_threads(device, threads))
            }
            ["devices", device, name] => self.device_attribute(device, name, value),
            ["threads"] => {
                let threads = State::thread_count(value, 1)?;
                let old = self.tree.value("threads").parse::<u64>().unwrap_or(0);
                // Making a thread takes some 6.4 ms, stopping one 2.4 ms (measured under emulation).
                let tenths = if threads > old {
                    threads.saturating_sub(old).saturating_mul(64)
                } else {
                    old.saturating_sub(threads).saturating_mul(24)
                };
                self.queued(nth, tenths / 10, |s| s.threads(threads))
            }
            [name] => self.core_attribute(name, value),
            ["handlers", _, "trace_level"] | ["targets", _, "trace_level"] => self.trace_level(path, value),
            ["handlers", _, _] => self.plain(path, value),
            ["targets", driver, name] => self.driver_attribute(driver, name, value),
            ["targets", driver, target, "sessions", session, name] => {
                self.session_attribute(driver, target, session, name)
            }
            ["targets", driver, target, name] => self.target_attribute(driver, target, name, value),
            ["targets", driver, target, "ini_groups", group, name] => {
                let dir = format!("targets/{driver}/{target}/ini_groups/{group}");
                self.group_attribute(&dir, name, value)
            }
            _ => self.plain(path, value),
        }
    }

    /// Hands a command to SCST's thread: the result goes to `last_sysfs_mgmt_res`; whether the writer
    /// sees it at once or `EAGAIN` depends on the kernel and the time that it takes.
    fn queued(&mut self, nth: u64, ms: u64, command: impl FnOnce(&mut Self) -> Outcome) -> Outcome {
        let outcome = command(self);
        let text = match outcome {
            Ok(()) => "0\n".to_owned(),
            Err(errno) => format!("-{errno}\n"),
        };
        self.tree.set("last_sysfs_mgmt_res", text);
        let again = match self.again {
            Again::Slow => ms > PATIENCE_MS,
            Again::Always => true,
            Again::At(at) => at == nth,
        };
        if again {
            self.pending = self.polls;
            return Err(EAGAIN);
        }
        outcome
    }

    /// An attribute about which nothing is known: it keeps what is written.
    pub(crate) fn plain(&mut self, path: &str, value: &str) -> Outcome {
        let value = value.strip_suffix('\n').unwrap_or(value);
        self.tree.set(path, format!("{value}\n[key]\n"));
        Ok(())
    }
}
