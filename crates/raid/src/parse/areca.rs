//! Areca cli64. Tables between rules; the closing line is `GuiErrMsg<0x00>: Success.`.
use crate::text::{filled, is_rule, lines, number};
use crate::{
    Array, ArrayState, Capture, Drive, DriveState, Facts, Group, Level, Problem, ProblemKind, Size, Spare,
    Task, TaskKind,
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Table {
    Controllers,
    Sets,
    Volumes,
    Disks,
}

pub(super) fn read(capture: &Capture, text: &str, facts: &mut Facts) {
    let session = controller_of(&capture.cmd);
    let controller = session.as_deref();
    let mut table: Option<(Table, &str)> = None;
    let mut rules = 0usize;
    let mut trailer = false;
    let mut tables = 0usize;
    for (no, line) in lines(text) {
        let line = without_prompt(line);
        let trimmed = line.trim();
        if let Some(rest) = trimmed.strip_prefix("GuiErrMsg<") {
            trailer = true;
            if !rest.starts_with("0x00>") {
                let mut problem = Problem::said(ProblemKind::ToolError, trimmed);
                problem.line = Some(no);
                facts.fail(problem);
            }
        } else if is_rule(trimmed) {
            rules = rules.saturating_add(1);
            if rules > 1 {
                table = None;
            }
        } else if let Some(found) = header(trimmed) {
            table = Some((found, line));
            rules = 0;
            tables = tables.saturating_add(1);
            // A session has a closing line for each of its commands.
            trailer = false;
        } else if let Some((kind, head)) =
            table.filter(|_| !trimmed.is_empty() && (rules == 1 || is_row(trimmed)))
        {
            if rules == 0 {
                facts.doubt(Some(no), format!("the line under a table's head is missing before line {no}"));
                rules = 1;
            }
            if let Some(n) = number(trimmed.trim_start_matches(['[', '*', ' ', ']'])) {
                let list = match kind {
                    Table::Controllers => "controllers",
                    Table::Sets => "raid sets",
                    Table::Volumes => "volumes",
                    Table::Disks => "disks",
                };
                facts.counts.rows.entry(format!("{list} of {}", capture.name)).or_default().push(n);
            }
            let done = match kind {
                Table::Controllers => listed(trimmed, facts),
                Table::Sets => set(head, trimmed, controller, facts),
                Table::Volumes => volume(head, line, controller, facts),
                Table::Disks => disk(head, trimmed, controller, facts),
            };
            if done.is_none() {
                facts.malformed_rows.push(trimmed.to_owned());
            }
        } else if is_row(trimmed) {
            facts.doubt(Some(no), format!("line {no} is a row without a table: `{trimmed}`"));
        } else if let Some((key, value)) = trimmed.split_once(" : ").filter(|_| table.is_none()) {
            record(key.trim(), value.trim(), facts);
        } else if trimmed.starts_with("Controller#")
            && let Some((_, model)) = trimmed.split_once(':')
        {
            let id =
                number(trimmed.trim_start_matches("Controller#")).map_or_else(String::new, |n| n.to_string());
            facts.controllers.push(crate::Controller { id, model: filled(model), ..Default::default() });
        }
    }
    // A session that only set its controller was cut before its answer.
    trailer &= tables > 0 || session.is_none();
    facts.complete.insert(capture.name.clone(), trailer);
    if !trailer {
        facts.fail(Problem::new(ProblemKind::Truncated));
    }
}

/// The controller of a session: `set curctrl=2` is said before the question.
fn controller_of(cmd: &str) -> Option<String> {
    let (_, rest) = cmd.split_once("curctrl=")?;
    number(rest).map(|n| n.to_string())
}

/// Without the prompt of a session, and without the codes that clear the screen before its first line.
fn without_prompt(line: &str) -> &str {
    let mut rest = line;
    while let Some((_, after)) = rest.split_once('\u{1b}') {
        let end = after.find(|c: char| c.is_ascii_alphabetic());
        rest = end.and_then(|end| after.get(end.saturating_add(1)..)).unwrap_or_default();
    }
    let mut prompt = rest;
    while let Some(after) = prompt.trim_start().strip_prefix("CLI>") {
        rest = after.strip_prefix(' ').unwrap_or(after);
        prompt = rest;
    }
    rest
}

/// `[*] 1   ARC-1680   Raid Controller  PCI`, as a session begins with it and `main` prints it.
fn listed(line: &str, facts: &mut Facts) -> Option<()> {
    let (_, rest) = line.split_once(']')?;
    let mut words = rest.split_whitespace();
    let id = words.next().filter(|word| word.bytes().all(|b| b.is_ascii_digit()))?;
    let model = words.next().and_then(filled);
    if !facts.controllers.iter().any(|c| c.id == id) {
        facts.controllers.push(crate::Controller { id: id.to_owned(), model, ..Default::default() });
    }
    Some(())
}

/// Whether a line looks like a row: a number, and a capacity or an empty slot.
fn is_row(line: &str) -> bool {
    let starts = line.split_whitespace().next().is_some_and(|w| w.bytes().all(|b| b.is_ascii_digit()));
    starts && (line.contains("GB ") || line.contains("TB ") || line.contains("N.A."))
}

/// A line of `disk info drv=n`: `Model Name                         : ST31500341AS`.
fn record(key: &str, value: &str, facts: &mut Facts) {
    if matches!(key, "IDE Channel" | "SATA Channel" | "SAS Channel" | "Device Location") {
        let slot = filled(value);
        facts.drives.push(Drive { key: value.to_owned(), slot, ..Drive::default() });
        return;
    }
    let Some(drive) = facts.drives.last_mut() else { return };
    match key {
        "Model Name" => drive.model = filled(value),
        "Serial Number" => drive.serial = filled(value),
        "Firmware Rev." => drive.firmware = filled(value),
        "Disk Capacity" => drive.size = Size::decimal(value),
        "Media Error Count" => drive.media_errors = number(value),
        "Device State" => {
            drive.state = Some(match value.to_ascii_lowercase().as_str() {
                "normal" | "raidset member" => DriveState::Online,
                "failed" => DriveState::Failed,
                "free" => DriveState::Ready,
                "hotspare" | "hot spare" => DriveState::Spare,
                "pass through" => DriveState::Jbod,
                _ => DriveState::Other(value.to_owned()),
            });
            drive.state_raw = filled(value);
        }
        _ => {}
    }
}

fn header(line: &str) -> Option<Table> {
    let starts = line.starts_with('#') || line.starts_with("Num");
    match () {
        () if line.starts_with('S') && line.contains('#') && line.contains("Interface") => {
            Some(Table::Controllers)
        }
        () if !starts => None,
        () if line.contains("TotalCap") => Some(Table::Sets),
        () if line.contains("Capacity") && line.contains("Usage") => Some(Table::Disks),
        () if line.contains("Capacity") && line.contains("State") => Some(Table::Volumes),
        () => None,
    }
}

/// The words before the first capacity, the capacity, and what follows it.
fn around_capacity(line: &str) -> Option<(Vec<&str>, Size, &str)> {
    let mut before = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let (word, after) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let unit = ["GB", "TB", "MB"].iter().any(|unit| word.ends_with(unit));
        if let Some(size) = Size::decimal(word).filter(|_| unit && !before.is_empty()) {
            return Some((before, size, after.trim()));
        }
        before.push(word);
        rest = after.trim_start();
    }
    None
}

fn set(head: &str, line: &str, controller: Option<&str>, facts: &mut Facts) -> Option<()> {
    let (before, size, rest) = around_capacity(line)?;
    let (id, name) = before.split_first()?;
    let (count, name) = name.split_last()?;
    number(id)?;
    let (free, rest) = rest.split_once(char::is_whitespace)?;
    let (third, state) = rest.trim().split_once(char::is_whitespace)?;
    let mut group = Group {
        controller: controller.map(str::to_owned),
        id: Some((*id).to_owned()),
        name: Some(name.join(" ")),
        member_count: Some(count.parse().ok()?),
        size: Some(size),
        free: Some(Size::decimal(free)?),
        state_raw: filled(state),
        state: Some(array_state(state)),
        ..Group::default()
    };
    if head.contains("DiskChannels") {
        group.channels = Some(third.chars().map(channel).collect());
    } else {
        group.min_disk = Size::decimal(third);
    }
    facts.groups.push(group);
    Some(())
}

/// One character per disk: `1` to `9`, then letters from `A` for channel 10.
fn channel(c: char) -> String {
    c.to_digit(36).map_or_else(|| c.to_string(), |n| n.to_string())
}

fn volume(head: &str, line: &str, controller: Option<&str>, facts: &mut Facts) -> Option<()> {
    let (before, size, rest) = around_capacity(line.trim())?;
    let (id, middle) = before.split_first()?;
    let (level, middle) = middle.split_last()?;
    number(id)?;
    let (name, group) = match head.find("Raid Name") {
        // Both names may hold blanks: only the column tells them apart.
        Some(column) => {
            let text = line.get(..line.find(level)?)?;
            let (left, right) = text.split_at_checked(column)?;
            (left.trim().strip_prefix(id)?.trim().to_owned(), right.trim().to_owned())
        }
        None => {
            let (group, name) = middle.split_last()?;
            (name.join(" "), (*group).to_owned())
        }
    };
    let (lun, state) = rest.split_once(char::is_whitespace)?;
    let mut array = Array {
        controller: controller.map(str::to_owned),
        id: (*id).to_owned(),
        name: Some(name),
        group: Some(group),
        level_raw: Some((*level).to_owned()),
        level: Some(Level::of(level)),
        size: Some(size),
        state_raw: filled(state),
        state: Some(array_state(state)),
        op: progress(state).map(Box::new),
        ..Array::default()
    };
    crate::model::put(&mut array.details, "lun", lun);
    facts.arrays.push(array);
    Some(())
}

fn array_state(text: &str) -> ArrayState {
    let lower = text.trim().to_ascii_lowercase();
    let word: String = lower.chars().take_while(|c| c.is_ascii_alphabetic() || *c == ' ').collect();
    match word.trim() {
        "normal" => ArrayState::Optimal,
        "degraded" => ArrayState::Degraded,
        "rebuilding" => ArrayState::Rebuilding,
        "initializing" | "foreground initializing" | "need init" => ArrayState::Initializing,
        "checking" | "verifying" => ArrayState::Verifying,
        "migrating" | "expanding" => ArrayState::Migrating,
        "failed" | "incomplete" | "offline" => ArrayState::Failed,
        _ => ArrayState::Other(text.trim().to_owned()),
    }
}

/// `Rebuilding(12.3%)`
fn progress(state: &str) -> Option<Task> {
    let (word, rest) = state.split_once('(')?;
    let percent = rest.split('%').next()?.trim().parse::<f64>().ok()?;
    let kind = match array_state(word) {
        ArrayState::Rebuilding => TaskKind::Rebuild,
        ArrayState::Initializing => TaskKind::Init,
        ArrayState::Verifying => TaskKind::Verify,
        ArrayState::Migrating => TaskKind::Migrate,
        _ => return None,
    };
    Some(Task {
        kind: Some(kind),
        kind_raw: filled(word),
        percent: serde_json::Number::from_f64(percent),
        ..Task::default()
    })
}

fn disk(head: &str, line: &str, controller: Option<&str>, facts: &mut Facts) -> Option<()> {
    let (before, size, usage) = around_capacity(line)?;
    let (index, rest) = before.split_first()?;
    number(index)?;
    let (enclosure, slot, model) = if head.contains("Enc#") {
        let (enclosure, rest) = rest.split_first()?;
        let (first, rest) = rest.split_first()?;
        // `Slot#1` is one word, `SLOT 01` is two.
        if first.contains('#') {
            (Some((*enclosure).to_owned()), (*first).to_owned(), rest)
        } else {
            let (second, rest) = rest.split_first()?;
            (Some((*enclosure).to_owned()), format!("{first} {second}"), rest)
        }
    } else {
        let (channel, rest) = rest.split_first()?;
        (None, (*channel).to_owned(), rest)
    };
    let key = enclosure.as_ref().map_or_else(|| slot.clone(), |e| format!("{e}/{slot}"));
    let model = model.join(" ");
    if model == "N.A." {
        facts.empty_slots.push(key);
        return Some(());
    }
    let mut drive = Drive {
        controller: controller.map(str::to_owned),
        key,
        enclosure,
        slot: Some(slot),
        model: Some(model),
        size: Some(size),
        ..Drive::default()
    };
    crate::model::put(&mut drive.details, "index", *index);
    crate::model::put(&mut drive.details, "usage_raw", usage);
    let lower = usage.to_ascii_lowercase();
    let word = lower.replace(' ', "");
    let known = ["hotspare", "failed", "free", "passthrough"];
    if known.iter().any(|k| k.starts_with(word.as_str()) && *k != word) {
        facts.doubt(None, format!("the usage `{usage}` of drive {} is cut", drive.key));
    }
    drive.state = Some(if word.starts_with("hotspare") {
        drive.spare = Some(match () {
            () if word.contains("[global") => Spare::Global,
            () if word.contains("[dedicated") || word.contains("[raidset") => Spare::Dedicated,
            () => Spare::Hot,
        });
        DriveState::Spare
    } else if word.starts_with("passthrough") || word == "jbod" {
        DriveState::Jbod
    } else if word.starts_with("failed") {
        DriveState::Failed
    } else if word.starts_with("free") {
        DriveState::Ready
    } else if word.is_empty() {
        return None;
    } else {
        crate::model::put(&mut drive.details, "array_name", usage);
        DriveState::Online
    });
    facts.drives.push(drive);
    Some(())
}
