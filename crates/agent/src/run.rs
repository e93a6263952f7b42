//! Observe, decide, do one step, again: until it is reached or the time is over.
use crate::decide::{Goal, Next, Step, next, timed_out, undo};
use crate::facts::Facts;
use crate::observe::StepError;
use crate::params::Params;
use esos_cluster::OcfExit;

/// The box that an action works on.
pub trait Machine {
    /// How things are now.
    fn observe(&mut self, goal: &Goal) -> Facts;

    /// Does one step.
    ///
    /// # Errors
    /// Why not.
    fn perform(&mut self, step: &Step) -> Result<(), StepError>;

    /// Waits a moment; false when the action's time is over.
    fn pause(&mut self) -> bool;

    /// Says what is done, for the log.
    fn log(&mut self, line: &str);
}

/// What came of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What the agent answers.
    pub exit: OcfExit,
    /// Why it failed.
    pub reason: Option<String>,
}

/// More steps than any action takes: something undoes what is done.
const MOST: usize = 4096;

/// Carries an action out. Whatever comes of it, no command of an initiator is left held back, except
/// where SCST itself refuses to let it go.
///
/// What is busy is tried again until the action's time is over: a volume that has just become usable is looked
/// at by others (udev, multipathd, LVM), who hold it for a moment.
pub fn run(goal: &Goal, params: &Params, machine: &mut dyn Machine) -> Outcome {
    let mut done = 0;
    while done < MOST {
        let facts = machine.observe(goal);
        let mut decided = next(goal, &facts, params);
        if let Next::Wait(what) = &decided
            && !machine.pause()
        {
            decided = timed_out(goal, what);
        }
        match decided {
            Next::Wait(_) => {}
            Next::Done(exit) => return Outcome { exit, reason: None },
            Next::Fail(exit, reason) => return failed(goal, exit, reason, machine),
            Next::Do(step) => {
                machine.log(&step.to_string());
                match machine.perform(&step) {
                    Ok(()) => done += 1,
                    Err(e) if e.is_busy() && machine.pause() => {}
                    Err(e) => {
                        let reason = format!("cannot {step}: {e}");
                        return failed(goal, OcfExit::Generic, reason, machine);
                    }
                }
            }
        }
    }
    failed(goal, OcfExit::Generic, "what is done is undone again by something else".to_owned(), machine)
}

fn failed(goal: &Goal, exit: OcfExit, reason: String, machine: &mut dyn Machine) -> Outcome {
    // A monitor has no side effect, not even a good one.
    if *goal != Goal::Monitor {
        for _ in 0..MOST {
            let Some(step) = undo(&machine.observe(goal)) else { break };
            machine.log(&format!("undo: {step}"));
            if machine.perform(&step).is_err() {
                break;
            }
        }
    }
    Outcome { exit, reason: Some(reason) }
}
