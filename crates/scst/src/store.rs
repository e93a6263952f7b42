//! What is kept of configurations that were applied: the file that is in force, the generations before
//! it, and the journal that outlives a process which is killed in the middle.
//!
//! | file | what | lives |
//! |---|---|---|
//! | [`CONF`] | the configuration in force | for ever |
//! | [`HISTORY`]`/000042.json` | generation 42, with what it takes to go back behind it | for ever, the last 50 |
//! | [`RUN`]`/apply.json`, `apply.steps` | the plan under way, with its undo, and how far it is | while one is under way |
//! | [`RUN`]`/confirm.json` | a change that waits for its confirmation | until then |
//!
//! All have mode 0600: they hold CHAP secrets. [`RUN`] is memory that a restart empties, as it empties
//! SCST. Whoever calls holds the one lock of SCST's managers.
mod generation;
mod pending;
mod record;
mod recover;
mod rollback;

pub use generation::{Generation, Keep};
pub use pending::Waiting;
pub use recover::Recovered;
pub use rollback::Rollback;

use crate::apply::{ApplyError, Journal, Options, Report, apply};
use crate::live::Live;
use crate::model::Config;
use crate::observe::ObserveError;
use crate::plan::{Plan, Write};
use crate::planner::Policy;
use esos_hostfs::{FileError, Files};
use esos_sysfs::AttrTree;
use record::{Record, Stage};
use std::fmt;

/// The configuration in force.
pub const CONF: &str = "/etc/scst.conf";
/// The directory of the generations.
pub const HISTORY: &str = "/var/lib/esos/scst";
/// The directory of what a restart may forget.
pub const RUN: &str = "/run/esos/scst";

pub(crate) const RECORD: &str = "/run/esos/scst/apply.json";
pub(crate) const STEPS: &str = "/run/esos/scst/apply.steps";
pub(crate) const PENDING: &str = "/run/esos/scst/confirm.json";
pub(crate) const MODE: u32 = 0o600;

/// Why something could not be kept, gone back to, or finished.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The plan was not carried out, or not whole.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// SCST could not be read.
    #[error("cannot read SCST's state")]
    Observe(#[from] ObserveError),
    /// A file of the store makes no sense.
    #[error("{path} cannot be understood")]
    Broken {
        /// The file.
        path: String,
        /// Where and why.
        #[source]
        source: serde_json::Error,
    },
    /// An earlier change waits for its confirmation.
    #[error("generation @{number} waits for its confirmation")]
    Waiting {
        /// Its number.
        number: u64,
    },
    /// Nothing waits for a confirmation.
    #[error("no change waits for a confirmation")]
    NothingWaits,
    /// There is no such generation.
    #[error("there is no generation @{number}")]
    NoGeneration {
        /// The number.
        number: u64,
    },
    /// There is nothing before the first generation.
    #[error("there is no generation before the first one")]
    NothingBefore,
    /// An interrupted apply was taken back as far as possible.
    #[error("the interrupted apply was not taken back whole; left to do by hand: {left:?}")]
    Left {
        /// What differs, or could not be written; secrets masked.
        left: Vec<String>,
    },
}

/// What is kept of configurations, below the root of some files.
pub struct Store<'f> {
    files: &'f dyn Files,
}

impl fmt::Debug for Store<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Store")
    }
}

impl<'f> Store<'f> {
    /// The store of those files.
    #[must_use]
    pub fn new(files: &'f dyn Files) -> Self {
        Self { files }
    }

    /// [`apply`](crate::apply), with a journal on disk from the first write to the last, and the
    /// configuration kept when it succeeded. A process that is killed anywhere in it leaves what
    /// [`Store::recover`] needs to finish it or to take it back.
    ///
    /// # Errors
    /// [`StoreError::Waiting`] while an earlier change waits for its confirmation, [`StoreError::Apply`]
    /// as [`apply`](crate::apply) has it, [`StoreError::File`] where the journal or the configuration
    /// cannot be written.
    #[expect(clippy::too_many_arguments, reason = "apply's own, and what is kept")]
    pub fn apply(
        &self,
        tree: &dyn AttrTree,
        live: &Live,
        planned: &Plan,
        wanted: &Config,
        policy: &Policy,
        options: Options,
        keep: Option<&Keep<'_>>,
        journal: &mut dyn Journal,
    ) -> Result<Report, StoreError> {
        if let Some(waiting) = self.waiting()? {
            return Err(StoreError::Waiting { number: waiting.number });
        }
        let generation = match keep {
            Some(keep) => self.next(live, planned, keep)?,
            None => None,
        };
        let confirm = keep.and_then(|k| k.confirm_by).filter(|_| !planned.is_empty());
        let record = Record::new(planned, options.suspend.is_some(), generation);
        if planned.is_empty() {
            let report = apply(tree, live, planned, wanted, policy, options, journal)?;
            self.keep(&record)?;
            return Ok(report);
        }
        crate::apply::allowed(planned, options)?;
        self.begin(&record)?;
        let mut kept = Steps { files: self.files, inner: journal };
        let applied = apply(tree, live, planned, wanted, policy, options, &mut kept);
        let report = match applied {
            Ok(report) => report,
            Err(e) => {
                self.end()?;
                return Err(e.into());
            }
        };
        match confirm {
            Some(by) => self.wait_for_confirmation(&record, by)?,
            None => {
                self.stage(Stage::Applied)?;
                self.keep(&record)?;
            }
        }
        self.end()?;
        Ok(report)
    }

    fn begin(&self, record: &Record) -> Result<(), StoreError> {
        self.files.make_dir(RUN)?;
        self.gone(STEPS)?;
        self.replace(RECORD, record)
    }

    fn stage(&self, stage: Stage) -> Result<(), StoreError> {
        Ok(self.files.append(STEPS, stage.line().as_bytes(), MODE)?)
    }

    /// The record goes first: steps without it mean nothing.
    fn end(&self) -> Result<(), StoreError> {
        self.gone(RECORD)?;
        self.gone(STEPS)
    }

    fn gone(&self, path: &str) -> Result<(), StoreError> {
        match self.files.remove(path) {
            Err(e) if !e.is_not_found() => Err(e.into()),
            _ => Ok(()),
        }
    }

    fn replace(&self, path: &str, value: &impl serde::Serialize) -> Result<(), StoreError> {
        let broken = |source| StoreError::Broken { path: path.to_owned(), source };
        let text = serde_json::to_vec(value).map_err(broken)?;
        Ok(self.files.replace(path, &text, MODE)?)
    }

    fn read<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<Option<T>, StoreError> {
        let bytes = match self.files.read(path) {
            Ok(bytes) => bytes,
            Err(e) if e.is_not_found() => return Ok(None),
            Err(e) => return Err(e.into()),
        };
        let broken = |source| StoreError::Broken { path: path.to_owned(), source };
        serde_json::from_slice(&bytes).map(Some).map_err(broken)
    }
}

/// A journal whose steps are on disk before they are in SCST.
struct Steps<'a> {
    files: &'a dyn Files,
    inner: &'a mut dyn Journal,
}

impl Journal for Steps<'_> {
    fn before(&mut self, step: usize, write: &Write) -> Result<(), String> {
        self.inner.before(step, write)?;
        let line = Stage::Step(step).line();
        self.files.append(STEPS, line.as_bytes(), MODE).map_err(|e| e.to_string())
    }

    fn undo(&mut self, step: usize) {
        self.inner.undo(step);
        // Where it cannot be said, a restart takes back more than it must; the state decides.
        let _unsaid = self.files.append(STEPS, Stage::Undo(step).line().as_bytes(), MODE);
    }

    fn wait(&mut self) -> bool {
        self.inner.wait()
    }
}
