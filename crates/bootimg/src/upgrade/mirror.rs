//! A second stick whose slots are those of the first.
use super::chunks::{CHUNK, Chunks};
use super::record::Change;
use super::{Stick, StickError};
use crate::disk::Reading;
use crate::disk::bytes::wide;
use crate::disk::inspect::{region, text};
use crate::disk::squashfs::Image;
use crate::disk::verify::{Finding, verify_slot};
use esos_layout::Slot;
use esos_layout::slot::SUMS;
use esos_layout::state::{Control, SlotState};
use std::io::{self, Write};

/// What was done to the slots of a mirror.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct MirroredSlots {
    /// Slots that were written.
    pub slots: Vec<Slot>,
    /// Bytes that were written.
    pub written_bytes: u64,
    /// Whether the slot state was written.
    pub state: bool,
}

/// Why the slots of a mirror are not like those of the stick. What the mirror would start is whole in any case, or
/// nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MirrorSlotsError {
    /// Nothing is known of the slots of the stick.
    #[error("both control records of the stick are broken: mark the running slot good first")]
    Lost,
    /// Both are one.
    #[error("the stick and the mirror have the same identity, {0}: they are one and the same, or a raw copy")]
    Same(String),
    /// A slot of the stick is damaged: the mirror keeps what it has.
    #[error("{slot} of the stick is damaged and is not copied: {}", findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Source {
        /// Which.
        slot: Slot,
        /// What.
        findings: Vec<Finding>,
    },
    /// The mirror's partition is too small.
    #[error("{slot} needs {bytes} bytes, its partition of the mirror has {room}")]
    TooLarge {
        /// Which.
        slot: Slot,
        /// Bytes in use on the stick.
        bytes: u64,
        /// Bytes of the mirror's partition.
        room: u64,
    },
    /// The records of the mirror.
    #[error("the mirror")]
    Mirror(#[source] StickError),
    /// The records of the stick.
    #[error("the stick")]
    Stick(#[source] StickError),
    /// One of the two fails.
    #[error("copying {slot}")]
    Medium {
        /// Which.
        slot: Slot,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The mirror gives back something else.
    #[error("{slot} of the mirror reads back damaged: {}", findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    ReadBack {
        /// Which.
        slot: Slot,
        /// What.
        findings: Vec<Finding>,
    },
}

/// Makes the slots and the slot state of `mirror` those of `stick`. A slot that has the same hashes is not written.
/// The slot that the mirror would start is written last, and each is marked `none` before and read back after, so
/// that power may go at any write. `progress` is told the bytes copied.
///
/// # Errors
/// [`MirrorSlotsError`].
pub fn mirror_slots(
    stick: &Stick<'_>,
    mirror: &mut Stick<'_>,
    progress: &mut dyn FnMut(u64),
) -> Result<MirroredSlots, MirrorSlotsError> {
    let (_, wanted) = stick.state().newest().ok_or(MirrorSlotsError::Lost)?;
    if let (Some(one), Some(other)) = (&stick.records().stick, &mirror.records().stick)
        && one == other
    {
        return Err(MirrorSlotsError::Same(one.clone()));
    }
    let mut done = MirroredSlots::default();
    let preferred = mirror.state().control().preferred;
    for slot in [preferred.other(), preferred] {
        let sums = sums(stick, slot);
        let source = wanted.slot(slot).state;
        if source == SlotState::None || sums.is_none() {
            continue;
        }
        // The same hashes say nothing of a slot that was not found whole after it was written.
        let known = mirror.state().newest().map(|(_, control)| control.slot(slot).state);
        let whole = known.is_some_and(|state| state != SlotState::None);
        if whole && sums == self::sums(mirror, slot) {
            continue;
        }
        let written = copy(stick, mirror, slot, progress)?;
        done.written_bytes = done.written_bytes.saturating_add(written);
        done.slots.push(slot);
    }
    done.state = settle(&wanted, mirror)?;
    Ok(done)
}

/// The hashes of all files of a slot.
fn sums(stick: &Stick<'_>, slot: Slot) -> Option<String> {
    let mut disk = Reading::new(stick.medium());
    let mut area = region(&mut disk, stick.table(), slot.partition())?;
    let image = Image::open(&mut area).ok()?;
    text(&image, &mut area, SUMS)
}

fn copy(
    stick: &Stick<'_>,
    mirror: &mut Stick<'_>,
    slot: Slot,
    progress: &mut dyn FnMut(u64),
) -> Result<u64, MirrorSlotsError> {
    let medium = |source| MirrorSlotsError::Medium { slot, source };
    let table = stick.table().clone();
    let found = verify_slot(&mut Reading::new(stick.medium()), &table, slot, &mut |_| {});
    if !found.findings.is_empty() {
        return Err(MirrorSlotsError::Source { slot, findings: found.findings });
    }
    let (from, len) = stick.slot(slot).map_err(MirrorSlotsError::Stick)?;
    let bytes = used(stick, slot).unwrap_or(len);
    let (start, room) = mirror.slot(slot).map_err(MirrorSlotsError::Mirror)?;
    if bytes > room {
        return Err(MirrorSlotsError::TooLarge { slot, bytes, room });
    }
    let control = mirror.state().control();
    let other = slot.other();
    let mut emptied = Change::new(control.clone(), mirror.note()).set(slot, SlotState::None);
    if control.slot(other).state.is_bootable() {
        emptied = emptied.prefer(other);
    }
    emptied.note.forget_good(slot);
    if emptied.control != control {
        mirror.commit(&emptied).map_err(MirrorSlotsError::Mirror)?;
    }

    let mut chunks = Chunks::new(mirror.medium(), start, room).map_err(medium)?;
    let mut piece = vec![0; CHUNK];
    let mut at = 0;
    while at < bytes {
        // Whole sectors; partitions end on such a boundary, and what is behind the file system does no harm.
        let left = len.saturating_sub(at);
        let n = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
        let Some(part) = piece.get_mut(..n) else { break };
        stick.medium().read_at(part, from.saturating_add(at)).map_err(medium)?;
        chunks.write_all(part).map_err(medium)?;
        at = at.saturating_add(wide(n));
        progress(at.min(bytes));
    }
    let (written, _kept) = chunks.finish().map_err(medium)?;
    let table = mirror.table().clone();
    let back = verify_slot(&mut Reading::new(mirror.medium()), &table, slot, &mut |_| {});
    if back.findings.is_empty() {
        Ok(written)
    } else {
        Err(MirrorSlotsError::ReadBack { slot, findings: back.findings })
    }
}

fn used(stick: &Stick<'_>, slot: Slot) -> Option<u64> {
    let mut disk = Reading::new(stick.medium());
    let mut area = region(&mut disk, stick.table(), slot.partition())?;
    Image::open(&mut area).ok().map(|image| image.len)
}

/// The slot state of the stick, with the mirror's own epochs. Whether it had to be written.
fn settle(wanted: &Control, mirror: &mut Stick<'_>) -> Result<bool, MirrorSlotsError> {
    let now = mirror.state().control();
    let mut change = Change::new(now.clone(), mirror.note()).prefer(wanted.preferred);
    for slot in Slot::ALL {
        let state = wanted.slot(slot).state;
        let lost = mirror.state().newest().is_none();
        if lost || now.slot(slot).state != state {
            change = change.renew(mirror.state(), slot, state);
        }
    }
    if mirror.state().newest().is_some() && change.control == now {
        return Ok(false);
    }
    for slot in Slot::ALL {
        mirror.repair(slot).map_err(MirrorSlotsError::Mirror)?;
    }
    mirror.commit(&change).map_err(MirrorSlotsError::Mirror)?;
    Ok(true)
}
