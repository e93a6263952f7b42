//! What was found.
use serde::{Deserialize, Serialize};

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should be.
    Ok,
    /// Works, but wants attention.
    Warn,
    /// Does not work, or soon will not.
    Crit,
    /// It could not be told.
    Unknown,
    /// There is no such thing on this box.
    Unused,
}

impl Status {
    /// The exit code of `esos-health`: 0 ok, 1 warn, 2 crit, 3 unknown.
    #[must_use]
    pub fn exit(self) -> u8 {
        match self {
            Self::Ok | Self::Unused => 0,
            Self::Warn => 1,
            Self::Crit => 2,
            Self::Unknown => 3,
        }
    }

    /// The worse of two: what is known to be broken is worse than what is not known, and that is worse than what only
    /// wants attention.
    #[must_use]
    pub fn worse(self, other: Self) -> Self {
        let rank = |s: Self| match s {
            Self::Unused => 0,
            Self::Ok => 1,
            Self::Warn => 2,
            Self::Unknown => 3,
            Self::Crit => 4,
        };
        if rank(other) > rank(self) { other } else { self }
    }
}

/// One thing that is not well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Finding {
    /// The check that found it.
    pub check: String,
    /// What it is about: `md0`, `/dev/sda`, `/`.
    pub object: String,
    /// What kind of trouble, in one word; with check and object it is the identity of an event.
    pub kind: String,
    /// How bad.
    pub status: Status,
    /// What was found.
    pub message: String,
    /// What to do.
    pub remedy: String,
}

impl Finding {
    pub(crate) fn new(
        check: &str,
        object: impl Into<String>,
        kind: &str,
        status: Status,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            check: check.to_owned(),
            object: object.into(),
            kind: kind.to_owned(),
            status,
            message: message.into(),
            remedy: remedy.into(),
        }
    }

    /// Check, object and kind.
    #[must_use]
    pub fn key(&self) -> [&str; 3] {
        [&self.check, &self.object, &self.kind]
    }
}
