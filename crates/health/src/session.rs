//! Initiators that had a session and have none now.
use crate::check::{Told, over};
use crate::{Fact, Facts, Finding, Status};
use serde::{Deserialize, Serialize};

/// A session of an initiator with a target of this box.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Session {
    /// Driver and target: `iscsi/iqn.2026-11.org.example:t1`.
    pub target: String,
    /// The initiator's name.
    pub initiator: String,
}

/// Sessions to remember for the next look: those that are there, and those that were and whose target is still
/// configured. One that is lost is remembered until it is back, its target is taken out of `/etc/scst.conf`, the box
/// starts anew, or somebody says that it will not come back.
#[must_use]
pub fn remembered(facts: &Facts) -> Vec<Session> {
    let known = |fact: &Fact<Vec<Session>>| match fact {
        Fact::Known(sessions) => sessions.clone(),
        _ => Vec::new(),
    };
    let configured = |s: &Session| match &facts.scst_wanted {
        Fact::Known(wanted) => wanted.contains(&format!("tgt/{}", s.target)),
        Fact::Unused => false,
        // A file that makes no sense for a while forgets nobody.
        Fact::Unknown(_) => true,
    };
    let mut all = [known(&facts.sessions), known(&facts.sessions_before)].concat();
    all.retain(configured);
    all.sort();
    all.dedup();
    all
}

/// Those of targets that serve: of one that is missing or disabled it is told by itself.
pub(crate) fn lost(facts: &Facts, serves: impl Fn(&str) -> bool) -> Told {
    over(&facts.sessions, |now| {
        over(&facts.sessions_before, |before| {
            let lost = before.iter().filter(|s| !now.contains(s) && serves(&format!("tgt/{}", s.target)));
            let finding = |s: &Session| {
                let Session { target, initiator } = s;
                let text = format!("the initiator {initiator} had a session with {target} and has none now");
                let remedy = format!(
                    "esos scst sessions; the initiator, cables, switches; esos health --forget {initiator} where it is \
                     not to come back"
                );
                Finding::new("scst", format!("{target}/{initiator}"), "session", Status::Warn, text, remedy)
            };
            Fact::Known(lost.map(finding).collect())
        })
    })
}
