//! Why something cannot be had, in words.
use std::fmt;
use std::sync::Arc;

/// A package and what it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Name and version, or `the request`.
    pub package: String,
    /// Its words.
    pub needs: String,
}

/// A need that no candidate meets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadEnd {
    /// Who needs whom, from the request down to the need that cannot be met.
    pub chain: Vec<Link>,
    /// Each candidate (or name) and why not.
    pub refusals: Vec<(String, Refusal)>,
}

/// Why a candidate is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// Nothing has or provides that name.
    Unknown,
    /// There are other versions only.
    Versions(Vec<String>),
    /// Another version of it is in the set already.
    Taken {
        /// That version.
        other: String,
        /// Why that one is in the set.
        chain: Vec<Link>,
    },
    /// It and a package of the set exclude each other.
    Conflict {
        /// The package that says so, name and version.
        says: String,
        /// `Conflicts` or `Breaks`, and the relation.
        words: String,
        /// The package of the set.
        with: String,
        /// Why that one is in the set.
        chain: Vec<Link>,
    },
    /// It needs something that cannot be had then.
    Leads(Arc<DeadEnd>),
}

/// How deep an explanation may get, how many candidates of one need it shows, and how many lines it has.
const DEPTH: usize = 6;
const WIDTH: usize = 8;
const LINES: usize = 60;

impl DeadEnd {
    /// Whether there was more than one way to meet any of its needs.
    #[must_use]
    pub fn branches(&self) -> bool {
        match self.refusals.as_slice() {
            [(_, Refusal::Leads(next))] => next.branches(),
            refusals => refusals.len() > 1,
        }
    }

    fn lines(&self, out: &mut Vec<String>, told: &[Link], depth: usize) {
        let mut indent = depth.saturating_mul(4).saturating_add(2);
        let known = self.chain.iter().zip(told).take_while(|(a, b)| a == b).count();
        for link in self.chain.iter().skip(known) {
            out.push(format!("{:indent$}{} needs {}", "", link.package, link.needs));
            indent = indent.saturating_add(2);
        }
        for (candidate, refusal) in self.refusals.iter().take(WIDTH) {
            if out.len() > LINES {
                return;
            }
            let why = match refusal {
                Refusal::Unknown => "there is no such package".to_owned(),
                Refusal::Versions(found) => format!("only {} can be had", found.join(", ")),
                Refusal::Taken { other, chain } => format!("{other} is in the set already{}", way(chain)),
                Refusal::Conflict { says, words, with, chain } if says == with => {
                    format!("{says} is in the set{} and has {words}", way(chain))
                }
                Refusal::Conflict { says: _, words, with, chain } => {
                    format!("has {words}, and {with} is in the set{}", way(chain))
                }
                Refusal::Leads(_) if depth >= DEPTH => "leads nowhere either".to_owned(),
                Refusal::Leads(_) => "cannot be installed:".to_owned(),
            };
            out.push(format!("{:indent$}{candidate}: {why}", ""));
            if let Refusal::Leads(next) = refusal
                && depth < DEPTH
            {
                next.lines(out, &self.chain, depth.saturating_add(1));
            }
        }
        let more = self.refusals.len().saturating_sub(WIDTH);
        if more > 0 {
            out.push(format!("{:indent$}… and {more} more", ""));
        }
    }
}

// Who brought a package in: the last link says it best.
fn way(chain: &[Link]) -> String {
    match chain.last() {
        Some(link) => format!(" ({} needs {})", link.package, link.needs),
        None => String::new(),
    }
}

impl fmt::Display for DeadEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = Vec::new();
        self.lines(&mut lines, &[], 0);
        lines.iter().take(LINES).try_for_each(|line| writeln!(f, "{line}"))?;
        if lines.len() > LINES { writeln!(f, "  …") } else { Ok(()) }
    }
}
