//! Its part of `esos status`: what the last look found.
use crate::events::LAST;
use esos_cli::{Global, Health, Section};
use esos_health::{Before, Status};
use esos_hostfs::{Files, HostFiles};

pub(crate) fn section(global: &Global) -> Section {
    let last = HostFiles::new(&global.root).read(LAST).ok();
    let mut section = Section::new("health");
    let Some(Before(findings)) = last.and_then(|bytes| serde_json::from_slice(&bytes).ok()) else {
        return section.finding(Health::Unknown, "nobody has looked yet", Some("esos health"));
    };
    if findings.is_empty() {
        return section.line("nothing is wrong");
    }
    for f in findings {
        let health = match f.status {
            Status::Crit => Health::Crit,
            Status::Warn => Health::Warn,
            _ => Health::Unknown,
        };
        section =
            section.finding(health, format!("{} {}: {}", f.check, f.object, f.message), Some(&f.remedy));
    }
    section
}
