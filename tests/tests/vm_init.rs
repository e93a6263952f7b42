//! `esos-init` from the real boot loader to a root in RAM.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use esos_initramfs::BootReport;
use esos_layout::{Slot as Name, run};
use esos_tests::init_box::{self, Content, END, ROOT_INIT, Slot};
use esos_tests::{Level, allowed, image, kernel, skip};
use esos_units::Bytes;
use esos_vm::{Bus, Disk, Keep, Machine, Mark};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(600);

fn slot(test: &str, version: &str) -> Option<Slot> {
    Slot::new(version).map_err(|why| skip(test, &why)).ok()
}

fn report(console: &str) -> BootReport {
    let text = console.split("REPORT-BEGIN").last().unwrap().split("REPORT-END").next().unwrap();
    BootReport::from_json(&text.replace('\r', "")).unwrap()
}

#[test]
fn a_damaged_root_starts_the_other_slot_and_nothing_of_the_stick_stays_mounted() {
    let test = "a_damaged_root_starts_the_other_slot_and_nothing_of_the_stick_stays_mounted";
    if !allowed(test, Level::Offline) {
        return;
    }
    let (Some(one), Some(two)) = (slot(test, "1.0-one"), slot(test, "2.0-two")) else { return };
    let dir = tempfile::tempdir().unwrap();
    let image = dir.path().join("esos.img");
    if let Err(why) = init_box::write(&image, &one, Some(&two), "damaged") {
        return skip(test, &why.to_string());
    }
    one.damage(&image).unwrap();
    let disk = Disk::new(&image, Bus::Usb);
    let guest = Machine::new("damaged").memory(Bytes::mib(1536)).disk(disk).start().unwrap();
    let console = guest.console();
    let marked =
        console.wait_for(Mark::default(), "PRIMARY is marked bad; SECONDARY starts next", LIMIT).unwrap();
    assert!(console.text().contains("is damaged: its SHA-256 is not the one in the index, read twice"));
    console.wait_for(marked, END, LIMIT).unwrap();
    let after = console.since(marked);
    let report = report(&after);
    assert_eq!((report.slot, report.version.as_str()), (Some(Name::Secondary), "2.0-two"));
    let stick = report.stick.unwrap();
    let mounts = after.split("ROOT-REACHED").last().unwrap().split("REPORT-BEGIN").next().unwrap();
    assert!(mounts.contains("esos / tmpfs"), "{mounts}");
    assert!(!mounts.contains(&stick.device), "{mounts}");
    assert!(report.steps.iter().any(|s| s.step == "unpack" && s.outcome == "ok"));
    assert_eq!(report.restore.unwrap().outcome, "absent", "{} is not in this root", run::RESTORE_HOOK);
}

#[test]
fn of_two_sticks_with_equal_labels_the_one_of_the_command_line_is_taken() {
    let test = "of_two_sticks_with_equal_labels_the_one_of_the_command_line_is_taken";
    if !allowed(test, Level::Offline) {
        return;
    }
    let Some(one) = slot(test, "1.0-one") else { return };
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (dir.path().join("a.img"), dir.path().join("b.img"));
    if let Err(why) = init_box::write(&a, &one, None, "twin") {
        return skip(test, &why.to_string());
    }
    std::fs::copy(&a, &b).unwrap();
    let identities = ["0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"];
    for (image, identity) in [&a, &b].into_iter().zip(identities) {
        let mut bytes = std::fs::read(image).unwrap();
        let unset = esos_layout::state::encode_stick("unset");
        let at = bytes.windows(512).position(|w| w == unset).unwrap();
        bytes[at..at + 512].copy_from_slice(&esos_layout::state::encode_stick(identity));
        std::fs::write(image, bytes).unwrap();
    }
    let (kernel, initramfs) = one.boot_files(dir.path()).unwrap();
    for (identity, serial) in identities.into_iter().zip(["FIRST", "SECOND"]) {
        let arguments = format!("console=ttyS0 panic=10 quiet slot=PRIMARY esos.stick={identity}");
        let machine = Machine::new("twins").memory(Bytes::mib(1536)).kernel(&kernel, &initramfs, &arguments);
        let machine = machine
            .disk(Disk::new(&a, Bus::Usb).id("a").serial("FIRST"))
            .disk(Disk::new(&b, Bus::Usb).id("b").serial("SECOND"));
        let guest = machine.start().unwrap();
        guest.console().wait_for(Mark::default(), END, LIMIT).unwrap();
        let stick = report(&guest.console().text()).stick.unwrap();
        assert_eq!((stick.identity.as_deref(), stick.serial.as_deref()), (Some(identity), Some(serial)));
    }
}

#[test]
fn with_esos_persist_the_root_is_unpacked_onto_the_stick_once() {
    let test = "with_esos_persist_the_root_is_unpacked_onto_the_stick_once";
    if !allowed(test, Level::All) {
        return;
    }
    let kernel = match kernel::find() {
        Ok(kernel) => kernel,
        Err(why) => return skip(test, &why),
    };
    let content = Content { version: "1.0", init: ROOT_INIT, programs: Vec::new(), args: "esos_persist" };
    let slot = Slot::with(&kernel, &content).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let stick = dir.path().join("esos.img");
    if let Err(why) = init_box::write(&stick, &slot, None, "persist") {
        return skip(test, &why.to_string());
    }
    for said in ["unpack", "the root lies unpacked on the stick"] {
        let disk = Disk::new(&stick, Bus::Usb).id("stick").keep(Keep::Write);
        let guest = Machine::new("persist").memory(Bytes::mib(1024)).disk(disk).start().unwrap();
        guest.console().wait_for(Mark::default(), END, LIMIT).unwrap();
        let text = guest.console().text();
        assert!(
            text.contains("overlay /usr overlay") && text.contains("esos / tmpfs") && text.contains(said),
            "{text}"
        );
        let report = report(&text);
        assert_eq!((report.mode.as_str(), report.root.unwrap().kind.as_str()), ("persist", "overlay"));
        guest.wait_end(LIMIT).unwrap();
    }
}

/// Counts for ever on the partition that `/usr` lies on, and says each number once it is there.
const COUNTING_INIT: &str = r#"#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin:/sbin:/usr/sbin
cd /mnt/persist
n=$(cat counter 2>/dev/null || echo 0)
esos-image mark-good --within 20
echo "PERSIST-UP $(grep -c 'overlay /usr overlay' /proc/self/mounts) counter $n,"
while :; do
  n=$((n+1)); echo $n >counter.tmp; sync; mv counter.tmp counter; sync
  echo "AT $n,"
done
"#;

/// The number after the last of these words.
fn last(text: &str, word: &str) -> Option<u64> {
    text.rsplit(word).next().filter(|_| text.contains(word))?.split(',').next()?.trim().parse().ok()
}

#[test]
fn with_esos_persist_the_power_may_go_at_any_time() {
    let test = "with_esos_persist_the_power_may_go_at_any_time";
    if !allowed(test, Level::All) {
        return;
    }
    let found = kernel::find().and_then(|kernel| Ok((kernel, image::release("esos-image")?)));
    let (kernel, tool) = match found {
        Ok(found) => found,
        Err(why) => return skip(test, &why),
    };
    let programs = vec![("usr/sbin/esos-image".to_owned(), tool)];
    let content = Content { version: "1.0", init: COUNTING_INIT, programs, args: "esos_persist" };
    let slot = Slot::with(&kernel, &content).unwrap();
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let stick = dir.path().join("esos.img");
    if let Err(why) = init_box::write(&stick, &slot, None, "counting") {
        return skip(test, &why.to_string());
    }
    let _turn = image::turn();
    let mut said = 0;
    // Twice while the root is unpacked onto the stick, then while it is written to.
    for (round, pause) in [2500u64, 5000, 0, 0, 0, 0, 0].into_iter().enumerate() {
        let disk = Disk::new(&stick, Bus::Usb).id("stick").keep(Keep::Write);
        let guest = Machine::new("counting").memory(Bytes::mib(1024)).disk(disk).start().unwrap();
        if pause > 0 {
            guest.console().wait_for(Mark::default(), "esos.attempt=", LIMIT).unwrap();
            std::thread::sleep(Duration::from_millis(pause));
            guest.cut_power();
            continue;
        }
        guest.console().wait_for(Mark::default(), "PERSIST-UP 1 counter", LIMIT).unwrap();
        guest.console().wait_for(Mark::default(), "AT ", LIMIT).unwrap();
        std::thread::sleep(Duration::from_millis(700 * round as u64));
        let text = guest.console().text();
        let counter = last(&text, " counter ").unwrap();
        assert!(counter >= said, "round {round}: {counter} where {said} was on the stick");
        said = last(&guest.console().text(), "AT ").unwrap_or(counter).max(counter);
        guest.cut_power();
    }
}
