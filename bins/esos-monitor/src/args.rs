//! Arguments.
use clap::{Parser, Subcommand};
use esos_alert::{EventId, Severity};
use esos_cli::{Global, Tool};

/// Events of this box, and the mails that tell of them
#[derive(Debug, Parser)]
#[command(name = "esos-monitor", version)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Take the reports that lie in the inbox, queue mails, deliver what is due; once
    Run {
        /// Try mails at once that wait for their next try
        #[arg(long)]
        all: bool,
    },
    /// Do so again and again, and watch the boot stick, as init runs it
    Watch,
    /// Put a report into the inbox
    Report(ReportArgs),
    /// List events: how each stands, since when, how often
    List {
        /// Those too that are cleared
        #[arg(long)]
        all: bool,
    },
    /// List mails that wait, and those that were given up
    Queue,
    /// Send a mail that only says that it arrives (exit code 1 where it is not taken)
    Test {
        /// To this address instead of the settings'
        #[arg(long, value_name = "ADDRESS")]
        to: Option<String>,
    },
    /// Mail nothing of some events for a time; one mail says so when it ends
    Silence {
        /// An event, or the beginning of events and `*`
        pattern: String,
        /// How long: 30m, 2h, 1d
        #[arg(long = "for", value_name = "TIME", value_parser = seconds)]
        time: u64,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// End a silence now
    Unsilence {
        /// As it was given
        pattern: String,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct ReportArgs {
    /// The event: words parted by `/`, such as `raid/md/md0/degraded`
    pub(crate) id: EventId,
    /// info, warning or critical
    #[arg(long, default_value = "warning")]
    pub(crate) severity: Severity,
    /// One line: what was found, and where
    #[arg(long)]
    pub(crate) subject: String,
    /// More about it; `-` reads standard input
    #[arg(long, default_value = "")]
    pub(crate) text: String,
    /// What to do
    #[arg(long)]
    pub(crate) remedy: Option<String>,
    /// It happened once; there is nothing that could clear
    #[arg(long, conflicts_with = "cleared")]
    pub(crate) happened: bool,
    /// It is no longer so
    #[arg(long)]
    pub(crate) cleared: bool,
}

impl Tool for Args {
    fn global(&self) -> &Global {
        &self.global
    }
}

fn seconds(text: &str) -> Result<u64, String> {
    let expected = || format!("`{text}` is no time: 90s, 30m, 2h or 1d");
    let unit = match text.chars().last() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3600,
        Some('d') => 86_400,
        _ => return Err(expected()),
    };
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = number.parse().map_err(|_e| expected())?;
    number.checked_mul(unit).ok_or_else(expected)
}
