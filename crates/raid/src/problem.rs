//! What went wrong, told apart.
use serde::Serialize;

/// The kind of a [`Problem`]. None of them means "no drives".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ProblemKind {
    /// The tool works and finds no controller.
    NoController,
    /// The tool printed nothing.
    EmptyOutput,
    /// The end is missing.
    Truncated,
    /// The tool complained.
    ToolError,
    /// The tool reports that a command failed.
    CommandFailure,
    /// What was asked about is not fitted.
    ComponentAbsent,
    /// The controller has no arrays: an empty list, not a failure.
    NoLogicalDrives,
    /// The controller has no such drives: an empty list, not a failure.
    NoDrives,
    /// The controller cannot do that.
    Unsupported,
    /// The named object is none.
    InvalidTarget,
    /// No object was named.
    MissingTarget,
    /// An option is not allowed here.
    InvalidOption,
    /// The command line is not the tool's.
    SyntaxError,
    /// mdadm was called wrongly.
    Usage,
    /// There is no such device.
    NotFound,
    /// The device is no md device.
    NotMd,
    /// The device has no md superblock.
    NoSuperblock,
    /// The text is not what this tool prints.
    Unparsable,
    /// The tool did not answer in time.
    Timeout,
    /// Two parts of the output contradict each other.
    Contradiction,
}

impl ProblemKind {
    /// Whether it only says that something is not fitted or not configured: no arrays, no battery.
    #[must_use]
    pub fn is_normal(self) -> bool {
        matches!(self, Self::NoLogicalDrives | Self::NoDrives | Self::ComponentAbsent)
    }
}

/// What went wrong in one capture.
#[derive(Debug, Clone, PartialEq, Serialize, thiserror::Error)]
#[error("{}{}{}", kind_text(*.kind), at(.capture.as_deref(), *.line), said(.message.as_deref()))]
#[non_exhaustive]
pub struct Problem {
    /// Its kind.
    pub kind: ProblemKind,
    /// The tool's own words.
    pub message: Option<String>,
    /// The tool's own number.
    pub code: Option<i64>,
    /// The exit status of the process.
    pub exit_code: Option<i32>,
    /// The exit code that the tool printed, which is no process status.
    pub printed_exit_code: Option<u64>,
    /// The capture, where a case has more than one.
    pub capture: Option<String>,
    /// The line in that capture, from 1.
    pub line: Option<usize>,
}

impl Problem {
    pub(crate) fn new(kind: ProblemKind) -> Self {
        Self {
            kind,
            message: None,
            code: None,
            exit_code: None,
            printed_exit_code: None,
            capture: None,
            line: None,
        }
    }

    pub(crate) fn said(kind: ProblemKind, message: &str) -> Self {
        Self { message: Some(message.to_owned()), ..Self::new(kind) }
    }
}

fn kind_text(kind: ProblemKind) -> &'static str {
    match kind {
        ProblemKind::NoController => "no controller was found",
        ProblemKind::EmptyOutput => "the tool printed nothing",
        ProblemKind::Truncated => "the output is cut off",
        ProblemKind::ToolError => "the tool reports an error",
        ProblemKind::CommandFailure => "the tool reports a failed command",
        ProblemKind::ComponentAbsent => "the component is not fitted",
        ProblemKind::NoLogicalDrives => "the controller has no arrays",
        ProblemKind::NoDrives => "the controller has no such drives",
        ProblemKind::Unsupported => "the controller does not support this",
        ProblemKind::InvalidTarget => "the tool does not know the target",
        ProblemKind::MissingTarget => "the tool needs a target",
        ProblemKind::InvalidOption => "the tool refuses an option",
        ProblemKind::SyntaxError => "the tool does not understand the command",
        ProblemKind::Usage => "mdadm was called wrongly",
        ProblemKind::NotFound => "there is no such device",
        ProblemKind::NotMd => "the device is no md device",
        ProblemKind::NoSuperblock => "the device has no md superblock",
        ProblemKind::Timeout => "the tool did not answer in time",
        ProblemKind::Contradiction => "the output contradicts itself",
        ProblemKind::Unparsable => "the output is not what this tool prints",
    }
}

fn at(capture: Option<&str>, line: Option<usize>) -> String {
    match (capture, line) {
        (Some(capture), Some(line)) => format!(" (capture {capture}, line {line})"),
        (Some(capture), None) => format!(" (capture {capture})"),
        (None, Some(line)) => format!(" (line {line})"),
        (None, None) => String::new(),
    }
}

fn said(message: Option<&str>) -> String {
    message.map(|m| format!(": {m}")).unwrap_or_default()
}
