//! The next control record.
use crate::disk::state::State;
use esos_layout::Slot;
use esos_layout::state::{Control, Epoch, Note, SlotRecord, SlotState};

/// A control record that is to follow, with its note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The record.
    pub control: Control,
    /// Its note.
    pub note: Note,
}

/// The epoch that gives a slot all its attempts back: the next one that none of its attempt records
/// carries.
#[must_use]
pub fn fresh_epoch(state: &State, slot: Slot) -> Epoch {
    let [primary, secondary] = &state.attempts;
    let own = if slot == Slot::Primary { primary } else { secondary };
    let carried = |epoch: Epoch| own.iter().any(|a| a.as_ref().is_ok_and(|a| a.epoch == epoch));
    let mut epoch = state.control().slot(slot).epoch.next();
    // Three records carry at most three epochs.
    for _ in own {
        if carried(epoch) {
            epoch = epoch.next();
        }
    }
    epoch
}

/// The record after both copies were lost: `running` has come up, of the other slot that is known which
/// is said here.
#[must_use]
pub fn rebuilt(state: &State, running: Slot, other: SlotState) -> Control {
    let record = |slot: Slot, state_of| SlotRecord { state: state_of, epoch: fresh_epoch(state, slot) };
    let good = record(running, SlotState::Good);
    let other = record(running.other(), other);
    let (primary, secondary) = if running == Slot::Primary { (good, other) } else { (other, good) };
    Control { sequence: state.control().sequence, preferred: running, primary, secondary }
}

impl Change {
    /// From what is there.
    pub(crate) fn new(control: Control, note: &Note) -> Self {
        Self { control, note: note.clone() }
    }

    /// Gives a slot a state, and all its attempts back.
    pub(crate) fn renew(mut self, state: &State, slot: Slot, to: SlotState) -> Self {
        let record = SlotRecord { state: to, epoch: fresh_epoch(state, slot) };
        self.control = Control { sequence: self.control.sequence, ..self.control.with(slot, record) };
        self
    }

    /// Gives a slot a state; its attempts stay.
    pub(crate) fn set(mut self, slot: Slot, to: SlotState) -> Self {
        let record = SlotRecord { state: to, ..self.control.slot(slot) };
        self.control = Control { sequence: self.control.sequence, ..self.control.with(slot, record) };
        self
    }

    /// Makes a slot the preferred one.
    pub(crate) fn prefer(mut self, slot: Slot) -> Self {
        self.control.preferred = slot;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::state::fresh;
    use esos_layout::state::Attempt;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_fresh_epoch_frees_every_attempt_that_is_whole(now in any::<u32>(), near in proptest::array::uniform3(0u32..6)) {
            let mut control = fresh(true);
            control.primary.epoch = Epoch::new(now);
            let mut state = State::of(control);
            for (place, by) in state.attempts[0].iter_mut().zip(near) {
                *place = Ok(Attempt { epoch: Epoch::new(now.wrapping_add(by)) });
            }
            let epoch = fresh_epoch(&state, Slot::Primary);
            prop_assert!(epoch != Epoch::default());
            let mut next = state.control();
            next.primary.epoch = epoch;
            state.controls = [Ok(next.clone()), Ok(next)];
            prop_assert_eq!(state.tries_left(Slot::Primary), 3);
        }
    }
}
