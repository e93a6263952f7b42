//! What is checked before a tool is asked: ids, names, ranges, level arithmetic.
use super::{Change, ChangeError, NewArray};
use crate::Tool;
use crate::shape::{data_drives, distinct, natural_spans};

/// That nothing but an id of this tool stands where an id belongs, and that drives fit the level.
pub(super) fn change(tool: Tool, controller: &str, change: &Change) -> Result<(), ChangeError> {
    if !controller_is(tool, controller) {
        return Err(ChangeError::Id { id: controller.to_owned(), what: "controller", tool });
    }
    match change {
        Change::Create(new) => create(tool, new),
        Change::Rename { array: a, name: new } => array(tool, a).and_then(|()| name(tool, Some(new))),
        Change::AddSpare { drive: d, of } | Change::RemoveSpare { drive: d, of } => {
            drive(tool, d)?;
            // Drive groups, and HP's letters, are no arrays: their own functions look at them.
            let md = matches!(tool, Tool::Mdadm | Tool::Mdstat);
            match of {
                Some(of) if md || tool == Tool::Arcconf => array(tool, of),
                Some(of) if !plain(of) => Err(ChangeError::Id { id: of.clone(), what: "array", tool }),
                _ => Ok(()),
            }
        }
        Change::Locate { drive: d, .. } | Change::Free { drive: d } => drive(tool, d),
        Change::Rebuild { drive: d, array: of }
        | Change::Fail { drive: d, array: of }
        | Change::Detach { drive: d, array: of } => {
            drive(tool, d)?;
            of.as_deref().map_or(Ok(()), |of| array(tool, of))
        }
        Change::Swap { array: a, old, new } => {
            array(tool, a)?;
            distinct(&[old.clone(), new.clone()])?;
            drive(tool, old).and_then(|()| drive(tool, new))
        }
        Change::Reshape { array: a, level, members, added, .. } => {
            array(tool, a)?;
            let all: Vec<String> = members.iter().chain(added).cloned().collect();
            distinct(&all)?;
            all.iter().try_for_each(|d| drive(tool, d))?;
            let count = u64::try_from(all.len()).unwrap_or(u64::MAX);
            data_drives(level, count, natural_spans(level, count))?;
            Ok(())
        }
        Change::Grow { array: a, members, .. } | Change::Delete { array: a, members, .. } => {
            array(tool, a)?;
            members.iter().try_for_each(|d| drive(tool, d))
        }
        Change::Cache { array: a, .. } | Change::Check { array: a } => array(tool, a),
        Change::RebuildRate { percent } if *percent > 100 => {
            Err(ChangeError::Range { what: "a rebuild rate", range: "0 to 100 percent", given: *percent })
        }
        Change::Property { name, value } => {
            let good = |text: &str| plain(&text.replace(['.', '%', '/', ':'], ""));
            let bad = [name, value].into_iter().find(|text| !good(text));
            bad.map_or(Ok(()), |id| Err(ChangeError::Id { id: id.clone(), what: "property", tool }))
        }
        _ => Ok(()),
    }
}

fn create(tool: Tool, new: &NewArray) -> Result<(), ChangeError> {
    distinct(&new.drives)?;
    let count = u64::try_from(new.drives.len()).unwrap_or(u64::MAX);
    data_drives(&new.level, count, new.span_count())?;
    if let Some(given) = new.strip_kib
        && (!given.is_power_of_two() || given > 4096)
    {
        return Err(ChangeError::Range { what: "a strip", range: "a power of two up to 4096 KiB", given });
    }
    if new.size_mib == Some(0) {
        return Err(ChangeError::Range { what: "a size", range: "1 MiB or more", given: 0 });
    }
    name(tool, new.name.as_deref())?;
    options(tool, new)?;
    new.drives.iter().try_for_each(|d| drive(tool, d))
}

/// What was asked for is done or refused, never left out.
fn options(tool: Tool, new: &NewArray) -> Result<(), ChangeError> {
    let chosen = [
        ("a name", new.name.is_some()),
        ("the strip", new.strip_kib.is_some()),
        ("the write cache", new.write_back.is_some()),
        ("the read cache", new.read_ahead.is_some()),
        ("the size", new.size_mib.is_some()),
    ];
    let lacks: &[&str] = match tool {
        Tool::Megacli => &["a name"],
        Tool::Hpacucli | Tool::Ssacli => &["a name", "the read cache"],
        Tool::Areca => &["the strip", "the write cache", "the read cache"],
        Tool::TwCli => &["the read cache", "the size"],
        Tool::Mdadm | Tool::Mdstat => &["the write cache", "the read cache"],
        _ => &[],
    };
    let refused = chosen.into_iter().find(|(what, yes)| *yes && lacks.contains(what));
    refused.map_or(Ok(()), |(what, _)| Err(ChangeError::Option { tool, what }))
}

fn name(tool: Tool, name: Option<&str>) -> Result<(), ChangeError> {
    let Some(name) = name else { return Ok(()) };
    let longest = match tool {
        Tool::Megacli | Tool::Storcli | Tool::Storcli2 | Tool::Perccli | Tool::Areca => 15,
        Tool::TwCli => 21,
        Tool::Mdadm | Tool::Mdstat => 32,
        _ => 64,
    };
    let length = name.chars().count();
    if length == 0 || length > longest || name.chars().any(char::is_control) {
        return Err(ChangeError::Name { name: name.to_owned(), longest });
    }
    // mdadm makes a path of it; Areca's session would split it.
    let words = matches!(tool, Tool::Mdadm | Tool::Mdstat | Tool::Areca);
    if words && (!plain(&name.replace('.', "")) || name.starts_with(['-', '.'])) {
        return Err(ChangeError::Id { id: name.to_owned(), what: "name", tool });
    }
    Ok(())
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn array(tool: Tool, array: &str) -> Result<(), ChangeError> {
    let good = match tool {
        Tool::TwCli => array.strip_prefix('u').is_some_and(digits),
        Tool::Mdadm | Tool::Mdstat => array.starts_with("md") && plain(array),
        _ => digits(array),
    };
    if good { Ok(()) } else { Err(ChangeError::Id { id: array.to_owned(), what: "array", tool }) }
}

fn controller_is(tool: Tool, controller: &str) -> bool {
    match tool {
        Tool::TwCli => controller.strip_prefix('c').is_some_and(digits),
        Tool::Hpacucli | Tool::Ssacli => {
            let chassis = controller.strip_prefix("chassis:");
            let named = |name: &str| !name.is_empty() && !name.chars().any(char::is_control);
            let slot = !controller.is_empty() && controller.bytes().all(|b| b.is_ascii_alphanumeric());
            slot || chassis.is_some_and(named)
        }
        // One controller needs no number.
        Tool::Areca => controller.is_empty() || digits(controller),
        // It has no controllers.
        Tool::Mdadm | Tool::Mdstat => controller.is_empty(),
        _ => digits(controller),
    }
}

/// A word of letters, digits, `_` and `-`.
pub(super) fn plain(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
}

/// That a drive's key is one of this tool: nothing else may reach a command line in its place.
fn drive(tool: Tool, key: &str) -> Result<(), ChangeError> {
    let good = match tool {
        Tool::Megacli | Tool::Storcli | Tool::Storcli2 | Tool::Perccli => {
            key.split_once(':').is_some_and(|(e, s)| (e.is_empty() || digits(e)) && digits(s))
        }
        Tool::Arcconf => key.split_once(',').is_some_and(|(c, d)| digits(c) && digits(d)),
        Tool::Hpacucli | Tool::Ssacli => key.split(':').count() >= 2 && key.split(':').all(plain),
        Tool::Areca => digits(key),
        Tool::TwCli => key.strip_prefix('p').is_some_and(digits),
        Tool::Mdadm | Tool::Mdstat => plain(key) && !key.starts_with('-'),
    };
    if good { Ok(()) } else { Err(ChangeError::Id { id: key.to_owned(), what: "drive", tool }) }
}
