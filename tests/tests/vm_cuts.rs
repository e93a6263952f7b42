//! Real power cuts at random times: a box that syncs, prunes, upgrades and marks without a pause loses its power again and
//! again, in a boot or at work, and with it a part of what it had not flushed. It comes up by itself, with the old system
//! or the new one, and with the configuration that was said to be kept.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking")]
use esos_tests::damage::Dice;
use esos_tests::init_box::{self, ask, ask_json};
use esos_tests::write_log::{self, Replay};
use esos_tests::{Level, allowed, image, keeper, kernel, skip};
use esos_vm::{Bus, Disk, Guest, Keep, Machine};
use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// What the box does all the time. It says what it begins, and what is done.
const BUSY: &str = r#"dmesg -n 1; i=0; while :; do i=$((i+1)); if [ $((i%2)) = 0 ]; then d=vda v=1.1; else d=vdb v=1.2; fi; \
echo $i >/etc/round; esos-conf sync --json >/tmp/s 2>&1 && \
echo "GEN $(grep -o '"generation": *[0-9]*' /tmp/s | head -n1 | grep -o '[0-9]*$'),"; \
esos-conf prune >/tmp/p 2>&1 || echo BROKEN": $(cat /tmp/p)"; \
echo "DO $v,"; esos-image upgrade /dev/$d --target /dev/sda --downgrade --accept-unsigned $v >/tmp/u 2>&1 && \
echo "SAID $v," || echo BROKEN": $(cat /tmp/u)"; \
esos-image mark-good >/tmp/m 2>&1 || echo BROKEN": $(cat /tmp/m)"; done &
"#;

/// What stands behind that word wherever it was said whole.
fn told<'t>(text: &'t str, word: &'t str) -> impl Iterator<Item = &'t str> {
    let rest = text.match_indices(word).map(|(at, _)| &text[at + word.len()..]);
    let whole = rest.filter_map(|rest| Some(rest.split_once(',')?.0));
    whole.filter(|said| !said.is_empty() && said.chars().all(|c| c == '.' || c.is_ascii_digit()))
}

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("--sparse=always").args([from, to]).status().unwrap().success());
}

/// The stick as it may be after a power cut: of what was written since the last flush, each piece is there or is not.
fn lose(stick: &Path, before: &Path, log: &Path, dice: &mut Dice) -> String {
    let ops = write_log::read(log).unwrap();
    let mut replay = Replay::new(stick, before).unwrap();
    ops.iter().for_each(|(_, op)| replay.next(op).unwrap());
    replay.some(4096, dice).unwrap();
    format!("{} of {} operations since the last flush", replay.since().len(), ops.len())
}

/// What the box may be after the next cut.
#[derive(Debug)]
struct Known {
    /// Versions that it may run.
    versions: Vec<String>,
    /// The generation that was said to be kept.
    generation: u64,
    /// Boots that were cut since it was up; the third try is to come up.
    boots: u32,
}

impl Known {
    /// The box is up: everything that was said is there, and what is there is whole.
    fn check(&mut self, guest: &Guest, console: &str) {
        let version = ask(guest, "cat /etc/esos-release").unwrap().trim().to_owned();
        assert!(self.versions.contains(&version), "{version} runs, {self:?}: {console}");
        assert!(!console.contains("NOT GOOD"), "{console}");
        let (_, slots) = ask_json(guest, "esos-image slots").unwrap();
        let slots = &slots["data"];
        assert_eq!((&slots["lost"], &slots["running"]), (&false.into(), &slots["default"]), "{slots}");
        let runs = slots["slots"].as_array().unwrap().iter().find(|s| s["slot"] == slots["running"]).unwrap();
        assert_eq!((&runs["state"], &runs["tries_left"]), (&"good".into(), &3.into()), "{slots}");
        let (status, found) = ask_json(guest, "esos-conf verify").unwrap();
        let rows = found["data"]["generations"].as_array().cloned().unwrap_or_default();
        let newest = rows.iter().filter(|r| r["whole"] == true).filter_map(|r| r["id"].as_u64()).max();
        assert!(status == 0 || self.generation == 0, "{found}");
        let newest = newest.unwrap_or(0);
        assert!(newest == self.generation || newest == self.generation + 1, "{newest}, {self:?}: {found}");
        *self = Self { versions: vec![version], generation: newest, boots: 0 };
    }
}

#[test]
fn the_power_goes_at_random_times() {
    cut("the_power_goes_at_random_times", "");
}

/// `/usr` lies on the stick then, one for each slot.
#[test]
fn with_esos_persist_the_power_goes_at_random_times() {
    cut("with_esos_persist_the_power_goes_at_random_times", "esos_persist");
}

/// The kernel has the arguments `args`.
fn cut(test: &str, args: &str) {
    if !allowed(test, Level::All) {
        return;
    }
    let kernel = match kernel::find() {
        Ok(kernel) => kernel,
        Err(why) => return skip(test, &why),
    };
    let number =
        |name: &str, default| std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default);
    let (cuts, seed) = (number("ESOS_CUTS", 10), number("ESOS_SEED", 6));
    let _turn = image::turn();
    let temp = tempfile::tempdir_in("/var/tmp").unwrap();
    let path = |name: &str| temp.path().join(name);
    let [stick, before, log, one, two] = ["stick.img", "before.img", "log", "1.img", "2.img"].map(path);
    for (version, to) in [("1.0", &stick), ("1.1", &one), ("1.2", &two)] {
        let slot = keeper::slot_with(temp.path(), &kernel, version, args);
        let made = slot.and_then(|slot| init_box::write(to, &slot, None, version).map_err(|e| e.to_string()));
        if let Err(why) = made {
            return skip(test, &why);
        }
    }
    let mut dice = Dice::new(seed);
    let mut known = Known { versions: vec!["1.0".to_owned()], generation: 0, boots: 0 };
    // How long a boot takes here, and one round of the box.
    let (mut boot, mut round) = (20_000, 20_000);
    for cut in 1..=cuts {
        copy(&stick, &before);
        File::create(&log).unwrap();
        let disk = Disk::new(&stick, Bus::Usb).id("stick").keep(Keep::WriteAndLog(log.clone()));
        let pause = |dice: &mut Dice, most: u64| std::thread::sleep(Duration::from_millis(dice.below(most)));
        if cut > 1 && known.boots < 2 && dice.below(4) == 0 {
            let machine = Machine::new("cut in a boot").memory(esos_units::Bytes::mib(1024)).disk(disk);
            let guest = machine.start().unwrap();
            pause(&mut dice, boot);
            let at = guest.elapsed();
            // If it was quick, it is up and has marked itself.
            let up = guest.console().text().contains("BOX-READY");
            guest.cut_power();
            known.boots += u32::from(!up);
            println!("cut {cut}: in a boot, after {at:.0?}, {}", lose(&stick, &before, &log, &mut dice));
            continue;
        }
        let (guest, console) = keeper::start_on(disk, &[&one, &two]).unwrap();
        boot = u64::try_from(guest.elapsed().as_millis()).unwrap();
        known.check(&guest, &console);
        let from = guest.console().mark();
        guest.console().send(&BUSY.replace("\\\n", "")).unwrap();
        if cut == 1 {
            let began = guest.elapsed();
            guest.console().wait_for(from, "SAID 1.2,", init_box::LIMIT).unwrap();
            guest.console().wait_for(from, "GEN 2,", init_box::LIMIT).unwrap();
            round = u64::try_from((guest.elapsed() - began).as_millis()).unwrap();
            println!("a boot takes {boot} ms, a round {round} ms");
        }
        pause(&mut dice, round * 2);
        let text = guest.console().since(from);
        guest.cut_power();
        let lost = lose(&stick, &before, &log, &mut dice);
        assert!(!text.contains("BROKEN: "), "{text}");
        // While a slot is written anew, the one that runs is what is left.
        let (said, begun) = (told(&text, "SAID ").last(), told(&text, "DO ").last());
        let done = told(&text, "SAID ").count() == told(&text, "DO ").count();
        if let (Some(said), true) = (said, done) {
            known.versions = vec![said.to_owned()];
        } else {
            known.versions.extend(said.into_iter().chain(begun).map(str::to_owned));
        }
        let generation = told(&text, "GEN ").last().map_or(known.generation, |g| g.parse().unwrap());
        known.generation = known.generation.max(generation);
        println!("cut {cut}: at work, {known:?}, {lost}");
    }
    let (guest, console) = keeper::start(&stick, &[]).unwrap();
    known.check(&guest, &console);
    println!("{cuts} power cuts, 0 lost");
}
