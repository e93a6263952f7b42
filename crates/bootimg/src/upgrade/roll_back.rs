//! Back to the other slot.
use super::record::Change;
use crate::disk::state::State;
use esos_layout::Slot;
use esos_layout::state::{Cause, Fallback, Note, SlotState};

/// Why there is no way back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RollBackError {
    /// Both control records are broken, so nothing is known of the slots.
    #[error("both control records are broken: mark the running slot good first")]
    Lost,
    /// The other slot has never run, or is known not to.
    #[error("{slot} is {state}, so there is nothing to go back to")]
    NotGood {
        /// The slot.
        slot: Slot,
        /// Its state.
        state: SlotState,
    },
}

/// The record that makes GRUB start the slot that is not preferred now. What is on trial becomes bad: it
/// was left by a person. A good slot stays good, so one more roll-back goes forward again.
///
/// # Errors
/// [`RollBackError`].
pub fn roll_back(state: &State, note: &Note, time: u64) -> Result<Change, RollBackError> {
    let (_, before) = state.newest().ok_or(RollBackError::Lost)?;
    let (from, to) = (before.preferred, before.preferred.other());
    let found = before.slot(to).state;
    if found != SlotState::Good {
        return Err(RollBackError::NotGood { slot: to, state: found });
    }
    let left = before.slot(from).state;
    let mut change = Change::new(before, note).renew(state, to, SlotState::Good).prefer(to);
    if left == SlotState::Trial {
        change = change.set(from, SlotState::Bad);
    }
    change.note.fallback = Some((Fallback { slot: from, cause: Cause::Rollback }, Some(time)));
    Ok(change)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::state::fresh;

    #[test]
    fn back_and_forth() {
        let state = State::of(fresh(true));
        let change = roll_back(&state, &Note::default(), 1).unwrap();
        assert_eq!(change.control.preferred, Slot::Secondary);
        assert_eq!(change.control.primary.state, SlotState::Good);
        let again = roll_back(&State::of(change.control), &change.note, 2).unwrap();
        assert_eq!(again.control.preferred, Slot::Primary);
    }

    #[test]
    fn a_trial_is_given_up_and_an_empty_slot_is_no_way_back() {
        let mut control = fresh(true);
        control.preferred = Slot::Secondary;
        control.secondary.state = SlotState::Trial;
        let change = roll_back(&State::of(control.clone()), &Note::default(), 1).unwrap();
        assert_eq!(
            (change.control.preferred, change.control.secondary.state),
            (Slot::Primary, SlotState::Bad)
        );
        control.primary.state = SlotState::None;
        let error = roll_back(&State::of(control), &Note::default(), 1).unwrap_err();
        assert_eq!(error, RollBackError::NotGood { slot: Slot::Primary, state: SlotState::None });
    }
}
