//! Areca cli64. A change needs the password in the same session, so commands are its standard input.
use super::{Change, Place, level_digits};
use crate::Level;
use esos_exec::Cmd;

/// What is said in the session. A raid set comes before its volume, and goes after it.
pub(super) fn lines(change: &Change) -> Option<Vec<String>> {
    Some(match change {
        Change::AddSpare { drive, of: None } => vec![format!("rsf createhs drv={drive}")],
        Change::RemoveSpare { drive, .. } => vec![format!("rsf deletehs drv={drive}")],
        Change::Locate { drive, on: true } => vec![format!("disk identify drv={drive}")],
        Change::Delete { array, group, .. } => {
            let mut said = vec![format!("vsf delete vol={array}")];
            said.extend(group.as_ref().map(|set| format!("rsf delete raid={set}")));
            said
        }
        Change::Create(new) => {
            // `Raid0+1` of an even number of drives is asked for as level 1; it wants GB of 10^9 bytes.
            let level = if new.level == Level::Raid10 { "1" } else { level_digits(&new.level) };
            let (set, mib) = (new.group.as_ref()?, new.size_mib?);
            let tenths = u128::from(mib) * (1 << 20) / 100_000_000;
            let name = new.name.as_ref().map(|n| format!(" name={n}")).unwrap_or_default();
            vec![
                format!("rsf create drv={}", new.drives.join(",")),
                format!("vsf create raid={set} capacity={}.{} level={level}{name}", tenths / 10, tenths % 10),
            ]
        }
        Change::Check { array } => vec![format!("vsf check vol={array}")],
        _ => return None,
    })
}

/// One session: the controller, the password, what is said.
pub(super) fn sessions(place: &Place, said: Vec<String>) -> Vec<Cmd> {
    let mut input = String::new();
    if !place.controller.is_empty() {
        input.push_str(&format!("set curctrl={}\n", place.controller));
    }
    input.push_str(&format!("set password={}\n", place.password.expose()));
    for line in said {
        input.push_str(&line);
        input.push('\n');
    }
    input.push_str("exit\n");
    vec![Cmd::new(&place.program).stdin(input).limit(place.limit)]
}
