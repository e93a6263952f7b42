//! MegaCli64. Records of `Key: value` lines; the closing line is `Exit Code: 0x..`.
mod parts;

use crate::model::put;
use crate::text::{filled, lines, number, pair, yes_no};
use crate::{
    Array, ArrayState, Battery, Capture, Completed, Controller, Drive, DriveState, Enclosure, Facts, Level,
    Member, Problem, ProblemKind, Size, Spare, Task, TaskKind,
};
use parts::{battery_field, controller_field, enclosure_field};
use serde_json::Number;

/// Which record the lines belong to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    Controller,
    Array,
    Drive,
    Battery,
    Enclosure,
}

pub(super) fn read(capture: &Capture, text: &str, facts: &mut Facts) {
    let mut reader = Reader {
        controller: None,
        at: At::Controller,
        spare: false,
        nested: false,
        action: is_action(&capture.cmd),
        exit: None,
        failed: None,
        found: facts.arrays.len().saturating_add(facts.drives.len()),
    };
    for (no, line) in lines(text) {
        reader.line(no, line, facts);
    }
    facts.complete.insert(capture.name.clone(), reader.exit.is_some());
    if let Some(code) = reader.exit {
        facts.printed_exit_codes.insert(capture.name.clone(), code);
    }
    if let Some(mut problem) = reader.failed.take() {
        problem.printed_exit_code = reader.exit;
        facts.fail(problem);
    } else if reader.exit.is_some_and(|code| code != 0) && !capture.cmd.to_ascii_lowercase().contains("count")
    {
        // With `-adpCount` the printed code is the count.
        let nothing = reader.found == facts.arrays.len().saturating_add(facts.drives.len());
        if nothing && facts.bbu.is_empty() {
            let says =
                text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with("Exit Code"));
            let says = says.unwrap_or_default();
            let token = says.to_ascii_lowercase().contains("invalid input");
            let kind = if token { ProblemKind::SyntaxError } else { ProblemKind::CommandFailure };
            let mut problem = if says.is_empty() { Problem::new(kind) } else { Problem::said(kind, says) };
            problem.printed_exit_code = reader.exit;
            facts.fail(problem);
        }
    }
    if reader.exit.is_none() && reader.is_cut(facts) {
        // Old versions print no closing line, so its absence alone says nothing.
        facts.fail(Problem::new(ProblemKind::Truncated));
    }
    if facts.controller_count == Some(0) {
        facts.fail(Problem::new(ProblemKind::NoController));
    }
}

/// Commands that change something answer with sentences, not with records.
fn is_action(cmd: &str) -> bool {
    let cmd = cmd.to_ascii_lowercase();
    let asks = ["info", "list", "dsply", "status", "-scan", "show", "getprop", "count", "-get", "getnum"];
    !asks.iter().any(|word| cmd.contains(word))
}

struct Reader {
    controller: Option<String>,
    at: At,
    spare: bool,
    nested: bool,
    action: bool,
    exit: Option<u64>,
    failed: Option<Problem>,
    found: usize,
}

impl Reader {
    /// Whether the record that was read last stops before what every version prints in it.
    fn is_cut(&self, facts: &Facts) -> bool {
        match self.at {
            At::Drive => facts.drives.last().is_some_and(|drive| {
                drive.state_raw.is_none() || drive.size.is_none() || !drive.details.contains_key("inquiry")
            }),
            At::Array => facts.arrays.last().is_some_and(|array| !array.cache.contains_key("current_raw")),
            At::Battery | At::Enclosure | At::Controller => false,
        }
    }

    fn line(&mut self, no: usize, line: &str, facts: &mut Facts) {
        let trimmed = line.trim();
        if let Some(code) = trimmed.strip_prefix("Exit Code:") {
            let digits = code.trim().trim_start_matches("0x");
            self.exit = u64::from_str_radix(digits, 16).ok().or(self.exit);
            return;
        }
        if self.sentence(no, trimmed, facts) {
            return;
        }
        let Some((key, value)) = pair(trimmed, ":") else { return };
        let key = key.to_ascii_lowercase();
        match key.as_str() {
            "enclosure device id" => {
                if value.is_empty() {
                    facts.doubt(Some(no), format!("line {no} is cut: it names no enclosure"));
                }
                let enclosure = filled(value).filter(|v| v != "N/A");
                facts.drives.push(Drive {
                    controller: self.controller.clone(),
                    enclosure,
                    ..Drive::default()
                });
                self.at = At::Drive;
            }
            "physical disk" | "pd" => self.nested = true,
            "virtual drive" | "virtual disk" | "cachecade virtual drive" => {
                self.array(no, &key, value, facts);
            }
            "number of virtual disks" | "number of virtual drives" => {
                facts.counts.arrays.push((self.controller.clone(), number(value)));
            }
            "controller count" => facts.controller_count = number(value),
            "batterytype" => self.battery(facts, value),
            "inquiry data" => {
                // Leading blanks belong to the field, trailing ones are padding.
                let raw = line.split_once(':').map_or("", |(_, raw)| raw);
                if let Some(drive) = facts.drives.last_mut().filter(|_| self.at == At::Drive) {
                    inquiry(raw.strip_prefix(' ').unwrap_or(raw).trim_end(), drive);
                }
            }
            "slot number" | "firmware state" if self.at != At::Drive => {
                self.headless(no, "drive", facts);
                self.drive(&key, value, facts);
            }
            "raid level" | "strip size" | "span depth" | "number of drives"
                if self.at == At::Controller || (self.at == At::Drive && !self.nested) =>
            {
                self.headless(no, "array", facts);
                array_field(&key, value, facts);
            }
            _ => match self.at {
                At::Drive if self.begins_again(&key, facts) => {
                    self.headless(no, "drive", facts);
                    self.drive(&key, value, facts);
                }
                At::Array
                    if facts.arrays.last().is_some_and(|a| {
                        (key == "raid level" && a.level_raw.is_some()) || (key == "size" && a.size.is_some())
                    }) =>
                {
                    self.headless(no, "array", facts);
                    array_field(&key, value, facts);
                }
                At::Drive => self.drive(&key, value, facts),
                At::Array => array_field(&key, value, facts),
                At::Battery => battery_field(&key, value, facts),
                At::Enclosure => enclosure_field(&key, value, facts),
                At::Controller => controller_field(&key, value, facts),
            },
        }
    }

    /// A field that a record has once, for the second time: the first line of the next one is missing.
    fn begins_again(&self, key: &str, facts: &Facts) -> bool {
        let Some(drive) = facts.drives.last() else { return false };
        (key == "slot number" && drive.slot.is_some())
            || (key == "firmware state" && drive.state_raw.is_some())
    }

    /// Fields without the line that their record begins with: a record of their own, and a doubt.
    fn headless(&mut self, no: usize, what: &str, facts: &mut Facts) {
        facts.doubt(Some(no), format!("the first line of a {what} is missing before line {no}"));
        if what == "drive" {
            facts.drives.push(Drive { controller: self.controller.clone(), ..Drive::default() });
            self.at = At::Drive;
        } else {
            facts.arrays.push(Array { controller: self.controller.clone(), ..Array::default() });
            self.at = At::Array;
        }
    }

    fn sentence(&mut self, no: usize, line: &str, facts: &mut Facts) -> bool {
        let lower = line.to_ascii_lowercase();
        if let Some(rest) = lower.strip_prefix("rebuild progress on device at enclosure ") {
            if let Some(task) = progress(rest) {
                facts.ops.push(task);
            }
            return true;
        }
        if lower.contains("foreign configuration") && lower.contains("controller") {
            let id = after(&lower, "controller ");
            if self.action {
                result(id, &lower, line, facts);
            } else if let Some(id) = id {
                self.enter(&id, facts);
                let count = if lower.contains("no foreign") {
                    Some(0)
                } else {
                    number(lower.trim_start_matches(|c: char| !c.is_ascii_digit()))
                };
                facts.foreign_configs.insert(id, count.unwrap_or(0));
            }
            return true;
        }
        if let Some(rest) = lower.strip_prefix("number of enclosures on adapter ") {
            if let Some(id) = number(rest) {
                self.enter(&id.to_string(), facts);
            }
            return true;
        }
        if let Some(rest) = lower.strip_prefix("bbu status for adapter") {
            if let Some(id) = number(rest.trim_start_matches([':', ' '])) {
                self.enter(&id.to_string(), facts);
            }
            return true;
        }
        if let Some(rest) = lower.strip_prefix("enclosure ").filter(|r| r.trim_end().ends_with(':'))
            && let Some(index) = number(rest)
        {
            let mut enclosure = Enclosure { controller: self.controller.clone(), ..Enclosure::default() };
            put(&mut enclosure.details, "index", index);
            facts.enclosures.push(enclosure);
            self.at = At::Enclosure;
            return true;
        }
        let Some(rest) = lower.strip_prefix("adapter") else { return false };
        let Some(id) = number(rest.trim_start_matches(['#', ':', ' '])) else { return false };
        let id = id.to_string();
        let says = rest.trim_start_matches(['#', ':', ' ']).trim_start_matches(|c: char| c.is_ascii_digit());
        let says = says.trim_start_matches([':', '-', ' ']);
        if self.action && !says.is_empty() {
            result(Some(id), says, line, facts);
            return true;
        }
        self.enter(&id, facts);
        if says.contains("failed") || says.contains("error") {
            let absent = says.contains("bbu") || says.contains("battery");
            let kind = if absent { ProblemKind::ComponentAbsent } else { ProblemKind::ToolError };
            let mut problem = Problem::said(kind, line);
            problem.line = Some(no);
            self.failed.get_or_insert(problem);
        }
        true
    }

    fn enter(&mut self, id: &str, facts: &mut Facts) {
        if !facts.controllers.iter().any(|c| c.id == id) {
            facts.controllers.push(Controller { id: id.to_owned(), ..Controller::default() });
        }
        self.controller = Some(id.to_owned());
        self.at = At::Controller;
        self.nested = false;
    }

    fn array(&mut self, no: usize, key: &str, value: &str, facts: &mut Facts) {
        let Some(id) = number(value) else { return self.headless(no, "array", facts) };
        if value.contains('(') != value.contains(')')
            || !(value.contains('(') || key.starts_with("virtual disk"))
        {
            facts.doubt(Some(no), format!("line {no} is cut: `{value}` names no target"));
        }
        let mut array = Array { controller: self.controller.clone(), id: id.to_string(), ..Array::default() };
        if let Some(target) = after(&value.to_ascii_lowercase(), "target id:") {
            put(&mut array.details, "target", target);
        }
        if key.starts_with("cachecade") {
            put(&mut array.details, "kind", "cachecade");
            array.level = Some(Level::Cachecade);
        }
        facts.arrays.push(array);
        self.at = At::Array;
        self.nested = false;
    }

    fn battery(&mut self, facts: &mut Facts, kind: &str) {
        let mut battery = Battery { controller: self.controller.clone(), ..Battery::default() };
        put(&mut battery.details, "type", kind);
        facts.bbu.push(battery);
        self.at = At::Battery;
    }

    fn drive(&mut self, key: &str, value: &str, facts: &mut Facts) {
        let Some(drive) = facts.drives.last_mut() else { return };
        match key {
            "slot number" => {
                drive.slot = filled(value);
                drive.key = format!("{}:{value}", drive.enclosure.as_deref().unwrap_or(""));
                self.spare = false;
                if let Some(array) = facts.arrays.last_mut().filter(|_| self.nested) {
                    let member = Member { key: Some(drive.key.clone()), ..Member::default() };
                    array.members.get_or_insert_default().push(member);
                }
            }
            "drive's postion" | "drive's position" => {
                for part in value.split(',') {
                    match pair(part, ":") {
                        Some(("DiskGroup", group)) => drive.disk_group = filled(group),
                        Some((word @ ("Span" | "Arm"), n)) => {
                            if let Some(n) = number(n) {
                                put(&mut drive.details, word.to_ascii_lowercase(), n);
                            }
                        }
                        _ => {}
                    }
                }
            }
            "device id" => drive.device_id = filled(value),
            "media error count" => drive.media_errors = number(value),
            "predictive failure count" => drive.predictive_failures = number(value),
            "coerced size" => drive.size = size(value, 512),
            "sector size" if number(value) == Some(4096) => {
                if let Some(size) = &mut drive.size {
                    size.bytes_exact = size.bytes_exact.and_then(|bytes| bytes.checked_mul(8));
                }
            }
            "firmware state" => {
                drive.state_raw = Some(value.to_owned());
                drive.state = Some(drive_state(value));
            }
            "foreign state" => drive.foreign = Some(!value.eq_ignore_ascii_case("none")),
            "drive has flagged a s.m.a.r.t alert" => drive.smart_alert = yes_no(value),
            "hotspare information" => self.spare = true,
            "type" if self.spare || value.contains("revertible") => {
                put(&mut drive.details, "spare_raw", value);
                let first = value.split(',').next().unwrap_or_default().trim().to_ascii_lowercase();
                drive.spare = Some(match first.as_str() {
                    "global" => Spare::Global,
                    "dedicated" => Spare::Dedicated,
                    _ => Spare::Other(value.to_owned()),
                });
            }
            _ => {}
        }
    }
}

fn after(text: &str, mark: &str) -> Option<String> {
    let (_, rest) = text.split_once(mark)?;
    number(rest).map(|n| n.to_string())
}

fn result(controller: Option<String>, says: &str, line: &str, facts: &mut Facts) {
    let bad = ["fail", "error", "not ", "cannot", "invalid", "unable"].iter().any(|word| says.contains(word));
    let status = if bad { "Failure" } else { "Success" };
    facts.results.push(Completed {
        controller,
        status: status.to_owned(),
        description: Some(line.to_owned()),
        detailed: None,
    });
    if bad {
        facts.fail(Problem::said(ProblemKind::CommandFailure, line));
    }
}

/// `8, slot 3 completed 7% in 0 minutes.`
fn progress(rest: &str) -> Option<Task> {
    let enclosure = number(rest)?;
    let slot = after(rest, "slot ")?;
    let mut task = Task {
        kind: Some(TaskKind::Rebuild),
        target: Some(format!("{enclosure}:{slot}")),
        ..Task::default()
    };
    task.percent = after(rest, "completed ").and_then(|n| n.parse::<u64>().ok()).map(Number::from);
    if let Some(minutes) = rest.split_once(" in ").and_then(|(_, tail)| number(tail)) {
        put(&mut task.details, "elapsed_min", minutes);
    }
    Some(task)
}

/// `931.0 GB [0x74600000 Sectors]`; the count is of logical sectors.
pub(super) fn size(value: &str, sector: u64) -> Option<Size> {
    let (text, rest) = value.split_once('[').unwrap_or((value, ""));
    let sectors = rest
        .split_whitespace()
        .next()
        .and_then(|word| u64::from_str_radix(word.trim_start_matches("0x"), 16).ok());
    Some(Size::binary(text)?.exact(sectors.and_then(|n| n.checked_mul(sector))))
}

fn drive_state(value: &str) -> DriveState {
    let lower = value.to_ascii_lowercase();
    let word = lower.split(',').next().unwrap_or_default().trim();
    match word {
        "online" => DriveState::Online,
        "failed" => DriveState::Failed,
        "rebuild" => DriveState::Rebuilding,
        "copyback" => DriveState::Copyback,
        "offline" => DriveState::Offline,
        "missing" => DriveState::Missing,
        "jbod" => DriveState::Jbod,
        _ if word.starts_with("hotspare") || word.starts_with("hot spare") => DriveState::Spare,
        _ if word.starts_with("unconfigured(good)") => DriveState::Ready,
        _ if word.starts_with("unconfigured(bad)") => DriveState::Bad,
        _ => DriveState::Other(value.to_owned()),
    }
}

/// SCSI inquiry data: vendor 8, product 16, revision 4, then the vendor's own; behind a SATA bridge the
/// serial number 20, the model 40 and the firmware 8.
fn inquiry(value: &str, drive: &mut Drive) {
    let cut = |text: &str, from: usize, to: usize| -> Option<String> {
        filled(&text.chars().skip(from).take(to.saturating_sub(from)).collect::<String>())
    };
    let length = value.chars().count();
    put(&mut drive.details, "inquiry", value);
    if length > 52 {
        drive.serial = cut(value, 0, 20);
        drive.model = cut(value, 20, 60).map(|m| m.split_whitespace().collect::<Vec<_>>().join(" "));
        drive.firmware = cut(value, 60, 68);
    } else if length >= 28 {
        drive.vendor = cut(value, 0, 8);
        drive.model = cut(value, 8, 24);
        drive.firmware = cut(value, 24, 28);
        // Twenty columns of which only some vendors use eight for the serial number.
        drive.serial = cut(value, 28, length).filter(|serial| serial.len() == 8);
    }
}

fn array_field(key: &str, value: &str, facts: &mut Facts) {
    let Some(array) = facts.arrays.last_mut() else { return };
    match key {
        "name" => array.name = Some(value.to_owned()),
        "raid level" => {
            array.level = Some(level(value, array.span_depth.unwrap_or(1)));
            array.level_raw = Some(value.to_owned());
        }
        "size" => array.size = Size::binary(value),
        "state" => {
            array.state_raw = Some(value.to_owned());
            array.state = Some(array_state(value));
        }
        "strip size" | "stripe size" => array.stripe = filled(value),
        "number of drives" | "number of drives per span" => array.member_count = number(value),
        "span depth" => {
            let spans = number(value);
            array.span_depth = spans;
            if let (Some(spans), Some(each)) = (spans.filter(|n| *n > 1), array.member_count) {
                // The count that the tool prints is of one span.
                array.member_count = each.checked_mul(spans);
            }
            if let Some(raw) = &array.level_raw {
                array.level = Some(level(raw, spans.unwrap_or(1)));
            }
        }
        "default cache policy" => cache(array, "default", value),
        "current cache policy" => cache(array, "current", value),
        "rebuild"
        | "check consistency"
        | "background initialization"
        | "foreground initialization"
        | "initialization"
        | "reconstruction" => {
            let percent = value.split_once("ompleted").and_then(|(_, rest)| number(rest));
            let kind = match key {
                "rebuild" => TaskKind::Rebuild,
                "check consistency" => TaskKind::Verify,
                "reconstruction" => TaskKind::Migrate,
                _ => TaskKind::Init,
            };
            if let Some(percent) = percent {
                let kind_raw = Some(key.to_owned());
                array.op = Some(Box::new(Task {
                    kind: Some(kind),
                    kind_raw,
                    percent: Some(percent.into()),
                    ..Task::default()
                }));
            }
        }
        _ => {}
    }
}

fn cache(array: &mut Array, when: &str, value: &str) {
    put(&mut array.cache, format!("{when}_raw"), value);
    let write = match value.split(',').next().unwrap_or_default().trim() {
        "WriteBack" => "write_back",
        "WriteThrough" => "write_through",
        _ => return,
    };
    put(&mut array.cache, format!("write_{when}"), write);
}

fn array_state(value: &str) -> ArrayState {
    match value.to_ascii_lowercase().as_str() {
        "optimal" => ArrayState::Optimal,
        "degraded" => ArrayState::Degraded,
        "partially degraded" => ArrayState::PartiallyDegraded,
        "offline" | "failed" => ArrayState::Failed,
        "recovery" => ArrayState::Recovery,
        _ => ArrayState::Other(value.to_owned()),
    }
}

/// `Primary-1, Secondary-3, RAID Level Qualifier-0`
fn level(value: &str, spans: u64) -> Level {
    let lower = value.to_ascii_lowercase();
    let primary = after(&lower, "primary-");
    let spanned = spans > 1 || after(&lower, "secondary-").is_some_and(|s| s == "3");
    match (primary.as_deref(), spanned) {
        (Some("0"), _) => Level::Raid0,
        (Some("1"), false) => Level::Raid1,
        (Some("1"), true) => Level::Raid10,
        (Some("5"), false) => Level::Raid5,
        (Some("5"), true) => Level::Raid50,
        (Some("6"), false) => Level::Raid6,
        (Some("6"), true) => Level::Raid60,
        _ => Level::Other(value.to_owned()),
    }
}
