//! A panic becomes a saved, verified dump and a running box: the whole way in virtual machines, from a stick with a
//! real kernel, `esos-init`, `esos-crash` and a root of BusyBox.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking; wall times are what a run of it is for"
)]
use esos_tests::init_box::{self, Content, Slot};
use esos_tests::{Level, allowed, image, kernel, module, skip, smtp};
use esos_units::Bytes;
use esos_vm::{Bus, Disk, Firmware, Guest, Keep, Machine, Mark, Net};
use serde_json::{Value, json};
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

/// A stick on disk, written to by the guest. It has the module that goes wrong where its kernel's headers can be had.
fn stick(dir: &Path, package: &str, args: &str) -> Result<PathBuf, String> {
    let kernel = kernel::of_package(package)?;
    let mut programs = vec![("usr/sbin/esos-crash".to_owned(), image::release("esos-crash")?)];
    match module::faulty(&kernel) {
        Ok(bytes) => {
            let file = dir.join("faulty.ko");
            std::fs::write(&file, bytes).map_err(|e| e.to_string())?;
            programs.push(("lib/faulty.ko".to_owned(), file));
        }
        Err(why) => skip("a module that goes wrong", &why),
    }
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

fn document(text: &str) -> Value {
    assert!(text.contains('{'), "no document in {text}");
    serde_json::from_str(text[text.find('{').unwrap()..].trim_end()).unwrap()
}

/// Debian 12's kernel, and the one of Debian 13 as its backports have it.
const PACKAGES: [&str; 2] = ["linux-image-amd64", "linux-image-6.12-amd64"];

const SYSRQ: &str = "echo c >/proc/sysrq-trigger";

fn crash(guest: &Guest, command: &str) -> (Mark, Instant) {
    let from = guest.console().mark();
    let began = Instant::now();
    say(guest, command);
    (from, began)
}

#[test]
fn a_panic_becomes_a_verified_dump_and_a_running_box() {
    let test = "a_panic_becomes_a_verified_dump_and_a_running_box";
    if !allowed(test, Level::All) {
        return;
    }
    for package in PACKAGES {
        let dir = tempfile::tempdir_in("/var/tmp").unwrap();
        let path = match stick(dir.path(), package, "crashkernel=128M") {
            Ok(path) => path,
            Err(why) => return skip(test, &why),
        };
        let guest = start(&path, 1024);
        let first = ready(&guest, Mark::default());
        assert!(ask(&guest, "esos-crash status; echo \"status $?\"").contains("status 0"));
        let (from, began) = crash(&guest, SYSRQ);
        guest.console().wait_for(first, "this is the crash kernel", LIMIT).unwrap();
        println!("{package}: crash kernel after {:.1?}", began.elapsed());
        guest.console().wait_for(from, "rebooting", LIMIT).unwrap();
        println!("{package}: captured after {:.1?}", began.elapsed());
        ready(&guest, from);
        println!("{package}: a running box after {:.1?}", began.elapsed());
        let said = guest.console().since(from);
        said.lines().filter(|l| l.contains("esos-init:")).for_each(|l| println!("  {}", l.trim_end()));

        let listed = document(&ask(&guest, "esos-crash list --json"));
        let dump = &listed["data"][0];
        assert_eq!(dump["state"], "complete", "{listed}");
        // Nobody mails in this root: the report waits, and is handed on once a boot.
        let state = [&dump["verified"], &dump["queued"], &dump["reported"]].map(|v| v.as_bool().unwrap());
        assert_eq!(state, [true, true, false], "{listed}");
        assert_eq!(dump["reason"], "sysrq triggered crash");
        let check = document(&ask(&guest, "cat /run/check.json"));
        assert_eq!(check["data"]["new"].as_array().unwrap().len(), 1);
        let inbox = ask(&guest, "ls /var/lib/esos/alert/inbox | wc -l");
        // Once is enough.
        let again = document(&ask(&guest, "esos-crash check --json"));
        assert_eq!(again["data"]["new"].as_array().unwrap().len(), 0, "{again}");
        assert_eq!(again["data"]["waiting"].as_array().unwrap().len(), 1, "{again}");
        // The second check says of the reservation once more, of the crash not.
        assert_eq!(inbox.trim(), "2");
        assert!(ask(&guest, "cat /var/lib/esos/alert/inbox/*").matches("crash/dump/").count() == 1);
    }
}

/// A crash and what comes of it: the words of the crash kernel, and the running box after it.
fn crash_and_return(guest: &Guest, what: &str, during: impl FnOnce(&Guest, Mark)) -> String {
    crash_by(guest, what, SYSRQ, during)
}

fn crash_by(guest: &Guest, what: &str, command: &str, during: impl FnOnce(&Guest, Mark)) -> String {
    let (from, began) = crash(guest, command);
    guest.console().wait_for(from, "this is the crash kernel", LIMIT).unwrap();
    println!("{what}: crash kernel after {:.1?}", began.elapsed());
    during(guest, from);
    ready(guest, from);
    println!("{what}: a running box after {:.1?}", began.elapsed());
    let said = guest.console().since(from);
    said.lines().filter(|l| l.contains("esos-init:")).for_each(|l| println!("  {}", l.trim_end()));
    said
}

fn names(guest: &Guest) -> Vec<(String, String)> {
    let listed = document(&ask(guest, "esos-crash list --json"));
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
    for package in PACKAGES {
        println!("{package}");
        if let Err(why) = faults_of_the_capture(package) {
            skip(test, &why);
        }
    }
}

fn faults_of_the_capture(package: &str) -> Result<(), String> {
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let path = stick(dir.path(), package, "crashkernel=128M")?;
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
    // The log that went to the configuration is found and told of there.
    let found = names(&guest);
    assert_eq!((found.len(), found[0].1.as_str()), (1, "log"), "{found:?}");
    Ok(())
}

/// The newest dump of a box.
fn newest(guest: &Guest) -> Value {
    let listed = document(&ask(guest, "esos-crash list --json"));
    listed["data"].as_array().and_then(|all| all.last()).cloned().unwrap_or_default()
}

/// A process that makes the kernel oops, a task that hangs, and a stick that stands still while the dump is written.
#[test]
fn every_kind_of_fault_is_captured() {
    let test = "every_kind_of_fault_is_captured";
    if !allowed(test, Level::All) {
        return;
    }
    for package in PACKAGES {
        println!("{package}");
        if let Err(why) = kinds_of_faults(package) {
            skip(test, &why);
        }
    }
}

fn kinds_of_faults(package: &str) -> Result<(), String> {
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let path = stick(dir.path(), package, "crashkernel=128M")?;
    if !dir.path().join("faulty.ko").is_file() {
        return Err(format!("{package}: there is no module that goes wrong"));
    }
    let guest = start(&path, 1024);
    ready(&guest, Mark::default());

    crash_by(&guest, "an oops of a process", "insmod /lib/faulty.ko how=oops", |_, _| ());
    let dump = newest(&guest);
    assert_eq!((&dump["state"], &dump["verified"]), (&json!("complete"), &json!(true)), "{dump}");
    let panic = &dump["manifest"]["panic"];
    assert!(panic["oops"].as_str().unwrap().contains("NULL pointer dereference"), "{panic}");
    assert!(panic["stack"].to_string().contains("esos_faulty_write"), "{panic}");

    let hang = "echo 10 >/proc/sys/kernel/hung_task_timeout_secs; insmod /lib/faulty.ko how=hang";
    crash_by(&guest, "a task that hangs", hang, |_, _| ());
    let dump = newest(&guest);
    assert_eq!((&dump["state"], &dump["reason"]), (&json!("complete"), &json!("hung_task: blocked tasks")));

    // A medium that does not answer any more: the guard over the step ends the capture. What was saved before stays.
    let before = names(&guest);
    let said = crash_by(&guest, "a step that hangs", SYSRQ, |guest, from| {
        let written = guest.console().wait_for(from, "log written", LIMIT).unwrap();
        stall(guest, true);
        guest.console().wait_for(written, "did not end in its time; rebooting", LIMIT).unwrap();
        stall(guest, false);
    });
    assert!(said.contains("did not end in its time"), "{said}");
    let after = names(&guest);
    assert_eq!(after.len(), before.len() + 1, "{after:?}");
    assert_eq!(after[..before.len()], before[..]);
    Ok(())
}

/// Makes the stick take 2 KiB a second, so that a job of the dump does not end in its time, or as much as it can. Less
/// would stop QEMU itself: a reset of the disk waits for what it was given, and the machine with it.
fn stall(guest: &Guest, on: bool) {
    let bytes = if on { 2048 } else { 0 };
    let limits = json!({
        "id": "/machine/peripheral/stick/stick.0/legacy[0]", "bps": bytes, "bps_rd": 0, "bps_wr": 0, "iops": 0,
        "iops_rd": 0, "iops_wr": 0,
    });
    guest.qmp().execute("block_set_io_throttle", limits).unwrap();
}

/// What the capture needs of the reserved memory, in MiB: kernel, initramfs and saver together, with what the
/// reservations of the table leave over.
#[test]
fn reservations_hold_what_the_capture_needs() {
    let test = "reservations_hold_what_the_capture_needs";
    if !allowed(test, Level::All) {
        return;
    }
    let mut needed = 0;
    for package in PACKAGES {
        let dir = tempfile::tempdir_in("/var/tmp").unwrap();
        // A root in RAM is refused on a machine as small as the smallest here.
        let args = format!("{} {}", esos_layout::crash::argument(), esos_layout::cmdline::NO_MEMORY_CHECK);
        let path = match stick(dir.path(), package, &args) {
            Ok(path) => path,
            Err(why) => return skip(test, &why),
        };
        for memory in [512, 2048, 8192] {
            needed = needed.max(need(&path, package, memory));
        }
        // The least that is said to do.
        let args = format!("crashkernel={}M", esos_layout::crash::LEAST_MIB);
        let path = stick(dir.path(), package, &args).unwrap();
        needed = needed.max(need(&path, package, 1024));
    }
    let measured = esos_layout::crash::NEEDED_MIB;
    assert!(needed <= measured, "{needed} MiB, the table was made for {measured} MiB");
}

fn need(path: &Path, package: &str, memory: u64) -> u64 {
    let guest = start(path, memory);
    ready(&guest, Mark::default());
    let status = document(&ask(&guest, "esos-crash status --json"));
    let reserved = status["data"]["reserved_bytes"].as_u64().unwrap() >> 20;
    let (from, _) = crash(&guest, SYSRQ);
    let end = guest.console().wait_for(from, "MiB at the least", LIMIT).unwrap();
    guest.console().wait_for(end, "rebooting", LIMIT).unwrap();
    let said = guest.console().since(from);
    let line = said.lines().find(|l| l.contains("MiB at the least")).unwrap();
    let words: Vec<u64> = line.split_whitespace().filter_map(|w| w.parse().ok()).collect();
    let (first, least) = (words[1], words[2]);
    let used = reserved.saturating_sub(least);
    println!(
        "{package}, {memory} MiB: {reserved} MiB reserved, {first} MiB available at first, {used} MiB needed"
    );
    assert!(said.contains("dump of level 31 written"), "{said}");
    used
}

/// The image that is shipped, on a stick, with a mail server outside the guest.
#[test]
fn a_box_tells_of_its_crash_once() {
    let test = "a_box_tells_of_its_crash_once";
    if !allowed(test, Level::All) {
        return;
    }
    let Some(image) = image::shipped(test) else { return };
    let _turn = image::turn();
    let sink = smtp::Sink::start().unwrap();
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let boot = image::boot(&image, Firmware::Bios, Bus::Usb);
    let machine = Machine::new("crashing")
        .memory(Bytes::gib(3))
        .disk(Disk::new(&image, Bus::Usb).id("stick").keep(Keep::Overlay(dir.path().join("stick.qcow2"))))
        .net(Net::User { forward: Vec::new(), closed: false });
    let guest = image::up(machine, &boot).unwrap();
    println!("up after {:.0?}", guest.elapsed());
    guest.write_file("/etc/esos/mail.toml", sink.settings().as_bytes()).unwrap();
    let ran = |command: &str| {
        let answer = guest.run(command).unwrap();
        assert!(answer.success(), "{command}: {answer:?}");
        answer.text()
    };
    ran("esos-conf sync");
    println!("{}", ran("esos-crash status"));
    ran("esos-monitor test");
    assert_eq!(sink.mails().len(), 1, "the mail server is reached");

    guest.forget_channel();
    let (from, began) = crash(&guest, SYSRQ);
    let captures = guest.console().wait_for(from, "this is the crash kernel", LIMIT).unwrap();
    println!("crash kernel after {:.1?}", began.elapsed());
    let rebooting = guest.console().wait_for(captures, "; rebooting", LIMIT).unwrap();
    println!("captured after {:.1?}", began.elapsed());
    let said = guest.console().since(captures);
    said.lines().filter(|l| l.contains("esos-init:")).for_each(|l| println!("  {}", l.trim_end()));
    guest.console().wait_for(rebooting, " login:", image::LIMIT).unwrap();
    println!("login after {:.1?}", began.elapsed());
    guest.log_in(&boot.person, image::LIMIT).unwrap();

    let told = |mails: &[String]| mails.iter().filter(|m| m.contains("this box crashed")).count();
    image::eventually("a mail of the crash", image::LIMIT, || told(&sink.mails()) > 0).unwrap();
    println!("mail after {:.1?}", began.elapsed());
    let listed = || document(&guest.run("esos-crash list --json").unwrap().text())["data"][0].clone();
    let marked = image::eventually("the mark", LIMIT, || listed()["reported"] == true);
    let dump = listed();
    assert!(marked.is_ok(), "{dump}");
    assert_eq!((&dump["state"], &dump["verified"]), (&json!("complete"), &json!(true)), "{dump}");
    assert_eq!(dump["reason"], "sysrq triggered crash");
    println!("{} of {} bytes, reported after {:.1?}", dump["name"], dump["size_bytes"], began.elapsed());
    // Who asks for the box's health hears of it until somebody has looked; its event is the one of the crash.
    let waits = || {
        let health = document(&guest.run("esos-health --json --report").unwrap().text());
        let found = health["data"]["findings"].as_array().unwrap().clone();
        found.into_iter().filter(|f| f["check"] == "dumps").collect::<Vec<_>>()
    };
    let found = waits();
    assert_eq!((found.len(), &found[0]["object"], &found[0]["kind"]), (1, &dump["name"], &json!("unseen")));
    let name = dump["name"].as_str().unwrap();
    assert!(guest.run(&format!("esos-crash show {name}")).unwrap().success());
    assert_eq!(waits(), Vec::<Value>::new());
    // It is not told again, neither by another look nor by the watcher's next rounds.
    guest.run_within("esos-crash check; sleep 20", LIMIT).unwrap();
    let mails = sink.mails();
    let mail = mails.iter().find(|m| m.contains("this box crashed")).unwrap();
    println!("{mail}");
    assert_eq!(told(&mails), 1, "{mails:?}");
    assert!(mail.contains("sysrq triggered crash") && mail.contains("stack:"), "{mail}");
}
