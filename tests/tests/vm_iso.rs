//! The ISO: as a disc and as a stick, by both firmwares, to the login of the live system; and a disk that the
//! installer entry made, which starts by itself.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use esos_tests::image::{self, LIMIT};
use esos_tests::{Level, allowed, skip};
use esos_units::Bytes;
use esos_vm::boot::{steps, until_login};
use esos_vm::{Bus, Disk, Firmware, Guest, Keep, Mark};
use std::path::PathBuf;
use std::process::Command;

/// `ESOS_ISO` names one that is there already; else one is built.
fn iso() -> Result<PathBuf, String> {
    if let Some(path) = std::env::var_os("ESOS_ISO") {
        return Ok(path.into());
    }
    let out = image::target_dir()?.join("test-image-iso");
    let mut command = Command::new(image::release("esos-image")?);
    let said = command.args(["build", "--iso", "--no-compress", "--out"]).arg(&out).output();
    let said = said.map_err(|e| e.to_string())?;
    let words = String::from_utf8_lossy(&said.stderr).into_owned();
    if said.status.success() { Ok(out.join("esos.iso")) } else { Err(words) }
}

fn said(guest: &Guest, command: &str) -> String {
    let answer = guest.run_within(command, LIMIT).unwrap();
    assert!(answer.success(), "{command}: {} {}", answer.text(), answer.error_text());
    answer.text()
}

fn times(guest: &Guest) -> String {
    steps(guest).iter().map(|s| format!("{} {:.1}", s.name, s.seconds)).collect::<Vec<_>>().join(", ")
}

#[test]
fn live_from_a_disc_and_from_a_stick() {
    let test = "live_from_a_disc_and_from_a_stick";
    if !allowed(test, Level::All) {
        return;
    }
    let iso = iso().unwrap();
    let _turn = image::turn();
    for (bus, node) in [(Bus::Cdrom, "/dev/sr0"), (Bus::Usb, "/dev/sda")] {
        for firmware in [Firmware::Bios, Firmware::Uefi] {
            let boot = image::boot(&iso, firmware, bus);
            let guest = boot.machine().start().unwrap();
            until_login(&guest, LIMIT).unwrap();
            guest.log_in(&boot.person, LIMIT).unwrap();
            assert!(said(&guest, "cat /proc/cmdline").contains("esos_iso=live"));
            assert_eq!(said(&guest, "findmnt -n -o FSTYPE /").trim(), "tmpfs");
            let report = said(&guest, "cat /run/esos/boot.json");
            assert!(report.contains("iso-live") && report.contains(node), "{report}");
            // Nothing of the medium is mounted.
            assert!(!said(&guest, "findmnt -n -o SOURCE").contains(node));
            println!("{firmware}, {bus}: {}", times(&guest));
        }
    }
}

#[test]
fn the_installer_makes_a_disk_that_starts() {
    let test = "the_installer_makes_a_disk_that_starts";
    if !allowed(test, Level::All) {
        return;
    }
    let iso = match iso() {
        Ok(iso) => iso,
        Err(why) => return skip(test, &why),
    };
    let _turn = image::turn();
    let dir = tempfile::tempdir().unwrap();
    let blank = dir.path().join("disk");
    std::fs::File::create(&blank).unwrap().set_len(4 << 30).unwrap();
    let boot = image::boot(&iso, Firmware::Bios, Bus::Cdrom);
    let disk = || Disk::new(&blank, Bus::Virtio).id("blank").keep(Keep::Write);
    let guest = boot.machine().memory(Bytes::gib(3)).disk(disk()).start().unwrap();
    guest.console().wait_for(Mark::default(), "install onto a disk", LIMIT).unwrap();
    guest.console().send("\x1b[B\r").unwrap();
    until_login(&guest, LIMIT).unwrap();
    guest.log_in(&boot.person, LIMIT).unwrap();
    assert!(said(&guest, "cat /proc/cmdline").contains("esos_iso=install"));
    let listed = said(&guest, "esos-install");
    assert!(listed.contains("ESOS is on /dev/sr0") && listed.contains("vda"), "{listed}");
    // Nobody is there to type the name.
    assert!(!guest.run_within("esos-install /dev/vda", LIMIT).unwrap().success());
    println!("{}", said(&guest, "esos-install /dev/vda --yes-erase vda"));
    drop(guest);

    for firmware in [Firmware::Bios, Firmware::Uefi] {
        let boot = image::boot(&blank, firmware, Bus::Virtio);
        let guest = boot.machine().start().unwrap();
        until_login(&guest, LIMIT).unwrap();
        guest.log_in(&boot.person, LIMIT).unwrap();
        assert!(said(&guest, "cat /proc/cmdline").contains("slot=PRIMARY"));
        let status = said(&guest, "esos status || true");
        println!("installed, {firmware}: {}; {}", times(&guest), status.lines().next().unwrap_or_default());
    }
}
