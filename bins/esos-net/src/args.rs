//! Arguments.
use clap::{Parser, Subcommand};
use esos_cli::{Global, Section, Tool};

/// The network of this box: /etc/network.conf
#[derive(Debug, Parser)]
#[command(
    name = "esos-net",
    version,
    after_help = "Example: esos net check && esos net plan && esos net apply"
)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Say what is wrong with /etc/network.conf (exit code 3 where something is)
    Check {
        /// Another file than /etc/network.conf
        file: Option<std::path::PathBuf>,
    },
    /// Show interfaces, addresses and what the file says about them
    Show,
    /// Show the commands and files that `apply` would run and write
    Plan,
    /// Make the network what the file says; refused where the file has an error
    Apply {
        /// Only print the plan
        #[arg(long)]
        dry_run: bool,
    },
    /// At boot: make it so as far as the file can be understood, then wait a while for DHCP
    Up {
        /// Seconds to wait for addresses at most
        #[arg(long, default_value_t = 25)]
        wait: u64,
    },
    /// At shutdown: give leases back and switch interfaces off
    Down,
}

impl Tool for Args {
    fn global(&self) -> &Global {
        &self.global
    }

    fn section(global: &Global) -> Option<Section> {
        Some(crate::section::section(global))
    }
}
