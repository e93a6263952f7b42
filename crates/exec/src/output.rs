//! What came of it.
use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Exit {
    /// It returned this code.
    Code(i32),
    /// This signal killed it.
    Signal(i32),
}

impl Exit {
    /// Whether it returned 0.
    #[must_use]
    pub fn success(self) -> bool {
        self == Self::Code(0)
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit status {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}

/// A program's end and both its streams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// How it ended.
    pub status: Exit,
    /// All of its standard output.
    pub stdout: Vec<u8>,
    /// All of its standard error.
    pub stderr: Vec<u8>,
}

impl Output {
    /// Its standard output, with bytes that are no UTF-8 replaced.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.stdout)
    }

    /// Its standard error, with bytes that are no UTF-8 replaced.
    #[must_use]
    pub fn error_text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.stderr)
    }
}

/// Why there is no [`Output`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExecError {
    /// There is no such program.
    #[error("{} is not installed", program.display())]
    NotFound {
        /// Its path.
        program: PathBuf,
    },
    /// It did not end in time, and was killed with all it had started.
    #[error("`{command}` did not end within {limit:?}")]
    Timeout {
        /// The command as people read it.
        command: String,
        /// The limit.
        limit: Duration,
        /// What it had printed by then.
        stdout: Vec<u8>,
        /// What it had complained by then.
        stderr: Vec<u8>,
    },
    /// It could not be started or read.
    #[error("cannot run `{command}`")]
    Io {
        /// The command as people read it.
        command: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A [`ScriptedRunner`](crate::ScriptedRunner) was asked for something that its script has not.
    #[error("the script has no answer for `{command}`")]
    Unscripted {
        /// The command as people read it.
        command: String,
    },
}
