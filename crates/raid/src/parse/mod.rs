//! From captures to facts: one module per family of tools.
mod arcconf;
mod areca;
mod checks;
mod hp;
mod json;
mod mdadm;
mod mdstat;
mod megacli;
mod storcli_json;
mod storcli_text;
mod tw_cli;

use crate::{Capture, Facts, Problem, ProblemKind, Tool};

/// Reads the captures of one case.
///
/// Never fails and never panics: what went wrong is in [`Facts::error`] and
/// [`Facts::more_errors`], beside everything that was readable.
#[must_use]
pub fn parse(tool: Tool, captures: &[Capture]) -> Facts {
    let mut facts = Facts::default();
    match tool {
        Tool::Mdadm => mdadm::read(captures, &mut facts),
        _ => {
            for capture in captures {
                one(tool, capture, &mut facts);
            }
        }
    }
    checks::all(tool, &mut facts);
    if captures.len() == 1
        && let Some(error) = &mut facts.error
    {
        error.capture = None;
    }
    facts
}

fn one(tool: Tool, capture: &Capture, facts: &mut Facts) {
    let text = capture.text();
    let doubts = facts.doubts.len();
    if let Some(at) = (!text.is_ascii()).then(|| text.find('\u{fffd}')).flatten() {
        let line = text.get(..at).map_or(0, |head| head.matches('\n').count()).saturating_add(1);
        facts.doubt(Some(line), format!("bytes in {} are no text", capture.name));
    }
    let before = facts.more_errors.len().saturating_add(usize::from(facts.error.is_some()));
    if text.trim().is_empty() {
        if matches!(tool, Tool::Megacli | Tool::Arcconf | Tool::Areca) {
            facts.complete.insert(capture.name.clone(), false);
        }
        let complaint = capture.err.as_deref().map(String::from_utf8_lossy);
        let complaint =
            complaint.as_deref().and_then(|text| text.lines().map(str::trim).find(|l| !l.is_empty()));
        let mut problem = match complaint {
            Some(line) => Problem::said(ProblemKind::ToolError, line),
            None => Problem::new(ProblemKind::EmptyOutput),
        };
        problem.exit_code = capture.rc;
        facts.fail(problem);
    } else {
        match tool {
            Tool::Megacli => megacli::read(capture, &text, facts),
            Tool::Storcli | Tool::Storcli2 | Tool::Perccli => {
                if text.lines().any(|line| line.trim_start().starts_with('{')) {
                    storcli_json::read(&text, facts);
                } else {
                    storcli_text::read(&text, facts);
                }
            }
            Tool::Arcconf => arcconf::read(capture, &text, facts),
            Tool::Hpacucli | Tool::Ssacli => hp::read(&text, facts),
            Tool::Areca => areca::read(capture, &text, facts),
            Tool::TwCli => tw_cli::read(capture, &text, facts),
            Tool::Mdadm | Tool::Mdstat => mdstat::read(&text, facts),
        }
    }
    for doubt in facts.doubts.iter_mut().skip(doubts) {
        doubt.capture.get_or_insert_with(|| capture.name.clone());
    }
    // Whatever this capture complained of is its own.
    for problem in facts.error.iter_mut().chain(facts.more_errors.iter_mut()).skip(before) {
        problem.capture.get_or_insert_with(|| capture.name.clone());
    }
}
