//! A run whose streams are kept, for tests.
use crate::{Console, Exit, Facts, Failure, Tool, Ui, run};
use std::ffi::OsString;
use std::io::{self, Cursor, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// How a tool ended and what it printed, when it ran with no terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captured {
    /// How it ended.
    pub exit: Exit,
    /// Data.
    pub stdout: String,
    /// Talk.
    pub stderr: String,
}

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Captured {
    /// Runs a tool with these arguments (the program's name first) and no terminal.
    pub fn run<T: Tool, A: Into<OsString> + Clone>(
        args: impl IntoIterator<Item = A>,
        tool: impl FnOnce(T, &mut Ui) -> Result<Exit, Failure>,
    ) -> Self {
        Self::run_on(args, Facts::pipes(), "", tool)
    }

    /// Runs a tool as if on these streams, with an input.
    pub fn run_on<T: Tool, A: Into<OsString> + Clone>(
        args: impl IntoIterator<Item = A>,
        facts: Facts,
        input: &str,
        tool: impl FnOnce(T, &mut Ui) -> Result<Exit, Failure>,
    ) -> Self {
        let (out, err) = (Kept::default(), Kept::default());
        let console = Console {
            out: Box::new(out.clone()),
            err: Box::new(err.clone()),
            input: Box::new(Cursor::new(input.to_owned())),
            facts,
        };
        let exit = run(args.into_iter().map(Into::into).collect(), console, tool);
        let text = |kept: &Kept| {
            let bytes = kept.0.lock().unwrap_or_else(PoisonError::into_inner);
            String::from_utf8_lossy(&bytes).into_owned()
        };
        Self { exit, stdout: text(&out), stderr: text(&err) }
    }
}
