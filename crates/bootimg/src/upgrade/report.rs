//! The slots of a stick, for people and programs.
use super::Stick;
use crate::disk::Reading;
use crate::disk::inspect::{SlotInfo, inspect};
use esos_layout::Slot;
use esos_layout::state::{CONTROL_FILES, Cause, Fallback, SlotState, attempt_file};
use serde::Serialize;

/// All that is known of the slots of a stick.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SlotsReport {
    /// The identity of the stick; none where its record is damaged.
    pub stick: Option<String>,
    /// Whether both control records are broken. GRUB then takes both slots for good.
    pub lost: bool,
    /// The number of the control record that holds.
    pub sequence: u32,
    /// Both copies of the control record.
    pub copies: Vec<CopyReport>,
    /// The slot that GRUB tries first.
    pub preferred: Slot,
    /// The slot that GRUB starts by itself; none where it would reset the machine.
    pub default: Option<Slot>,
    /// The slot that runs, on the box that was started from this stick.
    pub running: Option<Slot>,
    /// Both slots.
    pub slots: Vec<SlotReport>,
    /// The last boot that was not that of the preferred slot.
    pub fallback: Option<FallbackReport>,
    /// What is wrong with the stick beside that.
    pub problems: Vec<String>,
}

/// A copy of the control record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CopyReport {
    /// Its file.
    pub record: String,
    /// `whole`, or what is wrong.
    pub health: String,
    /// Its number, where it is whole.
    pub sequence: Option<u32>,
}

/// One slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SlotReport {
    /// Which.
    pub slot: Slot,
    /// Whether the box runs from it.
    pub running: bool,
    /// Whether GRUB tries it first.
    pub preferred: bool,
    /// What the control record says of it.
    pub state: SlotState,
    /// The generation of its attempts.
    pub epoch: u32,
    /// Tries that GRUB has left for it.
    pub tries_left: usize,
    /// Its attempt records.
    pub attempts: Vec<AttemptReport>,
    /// The last attempt that was used in this epoch.
    pub last_attempt: Option<u8>,
    /// When it last reported good, in seconds since 1970.
    pub last_good: Option<u64>,
    /// Its version.
    pub version: Option<String>,
    /// Bytes in use.
    pub used_bytes: u64,
    /// Why it cannot be read, where it is neither whole nor empty.
    pub problem: Option<String>,
}

/// An attempt record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AttemptReport {
    /// Its file.
    pub record: String,
    /// `free`, `used`, or what is wrong with it: a torn one counts as used.
    pub health: String,
    /// The epoch that it carries, where it is whole.
    pub epoch: Option<u32>,
}

/// A boot that was not that of the preferred slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FallbackReport {
    /// The slot that did not run.
    pub slot: Slot,
    /// Why, in one word.
    pub cause: Cause,
    /// Why, in a sentence.
    pub text: String,
    /// When it was noted, in seconds since 1970; none for one that is told by the records alone or by the
    /// boot that is running.
    pub at: Option<u64>,
}

/// Reports on a stick. `running` and `fallback` are known on the box that was started from it.
#[must_use]
pub fn report(stick: &Stick<'_>, running: Option<Slot>, fallback: Option<&Fallback>) -> SlotsReport {
    let state = stick.state();
    let control = state.control();
    let mut problems = stick.warnings().to_vec();
    let mut infos = Vec::new();
    match inspect(&mut Reading::new(stick.medium())) {
        Ok(found) => infos = found.slots,
        Err(error) => problems.push(error.to_string()),
    }
    let copies = CONTROL_FILES.into_iter().zip(&state.controls).map(|(record, copy)| CopyReport {
        record: record.to_owned(),
        health: copy.as_ref().map_or_else(ToString::to_string, |_| "whole".to_owned()),
        sequence: copy.as_ref().ok().map(|c| c.sequence),
    });
    let slots = Slot::ALL.map(|slot| one(stick, slot, running, infos.iter().find(|i| i.slot == slot)));
    let noted = stick.note().fallback.clone();
    let known = fallback.map(|f| (f.clone(), None)).or(noted).or_else(|| told(stick).map(|f| (f, None)));
    SlotsReport {
        stick: stick.records().stick.clone(),
        lost: state.newest().is_none(),
        sequence: control.sequence,
        copies: copies.collect(),
        preferred: control.preferred,
        default: state.default_slot(),
        running,
        slots: slots.into(),
        fallback: known.map(|(f, at)| {
            let text = explain(&f);
            FallbackReport { slot: f.slot, cause: f.cause, text, at }
        }),
        problems,
    }
}

fn one(stick: &Stick<'_>, slot: Slot, running: Option<Slot>, info: Option<&SlotInfo>) -> SlotReport {
    let state = stick.state();
    let control = state.control();
    let record = control.slot(slot);
    let [primary, secondary] = &state.attempts;
    let own = if slot == Slot::Primary { primary } else { secondary };
    let is_used =
        |a: &Result<esos_layout::state::Attempt, _>| a.as_ref().is_ok_and(|a| a.epoch == record.epoch);
    let attempts = (1u8..).zip(own).map(|(k, attempt)| AttemptReport {
        record: attempt_file(slot, k).unwrap_or_default(),
        health: match attempt {
            Err(error) => error.to_string(),
            Ok(_) if is_used(attempt) => "used".to_owned(),
            Ok(_) => "free".to_owned(),
        },
        epoch: attempt.as_ref().ok().map(|a| a.epoch.get()),
    });
    SlotReport {
        slot,
        running: running == Some(slot),
        preferred: control.preferred == slot,
        state: record.state,
        epoch: record.epoch.get(),
        tries_left: state.tries_left(slot),
        attempts: attempts.collect(),
        last_attempt: (1u8..).zip(own).filter(|(_, a)| is_used(a)).map(|(k, _)| k).last(),
        last_good: stick.note().good(slot),
        version: info.and_then(|i| i.version.clone()),
        used_bytes: info.map_or(0, |i| i.used_bytes),
        problem: info.and_then(|i| i.problem.clone()),
    }
}

/// A fall-back that the records show by themselves: the preferred slot may be started, but has no
/// attempt left.
fn told(stick: &Stick<'_>) -> Option<Fallback> {
    let state = stick.state();
    let (_, control) = state.newest()?;
    let slot = control.preferred;
    let spent = control.slot(slot).state.is_bootable() && state.tries_left(slot) == 0;
    spent.then_some(Fallback { slot, cause: Cause::Tries })
}

/// A fall-back in a sentence.
#[must_use]
pub fn explain(fallback: &Fallback) -> String {
    let slot = fallback.slot;
    match &fallback.cause {
        Cause::Tries => format!("{slot} was started three times and never reported good"),
        Cause::Uncounted => {
            format!("{slot} is on trial, and the stick could not be written to count the try")
        }
        Cause::Damaged => format!("the kernel, the initramfs or another file of {slot} is damaged"),
        Cause::Root => format!("the root image of {slot} is damaged"),
        Cause::Rollback => format!("somebody went back from {slot}"),
        other => format!("{slot} was left out: {other}"),
    }
}
