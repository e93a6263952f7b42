//! From findings to events, and back at the next look.
use esos_alert::{EventId, Inbox, Report, Severity};
use esos_cli::{Failure, Ui};
use esos_health::{Before, Finding, Health, Status};
use esos_hostfs::{Clock, Files, HostClock, HostFiles};
use esos_layout::run;

/// Findings of the last look. In memory: after a boot everything is looked at anew.
pub(crate) const LAST: &str = "/run/esos/health.json";

pub(crate) fn before(ui: &Ui) -> Before {
    let bytes = HostFiles::new(ui.root()).read(LAST).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}

/// Faults that are told, each once, by whoever notices them first: `esos-monitor` (the stick), `esos-conf` (the restore
/// at boot, and the watcher) and `esos-crash` (a crash, with its dump). A second event would be a second mail.
fn told_elsewhere(finding: &Finding) -> bool {
    match finding.check.as_str() {
        "stick" | "restore" | "dumps" => true,
        // A watcher that hangs tells nothing.
        "conf" => finding.kind != "old",
        _ => false,
    }
}

/// What lies on the stick: that it cannot be looked at without it is no news.
const ON_THE_STICK: &[&str] = &["slots", "dumps"];

/// Whether no finding tells already that the check, or a part of it, could not be looked at.
fn is_untold(check: &str, findings: &[Finding]) -> bool {
    !findings.iter().any(|f| f.check == check && f.status == Status::Unknown)
}

fn id(finding: &Finding) -> EventId {
    let [check, object, kind] = finding.key();
    EventId::of(["health", check, object, kind])
}

/// What is new is raised, what is gone has cleared; what could not be looked at stays as it was.
pub(crate) fn report(health: &Health, before: &Before, startup: bool, ui: &Ui) -> Result<(), Failure> {
    let files = HostFiles::new(ui.root());
    let inbox = Inbox::new(&files);
    let now = HostClock.now();
    for finding in health.findings.iter().filter(|f| !before.0.contains(f) && !told_elsewhere(f)) {
        let severity = if finding.status == Status::Crit { Severity::Critical } else { Severity::Warning };
        let subject = format!("{} {}: {}", finding.check, finding.object, finding.message);
        inbox.put(&Report::raised(id(finding), severity, subject).remedy(&finding.remedy), now)?;
    }
    let mut kept = health.findings.clone();
    for old in &before.0 {
        let unknown = health.checks.iter().any(|c| c.name == old.check && c.status == Status::Unknown);
        let still = health.findings.iter().any(|f| f.key() == old.key());
        if !still && unknown {
            kept.push(old.clone());
        } else if !still && !told_elsewhere(old) {
            inbox
                .put(&Report::cleared(id(old), format!("{} {} is well again", old.check, old.object)), now)?;
        }
    }
    let gone = health.findings.iter().any(|f| f.check == "stick");
    for check in health.checks.iter().filter(|c| !(gone && ON_THE_STICK.contains(&c.name))) {
        let event = EventId::of(["health", check.name, "unknown"]);
        let report = match (&check.status, &check.why) {
            (Status::Unknown, Some(why)) if is_untold(check.name, &health.findings) => Report::raised(
                event,
                Severity::Warning,
                format!("{} could not be looked at: {why}", check.name),
            )
            .remedy("esos health"),
            _ => Report::cleared(event, format!("{} can be looked at again", check.name)),
        };
        inbox.put(&report, now)?;
    }
    files.make_dir(run::DIR)?;
    files.replace(LAST, &serde_json::to_vec_pretty(&Before(kept))?, 0o600)?;
    if startup {
        let version = files.read(run::RELEASE).unwrap_or_default();
        let version = String::from_utf8_lossy(&version).trim().to_owned();
        let text: String = health
            .findings
            .iter()
            .map(|f| format!("{:?} {} {}: {}\n", f.status, f.check, f.object, f.message))
            .collect();
        let boot = EventId::of(["box", "started", &now.as_secs().to_string()]);
        let text = if text.is_empty() { "Nothing is wrong.".to_owned() } else { text };
        let report = Report::happened(boot, Severity::Info, format!("the box has started (ESOS {version})"))
            .text(text);
        inbox.put(&report, now)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use esos_health::{Fact, Facts, check};

    /// One drive of several that does not answer is one mail; a program that is missing is one, too.
    #[test]
    fn what_could_not_be_looked_at_is_told_once() {
        let mut facts = Facts::unused();
        let why = || "it does not answer".to_owned();
        facts.smart = Fact::Known(vec![("/dev/sdc".to_owned(), Fact::Unknown(why()))]);
        let health = check(&facts, &Before::default());
        assert_eq!((health.findings.len(), is_untold("smart", &health.findings)), (1, false));
        facts.smart = Fact::Unknown(why());
        let health = check(&facts, &Before::default());
        assert_eq!((health.findings.len(), is_untold("smart", &health.findings)), (0, true));
    }
}
