//! Why a tool did not do what it was asked.
use crate::{Exit, clean};
use esos_diag::{Diagnostic, LineIndex};
use serde_json::{Value, json};
use std::error::Error;
use std::fmt;

/// Why a tool did not do what it was asked: the exit code, the error with all its causes, what to do, and
/// findings about an input.
///
/// Every error becomes one with `?` (exit code 1); [`OrExit::or_exit`] chooses another code.
pub struct Failure(Box<Told>);

/// Boxed, because every `Result` of a tool carries room for it.
struct Told {
    exit: Exit,
    code: String,
    message: String,
    causes: Vec<String>,
    help: Option<String>,
    findings: Vec<Diagnostic>,
    /// The text that the findings are about.
    text: String,
}

impl Failure {
    /// A failure with a message: lower case, no full stop, what was found and where.
    #[must_use]
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        let code = word(exit);
        Self(Box::new(Told {
            exit,
            code: code.to_owned(),
            message: message.into(),
            causes: Vec::new(),
            help: None,
            findings: Vec::new(),
            text: String::new(),
        }))
    }

    /// Findings about one text, each printed as rustc does; the exit code is [`Exit::Invalid`].
    #[must_use]
    pub fn findings(diagnostics: Vec<Diagnostic>, text: &str) -> Self {
        let first = diagnostics.first();
        let message = match (diagnostics.len(), first) {
            (1, Some(d)) => d.message.clone(),
            (n, Some(d)) => format!("{n} findings in {}", d.origin),
            (_, None) => "the input is invalid".to_owned(),
        };
        let code = first.map(|d| d.code.clone());
        let mut failure = Self::new(Exit::Invalid, message);
        failure.0.code = code.unwrap_or(failure.0.code);
        failure.0.findings = diagnostics;
        text.clone_into(&mut failure.0.text);
        failure
    }

    /// Gives it a stable code such as `scst-conf::missing-brace`.
    #[must_use]
    pub fn code(mut self, code: impl Into<String>) -> Self {
        self.0.code = code.into();
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// Ends the program with that code.
    #[must_use]
    pub fn with_exit(mut self, exit: Exit) -> Self {
        if self.0.code == word(self.0.exit) {
            word(exit).clone_into(&mut self.0.code);
        }
        self.0.exit = exit;
        self
    }

    /// What was being done when it happened; the failure so far becomes the cause.
    #[must_use]
    pub fn context(mut self, doing: impl Into<String>) -> Self {
        let cause = std::mem::replace(&mut self.0.message, doing.into());
        self.0.causes.insert(0, cause);
        self
    }

    /// The exit code.
    #[must_use]
    pub fn exit(&self) -> Exit {
        self.0.exit
    }

    /// The message without causes.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The message and its causes in one line, for a record or a mail.
    #[must_use]
    pub fn whole(&self) -> String {
        self.0.causes.iter().fold(self.0.message.clone(), |text, cause| format!("{text}: {cause}"))
    }

    pub(crate) fn diagnostics(&self) -> &[Diagnostic] {
        &self.0.findings
    }

    pub(crate) fn text(&self) -> &str {
        &self.0.text
    }

    /// The lines for people, without findings: `error: …`, causes, help.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("error: {}", clean(&self.0.message))];
        lines.extend(self.0.causes.iter().map(|c| format!("  caused by: {}", clean(c))));
        lines.extend(self.0.help.iter().map(|h| format!("help: {}", clean(h))));
        lines
    }

    pub(crate) fn help_text(&self) -> Option<&str> {
        self.0.help.as_deref()
    }

    pub(crate) fn to_json(&self) -> Value {
        let findings = diagnostics_json(&self.0.findings, &self.0.text);
        json!({
            "code": self.0.code,
            "message": self.0.message,
            "causes": self.0.causes,
            "help": self.0.help,
            "diagnostics": findings,
        })
    }
}

/// Findings about a text as the JSON of errors has them: code, severity, message, file, line, column, bytes,
/// label, further places, help and fix. For documents that carry findings beside their data.
#[must_use]
pub fn diagnostics_json(diagnostics: &[Diagnostic], text: &str) -> Vec<Value> {
    let index = LineIndex::new(text);
    diagnostics.iter().map(|d| finding(d, text, &index)).collect()
}

fn finding(diagnostic: &Diagnostic, text: &str, index: &LineIndex) -> Value {
    let mut places = diagnostic.labels.iter().map(|label| {
        let at = index.position(text, label.span.start);
        json!({"line": at.line, "column": at.column, "byte": [label.span.start, label.span.end], "label": label.text})
    });
    let mut value = places.next().unwrap_or_else(|| json!({}));
    let fix = diagnostic
        .fix
        .as_ref()
        .map(|f| json!({"byte": [f.span.start, f.span.end], "insert": f.replacement, "what": f.what}));
    let rest = json!({
        "code": diagnostic.code,
        "severity": diagnostic.severity.to_string(),
        "message": diagnostic.message,
        "file": diagnostic.origin,
        "related": places.collect::<Vec<_>>(),
        "help": diagnostic.help,
        "fix": fix,
    });
    if let (Value::Object(value), Value::Object(rest)) = (&mut value, rest) {
        value.extend(rest);
    }
    value
}

impl<E: Error> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut failure = Self::new(Exit::Failed, error.to_string());
        let mut cause = error.source();
        while let Some(next) = cause {
            let text = next.to_string();
            // A transparent error and its source say the same.
            if failure.0.causes.last().unwrap_or(&failure.0.message) != &text {
                failure.0.causes.push(text);
            }
            cause = next.source();
        }
        failure
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit {}: {}", self.0.exit.code(), self.lines().join("; "))
    }
}

/// The code of a failure that got none of its own.
fn word(exit: Exit) -> &'static str {
    match exit {
        Exit::Usage => "usage",
        Exit::Invalid => "invalid",
        Exit::Refused => "refused",
        Exit::Unavailable => "unavailable",
        Exit::Busy => "busy",
        _ => "failed",
    }
}

/// Chooses the exit code of an error.
pub trait OrExit<T> {
    /// The error as a [`Failure`] with that exit code.
    ///
    /// # Errors
    /// The failure, where there was an error.
    fn or_exit(self, exit: Exit) -> Result<T, Failure>;

    /// The error as a [`Failure`] that says what was being done.
    ///
    /// # Errors
    /// The failure, where there was an error.
    fn context(self, doing: impl Into<String>) -> Result<T, Failure>;
}

impl<T, E: Into<Failure>> OrExit<T> for Result<T, E> {
    fn or_exit(self, exit: Exit) -> Result<T, Failure> {
        self.map_err(|e| e.into().with_exit(exit))
    }
    fn context(self, doing: impl Into<String>) -> Result<T, Failure> {
        self.map_err(|e| e.into().context(doing))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot list targets")]
    struct Outer(#[source] Inner);
    #[derive(Debug, thiserror::Error)]
    #[error("cannot read targets/none/luns: EACCES")]
    struct Inner;

    #[test]
    fn the_whole_chain_is_told() {
        let failure = Err::<(), _>(Outer(Inner)).context("step 3").or_exit(Exit::Busy).unwrap_err();
        assert_eq!(
            failure.lines(),
            [
                "error: step 3",
                "  caused by: cannot list targets",
                "  caused by: cannot read targets/none/luns: EACCES"
            ]
        );
        assert_eq!(failure.exit(), Exit::Busy);
    }
}
