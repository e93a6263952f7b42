//! Adaptec and Microchip arcconf. Sections of `Key : value` lines; keys differ in case and wording
//! between versions. The closing line is `Command completed successfully.` or `Command aborted.`.
use crate::model::put;
use crate::text::{filled, indent, is_rule, lines, number, yes_no};
use crate::{
    Array, ArrayState, Battery, Capture, Controller, Drive, DriveState, Facts, Level, Member, Problem,
    ProblemKind, Size, Spare, Task, TaskKind,
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    None,
    Controller,
    Arrays,
    Drives,
    Tasks,
    Other,
}

pub(super) fn read(capture: &Capture, text: &str, facts: &mut Facts) {
    let mut reader = Reader {
        id: controller_id(&capture.cmd),
        section: Section::None,
        part: String::new(),
        task: None,
        device: false,
        array: false,
        number: None,
        said: None,
    };
    let mut trailer = None;
    for (no, line) in lines(text) {
        let trimmed = line.trim();
        if trimmed.is_empty() || is_rule(trimmed) {
            continue;
        }
        if let Some(done) = closing(trimmed) {
            trailer = Some(done);
            continue;
        }
        reader.line(no, line, trimmed, facts);
    }
    facts.ops.extend(reader.task.take().and_then(finished));
    facts.complete.insert(capture.name.clone(), trailer == Some(true));
    match trailer {
        Some(true) => {}
        Some(false) => {
            let (line, message) = reader.said.unwrap_or_default();
            let kind = if message.contains("not supported") {
                ProblemKind::Unsupported
            } else {
                ProblemKind::ToolError
            };
            let mut problem = Problem::said(kind, &message);
            problem.line = (line > 0).then_some(line);
            facts.fail(problem);
        }
        None => facts.fail(Problem::new(ProblemKind::Truncated)),
    }
    if facts.controller_count == Some(0) && trailer == Some(true) {
        facts.fail(Problem::new(ProblemKind::NoController));
    }
}

fn closing(line: &str) -> Option<bool> {
    match () {
        () if line.starts_with("Command completed successfully") => Some(true),
        () if line.starts_with("Command aborted") => Some(false),
        () => None,
    }
}

/// The number after the verb: `arcconf GETCONFIG 1 AL`.
fn controller_id(cmd: &str) -> Option<String> {
    cmd.split_whitespace().skip(2).find(|word| word.bytes().all(|b| b.is_ascii_digit())).map(str::to_owned)
}

struct Reader {
    id: Option<String>,
    section: Section,
    /// The part of a section, in small letters.
    part: String,
    task: Option<Task>,
    /// Whether the lines belong to a drive.
    device: bool,
    /// Whether an array was begun.
    array: bool,
    /// Its number in the list.
    number: Option<String>,
    said: Option<(usize, String)>,
}

impl Reader {
    fn line(&mut self, no: usize, line: &str, trimmed: &str, facts: &mut Facts) {
        let Some((key, value)) = split(trimmed) else { return self.title(no, line, trimmed, facts) };
        let key = key.to_ascii_lowercase();
        match self.section {
            Section::Controller => self.controller(&key, value, facts),
            Section::Arrays => {
                let again = key == "raid level" && facts.arrays.last().is_some_and(|a| a.level_raw.is_some());
                if again || (key == "raid level" && !self.array) {
                    facts.doubt(Some(no), format!("the first line of an array is missing before line {no}"));
                    facts.arrays.push(Array { controller: self.id.clone(), ..Array::default() });
                    self.array = true;
                }
                array(&key, value, facts);
            }
            Section::Drives if self.device => {
                if key.starts_with("reported channel,device(t:l)") && !value.trim_end().ends_with(')') {
                    facts.doubt(Some(no), format!("line {no} is cut: `{value}` is no whole address"));
                }
                drive(&key, value, facts);
            }
            Section::Drives if self.number.is_some() && key == "state" => {
                facts.doubt(
                    Some(no),
                    format!(
                        "what device {} is, is missing before line {no}",
                        self.number.clone().unwrap_or_default()
                    ),
                );
                self.device = true;
                facts.drives.push(Drive { controller: self.id.clone(), ..Drive::default() });
                drive(&key, value, facts);
            }
            Section::Tasks => self.task_field(&key, value, facts),
            Section::None if key == "current operation" => {}
            _ => {}
        }
    }

    /// A line without a value: a section, a part of one, a record, or a sentence.
    fn title(&mut self, no: usize, line: &str, trimmed: &str, facts: &mut Facts) {
        let lower = trimmed.to_ascii_lowercase().replace("drive", "device");
        if let Some(count) = lower.strip_prefix("controllers found:") {
            facts.controller_count = number(count);
        } else if let Some(id) = lower.strip_prefix("logical device number ") {
            if !matches!(self.section, Section::Arrays | Section::Tasks) {
                facts.doubt(Some(no), format!("the title of the arrays is missing before line {no}"));
                self.section = Section::Arrays;
            }
            if self.section == Section::Arrays {
                let id = id.trim().to_owned();
                self.array = true;
                facts.arrays.push(Array { controller: self.id.clone(), id, ..Array::default() });
            }
        } else if lower.ends_with("device task:") {
            facts.ops.extend(self.task.take().and_then(finished));
            self.section = Section::Tasks;
            self.task = Some(Task { controller: self.id.clone(), ..Task::default() });
        } else if indent(line) == 0 && (lower.ends_with(" information") || lower.ends_with(" info")) {
            self.section = match lower.trim_end_matches(" information") {
                "controller" => {
                    // `LIST` names controllers in its rows.
                    if let Some(id) = self.id.clone() {
                        facts.controllers.push(Controller { id, ..Controller::default() });
                    }
                    Section::Controller
                }
                "logical device" => Section::Arrays,
                "physical device" => Section::Drives,
                _ => Section::Other,
            };
            self.device = false;
            self.array = false;
            self.number = None;
            self.part.clear();
        } else if self.section == Section::Drives || lower.starts_with("device #") {
            if self.section != Section::Drives {
                facts.doubt(Some(no), format!("the title of the drives is missing before line {no}"));
                self.section = Section::Drives;
            }
            if let Some(id) = lower.strip_prefix("device #") {
                self.device = false;
                if number(id).is_none() {
                    facts.doubt(Some(no), format!("line {no} names no device"));
                }
                self.number = Some(id.trim().to_owned());
            } else if let Some(kind) = trimmed.strip_prefix("Device is a") {
                let kind = kind.to_ascii_lowercase();
                self.device = kind.contains("drive") || kind.contains("disk") || kind.contains("ssd");
                if self.number.is_none() {
                    facts.doubt(Some(no), format!("the first line of a device is missing before line {no}"));
                }
                if self.device {
                    let mut drive = Drive { controller: self.id.clone(), ..Drive::default() };
                    if let Some(id) = self.number.take() {
                        put(&mut drive.details, "device", id);
                    }
                    facts.drives.push(drive);
                }
            }
        } else if self.section == Section::Controller {
            self.part = trimmed.to_ascii_lowercase();
        } else if indent(line) == 0 && self.section == Section::None {
            self.said = Some((no, trimmed.to_owned()));
        }
    }

    fn controller(&mut self, key: &str, value: &str, facts: &mut Facts) {
        let store = ["battery", "zmm", "backup"].iter().any(|word| self.part.contains(word));
        if store {
            let at = facts.bbu.iter().position(|b| {
                b.controller == self.id && b.details.get("section").is_some_and(|s| *s == *self.part)
            });
            match key {
                "status" | "overall backup unit status" | "backup power status" | "supercap status"
                    if at.is_none() =>
                {
                    let mut battery = Battery {
                        controller: self.id.clone(),
                        state_raw: Some(value.to_owned()),
                        ..Battery::default()
                    };
                    put(&mut battery.details, "section", self.part.as_str());
                    facts.bbu.push(battery);
                }
                _ => {
                    let Some(battery) = at.and_then(|at| facts.bbu.get_mut(at)) else { return };
                    let name = match key {
                        "capacity remaining" => "capacity_remaining",
                        "time remaining (at current draw)" => "time_remaining",
                        "over temperature" => "over_temperature",
                        _ => return,
                    };
                    put(&mut battery.details, name, value);
                }
            }
            return;
        }
        if let Some(id) =
            key.strip_prefix("controller ").and_then(|rest| rest.strip_suffix(':')).and_then(number)
        {
            facts.controllers.push(listed(id, value));
            return;
        }
        let Some(controller) = facts.controllers.last_mut().filter(|_| self.id.is_some()) else { return };
        match key {
            "controller status" => {
                controller.state = Some(controller_state(value));
                controller.state_raw = Some(value.to_owned());
            }
            "controller mode" => controller.mode = filled(value),
            "controller model" => controller.model = filled(value),
            "controller serial number" => controller.serial = Some(value.to_owned()),
            "firmware" if controller.firmware.is_none() => controller.firmware = filled(value),
            _ if key.starts_with("pci address") => put(&mut controller.details, "pci", value),
            "defunct disk drive count" => {
                if let Some(n) = number(value) {
                    put(&mut controller.details, "defunct_drives", n);
                }
            }
            "logical devices/failed/degraded"
            | "logical drives/offline/critical"
            | "logical drives/failed/degraded" => {
                for (name, part) in ["ld_total", "ld_failed", "ld_degraded"].iter().zip(value.split('/')) {
                    if let Some(n) = number(part) {
                        put(&mut controller.details, *name, n);
                    }
                }
            }
            _ => {}
        }
    }

    fn task_field(&mut self, key: &str, value: &str, facts: &mut Facts) {
        let Some(task) = &mut self.task else { return };
        match key {
            "logical device" | "logical drive" => {
                if task.array.is_some() {
                    let next = Task { controller: self.id.clone(), ..Task::default() };
                    facts.ops.extend(finished(std::mem::replace(task, next)));
                }
                task.array = number(value).map(|n| n.to_string());
            }
            "task id" => put(&mut task.details, "task_id", value),
            "current operation" => {
                task.kind = Some(task_kind(value));
                task.kind_raw = filled(value).filter(|word| word != "None");
            }
            "status" => task.status_raw = filled(value),
            "percentage complete" => task.percent = number(value).map(Into::into),
            _ => {}
        }
    }
}

/// `Optimal, Slot 3, RAID (Expose RAW), Adaptec ASR8805, 6A4363C5C43, 50000D1703E58780`
fn listed(id: u64, value: &str) -> Controller {
    let parts: Vec<&str> = value.split(',').map(str::trim).collect();
    let part = |at: usize| parts.get(at).copied().and_then(filled);
    let mut controller = Controller {
        id: id.to_string(),
        state: part(0).as_deref().map(controller_state),
        state_raw: part(0),
        mode: part(2),
        model: part(3),
        serial: part(4),
        ..Controller::default()
    };
    if let Some(slot) = part(1).and_then(|text| text.strip_prefix("Slot").and_then(filled)) {
        put(&mut controller.details, "slot", slot);
    }
    controller
}

fn controller_state(value: &str) -> ArrayState {
    match value {
        "Optimal" | "Okay" | "OK" | "Ok" => ArrayState::Optimal,
        _ => ArrayState::Other(value.to_owned()),
    }
}

fn finished(task: Task) -> Option<Task> {
    task.kind_raw.is_some().then_some(task)
}

/// `Key   : value`, split at the colon after a blank: keys hold colons themselves, such as
/// `Reported Channel,Device(T:L)`.
fn split(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once(" :")?;
    let value = value.strip_prefix(' ').or_else(|| value.is_empty().then_some(""))?;
    Some((key.trim(), value.trim()))
}

fn task_kind(word: &str) -> TaskKind {
    let lower = word.to_ascii_lowercase();
    match () {
        () if lower.contains("rebuild") => TaskKind::Rebuild,
        () if lower.contains("build/verify with fix") => TaskKind::Verify,
        () if lower.contains("build") || lower.contains("clear") || lower.contains("init") => TaskKind::Init,
        () if lower.contains("verify") || lower.contains("consistency") => TaskKind::Verify,
        () if lower.contains("compact") => TaskKind::Compact,
        () if lower.contains("reconfig") || lower.contains("migrat") || lower.contains("expan") => {
            TaskKind::Migrate
        }
        () => TaskKind::Other(word.to_owned()),
    }
}

fn array(key: &str, value: &str, facts: &mut Facts) {
    let Some(array) = facts.arrays.last_mut() else { return };
    let key = key.replace("drive", "device");
    match key.as_str() {
        "logical device name" => array.name = Some(value.to_owned()),
        "raid level" => {
            array.level = Some(Level::of(value));
            array.level_raw = Some(value.to_owned());
        }
        "status of logical device" => state(value, array),
        "size" => array.size = Size::binary(value),
        "stripe-unit size" => array.stripe = filled(value),
        "volume unique identifier" | "unique identifier" => put(&mut array.details, "uid", value),
        "disk name" => array.os_device = value.split_whitespace().next().and_then(filled),
        "write-cache setting" => put(&mut array.cache, "write_raw", value),
        "write-cache mode" | "caching" => {
            let _mode = array.cache.get_or("write_raw", || value.into());
        }
        "write-cache status" => put(&mut array.cache, "write_status_raw", value),
        _ => {
            if let Some(member) = segment(&key, value) {
                array.members.get_or_insert_default().push(member);
            }
        }
    }
}

/// `Optimal`, or `Impacted ( Build/Verify with fix : 90 % )`: the word decides, the rest is a task.
fn state(value: &str, array: &mut Array) {
    let (word, rest) = value.split_once('(').unwrap_or((value, ""));
    let lower = word.trim().to_ascii_lowercase();
    array.state = Some(match lower.as_str() {
        "optimal" | "okay" | "ok" => ArrayState::Optimal,
        "impacted" => ArrayState::Impacted,
        "critical" | "degraded" | "interim recovery" => ArrayState::Degraded,
        // The SmartRAID generation has the words of its HPE kin.
        "ready for recovery" | "ready for rebuild" | "queued for rebuild" | "waiting for rebuild" => {
            ArrayState::Degraded
        }
        "recovering" => ArrayState::Rebuilding,
        "expanding" | "transforming" | "queued for expansion" => ArrayState::Migrating,
        "verifying" => ArrayState::Verifying,
        "suboptimal" | "suboptimal, fault tolerant" => ArrayState::PartiallyDegraded,
        "offline" | "failed" => ArrayState::Failed,
        "rebuilding" => ArrayState::Rebuilding,
        _ if lower.starts_with("degraded") || lower.starts_with("critical") => ArrayState::Degraded,
        _ if lower.starts_with("suboptimal") => ArrayState::PartiallyDegraded,
        _ if lower.ends_with("offline") || lower.starts_with("failed") => ArrayState::Failed,
        _ => ArrayState::Other(word.trim().to_owned()),
    });
    array.state_raw = Some(value.to_owned());
    if let Some((task, percent)) = rest.trim_end_matches(')').rsplit_once(':')
        && let Some(percent) = number(percent)
    {
        array.op = Some(Box::new(Task {
            kind: Some(task_kind(task)),
            kind_raw: filled(task),
            percent: Some(percent.into()),
            ..Task::default()
        }));
    }
}

/// `Segment 0`, `Group 1, Segment 0` or `Device 8`: `Present (Controller:1,Enclosure:0,Slot:0) SERIAL`.
fn segment(key: &str, value: &str) -> Option<Member> {
    let group = key.strip_prefix("group ").and_then(number);
    let is_segment = group.is_some()
        || ["segment ", "device "].iter().any(|word| {
            key.strip_prefix(word).is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
        });
    if !is_segment {
        return None;
    }
    let mut member = Member::default();
    let (word, place, serial) = match value.split_once('(') {
        Some((word, rest)) => {
            let end = rest.rfind(')').unwrap_or(rest.len());
            let (place, serial) = rest.split_at_checked(end)?;
            (word, place, serial.trim_start_matches(')'))
        }
        None => (value, "", ""),
    };
    member.state_raw = filled(word);
    let address: String = place.chars().take_while(|c| c.is_ascii_digit() || *c == ',').collect();
    let bare =
        address.len() == place.len() || place.get(address.len()..).is_some_and(|rest| rest.starts_with('('));
    if bare && address.contains(',') {
        member.key = Some(address);
    } else {
        member.location = filled(place);
    }
    member.serial = filled(serial);
    if let Some(group) = group {
        put(&mut member.details, "group", group);
    }
    Some(member)
}

fn drive(key: &str, value: &str, facts: &mut Facts) {
    let Some(drive) = facts.drives.last_mut() else { return };
    match key {
        "state" => {
            drive.state = Some(drive_state(value));
            drive.state_raw = Some(value.to_owned());
            let lower = value.to_ascii_lowercase();
            if lower.contains("hot-spare") || lower.contains("hot spare") {
                drive.spare = Some(match () {
                    () if lower.contains("global") => Spare::Global,
                    () if lower.contains("dedicated") => Spare::Dedicated,
                    () => Spare::Hot,
                });
            }
        }
        "vendor" => {
            drive.vendor = filled(value);
            if value == "*MISSING*" {
                drive.state = Some(DriveState::Missing);
            }
        }
        "model" => drive.model = filled(value),
        "firmware" => drive.firmware = filled(value),
        "serial number" => drive.serial = filled(value),
        "total size" | "size" => drive.size = Size::binary(value),
        "reported location" => {
            drive.location = filled(value);
            if let Some((enclosure, slot)) =
                value.strip_prefix("Enclosure ").and_then(|rest| rest.split_once(", Slot "))
                && let (Some(enclosure), Some(slot)) = (number(enclosure), number(slot))
            {
                drive.enclosure = Some(enclosure.to_string());
                drive.slot = Some(slot.to_string());
            }
        }
        "s.m.a.r.t." | "pfa" => drive.smart_alert = yes_no(value),
        _ if key.starts_with("reported channel,device") => {
            // `0,4(4:0)`
            value.split('(').next().unwrap_or_default().trim().clone_into(&mut drive.key);
        }
        _ => {}
    }
}

fn drive_state(value: &str) -> DriveState {
    let lower = value.to_ascii_lowercase();
    match lower.as_str() {
        "online" | "optimal" => DriveState::Online,
        "ready" => DriveState::Ready,
        "failed" | "defunct" | "dead" => DriveState::Failed,
        "rebuilding" => DriveState::Rebuilding,
        "missing" => DriveState::Missing,
        "offline" => DriveState::Offline,
        _ if lower.contains("hot-spare") || lower.contains("hot spare") => DriveState::Spare,
        _ if lower.contains("jbod") || lower == "exposed to os" => DriveState::Jbod,
        _ if lower.starts_with("raw") => DriveState::Raw,
        _ if lower.starts_with("rebuild") => DriveState::Rebuilding,
        _ if lower.starts_with("failed") || lower.starts_with("defunct") => DriveState::Failed,
        _ if lower.contains("predictive") => DriveState::PredictiveFailure,
        _ => DriveState::Other(value.to_owned()),
    }
}
