//! Whether a change is seen after it was made.
use crate::{Array, ArrayState, Change, Drive, DriveState, Facts, Place, Tool, array_of_drive};
use serde_json::Value;

/// Looks for a change in what the controller says now. `None` where its effect does not show (a light),
/// else whether it is there, or what is there in its place.
#[must_use]
pub fn verify(place: &Place, change: &Change, before: &Facts, after: &Facts) -> Option<Result<(), String>> {
    let see = See { place, before, after };
    let seen = match change {
        Change::Create(new) => see.created(new),
        Change::Delete { array, .. } => {
            let same = see.array(after, array).is_some();
            if same { Err(format!("array {array} is still there")) } else { Ok(()) }
        }
        Change::AddSpare { drive, of } if see.is_md() => see.member(drive, of.as_deref()),
        Change::AddSpare { drive, .. } => see.drive_is(drive, |state| {
            matches!(
                state,
                DriveState::Spare | DriveState::Rebuilding | DriveState::Copyback | DriveState::Online
            )
        })?,
        Change::RemoveSpare { drive, .. } | Change::Detach { drive, .. } if see.is_md() => {
            see.no_member(drive)
        }
        Change::RemoveSpare { drive, .. } => see.drive_is(drive, |state| *state != DriveState::Spare)?,
        Change::Rename { array, name } => {
            let found = see.array(after, array)?.name.clone()?;
            if found == *name { Ok(()) } else { Err(format!("its name is `{found}`")) }
        }
        Change::Fail { drive, .. } if see.is_md() => {
            let role = see.role(drive);
            if role.as_deref().is_none_or(|role| role == "faulty") {
                Ok(())
            } else {
                Err(format!("{drive} is {}", role.unwrap_or_default()))
            }
        }
        Change::Fail { drive, .. } => see.drive_is(drive, |state| *state != DriveState::Online)?,
        Change::Free { drive } if !see.is_md() => see.drive_is(drive, |state| *state == DriveState::Ready)?,
        Change::Swap { new, array, .. } if see.is_md() => see.member(new, Some(array)),
        Change::Rebuild { drive, array } if see.is_md() => see.member(drive, array.as_deref()),
        Change::Rebuild { drive, .. } => {
            see.drive_is(drive, |state| matches!(state, DriveState::Rebuilding | DriveState::Online))?
        }
        Change::Reshape { array, members, added, level, .. } if see.is_md() => {
            let found = see.array(after, array)?;
            let wanted = u64::try_from(members.len().saturating_add(added.len())).ok()?;
            let disks = found.details.get("raid_disks").and_then(Value::as_u64)?;
            let level_is = found.level.as_ref() == Some(level) || found.op.is_some();
            if disks == wanted && level_is { Ok(()) } else { Err(format!("{array} has {disks} drives")) }
        }
        Change::ForeignClear | Change::ForeignImport => see.no_foreign()?,
        _ => return None,
    };
    Some(seen)
}

struct See<'a> {
    place: &'a Place,
    before: &'a Facts,
    after: &'a Facts,
}

impl See<'_> {
    fn is_md(&self) -> bool {
        matches!(self.place.tool, Tool::Mdadm | Tool::Mdstat)
    }

    fn mine(&self, controller: Option<&str>) -> bool {
        controller.is_none_or(|id| id == self.place.controller)
    }

    fn array<'f>(&self, facts: &'f Facts, id: &str) -> Option<&'f Array> {
        facts.arrays.iter().find(|a| a.id == id && self.mine(a.controller.as_deref()))
    }

    fn created(&self, new: &crate::NewArray) -> Result<(), String> {
        let mut others = Vec::new();
        let old = |a: &&Array| self.mine(a.controller.as_deref()) && self.array(self.before, &a.id).is_none();
        for array in self.after.arrays.iter().filter(old) {
            let level_is = array.level.as_ref() == Some(&new.level);
            let mut mine = new.drives.iter();
            let members_are = array.members.as_ref().is_none_or(|members| {
                members.iter().all(|m| m.key.is_none())
                    || mine.all(|key| members.iter().any(|m| m.key.as_ref() == Some(key)))
            });
            if level_is && members_are {
                return match array.state {
                    Some(ArrayState::Failed | ArrayState::Inactive) => {
                        Err(format!("array {} does not work", array.id))
                    }
                    _ => Ok(()),
                };
            }
            others.push(array.id.as_str());
        }
        Err(if others.is_empty() {
            "there is no new array".to_owned()
        } else {
            format!("the new array {} is another one", others.join(", "))
        })
    }

    /// Whether a drive's state is one of these; nothing where the drive's state is not told.
    fn drive_is(&self, key: &str, good: impl Fn(&DriveState) -> bool) -> Option<Result<(), String>> {
        let here = |d: &&Drive| d.key == key && self.mine(d.controller.as_deref());
        let Some(drive) = self.after.drives.iter().find(here) else {
            return Some(Err(format!("drive {key} is not listed")));
        };
        let state = drive.state.as_ref()?;
        let word = drive.state_raw.as_deref().unwrap_or_else(|| state.as_str());
        Some(if good(state) { Ok(()) } else { Err(format!("drive {key} is `{word}`")) })
    }

    fn role(&self, key: &str) -> Option<String> {
        let array = array_of_drive(self.place.tool, None, key, self.after)?;
        let member = array.members.iter().flatten().find(|m| m.key.as_deref() == Some(key))?;
        Some(member.details.get("role").and_then(Value::as_str).unwrap_or("member").to_owned())
    }

    fn member(&self, key: &str, of: Option<&str>) -> Result<(), String> {
        match array_of_drive(self.place.tool, None, key, self.after) {
            Some(array) if of.is_none_or(|of| of == array.id) => Ok(()),
            Some(array) => Err(format!("{key} is a member of {}", array.id)),
            None => Err(format!("{key} is no member")),
        }
    }

    fn no_member(&self, key: &str) -> Result<(), String> {
        match array_of_drive(self.place.tool, None, key, self.after) {
            Some(array) => Err(format!("{key} is still a member of {}", array.id)),
            None => Ok(()),
        }
    }

    fn no_foreign(&self) -> Option<Result<(), String>> {
        let count = self.after.foreign_configs.get(&self.place.controller).copied();
        let drives =
            self.after.drives.iter().filter(|d| self.mine(d.controller.as_deref()) && d.foreign.is_some());
        let foreign = drives.clone().filter(|d| d.foreign == Some(true)).count();
        if count.is_none() && drives.count() == 0 {
            return None;
        }
        Some(if count.unwrap_or(0) == 0 && foreign == 0 {
            Ok(())
        } else {
            Err("foreign configurations are still there".to_owned())
        })
    }
}
