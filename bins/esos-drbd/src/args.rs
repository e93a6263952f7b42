//! Arguments.
use clap::{Parser, Subcommand};
use esos_cli::{Global, Section, Tool};
use std::path::PathBuf;

/// DRBD: state, events, configuration, promotion, and the way out of a split brain
#[derive(Debug, Parser)]
#[command(name = "esos-drbd", version)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Show roles, disks and connections, and whether each resource may be promoted here
    Status(From),
    /// Read a stream of events: every step, and the state at its end
    Events(From),
    /// Show the state again and again, with the progress of resyncs
    Watch(Watch),
    /// Check a drbd.conf or one of the files that it includes
    Check(Check),
    /// Make this node Primary, after looking whether it may
    Promote(Change),
    /// Make this node Secondary
    Demote(Change),
    /// Connect to peers that are not connected
    Connect(Change),
    /// Compare both sides block by block
    Verify(Change),
    /// Grow to the size of the backing devices
    Resize(Change),
    /// End a split brain: one side gives up its changes
    Resolve(Resolve),
}

#[derive(Debug, clap::Args)]
pub(crate) struct From {
    /// A recorded output instead of this machine; `-` is standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) from: Option<PathBuf>,
    /// What printed it, where its grammar does not tell
    #[arg(long, value_name = "KIND", value_parser = kinds(), requires = "from")]
    pub(crate) kind: Option<String>,
    /// The exit code of the command that printed it
    #[arg(long, value_name = "N", requires = "from", allow_negative_numbers = true)]
    pub(crate) rc: Option<i32>,
    /// What the command said on its error stream (default: FILE.stderr where it is there)
    #[arg(long, value_name = "FILE", requires = "from")]
    pub(crate) stderr: Option<PathBuf>,
}

fn kinds() -> clap::builder::PossibleValuesParser {
    esos_drbd::Kind::NAMES.iter().map(|(name, _)| *name).collect::<Vec<_>>().into()
}

#[derive(Debug, clap::Args)]
pub(crate) struct Watch {
    /// Seconds between two looks
    #[arg(long, default_value_t = 2, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) every: u64,
    /// How often to look; without it, until interrupted
    #[arg(long, value_name = "N")]
    pub(crate) times: Option<u64>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Check {
    /// The file (default: /etc/drbd.conf with all that it includes)
    pub(crate) file: Option<PathBuf>,
    /// The generation of DRBD that it is for
    #[arg(long, value_parser = clap::value_parser!(u8).range(8..=9))]
    pub(crate) generation: Option<u8>,
    /// Pacemaker promotes: fencing and its handlers must be there
    #[arg(long)]
    pub(crate) cluster: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Change {
    /// The resource
    pub(crate) resource: String,
    /// Show the steps and do none
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) from: From,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Resolve {
    /// The resource
    pub(crate) resource: String,
    /// The node whose changes are given up
    #[arg(long, value_name = "NODE")]
    pub(crate) discard: String,
    /// This node's name (default: the host's)
    #[arg(long, value_name = "NODE")]
    pub(crate) here: Option<String>,
    /// The other node's name (default: from the connection, or the configuration)
    #[arg(long, value_name = "NODE")]
    pub(crate) peer: Option<String>,
    /// A recorded output of the other node, to tell how many bytes it would lose
    #[arg(long, value_name = "FILE")]
    pub(crate) peer_from: Option<PathBuf>,
    /// Show the steps and do none
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) from: From,
}

impl Tool for Args {
    fn global(&self) -> &Global {
        &self.global
    }

    fn section(global: &Global) -> Option<Section> {
        Some(crate::status::section(global))
    }
}
