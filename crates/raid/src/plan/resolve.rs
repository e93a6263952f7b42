//! Filling in what the facts know: an array's level and members, the array of a drive, a drive's number.
use super::PlanError;
use super::guard::Look;
use crate::{Array, Change, Drive, Facts, Level, NewArray, Tool, data_drives};
use serde_json::Value;

/// The array that a drive is part of.
#[must_use]
pub fn array_of_drive<'f>(
    tool: Tool,
    controller: Option<&str>,
    key: &str,
    facts: &'f Facts,
) -> Option<&'f Array> {
    let here = |array: &&Array| array.controller.as_deref() == controller || array.controller.is_none();
    let member = |array: &&Array| array.members.iter().flatten().any(|m| m.key.as_deref() == Some(key));
    if let Some(array) = facts.arrays.iter().filter(here).find(member) {
        return Some(array);
    }
    let drive = facts.drives.iter().find(|d| d.key == key && (d.controller.as_deref() == controller))?;
    let unit = drive.details.get("unit").and_then(Value::as_str);
    let name = drive.details.get("array_name").and_then(Value::as_str);
    facts.arrays.iter().filter(here).find(|array| match tool {
        Tool::TwCli => unit == Some(array.id.as_str()),
        Tool::Areca => array.group.is_some() && array.group.as_deref() == name,
        Tool::Hpacucli | Tool::Ssacli => array.group.is_some() && array.group == drive.group,
        _ => array.disk_group.is_some() && array.disk_group == drive.disk_group,
    })
}

/// An array's members, by key.
pub(super) fn members(look: &Look<'_>, array: &Array) -> Vec<String> {
    if let Some(members) = &array.members {
        return members.iter().filter_map(|m| m.key.clone()).collect();
    }
    let controller = look.controller();
    let is = |d: &&Drive| {
        d.controller.as_deref() == controller
            && array_of_drive(look.place.tool, controller, &d.key, look.facts)
                .is_some_and(|a| a.id == array.id)
    };
    look.facts.drives.iter().filter(is).map(|d| d.key.clone()).collect()
}

/// The change with everything that the facts say about it.
pub(super) fn complete(look: &Look<'_>, mut change: Change) -> Result<Change, PlanError> {
    let tool = look.place.tool;
    let of_drive =
        |key: &str| array_of_drive(tool, look.controller(), key, look.facts).map(|array| array.id.clone());
    match &mut change {
        Change::Create(new) if tool == Tool::Areca => areca(look, new),
        Change::Delete { array, members: list, group } => {
            let found = look.array(array)?;
            if look.is_md() {
                *list = members(look, found);
            } else if tool == Tool::Areca {
                let here = look.facts.arrays.iter().filter(|a| a.controller == found.controller);
                let alone = here.filter(|a| a.group == found.group).count() == 1;
                let mut sets = look.facts.groups.iter().filter(|g| g.controller == found.controller);
                let set = sets.find(|g| g.name.is_some() && g.name == found.group);
                *group = set.filter(|_| alone).and_then(|set| set.id.clone());
            }
        }
        Change::Reshape { array, from, level, members: list, group, .. } => {
            let found = look.array(array)?;
            if let Some(today) = &found.level {
                from.clone_from(today);
            }
            // No level asked for: it keeps its own.
            if matches!(level, Level::Other(word) if word.is_empty()) {
                level.clone_from(from);
            }
            *list = members(look, found);
            group.clone_from(&found.group);
        }
        Change::Grow { array, level, members: list } => {
            let found = look.array(array)?;
            if let Some(today) = &found.level {
                level.clone_from(today);
            }
            *list = members(look, found);
        }
        Change::Fail { drive, array } | Change::Detach { drive, array }
            if look.is_md() && array.is_none() =>
        {
            *array = of_drive(drive);
        }
        Change::RemoveSpare { drive, of } if of.is_none() => {
            let letter = look.drive(drive).ok().and_then(|d| d.group.clone());
            *of = letter.or_else(|| of_drive(drive));
        }
        _ => {}
    }
    Ok(change)
}

/// Areca makes a raid set, whose number is the lowest that is free, and a volume of a size in it.
fn areca(look: &Look<'_>, new: &mut NewArray) {
    let here = |g: &&crate::Group| g.controller.as_deref() == look.controller();
    let taken =
        |n: &u64| look.facts.groups.iter().filter(here).any(|g| g.id.as_deref() == Some(&n.to_string()));
    new.group = (1..=128u64).find(|n| !taken(n)).map(|n| n.to_string());
    let sizes: Option<Vec<u64>> = new.drives.iter().map(|key| look.drive_bytes(key)).collect();
    let count = u64::try_from(new.drives.len()).unwrap_or(0);
    let data = data_drives(&new.level, count, new.span_count()).ok();
    if let (None, Some(least), Some(data)) = (new.size_mib, sizes.and_then(|s| s.into_iter().min()), data) {
        new.size_mib = Some(least.saturating_mul(data) >> 20);
    }
}

/// The change in the numbers that the tool's commands want, where these are not the drives' keys.
pub(super) fn for_tool(look: &Look<'_>, change: &Change) -> Change {
    let mut change = change.clone();
    if look.place.tool != Tool::Areca {
        return change;
    }
    // `drv=` is the number of the row.
    let number = |key: &mut String| {
        let index = look.drive(key).ok().and_then(|d| d.details.get("index")).and_then(Value::as_str);
        if let Some(index) = index {
            index.clone_into(key);
        }
    };
    match &mut change {
        Change::Create(new) => new.drives.iter_mut().for_each(number),
        Change::AddSpare { drive, .. } | Change::RemoveSpare { drive, .. } | Change::Locate { drive, .. } => {
            number(drive);
        }
        _ => {}
    }
    change
}
