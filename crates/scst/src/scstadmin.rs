//! scstadmin's command line, for scripts and agents that were written for the Perl program: its flags, its
//! exit codes (0 and 1), its last line of output.
//!
//! The flags that SCST's init script, the original ESOS (init script, agents, TUI), resource-agents' and
//! TrueNAS use are taken; `docs/scstadmin.md` lists them with their sources, and where this differs from the
//! Perl program on purpose.
mod config;
mod flags;
mod list;
mod single;

use crate::apply::{ApplyError, Journal, StepError};
use crate::live::Live;
use crate::model::Config;
use crate::observe::{ObserveError, observe};
use crate::plan::Plan;
use crate::planner::Policy;
use esos_sysfs::AttrTree;
use flags::{Flags, Operation};

/// What the applet needs of the machine beside SCST's tree.
pub trait Host {
    /// A whole file.
    ///
    /// # Errors
    /// The reason as `strerror` has it (`No such file or directory`).
    fn read(&mut self, path: &str) -> Result<String, String>;

    /// Replaces a file whole, with mode 0600.
    ///
    /// # Errors
    /// The reason.
    fn write(&mut self, path: &str, text: &str) -> Result<(), String>;

    /// What the planner must know of the machine for a configuration.
    fn policy(&mut self, wanted: &Config) -> Policy;

    /// Carries a plan out, everything allowed, with the journal that outlives a crash.
    ///
    /// # Errors
    /// The reason in one line, secrets masked.
    fn apply(&mut self, live: &Live, planned: &Plan, wanted: &Config, policy: &Policy)
    -> Result<(), Refusal>;

    /// Asks yes or no on the terminal; `None` where nobody can be asked.
    fn ask(&mut self, question: &str) -> Option<bool>;

    /// Waits for queued commands.
    fn journal(&mut self) -> &mut dyn Journal;
}

/// Why a plan was not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// In one line, secrets masked.
    pub why: String,
    /// The attribute that was written and is not there, by its path in the tree.
    pub absent: Option<String>,
}

impl From<&ApplyError> for Refusal {
    fn from(error: &ApplyError) -> Self {
        let ApplyError::RolledBack { source, .. } = error else {
            return Self { why: error.to_string(), absent: None };
        };
        let absent = match source.as_ref() {
            StepError::Write(e) if e.is_not_found() => Some(e.path.clone()),
            _ => None,
        };
        Self { why: format!("{error}: {source}"), absent }
    }
}

/// How a run ended, and what it printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// 0 or 1.
    pub code: u8,
    /// Standard output.
    pub out: String,
}

/// A run that ends at once.
enum End {
    /// `FATAL: …`, exit code 1.
    Fatal(String),
    /// A line as it is, exit code 1.
    Said(String),
    /// A line as it is, exit code 0.
    Enough(String),
}

type Done<T = ()> = Result<T, End>;

/// Runs one command line, the program's name not included.
pub fn run(args: &[String], tree: &dyn AttrTree, host: &mut dyn Host) -> Outcome {
    let mut run = Run { tree, host, out: String::new(), code: 0 };
    match run.all(args) {
        Ok(()) => run.line("\nAll done."),
        Err(End::Fatal(why)) => {
            run.out.push_str(&format!("\n\nFATAL: Received the following error:\n\n\t{why}\n\n"));
            run.code = 1;
        }
        Err(End::Said(line)) => {
            run.line(&line);
            run.code = 1;
        }
        Err(End::Enough(line)) => run.line(&line),
    }
    Outcome { code: run.code, out: run.out }
}

struct Run<'r> {
    tree: &'r dyn AttrTree,
    host: &'r mut dyn Host,
    out: String,
    code: u8,
}

impl Run<'_> {
    fn line(&mut self, line: &str) {
        self.out.push_str(line);
        self.out.push('\n');
    }

    fn all(&mut self, args: &[String]) -> Done {
        let flags = Flags::parse(args).map_err(End::Said)?;
        if flags.help {
            return Err(End::Enough(flags::USAGE.to_owned()));
        }
        if flags.operations.iter().filter(|o| !o.is_query()).count() > 1 {
            return Err(End::Said("Please specify only one non-query operation at a time.".to_owned()));
        }
        if let Some(Operation::ClearConfig) = flags.operations.first()
            && !flags.force
        {
            return Err(End::Said("Please specify -force with -clear_config.".to_owned()));
        }
        let live = self.collect()?;
        let Some(operation) = flags.operations.first().cloned() else {
            return Err(End::Said("\nNo valid operations specified.".to_owned()));
        };
        match operation {
            Operation::Config(file) => self.config(&live, &file, &flags),
            Operation::CheckConfig(file) => self.check(&file).map(|_| ()),
            Operation::WriteConfig(file) => self.write_config(&live, &file),
            Operation::ClearConfig => self.clear(&live, &flags),
            Operation::List(what, name) => self.list(&live, &what, &name, &flags),
            Operation::Single(what, name) => self.single(&live, &what, &name, &flags),
        }
    }

    fn collect(&mut self) -> Done<Live> {
        self.line("\nCollecting current configuration: done.");
        observe(self.tree).map_err(|e| match e {
            ObserveError::NotLoaded => {
                End::Fatal("SCST is not loaded: /sys/kernel/scst_tgt is not there.".to_owned())
            }
            other => End::Fatal(other.to_string()),
        })
    }

    /// Asks before something is lost, as scstadmin does: without a terminal the answer is no.
    fn agreed(&mut self, flags: &Flags) -> bool {
        if flags.noprompt {
            return true;
        }
        let question = "Performing this action may result in lost or corrupt data, are you sure you wish to continue (y/[n]) ? ";
        self.out.push('\n');
        self.out.push_str(question);
        let agreed = self.host.ask(question).unwrap_or(false);
        if !agreed {
            self.line("Aborting action.");
        }
        agreed
    }
}
