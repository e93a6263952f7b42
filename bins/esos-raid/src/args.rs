//! Arguments.
use clap::{Args as Flags, Parser, Subcommand, ValueEnum};
use esos_cli::{Global, Section, Tool};
use std::path::PathBuf;

/// RAID controllers and md: every vendor's tool through one command
///
/// Drives and arrays are named as `list` prints them: `0/252:4`, `0/1`, `md0`, `sdb`; with the tool in
/// front where that is not enough: `storcli:0/252:4`. Vendors' tools are looked for in /opt/sbin, or only
/// in the folder that the variable ESOS_RAID_TOOLS names.
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
    #[command(visible_alias = "ls")]
    List,
    /// Show controllers with their arrays, members and free drives as a tree
    Show,
    /// Say what is not well (exit code 4 where something is not)
    Health,
    /// Say which controllers the box has, and which vendor's tool is missing
    Tools,
    /// Make an array. What is on its drives is lost
    Create(Create),
    /// Delete an array. What is on it is lost
    ///
    /// Of md, the superblocks of the members are cleared too, so that the array does not come back.
    #[command(visible_alias = "rm")]
    Delete {
        /// The array
        array: String,
        #[command(flatten)]
        how: How,
    },
    /// Change an array: its name, its level, its drives, its size
    Modify(Modify),
    /// Make a drive a hot spare, or a hot spare a free drive
    #[command(subcommand)]
    Spare(Spare),
    /// Switch the locate light of a drive
    Locate {
        /// The drive
        drive: String,
        /// On or off
        #[arg(default_value = "on")]
        light: Switch,
        #[command(flatten)]
        how: How,
    },
    /// Start a rebuild, watch it, or set its rate
    #[command(subcommand)]
    Rebuild(Rebuild),
    /// Set the cache policy of an array
    Cache {
        /// The array
        array: String,
        /// Keep writes in the cache, or only when they are on the drives
        #[arg(long, value_name = "POLICY", required_unless_present = "read")]
        write: Option<Write>,
        /// Read ahead, or not
        #[arg(long, value_name = "POLICY")]
        read: Option<Read>,
        #[command(flatten)]
        how: How,
    },
    /// Look at, take over, or remove configurations of other controllers
    Foreign {
        /// What to do
        #[arg(value_enum)]
        what: Foreign,
        /// The controller
        controller: String,
        #[command(flatten)]
        how: How,
    },
    /// Check an array for consistency, and mend it where the tool does
    Check {
        /// The array
        array: String,
        #[command(flatten)]
        how: How,
    },
    /// Take a drive out of its array, let it be pulled, or make it free
    Drive {
        /// What to do
        #[arg(value_enum)]
        what: DriveVerb,
        /// The drive
        drive: String,
        #[command(flatten)]
        how: How,
    },
    /// Set a property of a controller, in the words of its tool
    Set {
        /// The controller
        controller: String,
        /// The property and its value
        #[arg(value_name = "NAME=VALUE")]
        property: String,
        #[command(flatten)]
        how: How,
    },
    /// Walk a failed drive from its light to the end of the rebuild; run it again to go on
    Replace {
        /// The drive that goes
        drive: String,
        /// The drive that comes, if it is in another place (md: always)
        #[arg(long, value_name = "DRIVE")]
        with: Option<String>,
        /// Do what can be done now and do not wait
        #[arg(long)]
        no_wait: bool,
        /// Forget an earlier walk of this drive
        #[arg(long)]
        restart: bool,
        #[command(flatten)]
        how: How,
    },
    /// Read the captured output of a tool, for support cases
    ///
    /// A case is a folder with one folder per command; each holds `cmd` (the command line) and `out`
    /// (its standard output), and may hold `err` and `rc`.
    Parse(Parse),
}

/// How a change is made.
#[derive(Debug, Clone, Copy, Flags)]
pub(crate) struct How {
    /// Print the exact commands and what would be lost; do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// How long one command of the tool may take
    #[arg(long, value_name = "SECONDS", default_value_t = 120.0, value_parser = seconds)]
    pub(crate) limit: f64,
}

fn seconds(text: &str) -> Result<f64, String> {
    let good = text.parse::<f64>().ok().filter(|s| s.is_finite() && *s > 0.0 && *s <= 86_400.0);
    good.ok_or_else(|| "expected seconds, more than 0 and up to a day".to_owned())
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Switch {
    On,
    Off,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Write {
    Back,
    Through,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Read {
    Ahead,
    None,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Foreign {
    Scan,
    Import,
    Clear,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum DriveVerb {
    /// Take it out of its array, which is degraded then
    Fail,
    /// Let a drive that failed be pulled
    Detach,
    /// Make a bad or foreign drive, or a former member, free
    Free,
}

#[derive(Debug, Flags)]
pub(crate) struct Create {
    /// The level: 0, 1, 5, 6, 10, 50, 60
    #[arg(long, value_name = "LEVEL")]
    pub(crate) level: String,
    /// Its drives
    #[arg(required = true, value_name = "DRIVE")]
    pub(crate) drives: Vec<String>,
    /// Its name (md: required)
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Its strip
    #[arg(long, value_name = "KIB")]
    pub(crate) strip: Option<u64>,
    /// Its size; all of the drives without it
    #[arg(long, value_name = "MIB")]
    pub(crate) size: Option<u64>,
    /// How many spans (levels 10, 50, 60)
    #[arg(long, value_name = "COUNT", default_value_t = 0, hide_default_value = true)]
    pub(crate) spans: u64,
    /// Keep writes in the cache, or only when they are on the drives
    #[arg(long, value_name = "POLICY")]
    pub(crate) write: Option<Write>,
    /// Read ahead, or not
    #[arg(long, value_name = "POLICY")]
    pub(crate) read: Option<Read>,
    #[command(flatten)]
    pub(crate) how: How,
}

#[derive(Debug, Flags)]
pub(crate) struct Modify {
    /// The array
    pub(crate) array: String,
    /// Give it this name
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Give it this level
    #[arg(long, value_name = "LEVEL")]
    pub(crate) level: Option<String>,
    /// Add this drive; may be given again
    #[arg(long, value_name = "DRIVE")]
    pub(crate) add: Vec<String>,
    /// Let it use all of the room that its drives have
    #[arg(long)]
    pub(crate) grow: bool,
    #[command(flatten)]
    pub(crate) how: How,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Spare {
    /// Make a free drive a hot spare. What is on it is lost
    Add {
        /// The drive
        drive: String,
        /// For this array, drive group or HP array alone (md: required)
        #[arg(long = "for", value_name = "ARRAY")]
        of: Option<String>,
        #[command(flatten)]
        how: How,
    },
    /// Make a hot spare a free drive
    Remove {
        /// The drive
        drive: String,
        #[command(flatten)]
        how: How,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Rebuild {
    /// Rebuild onto a drive
    Start {
        /// The drive
        drive: String,
        /// The array (3ware, md)
        #[arg(long, value_name = "ARRAY")]
        array: Option<String>,
        #[command(flatten)]
        how: How,
    },
    /// Wait until nothing is being rebuilt, and say how far it is
    Watch {
        /// This array alone
        array: Option<String>,
        /// Seconds between two looks
        #[arg(long, value_name = "SECONDS", default_value_t = 5)]
        interval: u64,
    },
    /// Say how much of its time a controller may use for rebuilding
    Rate {
        /// The controller
        controller: String,
        /// 0 to 100
        percent: u64,
        #[command(flatten)]
        how: How,
    },
}

#[derive(Debug, Flags)]
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

    fn section(global: &Global) -> Option<Section> {
        Some(crate::section::section(global))
    }
}
