//! Its part of `esos status`: what the box remembers, without touching the stick.
use crate::case::{STATE, time};
use crate::pending::Pending;
use crate::tell;
use esos_cli::{Global, Health, Section};
use esos_confsync::restore::Restored;
use esos_hostfs::{Files, HostFiles};

pub(crate) fn section(global: &Global) -> Section {
    let files = HostFiles::new(&global.root);
    let mut section = Section::new("conf");
    let restored: Option<Restored> =
        files.read(&format!("{STATE}/restored.json")).ok().and_then(|b| serde_json::from_slice(&b).ok());
    match &restored {
        None => {
            section = section.finding(
                Health::Unknown,
                "it is not known what was restored at boot",
                Some("esos conf status"),
            );
        }
        Some(r) => {
            section = section.line(format!("restored {}", tell::headline(r)));
            if !r.complete {
                let why =
                    r.problem.clone().unwrap_or_else(|| format!("{} things are missing", r.missing.len()));
                section = section.finding(
                    Health::Crit,
                    format!("the configuration was not restored whole: {why}"),
                    Some("esos conf status; esos conf restore"),
                );
            }
            for passed in &r.passed {
                let health = if passed.damaged { Health::Crit } else { Health::Warn };
                let remedy = if passed.damaged {
                    "esos conf verify; esos conf diff; replace the stick"
                } else {
                    "esos conf diff; esos image slots"
                };
                section = section.finding(health, tell::short(passed), Some(remedy));
            }
            for damage in tell::history(r) {
                section = section.finding(
                    Health::Warn,
                    format!("damaged: {damage}"),
                    Some("esos conf verify; replace the stick"),
                );
            }
            for conflict in &r.conflicts {
                section = section.finding(
                    Health::Warn,
                    format!("the new version's default was not taken: {conflict}"),
                    Some("compare with /var/lib/esos/conflicts, then remove it there"),
                );
            }
        }
    }
    match Pending::read(&files) {
        Pending { problem: Some(problem), .. } => section.finding(
            Health::Crit,
            format!("changes are not on the stick: {problem}"),
            Some("esos stick show; esos conf sync"),
        ),
        Pending { last, .. } if last > 0 => section.line(format!("last sync {}", time(last))),
        _ => section,
    }
}
