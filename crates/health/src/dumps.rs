//! Crash dumps that wait for somebody.
use crate::check::{Told, over};
use crate::{Before, Fact, Facts, Finding, Status};
use esos_layout::dumps::KnownDumps;

pub(crate) fn check(facts: &Facts, _: &Before) -> Told {
    over(&facts.dumps, |text| {
        let Ok(known) = serde_json::from_str::<KnownDumps>(text) else {
            return Fact::Unknown("/run/esos/dumps.json makes no sense".to_owned());
        };
        if let Some(problem) = known.problem {
            return Fact::Unknown(format!("{problem} (`esos crash check` looks again)"));
        }
        let mut found = Vec::new();
        for dump in known.dumps {
            let (kind, state) = match dump.verified {
                None => ("unverified", "it was not read back".to_owned()),
                Some(_) if dump.seen => continue,
                Some(false) => ("damaged", "it is damaged".to_owned()),
                Some(true) if !dump.complete => ("incomplete", format!("it is not whole ({})", dump.state)),
                Some(true) => ("unseen", "it is whole".to_owned()),
            };
            let why = dump.reason.as_deref().unwrap_or("its log does not tell why");
            let seen = if dump.seen { "" } else { ", and nobody has looked at it" };
            let name = &dump.name;
            let look = match (kind, dump.state.as_str()) {
                ("unverified", _) => format!("esos crash check; esos crash show {name}"),
                (_, "log only") => format!("esos crash dmesg {name}"),
                ("damaged", _) => format!("esos crash verify {name}; esos crash dmesg {name}"),
                _ => format!("esos crash show {name}; esos crash report {name}"),
            };
            let remedy = format!("{look}; then esos crash seen {name}, or remove");
            let text = format!("a crash left it ({why}): {state}{seen}");
            found.push(Finding::new("dumps", name, kind, Status::Warn, text, remedy));
        }
        Fact::Known(found)
    })
}
