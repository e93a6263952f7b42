//! How a program ends.
use std::process::ExitCode;

/// The exit codes of all ESOS programs but those that have a contract of their own (`esos-agent`,
/// `esos-health`, the applets with old names).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Exit {
    /// 0: done, or there was nothing to do.
    Done = 0,
    /// 1: failed.
    Failed = 1,
    /// 2: the command line makes no sense.
    Usage = 2,
    /// 3: an input is invalid.
    Invalid = 3,
    /// 4: differences were found.
    Differs = 4,
    /// 5: refused; it needs a confirmation.
    Refused = 5,
    /// 6: failed, and everything was rolled back.
    RolledBack = 6,
    /// 7: a subsystem is not available.
    Unavailable = 7,
    /// 8: busy, or changed since the plan was made.
    Busy = 8,
    /// 9: failed, and so did rolling back.
    RollbackFailed = 9,
    /// 130: interrupted, after the step that was being done.
    Interrupted = 130,
}

impl Exit {
    /// All of them, in order.
    pub const ALL: [Self; 11] = [
        Self::Done,
        Self::Failed,
        Self::Usage,
        Self::Invalid,
        Self::Differs,
        Self::Refused,
        Self::RolledBack,
        Self::Unavailable,
        Self::Busy,
        Self::RollbackFailed,
        Self::Interrupted,
    ];

    /// The number.
    #[must_use]
    pub const fn code(self) -> u8 {
        // Safe by `repr(u8)`; the variants are the numbers.
        self as u8
    }

    /// What it means, for `--help` and manuals.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done, or nothing to do",
            Self::Failed => "failed",
            Self::Usage => "the command line makes no sense",
            Self::Invalid => "an input is invalid",
            Self::Differs => "differences found",
            Self::Refused => "refused, needs confirmation",
            Self::RolledBack => "failed and rolled back",
            Self::Unavailable => "a subsystem is not available",
            Self::Busy => "busy, or changed since the plan",
            Self::RollbackFailed => "failed, and roll-back failed too",
            Self::Interrupted => "interrupted",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// The table of exit codes, for the foot of `--help`.
pub(crate) fn help() -> String {
    let mut text = String::from("Exit codes:\n");
    for exit in Exit::ALL {
        text.push_str(&format!("  {:>3}  {}\n", exit.code(), exit.meaning()));
    }
    text
}
