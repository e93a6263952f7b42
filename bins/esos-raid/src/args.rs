//! Arguments.
use clap::{Parser, Subcommand};
use esos_cli::{Global, Tool};
use std::path::PathBuf;

/// RAID controllers and md: every vendor's tool through one command
#[derive(Debug, Parser)]
#[command(name = "esos-raid", version)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List controllers, arrays and drives of every tool that is installed
    List,
    /// Show controllers with their arrays, members and free drives as a tree
    Show,
    /// Say what is not well (exit code 4 where something is not)
    Health,
    /// Say which vendors' tools are installed
    Tools,
    /// Read the captured output of a tool, for support cases
    ///
    /// A case is a folder with one folder per command; each holds `cmd` (the command line) and `out`
    /// (its standard output), and may hold `err` and `rc`.
    Parse(Parse),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Parse {
    /// The tool that printed it
    #[arg(long, required_unless_present = "corpus", value_name = "NAME")]
    pub(crate) tool: Option<esos_raid::Tool>,
    /// The folder of the case
    #[arg(required_unless_present = "corpus", value_name = "CASE_DIR")]
    pub(crate) case: Option<PathBuf>,
    /// Compare with the case's expect.json (exit code 4 where they differ)
    #[arg(long)]
    pub(crate) expect: bool,
    /// Read every case of a folder with one folder per tool
    #[arg(long, value_name = "DIR", requires = "expect", conflicts_with_all = ["tool", "case"])]
    pub(crate) corpus: Option<PathBuf>,
}

impl Tool for Args {
    fn global(&self) -> &Global {
        &self.global
    }
}
