//! The command line.
use clap::{Parser, Subcommand};
use esos_cli::{Global, Tool};
use std::ffi::OsString;

/// ESOS, the Enterprise Storage OS: the whole box at a glance, and its tools
///
/// `esos TOOL ARGS` runs `esos-TOOL ARGS`. Flags before TOOL are passed on to it.
#[derive(Debug, Parser)]
#[command(name = "esos", version, disable_help_subcommand = true)]
pub(crate) struct Args {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    pub(crate) verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Show the box: version, slot, addresses, stick, memory, and what every tool tells
    Status,
    /// Look for what is wrong, and say what to do about it
    ///
    /// Exit code 1 where anything is critical or wants attention.
    Doctor,
    /// List the tools that are installed
    Tools,
    /// Show the help of a tool
    Help {
        /// The tool, such as `raid`
        tool: Option<String>,
    },
    #[command(external_subcommand)]
    Tool(Vec<OsString>),
}

impl Tool for Args {
    fn global(&self) -> &Global {
        &self.global
    }
}
