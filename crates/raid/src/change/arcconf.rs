//! arcconf: `VERB N OBJECT words noprompt`.
use super::{Change, Lines, level_digits, line};

pub(super) fn lines(controller: &str, change: &Change) -> Lines {
    let place = |key: &str| key.split(',').map(str::to_owned).collect::<Vec<_>>();
    let device = |verb: &str, key: &str| {
        let mut args = line![verb, controller, "DEVICE"];
        args.extend(place(key));
        args
    };
    let with = |mut args: Vec<String>, more: Vec<String>| {
        args.extend(more);
        args
    };
    Some(match change {
        Change::Create(new) => {
            let mut args = line!["CREATE", controller, "LOGICALDRIVE"];
            args.extend(new.strip_kib.map(|k| line!["Stripesize", k]).into_iter().flatten());
            let read = new.read_ahead.map(|yes| line!["Rcache", if yes { "RON" } else { "ROFF" }]);
            args.extend(read.into_iter().flatten());
            let write = new.write_back.map(|yes| line!["Wcache", if yes { "WB" } else { "WT" }]);
            args.extend(write.into_iter().flatten());
            args.extend(new.name.as_ref().map(|n| line!["Name", n]).into_iter().flatten());
            args.push(new.size_mib.map_or("MAX".to_owned(), |mib| mib.to_string()));
            args.push(level_digits(&new.level).to_owned());
            args.extend(new.drives.iter().flat_map(|key| place(key)));
            args.push("noprompt".to_owned());
            vec![args]
        }
        Change::Delete { array, .. } => vec![line!["DELETE", controller, "LOGICALDRIVE", array, "noprompt"]],
        Change::AddSpare { drive, of } => {
            let mut args = with(device("SETSTATE", drive), line!["HSP"]);
            args.extend(of.as_ref().map(|array| line!["LOGICALDRIVE", array]).into_iter().flatten());
            vec![with(args, line!["noprompt"])]
        }
        Change::RemoveSpare { drive, .. } | Change::Free { drive } => {
            vec![with(device("SETSTATE", drive), line!["RDY", "noprompt"])]
        }
        Change::Fail { drive, .. } => vec![with(device("SETSTATE", drive), line!["DDD", "noprompt"])],
        // Without START it waits for a key.
        Change::Locate { drive, on } => {
            vec![with(device("IDENTIFY", drive), line![if *on { "START" } else { "STOP" }])]
        }
        Change::Cache { array, write_back, read_ahead } => {
            let words = [
                read_ahead.map(|yes| if yes { "RON" } else { "ROFF" }),
                write_back.map(|yes| if yes { "WB" } else { "WT" }),
            ];
            let each = words.into_iter().flatten();
            each.map(|word| line!["SETCACHE", controller, "LOGICALDRIVE", array, word, "noprompt"]).collect()
        }
        Change::Rename { array, name } => vec![line!["SETNAME", controller, "LOGICALDRIVE", array, name]],
        Change::Reshape { array, level, members, added, .. } => {
            let mut args = line!["MODIFY", controller, "FROM", array, "TO", "MAX", level_digits(level)];
            args.extend(members.iter().chain(added).flat_map(|key| place(key)));
            vec![with(args, line!["noprompt"])]
        }
        Change::Grow { array, level, members } => {
            let mut args = line!["MODIFY", controller, "FROM", array, "TO", "MAX", level_digits(level)];
            args.extend(members.iter().flat_map(|key| place(key)));
            vec![with(args, line!["noprompt"])]
        }
        Change::Check { array } => {
            vec![line!["TASK", "START", controller, "LOGICALDRIVE", array, "VERIFY_FIX", "noprompt"]]
        }
        Change::RebuildRate { percent } => {
            let word = match percent {
                0..=33 => "LOW",
                34..=66 => "MEDIUM",
                _ => "HIGH",
            };
            vec![line!["SETPRIORITY", controller, word]]
        }
        // It rebuilds by itself, onto a hot spare or a drive in the same slot.
        _ => return None,
    })
}
