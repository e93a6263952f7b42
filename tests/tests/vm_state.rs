//! What a box keeps: its configuration, over a power cut and over a proper end.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking")]
use esos_tests::image;
use esos_tests::{Level, allowed};
use esos_units::Bytes;
use esos_vm::{Bus, Disk, Firmware, Guest, Keep, Machine, Net};
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

/// A box on a stick whose writes are kept.
fn up(image: &Path, stick: &Path) -> Guest {
    let boot = image::boot(image, Firmware::Bios, Bus::Usb);
    let machine = Machine::new("keeper")
        .memory(Bytes::gib(3))
        .disk(Disk::new(image, Bus::Usb).id("stick").keep(Keep::Overlay(stick.to_owned())))
        .net(Net::User { forward: Vec::new(), closed: false });
    let guest = image::up(machine, &boot).unwrap();
    println!("up after {:.0?}", guest.elapsed());
    guest
}

fn json(guest: &Guest, command: &str) -> Value {
    let answer = guest.run(command).unwrap();
    let value: Value = serde_json::from_str(&answer.text()).unwrap_or_default();
    assert!(value["data"].is_object() || value["data"].is_array(), "{command}: {answer:?}");
    value["data"].clone()
}

/// The hook restored, or found nothing to restore; the network is on.
fn restored(guest: &Guest, generation: bool) {
    let report: Value = serde_json::from_slice(&guest.read_file("/run/esos/boot.json").unwrap()).unwrap();
    assert_eq!(report["restore"]["outcome"], "restored", "{}", report["restore"]);
    let kept = guest.read_file("/var/lib/esos/conf/restored.json").unwrap();
    let kept: Value = serde_json::from_slice(&kept).unwrap();
    assert_eq!((&kept["complete"], kept["generation"].is_u64()), (&Value::Bool(true), generation), "{kept}");
    assert!(!guest.run("test -e /run/esos/network-off").unwrap().success());
    let mounts = guest.run("cat /proc/mounts").unwrap().text();
    assert!(!mounts.contains(" ext4 "), "{mounts}");
}

/// Waits until the watcher has written a path by itself.
fn watched(guest: &Guest, path: &str) {
    let done = || guest.run(&format!("esos-conf diff {path}")).unwrap().status == 0;
    let told = image::eventually("the watcher writes a change", Duration::from_secs(300), done);
    assert!(told.is_ok(), "{}", guest.run("esos-conf status; tail -20 /var/log/syslog").unwrap().text());
}

#[test]
fn the_configuration_outlives_the_power() {
    let test = "the_configuration_outlives_the_power";
    if !allowed(test, Level::All) {
        return;
    }
    let Some(image) = image::shipped(test) else { return };
    let _turn = image::turn();
    let dir = tempfile::tempdir_in(image::target_dir().unwrap()).unwrap();
    let stick = dir.path().join("stick.qcow2");
    let write = |guest: &Guest, path: &str, text: &str| guest.write_file(path, text.as_bytes()).unwrap();

    let guest = up(&image, &stick);
    restored(&guest, false);
    write(&guest, "/etc/by-watcher", "one\n");
    watched(&guest, "/etc/by-watcher");
    write(&guest, "/etc/by-hand", "two\n");
    let answer = guest.run("chmod 600 /etc/by-hand; esos-conf sync").unwrap();
    assert!(answer.success(), "{}", answer.error_text());
    let identity = "cat /etc/machine-id /etc/shadow /etc/ssh/ssh_host_*_key | sha256sum";
    let before = guest.run(identity).unwrap().text();
    guest.cut_power();

    let guest = up(&image, &stick);
    restored(&guest, true);
    let kept = guest.run("cat /etc/by-watcher /etc/by-hand; stat -c %a /etc/by-hand").unwrap().text();
    assert_eq!(kept.trim_end(), "one\ntwo\n600");
    assert_eq!(guest.run(identity).unwrap().text(), before);
    let log = json(&guest, "esos-conf log --json");
    println!("{log}");
    write(&guest, "/etc/by-shutdown", "three\n");
    guest.run("rm /etc/by-watcher").unwrap();
    guest.console().send_line("poweroff").unwrap();
    guest.wait_end(Duration::from_secs(300)).unwrap();

    let guest = up(&image, &stick);
    restored(&guest, true);
    let kept = guest.run("cat /etc/by-hand /etc/by-shutdown; ls /etc/by-watcher").unwrap();
    assert_eq!(kept.text().trim_end(), "two\nthree", "{}", kept.error_text());
    let verify = guest.run("esos-conf verify").unwrap();
    assert!(verify.success(), "{}", verify.error_text());
}
