//! An apply that is killed at any write, to SCST or to disk: what was kept is old or new, the next start
//! finishes it or takes it back, SCST is not left suspended; then generations, confirmation and the way back.
#![expect(clippy::unwrap_used, reason = "test helpers")]
mod support;

use esos_hostfs::{FileError, FileOp, Files, MemFiles, Meta};
use esos_scst::store::{CONF, Keep, Recovered, Store, StoreError};
use esos_scst::{Config, Document, NoJournal, Options, Policy, plan};
use esos_scst_sim::{Again, Sim};
use esos_sysfs::{AttrError, AttrOp, AttrTree, Entry};
use proptest::prelude::*;
use std::cell::Cell;
use support::generate::{check, possible, start, wanted};
use support::{ALL, config, live, sim};

/// A process that is killed: from its n-th write on nothing that it does has any effect.
struct Process<'w> {
    sim: &'w Sim,
    files: &'w MemFiles,
    left: Cell<u64>,
}

impl Process<'_> {
    fn alive(&self) -> bool {
        let left = self.left.get();
        self.left.set(left.saturating_sub(1));
        left > 0
    }

    fn is_dead(&self) -> bool {
        self.left.get() == 0
    }
}

impl AttrTree for Process<'_> {
    fn read(&self, path: &str) -> Result<String, AttrError> {
        if self.is_dead() {
            return Err(AttrError::new(path, AttrOp::Read, 5));
        }
        self.sim.read(path)
    }
    fn write(&self, path: &str, value: &str) -> Result<(), AttrError> {
        if !self.alive() {
            return Err(AttrError::new(path, AttrOp::Write(value.to_owned()), 5));
        }
        self.sim.write(path, value)
    }
    fn list(&self, path: &str) -> Result<Vec<Entry>, AttrError> {
        if self.is_dead() {
            return Err(AttrError::new(path, AttrOp::List, 5));
        }
        self.sim.list(path)
    }
    fn read_link(&self, path: &str) -> Result<String, AttrError> {
        self.sim.read_link(path)
    }
    fn mode(&self, path: &str) -> Result<Option<u32>, AttrError> {
        self.sim.mode(path)
    }
}

impl Files for Process<'_> {
    fn read(&self, path: &str) -> Result<Vec<u8>, FileError> {
        self.files.read(path)
    }
    fn replace(&self, path: &str, bytes: &[u8], mode: u32) -> Result<(), FileError> {
        if !self.alive() {
            return Err(FileError::new(path, FileOp::Replace, 5));
        }
        self.files.replace(path, bytes, mode)
    }
    fn append(&self, path: &str, bytes: &[u8], mode: u32) -> Result<(), FileError> {
        if !self.alive() {
            return Err(FileError::new(path, FileOp::Write, 5));
        }
        self.files.append(path, bytes, mode)
    }
    fn list(&self, path: &str) -> Result<Vec<String>, FileError> {
        self.files.list(path)
    }
    fn stat(&self, path: &str) -> Result<Meta, FileError> {
        self.files.stat(path)
    }
    fn make_dir(&self, path: &str) -> Result<(), FileError> {
        self.files.make_dir(path)
    }
    fn remove(&self, path: &str) -> Result<(), FileError> {
        if !self.alive() {
            return Err(FileError::new(path, FileOp::Remove, 5));
        }
        self.files.remove(path)
    }
}

fn keep(document: &Document) -> Keep<'_> {
    Keep { document, time: 1_800_000_000, by: "root", confirm_by: None }
}

fn files() -> MemFiles {
    let files = MemFiles::new();
    files.make_dir("/etc").unwrap();
    files
}

fn pruning() -> Policy {
    Policy { prune: true, ..Policy::default() }
}

/// Applies with everything kept.
fn apply_kept(
    files: &dyn Files,
    tree: &dyn AttrTree,
    sim: &Sim,
    document: &Document,
    policy: &Policy,
    options: Options,
    keep: &Keep<'_>,
) -> Result<esos_scst::Report, StoreError> {
    let now = live(sim);
    let planned = plan(&now, document.config(), policy);
    Store::new(files).apply(
        tree,
        &now,
        &planned,
        document.config(),
        policy,
        options,
        Some(keep),
        &mut NoJournal,
    )
}

fn saved(files: &MemFiles) -> String {
    files.read(CONF).map(|b| String::from_utf8(b).unwrap()).unwrap_or_default()
}

#[test]
fn a_process_killed_at_any_write_is_finished_or_taken_back() {
    let strategy = (wanted(), wanted(), prop::option::of(1..9u32), any::<bool>());
    check("killed at every write", 4, &strategy, |(a, b, suspend, again), seen| {
        let base = start(&a, &[]);
        let (old, new) = (Document::parse(CONF, a.clone()), Document::parse(CONF, b.clone()));
        let disk = files();
        disk.replace(CONF, a.as_bytes(), 0o600).unwrap();
        let before = live(&base);
        let planned = plan(&before, &config(&b), &pruning());
        if !possible(&planned) || planned.is_empty() {
            return Ok(());
        }
        seen.plan(&planned, &config(&b));
        let options = Options { suspend, ..ALL };
        let mut k = 0;
        loop {
            let (sim, disk) = (base.fork(), disk.clone());
            if again {
                sim.set_again(Again::Always, 1);
            }
            let process = Process { sim: &sim, files: &disk, left: Cell::new(k) };
            let outcome = Store::new(&process).apply(
                &process,
                &before,
                &planned,
                new.config(),
                &pruning(),
                options,
                Some(&keep(&new)),
                &mut NoJournal,
            );
            if outcome.is_ok() {
                break;
            }
            k += 1;
            // What is on disk is whole, whatever is in force.
            let store = Store::new(&disk);
            let generations = store.history().unwrap();
            prop_assert!([old.text(), new.text()].contains(&saved(&disk).as_str()));
            prop_assert!(generations.iter().all(|g| [old.text(), new.text()].contains(&g.expose())));
            // The next start, which is killed itself now and then.
            let process = Process { sim: &sim, files: &disk, left: Cell::new(k % 17) };
            let _killed = Store::new(&process).recover(&process, &mut NoJournal);
            let recovered = store.recover(&sim, &mut NoJournal);
            prop_assert!(!sim.suspended(), "{:?} {:?}", recovered, sim.log());
            let now = live(&sim).canonical();
            match recovered {
                Ok(Recovered::Nothing | Recovered::TakenBack | Recovered::Finished) => {}
                other => prop_assert!(false, "{:?}\n{}", other, planned),
            }
            if now == before.canonical() {
                seen.count("taken back");
                prop_assert_eq!(saved(&disk), old.text());
                prop_assert!(store.history().unwrap().iter().all(|g| g.expose() == old.text()));
            } else {
                seen.count("finished");
                prop_assert!(plan(&live(&sim), new.config(), &pruning()).is_empty());
                prop_assert_eq!(saved(&disk), new.text());
                let history = store.history().unwrap();
                prop_assert_eq!(history.last().unwrap().expose(), new.text());
            }
            prop_assert_eq!(store.recover(&sim, &mut NoJournal).unwrap(), Recovered::Nothing);
        }
        seen.count(format!("up to {} writes of a process", (k / 10 + 1) * 10));
        Ok(())
    });
}

#[test]
fn a_change_that_is_not_confirmed_is_taken_back() {
    check("commit and confirm", 12, &(wanted(), wanted(), any::<bool>()), |(a, b, confirm), seen| {
        let sim = start(&a, &[]);
        let disk = files();
        disk.replace(CONF, a.as_bytes(), 0o600).unwrap();
        let new = Document::parse(CONF, b.clone());
        let before = live(&sim).canonical();
        let planned = plan(&live(&sim), new.config(), &pruning());
        if !possible(&planned) || planned.is_empty() {
            return Ok(());
        }
        let with = Keep { confirm_by: Some(300), ..keep(&new) };
        apply_kept(&disk, &sim, &sim, &new, &pruning(), ALL, &with).unwrap();
        let store = Store::new(&disk);
        let waiting = store.waiting().unwrap().unwrap();
        prop_assert_eq!(waiting.by, 300);
        prop_assert_eq!(saved(&disk), a.clone());
        // Nothing else is applied meanwhile.
        let busy = apply_kept(&disk, &sim, &sim, &new, &pruning(), ALL, &keep(&new));
        let busy = matches!(busy, Err(StoreError::Waiting { number }) if number == waiting.number);
        prop_assert!(busy);
        if confirm {
            seen.count("confirmed");
            prop_assert_eq!(store.confirm().unwrap(), waiting.number);
            prop_assert_eq!(saved(&disk), b.clone());
            prop_assert_eq!(store.history().unwrap().last().unwrap().number, waiting.number);
        } else {
            seen.count("taken back");
            prop_assert_eq!(store.take_back(&sim, &mut NoJournal).unwrap(), Recovered::TakenBack);
            prop_assert_eq!(live(&sim).canonical(), before);
            prop_assert_eq!(saved(&disk), a.clone());
        }
        prop_assert!(store.waiting().unwrap().is_none());
        let nothing = matches!(store.confirm(), Err(StoreError::NothingWaits));
        prop_assert!(nothing);
        Ok(())
    });
}

#[test]
fn going_back_to_a_generation_restores_what_it_found() {
    check(
        "roll-back to a generation",
        12,
        &(wanted(), wanted(), wanted(), any::<bool>()),
        |(a, b, c, two), seen| {
            let sim = start(&a, &[]);
            let disk = files();
            disk.replace(CONF, a.as_bytes(), 0o600).unwrap();
            let store = Store::new(&disk);
            let states: Vec<String> = [b, c]
                .into_iter()
                .filter_map(|text| {
                    let before = live(&sim).canonical();
                    let new = Document::parse(CONF, text);
                    let planned = plan(&live(&sim), new.config(), &Policy::default());
                    if !possible(&planned) || planned.is_empty() {
                        return None;
                    }
                    // What the file adds to a device may not go with what the device has.
                    apply_kept(&disk, &sim, &sim, &new, &Policy::default(), ALL, &keep(&new))
                        .ok()
                        .map(|_| before)
                })
                .collect();
            if states.is_empty() {
                return Ok(());
            }
            let steps = if two { states.len() } else { 1 };
            let before = &states[states.len() - steps];
            let history = store.history().unwrap();
            let goal = history[history.len() - 1 - steps].number;
            let back = store.rollback(Some(goal)).unwrap();
            let planned = plan(&live(&sim), &back.wanted, &back.policy);
            if !possible(&planned) {
                return Ok(());
            }
            seen.count(format!("{steps} generations back"));
            seen.plan(&planned, &back.wanted);
            let now = live(&sim);
            let done = store.apply(
                &sim,
                &now,
                &planned,
                &back.wanted,
                &back.policy,
                ALL,
                Some(&keep(&back.document)),
                &mut NoJournal,
            );
            if let Err(e) = done {
                panic!("{e}: {:?}\n{planned}", std::error::Error::source(&e));
            }
            let (wanted, found) = (lines(before), lines(&live(&sim).canonical()));
            let differ: Vec<_> = wanted.symmetric_difference(&found).collect();
            prop_assert!(differ.is_empty(), "{:#?}\n{}", differ, planned);
            prop_assert_eq!(saved(&disk), back.document.text());
            Ok(())
        },
    );
}

fn lines(text: &str) -> std::collections::BTreeSet<String> {
    text.lines().map(str::to_owned).collect()
}

#[test]
fn an_empty_file_never_replaces_one_that_is_not() {
    let (sim, disk) = (sim(), files());
    let full = Document::parse(CONF, "HANDLER vdisk_nullio {\n\tDEVICE n1\n}\nTARGET_DRIVER iscsi {\n}\n");
    apply_kept(&disk, &sim, &sim, &full, &Policy::default(), ALL, &keep(&full)).unwrap();
    let empty = Document::parse(CONF, "# nothing\n");
    apply_kept(&disk, &sim, &sim, &empty, &pruning(), ALL, &keep(&empty)).unwrap();
    assert_eq!(saved(&disk), full.text());
    for file in [CONF, "/var/lib/esos/scst/000001.json", "/var/lib/esos/scst/000002.json"] {
        assert_eq!(disk.stat(file).unwrap().mode, 0o600, "{file}");
    }
    assert_eq!(live(&sim).to_config().handlers.len(), 0);
}

#[test]
fn the_same_file_again_is_no_generation() {
    let (sim, disk) = (sim(), files());
    let document = Document::parse(CONF, support::FULL);
    for _ in 0..3 {
        apply_kept(&disk, &sim, &sim, &document, &Policy::default(), ALL, &keep(&document)).unwrap();
    }
    let history = Store::new(&disk).history().unwrap();
    assert_eq!(history.iter().map(|g| g.number).collect::<Vec<_>>(), [1]);
    assert!(!format!("{history:?}").contains("12charpasswd"));
    let back = Store::new(&disk).rollback(None);
    assert!(matches!(back, Err(StoreError::NothingBefore)));
    let _unused: Config = Config::default();
}

#[test]
fn the_number_of_an_instance_means_nothing_when_the_first_one_is_gone() {
    let (sim, disk) = (sim(), files());
    let portals = |all: &[&str]| {
        let lines: String = all.iter().map(|portal| format!("\t\tallowed_portal {portal}\n")).collect();
        Document::parse(CONF, format!("TARGET_DRIVER iscsi {{\n\tTARGET iqn.t:0 {{\n{lines}\t}}\n}}\n"))
    };
    for all in [&["10.0.*"][..], &["10.2.*"], &["10.0.*", "10.2.*"], &["10.0.*"]] {
        let wanted = portals(all);
        apply_kept(&disk, &sim, &sim, &wanted, &Policy::default(), ALL, &keep(&wanted)).unwrap();
        let config = live(&sim).to_config();
        let mut targets = config.drivers.values().flat_map(|d| &d.targets);
        let (_, target) = targets.find(|(name, _)| name.as_str() == "iqn.t:0").unwrap();
        let names: Vec<&str> = target.attributes.iter().map(|(name, _)| name).collect();
        assert!(names.contains(&"allowed_portal") && !names.contains(&"allowed_portal1"), "{names:?}");
        assert_eq!(config.to_conf().unwrap().matches("allowed_portal ").count(), all.len());
    }
    // The instance that is left keeps the kernel's number.
    assert!(sim.read("targets/iscsi/iqn.t:0/allowed_portal").is_err());
    assert!(sim.read("targets/iscsi/iqn.t:0/allowed_portal1").unwrap().starts_with("10.0.*"));
}
