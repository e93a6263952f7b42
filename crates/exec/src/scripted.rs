//! Programs that are not there.
use crate::{Cmd, ExecError, Exit, Output, Runner};
use std::cell::RefCell;
use std::collections::VecDeque;

/// Answers from a script, in order, and keeps what it was asked.
///
/// Each expectation names the whole command line as [`Cmd`]'s `Display` prints it; a command that is
/// not next in the script gives [`ExecError::Unscripted`].
#[derive(Debug, Default)]
pub struct ScriptedRunner {
    script: RefCell<VecDeque<(String, Result<Output, ExecError>)>>,
    asked: RefCell<Vec<Cmd>>,
}

impl ScriptedRunner {
    /// With an empty script.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Expects a command and answers with an exit code and a text on standard output.
    #[must_use]
    pub fn on(self, command: &str, code: i32, stdout: &str) -> Self {
        let output = Output { status: Exit::Code(code), stdout: stdout.into(), stderr: Vec::new() };
        self.answer(command, Ok(output))
    }

    /// Expects a command and answers with anything.
    #[must_use]
    pub fn answer(self, command: &str, answer: Result<Output, ExecError>) -> Self {
        self.script.borrow_mut().push_back((command.to_owned(), answer));
        self
    }

    /// What it was asked so far.
    #[must_use]
    pub fn asked(&self) -> Vec<Cmd> {
        self.asked.borrow().clone()
    }

    /// Whether the whole script was used.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.script.borrow().is_empty()
    }
}

impl Runner for ScriptedRunner {
    fn run(&self, cmd: &Cmd) -> Result<Output, ExecError> {
        self.asked.borrow_mut().push(cmd.clone());
        let mut script = self.script.borrow_mut();
        match script.front() {
            Some((command, _)) if *command == cmd.to_string() => {}
            _ => return Err(ExecError::Unscripted { command: cmd.to_string() }),
        }
        match script.pop_front() {
            Some((_, answer)) => answer,
            None => Err(ExecError::Unscripted { command: cmd.to_string() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_matters_and_everything_is_kept() {
        let runner = ScriptedRunner::new().on("/sbin/mdadm --detail /dev/md0", 0, "ok");
        assert!(runner.run(&Cmd::new("/sbin/mdadm").arg("--stop")).is_err());
        let out = runner.run(&Cmd::new("/sbin/mdadm").args(["--detail", "/dev/md0"])).unwrap();
        assert_eq!(out.text(), "ok");
        assert!(runner.is_done());
        assert_eq!(runner.asked().len(), 2);
    }
}
