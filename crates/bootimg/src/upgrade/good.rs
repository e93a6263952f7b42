//! The mark of the running slot.
use super::record::{Change, rebuilt};
use crate::disk::state::State;
use esos_layout::Slot;
use esos_layout::state::{ATTEMPTS, Cause, Fallback, Note, SlotState};

/// What is known of the boot that is to be marked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// The slot that runs.
    pub slot: Slot,
    /// Why another one did not, as GRUB said it.
    pub fallback: Option<Fallback>,
    /// What the other slot is, for the case that both control records are lost.
    pub other: SlotState,
}

/// The record after a boot that has come up: the running slot is good and has all its attempts again. A
/// slot on trial that ran out of attempts or is damaged becomes bad and is not tried again by itself; a
/// good slot that did not run this time stays preferred and is tried again. `None` where nothing is to
/// be written.
///
/// A slot that is `bad` and was started all the same, by a person or because there was no other, stays
/// bad: [`mark_good`] is for people.
#[must_use]
pub fn after_boot(state: &State, note: &Note, ran: &Ran, time: u64) -> Option<Change> {
    let running = ran.slot;
    let lost = state.newest().is_none();
    let before = if lost { rebuilt(state, running, ran.other) } else { state.control() };
    let mut change = Change::new(before.clone(), note);
    if before.slot(running).state != SlotState::Bad {
        change = change.renew(state, running, SlotState::Good);
        change.note.set_good(running, time);
    }
    let preferred = before.preferred;
    if preferred != running {
        let cause = ran.fallback.as_ref().filter(|f| f.slot == preferred).map(|f| &f.cause);
        let exhausted = state.tries_left(preferred) == 0;
        change = match before.slot(preferred).state {
            SlotState::Trial
                if exhausted || matches!(cause, Some(Cause::Tries | Cause::Damaged | Cause::Root)) =>
            {
                change.set(preferred, SlotState::Bad).prefer(running)
            }
            SlotState::Trial => change,
            SlotState::Good => change.renew(state, preferred, SlotState::Good),
            SlotState::Bad | SlotState::None if before.slot(running).state == SlotState::Bad => change,
            SlotState::Bad | SlotState::None => change.prefer(running),
        };
    }
    if let Some(fallback) = &ran.fallback {
        change.note.fallback = Some((fallback.clone(), Some(time)));
    }
    let spent = |slot| state.tries_left(slot) < usize::from(ATTEMPTS);
    let same = [running, preferred]
        .into_iter()
        .all(|slot| change.control.slot(slot).state == before.slot(slot).state && !spent(slot));
    let known = note.good(running).is_some() && note.fallback == change.note.fallback;
    let nothing = !lost && same && change.control.preferred == preferred && (known || ran.fallback.is_none());
    (!nothing || note.good(running).is_none()).then_some(change)
}

/// The record after a person says that a slot is good, whatever was thought of it; it becomes preferred
/// only where the preferred one cannot be started.
#[must_use]
pub fn mark_good(state: &State, note: &Note, slot: Slot, other: SlotState, time: u64) -> Change {
    let before = if state.newest().is_none() { rebuilt(state, slot, other) } else { state.control() };
    let preferred = before.preferred;
    let mut change = Change::new(before, note).renew(state, slot, SlotState::Good);
    change.note.set_good(slot, time);
    if change.control.slot(preferred).state.is_bootable() { change } else { change.prefer(slot) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::state::fresh;
    use esos_layout::state::{Control, RecordError};

    fn ran(slot: Slot, fallback: Option<&str>) -> Ran {
        Ran { slot, fallback: fallback.map(|f| f.parse().unwrap()), other: SlotState::None }
    }

    /// SECONDARY preferred and on trial, with that many attempts used; PRIMARY good.
    fn trial(used: u8) -> State {
        let mut control = fresh(true);
        control.preferred = Slot::Secondary;
        control.secondary.state = SlotState::Trial;
        let mut state = State::of(control);
        (1..=used).for_each(|k| state.mark(Slot::Secondary, k));
        state
    }

    fn next(state: &State, ran: &Ran) -> Control {
        after_boot(state, &Note::default(), ran, 7).unwrap().control
    }

    #[test]
    fn a_trial_that_came_up_is_good() {
        let next = next(&trial(2), &ran(Slot::Secondary, None));
        assert_eq!((next.preferred, next.secondary.state), (Slot::Secondary, SlotState::Good));
        assert_eq!(next.secondary.epoch.get(), 2);
        assert_eq!(next.primary, trial(0).control().primary);
    }

    #[test]
    fn a_trial_that_ran_out_or_is_damaged_is_bad_and_not_tried_again() {
        for (used, word) in [(3, "SECONDARY:tries"), (1, "SECONDARY:damaged"), (1, "SECONDARY:root")] {
            let next = next(&trial(used), &ran(Slot::Primary, Some(word)));
            assert_eq!((next.preferred, next.secondary.state), (Slot::Primary, SlotState::Bad), "{word}");
            assert_eq!(next.primary.state, SlotState::Good);
        }
        // A person chose the other one, or the stick could not be written: it is tried next time.
        for word in [None, Some("SECONDARY:uncounted")] {
            let next = next(&trial(1), &ran(Slot::Primary, word));
            assert_eq!((next.preferred, next.secondary.state), (Slot::Secondary, SlotState::Trial));
        }
    }

    #[test]
    fn a_good_slot_that_did_not_run_is_tried_again() {
        let mut state = State::of(fresh(true));
        (1..=3).for_each(|k| state.mark(Slot::Primary, k));
        let change =
            after_boot(&state, &Note::default(), &ran(Slot::Secondary, Some("PRIMARY:tries")), 9).unwrap();
        assert_eq!(change.control.preferred, Slot::Primary);
        assert_eq!((change.control.primary.state, change.control.primary.epoch.get()), (SlotState::Good, 2));
        assert_eq!(change.note.fallback.as_ref().unwrap().0.to_string(), "PRIMARY:tries");
        assert_eq!(change.note.good(Slot::Secondary), Some(9));
    }

    #[test]
    fn nothing_is_written_twice() {
        let mut state = State::of(fresh(true));
        state.mark(Slot::Primary, 1);
        let ran = ran(Slot::Primary, None);
        let change = after_boot(&state, &Note::default(), &ran, 9).unwrap();
        state.controls[1] = Ok(Control { sequence: 2, ..change.control });
        assert_eq!(after_boot(&state, &change.note, &ran, 10), None);
    }

    #[test]
    fn a_bad_slot_is_marked_by_people_only() {
        let mut control = fresh(true);
        control.primary.state = SlotState::Bad;
        let state = State::of(control);
        if let Some(change) = after_boot(&state, &Note::default(), &ran(Slot::Primary, None), 9) {
            assert_eq!(change.control.primary.state, SlotState::Bad);
        }
        let change = mark_good(&state, &Note::default(), Slot::Primary, SlotState::Good, 9);
        assert_eq!(change.control.primary.state, SlotState::Good);
    }

    #[test]
    fn lost_records_are_made_anew() {
        let mut state = State::of(fresh(true));
        state.controls = [Err(RecordError::Torn), Err(RecordError::NoBlock)];
        state.mark(Slot::Secondary, 1);
        let mut ran = ran(Slot::Secondary, None);
        ran.other = SlotState::Bad;
        let next = next(&state, &ran);
        assert_eq!((next.preferred, next.primary.state), (Slot::Secondary, SlotState::Bad));
        assert_eq!(next.secondary.state, SlotState::Good);
    }
}
