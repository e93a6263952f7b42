//! All checks.
use crate::{
    Fact, Facts, Finding, Status, boot, cluster, drbd, dumps, machine, scst, slots, smart, stick, storage,
};
use serde::{Deserialize, Serialize};

/// Findings of the last look, for what must not flap.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before(pub Vec<Finding>);

/// How one check came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Check {
    /// Its name.
    pub name: &'static str,
    /// How it is.
    pub status: Status,
    /// Why it is unknown.
    pub why: Option<String>,
}

/// How the box is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Health {
    /// The worst of all.
    pub status: Status,
    /// Each check.
    pub checks: Vec<Check>,
    /// What is not well.
    pub findings: Vec<Finding>,
}

/// What a check gives: findings, or why it cannot tell.
pub(crate) type Told = Fact<Vec<Finding>>;

/// Runs a check over a fact.
pub(crate) fn over<T>(fact: &Fact<T>, look: impl FnOnce(&T) -> Told) -> Told {
    match fact {
        Fact::Known(value) => look(value),
        Fact::Unused => Fact::Unused,
        Fact::Unknown(why) => Fact::Unknown(why.clone()),
    }
}

type Run = fn(&Facts, &Before) -> Told;

const CHECKS: &[(&str, Run)] = &[
    ("memory", machine::memory),
    ("filesystem", machine::file_systems),
    ("md", storage::md),
    ("raid", storage::raid),
    ("smart", smart::check),
    ("stick", stick::present),
    ("boot", boot::check),
    ("slots", slots::check),
    ("conf", stick::conf),
    ("restore", stick::restored),
    ("crash", machine::crash),
    ("dumps", dumps::check),
    ("scst", scst::check),
    ("drbd", drbd::check),
    ("cluster", cluster::check),
    ("multipath", storage::multipath),
    ("time", machine::time),
    ("temperature", machine::temperature),
    ("certificate", machine::certificates),
];

/// Looks at everything.
#[must_use]
pub fn check(facts: &Facts, before: &Before) -> Health {
    let mut health = Health { status: Status::Ok, checks: Vec::new(), findings: Vec::new() };
    for (name, run) in CHECKS {
        let (status, why) = match run(facts, before) {
            Fact::Unused => (Status::Unused, None),
            Fact::Unknown(why) => (Status::Unknown, Some(why)),
            Fact::Known(found) => {
                let status = found.iter().fold(Status::Ok, |worst, f| worst.worse(f.status));
                let why = found.iter().find(|f| f.status == Status::Unknown).map(|f| f.message.clone());
                health.findings.extend(found);
                (status, why)
            }
        };
        health.status = health.status.worse(status);
        health.checks.push(Check { name, status, why });
    }
    health.findings.sort_by_key(|f| std::cmp::Reverse(f.status.exit() % 3));
    health
}
