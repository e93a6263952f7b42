//! What an upgrade would do, and whether it may.
use super::{Incoming, Stick, StickError};
use crate::archive::Version;
use crate::disk::description::Verdict;
use crate::disk::inspect::{region, text};
use crate::disk::squashfs::Image;
use crate::disk::{Reading, description::Description};
use esos_layout::Slot;
use esos_layout::slot::{DESCRIPTION, VERSION};
use esos_layout::state::SlotState;
use std::io::{Read, Seek};

/// The system that runs, or that would be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// Its slot.
    pub slot: Slot,
    /// Its version, where it is known.
    pub version: Option<String>,
    /// The oldest version that it takes.
    pub minimum: Option<String>,
}

impl Running {
    /// What a slot of a stick says of itself.
    #[must_use]
    pub fn of(stick: &Stick<'_>, slot: Slot) -> Self {
        let none = Self { slot, version: None, minimum: None };
        let mut disk = Reading::new(stick.medium());
        let Some(mut area) = region(&mut disk, stick.table(), slot.partition()) else { return none };
        let Ok(image) = Image::open(&mut area) else { return none };
        let version = text(&image, &mut area, VERSION).map(|v| v.trim_end().to_owned());
        let description = text(&image, &mut area, DESCRIPTION);
        let description = description.and_then(|d| Description::parse(d.as_bytes()).ok());
        Self { slot, version, minimum: description.and_then(|d| d.minimum) }
    }
}

/// What somebody agreed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wishes {
    /// To a version that is older than the one that runs.
    pub downgrade: bool,
    /// To a system that nobody signed, or somebody whom this box does not know.
    pub unsigned: bool,
}

/// Why an upgrade is not begun. Nothing was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The stick cannot be read.
    #[error(transparent)]
    Stick(#[from] StickError),
    /// Nothing is known of the slots.
    #[error("both control records of the stick are broken, so it is not known which slot may be overwritten")]
    Lost,
    /// The slot that would stay is not known to run.
    #[error(
        "the running slot {slot} is {state}: were the new one to fail, there would be nothing to fall back to"
    )]
    NotGood {
        /// Which.
        slot: Slot,
        /// Its state.
        state: SlotState,
    },
    /// The parts were not checked before.
    #[error("the new system was not checked")]
    Unchecked,
    /// The slot is too small.
    #[error("the new system needs {bytes} bytes, the partition of {slot} has {room}")]
    TooLarge {
        /// The slot to be written.
        slot: Slot,
        /// Bytes of the new system.
        bytes: u64,
        /// Bytes of the partition.
        room: u64,
    },
    /// It is not signed.
    #[error("version {version} is not signed")]
    Unsigned {
        /// Its version.
        version: String,
    },
    /// It is signed by somebody else.
    #[error("version {version} is signed with key {key}, which this box does not trust")]
    Untrusted {
        /// Its version.
        version: String,
        /// The key.
        key: String,
    },
    /// The signature is wrong. Nothing overrides that.
    #[error("the signature of version {version} is wrong: {why}")]
    WrongSignature {
        /// Its version.
        version: String,
        /// What is wrong.
        why: String,
    },
    /// It is older.
    #[error("version {incoming} is older than the running {running}")]
    Older {
        /// The version that runs.
        running: String,
        /// The version to come.
        incoming: String,
    },
    /// It is older than the running system allows. Nothing overrides that.
    #[error("version {incoming} is older than {minimum}, the oldest that the running system takes")]
    BelowMinimum {
        /// The oldest version allowed.
        minimum: String,
        /// The version to come.
        incoming: String,
    },
    /// Versions cannot be compared.
    #[error("`{running}` and `{incoming}` cannot be compared as versions")]
    Incomparable {
        /// The version that runs.
        running: String,
        /// The version to come.
        incoming: String,
    },
}

/// What an upgrade will do.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Plan {
    /// The slot that is overwritten: the one that does not run.
    pub slot: Slot,
    /// The slot that stays as it is.
    pub keeps: Slot,
    /// The version that runs.
    pub from: Option<String>,
    /// The version to come.
    pub to: String,
    /// Bytes of the new system.
    pub bytes: u64,
    /// First byte of the slot on the stick.
    pub start: u64,
    /// Bytes of the slot's partition.
    pub room: u64,
    /// Who signed it.
    pub signed: Verdict,
    /// The number of the control record that this plan was made by.
    pub sequence: u32,
}

/// Plans an upgrade of the slot that does not run.
///
/// # Errors
/// [`Refusal`].
pub fn plan<R: Read + Seek>(
    stick: &Stick<'_>,
    incoming: &Incoming<R>,
    running: &Running,
    wishes: Wishes,
) -> Result<Plan, Refusal> {
    let (_, control) = stick.state().newest().ok_or(Refusal::Lost)?;
    let to = incoming.description().version.clone();
    let version = || to.clone();
    match incoming.verdict() {
        Verdict::Good { .. } => {}
        Verdict::Unsigned if wishes.unsigned => {}
        Verdict::Unsigned => return Err(Refusal::Unsigned { version: version() }),
        Verdict::Untrusted { .. } if wishes.unsigned => {}
        Verdict::Untrusted { key } => {
            return Err(Refusal::Untrusted { version: version(), key: key.clone() });
        }
        Verdict::Wrong { why } => {
            return Err(Refusal::WrongSignature { version: version(), why: why.clone() });
        }
    }
    age(running, &to, wishes)?;
    let state = control.slot(running.slot).state;
    if state != SlotState::Good {
        return Err(Refusal::NotGood { slot: running.slot, state });
    }
    let slot = running.slot.other();
    let (start, room) = stick.slot(slot)?;
    let bytes = incoming.bytes();
    if bytes > room {
        return Err(Refusal::TooLarge { slot, bytes, room });
    }
    if !incoming.is_checked() {
        return Err(Refusal::Unchecked);
    }
    Ok(Plan {
        slot,
        keeps: running.slot,
        from: running.version.clone(),
        to,
        bytes,
        start,
        room,
        signed: incoming.verdict().clone(),
        sequence: control.sequence,
    })
}

fn age(running: &Running, to: &str, wishes: Wishes) -> Result<(), Refusal> {
    let incoming = || to.to_owned();
    let older = |than: &str| -> Option<bool> { Some(to.parse::<Version>().ok()? < than.parse().ok()?) };
    if let Some(minimum) = &running.minimum
        && older(minimum) != Some(false)
    {
        return Err(Refusal::BelowMinimum { minimum: minimum.clone(), incoming: incoming() });
    }
    let Some(version) = running.version.clone().filter(|_| !wishes.downgrade) else { return Ok(()) };
    match older(&version) {
        Some(false) => Ok(()),
        Some(true) => Err(Refusal::Older { running: version, incoming: incoming() }),
        None if version == to => Ok(()),
        None => Err(Refusal::Incomparable { running: version, incoming: incoming() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn running(version: &str, minimum: Option<&str>) -> Running {
        let minimum = minimum.map(str::to_owned);
        Running { slot: Slot::Primary, version: Some(version.to_owned()), minimum }
    }

    #[test]
    fn what_is_older_is_refused_unless_somebody_wants_it() {
        let down = Wishes { downgrade: true, ..Wishes::default() };
        let up = Wishes::default();
        assert!(age(&running("1.9-trixie", None), "1.10-trixie", up).is_ok());
        assert!(age(&running("1.10", None), "1.10", up).is_ok());
        assert!(matches!(age(&running("1.10", None), "1.9", up), Err(Refusal::Older { .. })));
        assert!(age(&running("1.10", None), "1.9", down).is_ok());
        assert!(matches!(
            age(&running("1.10", Some("1.9.5")), "1.9", down),
            Err(Refusal::BelowMinimum { .. })
        ));
        assert!(age(&running("1.10", Some("1.9")), "1.9", down).is_ok());
        assert!(matches!(age(&running("my box", None), "1.9", up), Err(Refusal::Incomparable { .. })));
        assert!(age(&running("my box", None), "my box", up).is_ok());
    }
}
