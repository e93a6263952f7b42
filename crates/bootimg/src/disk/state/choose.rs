//! What GRUB does with a state.
use esos_layout::Slot;
use esos_layout::state::{ATTEMPTS, Attempt, Control, Epoch, RecordError, SlotRecord, SlotState};

/// The control record of a fresh image: PRIMARY preferred and good, SECONDARY good or none.
#[must_use]
pub fn fresh(secondary: bool) -> Control {
    let slot = |state| SlotRecord { state, epoch: Epoch::FIRST };
    let other = if secondary { SlotState::Good } else { SlotState::None };
    Control { sequence: 1, preferred: Slot::Primary, primary: slot(SlotState::Good), secondary: slot(other) }
}

/// What GRUB assumes when both control records are broken: both slots good, PRIMARY preferred.
#[must_use]
pub fn lost() -> Control {
    let slot = SlotRecord { state: SlotState::Good, epoch: Epoch::LOST };
    Control { sequence: 0, preferred: Slot::Primary, primary: slot, secondary: slot }
}

/// All records of a stick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// The two control records, `ca` and `cb`.
    pub controls: [Result<Control, RecordError>; 2],
    /// Three attempts each of PRIMARY and of SECONDARY.
    pub attempts: [[Result<Attempt, RecordError>; 3]; 2],
}

/// A word that GRUB adds to the kernel's command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StateWord {
    /// Both control records are broken.
    Lost,
    /// The attempt could not be written.
    Ro,
}

/// One slot that GRUB tries to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Try {
    /// Which.
    pub slot: Slot,
    /// The attempt that counts it, 1 to 3.
    pub attempt: Option<u8>,
    /// `esos.state=`.
    pub word: Option<StateWord>,
    /// `esos.exhausted=1`.
    pub exhausted: bool,
}

impl State {
    /// A state with that control record in `ca`, nothing in `cb`, and all attempts unused.
    #[must_use]
    pub fn of(control: Control) -> Self {
        let unused = || Ok(Attempt { epoch: Epoch::default() });
        let three = || [unused(), unused(), unused()];
        Self { controls: [Ok(control), Err(RecordError::NoBlock)], attempts: [three(), three()] }
    }

    /// The newest whole control record and its place (0 for `ca`); `None` where both are broken.
    #[must_use]
    pub fn newest(&self) -> Option<(usize, Control)> {
        match &self.controls {
            [Ok(a), Ok(b)] if b.sequence > a.sequence => Some((1, b.clone())),
            [Ok(a), _] => Some((0, a.clone())),
            [_, Ok(b)] => Some((1, b.clone())),
            _ => None,
        }
    }

    /// The record that holds, or what GRUB assumes without one.
    #[must_use]
    pub fn control(&self) -> Control {
        self.newest().map_or_else(lost, |(_, control)| control)
    }

    fn attempts(&self, slot: Slot) -> &[Result<Attempt, RecordError>; 3] {
        let [primary, secondary] = &self.attempts;
        match slot {
            Slot::Primary => primary,
            Slot::Secondary => secondary,
        }
    }

    /// The first free attempt of a slot, 1 to 3.
    #[must_use]
    pub fn free_attempt(&self, slot: Slot) -> Option<u8> {
        let epoch = self.control().slot(slot).epoch;
        (1..=ATTEMPTS).zip(self.attempts(slot)).find(|(_, a)| is_free(a, epoch)).map(|(k, _)| k)
    }

    /// How many tries a slot has left.
    #[must_use]
    pub fn tries_left(&self, slot: Slot) -> usize {
        let epoch = self.control().slot(slot).epoch;
        self.attempts(slot).iter().filter(|a| is_free(a, epoch)).count()
    }

    /// Marks an attempt (1 to 3) used, as GRUB does before it starts a slot.
    pub fn mark(&mut self, slot: Slot, attempt: u8) {
        let epoch = self.control().slot(slot).epoch;
        let [primary, secondary] = &mut self.attempts;
        let own = if slot == Slot::Primary { primary } else { secondary };
        if let Some(place) = own.get_mut(usize::from(attempt).saturating_sub(1)) {
            *place = Ok(Attempt { epoch });
        }
    }

    /// The slot whose entry GRUB's menu starts by itself; `None` where nothing can be started and the
    /// machine is reset.
    #[must_use]
    pub fn default_slot(&self) -> Option<Slot> {
        let control = self.control();
        let order = [control.preferred, control.preferred.other()];
        let ready = |slot: &Slot| self.may_count(*slot) && self.free_attempt(*slot).is_some();
        order.into_iter().find(ready).or_else(|| self.last_resort().next())
    }

    fn may_count(&self, slot: Slot) -> bool {
        matches!(self.control().slot(slot).state, SlotState::Good | SlotState::Trial)
    }

    /// Good slots, then trial ones, then bad ones; the preferred first among equals.
    fn last_resort(&self) -> impl Iterator<Item = Slot> {
        let control = self.control();
        let order = [control.preferred, control.preferred.other()].map(|s| (s, control.slot(s).state));
        let states = [SlotState::Good, SlotState::Trial, SlotState::Bad];
        states.into_iter().flat_map(move |state| order.into_iter().filter(move |o| o.1 == state)).map(|o| o.0)
    }

    /// What GRUB tries, one after the other, when the entry of that slot is chosen: the first whose files
    /// can be read is started. Behind the last one the machine is reset. `writable` tells whether the
    /// medium takes an attempt record.
    #[must_use]
    pub fn tries(&self, chosen: Slot, writable: bool) -> Vec<Try> {
        let word = self.newest().is_none().then_some(StateWord::Lost);
        let control = self.control();
        let mut out = Vec::new();
        for slot in [chosen, chosen.other()] {
            let state = control.slot(slot).state;
            match self.free_attempt(slot).filter(|_| self.may_count(slot)) {
                Some(k) if writable => out.push(Try { slot, attempt: Some(k), word, exhausted: false }),
                Some(_) if state == SlotState::Good => {
                    out.push(Try {
                        slot,
                        attempt: None,
                        word: word.or(Some(StateWord::Ro)),
                        exhausted: false,
                    });
                }
                // Whoever chooses a slot without tries in the menu means it.
                None if slot == chosen && state != SlotState::None => {
                    out.push(Try { slot, attempt: None, word, exhausted: true });
                }
                _ => {}
            }
        }
        out.extend(self.last_resort().map(|slot| Try { slot, attempt: None, word, exhausted: true }));
        out
    }
}

fn is_free(attempt: &Result<Attempt, RecordError>, epoch: Epoch) -> bool {
    attempt.as_ref().is_ok_and(|a| a.epoch != epoch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn control() -> impl Strategy<Value = Control> {
        let slot = || {
            (0usize..4, 0u32..3).prop_map(|(state, epoch)| SlotRecord {
                state: [SlotState::Good, SlotState::Trial, SlotState::Bad, SlotState::None][state],
                epoch: Epoch::new(epoch),
            })
        };
        (0u32..9, any::<bool>(), slot(), slot()).prop_map(|(sequence, p, primary, secondary)| Control {
            sequence,
            preferred: if p { Slot::Primary } else { Slot::Secondary },
            primary,
            secondary,
        })
    }

    fn trial_secondary() -> State {
        let mut control = fresh(true);
        control.preferred = Slot::Secondary;
        control.secondary.state = SlotState::Trial;
        State::of(control)
    }

    fn decide(state: &State, writable: bool) -> Option<Try> {
        state.default_slot().and_then(|slot| state.tries(slot, writable).first().copied())
    }

    #[test]
    fn a_trial_slot_gets_three_tries_then_the_good_one_runs() {
        let mut state = trial_secondary();
        for k in 1..=3 {
            let t = decide(&state, true).unwrap();
            assert_eq!((t.slot, t.attempt, t.exhausted), (Slot::Secondary, Some(k), false));
            state.mark(Slot::Secondary, k);
        }
        for k in 1..=3 {
            let t = decide(&state, true).unwrap();
            assert_eq!((t.slot, t.attempt), (Slot::Primary, Some(k)));
            state.mark(Slot::Primary, k);
        }
        let last = decide(&state, true).unwrap();
        assert_eq!((last.slot, last.attempt, last.exhausted), (Slot::Primary, None, true));
    }

    #[test]
    fn what_cannot_be_counted_is_not_tried() {
        let t = decide(&trial_secondary(), false).unwrap();
        assert_eq!((t.slot, t.attempt, t.word), (Slot::Primary, None, Some(StateWord::Ro)));
    }

    #[test]
    fn lost_records_start_primary() {
        let mut state = State::of(fresh(false));
        state.controls = [Err(RecordError::NoBlock), Err(RecordError::NoBlock)];
        let t = decide(&state, true).unwrap();
        assert_eq!((t.slot, t.attempt, t.word), (Slot::Primary, Some(1), Some(StateWord::Lost)));
    }

    #[test]
    fn an_empty_stick_starts_nothing() {
        let mut control = fresh(false);
        control.primary.state = SlotState::None;
        assert_eq!(State::of(control).default_slot(), None);
    }

    proptest! {
        #[test]
        fn a_slot_with_nothing_in_it_is_never_tried_and_any_other_state_starts_something(a in control(), b in control(), writable: bool) {
            let mut state = State::of(a);
            state.controls[1] = Ok(b);
            let control = state.control();
            let some = Slot::ALL.iter().any(|s| control.slot(*s).state != SlotState::None);
            prop_assert_eq!(decide(&state, writable).is_some(), some);
            for slot in Slot::ALL {
                for t in state.tries(slot, writable) {
                    prop_assert!(control.slot(t.slot).state != SlotState::None);
                    prop_assert!(t.attempt.is_none() || writable);
                }
            }
        }
    }
}
