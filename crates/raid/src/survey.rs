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

struct Asking<'a> {
    runner: &'a dyn Runner,
    captures: Vec<Capture>,
    late: Vec<Problem>,
}

impl Asking<'_> {
    fn ask(&mut self, name: &str, cmd: Cmd) -> Result<(), ExecError> {
        let cmd = cmd.limit(LIMIT);
        match self.runner.run(&cmd) {
            Ok(output) => {
                let rc = match output.status {
                    Exit::Code(code) => Some(code),
                    Exit::Signal(_) => None,
                };
                let (name, cmd) = (name.to_owned(), cmd.to_string());
                self.captures.push(Capture { name, cmd, out: output.stdout, err: Some(output.stderr), rc });
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
    fn silence_is_not_an_empty_list() {
        let runner = ScriptedRunner::new().on("/opt/sbin/ssacli ctrl all show config detail", 1, "");
        let answer = survey(Tool::Ssacli, "/opt/sbin/ssacli", &runner).unwrap();
        assert_eq!(answer.facts.error.unwrap().kind, ProblemKind::EmptyOutput);
        let runner = ScriptedRunner::new();
        assert!(survey(Tool::Ssacli, "/opt/sbin/ssacli", &runner).is_err());
    }
}
