//! storcli, storcli2 and perccli: `/cN[/vM|/eE/sS] verb words`, then `J nolog`.
use super::{Change, Lines, level_digits, line};
use std::iter::once;

pub(super) fn lines(controller: &str, change: &Change) -> Lines {
    let c = format!("/c{controller}");
    let vd = |array: &str| format!("{c}/v{array}");
    let slot = |key: &str| {
        let (enclosure, slot) = key.split_once(':').unwrap_or(("", key));
        if enclosure.is_empty() { format!("{c}/s{slot}") } else { format!("{c}/e{enclosure}/s{slot}") }
    };
    let lines = match change {
        Change::Create(new) => {
            let size = new.size_mib.map_or("all".to_owned(), |mib| format!("{mib}MB"));
            let mut args =
                line![c, "add", "vd", format!("r{}", level_digits(&new.level)), format!("size={size}")];
            args.extend(new.name.as_ref().map(|n| format!("name={n}")));
            args.push(format!("drives={}", new.drives.join(",")));
            let spans = new.span_count();
            if spans > 1 {
                args.push(format!("pdperarray={}", u64::try_from(new.drives.len()).unwrap_or(0) / spans));
            }
            args.extend(new.strip_kib.map(|k| format!("strip={k}")));
            args.extend(new.write_back.map(|yes| if yes { "wb" } else { "wt" }.to_owned()));
            args.extend(new.read_ahead.map(|yes| if yes { "ra" } else { "nora" }.to_owned()));
            vec![args]
        }
        Change::Delete { array, .. } => vec![line![vd(array), "del", "force"]],
        Change::AddSpare { drive, of } => {
            let mut args = line![slot(drive), "add", "hotsparedrive"];
            args.extend(of.as_ref().map(|group| format!("dgs={group}")));
            vec![args]
        }
        Change::RemoveSpare { drive, .. } => vec![line![slot(drive), "delete", "hotsparedrive"]],
        Change::Locate { drive, on } => {
            vec![line![slot(drive), if *on { "start" } else { "stop" }, "locate"]]
        }
        Change::Cache { array, write_back, read_ahead } => {
            let mut args = line![vd(array), "set"];
            args.extend(write_back.map(|yes| format!("wrcache={}", if yes { "wb" } else { "wt" })));
            args.extend(read_ahead.map(|yes| format!("rdcache={}", if yes { "ra" } else { "nora" })));
            vec![args]
        }
        Change::Rename { array, name } => vec![line![vd(array), "set", format!("name={name}")]],
        Change::Reshape { array, level, added, .. } => {
            let mut args = line![vd(array), "start", "migrate", format!("type=raid{}", level_digits(level))];
            if !added.is_empty() {
                args.extend(line!["option=add", format!("drives={}", added.join(","))]);
            }
            vec![args]
        }
        Change::Fail { drive, .. } => vec![line![slot(drive), "set", "offline"]],
        Change::Detach { drive, .. } => {
            vec![line![slot(drive), "set", "missing"], line![slot(drive), "spindown"]]
        }
        Change::Free { drive } => vec![line![slot(drive), "set", "good", "force"]],
        Change::Swap { old, new, .. } => {
            vec![line![slot(old), "start", "copyback", format!("target={new}")]]
        }
        Change::Rebuild { drive, .. } => vec![line![slot(drive), "start", "rebuild"]],
        Change::Check { array } => vec![line![vd(array), "start", "cc"]],
        Change::ForeignScan => vec![line![format!("{c}/fall"), "show"]],
        Change::ForeignImport => vec![line![format!("{c}/fall"), "import"]],
        Change::ForeignClear => vec![line![format!("{c}/fall"), "del"]],
        Change::RebuildRate { percent } => vec![line![c, "set", format!("rebuildrate={percent}")]],
        Change::Property { name, value } => vec![line![c, "set", format!("{name}={value}")]],
        // `expand size=` wants a number that only `show expansion` tells.
        Change::Grow { .. } => return None,
    };
    let end =
        |args: Vec<String>| args.into_iter().chain(once("J".to_owned())).chain(once("nolog".to_owned()));
    Some(lines.into_iter().map(|args| end(args).collect()).collect())
}
