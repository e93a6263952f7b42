//! Boots of the machine in memory, and what goes wrong in them.
use super::machine::*;
use super::*;
use crate::REBOOT_AFTER;
use crate::mark::tests::control;
use crate::world::HookEnd;
use esos_hostfs::Files;
use esos_layout::Slot;
use esos_layout::state::SlotState;

fn switch(arguments: &[&str]) -> Ending {
    Ending::SwitchRoot {
        root: NEW_ROOT.into(),
        arguments: arguments.iter().map(|a| (*a).to_owned()).collect(),
    }
}

#[test]
fn a_good_boot_ends_in_the_root_with_nothing_mounted() {
    let fake = Fake::new(Twist::of(GOOD));
    assert_eq!(fake.run(), switch(&[]));
    let report = fake.report();
    let stick = report.stick.unwrap();
    assert_eq!((report.mode.as_str(), report.slot, report.attempt), ("ram", Some(Slot::Primary), Some(1)));
    assert_eq!((stick.identity.as_deref(), stick.device.as_str()), (Some(ID), "/dev/sda"));
    assert_eq!(stick.partitions["esos_primary"].device, "/dev/sda2");
    assert_eq!(report.root.unwrap().entries, 3);
    let steps: Vec<_> = report.steps.iter().map(|s| (s.step.as_str(), s.outcome.as_str())).collect();
    let names = ["base", "drivers", "medium", "slot", "memory", "room", "unpack", "close", "hand", "restore"];
    assert_eq!(steps, names.map(|n| (n, "ok")));
    assert_eq!(report.warnings, Vec::<String>::new());
    let calls = fake.calls.borrow();
    let at =
        |call: &str| calls.iter().position(|c| c == call).unwrap_or_else(|| panic!("{call} in {calls:?}"));
    assert!(at("mount /slot") < at("unpack /newroot") && at("unpack /newroot") < at("unmount /slot"));
    assert!(at("unmount /slot") < at("move /newroot/dev"));
    assert_eq!(fake.made.lock().unwrap()["sbin/init"], vec![9; 5000]);
    assert_eq!(fake.control(), control(SlotState::Good, SlotState::Good), "the slot state is not touched");
}

#[test]
fn words_of_the_command_line_are_honoured() {
    assert_eq!(Fake::new(Twist::of("slot=PRIMARY single_user")).run(), switch(&["single"]));
    let shell = Ending::Shell { root: Some(NEW_ROOT.into()) };
    assert_eq!(Fake::new(Twist::of("slot=PRIMARY rescue")).run(), shell);
    let fake = Fake::new(Twist::of("nothing of ours"));
    assert_eq!(fake.run(), switch(&[]));
    assert_eq!(fake.report().slot, Some(Slot::Primary), "found by its index");
    assert!(fake.has_said("no slot="));
}

#[test]
fn the_watchdog_is_left_to_a_root_that_takes_it_and_to_no_shell() {
    let keeper = format!("{NEW_ROOT}{}", run::WATCHDOG_KEEPER);
    for (cmdline, keeps, end) in [
        (GOOD, true, "the watchdog runs on"),
        (GOOD, false, "the watchdog is stopped"),
        ("slot=PRIMARY rescue", true, "the watchdog is stopped"),
    ] {
        let fake = Fake::new(Twist::of(cmdline));
        if keeps {
            fake.files().make_dir(keeper.rsplit_once('/').unwrap().0).unwrap();
            fake.files().replace(&keeper, b"#!/bin/sh\n", 0o755).unwrap();
        }
        fake.run();
        assert_eq!(fake.calls.borrow().last().unwrap(), end, "{cmdline}");
    }
}

#[test]
fn a_damaged_slot_is_marked_and_the_other_one_starts() {
    for twist in [
        Twist { damage: true, ..Twist::of(GOOD) },
        Twist { other_image: true, ..Twist::of(GOOD) },
        Twist { mount: Some("/slot"), ..Twist::of(GOOD) },
    ] {
        let fake = Fake::new(twist);
        assert_eq!(fake.run(), Ending::Reboot);
        assert!(fake.has_said("PRIMARY is marked bad; SECONDARY starts next"), "{:?}", fake.said);
        assert!(fake.has_said("rebooting in 10 s"));
        assert_eq!(fake.control().primary.state, SlotState::Bad);
        assert!(fake.calls.borrow().contains(&"pause 10".to_owned()));
    }
}

#[test]
fn the_last_slot_is_not_marked() {
    let fake = Fake::new(Twist { damage: true, other_slot: Some(SlotState::None), ..Twist::of(GOOD) });
    assert_eq!(fake.run(), Ending::Reboot);
    assert!(fake.has_said("there is no other slot to go to"), "{:?}", fake.said);
    assert_eq!(fake.control().primary.state, SlotState::Good);
}

#[test]
fn a_stick_that_is_pulled_is_no_damaged_slot() {
    let fake = Fake::new(Twist { damage: true, gone: true, ..Twist::of(GOOD) });
    assert_eq!(fake.run(), Ending::Reboot);
    assert!(fake.has_said("does not answer any more") && !fake.has_said("marked bad"), "{:?}", fake.said);
}

#[test]
fn what_the_machine_lacks_is_said_and_the_slots_stay_good() {
    let little = Twist { memory_kib: 200 << 10, ..Twist::of(GOOD) };
    for twist in [
        little.clone(),
        Twist { full: true, ..Twist::of(GOOD) },
        Twist { mount: Some("/newroot"), ..Twist::of(GOOD) },
    ] {
        let fake = Fake::new(twist);
        assert_eq!(fake.run(), Ending::Reboot);
        assert!(fake.has_said("rebooting in 60 s"), "{:?}", fake.said);
        assert_eq!(fake.control().primary.state, SlotState::Good);
    }
    let fake = Fake::new(little);
    fake.run();
    assert!(fake.has_said("this machine has 200 MiB of memory"));
    let fake = Fake::new(Twist { memory_kib: 200 << 10, ..Twist::of("slot=PRIMARY esos.nomemcheck") });
    assert_eq!(fake.run(), switch(&[]));
    assert!(fake.report().warnings.iter().any(|w| w.contains("200 MiB")));
}

#[test]
fn the_medium_is_waited_for_by_event_and_not_for_ever() {
    let fake = Fake::new(Twist { late: true, ..Twist::of(GOOD) });
    assert_eq!(fake.run(), switch(&[]));
    let medium = fake.report().steps.into_iter().find(|s| s.step == "medium").unwrap();
    assert_eq!(medium.took_ms, 700, "at once when it comes");
    // Seen before its node is there: looked at again with the event.
    let fake = Fake::new(Twist { unready: true, ..Twist::of(GOOD) });
    assert_eq!(fake.run(), switch(&[]));
    let fake = Fake::new(Twist { identities: vec![], ..Twist::of(GOOD) });
    assert_eq!(fake.run(), Ending::Reboot);
    assert!(fake.has_said("within 60 s; no disk at all is here"), "{:?}", fake.said);
    assert_eq!(fake.now.get(), Duration::from_secs(3) + crate::MEDIUM_DEADLINE + REBOOT_AFTER);
}

#[test]
fn of_two_sticks_the_one_that_grub_booted_from_is_taken() {
    const OTHER: &str = "000000000000000000000000000000bb";
    let fake = Fake::new(Twist { identities: vec![OTHER, ID], ..Twist::of(GOOD) });
    assert_eq!(fake.run(), switch(&[]));
    assert!(fake.calls.borrow().contains(&"env ESOS_PART_esos_primary=/dev/sdb2".to_owned()));
    assert!(fake.report().warnings.iter().any(|w| w.contains("/dev/sda (000000000000000000000000000000bb)")));
    assert!(fake.has_said("booting from /dev/sdb") && fake.has_said("other media carry ESOS's labels"));
    let fake = Fake::new(Twist { identities: vec![OTHER], ..Twist::of(GOOD) });
    assert_eq!(fake.run(), Ending::Reboot);
    assert!(fake.has_said("only other sticks with ESOS's labels are here: sda"), "{:?}", fake.said);
    let fake =
        Fake::new(Twist { identities: vec!["unset", "unset"], ..Twist::of("slot=PRIMARY esos.stick=unset") });
    assert_eq!(fake.run(), switch(&[]));
    assert!(fake.has_said("booting from /dev/sdb") && fake.has_said("by place"), "{:?}", fake.said);
}

#[test]
fn a_restore_that_fails_is_loud_and_the_boot_goes_on() {
    for (end, outcome, words) in [
        (HookEnd::Ended(Some(3), "no generation is whole\n".into()), "failed", "no generation is whole"),
        (HookEnd::Timeout("half".into()), "timeout", "not restored within 100 s"),
        (HookEnd::Failed("no shell".into()), "failed", "no shell"),
        (HookEnd::Ended(Some(0), "generation 7\n".into()), "restored", "generation 7"),
    ] {
        let fake = Fake::new(Twist { hook: Some(end), ..Twist::of(GOOD) });
        assert_eq!(fake.run(), switch(&[]));
        let report = fake.report();
        assert_eq!(report.restore.unwrap().outcome, outcome);
        assert!(fake.has_said(words), "{:?}", fake.said);
        assert_eq!(report.warnings.is_empty(), outcome == "restored");
    }
    let fake = Fake::new(Twist { left_mounted: true, ..Twist::of(GOOD) });
    assert_eq!(fake.run(), switch(&[]));
    assert!(fake.calls.borrow().contains(&"unmount /newroot/mnt".to_owned()));
    assert!(fake.report().warnings.iter().any(|w| w.contains("was left mounted")));
}

#[test]
fn with_esos_persist_only_usr_stays_on_the_stick() {
    const PERSIST: &str = "slot=PRIMARY esos_persist";
    let fake = Fake::new(Twist::of(PERSIST));
    assert_eq!(fake.run(), switch(&[]));
    let calls = fake.calls.borrow();
    let at = |part: &str| {
        calls.iter().position(|c| c.starts_with(part)).unwrap_or_else(|| panic!("{part} in {calls:?}"))
    };
    let order = [
        "mount /stick",
        "unpack /stick/esos-persist/",
        "rename /stick/esos-persist/",
        "mount /newroot",
        "copy /stick/esos-persist/",
        "mount /upper",
        "mount /newroot/usr",
        "unmount /upper",
        "move /newroot/mnt/persist",
        "unmount /slot",
    ];
    assert!(order.map(at).is_sorted(), "{calls:?}");
    assert!(calls[at("copy")].ends_with("/root /newroot without usr"), "{calls:?}");
    assert!(fake.report().usr_is_on_the_stick());
    assert!(
        fake.report().warnings.is_empty(),
        "what was asked for is no fault: {:?}",
        fake.report().warnings
    );
    assert!(fake.has_said("/usr lies on the stick (esos_persist), 7 MiB"), "{:?}", fake.said);
    // A stick that is too small for it is no damaged slot, and what would help is said.
    let fake = Fake::new(Twist { full: true, ..Twist::of(PERSIST) });
    assert_eq!(fake.run(), Ending::Reboot);
    assert!(fake.has_said("make that larger, or boot without esos_persist"), "{:?}", fake.said);
    assert_eq!(fake.control().primary.state, SlotState::Good);
}

#[test]
fn the_crash_kernel_always_reboots() {
    for cmdline in [GOOD, "rescue", "esos_iso=live"] {
        let fake = Fake::new(Twist { vmcore: true, ..Twist::of(cmdline) });
        assert_eq!(fake.run(), Ending::Reboot, "{cmdline}");
        assert!(fake.has_said("crash kernel"));
        assert!(!fake.calls.borrow().iter().any(|c| c.contains("slot")));
    }
}

#[test]
fn whatever_fails_the_end_is_one_of_three_and_a_shell_only_for_rescue() {
    let targets = [
        "/dev",
        "/proc",
        "/sys",
        "/run",
        "/slot",
        "/newroot",
        "/newroot/dev",
        "/newroot/proc",
        "/newroot/run",
        "/stick",
        "/upper",
        "/newroot/usr",
        "/newroot/mnt/persist",
    ];
    for rescue in [false, true] {
        for persist in [false, true] {
            let cmdline = match (rescue, persist) {
                (false, false) => "slot=PRIMARY",
                (true, false) => "slot=PRIMARY rescue",
                (false, true) => "slot=PRIMARY esos_persist",
                (true, true) => "slot=PRIMARY rescue esos_persist",
            };
            let base = Twist::of(cmdline);
            let mut twists: Vec<_> =
                targets.iter().map(|t| Twist { mount: Some(*t), ..base.clone() }).collect();
            twists.push(Twist { no_index: true, ..base.clone() });
            twists.push(Twist { damage: true, ..base.clone() });
            twists.push(Twist { full: true, ..base.clone() });
            twists.push(Twist { identities: vec![], ..base.clone() });
            for twist in twists {
                let fake = Fake::new(twist.clone());
                let ending = fake.run();
                let label = format!("{cmdline}, mount {:?}", twist.mount);
                match ending {
                    // The command line may not be known yet.
                    Ending::Shell { .. } => assert!(rescue, "{label}"),
                    Ending::Reboot => assert!(fake.has_said("rebooting in"), "{label}: {:?}", fake.said),
                    Ending::SwitchRoot { .. } => assert!(!rescue, "{label}"),
                }
            }
        }
    }
}
