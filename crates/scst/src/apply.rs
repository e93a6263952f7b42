//! Carries a plan out: one write after the other, verified, rolled back when one fails.
use crate::live::Live;
use crate::model::Config;
use crate::observe::{ObserveError, observe};
use crate::plan::{Class, Plan, Write};
use crate::planner::{Policy, plan};
use esos_sysfs::{AttrError, AttrOp, AttrTree};

/// What may be done without asking, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// Carry out disruptive operations.
    pub allow_disruptive: bool,
    /// Carry out destructive operations.
    pub allow_destructive: bool,
    /// Suspend SCST's commands for the time of the writes, waiting that many seconds for those under way.
    /// Bulk changes are several times as fast then.
    pub suspend: Option<u32>,
}

/// What `apply` needs of the world beside the tree.
pub trait Journal {
    /// The step with that number (from 0) is about to be written.
    ///
    /// # Errors
    /// A text for people; then the step is not written and the steps before it are taken back.
    fn before(&mut self, step: usize, write: &Write) -> Result<(), String>;

    /// Waits a moment before the result of a queued command is asked for again; `false` when the wait
    /// has been long enough.
    fn wait(&mut self) -> bool;
}

/// A journal that keeps nothing and never waits long.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoJournal;

impl Journal for NoJournal {
    fn before(&mut self, _step: usize, _write: &Write) -> Result<(), String> {
        Ok(())
    }

    fn wait(&mut self) -> bool {
        true
    }
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Report {
    /// Operations carried out.
    pub operations: usize,
    /// Writes made for them.
    pub writes: usize,
    /// Fingerprint of the state now.
    pub fingerprint: String,
    /// What is still pending.
    pub pending: usize,
}

/// Why a plan was not carried out, or not whole.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// The plan has operations of a class that was not allowed. Nothing was written.
    #[error("refused: {count} {class} operations, the first is {path}: {why}")]
    Refused {
        /// The worst class.
        class: Class,
        /// How many of it.
        count: usize,
        /// The first one's object.
        path: String,
        /// The first one's reason.
        why: String,
    },
    /// SCST has changed since the plan was made. Nothing was written.
    #[error("SCST has changed since the plan was made; plan again")]
    Changed,
    /// SCST could not be read. Nothing was written.
    #[error("cannot read SCST's state")]
    Observe {
        /// Why.
        #[source]
        source: ObserveError,
    },
    /// A write failed; everything before it was taken back.
    #[error("step {step} failed and everything was rolled back: {write}")]
    RolledBack {
        /// Its number, from 1.
        step: usize,
        /// The write, secrets masked.
        write: String,
        /// Why.
        #[source]
        source: Box<StepError>,
    },
    /// A write failed, and so did the way back.
    #[error("step {step} failed ({write}), and the roll-back failed too; left to do by hand: {left:?}")]
    RollbackFailed {
        /// Its number, from 1.
        step: usize,
        /// The write, secrets masked.
        write: String,
        /// Writes of the way back that failed, secrets masked.
        left: Vec<String>,
        /// Why the step failed.
        #[source]
        source: Box<StepError>,
    },
}

/// Why one step failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StepError {
    /// The kernel refused the write.
    #[error(transparent)]
    Write(AttrError),
    /// The kernel took the command but did not say what came of it in time.
    #[error("SCST still works on the command; its result is not known")]
    NoResult,
    /// The journal could not be kept.
    #[error("the journal cannot be written: {0}")]
    Journal(String),
    /// All writes succeeded, but the state is not the wanted one.
    #[error("the state is not what was wanted: {0} operations would still be needed")]
    NotReached(usize),
    /// SCST could not be read afterwards.
    #[error("cannot read SCST's state")]
    Observe(ObserveError),
}

/// Carries out a plan that [`plan`] made for the state of this tree.
///
/// Every write is made exactly once; where SCST answers `EAGAIN` the result is taken from
/// `last_sysfs_mgmt_res`. After the last write the state is read again and must leave nothing to do. The
/// caller holds the lock against other managers.
///
/// # Errors
/// [`ApplyError`]; see there for what was written in each case.
pub fn apply(
    tree: &dyn AttrTree,
    planned: &Plan,
    wanted: &Config,
    policy: &Policy,
    options: Options,
    journal: &mut dyn Journal,
) -> Result<Report, ApplyError> {
    allowed(planned, options)?;
    let live = observe(tree).map_err(|source| ApplyError::Observe { source })?;
    if live.fingerprint() != planned.base {
        return Err(ApplyError::Changed);
    }
    let mut executor = Executor { tree, journal, done: Vec::new() };
    if planned.is_empty() {
        return Ok(executor.report(planned, &live));
    }
    let suspended = match options.suspend {
        Some(seconds) => executor.write(&Write::new("suspend", seconds.max(1).to_string())).is_ok(),
        None => false,
    };
    let outcome = executor.steps(planned);
    // SCST is never left suspended, whatever came of the steps.
    let resumed = if suspended { executor.write(&Write::new("suspend", "-1")) } else { Ok(()) };
    let outcome =
        outcome.and_then(|()| resumed.map_err(|e| (planned.steps().count(), "suspend <- -1".to_owned(), e)));
    let outcome = outcome.and_then(|()| {
        executor.verify(wanted, policy).map_err(|e| (planned.steps().count(), "verification".to_owned(), e))
    });
    match outcome {
        Ok(live) => Ok(executor.report(planned, &live)),
        Err((step, write, source)) => {
            let left = executor.roll_back(&live);
            let (step, source) = (step.saturating_add(1), Box::new(source));
            Err(if left.is_empty() {
                ApplyError::RolledBack { step, write, source }
            } else {
                ApplyError::RollbackFailed { step, write, left, source }
            })
        }
    }
}

fn allowed(planned: &Plan, options: Options) -> Result<(), ApplyError> {
    let refused = |class: Class| match class {
        Class::Safe => false,
        Class::Disruptive => !options.allow_disruptive,
        Class::Destructive => !options.allow_destructive,
        Class::Blocked => true,
    };
    let worst = planned.operations.iter().filter(|o| refused(o.class)).max_by_key(|o| o.class);
    let Some(worst) = worst.map(|o| o.class) else { return Ok(()) };
    let mut those = planned.operations.iter().filter(|o| o.class == worst);
    let first = those.next();
    Err(ApplyError::Refused {
        class: worst,
        count: those.count().saturating_add(1),
        path: first.map_or_else(String::new, |o| o.path.clone()),
        why: first.and_then(|o| o.why.clone()).unwrap_or_default(),
    })
}

struct Executor<'a> {
    tree: &'a dyn AttrTree,
    journal: &'a mut dyn Journal,
    /// Ways back of the steps that were made, in their order.
    done: Vec<Vec<Write>>,
}

/// Where it failed: the step's number from 0, its write, and why.
type Failure = (usize, String, StepError);

impl Executor<'_> {
    fn steps(&mut self, planned: &Plan) -> Result<(), Failure> {
        for (n, step) in planned.steps().enumerate() {
            let failure = |e: StepError| (n, step.write.to_string(), e);
            self.journal.before(n, &step.write).map_err(|e| failure(StepError::Journal(e)))?;
            match self.write(&step.write) {
                Ok(()) => self.done.push(step.undo.clone()),
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

    /// One `write(2)`; the result of a queued command is waited for.
    fn write(&mut self, write: &Write) -> Result<(), StepError> {
        let error = match self.tree.write(&write.file, write.expose()) {
            Ok(()) => return Ok(()),
            Err(e) if e.is_again() => e,
            Err(e) => return Err(StepError::Write(e)),
        };
        loop {
            match self.tree.read("last_sysfs_mgmt_res") {
                Ok(text) => {
                    let result = text.trim().parse::<i32>().unwrap_or(0);
                    return match result.checked_neg() {
                        Some(0) | None => Ok(()),
                        Some(errno) => {
                            let op = AttrOp::Write(write.shown().to_owned());
                            Err(StepError::Write(AttrError::new(&error.path, op, errno)))
                        }
                    };
                }
                Err(e) if e.is_again() && self.journal.wait() => {}
                Err(_) => return Err(StepError::NoResult),
            }
        }
    }

    fn verify(&self, wanted: &Config, policy: &Policy) -> Result<Live, StepError> {
        let live = observe(self.tree).map_err(StepError::Observe)?;
        match plan(&live, wanted, policy).operations.len() {
            0 => Ok(live),
            left => Err(StepError::NotReached(left)),
        }
    }

    /// Takes back what was done, last first; gives the writes that failed if the state is not the old
    /// one again.
    fn roll_back(&mut self, before: &Live) -> Vec<String> {
        let mut left = Vec::new();
        for undo in std::mem::take(&mut self.done).into_iter().rev() {
            for write in undo {
                if self.write(&write).is_err() {
                    left.push(write.to_string());
                }
            }
        }
        // An undo that was not needed may fail; what counts is the state.
        match observe(self.tree) {
            Ok(live) if live.fingerprint() == before.fingerprint() => Vec::new(),
            Ok(live) => {
                left.extend(different(before, &live));
                left
            }
            Err(e) => {
                left.push(format!("the state cannot be read: {e}"));
                left
            }
        }
    }

    fn report(&self, planned: &Plan, live: &Live) -> Report {
        Report {
            operations: planned.operations.len(),
            writes: self.done.len(),
            fingerprint: live.fingerprint(),
            pending: planned.pending.len(),
        }
    }
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
    let mut facts: Vec<String> = before.symmetric_difference(&after).map(fact).collect();
    facts.dedup();
    facts
}
