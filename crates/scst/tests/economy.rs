//! How often SCST's tree is read and written: what a plan costs follows from what it changes, not from what is there.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod support;

use esos_scst::{Config, NoJournal, Plan, Policy, apply, observe, plan};
use esos_scst_sim::Sim;
use esos_sysfs::{AttrError, AttrTree, Entry};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use support::{ALL, FULL, config, must, sim};

/// A tree that counts.
struct Counts<'s> {
    sim: &'s Sim,
    reads: RefCell<BTreeMap<String, usize>>,
    lists: RefCell<BTreeMap<String, usize>>,
    links: RefCell<usize>,
    writes: RefCell<usize>,
}

impl<'s> Counts<'s> {
    fn new(sim: &'s Sim) -> Self {
        let (reads, lists) = Default::default();
        Self { sim, reads, lists, links: RefCell::new(0), writes: RefCell::new(0) }
    }

    fn reads(&self) -> usize {
        self.reads.borrow().values().sum()
    }

    fn lists(&self) -> usize {
        self.lists.borrow().values().sum()
    }

    /// What was asked for more than once, beside what tells whether SCST runs.
    fn again(&self) -> Vec<String> {
        let (reads, lists) = (self.reads.borrow(), self.lists.borrow());
        let all = reads.iter().chain(lists.iter()).filter(|(path, n)| **n > 1 && path.as_str() != "suspend");
        all.map(|(path, n)| format!("{path} {n}x")).collect()
    }
}

impl AttrTree for Counts<'_> {
    fn read(&self, path: &str) -> Result<String, AttrError> {
        *self.reads.borrow_mut().entry(path.to_owned()).or_default() += 1;
        self.sim.read(path)
    }
    fn write(&self, path: &str, value: &str) -> Result<(), AttrError> {
        *self.writes.borrow_mut() += 1;
        self.sim.write(path, value)
    }
    fn list(&self, path: &str) -> Result<Vec<Entry>, AttrError> {
        *self.lists.borrow_mut().entry(path.to_owned()).or_default() += 1;
        self.sim.list(path)
    }
    fn read_link(&self, path: &str) -> Result<String, AttrError> {
        *self.links.borrow_mut() += 1;
        self.sim.read_link(path)
    }
    fn mode(&self, path: &str) -> Result<Option<u32>, AttrError> {
        self.sim.mode(path)
    }
}

/// So many devices, each with two attributes, each shown once.
fn many(luns: usize) -> Config {
    let mut text = "HANDLER vdisk_nullio {\n".to_owned();
    for n in 0..luns {
        write!(text, "\tDEVICE n{n} {{\n\t\tsize_mb 64\n\t\tt10_dev_id n{n}\n\t}}\n").unwrap();
    }
    text.push_str(
        "}\nTARGET_DRIVER iscsi {\n\tenabled 1\n\tTARGET iqn.2026-01.org.esos:many {\n\t\tenabled 1\n",
    );
    for n in 0..luns {
        writeln!(text, "\t\tLUN {n} n{n}").unwrap();
    }
    text.push_str("\t\tGROUP g {\n\t\t\tINITIATOR iqn.x:a\n\t\t}\n\t}\n}\n");
    config(&text)
}

/// Plans and applies; gives the plan and what applying it cost.
fn cost<'s>(sim: &'s Sim, wanted: &Config) -> (Plan, Counts<'s>) {
    let live = observe(sim).unwrap();
    let planned = plan(&live, wanted, &Policy::default());
    let counts = Counts::new(sim);
    let options = esos_scst::Options { suspend: Some(30), ..ALL };
    apply(&counts, &live, &planned, wanted, &Policy::default(), options, &mut NoJournal).unwrap();
    (planned, counts)
}

#[test]
fn a_scan_asks_for_everything_once() {
    let sim = sim();
    must(&sim, FULL);
    sim.login("iscsi", "iqn.2026-01.org.esos:t1", "iqn.2026-01.org.esos:ini1").unwrap();
    let counts = Counts::new(&sim);
    observe(&counts).unwrap();
    assert_eq!(counts.again(), Vec::<String>::new());
}

#[test]
fn an_apply_writes_its_plan_and_reads_what_it_wrote() {
    for luns in [10, 40] {
        let sim = sim();
        let (planned, counts) = cost(&sim, &many(luns));
        // The window is two writes.
        assert_eq!(*counts.writes.borrow(), planned.steps().count() + 2);
        assert_eq!(planned.steps().count(), 2 * luns + 5, "{planned}");
        // Two attributes of a device; the rest is of the few others.
        assert!(counts.reads() <= 2 * luns + 8, "{} reads for {luns}", counts.reads());
        assert!(counts.lists() <= 4, "{:?}", counts.lists);
        assert_eq!(*counts.links.borrow(), luns);
        assert_eq!(counts.again(), Vec::<String>::new());
    }
}

#[test]
fn nothing_to_do_costs_no_more_than_the_scan() {
    let sim = sim();
    let wanted = many(20);
    cost(&sim, &wanted);
    let (planned, counts) = cost(&sim, &wanted);
    assert!(planned.is_empty());
    assert_eq!((counts.reads(), counts.lists(), *counts.writes.borrow()), (0, 0, 0));
}

#[test]
fn a_small_change_of_much_costs_little() {
    let sim = sim();
    cost(&sim, &many(40));
    let mut wanted = many(40);
    let text = "TARGET_DRIVER iscsi {\n\tTARGET iqn.2026-01.org.esos:many {\n\t\tGROUP g {\n\t\t\tINITIATOR iqn.x:b\n\t\t}\n\t}\n}\n";
    wanted.drivers = config(text).drivers;
    let (planned, counts) = cost(&sim, &wanted);
    assert_eq!(planned.steps().count(), 1);
    assert!(counts.reads() <= 2 && counts.lists() == 1 && *counts.links.borrow() == 0, "{:?}", counts.reads);
}
