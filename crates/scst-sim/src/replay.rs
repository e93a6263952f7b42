//! Recorded writes against the simulator: the same results, the same changes.
//!
//! A replay file names chains: a state to start from, transcripts, events that happen before an
//! operation (a module loaded, a daemon started), and what is volatile. Lines of a transcript are
//! operations `{"seq", "path", "write", "res" | "open_error", "added", "removed", "changed", …}`;
//! lines with `cmd` are programs that were run, which are not compared but whose output tells which
//! sessions there were.
use crate::environment::Environment;
use crate::load::node_json;
use crate::sim::{Again, Sim};
use esos_sysfs::AttrTree;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What came of one transcript.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Score {
    /// Its file name.
    pub transcript: String,
    /// Operations that were compared.
    pub operations: usize,
    /// How many had the recorded result.
    pub results_equal: usize,
    /// Operations with a recorded change of the tree.
    pub deltas: usize,
    /// How many changed the tree as recorded.
    pub deltas_equal: usize,
    /// What differed, one line each.
    pub differences: Vec<String>,
}

impl Score {
    /// Whether nothing differed.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.operations == self.results_equal && self.deltas == self.deltas_equal
    }
}

/// A replay file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// A file that it names cannot be read.
    #[error("cannot read {file}: {why}")]
    File {
        /// Its name.
        file: String,
        /// What the reader said.
        why: String,
    },
    /// A text has not the form of a replay, a transcript or a state.
    #[error("{file}: expected {expected}")]
    Form {
        /// The file.
        file: String,
        /// What should stand there.
        expected: &'static str,
    },
}

/// Replays all chains of a replay file. `read` gives the text of a file beside it by name.
///
/// # Errors
/// [`ReplayError`] for files that are missing or of another form.
pub fn replay(text: &str, read: &dyn Fn(&str) -> Result<String, String>) -> Result<Vec<Score>, ReplayError> {
    let form = |file: &str, expected| ReplayError::Form { file: file.to_owned(), expected };
    let json: Value = serde_json::from_str(text).map_err(|_syntax| form("the replay file", "JSON"))?;
    let volatile: Vec<&str> = json
        .get("volatile")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let env = environment(json.get("environment").unwrap_or(&Value::Null));
    let chains =
        json.get("chains").and_then(Value::as_array).ok_or_else(|| form("the replay file", "`chains`"))?;
    let mut scores = Vec::new();
    for chain in chains {
        let file = |name: &str| read(name).map_err(|why| ReplayError::File { file: name.to_owned(), why });
        let start = chain.get("start").and_then(Value::as_str).unwrap_or("");
        let state = file(start)?;
        let sim = Sim::load(&state, env.clone()).map_err(|_form| form(start, "a recorded state"))?;
        let mut run = Run { sim, volatile: &volatile };
        for name in
            chain.get("transcripts").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
        {
            let lines = file(name)?;
            let stop = chain.get("stop_before_seq").and_then(Value::as_u64);
            let events: Vec<(u64, String)> = chain
                .get("events")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter(|e| e.get("transcript").and_then(Value::as_str) == Some(name))
                .filter_map(|e| Some((e.get("before_seq")?.as_u64()?, e.get("event")?.as_str()?.to_owned())))
                .collect();
            let mut score = Score { transcript: name.to_owned(), ..Score::default() };
            for line in lines.lines().filter(|l| !l.trim().is_empty()) {
                let op: Value =
                    serde_json::from_str(line).map_err(|_syntax| form(name, "a JSON object a line"))?;
                let seq = op.get("seq").and_then(Value::as_u64).unwrap_or(0);
                if stop.is_some_and(|s| seq >= s) {
                    break;
                }
                events.iter().filter(|(at, _)| *at == seq).for_each(|(_, event)| run.event(event));
                run.operation(&op, seq, &mut score);
            }
            scores.push(score);
        }
    }
    Ok(scores)
}

fn environment(json: &Value) -> Environment {
    let sizes = |key: &str| -> BTreeMap<String, u64> {
        let map = json.get(key).and_then(Value::as_object);
        map.into_iter().flatten().filter_map(|(path, size)| Some((path.clone(), size.as_u64()?))).collect()
    };
    let mut env = Environment {
        files: sizes("files"),
        block_devices: sizes("block_devices"),
        ..Environment::default()
    };
    if let Some(cpus) = json.get("cpus").and_then(Value::as_u64) {
        env.cpus = u32::try_from(cpus).unwrap_or(1);
    }
    if let Some(nodes) = json.get("numa_nodes").and_then(Value::as_array) {
        env.numa_nodes = nodes.iter().filter_map(Value::as_i64).collect();
    }
    env
}

struct Run<'v> {
    sim: Sim,
    volatile: &'v [&'v str],
}

type Snapshot = BTreeMap<String, Value>;

impl Run<'_> {
    fn event(&mut self, event: &str) {
        if event.contains("iscsi_scst loaded") {
            self.sim.load_iscsi();
        }
        if event.contains("iscsi-scstd started") {
            self.sim.start_iscsi_daemon();
        }
        if event.contains("EAGAIN") {
            self.sim.set_again(Again::Always, 1);
        }
        if event.contains("scst_local") {
            self.sim.load_scst_local();
        }
    }

    /// What a user of the tree can see.
    fn snapshot(&self) -> Snapshot {
        let state = self.sim.state.borrow();
        state.tree.iter().map(|(path, node)| (path, node_json(node))).collect()
    }

    fn visible(&self, snapshot: &mut Snapshot, dir: &str) {
        // A listing that ends early hides what comes behind.
        if let Ok(entries) = self.sim.list(dir) {
            let names: BTreeSet<String> = entries.into_iter().map(|e| e.name).collect();
            let prefix = format!("{dir}/");
            snapshot.retain(|path, _| match path.strip_prefix(&prefix) {
                Some(rest) => names.contains(rest.split('/').next().unwrap_or("")),
                None => true,
            });
        }
    }

    fn operation(&mut self, op: &Value, seq: u64, score: &mut Score) {
        let text = |key: &str| op.get(key).and_then(Value::as_str);
        if let Some(cmd) = text("cmd") {
            self.sessions(cmd, text("out").unwrap_or(""));
            return;
        }
        let (Some(path), Some(write)) = (text("path"), text("write")) else { return };
        if text("open_error").is_none() {
            self.needs(path);
        }
        let dir = path.rsplit_once('/').map_or("", |(dir, _)| dir);
        let mut before = self.snapshot();
        self.visible(&mut before, dir);
        let result = self.sim.write(path, write);
        let mut after = self.snapshot();
        self.visible(&mut after, dir);
        let got = match &result {
            Ok(()) => "ok".to_owned(),
            Err(error) => error.errno_name(),
        };
        let wanted = text("res").or(text("open_error")).unwrap_or("ok");
        score.operations = score.operations.saturating_add(1);
        let mut equal = got == wanted;
        if let Some(last) = text("final_name").filter(|_| equal && got == "EAGAIN") {
            let mut result = self.sim.read("last_sysfs_mgmt_res");
            while result.as_ref().is_err_and(esos_sysfs::AttrError::is_again) {
                result = self.sim.read("last_sysfs_mgmt_res");
            }
            let number = result.unwrap_or_default().trim().parse::<i32>().unwrap_or(0);
            let name = match number.checked_neg() {
                Some(0) | None => "ok".to_owned(),
                Some(errno) => esos_sysfs::AttrError::new("", esos_sysfs::AttrOp::Read, errno).errno_name(),
            };
            equal = name == last;
            if !equal {
                score.differences.push(format!("{seq}: {path}: final {name}, recorded {last}"));
            }
        } else if !equal {
            score.differences.push(format!("{seq}: {path} <- {write:?}: {got}, recorded {wanted}"));
        }
        score.results_equal = score.results_equal.saturating_add(usize::from(equal));
        self.delta(op, seq, &before, &after, score);
    }

    /// A driver whose tree was written is loaded, whether an event says so or not.
    fn needs(&mut self, path: &str) {
        let missing = |driver: &str| self.sim.list(&format!("targets/{driver}")).is_err();
        if path.starts_with("targets/scst_local/") && missing("scst_local") {
            self.sim.load_scst_local();
        }
        if path.starts_with("targets/iscsi/") && missing("iscsi") {
            self.sim.load_iscsi();
        }
    }

    fn delta(&self, op: &Value, seq: u64, before: &Snapshot, after: &Snapshot, score: &mut Score) {
        let recorded = ["added", "removed", "changed", "added_entries"];
        if recorded.iter().all(|k| op.get(*k).is_none()) {
            return;
        }
        score.deltas = score.deltas.saturating_add(1);
        let mut wrong = Vec::new();
        let mut named = BTreeSet::new();
        for (path, node) in op.get("added").and_then(Value::as_object).into_iter().flatten() {
            named.insert(path.clone());
            if before.contains_key(path) && before.get(path) == after.get(path) {
                wrong.push(format!("{path} was there"));
            } else if after.get(path) != Some(node) && !self.is_volatile(path, node) {
                wrong.push(format!("{path} is {:?}, recorded {node}", after.get(path).map(Value::to_string)));
            }
        }
        for path in
            op.get("removed").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
        {
            named.insert(path.to_owned());
            if after.contains_key(path) || !before.contains_key(path) {
                wrong.push(format!("{path} was not removed"));
            }
        }
        for (path, pair) in op.get("changed").and_then(Value::as_object).into_iter().flatten() {
            named.insert(path.clone());
            for (snapshot, wanted, when) in [(before, pair.get(0), "before"), (after, pair.get(1), "after")] {
                let have = snapshot.get(path);
                let shown = have.and_then(|n| match n.get(0).and_then(Value::as_str) {
                    Some("l") => n.get(1),
                    // An attribute that cannot be read is recorded by the name of its error.
                    _ => n.get(2).filter(|t| t.is_string()).or_else(|| n.get(3)),
                });
                if shown != wanted && !self.is_volatile(path, have.unwrap_or(&Value::Null)) {
                    wrong.push(format!("{path} {when} is {shown:?}, recorded {wanted:?}"));
                }
            }
        }
        for (path, value) in op.get("added_key_attrs").and_then(Value::as_object).into_iter().flatten() {
            if after.get(path).and_then(|n| n.get(2)) != Some(value) {
                wrong.push(format!("{path} is {:?}, recorded {value}", after.get(path)));
            }
        }
        if let Some(count) = op.get("added_entries").and_then(Value::as_u64) {
            wrong.extend(entries_differ(before, after, count));
        } else {
            wrong.extend(self.unrecorded(&named, before, after));
        }
        if wrong.is_empty() {
            score.deltas_equal = score.deltas_equal.saturating_add(1);
        }
        score.differences.extend(wrong.into_iter().map(|w| format!("{seq}: {w}")));
    }

    /// Changes beside the recorded ones, in the directories that the recording names.
    fn unrecorded(&self, named: &BTreeSet<String>, before: &Snapshot, after: &Snapshot) -> Vec<String> {
        let scopes: BTreeSet<&str> =
            named.iter().filter_map(|p| p.rsplit_once('/')).map(|(dir, _)| dir).collect();
        let paths: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        let mut wrong = Vec::new();
        for path in paths {
            let dir = path.rsplit_once('/').map_or("", |(dir, _)| dir);
            // An object that went as a whole was recorded by its parts only as far as the scope went.
            let whole = !after.contains_key(dir) && !named.contains(dir);
            if before.get(path) != after.get(path)
                && !whole
                && scopes.contains(dir)
                && !named.contains(path)
                && !self.is_volatile(path, after.get(path).unwrap_or(&Value::Null))
            {
                wrong.push(format!("{path} changed, too: {:?} to {:?}", before.get(path), after.get(path)));
            }
        }
        wrong
    }

    fn is_volatile(&self, path: &str, node: &Value) -> bool {
        let key = node.get(2).and_then(Value::as_str).is_some_and(|t| t.contains("[key]"));
        let generated = path.starts_with("devices/") && path.ends_with("/vend_specific_id") && !key;
        generated
            || self.volatile.iter().any(|pattern| match pattern.split_once(" when not set") {
                Some((pattern, _)) => !key && path_matches(pattern, path),
                None => path_matches(pattern, path),
            })
    }

    /// What the output of a program says about sessions: a listing of a session's `luns` shows that it
    /// is there, and where it leads; an error shows that it is not.
    fn sessions(&mut self, cmd: &str, out: &str) {
        let Some((_, rest)) = cmd.split_once("scst_tgt/targets/") else { return };
        let parts: Vec<&str> = rest.split(['/', ' ', ';']).collect();
        let [driver, target, "sessions", session, "luns", ..] = parts.as_slice() else { return };
        let there = self.sim.list(&format!("targets/{driver}/{target}/sessions/{session}")).is_ok();
        if out.contains(" -> ") && !there {
            // The recording proves the session; where it was refused here the next result differs.
            let _session = self.sim.login(driver, target, session);
        } else if out.contains("No such file") && there {
            let _gone = self.sim.logout(driver, target, session);
        }
    }
}

/// Whether another number of entries came than the recording counts. It counts either what came below
/// one object, or all that came.
fn entries_differ(before: &Snapshot, after: &Snapshot, count: u64) -> Option<String> {
    let mut by_object: BTreeMap<String, u64> = BTreeMap::new();
    for path in after.keys().filter(|p| !before.contains_key(*p)) {
        for (i, _) in path.match_indices('/').chain([(path.len(), "")]) {
            let entry = by_object.entry(path.get(..i).unwrap_or("").to_owned()).or_insert(0);
            *entry = entry.saturating_add(1);
        }
    }
    let near = |n: u64| n.abs_diff(count) <= 1;
    if by_object.values().any(|n| near(*n)) {
        return None;
    }
    let greatest = by_object.iter().max_by_key(|(_, n)| **n);
    Some(format!("{greatest:?} entries were added, recorded {count}"))
}

/// `*` is any part or piece of one, `**` at the end is everything below.
fn path_matches(pattern: &str, path: &str) -> bool {
    let (patterns, parts): (Vec<&str>, Vec<&str>) = (pattern.split('/').collect(), path.split('/').collect());
    let deep = patterns.last() == Some(&"**");
    let fixed = patterns.len().saturating_sub(usize::from(deep));
    if (deep && parts.len() <= fixed) || (!deep && parts.len() != fixed) {
        return false;
    }
    patterns.iter().take(fixed).zip(&parts).all(|(p, part)| crate::session::matches(p, part))
}
