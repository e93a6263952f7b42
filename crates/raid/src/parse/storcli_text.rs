//! storcli, storcli2 and perccli without `J`: titles, `Key = value` lines and tables between rules.
use super::storcli_json::{
    Cells, battery, battery_kind, controller_state, drive, outcome, overview_row, volume,
};
use crate::text::{Row, filled, is_rule, lines, number};
use crate::{Completed, Controller, Details, Facts, Member, Problem, ProblemKind};
use serde_json::Value;
use std::borrow::Cow;

pub(super) fn read(text: &str, facts: &mut Facts) {
    let text = if text.contains("LU/NS Count") {
        Cow::Owned(text.replace("LU/NS Count", "LU/NS_Count"))
    } else {
        Cow::Borrowed(text)
    };
    let mut reader = Reader::default();
    let mut previous = "";
    for (no, line) in lines(&text) {
        let trimmed = line.trim();
        if trimmed.is_empty() {
            if reader.rows {
                facts.doubt(Some(no), format!("line {no} of a table is empty"));
            }
            continue;
        }
        if is_rule(trimmed) {
            if trimmed.starts_with('=') {
                title_of(previous).clone_into(&mut reader.title);
                reader.header.clear();
            } else if reader.rows {
                reader.header.clear();
                reader.rows = false;
            } else {
                reader.rows = !reader.header.is_empty();
            }
        } else if reader.rows {
            reader.row(trimmed, facts);
        } else if let Some(header) = header(trimmed) {
            reader.header = header;
        } else if is_row(trimmed) {
            facts.doubt(Some(no), format!("line {no} is a row without a table: `{trimmed}`"));
            reader.known = true;
        } else if let Some((key, value)) =
            trimmed.split_once(" = ").or_else(|| trimmed.strip_suffix(" =").map(|k| (k, "")))
        {
            reader.pair(key.trim(), value.trim(), facts);
        }
        previous = trimmed;
    }
    reader.close(facts);
    if reader.rows {
        // A table without its closing rule.
        facts.fail(Problem::new(ProblemKind::Truncated));
    } else if !reader.known && facts.error.is_none() {
        facts.fail(Problem::new(ProblemKind::Unparsable));
    }
}

/// Whether a line looks like a row of drives (`252:4 ...`) or arrays (`0/1 ...`).
fn is_row(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let first = words.next().unwrap_or_default();
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let pair = first.split_once([':', '/']).is_some_and(|(a, b)| digits(a) && !b.is_empty() && digits(b));
    pair && words.count() > 4
}

fn title_of(line: &str) -> &str {
    line.trim_end_matches([' ', ':'])
}

fn header(line: &str) -> Option<Vec<&str>> {
    let first = line.split_whitespace().next()?;
    let known = ["EID:Slt", "DG/VD", "Ctl", "Ctrl", "Model"].contains(&first)
        && line.split_whitespace().nth(2).is_some()
        && !line.contains('=');
    known.then(|| line.split_whitespace().collect())
}

#[derive(Default)]
struct Reader<'a> {
    title: String,
    header: Vec<&'a str>,
    cells: Row<'a>,
    rows: bool,
    known: bool,
    controller: Option<String>,
    /// A result whose detailed status may still follow.
    result: Option<Completed>,
    /// The controller whose sections are being read.
    about: Option<usize>,
}

impl<'a> Reader<'a> {
    fn close(&mut self, facts: &mut Facts) {
        if let Some(result) = self.result.take() {
            outcome(result, facts);
        }
    }

    fn pair(&mut self, key: &str, value: &str, facts: &mut Facts) {
        self.known = true;
        match key {
            "Controller" => {
                self.controller = filled(value);
            }
            "CLI Version" => self.controller = None,
            "Status"
                if self.title.is_empty()
                    || self.result.is_none()
                    || value == "Success"
                    || value == "Failure" =>
            {
                self.close(facts);
                self.title.clear();
                self.about = None;
                self.result = Some(Completed {
                    controller: self.controller.clone(),
                    status: value.to_owned(),
                    ..Completed::default()
                });
            }
            "Description" => {
                if let Some(result) = &mut self.result {
                    result.description.get_or_insert_with(|| value.to_owned());
                }
            }
            "Number of Controllers" => facts.controller_count = number(value),
            "Physical Drives" => facts.counts.drives.push((self.controller.clone(), number(value))),
            "Virtual Drives" => facts.counts.arrays.push((self.controller.clone(), number(value))),
            _ => self.about(key, value, facts),
        }
    }

    fn about(&mut self, key: &str, value: &str, facts: &mut Facts) {
        let starts = (key == "Model" && self.title == "Basics") || key == "Product Name";
        if starts {
            self.about = Some(facts.controllers.len());
            let id = self.controller.clone().unwrap_or_default();
            facts.controllers.push(Controller { id, model: filled(value), ..Controller::default() });
        }
        let Some(controller) = self.about.and_then(|at| facts.controllers.get_mut(at)) else { return };
        match (self.title.as_str(), key) {
            ("Basics" | "", "Serial Number") => controller.serial = Some(value.to_owned()),
            (_, "FW Version") | ("Version", "Firmware Version") => controller.firmware = filled(value),
            ("Status", "Controller Status") => {
                controller.state = Some(controller_state(value));
                controller.state_raw = Some(value.to_owned());
            }
            (_, "PCI Address") => crate::model::put(&mut controller.details, "pci", value),
            (_, "Current Personality") => controller.mode = filled(value),
            _ => {}
        }
    }

    fn row(&mut self, line: &'a str, facts: &mut Facts) {
        self.known = true;
        let first = self.header.first().copied().unwrap_or_default();
        let free = match first {
            "EID:Slt" => "Model",
            "DG/VD" => "Name",
            "Ctrl" => "ErrMsg",
            _ => "",
        };
        let Some(cells) = self.cells.read(&self.header, free, line) else {
            // The energy pack's table has titles of two words; its first columns are enough.
            if let Some(kind) = battery_kind(&self.title).filter(|_| first == "Model") {
                let words = line.split_whitespace().map(Cow::Borrowed);
                let cells: Vec<(&str, Cow<'_, str>)> =
                    self.header.iter().copied().take(3).zip(words).collect();
                battery(&Cells::Text(&cells), kind, &self.controller, facts);
            } else if first != "Model" {
                facts.malformed_rows.push(line.to_owned());
            }
            return;
        };
        let before = facts.malformed_rows.len();
        let cells_of = Cells::Text(cells);
        match first {
            "EID:Slt" => {
                let at = drive(&cells_of, &self.controller, facts);
                if let (Some(at), Some(id)) = (at, self.title.strip_prefix("PDs for VD "))
                    && let Some(key) = facts.drives.get(at).map(|drive| drive.key.clone())
                    && let Some(array) =
                        facts.arrays.iter_mut().find(|a| a.id == id.trim() && a.controller == self.controller)
                {
                    let member = Member { key: Some(key), ..Member::default() };
                    array.members.get_or_insert_default().push(member);
                }
            }
            "DG/VD" => {
                let _id = volume(&cells_of, &self.controller, facts);
            }
            "Ctl" => overview_row(&cells_of, facts),
            "Ctrl" => {
                if let Some(result) = &mut self.result {
                    result.detailed.get_or_insert_default().push(detailed(cells));
                }
            }
            _ => {
                if let Some(kind) = battery_kind(&self.title) {
                    battery(&cells_of, kind, &self.controller, facts);
                }
            }
        }
        if let Some(last) = facts.malformed_rows.get_mut(before) {
            // As printed, not as taken apart.
            line.clone_into(last);
        }
    }
}

fn detailed(cells: &[(&str, Cow<'_, str>)]) -> Details {
    cells
        .iter()
        .map(|(name, text)| {
            let value = text.parse::<i64>().map_or_else(|_text| Value::from(text.as_ref()), Value::from);
            ((*name).to_owned(), value)
        })
        .collect()
}
