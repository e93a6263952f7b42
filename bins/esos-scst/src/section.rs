//! Its part of `esos status`.
use crate::machine;
use esos_cli::{Exit, Global, Health, Section};
use esos_scst::store::CONF;
use esos_scst::{Document, Policy, plan};

pub(crate) fn section(global: &Global) -> Section {
    let section = Section::new("scst");
    let live = match machine::live(&machine::tree(global)) {
        Ok(live) => live,
        Err(e) if e.exit() == Exit::Unavailable => return Section::unused("scst", "SCST is not loaded"),
        Err(e) => return section.finding(Health::Unknown, e.message().to_owned(), None),
    };
    let targets = || {
        live.drivers
            .iter()
            .filter(|(n, _)| n.as_str() != "copy_manager")
            .flat_map(|(_, d)| d.targets.values())
    };
    let enabled = |t: &&esos_scst::LiveTarget| {
        t.attributes.get("enabled").and_then(|a| a.value.as_ref()).is_none_or(|v| v.expose() == "1")
    };
    let sessions: usize = targets().map(|t| t.sessions.len()).sum();
    let section = section.line(format!(
        "{} devices, {} targets ({} enabled), {sessions} sessions",
        live.devices.len(),
        targets().count(),
        targets().filter(enabled).count()
    ));
    let Ok(text) = std::fs::read_to_string(global.root.join(CONF.trim_start_matches('/'))) else {
        return section;
    };
    let document = Document::parse(CONF, text);
    if document.has_errors() {
        return section.finding(
            Health::Warn,
            format!("{CONF} has errors"),
            Some("esos scst check /etc/scst.conf"),
        );
    }
    let wanted = document.config();
    let policy = Policy {
        missing: machine::missing(global, wanted),
        numa_nodes: machine::numa_nodes(global),
        ..Policy::default()
    };
    let planned = plan(&live, wanted, &policy);
    let mut section = section;
    for p in &planned.pending {
        section = section.finding(Health::Warn, format!("{} is pending: {}", p.path, p.why), None);
    }
    if !planned.is_empty() {
        let message = format!("SCST is not what {CONF} says: {} operations differ", planned.operations.len());
        section = section.finding(Health::Warn, message, Some("esos scst plan /etc/scst.conf"));
    }
    section
}
