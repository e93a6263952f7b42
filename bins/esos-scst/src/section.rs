//! Its part of `esos status`.
use crate::keep::since_boot;
use crate::machine;
use esos_cli::{Exit, Global, Health, Section};
use esos_hostfs::HostFiles;
use esos_scst::store::{CONF, Store};
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
    let section = unfinished(section, global);
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

/// What an apply has left behind, or waits for.
fn unfinished(mut section: Section, global: &Global) -> Section {
    let files = HostFiles::new(&global.root);
    let store = Store::new(&files);
    match store.is_interrupted() {
        Ok(true) => {
            let what =
                "an apply was interrupted; SCST may be half of the old and half of the new configuration";
            section = section.finding(Health::Crit, what, Some("esos scst recover"));
        }
        Ok(false) => {}
        Err(e) => {
            section = section.finding(Health::Unknown, format!("the journal cannot be read: {e}"), None);
        }
    }
    match store.waiting() {
        Ok(Some(waiting)) => {
            let left = waiting.by.saturating_sub(since_boot());
            let what =
                format!("@{} waits for its confirmation and is taken back in {left} s", waiting.number);
            section = section.finding(Health::Warn, what, Some("esos scst confirm"));
        }
        Ok(None) => {}
        Err(e) => {
            let what = format!("what waits for a confirmation cannot be read: {e}");
            section = section.finding(Health::Unknown, what, None);
        }
    }
    section
}
