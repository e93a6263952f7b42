//! The three streams and what is known about them.
use crate::color::ColorEnv;
use std::fmt;
use std::io::{self, BufRead, BufReader, IsTerminal, Write};

/// What is known about the streams and the environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Whether somebody can answer questions.
    pub stdin_tty: bool,
    /// Whether standard output is a terminal.
    pub stdout_tty: bool,
    /// Whether standard error is a terminal.
    pub stderr_tty: bool,
    /// Columns of the terminal: `COLUMNS`, else what the terminal says, else 80.
    pub columns: usize,
    pub(crate) color: ColorEnv,
}

impl Facts {
    /// No terminal anywhere, 80 columns.
    #[must_use]
    pub fn pipes() -> Self {
        Self {
            stdin_tty: false,
            stdout_tty: false,
            stderr_tty: false,
            columns: 80,
            color: ColorEnv::default(),
        }
    }

    fn here() -> Self {
        let var = |name| std::env::var_os(name).filter(|v| !v.is_empty());
        let columns = var("COLUMNS").and_then(|v| v.to_str()?.parse().ok()).filter(|n| *n > 0);
        let asked = || terminal_size::terminal_size().map(|(w, _)| usize::from(w.0)).filter(|n| *n > 0);
        Self {
            stdin_tty: io::stdin().is_terminal(),
            stdout_tty: io::stdout().is_terminal(),
            stderr_tty: io::stderr().is_terminal(),
            columns: columns.or_else(asked).unwrap_or(80).clamp(20, 500),
            color: ColorEnv {
                no_color: var("NO_COLOR").is_some(),
                force: var("CLICOLOR_FORCE").is_some_and(|v| v != "0"),
                dumb: var("TERM").is_some_and(|v| v == "dumb"),
            },
        }
    }
}

/// The three streams of a program.
pub struct Console {
    /// Data.
    pub out: Box<dyn Write + Send>,
    /// Talk.
    pub err: Box<dyn Write + Send>,
    /// Answers.
    pub input: Box<dyn BufRead + Send>,
    /// What is known about them.
    pub facts: Facts,
}

impl Console {
    /// The streams of this process.
    #[must_use]
    pub fn process() -> Self {
        Self {
            out: Box::new(io::stdout()),
            err: Box::new(io::stderr()),
            input: Box::new(BufReader::new(io::stdin())),
            facts: Facts::here(),
        }
    }
}

impl fmt::Debug for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Console").field("facts", &self.facts).finish_non_exhaustive()
    }
}
