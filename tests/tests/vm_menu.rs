//! The menu of the default image, with another version in its second slot: every entry once, to a login.
use esos_tests::image::{self, Kind, LIMIT};
use esos_tests::slots::with_secondary;
use esos_tests::{Level, allowed, skip};
use esos_vm::boot::{steps, until_login};
use esos_vm::{Bus, Firmware, Mark};

#[test]
fn production_and_debug_of_both_slots() {
    let test = "production_and_debug_of_both_slots";
    if !allowed(test, Level::All) {
        return;
    }
    if let Err(why) = image::release("esos-image") {
        return skip(test, &why);
    }
    let (first, second) = (image::find(Kind::Default).unwrap(), image::find(Kind::Second).unwrap());
    let _turn = image::turn();
    // Beside the images: it is as large as they are.
    let dir = tempfile::tempdir_in(first.parent().unwrap()).unwrap();
    let stick = dir.path().join("both.img");
    with_secondary(&first, &second, &stick).unwrap();

    let slots = [("PRIMARY", "prod"), ("PRIMARY", "debug"), ("SECONDARY", "prod"), ("SECONDARY", "debug")];
    for (n, (slot, flavour)) in slots.into_iter().enumerate() {
        // The firmwares by turns: each starts both slots.
        let firmware = if n % 2 == 0 { Firmware::Bios } else { Firmware::Uefi };
        let boot = image::boot(&stick, firmware, Bus::Usb);
        let guest = boot.machine().start().unwrap();
        let menu = guest.console().wait_for(Mark::default(), "Esc shows the menu", LIMIT).unwrap();
        guest.console().send("\x1b").unwrap();
        guest.console().wait_for(menu, "Rescue shell", LIMIT).unwrap();
        guest.console().send(&"\x1b[B".repeat(n)).unwrap();
        guest.console().send("\r").unwrap();
        until_login(&guest, LIMIT).unwrap();
        guest.log_in(&boot.person, LIMIT).unwrap();

        let line = guest.run("cat /proc/cmdline").unwrap().text();
        let words: Vec<&str> = line.split_whitespace().collect();
        for word in [format!("slot={slot}"), format!("esos.flavour={flavour}")] {
            assert!(words.contains(&word.as_str()), "no {word} in {line}");
        }
        assert_eq!(words.contains(&"loglevel=7"), flavour == "debug", "{line}");
        let status = guest.run("esos status").unwrap().text();
        let version = status.lines().next().unwrap();
        assert_eq!(version.contains(image::SECOND), slot == "SECONDARY", "{status}");
        assert!(status.contains(&format!("{slot} ({flavour})")), "{status}");
        let times: Vec<_> = steps(&guest).iter().map(|s| format!("{} {:.1}", s.name, s.seconds)).collect();
        println!("{firmware}, {slot} {flavour} ({}): {}", guest.accel(), times.join(", "));
    }
}
