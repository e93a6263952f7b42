//! The commands on the recorded core, as an operator types them.
#![allow(clippy::unwrap_used, reason = "this is a test, its helpers too")]
use esos_hostfs::TempDir;
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

fn crash(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_esos-crash")).args(args).output().unwrap()
}

fn json(args: &[&str]) -> Value {
    let out = crash(args);
    assert!(out.status.success(), "{args:?}: {out:?}");
    serde_json::from_slice(&out.stdout).unwrap()
}

fn unpack(to: &Path) {
    let packed = std::fs::File::open(esos_fixtures::path("crashdump/r2-6.12.skel.zst")).unwrap();
    let mut from = zstd::Decoder::new(packed).unwrap();
    let file = std::fs::File::create(to).unwrap();
    // Blocks of zeros become holes.
    let mut block = vec![0; 1 << 16];
    let mut at = 0;
    loop {
        let mut n = 0;
        while n < block.len() {
            match std::io::Read::read(&mut from, &mut block[n..]).unwrap() {
                0 => break,
                more => n += more,
            }
        }
        if block[..n].iter().any(|b| *b != 0) {
            std::os::unix::fs::FileExt::write_all_at(&file, &block[..n], at).unwrap();
        }
        at += n as u64;
        if n < block.len() {
            return file.set_len(at).unwrap();
        }
    }
}

#[test]
fn a_core_is_saved_checked_and_read() {
    let dir = TempDir::new("crash").unwrap();
    let name = |n: &str| dir.path().join(n).to_str().unwrap().to_owned();
    let (core, dump) = (name("vmcore"), name("one.kdump"));
    unpack(Path::new(&core));

    let saved = json(&[
        "save",
        &core,
        "--out",
        &dump,
        "--level",
        "31",
        "--compress",
        "zstd",
        "--workers",
        "2",
        "--json",
    ]);
    assert_eq!(saved["data"]["pages"], 20_335);
    assert_eq!(saved["data"]["complete"], true);
    let again = crash(&["save", &core, "--out", &dump, "--level", "31"]);
    assert_eq!(again.status.code(), Some(5), "nothing is overwritten: {again:?}");

    let log = std::fs::read(esos_fixtures::path("crashdump/r2-6.12.skel.dmesg")).unwrap();
    assert!(std::fs::read(format!("{dump}.dmesg")).unwrap() == log);
    for file in [&core, &dump] {
        assert!(crash(&["dmesg", file]).stdout == log);
        let logged = json(&["dmesg", file, "--json"]);
        let lines: Vec<_> = String::from_utf8_lossy(&log).lines().map(Value::from).collect();
        assert_eq!(logged["data"]["lines"], Value::Array(lines));
        let report = json(&["report", file, "--json"]);
        assert!(report["data"]["text"].as_str().unwrap().contains("reason:  sysrq triggered crash"));
        let shown = json(&["show", file, "--json"]);
        assert_eq!(shown["data"]["reason"], "sysrq triggered crash");
        assert_eq!(shown["data"]["kernel"], "6.12.117+deb12-amd64");
    }
    assert_eq!(json(&["verify", &dump, "--json"])["data"]["problems"], Value::Array(Vec::new()));
    let listed = json(&["list", dir.path().to_str().unwrap(), "--json"]);
    assert_eq!(listed["data"][0]["file"], dump.as_str());

    let wrong = crash(&["verify", &core, "--json"]);
    assert_eq!(wrong.status.code(), Some(3));
    let wrong: Value = serde_json::from_slice(&wrong.stdout).unwrap();
    assert!(wrong.to_string().contains("esos-crash save"), "{wrong}");

    let mut bytes = std::fs::read(&dump).unwrap();
    let last = bytes.len() - 5;
    bytes[last] ^= 0x40;
    std::fs::write(&dump, bytes).unwrap();
    let damaged = crash(&["verify", &dump]);
    assert_eq!(damaged.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&damaged.stdout).contains("checksum"), "{damaged:?}");
    assert_eq!(crash(&["show", &format!("{dump}.dmesg")]).status.code(), Some(3));
}

/// ELF, flattened and packed anew: every form gives the log, and the pages of the dump.
#[test]
fn a_dump_takes_other_forms() {
    let dir = TempDir::new("convert").unwrap();
    let name = |n: &str| dir.path().join(n).to_str().unwrap().to_owned();
    let (core, dump) = (name("vmcore"), name("one"));
    unpack(Path::new(&core));
    json(&["save", &core, "--out", &dump, "--level", "23", "--compress", "lzo", "--json"]);
    let log = std::fs::read(format!("{dump}.dmesg")).unwrap();
    let pages = |file: &str| json(&["show", file, "--json"])["data"]["pages"].as_u64().unwrap();

    let (elf, flat, back, again) = (name("elf"), name("flat"), name("back"), name("again"));
    json(&["convert", &dump, "--out", &elf, "--format", "elf", "--json"]);
    assert_eq!(pages(&elf), pages(&dump));
    assert!(crash(&["dmesg", &elf]).stdout == log);

    let stream = crash(&["convert", &dump, "--out", "-", "--format", "flat"]);
    assert!(stream.status.success());
    std::fs::write(&flat, &stream.stdout).unwrap();
    json(&["convert", &flat, "--out", &back, "--json"]);
    assert!(std::fs::read(&back).unwrap() == std::fs::read(&dump).unwrap());
    std::fs::write(&flat, &stream.stdout[..stream.stdout.len() / 2]).unwrap();
    let cut = crash(&["convert", &flat, "--out", &name("cut")]);
    assert_eq!(cut.status.code(), Some(3), "{cut:?}");

    json(&["convert", &dump, "--out", &again, "--level", "31", "--json"]);
    let direct = name("direct");
    json(&["save", &core, "--out", &direct, "--level", "31", "--json"]);
    assert_eq!(pages(&again), pages(&direct));
    assert!(crash(&["dmesg", &again]).stdout == log);
    assert_eq!(crash(&["convert", &dump, "--out", &again]).status.code(), Some(5));
}

/// A run that fails leaves nothing in the way of the next, and a core that was cut gives no complete dump.
#[test]
fn failed_saves_leave_nothing_and_cut_cores_say_so() {
    let dir = TempDir::new("failed").unwrap();
    let core = dir.path().join("vmcore");
    unpack(&core);
    let here = |args: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_esos-crash")).args(args).current_dir(dir.path()).output().unwrap()
    };
    let small = here(&["save", "vmcore", "--out", "one", "--max-size", "1000", "--json"]);
    assert_eq!(small.status.code(), Some(1), "{small:?}");
    let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["vmcore"]);

    std::fs::File::options().write(true).open(&core).unwrap().set_len(300 << 20).unwrap();
    let cut = here(&["save", "vmcore", "--out", "one", "--json"]);
    let cut: Value = serde_json::from_slice(&cut.stdout).unwrap();
    assert_eq!(cut["data"]["complete"], false, "{cut}");
    assert!(cut["data"]["missing_bytes"].as_u64().unwrap() > 100 << 20, "{cut}");
    assert_eq!(
        json(&["verify", dir.path().join("one").to_str().unwrap(), "--json"])["data"]["complete"],
        false
    );
    let again = here(&["save", "one", "--out", "two", "--json"]);
    let again: Value = serde_json::from_slice(&again.stdout).unwrap();
    let error = &again["error"];
    assert_eq!((&again["exit"], &error["code"]), (&Value::from(3), &Value::from("invalid")), "{again}");
    assert!(error["help"].as_str().unwrap().contains("esos-crash convert"), "{again}");
}

/// What the check of a box finds is known in memory, until somebody has looked at it; a crash kernel that is not armed
/// is the event of `esos-health`.
#[test]
fn dumps_are_known_until_somebody_has_looked() {
    let dir = TempDir::new("known").unwrap();
    let (root, core) = (dir.path().join("root"), dir.path().join("vmcore"));
    unpack(&core);
    let store = root.join("mnt/logs/crash");
    std::fs::create_dir_all(&store).unwrap();
    let root = root.to_str().unwrap().to_owned();
    let here = |args: &[&str]| json(&[args, &["--root", &root, "--json", "--yes"]].concat());
    let known = || {
        let text = std::fs::read(format!("{root}/run/esos/dumps.json")).unwrap();
        let known: Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(known["problem"], Value::Null);
        let dumps = known["dumps"].as_array().unwrap().clone();
        let row =
            |d: &Value| (d["state"].as_str().unwrap().to_owned(), d["verified"].as_bool(), d["seen"] == true);
        dumps.iter().map(row).collect::<Vec<_>>()
    };
    let file = |number: u8| store.join(format!("crash-000{number}-6.12.117+deb12-amd64.kdump"));
    for number in 1..=3 {
        json(&["save", core.to_str().unwrap(), "--out", file(number).to_str().unwrap(), "--json"]);
    }
    std::fs::remove_file(file(2)).unwrap();
    std::fs::remove_file(format!("{}.manifest.json", file(2).display())).unwrap();
    let mut bytes = std::fs::read(file(3)).unwrap();
    let last = bytes.len() - 5;
    bytes[last] ^= 0x40;
    std::fs::write(file(3), bytes).unwrap();

    here(&["check"]);
    let row = |state: &str, good, seen| (state.to_owned(), Some(good), seen);
    let all = |a, b, c| vec![row("complete", true, a), row("log only", true, b), row("complete", false, c)];
    assert_eq!(known(), all(false, false, false));
    let inbox: Vec<String> = std::fs::read_dir(format!("{root}/var/lib/esos/alert/inbox"))
        .unwrap()
        .map(|e| std::fs::read_to_string(e.unwrap().path()).unwrap())
        .collect();
    assert!(inbox.iter().any(|t| t.contains("health/crash/crash_kernel/unarmed")), "{inbox:#?}");
    assert_eq!(inbox.len(), 4, "one for each dump, one for the crash kernel: {inbox:#?}");

    let path = |number: u8| file(number).to_str().unwrap().to_owned();
    // A path is a file of its user's; a name is a dump of the box.
    json(&["show", &path(1), "--json"]);
    assert_eq!(known(), all(false, false, false));
    let name = |number: u8| format!("crash-000{number}-6.12.117+deb12-amd64");
    here(&["show", &name(1)]);
    assert_eq!(known(), all(true, false, false));
    let log = here(&["dmesg", &name(2)]);
    assert!(log["data"]["lines"].as_array().unwrap().len() > 100, "of a log alone its log is shown");
    here(&["seen", &name(3)]);
    assert_eq!(known(), all(true, true, true));
    let wrong = crash(&["seen", "crash-0009-x", "--root", &root]);
    assert_eq!(wrong.status.code(), Some(3), "{wrong:?}");
    here(&["remove", &name(2), &name(3)]);
    here(&["check"]);
    assert_eq!(known(), [row("complete", true, true)]);
}
