//! hpacucli, hpssacli and ssacli. Indented sections under `Model in Slot n`; no closing line.
mod field;
mod heading;
mod state;

use crate::model::put;
use crate::text::{filled, indent, pair, plain, split};
use crate::{
    Array, Battery, Controller, Details, Drive, Facts, Group, Level, Member, Problem, ProblemKind, Size,
};
use field::{array_field, drive_field, listed};
use heading::{array_letter, controller, logical_drive, other_section};
use state::{array_state, placed, set_state};
use std::borrow::Cow;

/// What the lines belong to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    Nothing,
    Controller,
    Group,
    Array,
    Drive(usize),
    Other,
}

pub(super) fn read(text: &str, facts: &mut Facts) {
    let known: Vec<String> = facts.controllers.iter().map(|c| c.id.clone()).collect();
    let mut reader = Reader {
        known,
        at: At::Nothing,
        controller: None,
        group: None,
        place: Place::Unknown,
        detailed: Vec::new(),
        listed: Vec::new(),
        tolerance: None,
    };
    let lines: Vec<&str> = split(text).collect();
    let mut seen = false;
    let mut index = 0usize;
    while let Some(line) = lines.get(index) {
        index = index.saturating_add(1);
        let trimmed = line.trim();
        if let Some(message) = trimmed.strip_prefix("Error:") {
            // The message wraps onto indented lines, up to an empty one.
            let mut message = message.trim().to_owned();
            let start = index;
            while let Some(next) = lines.get(index).filter(|l| !l.trim().is_empty() && indent(l) > 0) {
                message.push(' ');
                message.push_str(next.trim());
                index = index.saturating_add(1);
            }
            let mut problem = Problem::said(error_kind(&message), &message);
            problem.line = Some(start);
            facts.fail(problem);
            seen = true;
        } else if !trimmed.is_empty() {
            let next = || lines.get(index..).and_then(|rest| rest.iter().find(|l| !l.trim().is_empty()));
            reader.line(line, trimmed, &|| next().is_some_and(|l| indent(l) > 0), facts);
        }
    }
    seen |= reader.controller.is_some();
    if !seen {
        facts.fail(Problem::new(ProblemKind::Unparsable));
    } else if !reader.detailed.is_empty()
        && reader.listed.iter().enumerate().any(|(at, yes)| *yes && reader.detailed.get(at) != Some(&true))
    {
        // No closing line: that a listed drive has no details is the only sign.
        facts.fail(Problem::new(ProblemKind::Truncated));
    }
}

fn error_kind(message: &str) -> ProblemKind {
    let lower = message.to_ascii_lowercase();
    let has = |words: &str| lower.contains(words);
    match () {
        () if has("no controllers detected") => ProblemKind::NoController,
        () if has("does not have any logical drives") => ProblemKind::NoLogicalDrives,
        () if has("must be identified") || has("missing target") || has("no target") => {
            ProblemKind::MissingTarget
        }
        () if has("syntax error") => ProblemKind::SyntaxError,
        () if has("invalid target")
            || has("is not a valid target")
            || has("could not be found")
            || has("is invalid") =>
        {
            ProblemKind::InvalidTarget
        }
        () if has("is not a valid option") || has("invalid option") => ProblemKind::InvalidOption,
        () if has("not supported") || has("unsupported") => ProblemKind::Unsupported,
        () => ProblemKind::ToolError,
    }
}

/// Where a drive is listed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Unknown,
    Array,
    Unassigned,
    Hba,
}

struct Reader {
    /// Controllers of earlier captures.
    known: Vec<String>,
    at: At,
    controller: Option<String>,
    group: Option<String>,
    place: Place,
    /// Drives with details, and drives of a list, by their place.
    detailed: Vec<bool>,
    listed: Vec<bool>,
    /// How many arrays there were when the last one's level was read.
    tolerance: Option<usize>,
}

impl Reader {
    fn line(&mut self, line: &str, trimmed: &str, body: &dyn Fn() -> bool, facts: &mut Facts) {
        let indent = indent(line);
        if indent == 0 {
            if let Some(controller) = controller(&plain(trimmed), body()) {
                self.enter(controller, facts);
                return;
            }
            if self.controller.is_none() {
                return;
            }
        }
        if indent == 0
            && let Some((_, slot)) = trimmed.rsplit_once(" in ")
            && "Slot".starts_with(slot)
        {
            facts.doubt(None, format!("`{trimmed}` is cut: what follows may be another controller's"));
        }
        if indent > 0 && trimmed.contains(" in Slot ") && controller(trimmed, body()).is_some() {
            facts.doubt(None, format!("`{trimmed}` does not begin its line: what follows may be its own"));
        }
        let cut = |word: &str| word.starts_with(trimmed) && !trimmed.contains(' ');
        if self.controller.is_some() && (cut("physicaldrive") || cut("logicaldrive")) {
            facts.doubt(None, format!("a row is cut: `{trimmed}`"));
        }
        if let Some(rest) = trimmed.strip_prefix("physicaldrive ") {
            self.physical(rest, facts);
        } else if let Some(rest) = trimmed.strip_prefix("logicaldrive ") {
            self.logical(rest, facts);
        } else if let Some(id) = logical_drive(trimmed).filter(|_| self.group.is_some()) {
            facts.arrays.push(Array {
                controller: self.controller.clone(),
                id: id.trim().to_owned(),
                group: self.group.clone(),
                ..Array::default()
            });
            self.at = At::Array;
        } else if let Some(letter) = array_letter(trimmed) {
            self.group(letter, trimmed, facts);
        } else if trimmed.eq_ignore_ascii_case("unassigned") || trimmed.eq_ignore_ascii_case("hba drives") {
            self.group = None;
            let free = trimmed.eq_ignore_ascii_case("unassigned");
            self.place = if free { Place::Unassigned } else { Place::Hba };
            self.at = At::Other;
        } else if trimmed.eq_ignore_ascii_case("physical drives") || other_section(trimmed) {
            if indent <= 3 {
                self.group = None;
                self.place = Place::Unknown;
                self.at = At::Other;
            }
        } else if let Some((key, value)) = pair(trimmed, ":") {
            self.field(key, value, facts);
        } else if indent <= 3 && self.at != At::Nothing {
            // A heading that is not known: what follows is not the controller's.
            self.at = At::Other;
        }
    }

    fn enter(&mut self, controller: Controller, facts: &mut Facts) {
        self.controller = Some(controller.id.clone());
        self.group = None;
        self.place = Place::Unknown;
        self.at = At::Controller;
        if !self.known.contains(&controller.id) {
            facts.controllers.push(controller);
        }
    }

    fn group(&mut self, letter: &str, line: &str, facts: &mut Facts) {
        let state_raw = line
            .split_once('(')
            .and_then(|(_, rest)| rest.rsplit_once(')'))
            .and_then(|(word, _)| filled(word));
        // `array A (SAS, Unused Space: 0 MB)` tells no state.
        let state_raw = state_raw.filter(|word| !word.contains([',', ':']));
        self.group = Some(letter.to_owned());
        self.place = Place::Array;
        self.at = At::Group;
        let same = |g: &Group| g.controller == self.controller && g.array.as_deref() == Some(letter);
        if !facts.groups.iter().any(same) {
            facts.groups.push(Group {
                controller: self.controller.clone(),
                array: Some(letter.to_owned()),
                state: state_raw.as_deref().map(array_state),
                state_raw,
                ..Group::default()
            });
        }
    }

    /// `1 (838.3 GB, RAID 1, OK)`
    fn logical(&mut self, rest: &str, facts: &mut Facts) {
        let parts = rest.split_once('(').and_then(|(id, inner)| {
            let (inner, after) = inner.rsplit_once(')')?;
            // `show status` puts the state behind: `1 (136.7 GB, RAID 1): OK`.
            let inner = match after.trim().strip_prefix(':') {
                Some(state) => format!("{inner}, {}", state.trim()),
                None => inner.to_owned(),
            };
            Some((id.trim(), inner))
        });
        let fields = parts.as_ref().and_then(|(id, inner)| {
            let (size, inner) = inner.split_once(',')?;
            let (level, state) = inner.split_once(',')?;
            Some((*id, Size::binary(size)?, level.trim(), state.trim()))
        });
        let Some((id, size, level, state)) = fields else {
            facts.malformed_rows.push(format!("logicaldrive {rest}"));
            return;
        };
        if facts.arrays.iter().any(|a| a.id == id && a.controller == self.controller) {
            return;
        }
        let mut array = Array {
            controller: self.controller.clone(),
            id: id.to_owned(),
            group: self.group.clone(),
            level_raw: Some(level.to_owned()),
            level: Some(Level::of(level)),
            size: Some(size),
            ..Array::default()
        };
        set_state(state, &mut array);
        facts.arrays.push(array);
        self.at = At::Array;
    }

    /// A drive of a list, or the heading of its details.
    fn physical(&mut self, rest: &str, facts: &mut Facts) {
        if rest.contains('(') && !rest.contains(')') {
            facts.doubt(None, format!("a row is cut: `physicaldrive {rest}`"));
        }
        let (key, inner) = match rest.split_once('(') {
            Some((key, inner)) => {
                let (inner, after) = inner.rsplit_once(')').unwrap_or((inner, ""));
                let inner = match after.trim().strip_prefix(':') {
                    Some(state) => Cow::Owned(format!("{inner}, {}", state.trim())),
                    None => Cow::Borrowed(inner),
                };
                (key.trim(), Some(inner))
            }
            None => (rest.trim(), None),
        };
        if key.is_empty() || key.contains(char::is_whitespace) {
            facts.malformed_rows.push(format!("physicaldrive {rest}"));
            return;
        }
        let of_array = self.at == At::Array && self.place == Place::Array;
        let found = facts.drive_at(self.controller.as_deref(), key);
        let at = found.unwrap_or(facts.drives.len());
        if found.is_none() {
            let mut drive = Drive {
                controller: self.controller.clone(),
                key: key.to_owned(),
                details: Details::with_room(2),
                ..Drive::default()
            };
            let mut places = key.split(':').skip(1);
            if let (Some(box_), Some(bay)) = (places.next(), places.next()) {
                put(&mut drive.details, "box", box_);
                put(&mut drive.details, "bay", bay);
            }
            facts.drives.push(drive);
        }
        let Some(drive) = facts.drives.get_mut(at) else { return };
        if self.group.is_some() {
            drive.group = self.group.clone();
        }
        match inner {
            Some(inner) => {
                if found.is_none() && !listed(&inner, drive) {
                    facts.malformed_rows.push(format!("physicaldrive {rest}"));
                    facts.drives.truncate(at);
                    facts.index = crate::model::DriveIndex::default();
                    return;
                }
                mark(&mut self.listed, at);
                placed(self.place, drive);
                let member = Member { key: Some(key.to_owned()), ..Member::default() };
                if let Some(array) = facts.arrays.last_mut().filter(|a| of_array && a.members.is_some()) {
                    array.members.get_or_insert_default().push(member);
                }
            }
            None => {
                mark(&mut self.detailed, at);
                placed(self.place, drive);
                self.at = At::Drive(at);
            }
        }
    }

    fn field(&mut self, key: &str, value: &str, facts: &mut Facts) {
        let lost = match (self.at, key) {
            (At::Group | At::Controller | At::Other, "Fault Tolerance") => Some("a logical drive"),
            (At::Array, "Fault Tolerance") if self.tolerance == Some(facts.arrays.len()) => {
                Some("a logical drive")
            }
            (At::Group | At::Other, "Drive Type") => Some("a drive"),
            (At::Drive(at), "Bay") => {
                let bay = facts
                    .drives
                    .get(at)
                    .and_then(|d| d.details.get("bay"))
                    .and_then(serde_json::Value::as_str);
                bay.filter(|bay| *bay != value).map(|_bay| "a drive")
            }
            (At::Drive(at), "Serial Number") => facts
                .drives
                .get(at)
                .filter(|d| d.serial.as_deref().is_some_and(|s| s != value))
                .map(|_d| "a drive"),
            _ => None,
        };
        if let Some(what) = lost {
            facts.doubt(None, format!("the first line of {what} is missing before `{key}: {value}`"));
        }
        if key == "Fault Tolerance" {
            self.tolerance = Some(facts.arrays.len());
        }
        let elsewhere = match value {
            "Unassigned Drive" => self.place == Place::Array,
            "Data Drive" => self.place == Place::Unassigned,
            _ => false,
        };
        if key == "Drive Type" && elsewhere {
            facts.doubt(None, format!("`{key}: {value}` stands in another part of the list"));
        }
        if key == "Drive Type" && matches!(self.at, At::Drive(_)) && !value.ends_with("Drive") {
            facts.doubt(None, format!("`{key}: {value}` is no kind of drive"));
        }
        match self.at {
            At::Controller => self.controller_field(key, value, facts),
            At::Group => {
                let group = facts
                    .groups
                    .iter_mut()
                    .rfind(|g| g.controller == self.controller && g.array == self.group);
                if let Some(group) = group.filter(|_| key == "Status") {
                    group.state = Some(array_state(value));
                    group.state_raw = filled(value);
                }
            }
            At::Array => array_field(key, value, facts),
            At::Drive(at) => {
                if let Some(drive) = facts.drives.get_mut(at) {
                    drive_field(key, value, self.place, drive);
                }
            }
            At::Nothing | At::Other => {}
        }
    }

    fn controller_field(&mut self, key: &str, value: &str, facts: &mut Facts) {
        let Some(controller) =
            facts.controllers.iter_mut().rfind(|c| Some(&c.id) == self.controller.as_ref())
        else {
            return;
        };
        let cache = match key {
            "Serial Number" => return controller.serial = Some(value.to_owned()),
            "Firmware Version" => return controller.firmware = filled(value),
            "Controller Mode" => return controller.mode = filled(value),
            "HBA Mode Enabled" => return put(&mut controller.details, "hba_mode_enabled", value == "True"),
            _ if key.starts_with("PCI Address") => {
                return put(&mut controller.details, "pci", value.to_ascii_lowercase());
            }
            "Controller Status" => {
                controller.state = Some(array_state(value));
                controller.state_raw = filled(value);
                return;
            }
            "Battery/Capacitor Status" => {
                let state_raw = Some(value.to_owned());
                facts.bbu.push(Battery {
                    controller: self.controller.clone(),
                    state_raw,
                    ..Battery::default()
                });
                return;
            }
            "Cache Status" => "state_raw",
            "Drive Write Cache" => "drive_write_cache_raw",
            "Total Cache Size" => "size_raw",
            "No-Battery Write Cache" => "no_battery_write_cache_raw",
            _ => return,
        };
        put(&mut controller.cache, cache, value);
    }
}

/// Notes a place.
fn mark(places: &mut Vec<bool>, at: usize) {
    if places.len() <= at {
        places.resize(at.saturating_add(1), false);
    }
    if let Some(place) = places.get_mut(at) {
        *place = true;
    }
}
