//! One finding about a text.
use crate::{LineIndex, Position, Span};
use std::fmt;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "lowercase"))]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Works, but probably not as meant.
    Warning,
    /// The input cannot be used.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// A place in the text with a word about it. The first label of a diagnostic is the place itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What is there; may be empty.
    pub text: String,
}

/// A change of the text that mends the finding for certain.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Fix {
    /// What to replace; an empty span inserts.
    pub span: Span,
    /// What to put there.
    pub replacement: String,
    /// What that does, as an imperative: `open the block on the same line`.
    pub what: String,
}

/// One finding: what was found, where, what was expected, how to go on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Diagnostic {
    /// A stable code such as `scst-conf::missing-brace`.
    pub code: String,
    /// How bad it is.
    pub severity: Severity,
    /// One sentence, lower case, no full stop.
    pub message: String,
    /// The origin (a path) of the text that the spans are in.
    pub origin: String,
    /// Places, the main one first; empty for findings about no place.
    pub labels: Vec<Label>,
    /// What to do.
    pub help: Option<String>,
    /// A certain mending.
    pub fix: Option<Fix>,
}

impl Diagnostic {
    /// A finding at a place.
    #[must_use]
    pub fn new(
        severity: Severity,
        code: impl Into<String>,
        message: impl Into<String>,
        origin: impl Into<String>,
        span: Span,
    ) -> Self {
        Self {
            code: code.into(),
            severity,
            message: message.into(),
            origin: origin.into(),
            labels: vec![Label { span, text: String::new() }],
            help: None,
            fix: None,
        }
    }

    /// An error at a place.
    #[must_use]
    pub fn error(
        code: impl Into<String>,
        message: impl Into<String>,
        origin: impl Into<String>,
        span: Span,
    ) -> Self {
        Self::new(Severity::Error, code, message, origin, span)
    }

    /// A warning at a place.
    #[must_use]
    pub fn warning(
        code: impl Into<String>,
        message: impl Into<String>,
        origin: impl Into<String>,
        span: Span,
    ) -> Self {
        Self::new(Severity::Warning, code, message, origin, span)
    }

    /// Says what is at the main place.
    #[must_use]
    pub fn at(mut self, text: impl Into<String>) -> Self {
        if let Some(first) = self.labels.first_mut() {
            first.text = text.into();
        }
        self
    }

    /// Adds a further place.
    #[must_use]
    pub fn label(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// Adds a certain mending.
    #[must_use]
    pub fn fix(mut self, span: Span, replacement: impl Into<String>, what: impl Into<String>) -> Self {
        self.fix = Some(Fix { span, replacement: replacement.into(), what: what.into() });
        self
    }

    /// The main place.
    #[must_use]
    pub fn span(&self) -> Option<Span> {
        self.labels.first().map(|l| l.span)
    }

    /// Line and column of the main place in its text.
    #[must_use]
    pub fn position(&self, text: &str) -> Option<Position> {
        self.span().map(|s| LineIndex::new(text).position(text, s.start))
    }
}
