//! `esos-raid list`, `show`, `health` and `tools`: what the installed tools see.
use esos_cli::{Exit, Failure, Human, Table, Ui};
use esos_exec::HostRunner;
use esos_raid::{Answer, Array, Drive, Finding, Severity, Tool, health as findings, render, survey};
use serde_json::{Value, json};
use std::path::Path;

/// Answers and failures of all tools: one that is broken never hides the others.
struct Everything {
    answers: Vec<Answer>,
    failed: Vec<(Tool, String)>,
}

fn installed(tool: Tool, root: &Path) -> Option<&'static str> {
    let below = |path: &&&str| root.join(path.trim_start_matches('/')).is_file();
    // Without the kernel's md there are no arrays that mdadm could show.
    if tool == Tool::Mdadm && !root.join("proc/mdstat").exists() {
        return None;
    }
    tool.programs().iter().find(below).copied()
}

fn ask(ui: &mut Ui) -> Result<Everything, Failure> {
    if ui.root() != Path::new("/") {
        let message = "the tools of another root cannot be run";
        return Err(
            Failure::new(Exit::Unavailable, message).help("use `esos-raid parse` for captured output")
        );
    }
    let mut everything = Everything { answers: Vec::new(), failed: Vec::new() };
    for tool in Tool::ALL {
        let Some(program) = installed(tool, Path::new("/")) else { continue };
        match survey(tool, program, &HostRunner) {
            Ok(answer) => {
                let facts = &answer.facts;
                for problem in facts.error.iter().chain(&facts.more_errors).filter(|p| !p.kind.is_normal()) {
                    ui.warn(format!("{tool}: {problem}"));
                    everything.failed.push((tool, problem.to_string()));
                }
                everything.answers.push(answer);
            }
            Err(error) => {
                ui.warn(format!("{tool}: {error}"));
                everything.failed.push((tool, error.to_string()));
            }
        }
    }
    if everything.answers.is_empty() && everything.failed.is_empty() {
        let message = "no RAID tool is installed, and the kernel's md is not loaded";
        return Err(
            Failure::new(Exit::Unavailable, message).help("`esos-raid tools` says which one this box needs")
        );
    }
    Ok(everything)
}

impl Everything {
    fn data(&self) -> Value {
        let tools = self.answers.iter().map(|a| render(a.tool, "now", &a.captures, &a.facts));
        let failed = self.failed.iter().map(|(tool, why)| json!({ "tool": tool.name(), "error": why }));
        json!({ "tools": tools.collect::<Vec<_>>(), "failed": failed.collect::<Vec<_>>() })
    }

    fn exit(&self) -> Exit {
        if self.failed.is_empty() { Exit::Done } else { Exit::Failed }
    }
}

fn text(value: Option<&str>) -> String {
    value.unwrap_or_default().to_owned()
}

pub(crate) fn list(ui: &mut Ui) -> Result<Exit, Failure> {
    let everything = ask(ui)?;
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
    let everything = ask(ui)?;
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
    let everything = ask(ui)?;
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

/// PCI vendors whose storage controllers need a tool, which tool that is, and who publishes it.
const VENDORS: [(&str, &[Tool], &str); 5] = [
    ("0x1000", &[Tool::Storcli, Tool::Storcli2, Tool::Perccli, Tool::Megacli], "Broadcom, or Dell for PERC"),
    ("0x9005", &[Tool::Arcconf, Tool::Ssacli], "Microchip, or HPE for Smart Array"),
    ("0x103c", &[Tool::Ssacli, Tool::Hpacucli], "HPE"),
    ("0x17d3", &[Tool::Areca], "Areca"),
    ("0x13c1", &[Tool::TwCli], "Broadcom, under 3ware"),
];

pub(crate) fn tools(ui: &mut Ui) -> Result<Exit, Failure> {
    let root = ui.root().to_owned();
    let present: Vec<(Tool, &str)> =
        Tool::ALL.into_iter().filter_map(|t| Some((t, installed(t, &root)?))).collect();
    let controllers = controllers(&root);
    let wanted: Vec<Value> = controllers
        .iter()
        .map(|(address, id, tools, publisher)| {
            let has = tools.iter().find(|tool| present.iter().any(|(p, _)| p == *tool));
            let names: Vec<&str> = tools.iter().map(|t| t.name()).collect();
            json!({ "address": address, "pci_id": id, "tools": names, "tool": has.map(|t| t.name()), "publisher": publisher })
        })
        .collect();
    let list: Vec<Value> = present.iter().map(|(t, p)| json!({ "tool": t.name(), "program": p })).collect();
    ui.emit("esos.raid.tools/1", &json!({ "installed": list, "controllers": wanted }), |human| {
        for (tool, program) in &present {
            human.line(format!("{tool}: {program}"));
        }
        for (address, id, tools, publisher) in &controllers {
            let has = tools.iter().any(|tool| present.iter().any(|(p, _)| p == tool));
            let names = tools.iter().map(|t| t.name()).collect::<Vec<_>>().join(", ");
            let says = if has {
                "its tool is installed".to_owned()
            } else {
                format!("needs one of {names} in /opt/sbin, published by {publisher}")
            };
            human.line(format!("controller {address} ({id}): {says}"));
        }
        if controllers.is_empty() {
            human.line("no RAID controller on the PCI bus");
        }
    })?;
    Ok(Exit::Done)
}

type Found = (String, String, &'static [Tool], &'static str);

/// Storage controllers (SCSI, RAID, SAS) of those vendors.
fn controllers(root: &Path) -> Vec<Found> {
    let bus = root.join("sys/bus/pci/devices");
    let Ok(entries) = std::fs::read_dir(&bus) else { return Vec::new() };
    let mut list: Vec<Found> = entries
        .flatten()
        .filter_map(|entry| {
            let attr =
                |name: &str| Some(std::fs::read_to_string(entry.path().join(name)).ok()?.trim().to_owned());
            let (vendor, device, class) = (attr("vendor")?, attr("device")?, attr("class")?);
            let storage = ["0x0100", "0x0104", "0x0107"].iter().any(|c| class.starts_with(c));
            let (_, tools, publisher) = VENDORS.iter().find(|(id, _, _)| storage && *id == vendor)?;
            let id = format!("{}:{}", vendor.trim_start_matches("0x"), device.trim_start_matches("0x"));
            Some((entry.file_name().to_string_lossy().into_owned(), id, *tools, *publisher))
        })
        .collect();
    list.sort();
    list
}
