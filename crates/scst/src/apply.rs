//! Carries a plan out: one write after the other, verified, rolled back when one fails.
use crate::executor::{Executor, closed};
use crate::live::Live;
use crate::model::Config;
use crate::observe::ObserveError;
use crate::plan::{Class, Plan, Write};
use crate::planner::Policy;
use esos_sysfs::{AttrError, AttrTree};

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

    /// The step with that number is about to be taken back.
    fn undo(&mut self, step: usize) {
        let _unused = step;
    }

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
    /// SCST does not resume its commands.
    #[error("SCST is still suspended, after three tries to resume it")]
    StillSuspended,
    /// All writes succeeded, but the state is not the wanted one.
    #[error(
        "the state is not what was wanted: {count} operations would still be needed, the first for {first}"
    )]
    NotReached {
        /// How many.
        count: usize,
        /// The first one's object, and its attribute if it is one.
        first: String,
    },
    /// SCST could not be read afterwards.
    #[error("cannot read SCST's state")]
    Observe(ObserveError),
}

/// Carries out a plan that [`plan`](crate::plan) made for this state of this tree.
///
/// Every write is made exactly once; where SCST answers `EAGAIN` the result is taken from
/// `last_sysfs_mgmt_res`. After the last write all that the plan touched is read again and must leave nothing
/// to do. The caller holds the lock against other managers, and has observed `live` since it took it.
///
/// # Errors
/// [`ApplyError`]; see there for what was written in each case.
pub fn apply(
    tree: &dyn AttrTree,
    live: &Live,
    planned: &Plan,
    wanted: &Config,
    policy: &Policy,
    options: Options,
    journal: &mut dyn Journal,
) -> Result<Report, ApplyError> {
    allowed(planned, options)?;
    let mut executor = Executor::new(tree, journal);
    if planned.is_empty() {
        return Ok(executor.report(planned));
    }
    if live.fingerprint() != planned.base {
        return Err(ApplyError::Changed);
    }
    // A session cannot end while SCST is suspended: what is disabled first is disabled before.
    let disabled = planned.steps().take_while(|s| closed(&s.write).is_some()).count();
    let outcome = executor.steps(planned, 0..disabled);
    let suspended = match options.suspend {
        // Somebody who has suspended SCST already wants it so.
        Some(seconds) if outcome.is_ok() && executor.is_running() => {
            executor.write(&Write::new("suspend", seconds.max(1).to_string())).is_ok()
        }
        _ => false,
    };
    let outcome = outcome.and_then(|()| executor.steps(planned, disabled..usize::MAX));
    // SCST is never left suspended, whatever came of the steps.
    let resumed = if suspended { executor.resume() } else { Ok(()) };
    let outcome =
        outcome.and_then(|()| resumed.map_err(|e| (planned.steps().count(), "suspend <- -1".to_owned(), e)));
    let outcome = outcome.and_then(|()| {
        let verified = executor.verify(live, planned, wanted, policy);
        verified.map_err(|e| (planned.steps().count(), "verification".to_owned(), e))
    });
    match outcome {
        Ok(()) => Ok(executor.report(planned)),
        Err((step, write, source)) => {
            let mut left = executor.roll_back(&planned.base, Some(live));
            if suspended && !executor.is_running() {
                left.push("suspend <- -1".to_owned());
            }
            let (step, source) = (step.saturating_add(1), Box::new(source));
            Err(if left.is_empty() {
                ApplyError::RolledBack { step, write, source }
            } else {
                ApplyError::RollbackFailed { step, write, left, source }
            })
        }
    }
}

pub(crate) fn allowed(planned: &Plan, options: Options) -> Result<(), ApplyError> {
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
