//! What can be done to a controller, and the exact command lines for it.
//!
//! The grammar of each tool is in a module of its own; no shell is ever involved, so names with blanks,
//! quotes or `$()` reach the tool as one argument.
mod arcconf;
mod areca;
mod check;
mod hp;
mod md;
mod megacli;
mod storcli;
mod tw_cli;

use crate::shape::{ShapeError, natural_spans};
use crate::{Level, Tool};
use esos_exec::Cmd;
use esos_units::Secret;
use std::time::Duration;

/// An array to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewArray {
    /// Its level.
    pub level: Level,
    /// Its drives, by key.
    pub drives: Vec<String>,
    /// Spans; 0 is the level's own.
    pub spans: u64,
    /// Strip size in KiB.
    pub strip_kib: Option<u64>,
    /// Its name.
    pub name: Option<String>,
    /// Whether writes are cached.
    pub write_back: Option<bool>,
    /// Whether reads are cached ahead.
    pub read_ahead: Option<bool>,
    /// Its size in MiB; all of the drives without it.
    pub size_mib: Option<u64>,
    /// The number that its raid set gets (Areca).
    pub group: Option<String>,
}

impl NewArray {
    /// An array of that level on those drives; the tool chooses the rest.
    #[must_use]
    pub fn new(level: Level, drives: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            level,
            drives: drives.into_iter().map(Into::into).collect(),
            spans: 0,
            strip_kib: None,
            name: None,
            write_back: None,
            read_ahead: None,
            size_mib: None,
            group: None,
        }
    }

    /// How many spans it has: what was asked for, or the level's own number.
    #[must_use]
    pub fn span_count(&self) -> u64 {
        let count = u64::try_from(self.drives.len()).unwrap_or(u64::MAX);
        if self.spans == 0 { natural_spans(&self.level, count) } else { self.spans }
    }
}

/// What to do. Ids are those of the tool's own facts.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// Make an array. Destroys what is on the drives.
    Create(NewArray),
    /// Delete an array. Destroys what is on it.
    Delete {
        /// Its id.
        array: String,
        /// The members whose superblocks are cleared then, so that it does not come back (md).
        members: Vec<String>,
        /// The raid set that goes with its last volume (Areca).
        group: Option<String>,
    },
    /// Make a drive a hot spare, for one array or group, or for all.
    AddSpare {
        /// The drive.
        drive: String,
        /// The array, drive group or HP array; `None` is all.
        of: Option<String>,
    },
    /// Make a hot spare a free drive again.
    RemoveSpare {
        /// The drive.
        drive: String,
        /// The HP array or md device that it serves.
        of: Option<String>,
    },
    /// Switch the locate light of a drive.
    Locate {
        /// The drive.
        drive: String,
        /// On or off.
        on: bool,
    },
    /// Change the cache policy of an array.
    Cache {
        /// Its id.
        array: String,
        /// Whether writes are cached.
        write_back: Option<bool>,
        /// Whether reads are cached ahead.
        read_ahead: Option<bool>,
    },
    /// Give an array another name.
    Rename {
        /// Its id.
        array: String,
        /// The name.
        name: String,
    },
    /// Give an array more drives, another level, or both.
    Reshape {
        /// Its id.
        array: String,
        /// The level that it has today.
        from: Level,
        /// The level that it has then.
        level: Level,
        /// Its drives of today, in order.
        members: Vec<String>,
        /// The drives that are added. What is on them is destroyed.
        added: Vec<String>,
        /// The HP array or Areca raid set that it is cut from.
        group: Option<String>,
    },
    /// Let an array use all of the room that its drives have.
    Grow {
        /// Its id.
        array: String,
        /// The level that it has (arcconf wants it again).
        level: Level,
        /// Its drives, in order (arcconf wants them again).
        members: Vec<String>,
    },
    /// Take a drive out of its array: the array is degraded from then on.
    Fail {
        /// The drive.
        drive: String,
        /// The array (md).
        array: Option<String>,
    },
    /// Let a drive that failed be pulled.
    Detach {
        /// The drive.
        drive: String,
        /// The array (md).
        array: Option<String>,
    },
    /// Make a drive that was bad, foreign or a member free again. Destroys what is on it.
    Free {
        /// The drive.
        drive: String,
    },
    /// Copy a drive that still works to another one, which takes its place.
    Swap {
        /// The array (md).
        array: String,
        /// The drive that leaves.
        old: String,
        /// The drive that comes. What is on it is destroyed.
        new: String,
    },
    /// Start to rebuild onto a drive.
    Rebuild {
        /// The drive.
        drive: String,
        /// The array (3ware, md).
        array: Option<String>,
    },
    /// Check, and mend, an array.
    Check {
        /// Its id.
        array: String,
    },
    /// List foreign configurations.
    ForeignScan,
    /// Take foreign configurations over.
    ForeignImport,
    /// Remove foreign configurations. Destroys the arrays that they describe.
    ForeignClear,
    /// Set how much of the controller's time rebuilding may take, in percent.
    RebuildRate {
        /// 0 to 100.
        percent: u64,
    },
    /// Set a property of the controller, in the tool's own words.
    Property {
        /// Its name.
        name: String,
        /// Its value.
        value: String,
    },
}

impl Change {
    /// Whether data can be lost.
    #[must_use]
    pub fn is_destructive(&self) -> bool {
        match self {
            Self::Create(_)
            | Self::Delete { .. }
            | Self::ForeignClear
            | Self::AddSpare { .. }
            | Self::Free { .. }
            | Self::Fail { .. }
            | Self::Swap { .. }
            | Self::Rebuild { .. } => true,
            Self::Reshape { added, .. } => !added.is_empty(),
            _ => false,
        }
    }
}

/// Why there is no command line for a change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// The tool has no command for it.
    #[error("{tool} cannot do this")]
    Unsupported {
        /// The tool.
        tool: Tool,
    },
    /// A drive or array whose name is not one of this tool.
    #[error("`{id}` is no {what} of {tool}")]
    Id {
        /// What was given.
        id: String,
        /// What it should be.
        what: &'static str,
        /// The tool.
        tool: Tool,
    },
    /// A name that the controller would not keep.
    #[error("a name is 1 to {longest} characters without control characters, `{name}` is not")]
    Name {
        /// The name.
        name: String,
        /// The longest.
        longest: usize,
    },
    /// A number out of the tool's range.
    #[error("{what} is {range}, not {given}")]
    Range {
        /// Of what.
        what: &'static str,
        /// What is allowed.
        range: &'static str,
        /// What was given.
        given: u64,
    },
    /// The tool has the command, but not with this.
    #[error("{tool} has no way to choose {what} when it makes an array")]
    Option {
        /// The tool.
        tool: Tool,
        /// What cannot be chosen.
        what: &'static str,
    },
    /// The drives cannot become that array.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// Something that this change needs was not given.
    #[error("{tool} needs {what} for this")]
    Needs {
        /// The tool.
        tool: Tool,
        /// What is missing.
        what: &'static str,
    },
}

/// Whom a change concerns.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Place {
    /// The tool.
    pub tool: Tool,
    /// Where it is.
    pub program: String,
    /// The controller's id in the tool's words; md has none.
    pub controller: String,
    /// The controller's password (Areca). The maker's own is `0000`.
    pub password: Secret,
    /// How long one command may take. Controllers answer slowly, and none of the commands waits for its
    /// task.
    pub limit: Duration,
}

impl Place {
    /// A controller of a tool.
    #[must_use]
    pub fn new(tool: Tool, program: &str, controller: &str) -> Self {
        Self {
            tool,
            program: program.to_owned(),
            controller: controller.to_owned(),
            password: Secret::new("0000"),
            limit: LIMIT,
        }
    }
}

/// How long a command may take unless told otherwise.
const LIMIT: Duration = Duration::from_secs(120);

/// The command lines that do it, in order: each must succeed before the next is run.
///
/// # Errors
/// The tool cannot do it, an id is none of this tool's, or the drives cannot become that array. No tool
/// is started by this function.
pub fn commands(place: &Place, change: &Change) -> Result<Vec<Cmd>, ChangeError> {
    let (tool, controller) = (place.tool, place.controller.as_str());
    check::change(tool, controller, change)?;
    let lines = match tool {
        Tool::Storcli | Tool::Storcli2 | Tool::Perccli => storcli::lines(controller, change),
        Tool::Megacli => megacli::lines(controller, change),
        Tool::Arcconf => arcconf::lines(controller, change),
        Tool::Hpacucli | Tool::Ssacli => hp::lines(tool, controller, change)?,
        Tool::Areca => {
            let said = areca::lines(change).ok_or(ChangeError::Unsupported { tool })?;
            return Ok(areca::sessions(place, said));
        }
        Tool::TwCli => tw_cli::lines(controller, change),
        Tool::Mdadm | Tool::Mdstat => md::lines(tool, change)?,
    };
    let lines = lines.filter(|lines| !lines.is_empty()).ok_or(ChangeError::Unsupported { tool })?;
    Ok(lines.into_iter().map(|args| Cmd::new(&place.program).args(args).limit(place.limit)).collect())
}

/// A command as people read it, with what it reads on its standard input; passwords are hidden.
#[must_use]
pub fn shown(cmd: &Cmd) -> String {
    let input = String::from_utf8_lossy(cmd.input());
    let said: Vec<&str> = input
        .lines()
        .map(|line| if line.starts_with("set password=") { "set password=***" } else { line })
        .collect();
    if said.is_empty() { cmd.to_string() } else { format!("{cmd} <<< '{}'", said.join("; ")) }
}

/// Command lines without the program; none where the tool has no command for it.
type Lines = Option<Vec<Vec<String>>>;

/// One command line from words.
macro_rules! line {
    ($($word:expr),* $(,)?) => { vec![$($word.to_string()),*] };
}
use line;

/// `5` of RAID 5.
fn level_digits(level: &Level) -> &str {
    level.as_str().trim_start_matches("raid")
}
