//! `esos status`.
use crate::facts::{Fact, Facts, Interface, Memory};
use crate::sections::{self, Told};
use crate::tools::Tools;
use esos_cli::{Exit, Failure, Health, Human, Paint, Ui, clean};
use esos_exec::HostRunner;
use esos_hostfs::HostFiles;
use esos_initramfs::BootReport;
use esos_layout::stick_state::Presence;
use esos_units::Bytes;
use serde::Serialize;

/// The whole box.
#[derive(Debug, Serialize)]
pub(crate) struct Status {
    /// The worst of everything below.
    pub(crate) health: Health,
    /// What the running system says.
    #[serde(flatten)]
    pub(crate) facts: Facts,
    /// What the tools say.
    pub(crate) tools: Vec<Told>,
}

impl Status {
    pub(crate) fn gather(tools: &Tools, ui: &Ui) -> Self {
        let files = HostFiles::new(ui.root());
        let facts = Facts::gather(&files, &HostRunner, ui.root());
        let tools = sections::gather(tools, ui.global(), &HostRunner);
        let own = crate::doctor::own(&facts, &tools);
        let worst = tools.iter().map(Told::health).chain(own.iter().map(|f| f.health)).max();
        Self { health: worst.unwrap_or(Health::Ok), facts, tools }
    }
}

pub(crate) fn show(tools: &Tools, ui: &mut Ui) -> Result<Exit, Failure> {
    let status = Status::gather(tools, ui);
    let verbose = ui.global().verbose > 0;
    ui.emit("esos.status/1", &status, |human| render(&status, verbose, human))?;
    Ok(Exit::Done)
}

pub(crate) fn word(health: Health, paint: Paint) -> String {
    match health {
        Health::Ok => paint.good("OK"),
        Health::Unused => paint.dim("-"),
        Health::Unknown => paint.warn("UNKNOWN"),
        Health::Warn => paint.warn("WARNING"),
        Health::Crit => paint.bad("CRITICAL"),
    }
}

fn render(status: &Status, verbose: bool, human: &mut Human) {
    let paint = human.paint();
    let facts = &status.facts;
    let version = facts.version.0.clone().unwrap_or_else(|_| "unknown".to_owned());
    human.line(format!("{}  {}", paint.bold(format!("ESOS {version}")), word(status.health, paint)));
    let mut row = |name: &str, value: String| human.line(format!("  {name:<10} {}", clean(&value)));
    row("slot", or(&facts.boot, slot));
    row("kernel", or(&facts.kernel, String::clone));
    row("uptime", or(&facts.uptime_seconds, |s| span(*s)));
    row("root", or(&facts.root_type, |t| format!("on {t}")));
    match &facts.addresses.0 {
        Err(why) => row("addresses", format!("unknown: {why}")),
        Ok(interfaces) if interfaces.is_empty() => row("addresses", "no network interface".to_owned()),
        Ok(interfaces) => {
            for (i, interface) in interfaces.iter().enumerate() {
                row(if i == 0 { "addresses" } else { "" }, address(interface));
            }
        }
    }
    row("stick", or(&facts.stick, |s| format!("{}{}", presence(&s.state), s.text)));
    let human_size = |bytes| Bytes::new(bytes).human();
    let memory =
        |m: &Memory| format!("{}, {} available", human_size(m.total_bytes), human_size(m.available_bytes));
    row("memory", or(&facts.memory, memory));
    if let Ok(boot) = &facts.boot.0 {
        for (i, step) in boot.steps.iter().enumerate() {
            let outcome = if step.outcome == "ok" { String::new() } else { format!("  {}", step.outcome) };
            let (name, took, at) = (&step.step, seconds(step.took_ms), seconds(step.at_ms));
            row(if i == 0 { "boot" } else { "" }, format!("{name:<12} {took:>8}  at {at}{outcome}"));
        }
    }
    for told in &status.tools {
        tool(told, verbose, human);
    }
}

/// A fact in words, or why it is not known.
fn or<T>(fact: &Fact<T>, words: impl FnOnce(&T) -> String) -> String {
    fact.0.as_ref().map_or_else(|why| format!("unknown: {why}"), words)
}

fn tool(told: &Told, verbose: bool, human: &mut Human) {
    let paint = human.paint();
    let name = told.tool;
    if let Some(error) = &told.error {
        human.line(format!("  {name:<10} {}", paint.warn(clean(error))));
        return;
    }
    let Some(section) = &told.section else { return };
    let most = if verbose { usize::MAX } else { 4 };
    let lines = told.lines();
    for (i, line) in lines.iter().take(most).enumerate() {
        let head = if i == 0 { name } else { "" };
        human.line(format!("  {head:<10} {}", clean(line)));
    }
    if lines.len() > most {
        let more = lines.len().saturating_sub(most);
        human.line(format!("  {:<10} and {more} more: esos {name}, or esos status -v", ""));
    }
    if section.lines.is_empty() && section.findings.is_empty() {
        human.line(format!("  {name:<10} {}", word(section.health, paint)));
    }
    for (i, finding) in section.findings.iter().enumerate() {
        let head = if i == 0 && lines.is_empty() { name } else { "" };
        human.line(format!("  {head:<10} {} {}", word(finding.health, paint), clean(&finding.message)));
    }
}

fn slot(boot: &BootReport) -> String {
    let slot = boot.slot.map_or_else(|| boot.mode.clone(), |s| s.to_string());
    let flavour = boot.flavour.as_ref().map(|f| format!(" ({f})")).unwrap_or_default();
    let attempt = boot.attempt.filter(|a| *a > 1).map(|a| format!(", attempt {a}")).unwrap_or_default();
    format!("{slot}{flavour}{attempt}")
}

fn presence(state: &Presence) -> String {
    match state {
        Presence::Present => String::new(),
        Presence::Gone => "GONE: ".to_owned(),
        Presence::Refused => "REFUSED: ".to_owned(),
        Presence::Other(word) => format!("{word}: "),
        _ => "unknown: ".to_owned(),
    }
}

fn address(interface: &Interface) -> String {
    let list = match (interface.addresses.is_empty(), interface.carrier) {
        (false, _) => interface.addresses.join(" "),
        (true, true) => "no address".to_owned(),
        (true, false) => "no carrier".to_owned(),
    };
    format!("{} {list}", interface.name)
}

/// `1.234 s`.
fn seconds(ms: u64) -> String {
    format!("{}.{:03} s", ms / 1000, ms % 1000)
}

/// `41 days 3 h`, `3 h 12 min`, `12 min 5 s`.
fn span(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, m) => format!("{m} min {} s", seconds % 60),
        (0, h, m) => format!("{h} h {m} min"),
        (1, h, _) => format!("1 day {h} h"),
        (d, h, _) => format!("{d} days {h} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_as_people_say_them() {
        let told: Vec<_> = [5, 65, 3600, 90_000, 3_542_400].into_iter().map(span).collect();
        assert_eq!(told, ["5 s", "1 min 5 s", "1 h 0 min", "1 day 1 h", "41 days 0 h"]);
        assert_eq!(seconds(1034), "1.034 s");
    }
}
