//! `esos doctor`: what is wrong, and what to do about it.
use crate::facts::Facts;
use crate::sections::Told;
use crate::status::{Status, word};
use crate::tools::Tools;
use esos_cli::{Exit, Failure, Finding, Health, Human, Ui, clean};
use esos_layout::stick_state::Presence;
use serde::Serialize;

#[derive(Serialize)]
struct Examined {
    health: Health,
    findings: Vec<About>,
}

#[derive(Serialize)]
struct About {
    subject: String,
    #[serde(flatten)]
    finding: Finding,
}

pub(crate) fn examine(tools: &Tools, ui: &mut Ui) -> Result<Exit, Failure> {
    let status = Status::gather(tools, ui);
    let mut findings: Vec<About> = own(&status.facts, &status.tools)
        .into_iter()
        .map(|f| About { subject: "box".to_owned(), finding: f })
        .collect();
    for told in &status.tools {
        let unanswered = told.error.as_ref().map(|error| Finding {
            health: Health::Unknown,
            message: format!("esos-{} does not tell: {error}", told.tool),
            remedy: None,
        });
        let section = told.section.iter().flat_map(|s| s.findings.clone());
        findings.extend(
            unanswered
                .into_iter()
                .chain(section)
                .map(|finding| About { subject: told.tool.to_owned(), finding }),
        );
    }
    findings.sort_by_key(|about| std::cmp::Reverse(about.finding.health));
    let health = findings.iter().map(|a| a.finding.health).max().unwrap_or(Health::Ok);
    let examined = Examined { health, findings };
    ui.emit("esos.doctor/1", &examined, |human| render(&examined, human))?;
    Ok(if examined.health >= Health::Warn { Exit::Failed } else { Exit::Done })
}

fn render(examined: &Examined, human: &mut Human) {
    let paint = human.paint();
    for About { subject, finding } in &examined.findings {
        human.line(format!("{} {subject}: {}", word(finding.health, paint), clean(&finding.message)));
        if let Some(remedy) = &finding.remedy {
            human.line(format!("  -> {}", clean(remedy)));
        }
    }
    if examined.findings.is_empty() {
        human.line("Nothing is wrong.");
    }
}

/// What the box's own facts show. Where the stick's own tool tells of it, nothing is said twice.
pub(crate) fn own(facts: &Facts, tools: &[Told]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut add = |health, message: String, remedy: Option<&str>| {
        findings.push(Finding { health, message, remedy: remedy.map(str::to_owned) });
    };
    for why in facts.unknown() {
        add(Health::Unknown, why, None);
    }
    if let Ok(boot) = &facts.boot.0 {
        boot.warnings.iter().for_each(|w| add(Health::Warn, format!("at boot: {w}"), None));
        if boot.exhausted {
            let why = "no slot had an attempt left; this one runs because there is no better";
            add(Health::Crit, why.to_owned(), Some("esos image slots, then esos image upgrade"));
        }
        match boot.state.as_deref() {
            Some("lost") => {
                let why = "both copies of the slot state on the stick are broken";
                add(Health::Crit, why.to_owned(), Some("esos image slots"));
            }
            Some("ro") => {
                let why = "the boot loader could not count this attempt: the stick cannot be written";
                add(Health::Warn, why.to_owned(), Some("replace the stick: esos image mirror"));
            }
            _ => {}
        }
        for step in boot.steps.iter().filter(|s| s.outcome != "ok") {
            add(Health::Warn, format!("boot step {}: {}", step.step, step.outcome), None);
        }
        for twin in boot.stick.iter().flat_map(|s| &s.twins) {
            let why = format!("{twin} carries the labels of an ESOS stick as well");
            add(Health::Warn, why, Some("pull it, so that no boot can take it"));
        }
    }
    let told = tools.iter().any(|t| t.tool == "stick" && t.section.is_some());
    match facts.stick.0.as_ref().map(|s| (&s.state, &s.text)) {
        Ok((Presence::Gone, text)) if !told => {
            let remedy = "put it back, or another one: esos image mirror";
            add(
                Health::Crit,
                format!("the stick is gone ({text}); changes are kept in memory only"),
                Some(remedy),
            );
        }
        Ok((Presence::Refused, text)) if !told => {
            add(Health::Warn, format!("a stick was refused: {text}"), Some("pull it"));
        }
        _ => {}
    }
    if let Ok(memory) = &facts.memory.0
        && memory.available_bytes < memory.total_bytes / 10
    {
        let percent = u128::from(memory.available_bytes) * 100 / u128::from(memory.total_bytes.max(1));
        let why = format!("only {percent} % of the memory is available");
        add(
            Health::Warn,
            why,
            Some("look for large files on /, which lies in memory: du -xh / | sort -h | tail"),
        );
    }
    findings
}
