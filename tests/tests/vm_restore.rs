//! Boots whose stick has not the configuration that it should have: the newest generation damaged, none at all, one of
//! a newer version or a newer format, a partition that cannot be mounted, a stick that is gone before the restore. Each
//! time the console, `esos status` and one mail say what was restored, of when, and what is different.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking")]
use esos_bootimg::disk::gpt::{Copy, Table};
use esos_layout::part;
use esos_tests::init_box::{self, LIMIT, ask, ask_json};
use esos_tests::keeper::{boot_report, mails, off, ready, slot, start, sync};
use esos_tests::{Level, allowed, image, kernel, skip};
use esos_units::Bytes;
use esos_vm::{Bus, Disk, Guest, Machine, Mark};
use serde_json::Value;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// A text that stands nowhere else on the stick, and is not packed.
const NEWEST: &str = "qZ8-only-the-newest-has-this-Xw3";

/// What `esos status` shows, and as JSON.
fn status(guest: &Guest) -> (String, Value) {
    let text = ask(guest, "esos status 2>&1").unwrap();
    let (_, json) = ask_json(guest, "esos status").unwrap();
    let tools = json["data"]["tools"].as_array().unwrap().clone();
    let conf = tools.into_iter().find(|t| t["tool"] == "conf" || t["section"]["name"] == "conf");
    (text, conf.unwrap_or_else(|| json.clone()))
}

/// Console, status, its JSON and exactly one mail have each of these words.
fn told(what: &str, guest: &Guest, console: &str, words: &[&str]) {
    let (status, json) = status(guest);
    let mails = mails(guest).unwrap();
    assert_eq!(mails.len(), 1, "{what}: {mails:#?}");
    let json = json.to_string();
    for word in words {
        for (name, text) in [("console", console), ("status", &status), ("json", &json), ("mail", &mails[0])]
        {
            assert!(text.contains(word), "{what}: `{word}` is not in {name}:\n{text}");
        }
    }
    let subject = mails[0].lines().find(|l| l.starts_with("Subject:")).unwrap_or_default();
    println!("{what}: up after {:.0?}; {subject}", guest.elapsed());
}

fn synced(guest: &Guest, change: &str) -> u64 {
    sync(guest, change).unwrap()
}

/// Changes the partition of the configuration behind the box's back.
fn conf(stick: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut disk = OpenOptions::new().read(true).write(true).open(stick).unwrap();
    let table = Table::read(&mut disk, Copy::Primary).unwrap();
    let (start, length) = table.extent(table.find(part::CONF).unwrap().1);
    let mut bytes = vec![0; usize::try_from(length).unwrap()];
    disk.read_exact_at(&mut bytes, start).unwrap();
    change(&mut bytes);
    disk.write_all_at(&bytes, start).unwrap();
}

#[test]
fn a_boot_without_its_newest_configuration_says_so() {
    let test = "a_boot_without_its_newest_configuration_says_so";
    if !allowed(test, Level::All) {
        return;
    }
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let made = kernel::find().and_then(|kernel| slot(dir.path(), &kernel));
    let slot = match made {
        Ok(slot) => slot,
        Err(why) => return skip(test, &why),
    };
    let stick = dir.path().join("esos.img");
    if let Err(why) = init_box::write(&stick, &slot, None, "restore") {
        return skip(test, &why.to_string());
    }
    let _turn = image::turn();

    // A new stick.
    let (guest, console) = start(&stick, &[]).unwrap();
    told("empty", &guest, &console, &["no configuration on the stick", "the image's own defaults"]);
    assert_eq!(synced(&guest, "echo one >/etc/one; echo goes >/etc/goes"), 1);
    assert_eq!(synced(&guest, "echo two >/etc/two"), 2);
    let newest = format!("echo {NEWEST} >/etc/newest; rm /etc/goes; echo mine >/etc/settings");
    assert_eq!(synced(&guest, &newest), 3);
    let identity =
        ask_json(&guest, "esos-image slots").unwrap().1["data"]["stick"].as_str().unwrap().to_owned();
    off(guest).unwrap();

    // One bit of the newest.
    conf(&stick, |bytes| {
        let at = bytes.windows(NEWEST.len()).position(|w| w == NEWEST.as_bytes()).unwrap();
        bytes[at] ^= 1;
    });
    let (guest, console) = start(&stick, &[]).unwrap();
    let words =
        ["@2 of 20", "(ESOS 1.0", "@3 of 20", "was not restored", "/etc/newest", "different in it: 3"];
    told("damaged", &guest, &console, &words);
    for path in ["- /etc/goes", "+ /etc/newest", "~ /etc/settings"] {
        assert!(console.contains(path) && mails(&guest).unwrap()[0].contains(path), "{path}: {console}");
    }
    assert_eq!(ask(&guest, "cat /etc/two /etc/goes /etc/settings").unwrap(), "two\ngoes\nas shipped\n");
    assert_eq!(synced(&guest, "true"), 4);
    off(guest).unwrap();

    // It is not mailed at the next boot again: one mail says that it is over.
    let (guest, console) = start(&stick, &[]).unwrap();
    assert!(console.contains("restored @4 of 20"), "{console}");
    let over = mails(&guest).unwrap();
    assert!(over.len() == 1 && over[0].contains("cleared: the configuration is that of @2"), "{over:#?}");
    assert_eq!(synced(&guest, "true"), 5);

    // A newer version makes one.
    assert_eq!(synced(&guest, "echo 9.9 >/etc/esos-release; echo x >/etc/of-the-newer"), 6);
    off(guest).unwrap();
    let (guest, console) = start(&stick, &[]).unwrap();
    let words = ["@5 of 20", "@6 of 20", "made by the newer version 9.9", "+ /etc/of-the-newer"];
    told("newer version", &guest, &console, &words);
    assert_eq!(ask(&guest, "ls /etc/of-the-newer 2>/dev/null; cat /etc/two").unwrap(), "two\n");

    // The same in a format that is not known yet.
    let report = boot_report(&guest).unwrap();
    let device = report.stick.unwrap().partitions["esos_conf"].device.clone();
    let patch = "f=$(ls /mnt/gen-*6.esc); for at in 7 $(($(stat -c %s $f) - 1)); do printf 2 | dd of=$f bs=1 seek=$at \
                 conv=notrunc 2>/dev/null; done";
    ask(&guest, &format!("mount -t ext4 {device} /mnt; {patch}; umount /mnt")).unwrap();
    off(guest).unwrap();
    let (guest, console) = start(&stick, &[]).unwrap();
    told("newer format", &guest, &console, &["@5 of 20", "@6", "format 2, of a newer version"]);
    off(guest).unwrap();

    // The stick goes between the root and the configuration.
    let (kernel, initramfs) = slot.boot_files(dir.path()).unwrap();
    let line =
        format!("console=ttyS0 panic=10 quiet no_timer_check slot=PRIMARY esos.stick={identity} test.pull");
    let disk = Disk::new(&stick, Bus::Usb).id("stick");
    let machine = Machine::new("pulled").memory(Bytes::mib(1024)).kernel(&kernel, &initramfs, &line);
    let guest = machine.disk(disk).start().unwrap();
    guest.console().wait_for(Mark::default(), "PULL-NOW", LIMIT).unwrap();
    guest.pull("stick").unwrap();
    let console = ready(&guest, Mark::default()).unwrap();
    told("no stick", &guest, &console, &["the stick is gone"]);
    assert!(ask(&guest, "cat /run/esos/network-off").unwrap().contains("the stick is gone"));
    assert!(ask_json(&guest, "esos-conf sync").unwrap().0 != 0, "there is nothing to write to");
    drop(guest);

    // Rubbish over the beginning of the file system.
    conf(&stick, |bytes| bytes[..1 << 20].fill(0xa5));
    let (guest, console) = start(&stick, &[]).unwrap();
    told("unreadable", &guest, &console, &["the partition esos_conf", "cannot be mounted"]);
    assert!(console.contains("the network stays off"), "{console}");
    assert_eq!(ask(&guest, "cat /etc/settings").unwrap(), "as shipped\n");
}
