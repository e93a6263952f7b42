//! Changes that are taken back unless somebody confirms them in time.
use super::record::Record;
use super::recover::Recovered;
use super::{PENDING, RECORD, Store, StoreError};
use crate::apply::Journal;
use esos_sysfs::AttrTree;
use serde::{Deserialize, Serialize};

/// A change that waits.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Pending {
    record: Record,
    /// Seconds since boot.
    by: u64,
    /// It was confirmed; only keeping it may be left.
    confirmed: bool,
}

/// A change that waits for its confirmation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// The number that its generation will have.
    pub number: u64,
    /// Until when, in seconds since boot.
    pub by: u64,
}

impl Store<'_> {
    pub(super) fn wait_for_confirmation(&self, record: &Record, by: u64) -> Result<(), StoreError> {
        let pending = Pending { record: record.clone(), by, confirmed: false };
        self.replace(PENDING, &pending)
    }

    pub(super) fn pending(&self) -> Result<Option<Pending>, StoreError> {
        self.read(PENDING)
    }

    /// The change that waits for its confirmation, if one does.
    ///
    /// # Errors
    /// [`StoreError::File`], [`StoreError::Broken`].
    pub fn waiting(&self) -> Result<Option<Waiting>, StoreError> {
        let waiting =
            |p: Pending| Waiting { number: p.record.generation.as_ref().map_or(0, |g| g.number), by: p.by };
        Ok(self.pending()?.filter(|p| !p.confirmed).map(waiting))
    }

    /// Confirms the change that waits: it becomes the configuration in force. Gives its number.
    ///
    /// # Errors
    /// [`StoreError::NothingWaits`], [`StoreError::File`].
    pub fn confirm(&self) -> Result<u64, StoreError> {
        let mut pending = self.pending()?.ok_or(StoreError::NothingWaits)?;
        // From here on it is confirmed, wherever this is cut off.
        pending.confirmed = true;
        self.replace(PENDING, &pending)?;
        self.finish(&pending)?;
        Ok(pending.record.generation.map_or(0, |g| g.number))
    }

    pub(super) fn finish(&self, pending: &Pending) -> Result<(), StoreError> {
        self.keep(&pending.record)?;
        self.gone(PENDING)
    }

    pub(super) fn is_confirmed(pending: &Pending) -> bool {
        pending.confirmed
    }

    /// Takes the change back that waits. The way back is its own undo, last step first.
    ///
    /// # Errors
    /// [`StoreError::NothingWaits`]; [`StoreError::Left`] where something stays that was not there
    /// before.
    pub fn take_back(&self, tree: &dyn AttrTree, journal: &mut dyn Journal) -> Result<Recovered, StoreError> {
        let pending = self.pending()?.filter(|p| !p.confirmed).ok_or(StoreError::NothingWaits)?;
        // From here on it is an interrupted apply, wherever this is cut off.
        let last = pending.record.undo.len();
        self.begin(&pending.record)?;
        self.stage(super::Stage::Undo(last))?;
        self.gone(PENDING)?;
        self.recover(tree, journal)
    }

    /// Whether an apply was interrupted, so that [`Store::recover`] has something to do.
    ///
    /// # Errors
    /// [`StoreError::File`].
    pub fn is_interrupted(&self) -> Result<bool, StoreError> {
        let there = match self.files.stat(RECORD) {
            Ok(_) => true,
            Err(e) if e.is_not_found() => false,
            Err(e) => return Err(e.into()),
        };
        Ok(there || self.pending()?.is_some_and(|p| p.confirmed))
    }
}
