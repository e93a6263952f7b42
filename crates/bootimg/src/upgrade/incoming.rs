//! The system that is to come: a slot of an image, or of another stick.
use crate::disk::description::{Description, TrustedKeys, Verdict};
use crate::disk::gpt::{GptError, Table};
use crate::disk::inspect::{either, region, text};
use crate::disk::squashfs::{Image, ReadSquashError};
use crate::disk::state::State;
use crate::disk::verify::{Finding, verify_slot};
use crate::disk::{fat::Fat, read_records};
use esos_layout::slot::{DESCRIPTION, SIGNATURE};
use esos_layout::state::SlotState;
use esos_layout::{Slot, part};
use std::fmt;
use std::io::{Read, Seek};

/// A system that can be put into a slot.
pub struct Incoming<R> {
    pub(super) disk: R,
    pub(super) table: Table,
    pub(super) slot: Slot,
    pub(super) image: Image,
    description: Description,
    verdict: Verdict,
    checked: bool,
}

impl<R> fmt::Debug for Incoming<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Incoming {{ {} from {} }}", self.description.version, self.slot)
    }
}

/// Why something is no system that can be taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IncomingError {
    /// It is no image and no stick.
    #[error("no partition table: it is no image and no stick of ESOS")]
    Table(#[from] GptError),
    /// It has no slot that may be taken.
    #[error("neither slot holds a system that can be started")]
    Empty,
    /// The slot cannot be read: it is cut off, or damaged.
    #[error("{slot} cannot be read")]
    Slot {
        /// Which.
        slot: Slot,
        /// Why.
        #[source]
        source: ReadSquashError,
    },
    /// The slot says nothing of itself that can be understood.
    #[error("{slot} has no description that can be read: {why}")]
    Description {
        /// Which.
        slot: Slot,
        /// Why.
        why: String,
    },
    /// Something in it is not what it should be.
    #[error("{slot} is damaged: {}", findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Damaged {
        /// Which.
        slot: Slot,
        /// What.
        findings: Vec<Finding>,
    },
}

impl<R: Read + Seek> Incoming<R> {
    /// Opens an image or a stick, and of its slots the one that it would start.
    ///
    /// # Errors
    /// [`IncomingError`].
    pub fn open(mut disk: R, keys: &TrustedKeys) -> Result<Self, IncomingError> {
        let table = either(&mut disk, &mut Vec::new())?;
        let state = region(&mut disk, &table, part::BOOT)
            .and_then(|esp| Fat::open(esp).ok())
            .and_then(|mut fat| read_records(&mut fat).ok())
            .map(|records| records.state);
        let slot = choose(state.as_ref()).ok_or(IncomingError::Empty)?;
        let mut area = region(&mut disk, &table, slot.partition()).ok_or(IncomingError::Empty)?;
        let image = Image::open(&mut area).map_err(|source| IncomingError::Slot { slot, source })?;
        let wrong = |why: String| IncomingError::Description { slot, why };
        let described =
            text(&image, &mut area, DESCRIPTION).ok_or_else(|| wrong("there is none".to_owned()))?;
        let description = Description::parse(described.as_bytes()).map_err(|e| wrong(e.to_string()))?;
        let signature = text(&image, &mut area, SIGNATURE);
        // One that is no text is a wrong one, not none.
        let signature = image.file(SIGNATURE).map(|_| signature.unwrap_or_default());
        let verdict = keys.check(described.as_bytes(), signature.as_deref());
        Ok(Self { disk, table, slot, image, description, verdict, checked: false })
    }

    /// Computes the hash of everything in it. The signature, where there is one, covers the hashes.
    ///
    /// # Errors
    /// [`IncomingError::Damaged`].
    pub fn check(&mut self, progress: &mut dyn FnMut(u64)) -> Result<(), IncomingError> {
        let found = verify_slot(&mut self.disk, &self.table, self.slot, progress);
        if found.findings.is_empty() {
            self.checked = true;
            return Ok(());
        }
        Err(IncomingError::Damaged { slot: self.slot, findings: found.findings })
    }

    /// Whether [`Incoming::check`] found everything whole.
    #[must_use]
    pub fn is_checked(&self) -> bool {
        self.checked
    }

    /// What it says of itself.
    #[must_use]
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// What is to be thought of its signature.
    #[must_use]
    pub fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// Bytes that it needs in a slot.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.image.len
    }

    /// Where it was found.
    #[must_use]
    pub fn slot(&self) -> Slot {
        self.slot
    }
}

/// A good slot before one on trial; PRIMARY where nothing is known.
fn choose(state: Option<&State>) -> Option<Slot> {
    let Some(control) = state.map(State::control) else { return Some(Slot::Primary) };
    let order = [control.preferred, control.preferred.other()];
    let of = |wanted| order.into_iter().find(|slot| control.slot(*slot).state == wanted);
    of(SlotState::Good).or(of(SlotState::Trial))
}
