//! 3ware tw_cli: `/cN[/uM|/pP] verb words`; `quiet` suppresses the question.
use super::{Change, Lines, line};

pub(super) fn lines(controller: &str, change: &Change) -> Lines {
    let c = format!("/{controller}");
    let port = |key: &str| key.trim_start_matches('p').to_owned();
    let ports = |keys: &[String]| keys.iter().map(|key| port(key)).collect::<Vec<_>>().join(":");
    let unit = |array: &str| format!("{c}/{array}");
    Some(vec![match change {
        Change::Create(new) if new.size_mib.is_none() => {
            let mut args = line![
                c,
                "add",
                format!("type={}", new.level.as_str()),
                format!("disk={}", ports(&new.drives))
            ];
            let spans = new.span_count();
            if new.level == crate::Level::Raid50 {
                args.push(format!("group={}", u64::try_from(new.drives.len()).unwrap_or(0) / spans));
            }
            args.extend(new.strip_kib.map(|k| format!("stripe={k}")));
            args.extend((new.write_back == Some(false)).then(|| "nocache".to_owned()));
            args.extend(new.name.as_ref().map(|n| format!("name={n}")));
            args
        }
        Change::Delete { array, .. } => line![unit(array), "del", "noscan", "quiet"],
        Change::AddSpare { drive, of: None } => {
            line![c, "add", "type=spare", format!("disk={}", port(drive))]
        }
        // A spare is a unit of its own.
        Change::RemoveSpare { of: Some(array), .. } => line![unit(array), "del", "noscan", "quiet"],
        Change::Locate { drive, on } => {
            line![format!("{c}/{drive}"), "set", format!("identify={}", if *on { "on" } else { "off" })]
        }
        Change::Cache { array, write_back: Some(yes), read_ahead: None } => {
            line![unit(array), "set", format!("cache={}", if *yes { "on" } else { "off" }), "quiet"]
        }
        Change::Rename { array, name } => line![unit(array), "set", format!("name={name}")],
        Change::Reshape { array, level, added, .. } => {
            let mut args = line![unit(array), "migrate", format!("type={}", level.as_str())];
            if !added.is_empty() {
                args.push(format!("disk={}", ports(added)));
            }
            args
        }
        Change::Fail { drive, .. } | Change::Detach { drive, .. } => {
            line![format!("{c}/{drive}"), "remove", "quiet"]
        }
        Change::Rebuild { drive, array: Some(array) } => {
            line![unit(array), "start", "rebuild", format!("disk={}", port(drive))]
        }
        Change::Check { array } => line![unit(array), "start", "verify"],
        // Its scale is 1, the fastest, to 5.
        Change::RebuildRate { percent } => {
            line![c, "set", format!("rebuild={}", 5 - (percent.min(&100) * 4 / 100))]
        }
        Change::Property { name, value } => line![c, "set", format!("{name}={value}")],
        _ => return None,
    }])
}
