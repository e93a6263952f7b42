//! The power goes below an upgrade and a mark: what GRUB, the kernel and our tools write to a stick, from its first start
//! on, over two upgrades, marks and a roll-back, is recorded by QEMU's `blklogwrites`. Each prefix of it, and random
//! subsets of what lies between two flushes, becomes a stick again, and is read by `esos-image slots`; each state of the
//! records that came of it by the kernel's FAT and by real GRUB; and sticks of all kinds are started.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking")]
use esos_bootimg::disk::fat::Fat;
use esos_bootimg::disk::gpt::{Copy, Table};
use esos_bootimg::disk::state::Try;
use esos_bootimg::disk::verify::verify_slot;
use esos_bootimg::disk::{Region, read_records};
use esos_layout::{Slot, part};
use esos_tests::damage::Dice;
use esos_tests::disk::{boot_loader, grub_tools};
use esos_tests::init_box::{self, ask, ask_json};
use esos_tests::many_states::{self, Files, NAMES};
use esos_tests::tiny::{self, Tiny};
use esos_tests::write_log::{self, Op, Replay};
use esos_tests::{Level, allowed, image, keeper, kernel, skip};
use esos_vm::{Bus, Disk, Firmware, Keep};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a reordering keeps or loses as one: a medium may tear a write between its blocks.
const PIECE: u64 = 4096;

/// A step, and what was said to be on the stick after it.
struct Step {
    what: &'static str,
    /// The slot that is written by it.
    writes: Option<Slot>,
    /// The log had so many entries then.
    entries: u64,
    /// `esos-image slots`.
    slots: Value,
}

fn slots(tool: &Path, stick: &Path) -> Result<Value, String> {
    let out = Command::new(tool).args(["slots", "--json"]).arg(stick).output().map_err(|e| e.to_string())?;
    let text = String::from_utf8_lossy(&out.stdout);
    if !out.status.success() {
        return Err(format!("esos-image slots: {}: {text}", out.status));
    }
    Ok(serde_json::from_str::<Value>(&text).map_err(|e| e.to_string())?["data"].clone())
}

/// The life of a stick, in one machine that is started again and again.
fn record(stick: &Path, log: &Path, others: &[&Path], before: Value) -> Vec<Step> {
    let disk = Disk::new(stick, Bus::Usb).id("stick").keep(Keep::WriteAndLog(log.to_owned()));
    let (guest, _) = keeper::start_on(disk, others).unwrap();
    let mut steps = vec![Step { what: "as it was made", writes: None, entries: 0, slots: before }];
    let mut said = |what, writes| {
        let entries = write_log::entries(log).unwrap();
        let (status, found) = ask_json(&guest, "esos-image slots").unwrap();
        assert_eq!(status, 0, "{what}: {found}");
        println!("{what}: {entries} entries, {:.0?}", guest.elapsed());
        steps.push(Step { what, writes, entries, slots: found["data"].clone() });
    };
    let done = |command: &str| {
        let (status, done) = ask_json(&guest, command).unwrap();
        assert_eq!(status, 0, "{command}: {done}");
    };
    let reboot = || {
        let from = guest.console().mark();
        guest.console().send("reboot -f\n").unwrap();
        keeper::ready(&guest, from).unwrap();
    };
    said("first boot, and its mark", None);
    done("esos-image mark-good");
    said("mark by hand", None);
    done("esos-image upgrade /dev/vda --target /dev/sda --accept-unsigned 2.0");
    said("upgrade of an empty slot", Some(Slot::Secondary));
    reboot();
    said("trial of SECONDARY, and its mark", None);
    done("esos-image upgrade /dev/vdb --target /dev/sda --accept-unsigned 3.0");
    said("upgrade of a slot in use before", Some(Slot::Primary));
    reboot();
    said("trial of PRIMARY, and its mark", None);
    done("esos-image rollback");
    said("roll-back", None);
    guest.cut_power();
    steps
}

/// What a write touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Touched {
    Record,
    Slot(Slot),
    /// File systems that other tests look at.
    Kept,
    /// Something that nobody may write.
    Stray,
}

struct Places {
    table: Table,
    /// First byte of the EFI system partition.
    esp: u64,
    /// First bytes of the records on the disk, and of the identity behind them.
    records: Vec<u64>,
}

impl Places {
    fn of(stick: &Path) -> Self {
        let mut disk = File::open(stick).unwrap();
        let table = Table::read(&mut disk, Copy::Primary).unwrap();
        let (esp, len) = table.extent(table.find(part::BOOT).unwrap().1);
        let found = read_records(&mut Fat::open(Region::new(&mut disk, esp, len)).unwrap()).unwrap();
        let at = |path: &str| esp + found.places.iter().find(|(p, _)| p == path).unwrap().1.start;
        let records = NAMES.iter().map(|name| at(&format!("{}/{name}", part::STATE_DIR)));
        let records = records.chain([at(part::STICK_FILE)]).collect();
        Self { table, esp, records }
    }

    fn touched(&self, op: &Op) -> Touched {
        let (at, len) = op.extent().unwrap();
        let inside = |name: &str| {
            let (start, room) = self.table.extent(self.table.find(name).unwrap().1);
            at >= start && at + len <= start + room
        };
        if len == 512 && self.records.contains(&at) {
            Touched::Record
        } else if let Some(slot) = Slot::ALL.into_iter().find(|slot| inside(slot.partition())) {
            Touched::Slot(slot)
        } else if inside(part::CONF) || inside(part::LOGS) {
            Touched::Kept
        } else {
            Touched::Stray
        }
    }

    /// The records of a stick, and its identity.
    fn read(&self, stick: &Path) -> (Files, Vec<u8>) {
        let disk = File::open(stick).unwrap();
        let mut all = self.records.iter().map(|at| {
            let mut sector = vec![0; 512];
            disk.read_exact_at(&mut sector, *at).unwrap();
            sector
        });
        let files = std::array::from_fn(|_| all.next());
        (files, all.next().unwrap())
    }
}

/// What would be started, and its version.
fn choice(slots: &Value) -> Value {
    let default = &slots["default"];
    let of = slots["slots"].as_array().unwrap().iter().find(|s| s["slot"] == *default);
    json!([default, of.map(|s| &s["version"])])
}

struct Look<'p> {
    tool: &'p Path,
    shown: PathBuf,
    places: &'p Places,
    steps: &'p [Step],
    /// How often a slot's content was flushed anew.
    flushed: [u32; 2],
    /// Whether a slot of that content is whole.
    whole: BTreeMap<(usize, u32), Result<(), String>>,
    points: u32,
    states: BTreeSet<(Files, Vec<u8>)>,
    started: BTreeMap<String, Result<(), String>>,
    lost: Vec<String>,
}

impl<'p> Look<'p> {
    fn new(tool: &'p Path, shown: &Path, places: &'p Places, steps: &'p [Step]) -> Self {
        Self {
            tool,
            shown: shown.to_owned(),
            places,
            steps,
            flushed: [0; 2],
            whole: BTreeMap::new(),
            points: 0,
            states: BTreeSet::new(),
            started: BTreeMap::new(),
            lost: Vec::new(),
        }
    }

    /// Looks at the stick that is shown. `entry`: what had been said before it holds, or else the next step does.
    fn at(&mut self, replay: &Replay<'_>, entry: u64, what: &str) {
        self.points += 1;
        if let Err(why) = self.judge(replay, entry) {
            self.lost.push(format!("{what} {entry}: {why}"));
        }
    }

    fn judge(&mut self, replay: &Replay<'_>, entry: u64) -> Result<(), String> {
        let before = self.steps.iter().rposition(|s| s.entries <= entry).unwrap();
        let (said, next) = (&self.steps[before], self.steps.get(before + 1).unwrap_or(&self.steps[before]));
        let found = slots(self.tool, &self.shown)?;
        let here = |why: &str| Err(format!("{why}, between `{}` and `{}`: {found}", said.what, next.what));
        if found["lost"] != false || found["problems"].as_array().is_none_or(|p| !p.is_empty()) {
            return here("the stick is damaged");
        }
        let either = |of: &dyn Fn(&Value) -> Value| [of(&said.slots), of(&next.slots)].contains(&of(&found));
        let number = |of: &Value| of["sequence"].as_u64().unwrap();
        if number(&found) < number(&said.slots) || number(&found) > number(&next.slots) {
            return here("a record that was said is gone");
        }
        if !either(&choice) {
            return here("neither the old system nor the new one would be started");
        }
        if !either(&|v| v["stick"].clone()) {
            return here("the identity is another");
        }
        for n in [0, 1] {
            let state = &found["slots"][n]["state"];
            let emptied = next.writes.is_some_and(|slot| slot == Slot::ALL[n]) && state == "none";
            if !emptied && !either(&|v| v["slots"][n]["state"].clone()) {
                return here("a slot has neither its old state nor its new one");
            }
            if state == "good" || state == "trial" {
                self.whole(replay, n)?;
            }
        }
        let records = self.places.read(&self.shown);
        let first = many_states::decision(&records.0).ok_or("nothing would be started")?;
        if found["default"] != first.slot.to_string() {
            return here("what is tried first is not the default");
        }
        self.start(records, first, next, &found);
        Ok(())
    }

    /// One stick of each kind is started.
    fn start(&mut self, records: (Files, Vec<u8>), first: Try, next: &Step, found: &Value) {
        let problem = |n: usize| !found["slots"][n]["problem"].is_null();
        let kind = format!("{} {first:?} {} {}", next.what, problem(0), problem(1));
        self.states.insert(records);
        if !self.started.contains_key(&kind) {
            let version = choice(found)[1].clone();
            let words = format!("ESOS: {}, prod esos.attempt={}", first.slot, first.attempt.unwrap_or(0));
            let result = start(&self.shown, &words, version.as_str().unwrap_or("none"));
            println!("started, {kind}: {result:?}");
            if let Err(why) = &result {
                self.lost.push(format!("started, {kind}: {why}"));
            }
            self.started.insert(kind, result);
        }
    }

    /// A slot that may be started is whole: what a flush left of it is looked at once.
    fn whole(&mut self, replay: &Replay<'_>, n: usize) -> Result<(), String> {
        let verify = || {
            let mut disk = File::open(&self.shown).map_err(|e| e.to_string())?;
            let found = verify_slot(&mut disk, &self.places.table, Slot::ALL[n], &mut |_| {}).findings;
            let text: Vec<String> = found.iter().map(ToString::to_string).collect();
            if found.is_empty() { Ok(()) } else { Err(format!("{}: {}", Slot::ALL[n], text.join("; "))) }
        };
        let writing = replay.since().iter().any(|op| self.places.touched(op) == Touched::Slot(Slot::ALL[n]));
        if writing {
            return verify();
        }
        let key = (n, self.flushed[n]);
        self.whole.entry(key).or_insert_with(verify).clone()
    }
}

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("--sparse=always").args([from, to]).status().unwrap().success());
}

/// A loss is found: were nothing flushed in the first upgrade, its slot would be started before it is whole.
fn planted(ops: &[(u64, Op)], steps: &[Step], places: &Places, tool: &Path, before: &Path, dir: &Path) {
    let at = steps.iter().position(|s| s.writes.is_some()).unwrap();
    let (from, to) = (steps[at - 1].entries, steps[at].entries);
    let [shown, sure] = ["planted.img", "planted-sure.img"].map(|name| dir.join(name));
    for copy_to in [&shown, &sure] {
        copy(before, copy_to);
    }
    let mut replay = Replay::new(&shown, &sure).unwrap();
    for (_, op) in ops.iter().filter(|(n, op)| *n <= from || (*n <= to && *op != Op::Flush)) {
        replay.next(op).unwrap();
    }
    let (mut look, mut dice) = (Look::new(tool, &shown, places, steps), Dice::new(2));
    let mut found = 0;
    for _ in 0..10 {
        replay.some(PIECE, &mut dice).unwrap();
        // Where the record came through, and not all of the slot.
        if slots(tool, &shown).is_ok_and(|s| s["slots"][1]["state"] == "trial") {
            assert!(look.judge(&replay, from).is_err(), "half a system is whole");
            found += 1;
        }
    }
    println!("without a flush {found} of 10 reorderings would start half a system, and all are found");
    assert!(found > 0);
    fs::remove_file(&shown).unwrap();
    fs::remove_file(&sure).unwrap();
}

/// The real boot loader, kernel and init start that stick: which slot, and that it comes up.
fn start(stick: &Path, words: &str, version: &str) -> Result<(), String> {
    let disk = Disk::new(stick, Bus::Usb).id("stick");
    let (guest, console) = keeper::start_on(disk, &[]).map_err(|e| e.to_string())?;
    let tried: Vec<&str> = console.lines().map(str::trim).filter(|l| l.contains(", prod ")).collect();
    let runs = ask(&guest, "cat /etc/esos-release").map_err(|e| e.to_string())?;
    if tried == [words] && runs.trim() == version {
        return Ok(());
    }
    Err(format!("`{words}` and version {version} expected, found {tried:?} and {}", runs.trim()))
}

/// The kernel mounts the boot partition with each of these records, and reads them as files.
fn by_the_kernel(stick: &Path, places: &Places, states: &BTreeSet<(Files, Vec<u8>)>) {
    let tiny = Tiny::new().unwrap();
    let blob = tiny.path("records");
    let bytes = states.iter().flat_map(|(files, id)| files.iter().flatten().chain([id]).flatten());
    fs::write(&blob, bytes.copied().collect::<Vec<u8>>()).unwrap();
    let machine = tiny.machine("fat").disk(Disk::new(stick, Bus::Virtio)).disk(Disk::new(&blob, Bus::Virtio));
    let guest = tiny::up(machine).unwrap();
    let names = || NAMES.into_iter().chain(["stick"]).zip(&places.records).enumerate();
    let each = |of: &dyn Fn(usize, &str, u64) -> String| {
        names().map(|(n, (name, at))| of(n, name, (at - places.esp) / 512)).collect::<String>()
    };
    let (many, all) = (names().count(), states.len());
    let from = |n: usize| format!("dd if=/dev/vdb bs=512 count=1 skip=$((i*{many}+{n})) 2>/dev/null");
    let put = each(&|n, _, at| format!("{} of=/dev/vda2 seek={at} conv=notrunc || echo FAILED\n", from(n)));
    let compare = each(&|n, name, _| {
        format!("{} of=/tmp/x; cmp /tmp/x /m/esos/state/{name} || echo $i {name}\n", from(n))
    });
    let script = format!(
        "mkdir -p /m; i=0; while [ $i -lt {all} ]; do\n{put}mount -t vfat -o ro /dev/vda2 /m || echo MOUNT $i\n\
         {compare}umount /m; i=$((i+1)); done; echo CHECKED $i"
    );
    guest.write_file("/tmp/check", script.as_bytes()).unwrap();
    let said = guest.run_within("sh /tmp/check 2>&1", tiny::LIMIT).unwrap();
    assert_eq!(said.text().trim(), format!("CHECKED {all}"));
}

#[test]
fn below_an_upgrade_and_a_mark_it_is_the_old_system_or_the_new_one() {
    let test = "below_an_upgrade_and_a_mark_it_is_the_old_system_or_the_new_one";
    if !allowed(test, Level::All) {
        return;
    }
    let found = kernel::find().and_then(|k| Ok((k, grub_tools()?, image::release("esos-image")?)));
    let (kernel, grub, tool) = match found {
        Ok(found) => found,
        Err(why) => return skip(test, &why),
    };
    let _turn = image::turn();
    let temp = tempfile::tempdir_in("/dev/shm").unwrap();
    let path = |name: &str| temp.path().join(name);
    let [stick, shown, sure, log] = ["stick.img", "shown.img", "sure.img", "log"].map(path);
    let others = [("2.0", path("2.img")), ("3.0", path("3.img"))];
    let made = [("1.0", stick.clone())].iter().chain(&others).try_for_each(|(version, to)| {
        let slot = keeper::slot_of(temp.path(), &kernel, version)?;
        init_box::write(to, &slot, None, version).map_err(|e| e.to_string())
    });
    if let Err(why) = made {
        return skip(test, &why);
    }
    let stick_before = path("before.img");
    for to in [&shown, &sure, &stick_before] {
        copy(&stick, to);
    }
    File::create(&log).unwrap();
    let before = slots(&tool, &stick).unwrap();
    let steps = record(&stick, &log, &others.each_ref().map(|(_, path)| path.as_path()), before);

    let places = Places::of(&sure);
    let ops = write_log::read(&log).unwrap();
    planted(&ops, &steps, &places, &tool, &stick_before, temp.path());
    let mut look = Look::new(&tool, &shown, &places, &steps);
    let mut replay = Replay::new(&shown, &sure).unwrap();
    let (mut dice, mut writes, mut flushes, mut records) = (Dice::new(1), 0u32, 0u32, 0u32);
    for (entry, op) in &ops {
        let (entry, earlier) = (*entry, entry.saturating_sub(1));
        let mut reordered =
            |look: &mut Look<'_>, replay: &Replay<'_>, rounds: u32, entry: u64, what: &str| {
                for _ in 0..rounds {
                    replay.some(PIECE, &mut dice).unwrap();
                    look.at(replay, entry, what);
                }
                replay.all().unwrap();
            };
        if *op == Op::Flush {
            flushes += 1;
            let touched: Vec<Touched> = replay.since().iter().map(|op| places.touched(op)).collect();
            if touched.iter().any(|t| *t != Touched::Kept) {
                reordered(&mut look, &replay, 20, earlier, "some of what came before entry");
            }
            for (n, slot) in Slot::ALL.into_iter().enumerate() {
                look.flushed[n] += u32::from(touched.contains(&Touched::Slot(slot)));
            }
            replay.next(op).unwrap();
            continue;
        }
        replay.next(op).unwrap();
        let touched = places.touched(op);
        let written = steps.iter().find(|s| s.entries >= entry).and_then(|s| s.writes);
        writes += u32::from(touched != Touched::Kept);
        records += u32::from(touched == Touched::Record);
        match touched {
            Touched::Kept => continue,
            Touched::Slot(slot) if written == Some(slot) => {}
            Touched::Record => {}
            other => {
                look.lost.push(format!("entry {entry} writes what it may not: {other:?} {:?}", op.extent()));
            }
        }
        look.at(&replay, entry, "after entry");
        let rounds = if touched == Touched::Record { 20 } else { 4 };
        reordered(&mut look, &replay, rounds, entry, "some of what came up to entry");
    }
    assert_eq!(choice(&slots(&tool, &shown).unwrap()), choice(&steps.last().unwrap().slots), "all of it");
    let Look { points, states, started, lost, .. } = look;
    println!(
        "{writes} writes to boot partition and slots, {records} of records, {flushes} flushes: {points} crash points, \
         {} states of the records, {} kinds of sticks started, {} lost",
        states.len(),
        started.len(),
        lost.len()
    );
    assert!(lost.is_empty(), "{lost:#?}");
    by_the_kernel(&stick, &places, &states);
    println!("the kernel's FAT reads all of them");
    let files: Vec<Files> =
        states.into_iter().map(|(files, _)| files).collect::<BTreeSet<_>>().into_iter().collect();
    let boot = boot_loader(&grub).unwrap();
    for firmware in Firmware::ALL {
        many_states::run(&boot, firmware, &files).unwrap();
        println!("{} states, {firmware}: GRUB decides as our code does", files.len());
    }
}
