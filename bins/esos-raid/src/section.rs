//! Its part of `esos status` and `esos doctor`.
use crate::machine;
use esos_cli::{Global, Health, Section};
use esos_exec::{Cmd, ExecError, HostRunner, Output, Runner};
use esos_raid::{Answer, Array, ArrayState, Severity, Tool, health, survey_at};
use std::time::{Duration, Instant};

/// All questions together may take that long: `esos status` waits for nobody.
const BUDGET: Duration = Duration::from_millis(2200);

/// Runs programs until a deadline.
struct Hurry(Instant);

impl Runner for Hurry {
    fn run(&self, cmd: &Cmd) -> Result<Output, ExecError> {
        let left = self.0.saturating_duration_since(Instant::now());
        HostRunner.run(&cmd.clone().limit(left.min(cmd.time_limit())))
    }
}

pub(crate) fn section(global: &Global) -> Section {
    let root = global.root.clone();
    let mdstat = root.join("proc/mdstat");
    let live = global.is_live();
    let deadline = Instant::now() + BUDGET;
    let tools: Vec<_> = Tool::ALL
        .into_iter()
        .filter(|tool| live && (*tool != Tool::Mdadm || mdstat.exists()))
        .filter_map(|tool| Some((tool, machine::program(tool, &root)?)))
        .collect();
    if tools.is_empty() {
        return Section::unused("raid", "no RAID tool is installed, and md is not loaded");
    }
    let answers: Vec<(Tool, Result<Answer, ExecError>)> = std::thread::scope(|scope| {
        let ask =
            |program: String| survey_at(Tool::Mdstat, &program, &mdstat.to_string_lossy(), &Hurry(deadline));
        let running: Vec<_> = tools
            .iter()
            .map(|(tool, program)| {
                let program = program.to_string_lossy().into_owned();
                let thread = scope.spawn(move || {
                    // The kernel's list alone says enough of md.
                    if *tool == Tool::Mdadm {
                        ask(program)
                    } else {
                        survey_at(*tool, &program, "/proc/mdstat", &Hurry(deadline))
                    }
                });
                (*tool, thread)
            })
            .collect();
        running.into_iter().filter_map(|(tool, thread)| Some((tool, thread.join().ok()?))).collect()
    });
    let mut section = Section::new("raid");
    for (tool, answer) in answers {
        match answer {
            Ok(answer) => section = told(section, tool, &answer),
            Err(error) => {
                section =
                    section.finding(Health::Unknown, format!("{tool}: {error}"), Some("esos raid health"));
            }
        }
    }
    if section.lines.is_empty() && section.findings.is_empty() {
        section = section.line("no arrays");
    }
    section
}

fn told(mut section: Section, tool: Tool, answer: &Answer) -> Section {
    for array in &answer.facts.arrays {
        section = section.line(line(tool, array));
    }
    for finding in health(&answer.facts) {
        let bad = match finding.severity {
            Severity::Crit => Health::Crit,
            Severity::Warn => Health::Warn,
            _ => continue,
        };
        let message = format!("{tool}: {} {}", finding.object, finding.message);
        section = section.finding(bad, message, Some("esos raid health"));
    }
    section
}

fn line(tool: Tool, array: &Array) -> String {
    let name = match &array.controller {
        Some(controller) => format!("{tool}:{controller}/{}", array.id),
        None if tool == Tool::Mdadm => array.id.clone(),
        None => format!("{tool}:{}", array.id),
    };
    let level = array.level.as_ref().map_or("", esos_raid::Level::as_str);
    let state = array.state.as_ref().map_or("", ArrayState::as_str);
    let drives = match (count(array, "working"), count(array, "raid_disks")) {
        (Some(working), Some(all)) => format!(", {working} of {all} drives"),
        _ => String::new(),
    };
    let task = array.op.as_ref().map_or_else(String::new, |op| {
        let kind = op.kind.as_ref().map_or("task", esos_raid::TaskKind::as_str);
        op.percent.as_ref().map_or_else(|| format!(", {kind} waits"), |p| format!(", {kind} {p} %"))
    });
    format!("{name} {level} {state}{drives}{task}").split_whitespace().collect::<Vec<_>>().join(" ")
}

fn count(array: &Array, name: &str) -> Option<u64> {
    array.details.get(name).and_then(serde_json::Value::as_u64)
}
