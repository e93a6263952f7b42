//! Arguments.
use clap::{Parser, Subcommand};
use esos_cli::{Global, Tool};

/// First login, the answer file, and the login banner
#[derive(Debug, Parser)]
#[command(name = "esos-setup", version)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// What getty runs: the first-login dialogue for root of a fresh box, otherwise login(1)
    Login {
        /// Who logs in
        name: String,
    },
    /// At boot: apply esos/answers.conf of the stick's boot partition where the box is not set up yet
    Answers,
    /// Write the login banner anew and make waiting gettys show it
    Banner,
    /// Say whether the box has been set up (exit code 4 where it has not)
    Check,
}

impl Tool for Args {
    fn global(&self) -> &Global {
        &self.global
    }
}
