//! hpacucli, hpssacli and ssacli: `ctrl slot=S object verb name=value ...`.
use super::check::plain;
use super::{Change, ChangeError, Lines, level_digits, line};
use crate::{Level, Tool};

fn raid(level: &Level) -> &str {
    match level {
        Level::Raid10 => "1+0",
        _ => level_digits(level),
    }
}

fn switch(yes: bool) -> &'static str {
    if yes { "enable" } else { "disable" }
}

pub(super) fn lines(tool: Tool, controller: &str, change: &Change) -> Result<Lines, ChangeError> {
    // Controllers outside the box have no slot: facts name them by their chassis.
    let slot = match controller.strip_prefix("chassis:") {
        Some(chassis) => format!("chassisname={chassis}"),
        None => format!("slot={controller}"),
    };
    let group = |of: &Option<String>| {
        let letter = of.clone().ok_or(ChangeError::Needs { tool, what: "the array's letter" })?;
        let good = !letter.is_empty() && letter.bytes().all(|b| b.is_ascii_uppercase()) && plain(&letter);
        if good { Ok(letter) } else { Err(ChangeError::Id { id: letter, what: "array", tool }) }
    };
    Ok(Some(match change {
        Change::Create(new) => {
            let size = new.size_mib.map_or("max".to_owned(), |mib| mib.to_string());
            let drives = format!("drives={}", new.drives.join(","));
            let mut args = line!["ctrl", slot, "create", "type=ld", drives, format!("size={size}")];
            args.push(format!("raid={}", raid(&new.level)));
            args.extend(new.strip_kib.map(|k| format!("ss={k}")));
            args.extend(new.write_back.map(|yes| format!("aa={}", switch(yes))));
            args.push("forced".to_owned());
            vec![args]
        }
        Change::Delete { array, .. } => vec![line!["ctrl", slot, "ld", array, "delete", "forced"]],
        Change::AddSpare { drive, of } => {
            vec![line!["ctrl", slot, "array", group(of)?, "add", format!("spares={drive}")]]
        }
        Change::RemoveSpare { drive, of } => {
            vec![line!["ctrl", slot, "array", group(of)?, "remove", format!("spares={drive}")]]
        }
        Change::Locate { drive, on } => {
            vec![line![
                "ctrl",
                slot,
                "pd",
                drive,
                "modify",
                format!("led={}", if *on { "on" } else { "off" })
            ]]
        }
        Change::Cache { array, write_back: Some(yes), read_ahead: None } => {
            vec![line!["ctrl", slot, "ld", array, "modify", format!("aa={}", switch(*yes))]]
        }
        Change::Reshape { array, from, level, added, group: of, .. } => {
            let mut lines = Vec::new();
            if !added.is_empty() {
                let drives = format!("drives={}", added.join(","));
                lines.push(line!["ctrl", slot, "array", group(of)?, "add", drives, "forced"]);
            }
            if from != level {
                let raid = format!("raid={}", raid(level));
                lines.push(line!["ctrl", slot, "ld", array, "modify", raid, "forced"]);
            }
            lines
        }
        Change::Grow { array, .. } => {
            vec![line!["ctrl", slot, "ld", array, "modify", "size=max", "forced"]]
        }
        Change::RebuildRate { percent } => {
            let word = match percent {
                0..=33 => "low",
                34..=66 => "medium",
                _ => "high",
            };
            vec![line!["ctrl", slot, "modify", format!("rp={word}")]]
        }
        Change::Property { name, value } => vec![line!["ctrl", slot, "modify", format!("{name}={value}")]],
        // Rebuilding starts by itself.
        _ => return Ok(None),
    }))
}
