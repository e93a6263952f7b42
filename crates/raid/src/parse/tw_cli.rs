//! 3ware tw_cli. Tables whose header names the columns, and `/c0 Key = value` lines. No closing line.
use crate::model::put;
use crate::text::{Row, cell, filled, is_rule, lines, number, yes_no};
use crate::{
    Array, ArrayState, Battery, Capture, Controller, Drive, DriveState, Enclosure, Facts, Level, Member,
    Problem, ProblemKind, Size, Spare, Task, TaskKind, size::Unit,
};
use serde_json::json;
use std::borrow::Cow;

pub(super) fn read(capture: &Capture, text: &str, facts: &mut Facts) {
    let named = named_controller(&capture.cmd);
    let mut header: Vec<&str> = Vec::new();
    let mut row = Row::default();
    let mut seen = false;
    for (no, line) in lines(text) {
        let trimmed = line.trim();
        if trimmed.is_empty() {
            header.clear();
        } else if is_rule(trimmed) {
        } else if let Some(found) = header_of(trimmed) {
            header = found;
        } else if let Some(rest) = trimmed.strip_prefix("/c").filter(|_| header.is_empty()) {
            seen |= property(rest, facts).is_some();
        } else if let Some(first) = header.first() {
            seen = true;
            let free = match *first {
                "VPort" => "Model",
                "Port" => "Serial",
                "Slot" | "Encl" | "Unit" | "Ctl" | "Name" => "",
                _ => continue,
            };
            let read = row.read(&header, free, trimmed).and_then(|cells| match *first {
                "Ctl" => controller(cells, facts),
                "Unit" => unit(cells, &named, facts),
                "VPort" | "Port" => port(cells, &named, facts),
                "Name" => battery(cells, &named, facts),
                "Encl" => enclosure(cells, &named, facts),
                _ => slot(cells, facts),
            });
            if read.is_none() {
                facts.malformed_rows.push(trimmed.to_owned());
            }
        } else if is_row(trimmed) {
            facts.doubt(Some(no), format!("line {no} is a row without a table: `{trimmed}`"));
            seen = true;
        } else if let Some(message) = complaint(trimmed) {
            seen = true;
            let absent = message.to_ascii_lowercase().contains("battery backup unit is not present");
            let kind = if absent { ProblemKind::ComponentAbsent } else { ProblemKind::ToolError };
            let mut problem = Problem::said(kind, message);
            problem.line = Some(no);
            facts.fail(problem);
        }
    }
    if !seen {
        facts.fail(Problem::new(ProblemKind::EmptyOutput));
    }
    let last = text.lines().rev().map(str::trim).find(|line| !line.is_empty());
    if last.is_some() && facts.malformed_rows.last().map(String::as_str) == last {
        // No closing line: a last row that is short is the only sign.
        facts.fail(Problem::new(ProblemKind::Truncated));
    }
}

/// `c0` of `tw_cli info c0 unitstatus` and of `tw_cli /c0/e0 show`.
fn named_controller(cmd: &str) -> Option<String> {
    cmd.split([' ', '/'])
        .find(|word| {
            word.strip_prefix('c').is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
        })
        .map(str::to_owned)
}

fn complaint(line: &str) -> Option<&str> {
    line.strip_prefix("Error:").or_else(|| line.strip_prefix("error:")).map(str::trim)
}

/// Whether a line looks like a row of units, ports or controllers.
fn is_row(line: &str) -> bool {
    let word = line.split_whitespace().next().unwrap_or_default();
    let id = word.strip_prefix(['u', 'p', 'c']).unwrap_or_default();
    !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit()) && line.split_whitespace().count() > 3
}

fn header_of(line: &str) -> Option<Vec<&str>> {
    let mut words = line.split_whitespace();
    let known = matches!(
        (words.next()?, words.next()?),
        ("Ctl", "Model")
            | ("Unit", "UnitType")
            | ("VPort" | "Port" | "Slot" | "Fan" | "PowerSupply" | "Encl" | "TempSensor", _)
            | ("Name", "OnlineState")
    );
    known.then(|| line.split_whitespace().collect())
}

fn known<'a>(id: &str, facts: &'a mut Facts) -> Option<&'a mut Controller> {
    let at = facts.controllers.iter().position(|c| c.id == id).unwrap_or(facts.controllers.len());
    if at == facts.controllers.len() {
        facts.controllers.push(Controller { id: id.to_owned(), ..Controller::default() });
    }
    facts.controllers.get_mut(at)
}

/// `0 Serial Number = SV12115702`, without the `/c`.
fn property(rest: &str, facts: &mut Facts) -> Option<()> {
    let (id, rest) = rest.split_once(' ')?;
    number(id)?;
    let (key, value) = rest.split_once(" = ")?;
    let controller = known(&format!("c{id}"), facts)?;
    let value = value.trim();
    match key.trim() {
        "Model" => controller.model = filled(value),
        "Serial Number" => controller.serial = filled(value),
        "Firmware Version" => controller.firmware = filled(value),
        "Available Memory" | "Memory Installed" => put(&mut controller.details, "memory", value),
        "Total Optimal Units" => put(&mut controller.details, "units_optimal", value),
        "Not Optimal Units" => put(&mut controller.details, "not_optimal", value),
        "Auto-Rebuild Policy" => put(&mut controller.details, "auto_rebuild", value),
        _ => {}
    }
    Some(())
}

type Cells<'a> = [(&'a str, Cow<'a, str>)];

fn controller(cells: &Cells<'_>, facts: &mut Facts) -> Option<()> {
    let id = cell(cells, &["Ctl"])?.to_owned();
    number(id.strip_prefix('c')?)?;
    let controller = known(&id, facts)?;
    controller.model = cell(cells, &["Model"]).and_then(filled);
    let counts = [
        ("ports", ["(V)Ports", "Ports"]),
        ("drive_count", ["Drives", ""]),
        ("unit_count", ["Units", ""]),
        ("not_optimal", ["NotOpt", ""]),
    ];
    for (name, titles) in counts {
        if let Some(n) = cell(cells, &titles).and_then(number) {
            put(&mut controller.details, name, n);
        }
    }
    for (name, title) in [("rebuild_rate", "RRate"), ("verify_rate", "VRate"), ("bbu_raw", "BBU")] {
        if let Some(value) = cell(cells, &[title]) {
            put(&mut controller.details, name, value);
        }
    }
    Some(())
}

fn unit(cells: &Cells<'_>, named: &Option<String>, facts: &mut Facts) -> Option<()> {
    let id = cell(cells, &["Unit"])?.to_owned();
    if id.contains('-') {
        // A part of a unit, in `/c0/u0 show`.
        return Some(());
    }
    number(id.strip_prefix('u')?)?;
    if let Some(name) = named {
        known(name, facts)?;
    }
    if facts.arrays.iter().any(|a| a.id == id && a.controller == *named) {
        return Some(());
    }
    let kind = cell(cells, &["UnitType"])?;
    let word = cell(cells, &["Status"])?;
    let state = unit_state(word);
    let progress = [cell(cells, &["%RCmpl"]), cell(cells, &["%V/I/M"])]
        .into_iter()
        .flatten()
        .find_map(|text| Some((number(text)?, text.contains("(P)"))));
    let task = match &state {
        ArrayState::Rebuilding => Some(TaskKind::Rebuild),
        ArrayState::Verifying => Some(TaskKind::Verify),
        ArrayState::Initializing => Some(TaskKind::Init),
        ArrayState::Migrating => Some(TaskKind::Migrate),
        _ => None,
    };
    let mut array = Array {
        controller: named.clone(),
        id,
        level_raw: Some(kind.to_owned()),
        level: Some(Level::of(kind)),
        state_raw: Some(word.to_owned()),
        state: Some(state),
        size: cell(cells, &["Size(GB)"]).and_then(|text| Size::in_unit(text, Unit::GiB)),
        stripe: cell(cells, &["Stripe"]).filter(|s| *s != "-").and_then(filled),
        ..Array::default()
    };
    if let (Some((percent, paused)), Some(kind)) = (progress, task) {
        let mut task = Task { kind: Some(kind), percent: Some(percent.into()), ..Task::default() };
        put(&mut task.details, "paused", paused || word.contains("PAUSE"));
        array.op = Some(Box::new(task));
    }
    if let Some(cache) = cell(cells, &["Cache"]) {
        put(&mut array.cache, "raw", cache);
    }
    if let Some(verify) = cell(cells, &["AVrfy"]) {
        put(&mut array.details, "autoverify_raw", verify);
    }
    facts.arrays.push(array);
    Some(())
}

fn unit_state(word: &str) -> ArrayState {
    match word.split('-').next().unwrap_or_default() {
        "OK" => ArrayState::Optimal,
        "VERIFYING" | "VERIFY" => ArrayState::Verifying,
        "REBUILDING" | "REBUILD" => ArrayState::Rebuilding,
        "INITIALIZING" | "INIT" => ArrayState::Initializing,
        "MIGRATING" | "MIGRATE" => ArrayState::Migrating,
        "DEGRADED" => ArrayState::Degraded,
        "INOPERABLE" => ArrayState::Failed,
        _ => ArrayState::Other(word.to_owned()),
    }
}

fn port(cells: &Cells<'_>, named: &Option<String>, facts: &mut Facts) -> Option<()> {
    let key = cell(cells, &["VPort", "Port"])?;
    number(key.strip_prefix('p')?)?;
    if let Some(name) = named {
        known(name, facts)?;
    }
    let word = cell(cells, &["Status"])?;
    if facts.drive_at(named.as_deref(), key).is_some() {
        return Some(());
    }
    if word == "NOT-PRESENT" || word == "NO-DEVICE" {
        if !facts.empty_slots.iter().any(|slot| slot == key) {
            facts.empty_slots.push(key.to_owned());
        }
        return Some(());
    }
    let there = |name: &str| cell(cells, &[name]).filter(|v| *v != "-");
    let present = |name: &str| there(name).and_then(filled);
    let unit = there("Unit").map(str::trim).filter(|unit| !unit.is_empty());
    let array = facts.arrays.iter_mut().find(|a| Some(a.id.as_str()) == unit && a.controller == *named);
    let level = array.as_ref().and_then(|a| a.level.clone());
    if let Some(array) = array {
        let member = Member { key: Some(key.to_owned()), ..Member::default() };
        array.members.get_or_insert_default().push(member);
    }
    let blocks = there("Blocks").and_then(|text| text.parse::<u64>().ok());
    let mut drive = Drive {
        controller: named.clone(),
        key: key.to_owned(),
        state_raw: Some(word.to_owned()),
        state: Some(port_state(word, unit.is_some(), level.as_ref())),
        spare: (level == Some(Level::Spare)).then_some(Spare::Hot),
        size: there("Size")
            .and_then(Size::binary)
            .map(|size| size.exact(blocks.and_then(|n| n.checked_mul(512)))),
        interface: present("Type"),
        model: present("Model"),
        serial: present("Serial"),
        location: present("Encl-Slot"),
        ..Drive::default()
    };
    if let Some(unit) = unit {
        put(&mut drive.details, "unit", unit);
    }
    facts.drives.push(drive);
    Some(())
}

fn port_state(word: &str, in_unit: bool, level: Option<&Level>) -> DriveState {
    match word {
        "OK" | "VERIFYING" | "INITIALIZING" | "MIGRATING" => match level {
            Some(Level::Jbod) => DriveState::Jbod,
            Some(Level::Spare) => DriveState::Spare,
            _ if in_unit => DriveState::Online,
            _ => DriveState::Ready,
        },
        "SPARE" => DriveState::Spare,
        "DEGRADED" => DriveState::Degraded,
        "REBUILDING" | "REBUILD-PAUSED" => DriveState::Rebuilding,
        "SMART-FAILURE" => DriveState::PredictiveFailure,
        "DRIVE-REMOVED" => DriveState::Missing,
        "OFFLINE" | "OFFLINE-JBOD" => DriveState::Offline,
        "DEVICE-ERROR" | "CFG-OP-FAIL" | "ECC-ERROR" | "DRV-INIT-FAIL" | "BACKUP-DCB-READ-FAIL" => {
            DriveState::Failed
        }
        _ => DriveState::Other(word.to_owned()),
    }
}

fn battery(cells: &Cells<'_>, named: &Option<String>, facts: &mut Facts) -> Option<()> {
    let mut battery = Battery {
        controller: named.clone(),
        state_raw: Some(cell(cells, &["Status"])?.to_owned()),
        ..Battery::default()
    };
    let words = [
        ("online_raw", "OnlineState"),
        ("ready_raw", "BBUReady"),
        ("volt_raw", "Volt"),
        ("temp_raw", "Temp"),
        ("last_test_raw", "LastCapTest"),
    ];
    for (name, title) in words {
        if let Some(value) = cell(cells, &[title]) {
            put(&mut battery.details, name, value);
        }
    }
    if let Some(hours) = cell(cells, &["Hours"]).and_then(number) {
        put(&mut battery.details, "hours", hours);
    }
    facts.bbu.push(battery);
    Some(())
}

fn enclosure(cells: &Cells<'_>, named: &Option<String>, facts: &mut Facts) -> Option<()> {
    let id = cell(cells, &["Encl"])?.to_owned();
    let path = id.trim_start_matches('/').split('/').find(|part| part.starts_with('c')).map(str::to_owned);
    let listed = cell(cells, &["Controllers"]).map(|c| c.trim_start_matches('/').to_owned());
    let at = facts.enclosures.iter().position(|e| e.details.get("id") == Some(&json!(id)));
    let at = at.unwrap_or(facts.enclosures.len());
    if at == facts.enclosures.len() {
        facts.enclosures.push(Enclosure::default());
    }
    let enclosure = facts.enclosures.get_mut(at)?;
    enclosure.controller = path.or(listed).or_else(|| named.clone());
    put(&mut enclosure.details, "id", id);
    if let Some(status) = cell(cells, &["Status"]) {
        enclosure.status_raw = Some(status.to_owned());
    }
    let counts = [
        ("slots", "Slots"),
        ("drives", "Drives"),
        ("fans", "Fans"),
        ("tsunits", "TSUnits"),
        ("psunits", "PSUnits"),
    ];
    for (name, title) in counts {
        if let Some(n) = cell(cells, &[title]).and_then(number) {
            put(&mut enclosure.details, name, n);
        }
    }
    Some(())
}

fn slot(cells: &Cells<'_>, facts: &mut Facts) -> Option<()> {
    let name = cell(cells, &["Slot"])?.to_owned();
    let status = cell(cells, &["Status"])?;
    let enclosure = facts.enclosures.last_mut()?;
    let counted = enclosure.details.get("slots").is_some_and(serde_json::Value::is_u64);
    let empty = status == "NO-DEVICE";
    if counted {
        if empty {
            let list = enclosure.details.get_or("empty_slots", || json!([]))?;
            list.as_array_mut()?.push(json!(name));
        }
        return Some(());
    }
    let mut entry = serde_json::Map::new();
    entry.insert("slot".to_owned(), json!(name));
    entry.insert("status_raw".to_owned(), json!(status));
    if !empty {
        if let Some(port) = cell(cells, &["Port", "(V)Port"]) {
            entry.insert("port".to_owned(), json!(port));
        }
        if let Some(identify) = cell(cells, &["Identify"]).and_then(yes_no) {
            entry.insert("identify".to_owned(), json!(identify));
        }
    }
    let list = enclosure.details.get_or("slots", || json!([]))?;
    list.as_array_mut()?.push(serde_json::Value::Object(entry));
    Some(())
}
