//! Arguments.
use clap::{Parser, Subcommand};
use esos_cli::{Global, Section, Tool};
use std::path::PathBuf;

/// Logs of this box: archives on the stick, and the support bundle
#[derive(Debug, Parser)]
#[command(name = "esos-logs", version)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    /// The directory that stands for the mounted partition; without it, that of the booted stick is mounted
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) store: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Move what is in /var/log into an archive on the stick, without losing a line
    Archive {
        /// Only if /var/log holds more than so many bytes
        #[arg(long, value_name = "BYTES", default_value_t = 0)]
        if_larger: u64,
    },
    /// Remove old archives and bundles by the policy; never a crash dump, never a file that is not known
    Prune(Prune),
    /// Make a bundle for whoever helps: what is on the list, without secrets
    Support {
        /// Where to; into the store if not given, or else into /tmp
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// List archives, dumps and bundles on the stick
    List,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Prune {
    /// So many bytes are to be free afterwards
    #[arg(long, value_name = "BYTES", default_value_t = 128 << 20)]
    pub(crate) need: u64,
    /// Log archives take at most so many bytes; half of the partition if not given
    #[arg(long, value_name = "BYTES")]
    pub(crate) budget: Option<u64>,
    /// The newest so many archives stay in any case
    #[arg(long, value_name = "N")]
    pub(crate) keep: Option<usize>,
    /// Only say what would be removed
    #[arg(long)]
    pub(crate) dry_run: bool,
}

impl Tool for Args {
    fn global(&self) -> &Global {
        &self.global
    }

    fn section(global: &Global) -> Option<Section> {
        Some(crate::archive::section(global))
    }
}
