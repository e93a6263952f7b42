//! What printed a text, and reading it.
mod events;
mod gi;
mod json;
mod log;
mod proc;
mod text;
mod tool;

pub use events::{Event, Events, events};
pub use gi::Identifiers;
pub(crate) use json::error as parse_json_error;
pub use log::{Handshake, LogFacts};

use crate::attrs::Notes;
use crate::conf::{Config, Document, from_xml, show_json};
use crate::doubts::doubts;
use crate::failure::ToolFailure;
use crate::model::{Status, Version};
use crate::transition::Transition;
use esos_diag::ParseError;
use serde::Serialize;
use std::fmt;
use std::str::FromStr;

/// What a recorded output is. [`Kind::recognise`] tells most by their grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Kind {
    /// `drbdsetup events2`, `--now` or a stream.
    Events2,
    /// `drbdsetup status --json` (9).
    StatusJson,
    /// `drbdadm status`, `drbdsetup status`, with or without `--verbose --statistics`.
    Status,
    /// `/proc/drbd`.
    Proc,
    /// `drbdadm role`, `cstate`, `dstate`, one under the other.
    RoleCstateDstate,
    /// `drbdadm get-gi`.
    GetGi,
    /// `drbdsetup show`, `drbdadm dump`, or a configuration file.
    Config,
    /// `drbdsetup show --json` (9).
    ShowJson,
    /// `drbdadm dump-xml`.
    DumpXml,
    /// `drbdadm --version`.
    Version,
    /// `drbdadm -d …`: the commands that would be run.
    Commands,
    /// `drbdadm sh-resources`: names.
    Names,
    /// Lines of the kernel's log.
    Log,
    /// What a refused or failed command said.
    Error,
    /// What `drbdadm create-md` and the like say when all went well.
    Message,
    /// Nothing at all.
    Empty,
}

impl Kind {
    /// All kinds with their names on a command line.
    pub const NAMES: &'static [(&'static str, Self)] = &[
        ("events2", Self::Events2),
        ("status-json", Self::StatusJson),
        ("status", Self::Status),
        ("proc", Self::Proc),
        ("role-cstate-dstate", Self::RoleCstateDstate),
        ("get-gi", Self::GetGi),
        ("config", Self::Config),
        ("show-json", Self::ShowJson),
        ("dump-xml", Self::DumpXml),
        ("version", Self::Version),
        ("commands", Self::Commands),
        ("names", Self::Names),
        ("log", Self::Log),
        ("error", Self::Error),
        ("message", Self::Message),
        ("empty", Self::Empty),
    ];

    /// Tells by its grammar what printed a text; `None` where nothing fits.
    #[must_use]
    pub fn recognise(text: &str) -> Option<Self> {
        tool::recognise(text)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::NAMES.iter().find(|(_, k)| k == self).map_or("unknown", |(n, _)| n))
    }
}

/// There is no such kind of output.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no kind of DRBD output")]
pub struct UnknownKind(pub String);

impl FromStr for Kind {
    type Err = UnknownKind;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::NAMES.iter().find(|(n, _)| *n == text).map(|(_, k)| *k);
        found.ok_or_else(|| UnknownKind(text.to_owned()))
    }
}

/// Everything that one output says.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// What printed it.
    pub kind: Kind,
    /// The state of resources.
    #[serde(flatten)]
    pub status: Status,
    /// Steps in a stream of events.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub transitions: Vec<Transition>,
    /// Generation identifiers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identifiers: Option<Identifiers>,
    /// The configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<Config>,
    /// Commands of a dry run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<Vec<String>>,
    /// Names of resources.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// What the kernel's log tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<LogFacts>,
    /// What a tool said beside its result.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<String>,
    /// Why a command failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<ToolFailure>,
    /// What was odd; nothing that is missing passes for something good without a word here.
    #[serde(skip)]
    pub warnings: Vec<String>,
}

/// Reads an output of any kind.
///
/// # Errors
/// The text is not of that kind, or cut off. A command that failed is no error here: see
/// [`Report::failure`].
pub fn read(kind: Option<Kind>, origin: &str, text: &str) -> Result<Report, ParseError> {
    let Some(kind) = kind.or_else(|| Kind::recognise(text)) else {
        return Err(ParseError::at(origin, text, 0, "an output of drbdsetup or drbdadm, or /proc/drbd"));
    };
    let mut report = Report {
        kind,
        status: Status::default(),
        transitions: Vec::new(),
        identifiers: None,
        config: None,
        commands: Vec::new(),
        names: Vec::new(),
        log: None,
        messages: Vec::new(),
        failure: None,
        warnings: Vec::new(),
    };
    let mut notes = Notes::default();
    match kind {
        Kind::Events2 => {
            let events = events(origin, text)?;
            report.status = events.state;
            report.transitions = events.transitions;
            notes.warnings = events.warnings;
            for t in report.transitions.iter().filter(|t| !t.expected) {
                notes.warn(format!(
                    "line {}: {} of {} goes from {} to {} in one step: lines are missing",
                    t.line, t.what, t.resource, t.from, t.to
                ));
            }
            doubts(&report.status, &mut notes);
        }
        Kind::StatusJson => {
            report.status = json::status(origin, text, &mut notes)?;
            doubts(&report.status, &mut notes);
        }
        Kind::Status => {
            report.status = text::status(origin, text, &mut notes)?;
            doubts(&report.status, &mut notes);
        }
        Kind::Proc => {
            report.status = proc::proc(origin, text, &mut notes)?;
            doubts(&report.status, &mut notes);
        }
        Kind::RoleCstateDstate => {
            report.status = proc::short(origin, text, &mut notes)?;
            doubts(&report.status, &mut notes);
        }
        Kind::GetGi => report.identifiers = Some(gi::identifiers(origin, text, &mut notes)?),
        Kind::Config => {
            let document = Document::parse(origin, text);
            let first = document.diagnostics().iter().find(|d| d.severity == esos_diag::Severity::Error);
            if let Some(d) = first {
                let at = d.span().map_or(0, |s| s.start);
                return Err(ParseError::at(origin, text, at, d.message.clone()));
            }
            notes.warnings.extend(document.diagnostics().iter().map(|d| d.message.clone()));
            report.config = Some(document.config().clone());
        }
        Kind::ShowJson => report.config = Some(show_json(origin, text)?),
        Kind::DumpXml => report.config = Some(from_xml(origin, text)?),
        Kind::Version => report.status.version = Some(tool::version(origin, text)?),
        Kind::Commands => report.commands = tool::commands(origin, text)?,
        Kind::Names => report.names = text.split_whitespace().map(str::to_owned).collect(),
        Kind::Log => report.log = Some(log::facts(text)),
        Kind::Error => report.failure = Some(ToolFailure::of(None, text)),
        Kind::Message => report.messages = text.lines().map(str::to_owned).collect(),
        Kind::Empty => {
            if !text.trim().is_empty() {
                return Err(ParseError::at(origin, text, 0, "nothing"));
            }
            notes.warn("the output is empty: no resource is configured, or the command said nothing");
        }
    }
    report.warnings = notes.warnings;
    Ok(report)
}

impl Report {
    /// The kernel module, where the output names it.
    #[must_use]
    pub fn version(&self) -> Option<&Version> {
        self.status.version.as_ref()
    }
}
