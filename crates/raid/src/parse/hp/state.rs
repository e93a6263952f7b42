//! What the words for states mean, and where a drive stands.
use super::Place;
use crate::text::{filled, number, plain};
use crate::{Array, ArrayState, Drive, DriveState, Spare, Task, TaskKind};

pub(super) fn array_state(word: &str) -> ArrayState {
    let lower = word.trim().to_ascii_lowercase();
    match () {
        () if lower == "ok" => ArrayState::Optimal,
        () if lower.starts_with("interim recovery") || lower.starts_with("ready for rebuild") => {
            ArrayState::Degraded
        }
        () if lower.starts_with("waiting for rebuild") || lower.starts_with("degraded") => {
            ArrayState::Degraded
        }
        () if lower.starts_with("recovering") || lower.starts_with("rebuild") => ArrayState::Rebuilding,
        () if lower.starts_with("transforming") || lower.starts_with("expanding") => ArrayState::Migrating,
        () if lower.starts_with("initializing") || lower.contains("parity initialization") => {
            ArrayState::Initializing
        }
        () if lower.starts_with("failed") || lower.starts_with("offline") => ArrayState::Failed,
        () => ArrayState::Other(word.trim().to_owned()),
    }
}

/// `OK`, or `Recovering, 12% complete`.
pub(super) fn set_state(value: &str, array: &mut Array) {
    let state = array_state(value);
    let percent = value.split_once('%').and_then(|(before, _)| {
        let digits =
            before.rfind(|c: char| !c.is_ascii_digit()).and_then(|at| before.get(at.saturating_add(1)..));
        number(digits.unwrap_or(before))
    });
    let kind = match state {
        ArrayState::Rebuilding => Some(TaskKind::Rebuild),
        ArrayState::Migrating => Some(TaskKind::Migrate),
        ArrayState::Initializing => Some(TaskKind::Init),
        _ => None,
    };
    if let (Some(percent), Some(kind)) = (percent, kind) {
        let task = Task { kind: Some(kind), percent: Some(percent.into()), ..Task::default() };
        array.op = Some(Box::new(task));
    }
    array.state = Some(state);
    array.state_raw = filled(value);
}

/// The state word and the place together say what the drive is doing.
pub(super) fn placed(place: Place, drive: &mut Drive) {
    let Some(word) = drive.state_raw.as_deref() else { return };
    let lower = plain(word).to_ascii_lowercase();
    drive.state = match () {
        () if lower == "ok" => match (&drive.spare, place) {
            (Some(Spare::Active), _) => Some(DriveState::Online),
            (Some(_), _) => Some(DriveState::Spare),
            (None, Place::Array) => Some(DriveState::Online),
            (None, Place::Unassigned) if drive.state == Some(DriveState::Jbod) => Some(DriveState::Jbod),
            (None, Place::Unassigned) => Some(DriveState::Ready),
            (None, Place::Hba) => Some(DriveState::Jbod),
            (None, Place::Unknown) => drive.state.clone(),
        },
        () if lower.starts_with("erase complete") => Some(DriveState::Erased),
        () if lower.starts_with("erase") => Some(DriveState::Erasing),
        () if lower.starts_with("failed") => Some(DriveState::Failed),
        () if lower.starts_with("predictive") => Some(DriveState::PredictiveFailure),
        () if lower.starts_with("rebuild") => Some(DriveState::Rebuilding),
        () if lower.starts_with("missing") => Some(DriveState::Missing),
        () if lower.starts_with("offline") => Some(DriveState::Offline),
        () => Some(DriveState::Other(word.to_owned())),
    };
}
