//! Whether a tool did what it was told, in its own words.
use crate::{Capture, Facts, ProblemKind, Tool, parse};
use esos_exec::{Cmd, Exit, Output};

/// What an answer to a change means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Verdict {
    /// The tool says that it did it.
    Done,
    /// It says that it did not.
    Refused,
    /// What it says is not its usual answer: only a look at the controller can tell.
    Unclear,
}

/// What a tool said to a change, line by line, both streams.
#[must_use]
pub fn words(output: &Output) -> Vec<String> {
    let text = format!("{}\n{}", output.text(), output.error_text());
    text.replace('\r', "\n").lines().map(str::trim).filter(|l| !l.is_empty()).map(str::to_owned).collect()
}

/// What an answer to a change means. An exit status other than 0 is a refusal whatever else is said; 0
/// alone is never enough for a tool that has words for it.
#[must_use]
pub fn judge(tool: Tool, cmd: &Cmd, output: &Output) -> Verdict {
    if output.status != Exit::Code(0) && tool != Tool::Megacli {
        return Verdict::Refused;
    }
    let capture = Capture {
        err: Some(output.stderr.clone()),
        ..Capture::new("run", &cmd.to_string(), output.stdout.clone())
    };
    let lines = words(output);
    let lower: Vec<String> = lines.iter().map(|line| line.to_ascii_lowercase()).collect();
    let any = |list: &[&str]| lower.iter().any(|line| list.iter().any(|word| line.contains(word)));
    match tool {
        Tool::Storcli | Tool::Storcli2 | Tool::Perccli => {
            let facts = parse(tool, &[capture]);
            match () {
                () if refused(&facts) => Verdict::Refused,
                () if !facts.results.is_empty() && facts.error.is_none() => Verdict::Done,
                () => Verdict::Unclear,
            }
        }
        Tool::Megacli => megacli(output, &lower),
        Tool::Arcconf => match () {
            () if any(&["command aborted", "controller_not_found", "invalid "]) => Verdict::Refused,
            () if lower.last().is_some_and(|l| l.starts_with("command completed successfully")) => {
                Verdict::Done
            }
            () => Verdict::Unclear,
        },
        // Silence is their yes.
        Tool::Hpacucli | Tool::Ssacli => match () {
            () if any(&["error:"]) => Verdict::Refused,
            () if lower.is_empty() => Verdict::Done,
            () => Verdict::Unclear,
        },
        Tool::Areca => {
            let codes: Vec<&String> = lower.iter().filter(|l| l.contains("guierrmsg<")).collect();
            match () {
                () if codes.is_empty() => Verdict::Unclear,
                () if codes.iter().all(|l| l.contains("guierrmsg<0x00>")) => Verdict::Done,
                () => Verdict::Refused,
            }
        }
        Tool::TwCli => match () {
            () if any(&["error:", "error (", "failed", "invalid"]) => Verdict::Refused,
            () if any(&["done", "success"]) => Verdict::Done,
            () => Verdict::Unclear,
        },
        Tool::Mdadm | Tool::Mdstat => {
            if lower.iter().all(|line| line.starts_with("mdadm:") || line.starts_with("largest drive")) {
                Verdict::Done
            } else {
                Verdict::Unclear
            }
        }
    }
}

fn refused(facts: &Facts) -> bool {
    let failed = facts.results.iter().any(|r| r.status.eq_ignore_ascii_case("failure"));
    let told = facts.error.as_ref().is_some_and(|e| {
        !matches!(e.kind, ProblemKind::Truncated | ProblemKind::Unparsable | ProblemKind::EmptyOutput)
    });
    failed || told
}

/// It prints its own code; old versions print none, so that their words must do.
fn megacli(output: &Output, lines: &[String]) -> Verdict {
    let code = lines.iter().find_map(|line| line.strip_prefix("exit code:")).map(str::trim);
    let says = |list: &[&str]| lines.iter().any(|line| list.iter().any(|word| line.contains(word)));
    let bad = says(&["fail", "error", "invalid", "not supported", "cannot", "unable", "not in "]);
    let good = says(&[
        "success",
        "state changed",
        "cleared",
        "created vd",
        "deleted virtual",
        "is set",
        "set to",
        "started",
        "marked",
        "replaced",
        "imported",
        "prepare",
        "changed to",
    ]);
    match code {
        Some(code) if code.trim_start_matches("0x").bytes().any(|b| b != b'0') => Verdict::Refused,
        _ if bad => Verdict::Refused,
        Some(_) if good => Verdict::Done,
        None if good && output.status == Exit::Code(0) => Verdict::Done,
        _ if output.status != Exit::Code(0) => Verdict::Refused,
        _ => Verdict::Unclear,
    }
}
