//! What was noticed.
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The identity of an event: words parted by `/`, from the general to the particular:
/// `raid/md/md0/degraded`. At most 200 bytes, no blanks and no control characters, so that it can stand
/// in a header of a mail and in a line of a table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EventId(String);

/// Why a text is no [`EventId`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdError {
    /// Empty, or an empty part (`raid//md0`).
    #[error("`{0}` has an empty part; an event is named as in `raid/md/md0/degraded`")]
    Empty(String),
    /// A blank or a control character.
    #[error("`{0}` holds a blank or a control character")]
    Character(String),
    /// More than 200 bytes.
    #[error("an event's name has {0} bytes; 200 are the most")]
    Long(usize),
}

impl EventId {
    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// An id from words that may hold anything: what cannot stand in an id becomes `_`, an empty word
    /// too. For names that come from outside, such as those of a drive or an initiator.
    #[must_use]
    pub fn of<'w>(words: impl IntoIterator<Item = &'w str>) -> Self {
        let part = |word: &str| -> String {
            let fit = |c: char| if c.is_whitespace() || c.is_control() || c == '/' { '_' } else { c };
            let text: String = word.chars().map(fit).collect();
            if text.is_empty() { "_".to_owned() } else { text }
        };
        let mut text = words.into_iter().map(part).collect::<Vec<_>>().join("/");
        let end = (0..=200.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
        let text = text.trim_end_matches('/');
        Self(if text.is_empty() { "_".to_owned() } else { text.to_owned() })
    }
}

impl FromStr for EventId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        if text.len() > 200 {
            return Err(IdError::Long(text.len()));
        }
        if text.split('/').any(str::is_empty) {
            return Err(IdError::Empty(text.to_owned()));
        }
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(IdError::Character(text.escape_debug().to_string()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for EventId {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<EventId> for String {
    fn from(id: EventId) -> Self {
        id.0
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How bad an event is. The order is from good to bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know: the box has started, a silence ended.
    Info,
    /// Works, but wants attention.
    Warning,
    /// Does not work, or soon will not.
    Critical,
}

impl Severity {
    /// The word of a mail's subject.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        })
    }
}

impl FromStr for Severity {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "info" => Ok(Self::Info),
            "warn" | "warning" => Ok(Self::Warning),
            "crit" | "critical" => Ok(Self::Critical),
            _ => Err(format!("`{text}` is no severity: info, warning or critical")),
        }
    }
}

/// What a report says of its event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// It is so now, and stays so until a report says [`Kind::Cleared`].
    Raised,
    /// It is no longer so.
    Cleared,
    /// It happened, once; there is nothing that could clear. Told once for each id.
    Happened,
}

/// One observation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Report {
    /// Of what.
    pub id: EventId,
    /// What of it.
    pub kind: Kind,
    /// How bad.
    pub severity: Severity,
    /// One line: what was found, and where.
    pub subject: String,
    /// More about it, lines; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Report {
    fn new(id: EventId, kind: Kind, severity: Severity, subject: impl Into<String>) -> Self {
        Self { id, kind, severity, subject: subject.into(), text: String::new(), remedy: None }
    }

    /// It is so now.
    #[must_use]
    pub fn raised(id: EventId, severity: Severity, subject: impl Into<String>) -> Self {
        Self::new(id, Kind::Raised, severity, subject)
    }

    /// It is no longer so. Clearing what was never raised is nothing.
    #[must_use]
    pub fn cleared(id: EventId, subject: impl Into<String>) -> Self {
        Self::new(id, Kind::Cleared, Severity::Info, subject)
    }

    /// It happened, once.
    #[must_use]
    pub fn happened(id: EventId, severity: Severity, subject: impl Into<String>) -> Self {
        Self::new(id, Kind::Happened, severity, subject)
    }

    /// Says more.
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.text = text.into();
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ids_name_something() {
        assert!("raid/md0".parse::<EventId>().is_ok());
        for (bad, why) in [("", "empty"), ("a//b", "empty"), ("a b", "blank"), ("a\nb", "blank")] {
            assert!(bad.parse::<EventId>().unwrap_err().to_string().contains(why), "{bad:?}");
        }
        assert_eq!("x".repeat(201).parse::<EventId>(), Err(IdError::Long(201)));
        assert_eq!(EventId::of(["raid", "My Drive/1", ""]).as_str(), "raid/My_Drive_1/_");
    }

    proptest! {
        #[test]
        fn an_id_of_anything_is_one(words in proptest::collection::vec(any::<String>(), 0..5)) {
            let id = EventId::of(words.iter().map(String::as_str));
            prop_assert_eq!(id.as_str().parse::<EventId>(), Ok(id.clone()));
        }
    }
}
