//! One line of a capture is damaged: no panic, and no drive or array that changes, goes or comes without
//! a word, wherever the text shows it.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "the captures are read in place, are whole, and counts are told"
)]
mod captures;

use captures::{captures, cases, corpus, name};
use esos_raid::{Capture, Facts, Tool, parse};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

/// A generator that is the same everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(limit.max(1)).unwrap()).unwrap()
    }
}

const KINDS: [&str; 6] = ["removed", "cut", "shifted", "cr", "byte", "swapped"];

/// Damages one line; gives the line and how.
fn mutate(dice: &mut Dice, out: &mut Vec<u8>) -> (usize, &'static str) {
    let mut lines: Vec<Vec<u8>> = out.split(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
    let at = dice.below(lines.len());
    let kind = dice.below(KINDS.len());
    let line = &mut lines[at];
    let place = dice.below(line.len() + 1);
    match kind {
        0 => {
            lines.remove(at);
        }
        1 => {
            line.truncate(place);
            // Nothing but blanks is left: as good as removed.
            if line.iter().all(u8::is_ascii_whitespace) {
                *out = lines.join(&b'\n');
                return (at, "removed");
            }
        }
        2 => {
            let blanks = vec![b' '; 1 + dice.below(6)];
            // Before a word, where a column would begin: never inside one.
            let start = line.iter().skip(place).position(|b| *b == b' ').map_or(0, |n| n + place);
            line.splice(start..start, blanks);
        }
        3 => line.insert(place, b'\r'),
        4 if !line.is_empty() => {
            let n = place.min(line.len() - 1);
            line[n] = 0xff;
        }
        _ => {
            // Blanks at its start go or come.
            let lead = line.iter().take_while(|b| **b == b' ').count();
            line.drain(..lead);
        }
    }
    *out = lines.join(&b'\n');
    (at, KINDS[kind])
}

type Seen = Vec<(String, String)>;

/// What must not change without a word.
fn seen(facts: &Facts) -> (Seen, Seen) {
    let id = |c: &Option<String>, id: &str| format!("{}/{id}", c.as_deref().unwrap_or(""));
    let arrays = facts
        .arrays
        .iter()
        .map(|a| (id(&a.controller, &a.id), a.state.as_ref().map_or("none", |s| s.as_str()).to_owned()));
    let drives = facts
        .drives
        .iter()
        .map(|d| (id(&d.controller, &d.key), d.state.as_ref().map_or("none", |s| s.as_str()).to_owned()));
    (arrays.collect(), drives.collect())
}

/// Everything that is told; a complaint that was there before says nothing about the damage.
fn complaints(facts: &Facts) -> BTreeSet<String> {
    let problems = facts.error.iter().chain(&facts.more_errors).chain(&facts.doubts).map(ToString::to_string);
    problems.chain(facts.malformed_rows.iter().cloned()).collect()
}

struct Silent {
    case: String,
    line: String,
    how: &'static str,
    what: String,
}

fn run(rounds: usize, seed: u64) -> (BTreeMap<Tool, (usize, Vec<Silent>)>, usize) {
    let Some(dir) = corpus() else { return (BTreeMap::new(), 0) };
    let mut dice = Dice(seed);
    let mut told: BTreeMap<Tool, (usize, Vec<Silent>)> = BTreeMap::new();
    let mut all: Vec<(Tool, String, Vec<Capture>, Facts)> = Vec::new();
    for (tool, case, _) in cases(&dir) {
        let whole = captures(tool, &case);
        let facts = parse(tool, &whole);
        for doubt in &facts.doubts {
            println!("undamaged: {tool}/{}: {doubt}", name(&case));
        }
        all.push((tool, name(&case), whole, facts));
    }
    let mut slowest = Duration::ZERO;
    for round in 0..rounds {
        let (tool, case, whole, facts) = &all[round % all.len()];
        let mut list = whole.clone();
        let which = dice.below(list.len());
        let before = list[which].out.clone();
        let (at, how) = mutate(&mut dice, &mut list[which].out);
        let start = Instant::now();
        let now = parse(*tool, &list);
        slowest = slowest.max(start.elapsed());
        let entry = told.entry(*tool).or_default();
        entry.0 += 1;
        if seen(&now) == seen(facts) || !complaints(&now).is_subset(&complaints(facts)) {
            continue;
        }
        let line = before.split(|b| *b == b'\n').nth(at).unwrap_or_default();
        let (a, b) = (seen(facts), seen(&now));
        let diff = |x: &Seen, y: &Seen| {
            x.iter()
                .filter(|p| !y.contains(p))
                .map(|p| format!("{}={}", p.0, p.1))
                .collect::<Vec<_>>()
                .join(" ")
        };
        let what = format!(
            "-[{} {}] +[{} {}]",
            diff(&a.0, &b.0),
            diff(&a.1, &b.1),
            diff(&b.0, &a.0),
            diff(&b.1, &a.1)
        );
        entry.1.push(Silent {
            case: format!("{case}/{}", list[which].name),
            line: String::from_utf8_lossy(line).into_owned(),
            how,
            what: what.chars().take(160).collect(),
        });
    }
    println!("slowest read of a damaged capture: {slowest:?}");
    (told, all.len())
}

type Allowed = fn(Tool, &Silent) -> bool;

/// Where a change without a word is allowed: the text holds nothing that shows it. Why, and the tools and
/// lines that it is about. `docs/raid-tools.md` has the shares.
const NOTHING_SHOWS_IT: &[(&str, Allowed)] =
    &[("a whole row of a table whose rows nothing counts", |tool, one| {
        let first = one.line.split_whitespace().next().unwrap_or_default();
        let row = match tool {
            Tool::Storcli | Tool::Storcli2 | Tool::Perccli => {
                first.contains([':', '/']) && first.bytes().all(|b| b.is_ascii_digit() || b":/-".contains(&b))
            }
            Tool::Hpacucli | Tool::Ssacli => {
                matches!(first, "physicaldrive" | "logicaldrive") && one.line.contains('(')
            }
            Tool::Areca => !first.is_empty() && first.bytes().all(|b| b.is_ascii_digit()),
            Tool::TwCli => first.starts_with(['u', 'p']) && first.len() > 1,
            _ => false,
        };
        one.how == "removed" && row
    })];

#[test]
fn damage_is_told() {
    let rounds = std::env::var("ESOS_RAID_MUTATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(3_000);
    let (told, cases) = run(rounds, 0x2545_f491_4f6c_dd1d);
    let verbose = std::env::var_os("ESOS_RAID_VERBOSE").is_some();
    let mut bad = 0;
    for (tool, (count, silent)) in &told {
        let mut allowed: BTreeMap<&str, usize> = BTreeMap::new();
        let mut rest = 0;
        for one in silent {
            match NOTHING_SHOWS_IT.iter().find(|(_, is)| is(*tool, one)) {
                Some((why, _)) => *allowed.entry(why).or_default() += 1,
                None => {
                    rest += 1;
                    if verbose {
                        println!("{tool} {} {}: {:?} {}", one.case, one.how, one.line, one.what);
                    }
                }
            }
        }
        bad += rest;
        println!("{tool}: {count} mutations, {rest} silent, {allowed:?}");
    }
    println!("{cases} cases");
    assert_eq!(bad, 0, "changes without a word");
}

#[test]
fn cut_anywhere_no_reader_panics() {
    let Some(dir) = corpus() else { return };
    let mut count = 0usize;
    for (tool, case, _) in cases(&dir) {
        let whole = captures(tool, &case);
        for which in 0..whole.len() {
            let length = whole[which].out.len();
            let step = (length / 40).max(1);
            for at in (0..length).step_by(step) {
                let mut list = whole.clone();
                list[which].out.truncate(at);
                let _facts = parse(tool, &list);
                count += 1;
            }
        }
    }
    println!("{count} cuts read");
    assert!(Path::new(&dir).exists());
}
