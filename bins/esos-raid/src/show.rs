//! `esos-raid list`, `show` and `health`: what the installed tools see.
use crate::machine::ask_all;
use esos_cli::{Exit, Failure, Human, Table, Ui};
use esos_raid::{Array, Drive, Finding, Severity, Tool, health as findings};
use serde_json::{Value, json};

fn text(value: Option<&str>) -> String {
    value.unwrap_or_default().to_owned()
}

pub(crate) fn list(ui: &mut Ui) -> Result<Exit, Failure> {
    let everything = ask_all(ui)?;
    ui.emit("esos.raid.list/1", &everything.data(), |human| {
        let mut arrays = Table::new(["TOOL", "ARRAY", "LEVEL", "STATE", "SIZE", "NAME"]).right(4);
        let mut drives = Table::new(["TOOL", "DRIVE", "STATE", "SIZE", "MODEL", "SERIAL"]).right(3);
        for answer in &everything.answers {
            for array in &answer.facts.arrays {
                arrays.row([
                    answer.tool.name().to_owned(),
                    within(array.controller.as_deref(), &array.id),
                    text(array.level.as_ref().map(esos_raid::Level::as_str)),
                    array_state(array),
                    text(array.size.as_ref().map(|s| s.text.as_str())),
                    text(array.name.as_deref()),
                ]);
            }
            for drive in &answer.facts.drives {
                drives.row([
                    answer.tool.name().to_owned(),
                    within(drive.controller.as_deref(), &drive.key),
                    drive_state(drive),
                    text(drive.size.as_ref().map(|s| s.text.as_str())),
                    text(drive.model.as_deref()),
                    text(drive.serial.as_deref()),
                ]);
            }
        }
        table(human, &arrays);
        table(human, &drives);
        if arrays.is_empty() && drives.is_empty() {
            human.line("no arrays and no drives");
        }
    })?;
    Ok(everything.exit())
}

fn table(human: &mut Human, table: &Table) {
    if !table.is_empty() {
        human.table(table);
    }
}

fn within(controller: Option<&str>, id: &str) -> String {
    controller.map_or_else(|| id.to_owned(), |c| format!("{c}/{id}"))
}

fn array_state(array: &Array) -> String {
    let word = array
        .state_raw
        .as_deref()
        .or(array.state.as_ref().map(esos_raid::ArrayState::as_str))
        .unwrap_or_default();
    match array.op.as_ref().and_then(|op| Some((op.kind.as_ref()?, op.percent.as_ref()?))) {
        Some((kind, percent)) => format!("{word}, {} {percent} %", kind.as_str()),
        None => word.to_owned(),
    }
}

fn drive_state(drive: &Drive) -> String {
    text(drive.state_raw.as_deref().or(drive.state.as_ref().map(esos_raid::DriveState::as_str)))
}

pub(crate) fn tree(ui: &mut Ui) -> Result<Exit, Failure> {
    let everything = ask_all(ui)?;
    ui.emit("esos.raid.show/1", &everything.data(), |human| {
        for answer in &everything.answers {
            human.line(answer.tool.name());
            for controller in &answer.facts.controllers {
                let state = text(controller.state_raw.as_deref());
                human.line(format!(
                    "  controller {} {} {state}",
                    controller.id,
                    text(controller.model.as_deref())
                ));
            }
            for array in &answer.facts.arrays {
                let name = within(array.controller.as_deref(), &array.id);
                let level = text(array.level.as_ref().map(esos_raid::Level::as_str));
                human.line(format!("  array {name} {level} {}", array_state(array)));
                for member in array.members.iter().flatten() {
                    let key = member.key.as_deref().or(member.location.as_deref()).unwrap_or("?");
                    human.line(format!("    {key} {}", text(member.state_raw.as_deref())));
                }
            }
            for drive in &answer.facts.drives {
                let name = within(drive.controller.as_deref(), &drive.key);
                human.line(format!("  drive {name} {} {}", drive_state(drive), text(drive.model.as_deref())));
            }
        }
    })?;
    Ok(everything.exit())
}

pub(crate) fn health(ui: &mut Ui) -> Result<Exit, Failure> {
    let everything = ask_all(ui)?;
    let all: Vec<(Tool, Finding)> = everything
        .answers
        .iter()
        .flat_map(|answer| findings(&answer.facts).into_iter().map(|finding| (answer.tool, finding)))
        .collect();
    let data: Vec<Value> = all
        .iter()
        .map(|(tool, f)| json!({ "tool": tool.name(), "severity": f.severity, "object": f.object, "message": f.message }))
        .collect();
    ui.emit("esos.raid.health/1", &data, |human| {
        for (tool, finding) in &all {
            let word = match finding.severity {
                Severity::Crit => "critical",
                Severity::Warn => "warning",
                _ => "note",
            };
            human.line(format!("{word}: {tool}: {} {}", finding.object, finding.message));
        }
        if all.is_empty() && everything.failed.is_empty() {
            human.line("all is well");
        }
    })?;
    let bad = all.iter().any(|(_, finding)| finding.severity > Severity::Note);
    Ok(if bad { Exit::Differs } else { everything.exit() })
}
