//! `mdadm --detail` and its kin, joined with `/proc/mdstat` of the same moment.
use super::mdstat;
use crate::model::put;
use crate::text::{lines, number};
use crate::{Array, ArrayState, Capture, Facts, Level, Problem, ProblemKind};
use serde_json::{Value, json};

pub(super) fn read(captures: &[Capture], facts: &mut Facts) {
    let mut details = Vec::new();
    for capture in captures {
        let text = capture.text();
        let words: Vec<&str> = capture.cmd.split_whitespace().collect();
        if words.iter().any(|word| word.ends_with("mdstat")) {
            if !text.trim().is_empty() {
                mdstat::read(&text, facts);
            }
        } else if words.contains(&"--detail") && !words.contains(&"--export") && !words.contains(&"--scan") {
            details.extend(detail(&text));
        }
        if let Some(problem) = refusal(capture) {
            facts.fail(problem);
        } else if text.trim().is_empty() && !words.contains(&"--scan") && capture.rc != Some(0) {
            let mut problem = Problem::new(ProblemKind::EmptyOutput);
            problem.message =
                capture.err.as_deref().map(|err| String::from_utf8_lossy(err).trim().to_owned());
            facts.fail(problem);
        }
    }
    facts.arrays.sort_by_cached_key(|array| natural(&array.id));
    let metadata =
        |a: &Array| a.details.get("metadata").and_then(Value::as_str).unwrap_or_default().to_owned();
    let containers: Vec<String> =
        facts.arrays.iter().filter(|a| metadata(a) == "external:imsm").map(|a| a.id.clone()).collect();
    let listed = captures.iter().any(|c| c.cmd.ends_with("mdstat") && !c.out.is_empty());
    for seen in details {
        for doubt in doubts(&seen, facts.arrays.iter().find(|a| a.id == seen.id), listed) {
            facts.doubt(None, format!("{}: {doubt}", seen.id));
        }
        match facts.arrays.iter_mut().find(|array| array.id == seen.id) {
            Some(array) => join(array, &seen, imsm(array, &containers)),
            None => facts.arrays.push(alone(&seen)),
        }
    }
}

/// What contradicts what between `--detail` and the kernel's own list.
fn doubts(seen: &Detail, array: Option<&Array>, listed: bool) -> Vec<String> {
    let mut told = Vec::new();
    let Some(array) = array else {
        if listed {
            told.push("mdadm shows it, and the kernel's list does not".to_owned());
        }
        return told;
    };
    if seen.state.is_empty()
        && seen.level.as_deref() != Some("container")
        && array.state != Some(ArrayState::Inactive)
    {
        told.push("mdadm tells no state of it".to_owned());
    }
    let has = |word: &str| seen.state.iter().any(|w| w == word);
    let degraded = matches!(array.state, Some(ArrayState::Degraded | ArrayState::Failed));
    // The two are read one after the other: only what a moment does not change is a contradiction.
    if (has("degraded") || has("FAILED")) != degraded && !seen.state.is_empty() && array.op.is_none() {
        told.push(format!("mdadm says `{}`, and the kernel's list otherwise", seen.state.join(", ")));
    }
    told
}

/// Whether the array is a container of Intel's metadata or lies in one: only these keep lists of bad
/// blocks outside of the kernel.
fn imsm(array: &Array, containers: &[String]) -> bool {
    let metadata = array.details.get("metadata").and_then(Value::as_str).unwrap_or_default();
    let parent = metadata.strip_prefix("external:/").and_then(|rest| rest.split('/').next());
    metadata == "external:imsm" || parent.is_some_and(|parent| containers.iter().any(|c| c == parent))
}

/// `md9` before `md10`.
fn natural(id: &str) -> (String, u64, String) {
    let end = id.find(|c: char| c.is_ascii_digit()).unwrap_or(id.len());
    let (word, digits) = id.split_at_checked(end).unwrap_or((id, ""));
    (word.to_owned(), number(digits).unwrap_or(0), id.to_owned())
}

/// What mdadm complained on its standard error. `--detail --test` tells states by its status, silently.
fn refusal(capture: &Capture) -> Option<Problem> {
    let text = String::from_utf8_lossy(capture.err.as_deref()?).into_owned();
    let message = text.lines().map(str::trim).find(|line| line.starts_with("mdadm:"))?;
    if capture.rc == Some(0) {
        return None;
    }
    let lower = message.to_ascii_lowercase();
    let kind = match () {
        () if lower.contains("no such file") || lower.contains("no such device") => ProblemKind::NotFound,
        () if lower.contains("does not appear to be an md device") => ProblemKind::NotMd,
        () if lower.contains("no md superblock") => ProblemKind::NoSuperblock,
        () if capture.rc == Some(2) || lower.contains("invalid") || lower.contains("needed for level") => {
            ProblemKind::Usage
        }
        () => ProblemKind::ToolError,
    };
    let mut problem = Problem::said(kind, message);
    problem.exit_code = capture.rc;
    Some(problem)
}

/// One `--detail`.
#[derive(Default)]
struct Detail {
    id: String,
    version: Option<String>,
    level: Option<String>,
    state: Vec<String>,
    uuid: Option<String>,
    raid_devices: Option<u64>,
    members: Vec<Row>,
}

/// One line of its table: device, slot, words.
struct Row {
    key: String,
    slot: Option<u64>,
    words: String,
}

fn detail(text: &str) -> Option<Detail> {
    let mut detail = Detail::default();
    let mut table = false;
    for (_, line) in lines(text) {
        let trimmed = line.trim();
        if let Some(path) = trimmed.strip_prefix("/dev/").and_then(|l| l.strip_suffix(':')) {
            path.rsplit('/').next().unwrap_or(path).clone_into(&mut detail.id);
        } else if trimmed.starts_with("Number ") && trimmed.contains("RaidDevice") {
            table = true;
        } else if table {
            detail.members.extend(member(trimmed));
        } else if let Some((key, value)) = trimmed.split_once(" : ") {
            let value = value.trim();
            match key.trim() {
                "Version" => detail.version = Some(value.to_owned()),
                "Raid Level" => detail.level = Some(value.to_owned()),
                "State" => detail.state = value.split(',').map(|word| word.trim().to_owned()).collect(),
                "UUID" => detail.uuid = value.split_whitespace().next().map(str::to_owned),
                "Raid Devices" => detail.raid_devices = number(value),
                _ => {}
            }
        }
    }
    (!detail.id.is_empty()).then_some(detail)
}

/// `4  8  32  2  spare rebuilding  /dev/sdc`
fn member(line: &str) -> Option<Row> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (device, rest) = words.split_last()?;
    let key = device.strip_prefix("/dev/")?.to_owned();
    let slot = rest.get(3).and_then(|word| word.parse().ok());
    Some(Row { key, slot, words: rest.get(4..).unwrap_or_default().join(" ") })
}

/// Adds what only `--detail` knows, in the words of the kernel's `md/` files.
fn join(array: &mut Array, detail: &Detail, imsm: bool) {
    let active = array.details.get("active").and_then(Value::as_bool).unwrap_or(false);
    let failed = detail.state.iter().any(|word| word == "FAILED");
    let external =
        array.details.get("metadata").and_then(Value::as_str).is_some_and(|m| m.starts_with("external:"));
    let read_only = array.details.get("read_only").and_then(Value::as_str);
    let first = detail.state.first().map_or("", String::as_str);
    let array_state = match first {
        _ if !active => "inactive",
        _ if read_only == Some("auto-read-only") => "read-auto",
        _ if read_only == Some("read-only") => "readonly",
        // The update of the superblocks waits for members that are gone.
        _ if failed => "write-pending",
        "" => "clean",
        word => word,
    };
    put(&mut array.details, "array_state", array_state);
    if !array.details.contains_key("metadata")
        && let Some(version) = &detail.version
    {
        put(&mut array.details, "metadata", version.as_str());
    }
    // The kernel knows no UUID of an array that it does not run or whose metadata it does not write.
    let uuid = match &detail.uuid {
        Some(uuid) if active && !external => kernel_uuid(uuid, detail.version.as_deref() == Some("0.90")),
        _ => kernel_uuid("", false),
    };
    put(&mut array.details, "uuid_raw", uuid);
    if array.level.is_none()
        && let Some(level) = detail.level.as_deref().filter(|word| active && *word != "container")
    {
        array.level = Some(Level::of(level));
        array.level_raw = Some(level.to_owned());
    }
    if !array.details.contains_key("raid_disks")
        && let Some(count) = detail.raid_devices.filter(|_| active)
    {
        put(&mut array.details, "raid_disks", count);
    }
    let count = |name: &str| array.details.get(name).and_then(Value::as_u64);
    if let (Some(all), Some(working)) = (count("raid_disks"), count("working")) {
        let action = action(detail, array);
        put(&mut array.details, "degraded_count", all.saturating_sub(working));
        put(&mut array.details, "sync_action", action);
    }
    if failed {
        array.state = Some(ArrayState::Failed);
    }
    let listed: Vec<&str> = detail.members.iter().map(|row| row.key.as_str()).collect();
    if let Some(members) = &mut array.members {
        members.retain(|m| m.key.as_deref().is_none_or(|key| listed.contains(&key)));
        for member in members {
            let Some(row) = detail.members.iter().find(|row| Some(row.key.as_str()) == member.key.as_deref())
            else {
                continue;
            };
            let replaced = |words: &str| {
                detail.members.iter().any(|other| {
                    other.key != row.key
                        && other.slot.is_some()
                        && other.slot == row.slot
                        && other.words.starts_with(words)
                })
            };
            let (role, flags) = role(row, active, failed, &replaced);
            let flags = if imsm { format!("{flags},external_bbl") } else { flags.to_owned() };
            put(&mut member.details, "role", role);
            put(&mut member.details, "flags_raw", flags);
            if let Some(slot) = row.slot {
                put(&mut member.details, "slot", slot);
            }
        }
    }
}

fn role(
    row: &Row,
    active: bool,
    failed: bool,
    replaced: &dyn Fn(&str) -> bool,
) -> (&'static str, &'static str) {
    let has = |word: &str| row.words.contains(word);
    match () {
        () if !active => ("spare", "spare"),
        () if has("faulty") && failed && row.slot.is_some() => ("faulty", "faulty,blocked"),
        () if has("faulty") => ("faulty", "faulty"),
        () if has("journal") => ("journal", "journal"),
        () if has("spare rebuilding") && replaced("active") => ("replacement", "spare,replacement"),
        () if has("spare rebuilding") => ("rebuilding", "spare"),
        () if has("replacement") => ("replacement", "spare,replacement"),
        () if has("active") && has("writemostly") => ("active", "in_sync,write_mostly"),
        () if has("active") && replaced("spare rebuilding") => ("active", "in_sync,want_replacement"),
        () if has("active") => ("active", "in_sync"),
        () => ("spare", "spare"),
    }
}

fn action(detail: &Detail, array: &Array) -> &'static str {
    let doing = |word: &str| detail.state.iter().any(|w| w.starts_with(word));
    let pending = array.op.as_ref().and_then(|op| op.details.get("waiting")).is_some_and(|w| w == "PENDING");
    match () {
        // A read-only array has not begun.
        () if pending => "idle",
        () if doing("recovering") => "recover",
        () if doing("resyncing") => "resync",
        () if doing("reshaping") => "reshape",
        () if doing("checking") => "check",
        () => match array.op.as_ref().and_then(|op| op.kind.as_ref()).map(crate::TaskKind::as_str) {
            Some("recovery") => "recover",
            Some("resync") => "resync",
            Some("reshape") => "reshape",
            Some("check") => "check",
            _ => "idle",
        },
    }
}

/// mdadm groups a UUID by colons in four words; the kernel by hyphens as everybody does. The old
/// superblock keeps the four words in the byte order of the machine.
fn kernel_uuid(uuid: &str, swapped: bool) -> String {
    let digits: String = uuid
        .split(':')
        .filter_map(|word| u32::from_str_radix(word, 16).ok().filter(|_| word.len() == 8))
        .map(|word| if swapped { word.swap_bytes() } else { word })
        .map(|word| format!("{word:08x}"))
        .collect();
    let digits = if digits.len() == 32 { digits } else { "0".repeat(32) };
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
}

/// An array that `--detail` shows and `/proc/mdstat` was not asked about.
fn alone(detail: &Detail) -> Array {
    let mut array = Array { id: detail.id.clone(), ..Array::default() };
    let inactive = detail.state.iter().any(|word| word == "inactive") || detail.state.is_empty();
    let has = |word: &str| detail.state.iter().any(|w| w == word);
    array.state = Some(match () {
        () if inactive => ArrayState::Inactive,
        () if has("FAILED") => ArrayState::Failed,
        () if has("degraded") => ArrayState::Degraded,
        () => ArrayState::Optimal,
    });
    put(&mut array.details, "active", json!(!inactive));
    array.members = Some(
        detail
            .members
            .iter()
            .map(|row| crate::Member { key: Some(row.key.clone()), ..crate::Member::default() })
            .collect(),
    );
    if let Some(count) = detail.raid_devices {
        put(&mut array.details, "raid_disks", count);
    }
    join(&mut array, detail, detail.version.as_deref() == Some("imsm"));
    array
}
