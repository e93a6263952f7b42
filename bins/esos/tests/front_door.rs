//! The front door as a person uses it.
#![allow(clippy::unwrap_used, reason = "a helper of tests may end the test")]
use esos_hostfs::TempDir;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};

/// Runs the front door with these scripts as tools on the `PATH`.
fn esos(tools: &[(&str, &str)], args: &[&str]) -> Output {
    // One at a time: a program started by another test would hold a file that is being written here, and
    // the kernel then refuses to run it (`ETXTBSY`).
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = TempDir::new("tools").unwrap();
    // A copy of its own, so that nothing else lies beside it.
    let front = dir.path().join("front");
    fs::create_dir(&front).unwrap();
    fs::copy(env!("CARGO_BIN_EXE_esos"), front.join("esos")).unwrap();
    for (name, script) in tools {
        let path = dir.path().join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut command = Command::new(front.join("esos"));
    command.args(args).env("PATH", format!("{}:/usr/bin:/bin", dir.path().display())).env("COLUMNS", "100");
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_tool_takes_its_place_with_arguments_and_exit_code() {
    let tools = [("esos-raid", "printf '%s|' \"$@\"; exit 4")];
    let out = esos(&tools, &["--json", "--root", "/x y", "raid", "list", "a b", "--", "-z"]);
    assert_eq!(out.status.code(), Some(4));
    assert_eq!(text(&out.stdout), "--json|--root|/x y|list|a b|--|-z|");
    let out = esos(&tools, &["help", "raid"]);
    assert_eq!(text(&out.stdout), "--help|");
}

#[test]
fn what_is_not_there_is_told_with_the_nearest() {
    let out = esos(&[("esos-raid", "")], &["riad", "list"]);
    assert_eq!(out.status.code(), Some(2));
    assert!(text(&out.stderr).contains("did you mean `esos raid`?"), "{}", text(&out.stderr));
    let out = esos(&[], &["--json", "scst", "show"]);
    let document: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!((&document["schema"], &document["exit"]), (&"esos.error/1".into(), &2.into()));
    let help = text(&esos(&[("esos-foo", "")], &[]).stdout);
    assert!(help.contains("esos-foo") && help.contains("(not installed)"), "{help}");
    assert_eq!(text(&esos(&[], &["--version"]).stdout), format!("esos {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn status_of_a_copied_tree_needs_no_rights_and_no_devices() {
    let section = "echo '{\"schema\": \"esos.section/1\", \"data\": {\"name\": \"raid\", \"health\": \"warn\", \"lines\": [\"md0 raid6\"], \"findings\": [{\"health\": \"warn\", \"message\": \"md0 has no spare\", \"remedy\": \"esos raid spare add md0 DEVICE\"}]}}'";
    let tools = [
        ("esos-raid", section),
        ("esos-scst", "echo 'error: no such flag' >&2; exit 2"),
        ("esos-conf", "sleep 60"),
    ];
    let root = esos_fixtures::path("box");
    let root = root.to_str().unwrap();
    let told = text(&esos(&tools, &["status", "--root", root]).stdout);
    let wanted = [
        "ESOS 5.0.0  WARNING",
        "  slot       PRIMARY (prod)",
        "  uptime     41 days 0 h",
        "  root       on tmpfs",
        "  addresses  unknown: a copied tree has no network",
        "  stick      /dev/sdb: SanDisk Ultra USB 3.0, 28.6 GiB, serial 4C530001",
        "  memory     7.7 GiB, 6.0 GiB available",
        "  boot       drivers       0.612 s  at 1.840 s",
        "             unpack        7.204 s  at 3.829 s",
        "  scst       exit status 2: no such flag",
        "  raid       md0 raid6",
        "             WARNING md0 has no spare",
        "  drbd       not installed",
        "  conf       no answer within 3 s",
    ];
    let mut lines = told.lines();
    for line in wanted {
        assert!(lines.any(|l| l == line), "`{line}` is missing, or in another place:\n{told}");
    }
    let out = esos(&tools[..1], &["doctor", "--root", root]);
    assert_eq!(out.status.code(), Some(1));
    assert!(text(&out.stdout).contains("-> esos raid spare add md0 DEVICE"), "{}", text(&out.stdout));
    let out = esos(&tools[..1], &["status", "--json", "--root", root]);
    let document: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!((&document["schema"], &document["host"]), (&"esos.status/1".into(), &"esos1".into()));
    assert_eq!(document["data"]["boot"]["steps"][2]["took_ms"], 7204);
    assert_eq!(document["data"]["addresses"], serde_json::Value::Null);
}
