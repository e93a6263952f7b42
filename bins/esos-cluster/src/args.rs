//! Arguments.
use clap::{Parser, Subcommand, ValueEnum};
use esos_cli::{Global, Section, Tool};
use std::path::PathBuf;

/// The cluster: state, why things are where they are, set-up, checks
#[derive(Debug, Parser)]
#[command(name = "esos-cluster", version)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Show nodes, resources, fencing and what failed
    Status(From),
    /// Say in one sentence why a resource is (not) running or promoted, since when, and what to do
    Explain(Explain),
    /// Show the state again and again, where it changes
    Watch(Watch),
    /// Check a corosync.conf or a CIB (default: this machine's, both)
    Check(Check),
    /// Compare the configuration of two boxes: CIBs, or files that must be equal on both
    Diff(Diff),
    /// Make a whole cluster from one short TOML: one sealed file for each box
    Init(Init),
    /// Apply the sealed file of this box
    Join(Join),
    /// Hand a resource over to a node
    Move(Move),
    /// Begin or end maintenance: Pacemaker leaves everything alone
    Maintenance(Maintenance),
    /// Look whether every node can be fenced; with --really, fence one
    FenceTest(FenceTest),
}

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct From {
    /// A recorded `crm_mon --output-as=xml` instead of this machine; `-` is standard input
    #[arg(long, value_name = "CRM_MON.xml")]
    pub(crate) from: Option<PathBuf>,
    /// The exit code of the command that printed it
    #[arg(long, value_name = "N", requires = "from")]
    pub(crate) rc: Option<i32>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Explain {
    /// The resource: a primitive, group or clone
    pub(crate) resource: String,
    /// Why is it (not) on this node?
    #[arg(long, value_name = "NODE")]
    pub(crate) node: Option<String>,
    #[command(flatten)]
    pub(crate) from: From,
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
    /// The file
    pub(crate) file: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Diff {
    /// A CIB or corosync.conf
    pub(crate) first: PathBuf,
    /// Another
    pub(crate) second: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Init {
    /// The short TOML
    pub(crate) file: PathBuf,
    /// Where the sealed files go; without it the plan is only shown
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// The generation of DRBD (default: 8 for two nodes, 9 for three)
    #[arg(long, value_parser = clap::value_parser!(u8).range(8..=9))]
    pub(crate) generation: Option<u8>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Join {
    /// The sealed file of this box
    pub(crate) file: PathBuf,
    /// The name of this box (default: the host's)
    #[arg(long, value_name = "NODE")]
    pub(crate) node: Option<String>,
    /// Show what would be written and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Move {
    /// The resource
    pub(crate) resource: String,
    /// Where to
    #[arg(long, value_name = "NODE")]
    pub(crate) to: String,
    /// Show the steps and do none
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// A recorded state of DRBD, for the look whether a resync is running
    #[arg(long, value_name = "FILE")]
    pub(crate) drbd_from: Option<PathBuf>,
    /// A recorded CIB, for whom the resource follows
    #[arg(long, value_name = "FILE")]
    pub(crate) cib_from: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) from: From,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnOff {
    On,
    Off,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Maintenance {
    /// Begin or end
    pub(crate) what: OnOff,
    /// Of one node, not of the whole cluster
    #[arg(long, value_name = "NODE")]
    pub(crate) node: Option<String>,
    /// Show the step and do it not
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct FenceTest {
    /// The node (default: all, looking only)
    pub(crate) node: Option<String>,
    /// Fence it: the node restarts
    #[arg(long, requires = "node")]
    pub(crate) really: bool,
    #[command(flatten)]
    pub(crate) from: From,
}

impl Tool for Args {
    fn global(&self) -> &Global {
        &self.global
    }

    fn section(global: &Global) -> Option<Section> {
        Some(crate::state::section(global))
    }
}
