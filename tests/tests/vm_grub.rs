//! The boot loader of a stick, with tiny guests in the slots: who is started, and what is told to it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking and says its figures")]
use esos_tests::disk::{boot_loader, grub_tools, tiny_image};
use esos_tests::image::turn;
use esos_tests::tiny::{LIMIT, Tiny};
use esos_tests::{Level, allowed, skip};
use esos_units::Bytes;
use esos_vm::{Bus, Disk, Firmware, Guest, Keep, Machine, Mark};
use std::fs::OpenOptions;
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
