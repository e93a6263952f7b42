//! SCST: does it have what its configuration names, and who has left?
use crate::check::Told;
use crate::{Before, Fact, Facts, Finding, Status, session};

/// A LUN that is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lun {
    /// Driver, target, group if it is one of a group, number: `iscsi/iqn.2026-11.org.example:t1/hosts/0`.
    pub place: String,
    /// Its target: `iscsi/iqn.2026-11.org.example:t1`.
    pub target: String,
    /// The device that it should lead to.
    pub device: String,
    /// The one that it leads to; `None` where SCST has no such LUN.
    pub leads_to: Option<String>,
}

const REMEDY: &str = "esos scst diff; esos scst plan /etc/scst.conf";

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
    let luns: &[Lun] = match &facts.scst_luns {
        Fact::Known(luns) => luns,
        Fact::Unused => &[],
        Fact::Unknown(why) => return Fact::Unknown(why.clone()),
    };
    let mut found = Vec::new();
    for name in wanted {
        match has.iter().find(|(have, _)| have == name) {
            None => {
                let text = format!("it is configured and SCST does not have it{}", without(name, luns));
                found.push(Finding::new("scst", name, "missing", Status::Crit, text, REMEDY));
            }
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
    // Of a LUN whose device or target is missing that one tells.
    let there = |name: String| has.iter().any(|(have, _)| *have == name);
    for lun in luns.iter().filter(|l| l.leads_to.as_ref() != Some(&l.device)) {
        if there(format!("dev/{}", lun.device)) && there(format!("tgt/{}", lun.target)) {
            let text = match &lun.leads_to {
                Some(other) => format!("it leads to {other}, configured is {}", lun.device),
                None => format!("it is configured, for {}, and SCST does not have it", lun.device),
            };
            found.push(Finding::new("scst", format!("lun/{}", lun.place), "lun", Status::Crit, text, REMEDY));
        }
    }
    let serves = |target: &str| has.iter().any(|(have, on)| have == target && *on);
    match session::lost(facts, serves) {
        Fact::Known(lost) => found.extend(lost),
        Fact::Unused => {}
        Fact::Unknown(why) => {
            let text = format!("who has a session cannot be told: {why}");
            found.push(Finding::new(
                "scst",
                "sessions",
                "unreadable",
                Status::Unknown,
                text,
                "esos scst sessions",
            ));
        }
    }
    Fact::Known(found)
}

/// The LUNs that a missing device leaves without one.
fn without(name: &str, luns: &[Lun]) -> String {
    let device = name.strip_prefix("dev/");
    let lost: Vec<&str> =
        luns.iter().filter(|l| Some(l.device.as_str()) == device).map(|l| l.place.as_str()).collect();
    match lost.as_slice() {
        [] => String::new(),
        [first, second, third, _, ..] => {
            format!(": {} LUNs are without it: {first}, {second}, {third} …", lost.len())
        }
        few => format!(": without it is LUN {}", few.join(", ")),
    }
}
