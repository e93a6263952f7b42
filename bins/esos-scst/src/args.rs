//! Arguments.
use clap::{Parser, Subcommand, ValueEnum};
use esos_cli::{Global, Section, Tool};
use std::path::PathBuf;

/// SCST, the SCSI target of this box: scst.conf checked, planned, applied
#[derive(Debug, Parser)]
#[command(
    name = "esos-scst",
    version,
    after_help = "Example: esos scst check /etc/scst.conf && esos scst plan /etc/scst.conf && esos scst apply /etc/scst.conf"
)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Say all that is wrong with a file (exit code 3 where something is); needs neither SCST nor root
    Check {
        /// The file
        file: PathBuf,
        /// A file that configures nothing is no error
        #[arg(long)]
        allow_empty: bool,
    },
    /// Print a file in the one layout: tabs, one entry a line; comments and order stay
    Fmt {
        /// The file
        file: PathBuf,
        /// Print nothing; exit code 4 where the file would change
        #[arg(long, conflicts_with = "write")]
        check: bool,
        /// Replace the file
        #[arg(long)]
        write: bool,
    },
    /// Show what SCST has
    Show {
        /// A recorded state instead of this machine
        #[arg(long, value_name = "STATE.json")]
        state: Option<PathBuf>,
    },
    /// Show what `apply` would do: additive, in order, each operation with its class and reason
    Plan(PlanArgs),
    /// Make SCST what the file says, verified, rolled back when a step fails
    Apply(ApplyArgs),
    /// Write SCST's running configuration to a file; what the file names and is not there now stays in it
    Save {
        /// The file
        #[arg(default_value = "/etc/scst.conf")]
        file: PathBuf,
        /// Print it instead (passwords included)
        #[arg(long)]
        stdout: bool,
    },
    /// List sessions of initiators
    Sessions {
        /// A recorded state instead of this machine
        #[arg(long, value_name = "STATE.json")]
        state: Option<PathBuf>,
    },
    /// Print a file in another form
    Export {
        /// The file
        file: PathBuf,
        /// Which form
        #[arg(long, value_enum)]
        to: Form,
    },
    /// List the generations that `apply` has kept
    History,
    /// What the init script does, step by step
    Service {
        /// Which step
        #[command(subcommand)]
        step: Step,
    },
}

/// Steps of the service.
#[derive(Debug, Subcommand)]
pub(crate) enum Step {
    /// Load the modules that exist; one that does not is said, and stops nothing
    Load,
    /// Wait for the devices of /etc/scst.conf, by event, then apply it; what is absent stays pending
    Up {
        /// Seconds to wait for devices at most
        #[arg(long, value_name = "SECS", default_value_t = 30)]
        budget: u64,
    },
    /// Serve what is pending as soon as it appears; goes on until it is ended
    Watch,
    /// Take targets out of service, so that initiators are logged out and caches are written
    Down,
}

/// Forms of `export`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// As scstadmin reads it, passwords included
    #[value(name = "scst.conf")]
    ScstConf,
    /// JSON, passwords as `***`
    Json,
}

/// What both `plan` and `apply` take.
#[derive(Debug, clap::Args)]
pub(crate) struct PlanArgs {
    /// The wanted configuration
    pub(crate) file: PathBuf,
    /// Remove what the file does not name
    #[arg(long)]
    pub(crate) prune: bool,
    /// Only this object and what is below it, such as iscsi/iqn.2026-01.org.esos:a; may be repeated
    #[arg(long, value_name = "PATH")]
    pub(crate) only: Vec<String>,
    /// Plan for a recorded state instead of this machine
    #[arg(long, value_name = "STATE.json")]
    pub(crate) state: Option<PathBuf>,
    /// A file that configures nothing is meant so
    #[arg(long)]
    pub(crate) allow_empty: bool,
}

/// What `apply` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct ApplyArgs {
    #[command(flatten)]
    pub(crate) plan: PlanArgs,
    /// Only show the plan
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Carry out operations that interrupt service
    #[arg(long)]
    pub(crate) allow_disruptive: bool,
    /// Suspend SCST's commands while writing, waiting that many seconds for those under way [default for
    /// more than 50 writes: 30]
    #[arg(long, value_name = "SECS", num_args = 0..=1, default_missing_value = "30", conflicts_with = "no_suspend")]
    pub(crate) suspend: Option<u32>,
    /// Never suspend
    #[arg(long)]
    pub(crate) no_suspend: bool,
    /// Do not keep the file as /etc/scst.conf and in the history
    #[arg(long)]
    pub(crate) no_persist: bool,
    /// With --state: write the state after it to this file
    #[arg(long, value_name = "NEW.json", requires = "state")]
    pub(crate) state_out: Option<PathBuf>,
    /// Seconds to wait for another manager that holds the lock
    #[arg(long, value_name = "SECS", default_value_t = 5)]
    pub(crate) wait: u64,
}

impl Tool for Args {
    fn global(&self) -> &Global {
        &self.global
    }

    fn section(global: &Global) -> Option<Section> {
        Some(crate::section::section(global))
    }
}
