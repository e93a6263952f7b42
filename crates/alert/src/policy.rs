//! When something is told again, and when not.
use crate::Severity;
use serde::{Deserialize, Serialize};

/// When something is told again, and when not. All times in seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Policy {
    /// After so long a critical event that still is so is told again; 0 for never.
    pub remind_critical_s: u64,
    /// The same for a warning.
    pub remind_warning_s: u64,
    /// At most so many mails of one event within an hour; one more only when it becomes worse than ever told.
    pub mails_per_hour: usize,
    /// An event that comes and goes is told again once it has stayed as it is for so long.
    pub settle_s: u64,
    /// What cleared or happened is forgotten when nobody has reported it for so long.
    pub forget_s: u64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            remind_critical_s: 12 * 3600,
            remind_warning_s: 24 * 3600,
            mails_per_hour: 3,
            settle_s: 1800,
            forget_s: 90 * 86_400,
        }
    }
}

impl Policy {
    pub(crate) fn remind(&self, severity: Severity) -> Option<u64> {
        let every = match severity {
            Severity::Critical => self.remind_critical_s,
            Severity::Warning => self.remind_warning_s,
            Severity::Info => 0,
        };
        (every > 0).then_some(every)
    }
}
