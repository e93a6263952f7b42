//! SCST: does it have what its configuration names?
use crate::check::Told;
use crate::{Before, Fact, Facts, Finding, Status};

pub(crate) fn check(facts: &Facts, _: &Before) -> Told {
    let wanted = match &facts.scst_wanted {
        Fact::Known(wanted) => wanted,
        Fact::Unused => return Fact::Unused,
        Fact::Unknown(why) => return Fact::Unknown(why.clone()),
    };
    match &facts.scst_running {
        Fact::Known(true) => {}
        Fact::Known(false) if wanted.is_empty() => return Fact::Unused,
        Fact::Known(false) => {
            let text = "SCST is not loaded, and /etc/scst.conf names devices and targets";
            let remedy = "/etc/init.d/scst start; esos scst diff";
            return Fact::Known(vec![Finding::new("scst", "scst", "down", Status::Crit, text, remedy)]);
        }
        Fact::Unused => return Fact::Unused,
        Fact::Unknown(why) => return Fact::Unknown(why.clone()),
    }
    let has = match &facts.scst_has {
        Fact::Known(has) => has,
        Fact::Unused => return Fact::Unused,
        Fact::Unknown(why) => return Fact::Unknown(why.clone()),
    };
    let mut found = Vec::new();
    for name in wanted {
        match has.iter().find(|(have, _)| have == name) {
            None => found.push(Finding::new(
                "scst",
                name,
                "missing",
                Status::Crit,
                "it is configured and SCST does not have it",
                "esos scst diff; esos scst plan /etc/scst.conf",
            )),
            Some((_, false)) => found.push(Finding::new(
                "scst",
                name,
                "disabled",
                Status::Warn,
                "the target is not enabled",
                "esos scst enable TARGET",
            )),
            Some((_, true)) => {}
        }
    }
    Fact::Known(found)
}
