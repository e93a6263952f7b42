//! The slot state as it lies on an EFI system partition.
use super::fat::{Extent, Fat, ReadFatError};
use super::state::State;
use esos_layout::state::{ATTEMPTS, Attempt, CONTROL_FILES, Control, SECTOR, attempt_file, decode_stick};
use esos_layout::{Slot, part};
use std::io::{Read, Seek};

/// The records, and where they lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Records {
    /// What they say.
    pub state: State,
    /// The identity of the stick: 32 hex digits, `unset`, or `None` where its record is damaged.
    pub stick: Option<String>,
    /// Path and place in the partition of every record.
    pub places: Vec<(String, Extent)>,
}

/// Why the records cannot be read: one of their files is gone or is no file of one sector.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadRecordsError {
    /// The file system is damaged, or the file is not there.
    #[error(transparent)]
    Fat(#[from] ReadFatError),
    /// The file is no record.
    #[error("{path} has {size} bytes in {pieces} pieces, expected {SECTOR} in one")]
    Shape {
        /// The file.
        path: String,
        /// Its size.
        size: u64,
        /// Its pieces.
        pieces: usize,
    },
}

/// Reads all records. A record whose content is damaged is part of the state; a record whose file is
/// damaged is an error.
///
/// # Errors
/// [`ReadRecordsError`].
pub fn read_records<R: Read + Seek>(fat: &mut Fat<R>) -> Result<Records, ReadRecordsError> {
    let mut places = Vec::new();
    let mut sector = |path: String| {
        let entry = fat.find(&path)?;
        let one = entry.extents.first().filter(|_| entry.size == 512 && entry.extents.len() == 1);
        let Some(extent) = one else {
            return Err(ReadRecordsError::Shape { path, size: entry.size, pieces: entry.extents.len() });
        };
        let bytes = fat.read(&path)?;
        places.push((path, *extent));
        Ok(bytes)
    };
    let in_state = |name: &str| format!("{}/{name}", part::STATE_DIR);
    let [ca, cb] = CONTROL_FILES;
    let controls = [Control::decode(&sector(in_state(ca))?), Control::decode(&sector(in_state(cb))?)];
    let mut attempts = State::of(super::state::lost()).attempts;
    for (slot, own) in Slot::ALL.into_iter().zip(&mut attempts) {
        for (k, place) in (1..=ATTEMPTS).zip(own) {
            let name = attempt_file(slot, k).unwrap_or_default();
            *place = Attempt::decode(&sector(in_state(&name))?);
        }
    }
    let stick = decode_stick(&sector(part::STICK_FILE.to_owned())?).ok();
    Ok(Records { state: State { controls, attempts }, stick, places })
}
