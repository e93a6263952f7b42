//! Walking a failed drive from its light on to the rebuild's end.
//!
//! Every step follows from what the controller says now, and from the few things that it does not say
//! and that [`Walk`] keeps: so a walk that was interrupted goes on where it was.
use crate::{Array, ArrayState, Change, Drive, DriveState, Facts, TaskKind, Tool, array_of_drive};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A drive on its way out, and what the controller does not tell about that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Walk {
    /// The tool's name.
    pub tool: String,
    /// The controller; empty for md.
    pub controller: String,
    /// The drive that goes.
    pub drive: String,
    /// The drive that comes, if it is in another place.
    pub new: Option<String>,
    /// The array.
    pub array: Option<String>,
    /// The drive group or HP array that a spare would serve.
    pub group: Option<String>,
    /// The serial number of the drive that goes.
    pub serial: Option<String>,
    /// Whether its light was switched on, as far as the tool can.
    pub lit: bool,
    /// Whether it may be pulled.
    pub detached: bool,
    /// Whether the rebuild was asked for.
    pub started: bool,
    /// Whether its light was switched off again.
    pub dark: bool,
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Next {
    /// A change of the controller.
    Do(Change),
    /// Somebody has to do something: exchange the drive.
    Ask(String),
    /// The controller works; how far it is, in percent.
    Wait {
        /// What it does.
        what: String,
        /// How far it is.
        percent: Option<String>,
    },
    /// The new drive works and the array is whole.
    Done(String),
    /// It cannot go on.
    Stuck(String),
}

impl Walk {
    /// Starts with a drive as the controller shows it.
    #[must_use]
    pub fn new(tool: Tool, controller: &str, drive: &str, new: Option<&str>, facts: &Facts) -> Self {
        let id = (!controller.is_empty()).then_some(controller);
        let known = facts.drives.iter().find(|d| d.key == drive && d.controller.as_deref() == id);
        let array = array_of_drive(tool, id, drive, facts);
        // A drive that failed may have left its array: the one that lacks a drive is its own.
        let lacking = || {
            let mut bad = facts.arrays.iter().filter(|a| {
                a.controller.as_deref() == id
                    && matches!(a.state, Some(ArrayState::Degraded | ArrayState::PartiallyDegraded))
            });
            bad.next().filter(|_| bad.next().is_none())
        };
        let array = array.or_else(lacking);
        let group = array.and_then(|a| a.disk_group.clone().or_else(|| a.group.clone()));
        Self {
            tool: tool.name().to_owned(),
            controller: controller.to_owned(),
            drive: drive.to_owned(),
            new: new.map(str::to_owned),
            array: array.map(|a| a.id.clone()),
            group,
            serial: known.and_then(|d| d.serial.clone()).filter(|s| !s.is_empty()),
            lit: false,
            detached: false,
            started: false,
            dark: false,
        }
    }

    /// Notes that a change was made, or that the tool has no command for it.
    pub fn did(&mut self, change: &Change) {
        match change {
            Change::Locate { on: true, .. } => self.lit = true,
            Change::Locate { on: false, .. } => self.dark = true,
            Change::Detach { .. } => self.detached = true,
            Change::AddSpare { .. } | Change::Rebuild { .. } | Change::Swap { .. } => self.started = true,
            _ => {}
        }
    }

    fn find<'f>(&self, facts: &'f Facts, key: &str) -> Option<&'f Drive> {
        let id = (!self.controller.is_empty()).then_some(self.controller.as_str());
        facts.drives.iter().find(|d| d.key == key && d.controller.as_deref() == id)
    }

    fn its_array<'f>(&self, facts: &'f Facts) -> Option<&'f Array> {
        let id = (!self.controller.is_empty()).then_some(self.controller.as_str());
        facts.arrays.iter().find(|a| Some(&a.id) == self.array.as_ref() && a.controller.as_deref() == id)
    }

    fn add(&self, tool: Tool, drive: &str) -> Change {
        match tool {
            Tool::TwCli | Tool::Mdadm | Tool::Mdstat => {
                Change::Rebuild { drive: drive.to_owned(), array: self.array.clone() }
            }
            Tool::Arcconf => Change::AddSpare { drive: drive.to_owned(), of: self.array.clone() },
            Tool::Areca => Change::AddSpare { drive: drive.to_owned(), of: None },
            _ => Change::AddSpare { drive: drive.to_owned(), of: self.group.clone() },
        }
    }
}

/// What comes next for a walk, by what the controller says now.
#[must_use]
pub fn next(tool: Tool, walk: &Walk, facts: &Facts) -> Next {
    if matches!(tool, Tool::Mdadm | Tool::Mdstat) { md(tool, walk, facts) } else { vendor(tool, walk, facts) }
}

fn progress(array: Option<&Array>, facts: &Facts, drive: &str) -> Option<String> {
    let own = array.and_then(|a| a.op.as_deref());
    let listed = facts.ops.iter().find(|op| {
        op.target.as_deref().is_some_and(|t| t.ends_with(drive))
            || (op.array.is_some() && op.array.as_ref() == array.map(|a| &a.id))
    });
    own.or(listed).and_then(|op| op.percent.as_ref()).map(ToString::to_string)
}

fn vendor(tool: Tool, walk: &Walk, facts: &Facts) -> Next {
    let drive = walk.drive.clone();
    if !walk.lit {
        return Next::Do(Change::Locate { drive, on: true });
    }
    let there = walk.find(facts, &walk.drive);
    let same = there.is_some_and(|d| walk.serial.is_none() || d.serial.is_none() || d.serial == walk.serial);
    let elsewhere = walk.new.as_ref().filter(|new| **new != walk.drive);
    let array = walk.its_array(facts);
    // The old drive is still in its place.
    if let Some(old) = there.filter(|_| same && !walk.started) {
        match old.state {
            Some(DriveState::Online | DriveState::PredictiveFailure | DriveState::Degraded)
                if walk.serial.is_some() || !walk.detached =>
            {
                return Next::Do(Change::Fail { drive, array: walk.array.clone() });
            }
            _ if !walk.detached => return Next::Do(Change::Detach { drive, array: walk.array.clone() }),
            // Without a serial number only its state tells one drive from the next.
            Some(DriveState::Ready) if walk.serial.is_none() => {}
            _ if elsewhere.is_none() => {
                return Next::Ask(format!(
                    "pull drive {} (its light is on) and put the new one into the same slot",
                    walk.drive
                ));
            }
            _ => {}
        }
    }
    let place = elsewhere.unwrap_or(&walk.drive);
    let Some(new) = walk.find(facts, place) else {
        return Next::Ask(format!("put the new drive into slot {place}"));
    };
    match &new.state {
        Some(DriveState::Rebuilding | DriveState::Copyback) => Next::Wait {
            what: format!("drive {place} is being rebuilt"),
            percent: progress(array, facts, place),
        },
        Some(DriveState::Online) => {
            let whole =
                array.is_none_or(|a| matches!(a.state, Some(ArrayState::Optimal | ArrayState::Verifying)));
            match () {
                () if !walk.dark => Next::Do(Change::Locate { drive, on: false }),
                () if whole => Next::Done(format!("drive {place} works, and the array is whole")),
                () => Next::Wait {
                    what: format!("array {} is not whole yet", walk.array.as_deref().unwrap_or("?")),
                    percent: progress(array, facts, place),
                },
            }
        }
        Some(DriveState::Spare) if walk.started => Next::Wait {
            what: format!("drive {place} is a hot spare; the rebuild has not begun"),
            percent: None,
        },
        Some(DriveState::Bad) => Next::Do(Change::Free { drive: place.clone() }),
        Some(DriveState::Ready | DriveState::Spare) if new.foreign == Some(true) => Next::Stuck(format!(
            "the new drive {place} carries a foreign configuration: look at it with `esos-raid foreign scan`, then clear it"
        )),
        Some(DriveState::Ready) if !walk.started && !matches!(tool, Tool::Hpacucli | Tool::Ssacli) => {
            Next::Do(walk.add(tool, place))
        }
        Some(DriveState::Ready) => Next::Wait { what: "the rebuild has not begun".to_owned(), percent: None },
        Some(state) => Next::Stuck(format!(
            "the new drive {place} is {}",
            new.state_raw.as_deref().unwrap_or_else(|| state.as_str())
        )),
        None => Next::Stuck(format!("the state of drive {place} is not told")),
    }
}

fn md(tool: Tool, walk: &Walk, facts: &Facts) -> Next {
    let Some(array) = walk.its_array(facts) else {
        return Next::Stuck(format!("no array is known to which {} belongs", walk.drive));
    };
    let Some(new) = &walk.new else {
        return Next::Ask(format!("name the new drive: esos-raid replace {} --with DEVICE", walk.drive));
    };
    let role = |key: &str| {
        let member = array.members.iter().flatten().find(|m| m.key.as_deref() == Some(key))?;
        Some(member.details.get("role").and_then(Value::as_str).unwrap_or("member"))
    };
    let (old, fresh) = (role(&walk.drive), role(new));
    let rebuilding = array
        .op
        .as_ref()
        .filter(|op| matches!(op.kind, Some(TaskKind::Recovery | TaskKind::Resync | TaskKind::Reshape)));
    let own = || (walk.drive.clone(), Some(array.id.clone()));
    match (old, fresh) {
        (_, Some("active")) if rebuilding.is_none() => {
            if old.is_some() {
                let (drive, array) = own();
                return Next::Do(Change::Detach { drive, array });
            }
            match array.state {
                Some(ArrayState::Optimal) => Next::Done(format!("{new} works, and {} is whole", array.id)),
                _ => Next::Stuck(format!("{} still lacks a drive", array.id)),
            }
        }
        (_, Some(_)) => Next::Wait {
            what: format!("{} is being rebuilt onto {new}", array.id),
            percent: rebuilding.and_then(|op| op.percent.as_ref()).map(ToString::to_string),
        },
        (Some("active"), None) => {
            Next::Do(Change::Swap { array: array.id.clone(), old: walk.drive.clone(), new: new.clone() })
        }
        (Some(_), None) if !walk.detached => {
            let (drive, array) = own();
            Next::Do(Change::Detach { drive, array })
        }
        (_, None) => Next::Do(walk.add(tool, new)),
    }
}
