//! The door to other programs: one program, exact arguments, a time limit, both streams.
//!
//! Never a shell, never `$PATH` at run time: a [`Cmd`] names an absolute program and a list of
//! arguments that reach it byte for byte. The child runs with `LC_ALL=C` and otherwise only the
//! environment that the command states. [`HostRunner`] runs it; [`ScriptedRunner`] answers from a
//! script in tests and keeps what it was asked.
//!
//! ```
//! use esos_exec::{Cmd, HostRunner, Runner};
//! use std::time::Duration;
//!
//! let out = HostRunner.run(&Cmd::new("/bin/echo").arg("a b; $(c)").limit(Duration::from_secs(5)))?;
//! assert_eq!(out.stdout, b"a b; $(c)\n");
//! assert!(out.status.success());
//! # Ok::<(), esos_exec::ExecError>(())
//! ```
mod cmd;
mod host;
mod output;
mod scripted;

pub use cmd::Cmd;
pub use host::HostRunner;
pub use output::{ExecError, Exit, Output};
pub use scripted::ScriptedRunner;

/// Whoever can run a program.
pub trait Runner {
    /// Runs a program to its end and returns its status and both streams, whatever the status is.
    ///
    /// # Errors
    /// [`ExecError::NotFound`] where there is no such program, [`ExecError::Timeout`] when the limit
    /// passed (the whole process group is killed then), [`ExecError::Io`] otherwise.
    fn run(&self, cmd: &Cmd) -> Result<Output, ExecError>;
}

impl<R: Runner + ?Sized> Runner for &R {
    fn run(&self, cmd: &Cmd) -> Result<Output, ExecError> {
        (**self).run(cmd)
    }
}
