//! Its part of `esos status`: what the box remembers, without touching the stick.
use crate::case::{STATE, time};
use crate::watch::{PENDING, Pending};
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
            let what = r.generation.map_or("nothing: the store was empty".to_owned(), |id| {
                format!("@{id} of {} (ESOS {})", time(r.made), r.version)
            });
            section = section.line(format!("restored {what}"));
            if !r.complete {
                let why =
                    r.problem.clone().unwrap_or_else(|| format!("{} things are missing", r.missing.len()));
                section = section.finding(
                    Health::Crit,
                    format!("the configuration was not restored whole: {why}"),
                    Some("esos conf status; esos conf restore"),
                );
            }
            for damage in &r.damaged {
                section = section.finding(
                    Health::Warn,
                    format!("damaged: {damage}"),
                    Some("esos conf verify; replace the stick"),
                );
            }
            for id in &r.newer {
                section = section.line(format!("@{id}, made by a newer version, is kept and was not used"));
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
    let pending: Option<Pending> = files.read(PENDING).ok().and_then(|b| serde_json::from_slice(&b).ok());
    match pending {
        Some(Pending { problem: Some(problem), .. }) => section.finding(
            Health::Crit,
            format!("changes are not on the stick: {problem}"),
            Some("esos stick show; esos conf sync"),
        ),
        Some(Pending { last, .. }) if last > 0 => section.line(format!("last sync {}", time(last))),
        _ => section,
    }
}
