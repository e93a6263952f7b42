//! Writes and their results, and the way back.
use crate::apply::{Journal, Report, StepError};
use crate::live::Live;
use crate::mgmt::Command;
use crate::model::Config;
use crate::observe::{observe, observe_touched};
use crate::plan::{Plan, Write};
use crate::planner::{Policy, way};
use esos_sysfs::{AttrError, AttrOp, AttrTree};
use std::ops::Range;

pub(crate) struct Executor<'a> {
    tree: &'a dyn AttrTree,
    journal: &'a mut dyn Journal,
    /// Ways back of the steps that were made, in their order.
    pub(crate) done: Vec<Vec<Write>>,
}

/// Where it failed: the step's number from 0, its write, and why.
type Failure = (usize, String, StepError);

impl<'a> Executor<'a> {
    pub(crate) fn new(tree: &'a dyn AttrTree, journal: &'a mut dyn Journal) -> Self {
        Self { tree, journal, done: Vec::new() }
    }

    /// The steps of a plan from one number on, up to another.
    pub(crate) fn steps(&mut self, planned: &Plan, numbers: Range<usize>) -> Result<(), Failure> {
        let some = planned.steps().enumerate().take(numbers.end).skip(numbers.start);
        for (n, step) in some {
            let failure = |e: StepError| (n, step.write.to_string(), e);
            self.journal.before(n, &step.write).map_err(|e| failure(StepError::Journal(e)))?;
            match self.write(&step.write) {
                Ok(()) => {
                    self.done.push(step.undo.clone());
                    if let Some(target) = closed(&step.write) {
                        self.sessions_end(planned, n, target);
                    }
                }
                Err(e @ StepError::NoResult) => {
                    // It may have been done: taking it back is tried, too.
                    self.done.push(step.undo.clone());
                    return Err(failure(e));
                }
                Err(e) => return Err(failure(e)),
            }
        }
        Ok(())
    }

    /// Sessions of a target that was disabled end a little later than the write; until then SCST refuses to
    /// take away what they see (`EBUSY`). Waits for them where the plan goes on to that.
    fn sessions_end(&mut self, planned: &Plan, step: usize, target: &str) {
        let sessions = format!("{target}/sessions");
        let open = |tree: &dyn AttrTree| tree.list(&sessions).is_ok_and(|all| !all.is_empty());
        if !open(self.tree) {
            return;
        }
        let driver = target.rsplit_once('/').map_or("", |(driver, _)| driver);
        let (below, mgmt) = (format!("{target}/"), format!("{driver}/mgmt"));
        let mut later = planned.steps().skip(step.saturating_add(1)).map(|s| &s.write.file);
        if later.any(|file| file.starts_with(&below) || *file == mgmt) {
            // A session that does not end is told of by the write that it hinders.
            while open(self.tree) && self.journal.wait() {}
        }
    }

    /// One `write(2)`; the result of a queued command is waited for.
    pub(crate) fn write(&mut self, write: &Write) -> Result<(), StepError> {
        let error = match self.tree.write(&write.file, write.expose()) {
            Ok(()) => return Ok(()),
            Err(e) if e.is_again() => e,
            Err(e) => return Err(StepError::Write(e)),
        };
        match self.result()? {
            0 => Ok(()),
            errno => {
                let op = AttrOp::Write(write.shown().to_owned());
                Err(StepError::Write(AttrError::new(&error.path, op, errno)))
            }
        }
    }

    /// The result of the last queued command, an error number, once SCST has it.
    pub(crate) fn result(&mut self) -> Result<i32, StepError> {
        loop {
            match self.tree.read("last_sysfs_mgmt_res") {
                Ok(text) => {
                    let result = text.trim().parse::<i32>().unwrap_or(0);
                    return Ok(result.checked_neg().unwrap_or(0));
                }
                Err(e) if e.is_again() && self.journal.wait() => {}
                Err(_) => return Err(StepError::NoResult),
            }
        }
    }

    /// Ends a suspension; tried again where it had no effect, for nothing is as bad as a box that is left
    /// suspended.
    pub(crate) fn resume(&mut self) -> Result<(), StepError> {
        let write = Write::new("suspend", "-1");
        for _try in 0..3 {
            // Whether SCST runs is what counts.
            let _outcome = self.write(&write);
            if self.is_running() {
                return Ok(());
            }
        }
        Err(StepError::StillSuspended)
    }

    /// Whether SCST is not suspended.
    pub(crate) fn is_running(&self) -> bool {
        self.tree.read("suspend").is_ok_and(|text| matches!(text.trim(), "0" | ""))
    }

    /// Reads again what the plan touched; nothing must be left to do then.
    pub(crate) fn verify(
        &self,
        before: &Live,
        planned: &Plan,
        wanted: &Config,
        policy: &Policy,
    ) -> Result<(), StepError> {
        let live = observe_touched(self.tree, before, planned, wanted).map_err(StepError::Observe)?;
        let planned = way(live, wanted, policy);
        let Some(op) = planned.operations.first() else { return Ok(()) };
        let first = [Some(op.path.as_str()), op.attribute.as_deref()];
        let first = first.into_iter().flatten().collect::<Vec<_>>().join(" ");
        Err(StepError::NotReached { count: planned.operations.len(), first })
    }

    /// Takes back what was done, last first; gives what is left to do by hand where the state is not the
    /// one of the fingerprint again.
    pub(crate) fn roll_back(&mut self, base: &str, before: Option<&Live>) -> Vec<String> {
        let mut left = Vec::new();
        for (step, undo) in std::mem::take(&mut self.done).into_iter().enumerate().rev() {
            self.journal.undo(step);
            for write in undo {
                if !self.stands(&write) && self.write(&write).is_err() {
                    left.push(write.to_string());
                }
            }
        }
        // An undo that was not needed may fail; what counts is the state.
        match observe(self.tree) {
            Ok(live) if live.fingerprint() == base => Vec::new(),
            Ok(live) => {
                left.extend(before.map(|before| different(before, &live)).unwrap_or_default());
                if left.is_empty() {
                    left.push("the state is not the one before".to_owned());
                }
                left
            }
            Err(e) => {
                left.push(format!("the state cannot be read: {e}"));
                left
            }
        }
    }

    /// Whether what a write would bring back is there still. A second `OutgoingUser` is not only refused:
    /// the kernel loses the first one with it.
    fn stands(&self, write: &Write) -> bool {
        let (path, name) = match write.expose().parse() {
            Ok(Command::AddTargetAttribute { target, name, .. }) => (format!("/{target}/{name}"), name),
            Ok(Command::AddAttribute { name, .. }) => (format!("/{name}"), name),
            _ => return false,
        };
        let driver = write.file.strip_suffix("/mgmt").unwrap_or_default();
        name == "OutgoingUser" && self.tree.read(&format!("{driver}{path}")).is_ok()
    }

    pub(crate) fn report(&self, planned: &Plan) -> Report {
        Report {
            operations: planned.operations.len(),
            writes: self.done.len(),
            pending: planned.pending.len(),
        }
    }
}

/// The directory of the target that a write disables.
pub(crate) fn closed(write: &Write) -> Option<&str> {
    let target = write.file.strip_suffix("/enabled").filter(|_| write.expose() == "0")?;
    // A driver is disabled by a file of that name, too.
    (target.starts_with("targets/") && target.matches('/').count() == 2).then_some(target)
}

/// Facts in which two states differ, without values: they may be secrets.
fn different(before: &Live, after: &Live) -> Vec<String> {
    let (before, after) = (before.canonical(), after.canonical());
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<std::collections::BTreeSet<_>>();
    let (before, after) = (lines(&before), lines(&after));
    let fact = |line: &String| {
        let mut parts = line.split('\t');
        format!("{} {}", parts.next().unwrap_or(""), parts.next().unwrap_or(""))
    };
    let differ: Vec<&String> = before.symmetric_difference(&after).collect();
    // Of an object that is there on one side only, that alone is said.
    let whole = |line: &&&String| line.ends_with("\t\t");
    let object = |line: &str| line.split('\t').next().unwrap_or("").to_owned();
    let gone: std::collections::BTreeSet<String> = differ.iter().filter(whole).map(|l| object(l)).collect();
    let mut facts = Vec::new();
    for line in differ {
        let of = object(line);
        let inside = |outer: &String| {
            of.strip_prefix(outer.as_str()).is_some_and(|r| r.is_empty() || r.starts_with(' '))
        };
        if line.ends_with("\t\t") {
            facts.push(format!("{of} {}", if after.contains(line) { "is there" } else { "is missing" }));
        } else if !gone.iter().any(|g| inside(g) || g.starts_with(&format!("{of} "))) {
            facts.push(fact(line));
        }
    }
    facts.dedup();
    facts
}
