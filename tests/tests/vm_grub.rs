//! The boot loader of a stick, with tiny guests in the slots: who is started, and what is told to it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking and says its figures")]
use esos_layout::Slot;
use esos_layout::slot::{
    BOOT_CHECK, BOOT_SUMS, DEBUG_BOOT_CHECK, DEBUG_BOOT_SUMS, DEBUG_INITRAMFS, DEBUG_KERNEL, GRUB_ENV,
    INITRAMFS, KERNEL, VERSION,
};
use esos_tests::damage::{Damage, Place, places_of};
use esos_tests::disk::{boot_loader, grub_tools, tiny_image};
use esos_tests::image::turn;
use esos_tests::many_slots;
use esos_tests::tiny::{LIMIT, Tiny};
use esos_tests::{Level, allowed, skip};
use esos_units::Bytes;
use esos_vm::{Bus, Disk, Firmware, Guest, Keep, Machine, Mark};
use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

struct Stick {
    _tiny: Tiny,
    image: PathBuf,
    /// First byte of PRIMARY.
    primary: u64,
}

fn stick(test: &str, level: Level, versions: (&str, Option<&str>)) -> Option<Stick> {
    if !allowed(test, level) {
        return None;
    }
    let parts = Tiny::new().and_then(|tiny| Ok((tiny, grub_tools()?)));
    let (tiny, tools) = parts.map_err(|why| skip(test, &why)).ok()?;
    let boot = boot_loader(&tools).unwrap();
    let image = tiny.path("stick.img");
    let summary = tiny_image(&image, &tiny, boot, versions).unwrap();
    let primary = summary.partitions.iter().find(|p| p.name == "esos_primary").unwrap().start_bytes;
    Some(Stick { _tiny: tiny, image, primary })
}

fn machine(image: &Path, firmware: Firmware, keep: Keep) -> Machine {
    let disk = Disk::new(image, Bus::Usb).keep(keep);
    Machine::new("grub").firmware(firmware).memory(Bytes::mib(512)).processors(1).disk(disk)
}

/// The next kernel command line that a tiny guest shows, and the place behind it.
fn command_line(guest: &Guest, from: Mark) -> (String, Mark) {
    let said = guest.console().wait_for(from, "TINY-CMDLINE ", LIMIT).unwrap();
    let ready = guest.console().wait_for(said, "TINY-READY", LIMIT).unwrap();
    (guest.console().since(said).lines().next().unwrap().to_owned(), ready)
}

fn has(line: &str, words: &[&str]) {
    for word in words {
        assert!(line.split_whitespace().any(|w| w == *word), "no {word} in {line}");
    }
}

#[test]
fn each_firmware_starts_the_preferred_slot() {
    let test = "each_firmware_starts_the_preferred_slot";
    let Some(stick) = stick(test, Level::Offline, ("1.0", None)) else { return };
    let _turn = turn();
    for firmware in Firmware::ALL {
        let guest = machine(&stick.image, firmware, Keep::Discard).start().unwrap();
        let (line, at) = command_line(&guest, Mark::default());
        has(
            &line,
            &["slot=PRIMARY", "esos.flavour=prod", "esos.attempt=1", "esos.stick=unset", "tiny.version=1.0"],
        );
        println!("{firmware}: {:.1} s to a shell", guest.console().time_of(at).as_secs_f64());
    }
}

/// Production and Debug of both slots, chosen at the menu over the serial line.
#[test]
fn every_entry_of_the_menu_starts_what_it_says() {
    let test = "every_entry_of_the_menu_starts_what_it_says";
    let Some(stick) = stick(test, Level::All, ("1.0", Some("2.0"))) else { return };
    let _turn = turn();
    let debug = "loglevel=7";
    let entries = [
        ("PRIMARY", "prod", "1.0"),
        ("PRIMARY", "debug", "1.0"),
        ("SECONDARY", "prod", "2.0"),
        ("SECONDARY", "debug", "2.0"),
    ];
    for (n, (slot, flavour, version)) in entries.into_iter().enumerate() {
        let guest = machine(&stick.image, Firmware::Bios, Keep::Discard).start().unwrap();
        let menu = guest.console().wait_for(Mark::default(), "Esc shows the menu", LIMIT).unwrap();
        guest.console().send("\x1b").unwrap();
        guest.console().wait_for(menu, "Rescue shell", LIMIT).unwrap();
        guest.console().send(&"\x1b[B".repeat(n)).unwrap();
        guest.console().send("\r").unwrap();
        let (line, _) = command_line(&guest, menu);
        has(
            &line,
            &[
                &format!("slot={slot}"),
                &format!("esos.flavour={flavour}"),
                &format!("tiny.version={version}"),
            ],
        );
        assert_eq!(line.contains(debug) && line.contains("tiny.debug"), flavour == "debug", "{line}");
    }
}

#[test]
fn a_damaged_slot_leads_to_the_other_one_and_says_why() {
    let test = "a_damaged_slot_leads_to_the_other_one_and_says_why";
    let Some(stick) = stick(test, Level::All, ("1.0", Some("2.0"))) else { return };
    let _turn = turn();
    // A MiB into the slot lies the kernel.
    let mut file = OpenOptions::new().write(true).open(&stick.image).unwrap();
    file.seek(SeekFrom::Start(stick.primary + (1 << 20))).unwrap();
    file.write_all(b"rot").unwrap();
    drop(file);
    for firmware in Firmware::ALL {
        let guest = machine(&stick.image, firmware, Keep::Discard).start().unwrap();
        let (line, _) = command_line(&guest, Mark::default());
        has(&line, &["slot=SECONDARY", "tiny.version=2.0", "esos.fallback=PRIMARY:damaged"]);
    }
}

/// Three starts that nobody reports as good, then the other slot.
#[test]
fn a_slot_that_never_reports_good_runs_out_of_tries() {
    let test = "a_slot_that_never_reports_good_runs_out_of_tries";
    let Some(stick) = stick(test, Level::All, ("1.0", Some("2.0"))) else { return };
    let _turn = turn();
    let guest = machine(&stick.image, Firmware::Bios, Keep::Discard).start().unwrap();
    let mut from = Mark::default();
    for attempt in 1..=3 {
        let (line, at) = command_line(&guest, from);
        has(&line, &["slot=PRIMARY", &format!("esos.attempt={attempt}")]);
        from = at;
        guest.reset().unwrap();
    }
    let (line, _) = command_line(&guest, from);
    has(&line, &["slot=SECONDARY", "esos.attempt=1", "esos.fallback=PRIMARY:tries"]);
}

/// Damage to a slot, and whether its Production files and its Debug files are still good.
type Case = (Vec<Damage>, (bool, bool));

/// What may become of the lists by which GRUB checks, and of what they name; `of` gives a file of the slot.
fn cases(of: &dyn Fn(&str) -> Place, flip: &dyn Fn(&Place, u64, u8) -> Damage) -> Vec<Case> {
    const PRODUCTION: (bool, bool) = (false, true);
    const DEBUG: (bool, bool) = (true, false);
    let cut = |name: &str, to: u64| Damage::cut(&of(name), to).unwrap();
    let gone = |name: &str| Damage::unreadable(&of(name)).unwrap();
    let line = |name: &str| 64 + 2 + name.len() as u64 + 1;
    let mut out: Vec<Case> = vec![(vec![], (true, true)), (vec![flip(&of(VERSION), 0, 1)], (true, true))];
    for (list, check, files, bad) in [
        (BOOT_SUMS, BOOT_CHECK, &[GRUB_ENV, KERNEL, INITRAMFS][..], PRODUCTION),
        (DEBUG_BOOT_SUMS, DEBUG_BOOT_CHECK, &[DEBUG_KERNEL, DEBUG_INITRAMFS][..], DEBUG),
    ] {
        let ends = files.iter().scan(0, |end, name| {
            *end += line(name);
            Some(*end)
        });
        let mut lengths: Vec<u64> =
            [0, 1].into_iter().chain(ends.flat_map(|end| [end - 1, end, end + 1])).collect();
        // The list in whole, and one byte more.
        lengths.truncate(lengths.len() - 2);
        let mut one = |damage: Vec<Damage>| out.push((damage, bad));
        lengths.iter().for_each(|to| one(vec![cut(list, *to)]));
        for to in [0, 1, 64, 66, line(list) / 2, line(list) - 1] {
            // Without its line end alone it says the same.
            if to != line(list) - 1 {
                one(vec![cut(check, to)]);
            }
            one(vec![cut(list, 0), cut(check, to)]);
        }
        for name in [list, check] {
            one(vec![gone(name)]);
        }
        one(vec![gone(list), gone(check)]);
        one(vec![cut(list, 0), gone(check)]);
        one(vec![gone(list), cut(check, 0)]);
        one(vec![cut(list, line(files[0])), gone(check)]);
        for name in files {
            one(vec![cut(name, 0)]);
            one(vec![cut(name, of(name).len - 1)]);
            one(vec![gone(name)]);
            one(vec![flip(&of(name), of(name).len / 3, 4)]);
            // With nobody left to tell.
            one(vec![flip(&of(name), 100, 0), cut(list, 0), cut(check, 0)]);
        }
        // Bit 5 is the case of a letter, which means the same to the line that GRUB compares.
        for (n, name) in [list, check].into_iter().cycle().take(16).enumerate() {
            one(vec![flip(&of(name), n as u64 * 37 % of(name).len, [0, 1, 2, 3, 4, 6, 7][n % 7])]);
        }
    }
    out
}

/// What a slot's lists name is checked, whatever became of the lists; both cores, one start each.
#[test]
fn a_damaged_list_is_no_list() {
    let test = "a_damaged_list_is_no_list";
    if !allowed(test, Level::All) {
        return;
    }
    let tools = match grub_tools() {
        Ok(tools) => tools,
        Err(why) => return skip(test, &why),
    };
    let _turn = turn();
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let path = dir.path().join("slots.img");
    many_slots::disk(&path, &boot_loader(&tools).unwrap(), many_slots::MOST).unwrap();
    let mut list = Vec::new();
    for (n, extent) in many_slots::extents(many_slots::MOST).enumerate() {
        let mut file = File::open(&path).unwrap();
        let places = places_of(&mut file, Slot::Primary, extent).unwrap();
        let of = |name: &str| places.iter().find(|p| p.name == name).unwrap().clone();
        let flip =
            |place: &Place, at, bit| Damage::flip(&mut File::open(&path).unwrap(), place, at, bit).unwrap();
        let Some((damage, good)) = cases(&of, &flip).into_iter().nth(n) else { break };
        for one in &damage {
            one.strike(&path).unwrap();
        }
        list.push((damage.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "), good));
    }
    assert!(list.len() < many_slots::MOST as usize, "more cases than partitions");
    for firmware in Firmware::ALL {
        let guest = machine(&path, firmware, Keep::Discard).start().unwrap();
        guest.console().wait_for(Mark::default(), many_slots::END, LIMIT).unwrap();
        let text = guest.console().text();
        for (n, (damage, good)) in list.iter().enumerate() {
            let found = many_slots::verdict(&text, n as u64);
            assert_eq!(found, Some(*good), "{damage} (Production, Debug)");
        }
        println!("{firmware}: {} slots, {:.0} s", list.len(), guest.elapsed().as_secs_f64());
    }
}
