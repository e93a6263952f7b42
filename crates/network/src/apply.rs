//! Doing it.
use crate::InterfaceName;
use crate::plan::{Plan, Step};
use esos_exec::{Exit, Runner};

/// What came of one interface.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(tag = "outcome", rename_all = "lowercase"))]
pub enum Outcome {
    /// All steps were done.
    Up,
    /// A step failed; those behind it were not tried.
    Failed {
        /// The command.
        command: String,
        /// What it said.
        why: String,
    },
    /// Not tried, because an interface below it failed.
    Blocked {
        /// That interface.
        by: InterfaceName,
    },
}

/// What came of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Report {
    /// Each interface of the plan, in its order.
    pub interfaces: Vec<(InterfaceName, Outcome)>,
    /// Steps that failed and that an interface can do without, and files that could not be written.
    pub warnings: Vec<String>,
}

impl Report {
    /// Whether every interface came up.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.interfaces.iter().all(|(_, o)| *o == Outcome::Up)
    }
}

/// Runs a plan's commands and writes its files through `write` (path and text). One interface that fails
/// never stops another, but for those that need it.
pub fn apply(
    plan: &Plan,
    runner: &impl Runner,
    mut write: impl FnMut(&str, &str) -> Result<(), String>,
) -> Report {
    let mut report = Report::default();
    let loose = |steps: &[Step], warnings: &mut Vec<String>| {
        for step in steps {
            if let Err(why) = run(step, runner) {
                warnings.push(format!("`{}`: {why}", step.cmd));
            }
        }
    };
    loose(&plan.first, &mut report.warnings);
    for file in &plan.files {
        if let Err(why) = write(file.path, &file.text) {
            report.warnings.push(why);
        }
    }
    for interface in &plan.interfaces {
        let failed = |n: &&InterfaceName| report.interfaces.iter().any(|(d, o)| d == *n && *o != Outcome::Up);
        let outcome = match interface.needs.iter().find(failed) {
            Some(by) => Outcome::Blocked { by: by.clone() },
            None => all(&interface.steps, runner, &mut report.warnings),
        };
        report.interfaces.push((interface.name.clone(), outcome));
    }
    loose(&plan.last, &mut report.warnings);
    report
}

fn all(steps: &[Step], runner: &impl Runner, warnings: &mut Vec<String>) -> Outcome {
    for step in steps {
        match run(step, runner) {
            Ok(()) => {}
            Err(why) if step.optional => warnings.push(format!("`{}`: {why}", step.cmd)),
            Err(why) => return Outcome::Failed { command: step.cmd.to_string(), why },
        }
    }
    Outcome::Up
}

/// Runs one command; why it failed, in one line.
///
/// # Errors
/// What it said on standard error, or why it did not run.
pub fn run(step: &Step, runner: &impl Runner) -> Result<(), String> {
    let output = runner.run(&step.cmd).map_err(|e| e.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let said = output.error_text();
    let line = said.lines().map(str::trim).rfind(|l| !l.is_empty()).unwrap_or("");
    Err(match (line, output.status) {
        ("", Exit::Code(code)) => format!("exit status {code}"),
        ("", status) => status.to_string(),
        (line, status) => format!("{line} ({status})"),
    })
}
