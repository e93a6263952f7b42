//! What the parts of an output say about one another: counts and lists, numbers of rows, states of
//! arrays and the controller's own totals, members and the units that they name.
use crate::{Array, ArrayState, DriveState, Facts, Level, Tool};
use foldhash::fast::RandomState;
use serde_json::Value;
use std::collections::{BTreeSet, HashSet};

pub(super) fn all(tool: Tool, facts: &mut Facts) {
    // Without a list, or cut in the middle, nothing can agree.
    let mut told: Vec<String> = Vec::new();
    records(tool, facts, &mut told);
    rows(facts, &mut told);
    match tool {
        Tool::Storcli | Tool::Storcli2 | Tool::Perccli | Tool::Megacli => {
            listed(facts, &mut told);
            if tool == Tool::Megacli {
                megacli(facts, &mut told);
            }
        }
        Tool::Arcconf => arcconf(facts, &mut told),
        Tool::TwCli => tw_cli(facts, &mut told),
        Tool::Areca => areca(facts, &mut told),
        _ => {}
    }
    told.into_iter().for_each(|message| facts.doubt(None, message));
}

fn name(kind: &str, controller: Option<&str>, id: &str) -> String {
    controller.map_or_else(|| format!("{kind} {id}"), |c| format!("{kind} {c}/{id}"))
}

/// Each record has an address, a state that is known, and a controller where the tool names them.
fn records(tool: Tool, facts: &Facts, told: &mut Vec<String>) {
    let named = matches!(
        tool,
        Tool::Storcli
            | Tool::Storcli2
            | Tool::Perccli
            | Tool::Megacli
            | Tool::Arcconf
            | Tool::Hpacucli
            | Tool::Ssacli
    );
    let mut seen = HashSet::with_capacity_and_hasher(facts.drives.len(), RandomState::default());
    let mut bare = false;
    for drive in &facts.drives {
        let about = || name("drive", drive.controller.as_deref(), &drive.key);
        let (_, last) = drive.key.rsplit_once([':', ',']).unwrap_or(("", drive.key.as_str()));
        if last.is_empty() || (tool == Tool::Megacli && drive.slot.is_none()) {
            told.push(format!("{} has no address", about()));
        } else if !seen.insert((&drive.controller, &drive.key)) {
            told.push(format!("{} is listed twice", about()));
        }
        match &drive.state {
            None => told.push(format!("the state of {} is missing", about())),
            // Controllers without RAID print a dash.
            Some(DriveState::Other(word)) if word == "-" => {}
            Some(DriveState::Other(word)) => {
                told.push(format!("the state `{word}` of {} is not known", about()));
            }
            Some(_) => {}
        }
        bare |= named && drive.controller.as_deref().is_none_or(str::is_empty);
    }
    if bare {
        told.push("drives are listed without their controller".to_owned());
    }
    let mut seen = HashSet::with_capacity_and_hasher(facts.arrays.len(), RandomState::default());
    for array in &facts.arrays {
        let about = || name("array", array.controller.as_deref(), &array.id);
        if array.id.is_empty() {
            told.push(format!("{} has no number", about()));
        } else if !seen.insert((&array.controller, &array.id)) && tool != Tool::Megacli {
            told.push(format!("{} is listed twice", about()));
        }
        match &array.state {
            None if array.level == Some(Level::Cachecade) => {}
            None => told.push(format!("the state of {} is missing", about())),
            Some(ArrayState::Other(word)) => {
                told.push(format!("the state `{word}` of {} is not known", about()));
            }
            Some(_) => {}
        }
        if named && array.controller.as_deref().is_none_or(str::is_empty) {
            told.push("arrays are listed without their controller".to_owned());
        }
    }
}

/// Numbered rows and records follow one another.
fn rows(facts: &Facts, told: &mut Vec<String>) {
    for (list, numbers) in &facts.counts.rows {
        let gap = numbers.windows(2).find(|pair| matches!(pair, [a, b] if *b != a.saturating_add(1)));
        if let Some([before, after]) = gap {
            told.push(format!("between {before} and {after} of the {list} something is missing"));
        }
        if numbers.first().is_some_and(|first| *first > 1) {
            told.push(format!("the {list} begin with number {}", numbers.first().unwrap_or(&0)));
        }
    }
}

/// As many as the tool says.
fn listed(facts: &Facts, told: &mut Vec<String>) {
    for (controller, count) in &facts.counts.arrays {
        let here =
            facts.arrays.iter().filter(|a| a.controller == *controller && a.level != Some(Level::Cachecade));
        compare("arrays", controller.as_deref(), *count, here.count(), told);
    }
    for (controller, count) in &facts.counts.drives {
        let here = facts.drives.iter().filter(|d| d.controller == *controller).count();
        compare("drives", controller.as_deref(), *count, here, told);
    }
}

fn compare(what: &str, controller: Option<&str>, says: Option<u64>, here: usize, told: &mut Vec<String>) {
    let controller = controller.unwrap_or("?");
    match says {
        Some(n) if u64::try_from(here) != Ok(n) => {
            told.push(format!("controller {controller} counts {n} {what}, and {here} are listed"));
        }
        Some(_) => {}
        None => told.push(format!("the number of {what} of controller {controller} is missing")),
    }
}

fn total(details: &crate::Details, name: &str) -> Option<u64> {
    details.get(name).and_then(Value::as_u64)
}

/// Totals of `-AdpAllInfo` against the lists.
fn megacli(facts: &Facts, told: &mut Vec<String>) {
    for controller in &facts.controllers {
        let id = Some(controller.id.clone());
        let arrays = || facts.arrays.iter().filter(|a| a.controller == id);
        if let Some(n) = total(&controller.details, "vd_total").filter(|_| arrays().next().is_some()) {
            compare("arrays", id.as_deref(), Some(n), arrays().count(), told);
        }
        let bad = |a: &&Array| {
            matches!(a.state, Some(ArrayState::Degraded | ArrayState::PartiallyDegraded | ArrayState::Failed))
        };
        let (degraded, offline) =
            (total(&controller.details, "vd_degraded"), total(&controller.details, "vd_offline"));
        if let (Some(degraded), Some(offline)) = (degraded, offline)
            && arrays().next().is_some()
            && u64::try_from(arrays().filter(bad).count()) != Ok(degraded.saturating_add(offline))
        {
            told.push(format!("controller {} counts other arrays as degraded than the list", controller.id));
        }
        let drives = facts.drives.iter().filter(|d| d.controller == id).count();
        if let Some(n) = total(&controller.details, "disks").filter(|_| drives > 0) {
            compare("drives", id.as_deref(), Some(n), drives, told);
        }
    }
}

/// `Logical devices/Failed/Degraded` against the list.
fn arcconf(facts: &Facts, told: &mut Vec<String>) {
    for controller in &facts.controllers {
        let id = Some(controller.id.clone());
        let arrays: Vec<&Array> = facts.arrays.iter().filter(|a| a.controller == id).collect();
        // The controller's part alone lists none.
        if arrays.is_empty() && !facts.drives.iter().any(|d| d.controller == id) {
            continue;
        }
        compare(
            "arrays",
            id.as_deref(),
            total(&controller.details, "ld_total").or(u64::try_from(arrays.len()).ok()),
            arrays.len(),
            told,
        );
        let count = |name: &str| total(&controller.details, name);
        let is = |wanted: fn(&ArrayState) -> bool| {
            arrays.iter().filter(|a| a.state.as_ref().is_some_and(wanted)).count()
        };
        let failed = is(|s| matches!(s, ArrayState::Failed));
        let degraded = is(|s| {
            matches!(s, ArrayState::Degraded | ArrayState::PartiallyDegraded | ArrayState::Rebuilding)
        });
        let unsure = is(|s| matches!(s, ArrayState::Other(_) | ArrayState::Impacted));
        for (says, here, what) in
            [(count("ld_failed"), failed, "failed"), (count("ld_degraded"), degraded, "degraded")]
        {
            let Some(says) = says.and_then(|n| usize::try_from(n).ok()) else { continue };
            if says > here.saturating_add(unsure) || says < here {
                told.push(format!(
                    "controller {} counts {says} {what} arrays, and {here} are listed",
                    controller.id
                ));
            }
        }
    }
}

/// Units and the ports that name them; the controller's own numbers.
fn tw_cli(facts: &Facts, told: &mut Vec<String>) {
    ports(facts, told);
    for drive in &facts.drives {
        let Some(unit) = drive.details.get("unit").and_then(Value::as_str) else { continue };
        let mut units = facts.arrays.iter().filter(|a| a.controller == drive.controller);
        let any = units.clone().next().is_some();
        if any && !units.any(|a| a.id == unit) {
            told.push(format!("port {} names unit {unit}, which is not listed", drive.key));
        }
    }
    for array in facts.arrays.iter().filter(|a| a.state == Some(ArrayState::Optimal)) {
        let mut drives = facts.drives.iter().filter(|d| d.controller == array.controller);
        let any = drives.clone().next().is_some();
        if any && !drives.any(|d| d.details.get("unit").and_then(Value::as_str) == Some(array.id.as_str())) {
            told.push(format!("unit {} is well, and no port names it", array.id));
        }
    }
    for controller in &facts.controllers {
        let id = Some(controller.id.clone());
        let drives = facts.drives.iter().filter(|d| d.controller == id).count();
        let units = facts.arrays.iter().filter(|a| a.controller == id).count();
        for (name, here, what) in [("drive_count", drives, "drives"), ("unit_count", units, "arrays")] {
            if let Some(n) = total(&controller.details, name).filter(|_| here > 0) {
                compare(what, id.as_deref(), Some(n), here, told);
            }
        }
    }
}

/// Ports follow one another, as empty ones are listed too; virtual ones are not, and do not begin with 0.
fn ports(facts: &Facts, told: &mut Vec<String>) {
    let keys = facts.drives.iter().map(|d| &d.key).chain(&facts.empty_slots);
    let mut numbers: Vec<u64> = keys.filter_map(|key| key.strip_prefix('p')?.parse().ok()).collect();
    numbers.sort_unstable();
    let mut controllers = facts.drives.iter().map(|d| &d.controller);
    let first = controllers.next();
    let several = controllers.any(|c| Some(c) != first);
    if several || (facts.empty_slots.is_empty() && numbers.first() != Some(&0)) {
        return;
    }
    let gap = numbers.windows(2).find(|pair| matches!(pair, [a, b] if *b > a.saturating_add(1)));
    if let Some([before, after]) = gap {
        told.push(format!("between ports p{before} and p{after} something is missing"));
    }
}

/// Raid sets, the volumes in them and the drives that name them.
fn areca(facts: &Facts, told: &mut Vec<String>) {
    for group in &facts.groups {
        let Some(set) = group.name.as_deref().map(str::trim) else { continue };
        let usage = |d: &&crate::Drive| {
            d.controller == group.controller
                && d.details.get("array_name").and_then(Value::as_str).is_some_and(|name| name.trim() == set)
        };
        let here = facts.drives.iter().filter(usage).count();
        let well = group.state == Some(ArrayState::Optimal);
        if let Some(n) = group.member_count.filter(|_| here > 0 && well)
            && u64::try_from(here) != Ok(n)
        {
            told.push(format!("raid set `{set}` has {n} drives, and {here} name it"));
        }
        if let (Some(channels), Some(n)) = (&group.channels, group.member_count)
            && u64::try_from(channels.len()) != Ok(n)
            && well
        {
            told.push(format!("raid set `{set}` has {n} drives, and {} channels", channels.len()));
        }
    }
    if facts.groups.is_empty() {
        return;
    }
    for array in &facts.arrays {
        let Some(set) = array.group.as_deref().map(str::trim) else { continue };
        let known = facts
            .groups
            .iter()
            .filter(|g| g.controller == array.controller)
            .any(|g| g.name.as_deref().map(str::trim) == Some(set) || g.id.as_deref() == Some(set));
        if !known && array.level_raw.as_deref().is_some_and(|l| l.starts_with("Raid")) {
            told.push(format!("volume {} lies in raid set `{set}`, which is not listed", array.id));
        }
    }
    let used: BTreeSet<(Option<&str>, &str)> = facts
        .arrays
        .iter()
        .filter_map(|a| Some((a.controller.as_deref(), a.group.as_deref()?.trim())))
        .collect();
    let free = |g: &&crate::Group| g.free.as_ref().is_some_and(|free| free.bytes == 0);
    for group in facts.groups.iter().filter(free).filter(|_| !facts.arrays.is_empty()) {
        let name = group.name.as_deref().unwrap_or_default().trim();
        let uses = |set: &str| used.contains(&(group.controller.as_deref(), set));
        if !uses(name) && !group.id.as_deref().is_some_and(uses) {
            told.push(format!("raid set `{name}` is full, and no volume lies in it"));
        }
    }
}
