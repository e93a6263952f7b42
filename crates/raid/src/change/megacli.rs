//! MegaCli64: `-Verb -Words -aN -NoLog`.
use super::{Change, Lines, level_digits, line};

pub(super) fn lines(controller: &str, change: &Change) -> Lines {
    let a = format!("-a{controller}");
    let drive_at = |key: &str| format!("[{key}]");
    let lines = match change {
        Change::Create(new) => {
            let spans = new.span_count();
            let mut args = if spans > 1 {
                let each = new.drives.len() / usize::try_from(spans).unwrap_or(1).max(1);
                let mut args = line!["-CfgSpanAdd", format!("-r{}", level_digits(&new.level))];
                for (i, span) in new.drives.chunks(each.max(1)).enumerate() {
                    args.push(format!("-Array{i}[{}]", span.join(",")));
                }
                args
            } else {
                line!["-CfgLdAdd", format!("-r{}[{}]", level_digits(&new.level), new.drives.join(","))]
            };
            args.extend(new.write_back.map(|yes| if yes { "WB" } else { "WT" }.to_owned()));
            args.extend(new.read_ahead.map(|yes| if yes { "RA" } else { "NORA" }.to_owned()));
            args.extend(new.size_mib.map(|mib| format!("-sz{mib}")));
            args.extend(new.strip_kib.map(|k| format!("-strpsz{k}")));
            args.extend(line![a, "-Silent"]);
            vec![args]
        }
        Change::Delete { array, .. } => vec![line!["-CfgLdDel", format!("-L{array}"), a, "-Silent"]],
        Change::AddSpare { drive, of } => {
            let mut args = line!["-PDHSP", "-Set"];
            if let Some(group) = of {
                args.extend(line!["-Dedicated", format!("-Array{group}")]);
            }
            args.extend(line!["-PhysDrv", drive_at(drive), a]);
            vec![args]
        }
        Change::RemoveSpare { drive, .. } => {
            vec![line!["-PDHSP", "-Rmv", "-PhysDrv", drive_at(drive), a]]
        }
        Change::Locate { drive, on } => {
            vec![line!["-PdLocate", if *on { "-start" } else { "-stop" }, format!("-physdrv[{drive}]"), a]]
        }
        // One property for each call.
        Change::Cache { array, write_back, read_ahead } => {
            let words = [
                write_back.map(|yes| if yes { "WB" } else { "WT" }),
                read_ahead.map(|yes| if yes { "RA" } else { "NORA" }),
            ];
            let each = words.into_iter().flatten();
            each.map(|word| line!["-LDSetProp", word, format!("-L{array}"), a]).collect()
        }
        Change::Rename { array, name } => {
            vec![line!["-LDSetProp", "-Name", name, format!("-L{array}"), a]]
        }
        Change::Reshape { array, level, added, .. } => {
            let mut args = line!["-LDRecon", "-Start", format!("-r{}", level_digits(level))];
            if !added.is_empty() {
                args.extend(line!["-Add", format!("-PhysDrv[{}]", added.join(","))]);
            }
            args.extend(line![format!("-L{array}"), a]);
            vec![args]
        }
        Change::Fail { drive, .. } => vec![line!["-PDOffline", "-PhysDrv", drive_at(drive), a]],
        Change::Detach { drive, .. } => vec![
            line!["-PDMarkMissing", "-PhysDrv", drive_at(drive), a],
            line!["-PdPrpRmv", "-PhysDrv", drive_at(drive), a],
        ],
        Change::Free { drive } => vec![line!["-PDMakeGood", "-PhysDrv", drive_at(drive), "-Force", a]],
        Change::Swap { old, new, .. } => {
            vec![line!["-PDCpyBk", "-Start", "-PhysDrv", format!("[{old},{new}]"), a]]
        }
        Change::Rebuild { drive, .. } => vec![line!["-PDRbld", "-Start", "-PhysDrv", drive_at(drive), a]],
        Change::Check { array } => vec![line!["-LDCC", "-Start", format!("-L{array}"), a]],
        Change::ForeignScan => vec![line!["-CfgForeign", "-Scan", a]],
        Change::ForeignImport => vec![line!["-CfgForeign", "-Import", a]],
        Change::ForeignClear => vec![line!["-CfgForeign", "-Clear", a]],
        Change::RebuildRate { percent } => {
            vec![line!["-AdpSetProp", "RebuildRate", format!("-{percent}"), a]]
        }
        Change::Property { name, value } => vec![line!["-AdpSetProp", name, format!("-{value}"), a]],
        // All that the drives have: 100 % of what is free behind it.
        Change::Grow { array, .. } => vec![line!["-LdExpansion", "-p100", format!("-L{array}"), a]],
    };
    let end = |mut args: Vec<String>| {
        args.push("-NoLog".to_owned());
        args
    };
    Some(lines.into_iter().map(end).collect())
}
