//! Boxes that are upgraded: a good system is kept, one whose kernel panics is given up by GRUB alone.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use esos_bootimg::disk::Region;
use esos_bootimg::disk::gpt::{Copy, Table};
use esos_bootimg::disk::slot::{SlotFile, SlotParts, write};
use esos_bootimg::disk::squashfs::Image;
use esos_layout::part;
use esos_layout::slot::{CAPTURE, INITRAMFS, KERNEL, PACKAGES, ROOT, ROOT_INDEX};
use esos_tests::image::{self, Kind};
use esos_tests::{Level, allowed, skip};
use esos_units::Bytes;
use esos_vm::{Bus, Disk, Firmware, Guest, Keep, Machine, Mark, Net};
use serde_json::Value;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::time::Duration;

/// The image with another version and other kernel arguments in PRIMARY.
fn variant(image: &Path, to: &Path, version: &str, args: &str) {
    fs::copy(image, to).unwrap();
    let mut disk = File::options().read(true).write(true).open(to).unwrap();
    let table = Table::read(&mut disk, Copy::Primary).unwrap();
    let (start, len) = table.extent(table.find(part::PRIMARY).unwrap().1);
    let mut area = Region::new(&mut disk, start, len);
    let slot = Image::open(&mut area).unwrap();
    let files: Vec<(&str, Vec<u8>)> = [KERNEL, INITRAMFS, ROOT, ROOT_INDEX, PACKAGES, CAPTURE]
        .into_iter()
        .filter_map(|name| {
            let mut bytes = Vec::new();
            slot.file(name)?.reader(&mut area).read_to_end(&mut bytes).unwrap();
            Some((name, bytes))
        })
        .collect();
    let mut parts = SlotParts {
        version: version.to_owned(),
        args: args.to_owned(),
        files: files.iter().map(|(name, bytes)| SlotFile::bytes(name, bytes)).collect(),
        ..SlotParts::default()
    };
    write(&mut Region::new(&mut disk, start, len), &mut parts, slot.time).unwrap();
}

fn up(stick: &Path, other: &Path) -> Guest {
    let boot = image::boot(stick, Firmware::Bios, Bus::Usb);
    let machine = Machine::new("upgrade")
        .memory(Bytes::gib(2))
        .disk(Disk::new(stick, Bus::Usb).id("stick").keep(Keep::Write))
        .disk(Disk::new(other, Bus::Virtio).id("other"))
        .net(Net::User { forward: Vec::new(), closed: true });
    let guest = machine.start().unwrap();
    // A kernel that panics is not the end of it here.
    guest.console().wait_for(Mark::default(), " login:", boot.limit).unwrap();
    guest.log_in(&boot.person, boot.limit).unwrap();
    guest
}

fn slots(guest: &Guest) -> Value {
    let answer = guest.run("esos-image slots --json").unwrap();
    assert!(answer.success(), "{}", answer.error_text());
    serde_json::from_str::<Value>(&answer.text()).unwrap()["data"].clone()
}

/// Waits until the box has marked itself, and says what its slots are.
fn marked(guest: &Guest) -> Value {
    let done = || guest.run("test -e /run/esos/marked-good").unwrap().success();
    let told = image::eventually("the running slot is marked good", Duration::from_secs(900), done);
    assert!(told.is_ok(), "{}", guest.run("tail -20 /var/log/syslog; esos-image slots").unwrap().text());
    slots(guest)
}

fn off(guest: Guest) {
    guest.run("sync; (sleep 1; poweroff) >/dev/null 2>&1 &").unwrap();
    guest.wait_end(Duration::from_secs(900)).unwrap();
}

#[test]
fn a_good_system_is_kept_and_one_that_panics_is_given_up() {
    let test = "a_good_system_is_kept_and_one_that_panics_is_given_up";
    if !allowed(test, Level::All) {
        return;
    }
    if std::env::var_os("ESOS_SMALL_IMAGE").is_none()
        && let Err(why) = image::release("esos-image")
    {
        return skip(test, &why);
    }
    let base = image::find(Kind::Small).unwrap();
    let _turn = image::turn();
    let dir = tempfile::tempdir_in(image::target_dir().unwrap()).unwrap();
    let [stick, good, bad] = ["stick.img", "good.img", "bad.img"].map(|name| dir.path().join(name));
    fs::copy(&base, &stick).unwrap();
    variant(&base, &good, "90.0", "");
    variant(&base, &bad, "91.0", "rdinit=/no/such/program");

    let guest = up(&stick, &good);
    let found = marked(&guest);
    assert_eq!(
        (found["running"].as_str(), found["slots"][0]["tries_left"].as_u64()),
        (Some("PRIMARY"), Some(3))
    );
    let upgrade = |guest: &Guest, version: &str| {
        let command = format!("esos-image upgrade /dev/vda --accept-unsigned {version}");
        let answer = guest.run_within(&command, image::LIMIT).unwrap();
        assert!(answer.success(), "{}", answer.error_text());
        println!("{}", answer.text());
    };
    upgrade(&guest, "90.0");
    off(guest);

    let guest = up(&stick, &bad);
    let found = marked(&guest);
    assert_eq!(found["running"], "SECONDARY");
    assert_eq!(
        (found["slots"][1]["state"].as_str(), found["slots"][1]["version"].as_str()),
        (Some("good"), Some("90.0"))
    );
    upgrade(&guest, "91.0");
    off(guest);

    // PRIMARY panics three times; nobody helps.
    let guest = up(&stick, &bad);
    println!("back after {:.0?}", guest.elapsed());
    let panics = guest.console().text().matches("Kernel panic - not syncing").count();
    let found = marked(&guest);
    assert_eq!((found["running"].as_str(), panics), (Some("SECONDARY"), 3));
    assert_eq!(found["slots"][0]["state"], "bad");
    let why = found["fallback"]["text"].as_str().unwrap();
    assert!(why.contains("PRIMARY was started three times"), "{why}");
    let status = guest.run("esos-image __section").unwrap().text();
    assert!(status.contains("PRIMARY is bad"), "{status}");
}
