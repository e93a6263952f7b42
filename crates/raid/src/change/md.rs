//! Linux md: `mdadm`.
use super::{Change, ChangeError, Lines, level_digits, line};
use crate::{Level, Tool};

/// Redundancy that a bitmap is for.
fn has_bitmap(level: &Level) -> bool {
    matches!(level, Level::Raid1 | Level::Raid5 | Level::Raid6 | Level::Raid10)
}

pub(super) fn lines(tool: Tool, change: &Change) -> Result<Lines, ChangeError> {
    let node = |id: &str| format!("/dev/{id}");
    let of = |of: &Option<String>| {
        of.as_deref().map(node).ok_or(ChangeError::Needs { tool, what: "the md device" })
    };
    let nodes = |keys: &[String]| keys.iter().map(|key| node(key)).collect::<Vec<_>>();
    Ok(Some(match change {
        Change::Create(new) => {
            let name = new.name.clone().ok_or(ChangeError::Needs { tool, what: "a name" })?;
            let mut args = line!["--create", format!("/dev/md/{name}"), "--run"];
            args.push(format!("--level={}", level_digits(&new.level)));
            args.push(format!("--raid-devices={}", new.drives.len()));
            args.extend(new.strip_kib.map(|k| format!("--chunk={k}")));
            args.extend(new.size_mib.map(|mib| format!("--size={}", mib.saturating_mul(1024))));
            if has_bitmap(&new.level) {
                args.push("--bitmap=internal".to_owned());
            }
            args.push(format!("--name={name}"));
            args.extend(nodes(&new.drives));
            vec![args]
        }
        Change::Delete { array, members, .. } => {
            let mut lines = vec![line!["--stop", node(array)]];
            lines.extend(members.iter().map(|key| line!["--zero-superblock", node(key)]));
            lines
        }
        Change::AddSpare { drive, of: array } | Change::Rebuild { drive, array } => {
            vec![line![of(array)?, "--add", node(drive)]]
        }
        Change::RemoveSpare { drive, of: array } | Change::Detach { drive, array } => {
            vec![line![of(array)?, "--remove", node(drive)]]
        }
        Change::Fail { drive, array } => vec![line![of(array)?, "--fail", node(drive)]],
        Change::Free { drive } => vec![line!["--zero-superblock", node(drive)]],
        Change::Swap { array, old, new } => vec![
            line![node(array), "--add-spare", node(new)],
            line![node(array), "--replace", node(old), "--with", node(new)],
        ],
        Change::Reshape { array, from, level, members, added, .. } => {
            let mut lines = Vec::new();
            if !added.is_empty() {
                let mut args = line![node(array), "--add-spare"];
                args.extend(nodes(added));
                lines.push(args);
            }
            let count = members.len().saturating_add(added.len());
            let mut args = line!["--grow", node(array)];
            if from != level {
                args.push(format!("--level={}", level_digits(level)));
            }
            args.push(format!("--raid-devices={count}"));
            lines.push(args);
            lines
        }
        Change::Grow { array, .. } => vec![line!["--grow", node(array), "--size=max"]],
        Change::Check { array } => vec![line!["--action=check", node(array)]],
        _ => return Ok(None),
    }))
}
