//! Arguments.
use clap::Parser;
use esos_cli::{Global, Section, Tool};

/// What is not well on this box, and what to do: exit code 0 all is well, 1 warnings, 2 critical, 3 not all could be told
#[derive(Debug, Parser)]
#[command(name = "esos-health", version)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    /// Report what is new and what has cleared as events, which are mailed; what is found is kept for the next look
    #[arg(long)]
    pub(crate) report: bool,
    /// Do not miss an initiator any more that had a session and is not to come back
    #[arg(long, value_name = "INITIATOR")]
    pub(crate) forget: Vec<String>,
    /// Say that the box has started, with what is not well; one mail
    #[arg(long)]
    pub(crate) startup: bool,
}

impl Tool for Args {
    fn global(&self) -> &Global {
        &self.global
    }

    fn section(global: &Global) -> Option<Section> {
        Some(crate::section::section(global))
    }
}
