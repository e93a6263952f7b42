//! Asking an installed tool about everything that it sees.
use crate::{Capture, Facts, Problem, ProblemKind, Tool, parse};
use esos_exec::{Cmd, ExecError, Exit, Runner};
use std::collections::BTreeSet;
use std::time::Duration;

/// How long one question may take: a controller with many drives answers slowly.
const LIMIT: Duration = Duration::from_secs(90);

/// What a tool answered, and what that means.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Answer {
    /// The tool.
    pub tool: Tool,
    /// Its answers, as they can be kept for a support case.
    pub captures: Vec<Capture>,
    /// Their meaning.
    pub facts: Facts,
}

impl Tool {
    /// Where the tool may be: first where ESOS puts vendors' tools.
    #[must_use]
    pub fn programs(self) -> &'static [&'static str] {
        match self {
            Self::Megacli => &["/opt/sbin/MegaCli64", "/opt/sbin/MegaCli", "/opt/MegaRAID/MegaCli/MegaCli64"],
            Self::Storcli => &["/opt/sbin/storcli64", "/opt/sbin/storcli", "/opt/MegaRAID/storcli/storcli64"],
            Self::Storcli2 => &["/opt/sbin/storcli2", "/opt/MegaRAID/storcli2/storcli2"],
            Self::Perccli => &["/opt/sbin/perccli64", "/opt/sbin/perccli", "/opt/MegaRAID/perccli/perccli64"],
            Self::Arcconf => &["/opt/sbin/arcconf", "/usr/Arcconf/arcconf"],
            Self::Hpacucli => &["/opt/sbin/hpacucli", "/opt/sbin/hpssacli"],
            Self::Ssacli => &["/opt/sbin/ssacli", "/usr/sbin/ssacli"],
            Self::Areca => &["/opt/sbin/cli64"],
            Self::TwCli => &["/opt/sbin/tw_cli"],
            Self::Mdadm => &["/sbin/mdadm", "/usr/sbin/mdadm"],
            Self::Mdstat => &[],
        }
    }
}

/// The first questions: the name of the capture and the arguments.
fn first(tool: Tool) -> &'static [(&'static str, &'static [&'static str])] {
    match tool {
        Tool::Megacli => &[
            ("adpallinfo", &["-AdpAllInfo", "-aALL", "-NoLog"]),
            ("ldpdinfo", &["-LdPdInfo", "-aALL", "-NoLog"]),
            ("pdlist", &["-PDList", "-aALL", "-NoLog"]),
            ("bbu", &["-AdpBbuCmd", "-GetBbuStatus", "-aALL", "-NoLog"]),
            ("encinfo", &["-EncInfo", "-aALL", "-NoLog"]),
        ],
        Tool::Storcli | Tool::Storcli2 | Tool::Perccli => &[
            ("controllers", &["/call", "show", "all", "J", "nolog"]),
            ("arrays", &["/call/vall", "show", "all", "J", "nolog"]),
            ("drives", &["/call/eall/sall", "show", "all", "J", "nolog"]),
            // Those that hang on no enclosure.
            ("bare", &["/call/sall", "show", "all", "J", "nolog"]),
        ],
        Tool::Arcconf => &[("getversion", &["GETVERSION"])],
        Tool::Hpacucli | Tool::Ssacli => &[("config-detail", &["ctrl", "all", "show", "config", "detail"])],
        Tool::Areca => &[("rsf", &["rsf", "info"]), ("vsf", &["vsf", "info"]), ("disk", &["disk", "info"])],
        Tool::TwCli => &[("show", &["show"])],
        Tool::Mdadm | Tool::Mdstat => &[],
    }
}

/// The questions about one controller or md array, whose name replaces `{}`.
fn then(tool: Tool) -> &'static [(&'static str, &'static [&'static str])] {
    match tool {
        Tool::Arcconf => &[("getconfig", &["GETCONFIG", "{}", "AL"]), ("getstatus", &["GETSTATUS", "{}"])],
        Tool::TwCli => &[
            ("units", &["info", "{}", "unitstatus"]),
            ("drives", &["info", "{}", "drivestatus"]),
            ("bbu", &["info", "{}", "bbustatus"]),
        ],
        Tool::Mdadm => &[("detail", &["--detail", "/dev/{}"])],
        _ => &[],
    }
}

/// Asks a tool about everything that it sees.
///
/// # Errors
/// The tool is not there or cannot be run. What it complains of is in the facts, and so is a question
/// that it did not answer in time: the other answers stay.
pub fn survey(tool: Tool, program: &str, runner: &dyn Runner) -> Result<Answer, ExecError> {
    survey_at(tool, program, "/proc/mdstat", runner)
}

/// [`survey`], with the kernel's list of md arrays at another path.
///
/// # Errors
/// As [`survey`].
pub fn survey_at(tool: Tool, program: &str, mdstat: &str, runner: &dyn Runner) -> Result<Answer, ExecError> {
    let mut asking = Asking { runner, captures: Vec::new(), late: Vec::new() };
    if matches!(tool, Tool::Mdadm | Tool::Mdstat) {
        asking.ask("mdstat", Cmd::new("/bin/cat").arg(mdstat))?;
    }
    for (name, args) in first(tool) {
        asking.ask(name, Cmd::new(program).args(args.iter().copied()))?;
    }
    if tool == Tool::Areca {
        several_arecas(program, &mut asking)?;
    }
    let mut facts = parse(tool, &asking.captures);
    let targets: Vec<String> = match tool {
        Tool::Arcconf => (1..=facts.controller_count.unwrap_or(0).min(64)).map(|n| n.to_string()).collect(),
        Tool::Mdadm => facts.arrays.iter().map(|a| a.id.clone()).collect(),
        _ => facts.controllers.iter().map(|c| c.id.clone()).collect(),
    };
    let more = then(tool);
    for target in targets.iter().filter(|_| !more.is_empty()) {
        for (name, args) in more {
            let cmd = Cmd::new(program).args(args.iter().map(|arg| arg.replace("{}", target)));
            asking.ask(&format!("{name}.{target}"), cmd)?;
        }
    }
    if !targets.is_empty() && !more.is_empty() {
        facts = parse(tool, &asking.captures);
    }
    asking.late.into_iter().for_each(|problem| facts.fail(problem));
    once(&mut facts);
    Ok(Answer { tool, captures: asking.captures, facts })
}

/// cli64's questions are about its current controller. Where `main` lists more than one, each is asked in
/// sessions of its own, one for each question, and what was asked of the current one is dropped.
fn several_arecas(program: &str, asking: &mut Asking<'_>) -> Result<(), ExecError> {
    asking.ask("main", Cmd::new(program).arg("main"))?;
    let main = asking.captures.pop_if(|capture| capture.name == "main");
    // That it does not answer this is no fault of the others.
    asking.late.retain(|problem| problem.capture.as_deref() != Some("main"));
    let Some(main) = main else { return Ok(()) };
    let listed = parse(Tool::Areca, std::slice::from_ref(&main)).controllers;
    if listed.is_empty() {
        return Ok(());
    }
    if listed.len() > 1 {
        asking.captures.clear();
        asking.late.clear();
        for controller in &listed {
            for (name, args) in first(Tool::Areca) {
                let said = format!("set curctrl={}\n{}\nexit\n", controller.id, args.join(" "));
                let cmd = Cmd::new(program).stdin(said);
                let shown = format!("{cmd} set curctrl={}; {}", controller.id, args.join(" "));
                asking.ask_as(&format!("{name}.{}", controller.id), cmd, shown)?;
            }
        }
    }
    asking.captures.insert(0, main);
    Ok(())
}

struct Asking<'a> {
    runner: &'a dyn Runner,
    captures: Vec<Capture>,
    late: Vec<Problem>,
}

impl Asking<'_> {
    fn ask(&mut self, name: &str, cmd: Cmd) -> Result<(), ExecError> {
        let shown = cmd.to_string();
        self.ask_as(name, cmd, shown)
    }

    fn ask_as(&mut self, name: &str, cmd: Cmd, shown: String) -> Result<(), ExecError> {
        let cmd = cmd.limit(LIMIT);
        match self.runner.run(&cmd) {
            Ok(output) => {
                let rc = match output.status {
                    Exit::Code(code) => Some(code),
                    Exit::Signal(_) => None,
                };
                let name = name.to_owned();
                self.captures.push(Capture {
                    name,
                    cmd: shown,
                    out: output.stdout,
                    err: Some(output.stderr),
                    rc,
                });
                Ok(())
            }
            Err(ExecError::Timeout { command, .. }) => {
                let mut problem = Problem::said(ProblemKind::Timeout, &command);
                problem.capture = Some(name.to_owned());
                self.late.push(problem);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

/// Two questions may show the same drive or array: the first answer stays, as it has the members.
fn once(facts: &mut Facts) {
    let mut seen = BTreeSet::new();
    facts.drives.retain(|d| seen.insert((d.controller.clone(), d.key.clone())));
    seen.clear();
    facts.arrays.retain(|a| seen.insert((a.controller.clone(), a.id.clone())));
}

#[cfg(test)]
mod tests {
    use super::*;
    use esos_exec::ScriptedRunner;

    #[test]
    fn arcconf_is_asked_about_each_controller() {
        let done = "Controllers found: 1\nCommand completed successfully.\n";
        let config = "Controllers found: 1\nPhysical Device information\n      Device #0\n         \
                      Device is a Hard drive\n         State                              : Ready\n         \
                      Reported Channel,Device(T:L)       : 0,7(7:0)\nCommand completed successfully.\n";
        let runner = ScriptedRunner::new()
            .on("/opt/sbin/arcconf GETVERSION", 0, done)
            .on("/opt/sbin/arcconf GETCONFIG 1 AL", 0, config)
            .on("/opt/sbin/arcconf GETSTATUS 1", 0, done);
        let answer = survey(Tool::Arcconf, "/opt/sbin/arcconf", &runner).unwrap();
        assert!(runner.is_done());
        assert_eq!(answer.facts.drives.first().map(|d| d.key.as_str()), Some("0,7"));
        assert_eq!(answer.facts.error, None);
    }

    #[test]
    fn several_arecas_are_asked_one_by_one() {
        let main = "\u{1b}[H\u{1b}[J S  #   Name       Type             Interface\n\
                    ==================================================\n\
                    [*] 1   ARC-1680   Raid Controller  PCI\n\
                    [ ] 2   ARC-1880   Raid Controller  PCI\n\
                    ==================================================\n\
                    CMD     Description\nGuiErrMsg<0x00>: Success.\n";
        let set = "CLI> GuiErrMsg<0x00>: Success.\n\nCLI> ";
        let sets = |name: &str| {
            format!(
                "{set} #  Name             Disks TotalCap  FreeCap DiskChannels       State\n===\n \
                 1  {name}           2 1500.0GB    0.0GB 12                 Normal\n===\n\
                 GuiErrMsg<0x00>: Success.\n\nCLI> "
            )
        };
        let volumes = |name: &str, state: &str| {
            format!(
                "{set}  # Name             Raid Name       Level   Capacity Ch/Id/Lun  State\n===\n  \
                 1 vol              {name}        Raid1    750.0GB 00/00/00   {state}\n===\n\
                 GuiErrMsg<0x00>: Success.\n\nCLI> "
            )
        };
        let disks = |name: &str| {
            format!(
                "{set}  # Ch# ModelName                       Capacity  Usage\n===\n  \
                 1  1  WDC WD7500AYYS-01RCA0            750.2GB  {name}\n  \
                 2  2  WDC WD7500AYYS-01RCA0            750.2GB  {name}\n===\n\
                 GuiErrMsg<0x00>: Success.\n\nCLI> "
            )
        };
        let runner = ScriptedRunner::new()
            .on("/opt/sbin/cli64 rsf info", 0, "GuiErrMsg<0x05>: not selected\n")
            .on("/opt/sbin/cli64 vsf info", 0, "")
            .on("/opt/sbin/cli64 disk info", 0, "")
            .on("/opt/sbin/cli64 main", 0, main)
            .on("/opt/sbin/cli64", 0, &sets("data"))
            .on("/opt/sbin/cli64", 0, &volumes("data", "Normal"))
            .on("/opt/sbin/cli64", 0, &disks("data"))
            .on("/opt/sbin/cli64", 0, &sets("data"))
            .on("/opt/sbin/cli64", 0, &volumes("data", "Degraded"))
            .on("/opt/sbin/cli64", 0, &disks("data"));
        let facts = survey(Tool::Areca, "/opt/sbin/cli64", &runner).unwrap().facts;
        assert!(runner.is_done());
        let said = String::from_utf8(runner.asked().last().unwrap().input().to_vec()).unwrap();
        assert_eq!(said, "set curctrl=2\ndisk info\nexit\n");
        assert_eq!((facts.error, facts.doubts), (None, Vec::new()));
        let models: Vec<_> = facts.controllers.iter().map(|c| (c.id.as_str(), c.model.as_deref())).collect();
        assert_eq!(models, [("1", Some("ARC-1680")), ("2", Some("ARC-1880"))]);
        let states: Vec<_> = facts
            .arrays
            .iter()
            .map(|a| (a.controller.as_deref(), a.state.as_ref().map_or("", |s| s.as_str())))
            .collect();
        assert_eq!(states, [(Some("1"), "optimal"), (Some("2"), "degraded")]);
        assert_eq!(facts.drives.len(), 4);
        // Cut after the controller was chosen: no empty list.
        let cut = Capture::new("vsf.2", "cli64 set curctrl=2; vsf info", set);
        assert_eq!(parse(Tool::Areca, &[cut]).error.unwrap().kind, ProblemKind::Truncated);
    }

    #[test]
    fn silence_is_not_an_empty_list() {
        let runner = ScriptedRunner::new().on("/opt/sbin/ssacli ctrl all show config detail", 1, "");
        let answer = survey(Tool::Ssacli, "/opt/sbin/ssacli", &runner).unwrap();
        assert_eq!(answer.facts.error.unwrap().kind, ProblemKind::EmptyOutput);
        let runner = ScriptedRunner::new();
        assert!(survey(Tool::Ssacli, "/opt/sbin/ssacli", &runner).is_err());
    }
}
