//! Flags that every tool has.
use crate::ColorChoice;
use std::path::{Path, PathBuf};

/// Flags that every tool has; flatten them into its arguments.
#[derive(Debug, Clone, clap::Args)]
pub struct Global {
    /// Print one JSON document instead of text; errors too
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub json: bool,
    /// Work on a copied tree instead of this machine
    #[arg(long, global = true, value_name = "DIR", default_value = "/", help_heading = "Everywhere")]
    pub root: PathBuf,
    /// Do destructive things without asking
    #[arg(short, long, global = true, help_heading = "Everywhere")]
    pub yes: bool,
    /// Say nothing but results and errors
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = "Everywhere")]
    pub quiet: bool,
    /// Say more; twice, still more
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Everywhere")]
    pub verbose: u8,
    /// Colours
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        value_enum,
        default_value_t,
        help_heading = "Everywhere"
    )]
    pub color: ColorChoice,
}

impl Global {
    /// Whether the tool works on this machine and not on a copied tree.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.root == Path::new("/")
    }
}

impl Default for Global {
    fn default() -> Self {
        Self {
            json: false,
            root: PathBuf::from("/"),
            yes: false,
            quiet: false,
            verbose: 0,
            color: ColorChoice::Auto,
        }
    }
}
