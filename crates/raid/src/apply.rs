//! Carrying out a plan: command by command, each answer judged, and the whole looked at afterwards.
use crate::{Facts, Plan, Tool, Verdict, judge, shown, verify, words};
use esos_exec::{Cmd, ExecError, Runner};
use serde::Serialize;

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Done {
    /// What the tool said.
    pub words: Vec<String>,
    /// Whether the controller was seen to have changed; none where that does not show.
    pub seen: Option<bool>,
}

/// A plan that was not carried out, or not wholly.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// The tool said no.
    #[error("`{command}` was refused{}", after(*.done))]
    Refused {
        /// The command.
        command: String,
        /// The tool's own words.
        words: Vec<String>,
        /// How many commands had been carried out before.
        done: usize,
    },
    /// What the tool said makes no sense, and the change is not seen.
    #[error("`{command}` gave an answer that is not understood{}", after(*.done))]
    Unclear {
        /// The command.
        command: String,
        /// The tool's own words.
        words: Vec<String>,
        /// How many commands had been carried out before.
        done: usize,
    },
    /// It could not be run to its end. Whether it did anything is for a look at the controller.
    #[error("the tool did not do it{}", after(*.done))]
    Tool {
        /// How many commands had been carried out before.
        done: usize,
        /// The tool's own words by then.
        words: Vec<String>,
        /// Why.
        #[source]
        source: ExecError,
    },
    /// The tool said yes, and the controller says otherwise.
    #[error("the tool reports success, but {why}")]
    NotSeen {
        /// What is there in its place.
        why: String,
        /// The tool's own words.
        words: Vec<String>,
    },
    /// The controller could not be looked at afterwards.
    #[error("the tool reports success, but the controller cannot be asked: {why}")]
    Blind {
        /// Why.
        why: String,
        /// The tool's own words.
        words: Vec<String>,
    },
}

fn after(done: usize) -> String {
    match done {
        0 => String::new(),
        1 => ", after one command that was carried out".to_owned(),
        n => format!(", after {n} commands that were carried out"),
    }
}

impl ApplyError {
    /// The tool's own words.
    #[must_use]
    pub fn words(&self) -> &[String] {
        match self {
            Self::Refused { words, .. }
            | Self::Unclear { words, .. }
            | Self::Tool { words, .. }
            | Self::NotSeen { words, .. }
            | Self::Blind { words, .. } => words,
        }
    }
}

/// The last command gave an answer that is not understood: a look must tell.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Doubt {
    /// The command.
    pub command: String,
    /// How many commands had been carried out before.
    pub done: usize,
}

/// Runs the commands of a change in order, until one is not carried out. Gives all that was said, and
/// the doubt that the last answer leaves, if it leaves one.
///
/// # Errors
/// [`ApplyError::Refused`], [`ApplyError::Tool`], and [`ApplyError::Unclear`] of a command that is not the
/// last: those after it were not started.
pub fn run(
    tool: Tool,
    commands: &[Cmd],
    runner: &dyn Runner,
) -> Result<(Vec<String>, Option<Doubt>), ApplyError> {
    let mut all = Vec::new();
    let mut doubt = None;
    for (done, cmd) in commands.iter().enumerate() {
        let output = runner.run(cmd).map_err(|source| {
            let words = match &source {
                ExecError::Timeout { stdout, stderr, .. } => lines(stdout).chain(lines(stderr)).collect(),
                _ => Vec::new(),
            };
            ApplyError::Tool { done, words, source }
        })?;
        let said = words(&output);
        match judge(tool, cmd, &output) {
            Verdict::Done => {}
            Verdict::Refused => return Err(ApplyError::Refused { command: shown(cmd), words: said, done }),
            Verdict::Unclear if done.saturating_add(1) == commands.len() => {
                doubt = Some(Doubt { command: shown(cmd), done });
            }
            Verdict::Unclear => return Err(ApplyError::Unclear { command: shown(cmd), words: said, done }),
        }
        all.extend(said);
    }
    Ok((all, doubt))
}

/// Runs the commands of a plan until one fails, then looks whether the change is there. `look` asks the
/// tool for its facts anew.
///
/// # Errors
/// [`ApplyError`]; commands after the one that failed were not started.
pub fn apply(
    plan: &Plan,
    before: &Facts,
    runner: &dyn Runner,
    look: &mut dyn FnMut() -> Result<Facts, String>,
) -> Result<Done, ApplyError> {
    let (words, doubt) = run(plan.tool, &plan.commands, runner)?;
    let unclear = |doubt: Doubt, words: Vec<String>| ApplyError::Unclear {
        command: doubt.command,
        words,
        done: doubt.done,
    };
    if verify(&plan.place, &plan.change, before, before).is_none() {
        return match doubt {
            Some(doubt) => Err(unclear(doubt, words)),
            None => Ok(Done { words, seen: None }),
        };
    }
    let now = match look() {
        Ok(now) => now,
        Err(why) => return Err(ApplyError::Blind { why, words }),
    };
    match (verify(&plan.place, &plan.change, before, &now), doubt) {
        (Some(Ok(())), _) => Ok(Done { words, seen: Some(true) }),
        (_, Some(doubt)) => Err(unclear(doubt, words)),
        (Some(Err(why)), None) => Err(ApplyError::NotSeen { why, words }),
        (None, None) => Ok(Done { words, seen: None }),
    }
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = String> + use<> {
    let text = String::from_utf8_lossy(bytes).replace('\r', "\n");
    let all: Vec<String> = text.lines().map(str::trim).filter(|l| !l.is_empty()).map(str::to_owned).collect();
    all.into_iter()
}
