//! What the next start does about an apply that was killed.
use super::record::{Record, Stage};
use super::{PENDING, RECORD, STEPS, Store, StoreError};
use crate::apply::Journal;
use crate::executor::Executor;
use crate::observe::{ObserveError, observe};
use esos_sysfs::AttrTree;

/// What was found and done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Recovered {
    /// No apply was interrupted.
    Nothing,
    /// All had been written and verified; the configuration was kept.
    Finished,
    /// What had been written was taken back.
    TakenBack,
    /// SCST was unloaded since, and what had been written went with it.
    Forgotten,
}

impl Store<'_> {
    /// Finishes or takes back what an interrupted apply left. SCST is not suspended afterwards. May itself
    /// be interrupted and done again.
    ///
    /// # Errors
    /// [`StoreError::Left`] where something stays that was not there before; the journal is gone then,
    /// for a person must look. [`StoreError::File`], [`StoreError::Broken`], [`StoreError::Observe`].
    pub fn recover(&self, tree: &dyn AttrTree, journal: &mut dyn Journal) -> Result<Recovered, StoreError> {
        let pending = self.pending()?;
        let Some(record) = self.read::<Record>(RECORD)? else {
            return match pending.filter(Store::is_confirmed) {
                Some(pending) => self.finish(&pending).map(|()| Recovered::Finished),
                None => Ok(Recovered::Nothing),
            };
        };
        let steps = match self.files.read(STEPS) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(e) if e.is_not_found() => String::new(),
            Err(e) => return Err(e.into()),
        };
        match observe(tree) {
            Err(ObserveError::NotLoaded) => {
                self.gone(PENDING)?;
                self.end()?;
                return Ok(Recovered::Forgotten);
            }
            Err(e) => return Err(e.into()),
            Ok(_) => {}
        }
        let stage = Stage::last(&steps);
        if stage == Stage::Applied {
            self.resume(tree, &record, journal);
            self.keep(&record)?;
            self.end()?;
            return Ok(Recovered::Finished);
        }
        // It waits for its confirmation already; only the journal was not put away.
        if pending.is_some() && !matches!(stage, Stage::Undo(_)) {
            self.resume(tree, &record, journal);
            self.end()?;
            return Ok(Recovered::Finished);
        }
        let done = match stage {
            Stage::Step(n) | Stage::Undo(n) => n.saturating_add(1),
            Stage::Begun | Stage::Applied => 0,
        };
        let mut kept = super::Steps { files: self.files, inner: journal };
        let mut executor = Executor::new(tree, &mut kept);
        // SCST may still be at the command that was written last.
        let _its_result = executor.result();
        executor.done = record.writes(done);
        let mut left = if done == 0 { Vec::new() } else { executor.roll_back(&record.base, None) };
        if self.resume(tree, &record, journal) {
            left.push("suspend <- -1".to_owned());
        }
        // What is taken back waits for nobody.
        self.gone(PENDING)?;
        self.end()?;
        if left.is_empty() { Ok(Recovered::TakenBack) } else { Err(StoreError::Left { left }) }
    }

    /// Resumes SCST if it was suspended for that apply; tells whether it is suspended still.
    fn resume(&self, tree: &dyn AttrTree, record: &Record, journal: &mut dyn Journal) -> bool {
        let mut executor = Executor::new(tree, journal);
        record.suspend && !executor.is_running() && executor.resume().is_err()
    }
}
