//! A stick and its records.
use super::record::Change;
use crate::disk::bytes::wide;
use crate::disk::fat::{Extent, Fat, ReadFatError};
use crate::disk::gpt::{Copy, GptError, Table};
use crate::disk::inspect::either;
use crate::disk::state::State;
use crate::disk::{Medium, ReadRecordsError, Reading, Records, Region, read_records};
use esos_layout::state::{
    Attempt, CONTROL_FILES, Control, Note, SECTOR, STICK_UNSET, attempt_file, encode_stick,
};
use esos_layout::{Slot, part};
use std::fmt;
use std::io;

/// A stick that is in use.
pub struct Stick<'m> {
    medium: &'m dyn Medium,
    table: Table,
    records: Records,
    note: Note,
    warnings: Vec<String>,
}

impl fmt::Debug for Stick<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stick").field("records", &self.records).finish_non_exhaustive()
    }
}

/// Why the records of a stick cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StickError {
    /// It has no partition table.
    #[error(transparent)]
    Table(#[from] GptError),
    /// It has no such partition.
    #[error("there is no partition {name}: this is no stick of ESOS")]
    NoPartition {
        /// Its name.
        name: &'static str,
    },
    /// The boot partition is damaged.
    #[error("{}", part::BOOT)]
    Fat(#[from] ReadFatError),
    /// A record's file is damaged.
    #[error("{}", part::BOOT)]
    Records(#[from] ReadRecordsError),
    /// The medium fails.
    #[error("cannot {doing} {path}")]
    Io {
        /// `read` or `write`.
        doing: &'static str,
        /// The record.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The medium took a record, but does not have it.
    #[error("{path} was written and flushed, but reads as before: the stick does not keep what is written")]
    NotKept {
        /// The record.
        path: String,
    },
}

impl<'m> Stick<'m> {
    /// Reads partition table and records.
    ///
    /// # Errors
    /// [`StickError`].
    pub fn open(medium: &'m dyn Medium) -> Result<Self, StickError> {
        let mut warnings = Vec::new();
        let table = either(&mut Reading::new(medium), &mut warnings)?;
        match Table::read(&mut Reading::new(medium), Copy::Backup) {
            Ok(backup) if backup != table => {
                warnings.push("the two copies of the partition table differ".to_owned());
            }
            Ok(_) => {}
            Err(error) => warnings.push(error.to_string()),
        }
        let records = records(medium, &table)?;
        let mut stick = Self { medium, table, records, note: Note::default(), warnings };
        stick.note = stick.read_note()?;
        Ok(stick)
    }

    /// What lies under it.
    #[must_use]
    pub fn medium(&self) -> &'m dyn Medium {
        self.medium
    }

    /// The partition table.
    #[must_use]
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// The slot state.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.records.state
    }

    /// The records and their places.
    #[must_use]
    pub fn records(&self) -> &Records {
        &self.records
    }

    /// The note in the control record that holds.
    #[must_use]
    pub fn note(&self) -> &Note {
        &self.note
    }

    /// What is wrong with the stick, but does not hinder.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// First byte and length of a slot's partition.
    ///
    /// # Errors
    /// [`StickError::NoPartition`].
    pub fn slot(&self, slot: Slot) -> Result<(u64, u64), StickError> {
        extent(&self.table, slot.partition())
    }

    /// Writes the next control record over the copy that does not hold: one sector, flushed, read back.
    /// Its number is given here. Power that goes before the end leaves the old record in force, or the
    /// new one.
    ///
    /// # Errors
    /// [`StickError`].
    pub fn commit(&mut self, change: &Change) -> Result<(), StickError> {
        let newest = self.records.state.newest();
        let place = newest.as_ref().map_or(0, |(place, _)| usize::from(*place == 0));
        let sequence = newest.map_or(0, |(_, control)| control.sequence).saturating_add(1);
        let control = Control { sequence, ..change.control.clone() };
        let path = format!("{}/{}", part::STATE_DIR, CONTROL_FILES.get(place).copied().unwrap_or_default());
        self.write_record(&path, &control.encode_with(&change.note))?;
        self.records = records(self.medium, &self.table)?;
        if self.records.state.newest().is_none_or(|(_, found)| found != control) {
            return Err(StickError::NotKept { path });
        }
        self.note = self.read_note()?;
        Ok(())
    }

    /// Rewrites the torn attempt records of a slot as used ones, so that a new epoch frees them. It
    /// changes nothing for GRUB: a torn one counts as used.
    ///
    /// # Errors
    /// [`StickError`].
    pub fn repair(&mut self, slot: Slot) -> Result<usize, StickError> {
        let epoch = self.records.state.control().slot(slot).epoch;
        let [primary, secondary] = &self.records.state.attempts;
        let own = if slot == Slot::Primary { primary } else { secondary };
        let torn: Vec<u8> = (1u8..).zip(own).filter(|(_, a)| a.is_err()).map(|(k, _)| k).collect();
        for attempt in &torn {
            let name = attempt_file(slot, *attempt).unwrap_or_default();
            self.write_record(&format!("{}/{name}", part::STATE_DIR), &Attempt { epoch }.encode())?;
        }
        if !torn.is_empty() {
            self.records = records(self.medium, &self.table)?;
        }
        Ok(torn.len())
    }

    /// Gives the stick an identity of its own, 32 hex digits, where it has none that can be read: sticks that
    /// were written from one image are twins until then. Whether it was given now.
    ///
    /// # Errors
    /// [`StickError`].
    pub fn identify(&mut self, identity: &str) -> Result<bool, StickError> {
        if self.records.stick.as_deref().is_some_and(|own| own != STICK_UNSET) {
            return Ok(false);
        }
        self.assign(identity).map(|()| true)
    }

    /// Gives the stick that identity, whatever it had: for a copy, which must not pass for what it was copied from.
    ///
    /// # Errors
    /// [`StickError`].
    pub fn assign(&mut self, identity: &str) -> Result<(), StickError> {
        self.write_record(part::STICK_FILE, &encode_stick(identity))?;
        self.records = records(self.medium, &self.table)?;
        if self.records.stick.as_deref() == Some(identity) {
            return Ok(());
        }
        Err(StickError::NotKept { path: part::STICK_FILE.to_owned() })
    }

    fn place(&self, path: &str) -> Option<Extent> {
        self.records.places.iter().find(|(p, _)| p == path).map(|(_, at)| *at)
    }

    fn write_record(&self, path: &str, record: &[u8; SECTOR]) -> Result<(), StickError> {
        let io = |doing| move |source| StickError::Io { doing, path: path.to_owned(), source };
        let (boot, len) = extent(&self.table, part::BOOT)?;
        let at = self.place(path).filter(|at| at.start.saturating_add(wide(SECTOR)) <= len);
        let at = boot.saturating_add(at.ok_or(StickError::NoPartition { name: part::BOOT })?.start);
        // A medium with larger sectors writes the whole of one; the record has its cluster to itself.
        let sector = self.medium.sector().max(wide(SECTOR));
        let start = at.checked_div(sector).unwrap_or(0).saturating_mul(sector);
        let mut bytes = vec![0; usize::try_from(sector).unwrap_or(SECTOR)];
        self.medium.read_at(&mut bytes, start).map_err(io("read"))?;
        let inside = usize::try_from(at.saturating_sub(start)).unwrap_or(0);
        crate::disk::bytes::put(&mut bytes, inside, record);
        self.medium.write_at(&bytes, start).map_err(io("write"))?;
        self.medium.flush().map_err(io("write"))?;
        let mut back = vec![0; bytes.len()];
        self.medium.read_at(&mut back, start).map_err(io("read"))?;
        if back == bytes { Ok(()) } else { Err(StickError::NotKept { path: path.to_owned() }) }
    }

    /// The note of the copy that holds.
    fn read_note(&self) -> Result<Note, StickError> {
        let Some((place, _)) = self.records.state.newest() else { return Ok(Note::default()) };
        let path = format!("{}/{}", part::STATE_DIR, CONTROL_FILES.get(place).copied().unwrap_or_default());
        let (boot, _) = extent(&self.table, part::BOOT)?;
        let Some(at) = self.place(&path) else { return Ok(Note::default()) };
        let mut sector = [0; SECTOR];
        self.medium.read_at(&mut sector, boot.saturating_add(at.start)).map_err(|source| StickError::Io {
            doing: "read",
            path,
            source,
        })?;
        Ok(Note::decode(&sector).unwrap_or_default())
    }
}

fn extent(table: &Table, name: &'static str) -> Result<(u64, u64), StickError> {
    let (_, partition) = table.find(name).ok_or(StickError::NoPartition { name })?;
    Ok(table.extent(partition))
}

fn records(medium: &dyn Medium, table: &Table) -> Result<Records, StickError> {
    let (start, len) = extent(table, part::BOOT)?;
    let mut fat = Fat::open(Region::new(Reading::new(medium), start, len))?;
    Ok(read_records(&mut fat)?)
}
