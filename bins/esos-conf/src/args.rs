//! Arguments.
use clap::{Parser, Subcommand};
use esos_cli::{Global, Section, Tool};
use std::path::PathBuf;

/// The configuration of this box on its stick, and its history
#[derive(Debug, Parser)]
#[command(name = "esos-conf", version)]
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
    /// Write what has changed to the stick, as one generation; nothing, where nothing has
    Sync {
        /// Why, for the history
        #[arg(long, default_value = "by hand")]
        reason: String,
    },
    /// Say what is on the stick, what was restored, and what is not on the stick yet (exit code 4)
    Status,
    /// List generations, newest last
    Log,
    /// Show what differs between two generations, or between one and the box (exit code 4)
    Diff {
        /// `@ID` once or twice (the newest generation and the box if not given), then paths
        what: Vec<String>,
    },
    /// Make the box as a generation says: the newest whole one, or @ID; with paths, only those
    Restore {
        /// `@ID`, then paths
        what: Vec<String>,
        /// Only say what would be done
        #[arg(long)]
        dry_run: bool,
        /// As the boot does: an empty store is no failure, and what happened is mailed
        #[arg(long)]
        boot: bool,
        /// At boot, where the store cannot be had: why. Nothing is restored, and that is remembered and mailed
        #[arg(long, value_name = "WHY", requires = "boot", conflicts_with_all = ["what", "dry_run"])]
        because: Option<String>,
    },
    /// Take in a stick of the original ESOS, a backup of it, or an export, and put it on this box
    Import {
        /// A directory with `etckeeper.git` and `rsync_dirs` (the store itself if not given), a tarball, or an export
        source: Option<PathBuf>,
        /// The first line of this file opens an encrypted export; `-` is standard input
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
    },
    /// Write a generation into one file, encrypted with a passphrase (age)
    Export {
        /// Where to
        file: PathBuf,
        /// `@ID`; the newest if not given
        what: Option<String>,
        /// The passphrase is the first line of this file; `-` is standard input
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
        /// Not encrypted: passwords and keys can be read by everybody who gets the file
        #[arg(long, conflicts_with = "passphrase_file")]
        plain: bool,
    },
    /// Read generations back, every byte (exit code 3 where one is damaged)
    Verify {
        /// `@ID`, only that one; all of them if not given
        what: Option<String>,
    },
    /// Drop old generations and free what only they needed
    Prune,
    /// Make another directory hold the same generations: the mounted partition of a second stick
    Mirror {
        /// The directory
        to: PathBuf,
        /// Throw away generations that only the mirror has
        #[arg(long)]
        replace: bool,
    },
    /// Sync whenever something has changed and it is quiet, without end, as init runs it
    Watch,
}

impl Tool for Args {
    fn global(&self) -> &Global {
        &self.global
    }

    fn section(global: &Global) -> Option<Section> {
        Some(crate::section::section(global))
    }
}
