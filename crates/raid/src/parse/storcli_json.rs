//! storcli, storcli2 and perccli with `J`. One element of `Controllers` per controller.
use super::json::Json;
use super::megacli::size;
use crate::model::put;
use crate::text::{filled, number, yes_no};
use crate::{
    Array, ArrayState, Battery, Completed, Controller, Details, Drive, DriveState, Facts, Level, Member,
    Problem, ProblemKind, Size, Spare, Task, TaskKind,
};
use serde_json::Value;
use std::borrow::Cow;

pub(super) fn read(text: &str, facts: &mut Facts) {
    // Models and serial numbers of broken drives can hold bytes that JSON forbids.
    let foul = |c: char| c.is_control() && c != '\n' && c != '\t';
    let clean: Cow<'_, str> =
        if text.bytes().any(|b| b < b' ' && b != b'\n' && b != b'\t') || text.contains(foul) {
            text.chars().map(|c| if foul(c) { ' ' } else { c }).collect()
        } else {
            Cow::Borrowed(text)
        };
    let start = clean.find('{').unwrap_or(0);
    let mut stream =
        serde_json::Deserializer::from_str(clean.get(start..).unwrap_or_default()).into_iter::<Json<'_>>();
    let document = match stream.next() {
        Some(Ok(document)) => document,
        Some(Err(error)) => {
            let kind = if error.is_eof() { ProblemKind::Truncated } else { ProblemKind::Unparsable };
            let mut problem = Problem::said(kind, &error.to_string());
            let skipped = clean.get(..start).unwrap_or_default().matches('\n').count();
            problem.line = Some(error.line().saturating_add(skipped));
            return facts.fail(problem);
        }
        None => return facts.fail(Problem::new(ProblemKind::Truncated)),
    };
    let Some(list) = document.get("Controllers") else {
        return facts.fail(Problem::said(ProblemKind::Unparsable, "no `Controllers` in the document"));
    };
    for element in list.items() {
        let unknown = element
            .entries()
            .iter()
            .find(|(key, _)| !["Command Status", "Response Data"].contains(&key.trim()));
        if let Some((key, _)) = unknown {
            facts.doubt(None, format!("`{key}` is no part of an answer"));
        }
        if element.get("Command Status").is_none() {
            facts.doubt(None, "an answer has no `Command Status`".to_owned());
        }
        let controller = status(element.get("Command Status"), facts);
        if let Some(data) = element.get("Response Data") {
            response(data, controller.as_deref(), facts);
        }
    }
}

fn status(status: Option<&Json<'_>>, facts: &mut Facts) -> Option<String> {
    let status = status?;
    let controller = status.text("Controller");
    let detailed: Option<Vec<Details>> = status.get("Detailed Status").map(|list| {
        list.items()
            .iter()
            .map(|row| row.entries().iter().map(|(k, v)| (k.clone().into_owned(), v.value())).collect())
            .collect()
    });
    outcome(
        Completed {
            controller: controller.clone(),
            status: status.text("Status").unwrap_or_default(),
            description: status.text("Description"),
            detailed,
        },
        facts,
    );
    controller
}

/// Keeps what a command said, and the problem that a failure is.
pub(super) fn outcome(result: Completed, facts: &mut Facts) {
    let description = result.description.clone().unwrap_or_default();
    if result.status != "Success" {
        let text = |row: &Details, name: &str| row.get(name).and_then(Value::as_str).map(str::to_owned);
        let row = result.detailed.iter().flatten().find(|row| {
            row.get("ErrCd").and_then(Value::as_i64).is_some_and(|code| code != 0)
                || text(row, "Status").is_some_and(|s| s != "Success")
        });
        let message = row.and_then(|row| text(row, "ErrMsg")).unwrap_or_else(|| description.clone());
        let lower = message.to_ascii_lowercase();
        let kind = match () {
            () if lower.contains("no controller found") => ProblemKind::NoController,
            () if lower.contains("absent") => ProblemKind::ComponentAbsent,
            () if lower.contains("no drive found")
                || lower.contains("no drives found")
                || lower.contains("no device found") =>
            {
                ProblemKind::NoDrives
            }
            () if lower.contains("no vd found") || lower.contains("no vds have been configured") => {
                ProblemKind::NoLogicalDrives
            }
            () if lower.contains("un-supported")
                || lower.contains("unsupported")
                || lower.contains("not supported") =>
            {
                ProblemKind::Unsupported
            }
            () if lower.contains("syntax error") => ProblemKind::SyntaxError,
            () => ProblemKind::CommandFailure,
        };
        let mut problem = Problem::said(kind, &message);
        problem.code = row.and_then(|row| row.get("ErrCd")).and_then(|code| {
            code.as_i64().or_else(|| code.as_str().and_then(|text| text.trim().parse().ok()))
        });
        facts.fail(problem);
    }
    facts.results.push(result);
}

fn response(data: &Json<'_>, controller: Option<&str>, facts: &mut Facts) {
    if let Some(count) = data.count("Number of Controllers") {
        facts.controller_count = Some(count);
    }
    for row in data.items() {
        task(row, controller, facts);
    }
    let id = controller.map(str::to_owned);
    if let Some(count) = data.count("Physical Drives") {
        facts.counts.drives.push((id.clone(), Some(count)));
    }
    if let Some(count) = data.count("Virtual Drives") {
        facts.counts.arrays.push((id.clone(), Some(count)));
    }
    if let Some(about) = about(data) {
        facts.controllers.push(Controller { id: id.clone().unwrap_or_default(), ..about });
    }
    walk(data, &id, facts);
}

/// The controller's own fields: at the top with `show`, in sections with `show all`.
fn about(data: &Json<'_>) -> Option<Controller> {
    let basics = data.get("Basics");
    let model = data.text("Product Name").or_else(|| basics?.text("Model"))?;
    let state_raw = data.get("Status").and_then(|s| s.text("Controller Status"));
    let mut details = Details::new();
    if let Some(pci) = data.text("PCI Address").or_else(|| basics?.text("PCI Address")) {
        put(&mut details, "pci", pci);
    }
    Some(Controller {
        details,
        model: Some(model),
        serial: data.text("Serial Number").or_else(|| basics?.text("Serial Number")),
        firmware: data.text("FW Version").or_else(|| data.get("Version")?.text("Firmware Version")),
        state: state_raw.as_deref().map(controller_state),
        state_raw,
        mode: data.text("Current Personality"),
        ..Controller::default()
    })
}

/// `Optimal`, `Needs Attention` and the like.
pub(super) fn controller_state(word: &str) -> ArrayState {
    match word {
        "Optimal" | "OK" => ArrayState::Optimal,
        "Degraded" => ArrayState::Degraded,
        "Failed" => ArrayState::Failed,
        _ => ArrayState::Other(word.to_owned()),
    }
}

fn walk(data: &Json<'_>, controller: &Option<String>, facts: &mut Facts) {
    let entries = data.entries();
    for (key, value) in entries {
        let key = key.trim();
        let rows = value.items();
        if let Some(path) = key.strip_suffix(" - Detailed Information") {
            drive_details(path, value, controller, facts);
        } else if key == "System Overview" {
            rows.iter().for_each(|row| overview(row, facts));
        } else if key == "Physical Device Information" && !rows.iter().any(|row| row.get("EID:Slt").is_some())
        {
            walk(value, controller, facts);
            rows.iter().for_each(|row| walk(row, controller, facts));
        } else if key.eq_ignore_ascii_case("total foreign pds") {
            facts.foreign_pds = value.word().and_then(|text| text.parse().ok());
        } else if let Some(number) = key.strip_prefix("PDs for VD ") {
            let keys: Vec<Member> = rows
                .iter()
                .filter_map(|row| {
                    let at = drive(&Cells::Json(row), controller, facts)?;
                    Some(named(facts.drives.get(at)?.key.clone()))
                })
                .collect();
            if let Some(array) =
                facts.arrays.iter_mut().find(|a| a.id == number.trim() && a.controller == *controller)
            {
                array.members = Some(keys);
            }
        } else if let Some(number) = key.strip_prefix("VD").and_then(|k| k.strip_suffix(" Properties")) {
            properties(number.trim(), value, controller, facts);
        } else if key == "FOREIGN CONFIGURATION" {
            rows.iter().for_each(|row| foreign(row, facts));
        } else if let Some(kind) = battery_kind(key) {
            for row in rows {
                if row.get("Model").is_some() {
                    battery(&Cells::Json(row), kind, controller, facts);
                }
            }
        } else if key != "TOPOLOGY" {
            for row in rows {
                if row.get("DG/VD").is_some() {
                    let _known = volume(&Cells::Json(row), controller, facts);
                } else if row.get("EID:Slt").is_some() {
                    let _known = drive(&Cells::Json(row), controller, facts);
                } else if row.get("Intf").is_some() && row.get("Model").is_some() {
                    // A drive of which the address is missing.
                    facts.malformed_rows.push(row.value().to_string());
                } else if row.get("TYPE").is_some() && row.get("Consist").is_some() {
                    facts.malformed_rows.push(row.value().to_string());
                }
            }
        }
    }
}

fn named(key: String) -> Member {
    Member { key: Some(key), ..Member::default() }
}

/// Which kind of energy store a section is about.
pub(super) fn battery_kind(title: &str) -> Option<&'static str> {
    match title {
        "BBU_Info" | "BBU Info" => Some("bbu"),
        "Cachevault_Info" | "Cachevault Info" => Some("cachevault"),
        "Energy Pack Info" | "EnergyPack_Info" => Some("energypack"),
        _ => None,
    }
}

/// A row of a table, from JSON or from text.
pub(super) enum Cells<'a> {
    Json(&'a Json<'a>),
    Text(&'a [(&'a str, Cow<'a, str>)]),
}

impl Cells<'_> {
    pub(super) fn get(&self, name: &str) -> Option<String> {
        self.read(name).map(Cow::into_owned)
    }

    /// The cell of a column, without a copy of it.
    fn read(&self, name: &str) -> Option<Cow<'_, str>> {
        match self {
            Self::Json(json) => json.get(name)?.word(),
            Self::Text(cells) => {
                cells.iter().find(|(key, _)| *key == name).map(|(_, v)| Cow::Borrowed(v.as_ref()))
            }
        }
    }

    fn raw(&self) -> String {
        match self {
            Self::Json(json) => json.value().to_string(),
            Self::Text(cells) => cells.iter().map(|(_, v)| v.as_ref()).collect::<Vec<_>>().join(" "),
        }
    }
}

/// A drive of a table; gives its place in the list. A drive that is known already stays as it is.
pub(super) fn drive(cells: &Cells<'_>, controller: &Option<String>, facts: &mut Facts) -> Option<usize> {
    let Some(key) = cells.read("EID:Slt").and_then(|text| address(&text)) else {
        facts.malformed_rows.push(cells.raw());
        return None;
    };
    if let Some(at) = facts.drive_at(controller.as_deref(), &key) {
        return Some(at);
    }
    let (enclosure, slot) = key.split_once(':')?;
    let Some(mut state_raw) = cells.get("State") else {
        facts.malformed_rows.push(cells.raw());
        return None;
    };
    if let Some(status) = cells.get("Status") {
        // storcli2 tells configuration and condition apart.
        state_raw.push('/');
        state_raw.push_str(&status);
    }
    let group = cells.read("DG").unwrap_or_default();
    let state = drive_state(&state_raw);
    let mut drive = Drive {
        controller: controller.clone(),
        enclosure: filled(enclosure),
        slot: filled(slot),
        device_id: cells.get("DID").or_else(|| cells.get("PID")),
        spare: match state_raw.as_str() {
            "GHS" => Some(Spare::Global),
            "DHS" => Some(Spare::Dedicated),
            _ => (state == DriveState::Spare).then_some(Spare::Hot),
        },
        state: Some(state),
        state_raw: Some(state_raw),
        disk_group: number(&group).map(|n| n.to_string()),
        foreign: (group == "F").then_some(true),
        size: cells.read("Size").and_then(|text| Size::binary(&text)),
        interface: cells.get("Intf"),
        model: cells.get("Model"),
        key,
        details: Details::with_room(2),
        ..Drive::default()
    };
    for (name, title) in [("media", "Med"), ("spun", "Sp")] {
        if let Some(value) = cells.get(title) {
            put(&mut drive.details, name, value);
        }
    }
    facts.drives.push(drive);
    facts.drives.len().checked_sub(1)
}

/// `252:4`, or `:25` where there is no enclosure.
fn address(text: &str) -> Option<String> {
    let (enclosure, slot) = text.trim().split_once(':')?;
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    (digits(enclosure.trim()) && !slot.is_empty() && digits(slot))
        .then(|| [enclosure.trim(), ":", slot].concat())
}

fn drive_state(word: &str) -> DriveState {
    match word {
        // Shielded ones are looked over by the controller, and still work.
        "Onln" | "Conf/Online" | "CFShld" => DriveState::Online,
        "UGood" | "UConf/Good" => DriveState::Ready,
        "UBad" | "UConf/Bad" | "UBUnsp" => DriveState::Bad,
        "GHS" | "DHS" | "HSP" | "GHS/Good" | "DHS/Good" | "HSPShld" => DriveState::Spare,
        "Rbld" | "Conf/Rebuild" => DriveState::Rebuilding,
        "Cpybck" | "Conf/Replace" | "CBShld" => DriveState::Copyback,
        "Offln" | "Conf/Offline" => DriveState::Offline,
        "Failed" | "Conf/Failed" | "UConf/Failed" => DriveState::Failed,
        "Msng" | "Conf/Missing" => DriveState::Missing,
        "JBOD" => DriveState::Jbod,
        _ if word.starts_with("JBOD/") => DriveState::Jbod,
        _ => DriveState::Other(word.to_owned()),
    }
}

/// An array of a table; gives its id.
pub(super) fn volume(cells: &Cells<'_>, controller: &Option<String>, facts: &mut Facts) -> Option<String> {
    let pair = cells.get("DG/VD").unwrap_or_default();
    let parts = pair
        .split_once('/')
        .filter(|(group, id)| (number(group).is_some() || *group == "-") && number(id).is_some());
    let Some((group, id)) = parts else {
        facts.malformed_rows.push(cells.raw());
        return None;
    };
    if facts.arrays.iter().any(|a| a.id == id && a.controller == *controller) {
        return Some(id.to_owned());
    }
    let (Some(level_raw), Some(state_raw)) = (cells.get("TYPE"), cells.get("State")) else {
        facts.malformed_rows.push(cells.raw());
        return None;
    };
    let mut array = Array {
        controller: controller.clone(),
        id: id.to_owned(),
        disk_group: number(group).map(|n| n.to_string()),
        name: Some(cells.get("Name").unwrap_or_default()),
        level: Some(Level::of(&level_raw)),
        level_raw: Some(level_raw),
        state: Some(array_state(&state_raw)),
        state_raw: Some(state_raw),
        size: cells.read("Size").and_then(|text| Size::binary(&text)),
        ..Array::default()
    };
    if let Some(access) = cells.get("Access") {
        put(&mut array.details, "access_raw", access);
    }
    if let Some(yes) = cells.get("Consist").and_then(|text| yes_no(&text)) {
        put(&mut array.details, "consistent", yes);
    }
    if let Some(raw) = cells.get("Cache") {
        cache(&raw, &mut array.cache);
    }
    facts.arrays.push(array);
    Some(id.to_owned())
}

fn array_state(word: &str) -> ArrayState {
    match word {
        "Optl" => ArrayState::Optimal,
        "Dgrd" => ArrayState::Degraded,
        "Pdgd" => ArrayState::PartiallyDegraded,
        "OfLn" | "Failed" => ArrayState::Failed,
        "Rec" => ArrayState::Recovery,
        _ => ArrayState::Other(word.to_owned()),
    }
}

/// `RWBD`: read ahead, write back, direct.
fn cache(raw: &str, cache: &mut Details) {
    put(cache, "raw", raw);
    if let Some(rest) = raw.strip_prefix("NR") {
        put(cache, "read_ahead", false);
        write_policy(rest, cache);
    } else if let Some(rest) = raw.strip_prefix('R') {
        put(cache, "read_ahead", true);
        write_policy(rest, cache);
    }
}

fn write_policy(rest: &str, cache: &mut Details) {
    let (word, io) = match rest.strip_suffix('D') {
        Some(word) => (word, Some("direct")),
        None => (rest.strip_suffix('C').unwrap_or(rest), rest.ends_with('C').then_some("cached")),
    };
    let write = match word {
        "WB" => "write_back",
        "AWB" | "FWB" => "always_write_back",
        "WT" => "write_through",
        _ => return,
    };
    put(cache, "write", write);
    if let Some(io) = io {
        put(cache, "io", io);
    }
}

fn overview(row: &Json<'_>, facts: &mut Facts) {
    overview_row(&Cells::Json(row), facts);
}

/// A row of the list of controllers.
pub(super) fn overview_row(cells: &Cells<'_>, facts: &mut Facts) {
    let Some(id) = cells.get("Ctl").filter(|id| number(id).is_some()) else {
        facts.malformed_rows.push(cells.raw());
        return;
    };
    let mut controller = Controller { id, model: cells.get("Model"), ..Controller::default() };
    for (name, title) in [("health_raw", "Hlth"), ("bbu_raw", "BBU")] {
        if let Some(value) = cells.get(title) {
            put(&mut controller.details, name, value);
        }
    }
    for (name, title) in [("pd_count", "PDs"), ("vd_count", "VDs"), ("vd_not_optimal", "VNOpt")] {
        if let Some(n) = cells.get(title).and_then(|text| text.parse::<u64>().ok()) {
            put(&mut controller.details, name, n);
        }
    }
    facts.controllers.push(controller);
}

/// A row of a table of batteries or capacitors.
pub(super) fn battery(cells: &Cells<'_>, kind: &str, controller: &Option<String>, facts: &mut Facts) {
    let mut battery = Battery {
        controller: controller.clone(),
        model: cells.get("Model"),
        state_raw: cells.get("State"),
        ..Battery::default()
    };
    put(&mut battery.details, "kind", kind);
    if let Some(temperature) = cells.get("Temp") {
        put(&mut battery.details, "temp_raw", temperature);
    }
    facts.bbu.push(battery);
}

fn foreign(row: &Json<'_>, facts: &mut Facts) {
    let mut details = Details::new();
    if let Some(group) = row.get("DG") {
        put(&mut details, "disk_group", group.value());
    }
    for (name, title) in [("level_raw", "Type"), ("state_raw", "State")] {
        if let Some(value) = row.text(title) {
            put(&mut details, name, value);
        }
    }
    if let Some(count) = row.count("NoVDs") {
        put(&mut details, "vds", count);
    }
    facts.foreign.push(details);
}

fn task(row: &Json<'_>, controller: Option<&str>, facts: &mut Facts) {
    let Some(target) = row.text("Drive-ID").or_else(|| row.text("VD")) else { return };
    let mut task = Task {
        controller: controller.map(str::to_owned),
        target: Some(target),
        status_raw: row.text("Status"),
        ..Task::default()
    };
    if let Some(operation) = row.text("VD Operation").or_else(|| row.text("Operation")) {
        task.kind = Some(match operation.to_ascii_lowercase().as_str() {
            "cc" => TaskKind::Verify,
            "bgi" | "init" => TaskKind::Init,
            "migrate" => TaskKind::Migrate,
            "rebuild" => TaskKind::Rebuild,
            _ => TaskKind::Other(operation.clone()),
        });
        task.kind_raw = Some(operation);
    }
    // A number while it runs, `-` while it does not.
    task.percent = row.count("Progress%").map(Into::into);
    if let Some(left) = row.text("Estimated Time Left") {
        put(&mut task.details, "eta_raw", left);
    }
    facts.ops.push(task);
}

fn drive_details(path: &str, data: &Json<'_>, controller: &Option<String>, facts: &mut Facts) {
    let path = path.trim().trim_start_matches("Drive ");
    let Some(drive) = facts.drives.iter_mut().rfind(|d| d.controller == *controller && path_is(path, d))
    else {
        return;
    };
    put(&mut drive.details, "path", path);
    for (title, section) in data.entries() {
        if title.trim().ends_with(" State") {
            drive.media_errors = section.count("Media Error Count");
            drive.predictive_failures = section.count("Predictive Failure Count");
            drive.smart_alert =
                section.text("S.M.A.R.T alert flagged by drive").and_then(|text| yes_no(&text));
        } else if title.trim().ends_with(" Device attributes") {
            drive.serial = section.text("SN");
            drive.firmware = section.text("Firmware Revision");
            let sector = match section.text("Logical Sector Size").as_deref() {
                Some("4 KB" | "4KB" | "4096B" | "4 KiB") => 4096,
                _ => 512,
            };
            if let Some(exact) = section
                .text("Coerced size")
                .or_else(|| section.text("Raw size"))
                .and_then(|text| size(&text, sector))
            {
                drive.size =
                    drive.size.take().map(|printed| printed.exact(exact.bytes_exact)).or(Some(exact));
            }
        }
    }
}

/// Whether `/c0/e252/s4` is where the drive is.
fn path_is(path: &str, drive: &Drive) -> bool {
    let mut parts = path.split('/').filter(|part| !part.is_empty());
    let _controller = parts.next();
    let (mut enclosure, mut slot) = ("", "");
    for part in parts {
        match (part.strip_prefix('e'), part.strip_prefix('s')) {
            (Some(id), _) => enclosure = id,
            (_, Some(id)) => slot = id,
            _ => {}
        }
    }
    drive.key == format!("{enclosure}:{slot}")
}

fn properties(id: &str, data: &Json<'_>, controller: &Option<String>, facts: &mut Facts) {
    let Some(array) = facts.arrays.iter_mut().find(|a| a.id == id && a.controller == *controller) else {
        return;
    };
    let blocks = data.count("Number of Blocks").and_then(|n| n.checked_mul(512));
    array.size = array.size.take().map(|size| size.exact(blocks));
    array.os_device = data.text("OS Drive Name").filter(|name| name != "N/A");
    array.stripe = data.text("Strip Size");
    array.span_depth = data.count("Span Depth");
    if let Some(naa) = data.text("SCSI NAA Id") {
        put(&mut array.details, "naa", naa);
    }
    let each = data.count("Number of Drives Per Span");
    array.member_count = each.and_then(|n| n.checked_mul(array.span_depth.unwrap_or(1)));
}
