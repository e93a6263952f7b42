//! Upgrades that go wrong in every way, and right in the end: one stick, a real boot loader and kernel, `esos-init`,
//! the tools of the box, and a root of BusyBox small enough to be started some twenty times.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking")]
use esos_tests::init_box::{self, Content, LIMIT, Slot, ask, ask_json};
use esos_tests::{Level, allowed, image, kernel, skip};
use esos_units::Bytes;
use esos_vm::{Bus, Disk, Guest, Keep, Machine, Mark};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What the init scripts of the image do, in the same order.
const INIT: &str = r#"#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin:/sbin:/usr/sbin:/usr/bin HOME=/ PS1='tiny# '
mkdir -p /tmp /etc/conf.d
/usr/lib/esos/watchdog
echo "BOX-UP $(cat /etc/esos-release)"
esos-image mark-good --after-boot --reboot-on-trial --within 20 || echo "NOT GOOD $?"
echo "BOX-READY"
setsid sh -i </dev/ttyS0 >/dev/ttyS0 2>&1
reboot -f
"#;

/// The hook of the image runs before init, in a root that has no shell of that name yet.
const RESTORE: &str =
    "#!/bin/busybox sh\n/bin/busybox --install -s /bin\nexec /bin/sh /usr/lib/esos/restore-conf.image\n";

/// An init that does nothing at all, for ever.
const HANGS: &str =
    "#!/bin/busybox sh\n/bin/busybox echo BOX-HANGS\nwhile :; do /bin/busybox sleep 1000; done\n";

/// How a system behaves.
enum How {
    Well,
    Hangs,
    Panics,
    NoServices,
}

struct Maker {
    dir: tempfile::TempDir,
    kernel: kernel::Kernel,
}

impl Maker {
    fn text(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// A disk image with that system in PRIMARY.
    fn image(&self, version: &str, how: &How) -> Result<PathBuf, String> {
        let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/bootimg/assets/root");
        let own = |name: &str| (name.to_owned(), assets.join(name));
        let mut programs = vec![
            ("usr/sbin/esos-image".to_owned(), image::release("esos-image")?),
            ("usr/sbin/esos-conf".to_owned(), image::release("esos-conf")?),
            own("usr/lib/esos/watchdog"),
            ("usr/lib/esos/restore-conf".to_owned(), self.text("restore", RESTORE)),
            ("usr/lib/esos/restore-conf.image".to_owned(), assets.join("usr/lib/esos/restore-conf")),
            (
                "sbin/shutdown".to_owned(),
                self.text("shutdown", "#!/bin/busybox sh\n/bin/busybox reboot -f\n"),
            ),
            (
                "etc/esos-release".to_owned(),
                self.text(&format!("release-{version}"), &format!("{version}\n")),
            ),
            ("etc/settings".to_owned(), self.text(&format!("settings-{version}"), "as shipped\n")),
        ];
        let check = match how {
            How::NoServices => "#!/bin/busybox sh\necho the service is not there >&2\nexit 1\n",
            _ => "#!/bin/busybox sh\nexit 0\n",
        };
        programs.push((
            "usr/lib/esos/good.d/10-service".to_owned(),
            self.text(&format!("check-{version}"), check),
        ));
        let (init, args) = match how {
            How::Hangs => (HANGS, ""),
            How::Panics => (INIT, "rdinit=/no/such/program panic=5"),
            How::Well | How::NoServices => (INIT, ""),
        };
        let slot = Slot::with(&self.kernel, &Content { version, init, programs, args })?;
        let path = self.dir.path().join(format!("{version}.img"));
        init_box::write(&path, &slot, None, version).map_err(|e| e.to_string())?;
        if version == "9.0-damaged" {
            slot.damage(&path).map_err(|e| e.to_string())?;
        }
        Ok(path)
    }
}

fn start(stick: &Path, others: &[PathBuf]) -> Guest {
    let mut machine = Machine::new("fallback")
        .memory(Bytes::mib(1024))
        .disk(Disk::new(stick, Bus::Usb).id("stick").keep(Keep::Write));
    for (n, other) in others.iter().enumerate() {
        machine = machine.disk(Disk::new(other, Bus::Virtio).id(format!("other{n}")));
    }
    machine.start().unwrap()
}

/// Waits until the box of that version has come up and given its shell.
fn ready(guest: &Guest, from: Mark, version: &str) -> Mark {
    let up = guest.console().wait_for(from, &format!("BOX-UP {version}"), LIMIT).unwrap();
    let ready = guest.console().wait_for(up, "BOX-READY", LIMIT).unwrap();
    guest.console().wait_for(ready, "tiny# ", LIMIT).unwrap();
    ready
}

fn slots(guest: &Guest) -> Value {
    let (status, found) = ask_json(guest, "esos-image slots").unwrap();
    assert_eq!(status, 0, "{found}");
    found["data"].clone()
}

fn upgrade(guest: &Guest, device: &str, version: &str) -> Value {
    let command = format!("esos-image upgrade /dev/{device} --accept-unsigned {version}");
    let (status, done) = ask_json(guest, &command).unwrap();
    assert_eq!(status, 0, "{done}");
    done["data"].clone()
}

/// Reboots into a system that must be given up, and waits until the old one is back by itself.
fn fails(guest: &Guest, what: &str, sign: &str, version: &str) -> String {
    let from = guest.console().mark();
    let began = guest.elapsed();
    guest.console().send("reboot -f\n").unwrap();
    ready(guest, from, version);
    let took = guest.elapsed().saturating_sub(began);
    let text = guest.console().since(from);
    println!("{what}: back on {version} after {took:.0?}");
    // GRUB tried it three times, and each time it failed in this way.
    assert_eq!(text.matches("ESOS: SECONDARY, prod esos.attempt=").count(), 3, "{what}: {text}");
    assert_eq!(text.matches(sign).count(), 3, "{what}: {text}");
    text
}

/// The old one says why, once in `slots` and once in a mail, and does not try the other one again.
fn told(guest: &Guest, slot: usize, name: &str) {
    let found = slots(guest);
    assert_eq!(found["slots"][slot]["state"], "bad", "{found}");
    let why = found["fallback"]["text"].as_str().unwrap();
    assert!(why.contains(&format!("{name} was started three times")), "{why}");
    let mails = ask(
        guest,
        "grep -l 'started three times' /var/lib/esos/alert/inbox/*.json | wc -l; \
                            rm -f /var/lib/esos/alert/inbox/*",
    )
    .unwrap();
    assert_eq!(mails.trim(), "1", "{mails}");
}

#[test]
fn every_way_to_fail_ends_on_the_old_system_and_a_good_one_is_kept() {
    let test = "every_way_to_fail_ends_on_the_old_system_and_a_good_one_is_kept";
    if !allowed(test, Level::All) {
        return;
    }
    let kernel = match kernel::find() {
        Ok(kernel) => kernel,
        Err(why) => return skip(test, &why),
    };
    let maker = Maker { dir: tempfile::tempdir_in("/var/tmp").unwrap(), kernel };
    let made: Result<Vec<PathBuf>, String> = [
        ("1.0", How::Well),
        ("2.0-hangs", How::Hangs),
        ("2.1-services", How::NoServices),
        ("2.2-panics", How::Panics),
        ("3.0", How::Well),
        ("4.0", How::Well),
        ("9.0-damaged", How::Well),
    ]
    .iter()
    .map(|(version, how)| maker.image(version, how))
    .collect();
    let images = match made {
        Ok(images) => images,
        Err(why) => return skip(test, &why),
    };
    let _turn = image::turn();
    let (stick, others) = images.split_first().unwrap();
    let guest = start(stick, others);
    ready(&guest, Mark::default(), "1.0");
    println!("1.0 up after {:.0?}", guest.elapsed());
    // It is like no other stick from now on.
    let identity = slots(&guest)["stick"].as_str().unwrap().to_owned();
    assert_eq!(identity.len(), 32, "{identity}");
    let synced = "echo by-one >/etc/conf.d/one; esos-conf sync";
    assert_eq!(ask_json(&guest, synced).unwrap().0, 0);

    // What is damaged is refused before the first write.
    let before = slots(&guest);
    let (status, refused) =
        ask_json(&guest, "esos-image upgrade /dev/vdf --accept-unsigned 9.0-damaged").unwrap();
    assert_eq!((status, &before), (3, &slots(&guest)), "{refused}");

    for (device, version, what, sign) in [
        ("vda", "2.0-hangs", "init hangs", "BOX-HANGS"),
        ("vdb", "2.1-services", "services do not come up", "the service is not there. Reboot"),
        ("vdc", "2.2-panics", "the kernel panics", "Kernel panic - not syncing"),
    ] {
        let done = upgrade(&guest, device, version);
        assert_eq!(done["plan"]["slot"], "SECONDARY", "{done}");
        let text = fails(&guest, what, sign, "1.0");
        assert!(!text.contains("esos.stick=unset"));
        told(&guest, 1, "SECONDARY");
        assert_eq!(ask(&guest, "cat /etc/conf.d/one").unwrap().trim(), "by-one");
    }

    // Power goes in the middle of the writing.
    guest.console().send("esos-image upgrade /dev/vdd --accept-unsigned 3.0 >/dev/null 2>&1 &\n").unwrap();
    let empty = || ask(&guest, "esos-image slots | grep -c '^SECONDARY.*none'").unwrap().trim() == "1";
    assert!(image::eventually("the slot is marked empty", Duration::from_secs(120), empty).is_ok());
    guest.cut_power();
    let guest = start(stick, others);
    ready(&guest, Mark::default(), "1.0");
    assert_eq!(slots(&guest)["slots"][1]["state"], "none");
    let done = upgrade(&guest, "vdd", "3.0");
    println!("after the power cut: {}", done["done"]);

    // It comes up and is kept. What it makes of the configuration is its own.
    let from = guest.console().mark();
    guest.console().send("reboot -f\n").unwrap();
    ready(&guest, from, "3.0");
    let found = slots(&guest);
    assert_eq!((&found["running"], &found["slots"][1]["state"]), (&"SECONDARY".into(), &"good".into()));
    assert_eq!(found["stick"], identity.as_str());
    assert_eq!(ask(&guest, "cat /etc/conf.d/one").unwrap().trim(), "by-one");
    assert_eq!(ask_json(&guest, "echo by-three >/etc/conf.d/three; esos-conf sync").unwrap().0, 0);

    // From SECONDARY it is PRIMARY that is written.
    let done = upgrade(&guest, "vde", "4.0");
    assert_eq!((&done["plan"]["slot"], &done["plan"]["keeps"]), (&"PRIMARY".into(), &"SECONDARY".into()));
    let from = guest.console().mark();
    guest.console().send("reboot -f\n").unwrap();
    ready(&guest, from, "4.0");
    assert_eq!(slots(&guest)["running"], "PRIMARY");
    assert_eq!(ask_json(&guest, "echo by-four >/etc/conf.d/four; esos-conf sync").unwrap().0, 0);

    // Back by one command: the older system has its own configuration; what the newer one did is kept and listed.
    let (status, said) = ask_json(&guest, "esos-image rollback").unwrap();
    assert_eq!(status, 0, "{said}");
    let from = guest.console().mark();
    guest.console().send("reboot -f\n").unwrap();
    ready(&guest, from, "3.0");
    assert_eq!(ask(&guest, "ls /etc/conf.d | tr '\\n' ' '").unwrap().trim(), "one three");
    let (_, status) = ask_json(&guest, "esos-conf status").unwrap();
    assert_eq!(status["data"]["restored"]["newer"].as_array().unwrap().len(), 1, "{status}");
}
