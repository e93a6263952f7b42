//! The harness itself, on tiny guests.
use esos_tests::tiny::{self, Tiny};
use esos_tests::{Level, allowed, skip};
use esos_units::Bytes;
use esos_vm::{Bus, Disk, Keep, Mark, Net, Segment, WaitError};
use std::time::Duration;

fn tiny(test: &str) -> Option<Tiny> {
    if !allowed(test, Level::Offline) {
        return None;
    }
    Tiny::new().map_err(|why| skip(test, &why)).ok()
}

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn commands_files_sticks_and_the_power_button() {
    let Some(tiny) = tiny("commands_files_sticks_and_the_power_button") else { return };
    let image = tiny.blank("stick.img", Bytes::mib(8)).unwrap();
    let before = std::fs::read(&image).unwrap();
    let machine = tiny.machine("one").disk(Disk::new(&image, Bus::Usb).id("stick")).end_at_reset();
    let guest = tiny::up(machine).unwrap();

    let answer = guest.run("echo out; echo err >&2; exit 3").unwrap();
    assert_eq!((answer.status, answer.text(), answer.error_text()), (3, "out".into(), "err".into()));
    let late = guest.run_within("sleep 600", Duration::from_secs(2)).unwrap();
    assert_ne!(late.status, 0, "ended by its limit: {late:?}");
    assert_eq!(guest.run("echo still here").unwrap().text(), "still here");

    let bytes: Vec<u8> = (0..100_000u32).map(|i| (i ^ (i >> 7)) as u8).collect();
    guest.write_file("/tmp/a file", &bytes).unwrap();
    assert_eq!(guest.read_file("/tmp/a file").unwrap(), bytes);

    let wait_disk = |there: bool| {
        let test = if there { "-b" } else { "! -b" };
        let wait = format!(
            "i=0; while [ $i -lt 300 ]; do [ {test} /dev/sda ] && exit; i=$((i+1)); sleep 0.1; done; exit 1"
        );
        assert!(guest.run_within(&wait, MINUTE).unwrap().success(), "/dev/sda: {there}");
    };
    wait_disk(true);
    assert!(guest.run("echo mark | dd of=/dev/sda conv=fsync 2>&1").unwrap().success());
    guest.pull("stick").unwrap();
    wait_disk(false);
    guest.plug("stick").unwrap();
    wait_disk(true);
    assert_eq!(guest.run("head -c 4 /dev/sda").unwrap().text(), "mark", "the medium kept it");
    let error = guest.pull("disk7").unwrap_err();
    assert_eq!(error.to_string(), "one has no disk disk7; it has stick");

    guest.console().send_line("exit").unwrap();
    guest.wait_end(MINUTE).unwrap();
    drop(guest);
    assert_eq!(std::fs::read(&image).unwrap(), before, "the image stayed as it was");
}

#[test]
fn two_guests_on_a_segment_reach_each_other_until_the_cable_is_pulled() {
    let Some(tiny) = tiny("two_guests_on_a_segment_reach_each_other_until_the_cable_is_pulled") else {
        return;
    };
    let segment = Segment::new().unwrap();
    let start = |name: &str| tiny.machine(name).net(Net::Segment(segment.clone())).start().unwrap();
    let guests = [("a", "10.9.0.1"), ("b", "10.9.0.2")].map(|(name, address)| (start(name), address));
    // The segment lasts as long as guests are on it.
    drop(segment);
    for (guest, address) in &guests {
        guest.console().wait_for(Mark::default(), "tiny# ", tiny::LIMIT).unwrap();
        guest.open_channel(tiny::LIMIT).unwrap();
        let up = guest.run(&format!("ip link set eth0 up && ip addr add {address}/24 dev eth0")).unwrap();
        assert!(up.success(), "{up:?}");
    }
    let (a, b) = (&guests[0].0, &guests[1].0);
    let ping = || a.run_within("ping -c 3 -W 5 10.9.0.2", MINUTE).unwrap();
    assert!(ping().success(), "{:?}", ping());
    b.cable(0, false).unwrap();
    assert!(!ping().success());
    b.cable(0, true).unwrap();
    assert!(ping().success(), "{:?}", ping());
}

#[test]
fn a_power_cut_leaves_what_was_written_and_its_log() {
    let Some(tiny) = tiny("a_power_cut_leaves_what_was_written_and_its_log") else { return };
    let image = tiny.blank("disk.img", Bytes::mib(8)).unwrap();
    let log = tiny.blank("writes.log", Bytes::new(0)).unwrap();
    let disk = Disk::new(&image, Bus::Virtio).keep(Keep::WriteAndLog(log.clone()));
    let guest = tiny::up(tiny.machine("cut").disk(disk)).unwrap();
    let written =
        guest.run("echo before >/tmp/x; dd if=/tmp/x of=/dev/vda bs=512 conv=sync,fsync 2>&1").unwrap();
    assert!(written.success(), "{written:?}");
    guest.cut_power();
    assert_eq!(&std::fs::read(&image).unwrap()[..7], b"before\n");
    let log = std::fs::read(&log).unwrap();
    let magic = u64::from_le_bytes(log[..8].try_into().unwrap());
    assert_eq!(magic, 0x006a_7366_7773_6872, "magic of dm-log-writes");
}

#[test]
fn a_panic_ends_the_wait_with_the_tail_of_the_console() {
    let Some(tiny) = tiny("a_panic_ends_the_wait_with_the_tail_of_the_console") else { return };
    let guest = tiny::up(tiny.machine("panic").end_at_reset()).unwrap();
    guest.console().send_line("echo c >/proc/sysrq-trigger").unwrap();
    let error = guest.console().wait_for(Mark::default(), "never said", 2 * MINUTE).unwrap_err();
    assert!(matches!(error, WaitError::Over { .. }), "{error}");
    assert!(error.to_string().contains("Kernel panic"), "{error}");
}
