//! A panic becomes a saved, verified dump and a running box: the whole way in virtual machines, from a stick with a
//! real kernel, `esos-init`, `esos-crash` and a root of BusyBox.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use esos_tests::init_box::{self, Content, Slot};
use esos_tests::{Level, allowed, image, kernel, skip};
use esos_units::Bytes;
use esos_vm::{Bus, Disk, Guest, Keep, Machine, Mark};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(900);

/// Runs what the init scripts of the image run, and gives a shell.
const INIT: &str = r#"#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin:/sbin:/usr/sbin HOME=/ PS1='tiny# '
mkdir -p /tmp
echo "BOX-UP"
esos-crash check --json >/run/check.json 2>/run/check.err || echo "CHECK FAILED $? $(cat /run/check.err)"
esos-crash arm || echo "ARM FAILED $?"
esos-crash status
echo "BOX-READY"
setsid sh -i </dev/ttyS0 >/dev/ttyS0 2>&1
poweroff -f
"#;

/// A stick on disk, written to by the guest.
fn stick(dir: &Path, package: &str, args: &str) -> Result<PathBuf, String> {
    let kernel = kernel::of_package(package)?;
    let programs = vec![("usr/sbin/esos-crash".to_owned(), image::release("esos-crash")?)];
    let slot = Slot::with(&kernel, &Content { version: "1.0-crash", init: INIT, programs, args })?;
    let path = dir.join("esos.img");
    init_box::write(&path, &slot, None, "crash").map_err(|e| e.to_string())?;
    Ok(path)
}

fn start(path: &Path, memory: u64) -> Guest {
    let disk = Disk::new(path, Bus::Usb).id("stick").keep(Keep::Write);
    Machine::new("crash").memory(Bytes::mib(memory)).disk(disk).start().unwrap()
}

fn ready(guest: &Guest, from: Mark) -> Mark {
    let ready = guest.console().wait_for(from, "BOX-READY", LIMIT).unwrap();
    guest.console().wait_for(ready, "tiny# ", LIMIT).unwrap();
    guest.forget_channel();
    ready
}

fn say(guest: &Guest, line: &str) {
    guest.console().send(&format!("{line}\n")).unwrap();
}

/// Runs a command on the console and gives what it printed.
fn ask(guest: &Guest, command: &str) -> String {
    let from = guest.console().mark();
    say(guest, &format!("{command}; echo ASK-'END'"));
    guest.console().wait_for(from, "ASK-END", LIMIT).unwrap();
    let text = guest.console().since(from);
    let body = text.split_once('\n').map_or("", |(_, rest)| rest);
    body.split("ASK-END").next().unwrap_or_default().replace('\r', "")
}

fn json(text: &str) -> Value {
    assert!(text.contains('{'), "no document in {text}");
    serde_json::from_str(text[text.find('{').unwrap()..].trim_end()).unwrap()
}

fn crash(guest: &Guest) -> (Mark, Instant) {
    let from = guest.console().mark();
    let began = Instant::now();
    say(guest, "echo c >/proc/sysrq-trigger");
    (from, began)
}

#[test]
fn a_panic_becomes_a_verified_dump_and_a_running_box() {
    let test = "a_panic_becomes_a_verified_dump_and_a_running_box";
    if !allowed(test, Level::All) {
        return;
    }
    for (package, memory, args) in [
        ("linux-image-amd64", 1024, "crashkernel=128M"),
        ("linux-image-6.12-amd64", 1024, "crashkernel=128M"),
    ] {
        let dir = tempfile::tempdir_in("/var/tmp").unwrap();
        let path = match stick(dir.path(), package, args) {
            Ok(path) => path,
            Err(why) => return skip(test, &why),
        };
        let guest = start(&path, memory);
        let first = ready(&guest, Mark::default());
        assert!(ask(&guest, "esos-crash status; echo \"status $?\"").contains("status 0"));
        let (from, began) = crash(&guest);
        guest.console().wait_for(first, "this is the crash kernel", LIMIT).unwrap();
        println!("{package}: crash kernel after {:.1?}", began.elapsed());
        guest.console().wait_for(from, "rebooting", LIMIT).unwrap();
        println!("{package}: captured after {:.1?}", began.elapsed());
        ready(&guest, from);
        println!("{package}: a running box after {:.1?}", began.elapsed());
        let said = guest.console().since(from);
        said.lines().filter(|l| l.contains("esos-init:")).for_each(|l| println!("  {}", l.trim_end()));

        let listed = json(&ask(&guest, "esos-crash list --json"));
        let dump = &listed["data"][0];
        assert_eq!(dump["state"], "complete", "{listed}");
        assert_eq!((&dump["verified"], &dump["reported"]), (&Value::Bool(true), &Value::Bool(true)));
        assert_eq!(dump["reason"], "sysrq triggered crash");
        let check = json(&ask(&guest, "cat /run/check.json"));
        assert_eq!(check["data"]["new"].as_array().unwrap().len(), 1);
        // Once is enough.
        let again = json(&ask(&guest, "esos-crash check --json"));
        assert_eq!(again["data"]["new"].as_array().unwrap().len(), 0, "{again}");
    }
}

/// A crash and what comes of it: the words of the crash kernel, and the running box after it.
#[expect(clippy::print_stdout, reason = "wall times are what a run of this test is for")]
fn crash_and_return(guest: &Guest, what: &str, during: impl FnOnce(&Guest, Mark)) -> String {
    let (from, began) = crash(guest);
    guest.console().wait_for(from, "this is the crash kernel", LIMIT).unwrap();
    during(guest, from);
    ready(guest, from);
    println!("{what}: a running box after {:.1?}", began.elapsed());
    let said = guest.console().since(from);
    said.lines().filter(|l| l.contains("esos-init:")).for_each(|l| println!("  {}", l.trim_end()));
    said
}

fn names(guest: &Guest) -> Vec<(String, String)> {
    let listed = json(&ask(guest, "esos-crash list --json"));
    let dumps = listed["data"].as_array().unwrap();
    let text = |v: &Value| v.as_str().unwrap().to_owned();
    dumps.iter().map(|d| (text(&d["name"]), text(&d["state"]))).collect()
}

/// One box goes through faults one after the other; no earlier dump is lost.
#[test]
fn faults_of_the_capture_end_in_a_running_box() {
    let test = "faults_of_the_capture_end_in_a_running_box";
    if !allowed(test, Level::All) {
        return;
    }
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let path = match stick(dir.path(), "linux-image-amd64", "crashkernel=128M") {
        Ok(path) => path,
        Err(why) => return skip(test, &why),
    };
    let guest = start(&path, 1024);
    ready(&guest, Mark::default());

    // The clock is wrong, and the box crashes twice.
    ask(&guest, "date -s 1980-01-01");
    crash_and_return(&guest, "wrong clock", |_, _| ());
    assert_eq!(names(&guest).len(), 1);

    // The machine is reset while the dump is written.
    crash_and_return(&guest, "reset in the middle", |guest, from| {
        guest.console().wait_for(from, "log written", LIMIT).unwrap();
        guest.reset().unwrap();
    });
    let after = names(&guest);
    assert_eq!((after.len(), after[0].1.as_str()), (2, "complete"), "{after:?}");

    // An NMI makes the crash kernel panic.
    crash_and_return(&guest, "panic in the crash kernel", |guest, _| guest.nmi().unwrap());
    assert_eq!(names(&guest)[0].1, "complete");

    // The stick is gone while the crash kernel looks for it, and back before the firmware does.
    let before = names(&guest);
    guest.pull("stick").unwrap();
    let said = crash_and_return(&guest, "stick absent", |guest, from| {
        guest.console().wait_for(from, "nothing could be saved", LIMIT).unwrap();
        guest.plug("stick").unwrap();
    });
    assert!(said.contains("sysrq triggered crash"), "the log is on the console");
    assert_eq!(names(&guest), before);

    // The log partition is full.
    let fill = "mkdir -p /tmp/l && mount -t ext4 /dev/sda6 /tmp/l && dd if=/dev/zero of=/tmp/l/fill bs=64k; sync; umount /tmp/l";
    ask(&guest, fill);
    crash_and_return(&guest, "logs full", |_, _| ());
    let full = names(&guest);
    println!("{full:?}");
    assert_eq!(full.len(), before.len() + 1, "{full:?}");

    // The log partition is no file system any more.
    ask(&guest, "dd if=/dev/zero of=/dev/sda6 bs=1M count=8; sync");
    let said = crash_and_return(&guest, "logs corrupt", |_, _| ());
    assert!(said.contains("cannot be mounted") && said.contains("there is room for the log only"), "{said}");
}
