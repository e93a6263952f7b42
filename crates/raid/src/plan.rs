//! What a change would do, before anything is done: the commands, what is lost, what forbids it.
mod guard;
mod resolve;

use crate::{Change, ChangeError, Facts, Level, NewArray, Place, Tool, commands, data_drives, shown};
use esos_blockdev::{Claims, Inventory, Signature};
use esos_exec::Cmd;
use esos_units::Bytes;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;

pub use resolve::array_of_drive;

/// What the machine does with block devices: who uses them and what lies on them.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Surroundings {
    /// Its block devices.
    pub inventory: Option<Inventory>,
    /// Mounts, swap, what SCST hands out, the boot stick.
    pub claims: Claims,
    /// Superblocks by device, of those that were probed.
    pub contents: BTreeMap<String, Vec<Signature>>,
}

impl Surroundings {
    /// Of an inventory and its claims; nothing was probed.
    #[must_use]
    pub fn new(inventory: Inventory, claims: Claims) -> Self {
        Self { inventory: Some(inventory), claims, contents: BTreeMap::new() }
    }
}

/// A change that may be made, and all that is known about it.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Plan {
    /// The tool.
    pub tool: Tool,
    /// The controller's id; empty for md.
    pub controller: String,
    /// What it does, in one sentence without a full stop.
    pub what: String,
    /// The exact commands, in order.
    #[serde(serialize_with = "as_shown")]
    pub commands: Vec<Cmd>,
    /// What is lost.
    pub destroys: Vec<String>,
    /// What is worth knowing.
    pub notes: Vec<String>,
    /// How much a new array holds, where that can be told.
    pub usable: Option<Bytes>,
    /// The word to type before anything is lost; none where nothing is.
    pub confirm: Option<String>,
    /// The change itself, with everything that the facts say about it filled in.
    #[serde(skip)]
    pub change: Change,
    /// Whom it concerns.
    #[serde(skip)]
    pub place: Place,
}

fn as_shown<S: Serializer>(commands: &[Cmd], s: S) -> Result<S::Ok, S::Error> {
    s.collect_seq(commands.iter().map(shown))
}

/// Why a change may not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// There is no command for it.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// No such drive or array.
    #[error("there is no {what} `{id}`")]
    Nothing {
        /// Drive or array.
        what: &'static str,
        /// What was given.
        id: String,
    },
    /// The drive is not free.
    #[error("drive {drive} cannot be taken: {why}")]
    NotFree {
        /// The drive.
        drive: String,
        /// Why.
        why: String,
    },
    /// Something uses what would be lost.
    #[error("{what} is in use: {}", .reasons.join("; "))]
    InUse {
        /// The array or drive.
        what: String,
        /// Who uses it, and what that serves.
        reasons: Vec<String>,
        /// Commands that free it.
        remedies: Vec<String>,
    },
    /// The array would lose its data.
    #[error("array {array} would lose its data: {why}")]
    LosesData {
        /// The array.
        array: String,
        /// Why.
        why: String,
    },
    /// Two controllers have the same name (HP's shelves may): a command would reach either.
    #[error("{count} controllers are called `{controller}`: it cannot be said which of them is meant")]
    Ambiguous {
        /// What they are called.
        controller: String,
        /// How many.
        count: usize,
    },
    /// It is busy with something else.
    #[error("array {array} is not ready for this: {why}")]
    NotReady {
        /// The array.
        array: String,
        /// Why.
        why: String,
    },
}

/// Plans a change: completes it from the facts, checks it, and says what it costs.
///
/// # Errors
/// [`PlanError`]: nothing is started by this function, and a plan that exists may be carried out.
pub fn plan(place: &Place, change: Change, facts: &Facts, around: &Surroundings) -> Result<Plan, PlanError> {
    let look = guard::Look { place, facts, around };
    let count = facts.controllers.iter().filter(|c| c.id == place.controller).count();
    if count > 1 {
        return Err(PlanError::Ambiguous { controller: place.controller.clone(), count });
    }
    let change = resolve::complete(&look, change)?;
    let mut told = guard::Told::default();
    look.check(&change, &mut told)?;
    let usable = match &change {
        Change::Create(new) => usable(&look, new, &mut told.notes),
        _ => None,
    };
    let commands = commands(place, &resolve::for_tool(&look, &change))?;
    let destructive = change.is_destructive();
    Ok(Plan {
        tool: place.tool,
        controller: place.controller.clone(),
        what: sentence(&change),
        commands,
        destroys: told.destroys,
        notes: told.notes,
        usable,
        confirm: destructive.then(|| word(place, &change)),
        change,
        place: place.clone(),
    })
}

/// How much an array holds, and whether drives of different sizes waste room.
fn usable(look: &guard::Look<'_>, new: &NewArray, notes: &mut Vec<String>) -> Option<Bytes> {
    let sizes: Option<Vec<u64>> = new.drives.iter().map(|key| look.drive_bytes(key)).collect();
    let sizes = sizes?;
    let (least, most) = (sizes.iter().min()?, sizes.iter().max()?);
    if most - least > most / 50 {
        notes.push(format!("the drives differ in size: {} of each is used", Bytes::new(*least).human()));
    }
    let count = u64::try_from(sizes.len()).ok()?;
    let data = data_drives(&new.level, count, new.span_count()).ok()?;
    let all = least.checked_mul(data)?;
    Some(Bytes::new(new.size_mib.and_then(|mib| mib.checked_mul(1 << 20)).map_or(all, |size| size.min(all))))
}

/// What must be typed: the name of what is lost.
fn word(place: &Place, change: &Change) -> String {
    let within = |id: &str| {
        if place.controller.is_empty() { id.to_owned() } else { format!("{}/{id}", place.controller) }
    };
    match change {
        Change::Create(new) => {
            new.name.clone().unwrap_or_else(|| within(new.drives.first().map_or("", String::as_str)))
        }
        Change::Delete { array, .. } | Change::Reshape { array, .. } => within(array),
        Change::AddSpare { drive, .. }
        | Change::Free { drive }
        | Change::Fail { drive, .. }
        | Change::Rebuild { drive, .. }
        | Change::Swap { new: drive, .. } => within(drive),
        _ => "yes".to_owned(),
    }
}

/// What a change does.
fn sentence(change: &Change) -> String {
    let with = |level: &Level| level.as_str().to_uppercase().replace("RAID", "RAID ");
    match change {
        Change::Create(new) => {
            let name = new.name.as_ref().map(|n| format!(" `{n}`")).unwrap_or_default();
            format!("make a {} array{name} of {}", with(&new.level), new.drives.join(", "))
        }
        Change::Delete { array, members, .. } if members.is_empty() => format!("delete array {array}"),
        Change::Delete { array, members, .. } => {
            format!("stop array {array} and clear the superblocks of {}", members.join(", "))
        }
        Change::AddSpare { drive, of: None } => format!("make drive {drive} a hot spare for all arrays"),
        Change::AddSpare { drive, of: Some(of) } => format!("make drive {drive} a hot spare for {of}"),
        Change::RemoveSpare { drive, .. } => format!("make hot spare {drive} a free drive"),
        Change::Locate { drive, on } => {
            format!("switch the locate light of drive {drive} {}", if *on { "on" } else { "off" })
        }
        Change::Cache { array, .. } => format!("change the cache policy of array {array}"),
        Change::Rename { array, name } => format!("give array {array} the name `{name}`"),
        Change::Reshape { array, from, level, added, .. } => {
            let mut parts = Vec::new();
            if !added.is_empty() {
                parts.push(format!("add {} to array {array}", added.join(", ")));
            }
            if from != level {
                parts.push(format!("make array {array} {}", with(level)));
            }
            parts.join(" and ")
        }
        Change::Grow { array, .. } => format!("let array {array} use all of its drives"),
        Change::Fail { drive, .. } => format!("take drive {drive} out of its array"),
        Change::Detach { drive, .. } => format!("let drive {drive} be pulled"),
        Change::Free { drive } => format!("make drive {drive} free"),
        Change::Swap { old, new, .. } => format!("copy drive {old} to {new}, which takes its place"),
        Change::Rebuild { drive, .. } => format!("rebuild onto drive {drive}"),
        Change::Check { array } => format!("check array {array}"),
        Change::ForeignScan => "list foreign configurations".to_owned(),
        Change::ForeignImport => "take over foreign configurations".to_owned(),
        Change::ForeignClear => "remove foreign configurations and the arrays that they describe".to_owned(),
        Change::RebuildRate { percent } => format!("set the rebuild rate to {percent} %"),
        Change::Property { name, value } => format!("set the property {name} to {value}"),
    }
}
