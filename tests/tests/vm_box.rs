//! A fresh box of the default image: who may log in, what makes it unlike its twin, how it goes down.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking")]
use esos_tests::image::{self, Kind};
use esos_tests::ssh::{Key, ssh};
use esos_tests::{Level, allowed, skip};
use esos_units::Bytes;
use esos_vm::{Bus, Disk, Firmware, Guest, Machine, Mark, Net, free_port};
use std::path::Path;
use std::time::Duration;

/// A machine of the image with ssh on a port of this host.
fn machine(image: &Path, name: &str) -> (Machine, u16) {
    let port = free_port().unwrap();
    let machine = Machine::new(name)
        .memory(Bytes::gib(3))
        .disk(Disk::new(image, Bus::Usb).id("stick"))
        .net(Net::User { forward: vec![(port, 22)], closed: false });
    (machine, port)
}

/// Every account but root is locked; root has the password of the dialogue.
fn accounts(guest: &Guest) {
    let shadow = guest.run("cat /etc/shadow").unwrap().text();
    let mut names = Vec::new();
    for line in shadow.lines() {
        let mut fields = line.split(':');
        let (name, password) = (fields.next().unwrap(), fields.next().unwrap());
        names.push(name);
        if name == "root" {
            assert!(password.starts_with('$') && password.len() > 20, "root has no hashed password");
        } else {
            assert!(password.starts_with(['*', '!']), "{name} can log in: {password:?}");
        }
    }
    assert!(names.contains(&"root") && names.contains(&"sshd"), "{names:?}");
    println!("accounts without a password: {}", names.iter().filter(|n| **n != "root").count());
}

/// sshd offers keys and nothing else, and a key lets in.
fn sshd(guest: &Guest, port: u16) {
    let refused = ssh(port, &["-o", "PreferredAuthentications=none"], "true").unwrap();
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && words.contains("(publickey)"), "{words}");
    let key = Key::new().unwrap();
    key.allow(guest).unwrap();
    let answer = key.ssh(port, "cat /proc/sys/kernel/random/boot_id").unwrap();
    assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
    let boot = guest.run("cat /proc/sys/kernel/random/boot_id").unwrap().text();
    assert_eq!(String::from_utf8_lossy(&answer.stdout).trim(), boot);
}

/// What was told at the first login holds at once, for daemons too that were running before.
fn told(guest: &Guest) {
    guest.run("logger -t witness here").unwrap();
    let log = guest.run("grep -h witness /var/log/syslog; hostname; date +%Z").unwrap().text();
    assert!(log.contains(" box1 witness") && log.contains("\nbox1\nCE"), "{log}");
}

/// What makes a box unlike its twin.
fn identity(guest: &Guest) -> Vec<String> {
    let answer = guest.run("cat /etc/machine-id; cat /etc/ssh/ssh_host_*_key.pub | cut -d' ' -f1,2").unwrap();
    let lines: Vec<_> = answer.text().lines().map(str::to_owned).collect();
    assert!(answer.success() && lines.len() >= 3, "{answer:?}");
    assert!(lines[0].len() == 32 && lines[0].bytes().all(|b| b.is_ascii_hexdigit()), "{}", lines[0]);
    lines
}

/// Services stop before what they were started after.
fn power_off(guest: &Guest) {
    let services = guest.run("cat /run/esos/services").unwrap().text();
    let started: Vec<&str> = services
        .lines()
        .map(|line| line.split('\t').collect::<Vec<_>>())
        .filter(|fields| fields.get(2) == Some(&"start"))
        .filter_map(|fields| fields.get(3).copied())
        .collect();
    let from = guest.console().mark();
    guest.console().send_line("poweroff").unwrap();
    guest.wait_end(Duration::from_secs(300)).unwrap();
    let said = guest.console().since(from);
    let stopped: Vec<&str> =
        said.lines().filter_map(|line| line.split("rc: stopping ").nth(1)).map(str::trim).collect();
    println!("started: {}\nstopped: {}", started.join(" "), stopped.join(" "));
    let place = |list: &[&str], name: &str| list.iter().position(|n| *n == name);
    for (first, then) in [("rsyslog", "ssh"), ("rsyslog", "cron"), ("esos-network", "ssh")] {
        let up = (place(&started, first).unwrap(), place(&started, then).unwrap());
        assert!(up.0 < up.1, "{first} starts before {then}: {started:?}");
        let down = (place(&stopped, first).unwrap(), place(&stopped, then).unwrap());
        assert!(down.0 > down.1, "{first} stops after {then}: {stopped:?}");
    }
}

#[test]
fn two_boxes_of_one_image() {
    let test = "two_boxes_of_one_image";
    if !allowed(test, Level::All) {
        return;
    }
    if let Err(why) = image::release("esos-image") {
        return skip(test, &why);
    }
    let path = image::find(Kind::Default).unwrap();
    let _turn = image::turn();
    let mut boot = image::boot(&path, Firmware::Bios, Bus::Usb);
    (boot.person.host_name, boot.person.time_zone) = (Some("box1".into()), Some("Europe/Berlin".into()));

    let (first, port) = machine(&path, "first");
    let guest = image::up(first, &boot).unwrap();
    let said = guest.console().text();
    assert!(!said.contains("No such file"), "{said}");
    told(&guest);
    accounts(&guest);
    sshd(&guest, port);
    let mine = identity(&guest);
    power_off(&guest);
    assert!(guest.console().find(Mark::default(), "Kernel panic").is_none());
    drop(guest);

    let guest = image::up(machine(&path, "second").0, &boot).unwrap();
    let other = identity(&guest);
    assert!(mine.iter().all(|line| !other.contains(line)), "shared by two boxes: {mine:?}, {other:?}");
}
