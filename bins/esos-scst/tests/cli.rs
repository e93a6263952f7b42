//! The program as an operator runs it, on recorded states.
#![expect(clippy::unwrap_used, reason = "test helpers")]
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const FILE: &str = "HANDLER vdisk_nullio {\n\tDEVICE n1 {\n\t\tsize_mb 32\n\t}\n}\nTARGET_DRIVER iscsi {\n\tTARGET iqn.2026-01.org.esos:new {\n\t\tIncomingUser \"joe hunter2hunter2\"\n\t\tLUN 0 n1\n\t\tenabled 1\n\t}\n\tenabled 1\n}\n";

fn esos_scst(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_esos-scst")).args(args).env("NO_COLOR", "1").output().unwrap()
}

fn text(out: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

fn file(dir: &Path, name: &str, text: &str) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn state() -> String {
    esos_fixtures::path("scst/state-12-iscsi-daemon-running.json").display().to_string()
}

#[test]
fn check_says_where_and_never_the_password() {
    let dir = tempfile::tempdir().unwrap();
    let good = file(dir.path(), "good.conf", FILE);
    let out = esos_scst(&["check", good.to_str().unwrap()]);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out));
    let bad = file(dir.path(), "bad.conf", &FILE.replace("\"joe hunter2hunter2\"", "\"joe hunter2hunter2"));
    for args in [&["check", bad.to_str().unwrap()][..], &["check", bad.to_str().unwrap(), "--json"][..]] {
        let out = esos_scst(args);
        assert_eq!(out.status.code(), Some(3));
        assert!(
            text(&out).contains("unterminated-quote") && !text(&out).contains("hunter2"),
            "{}",
            text(&out)
        );
    }
    assert!(text(&esos_scst(&["check", bad.to_str().unwrap()])).contains("bad.conf:8:16"));
}

#[test]
fn a_plan_on_a_recorded_state_then_apply_then_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let conf = file(dir.path(), "scst.conf", FILE);
    let conf = conf.to_str().unwrap();
    let new = dir.path().join("new.json");
    let new = new.to_str().unwrap();
    let out = esos_scst(&["plan", conf, "--state", &state(), "--json"]);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out));
    let json: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(json["schema"], "esos.scst.plan/1");
    assert!(json["data"]["ops"].as_array().unwrap().len() >= 5);
    assert!(!text(&out).contains("hunter2"));
    let out = esos_scst(&["apply", conf, "--state", &state(), "--state-out", new]);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out));
    assert!(text(&out).contains("verified"), "{}", text(&out));
    let out = esos_scst(&["plan", conf, "--state", new]);
    assert!(text(&out).contains("Plan: 0 to add, 0 to change, 0 to remove"), "{}", text(&out));
    let out = esos_scst(&["sessions", "--state", new]);
    assert_eq!(out.status.code(), Some(0));
}

#[test]
fn refusals_have_their_exit_codes() {
    let dir = tempfile::tempdir().unwrap();
    let conf = file(dir.path(), "scst.conf", FILE);
    let conf = conf.to_str().unwrap();
    let root = dir.path().to_str().unwrap();
    assert_eq!(esos_scst(&["apply", conf, "--root", root]).status.code(), Some(2));
    assert_eq!(esos_scst(&["plan", conf, "--root", root]).status.code(), Some(7));
    assert_eq!(esos_scst(&["frobnicate"]).status.code(), Some(2));
    let empty = file(dir.path(), "empty.conf", "");
    assert_eq!(esos_scst(&["check", empty.to_str().unwrap()]).status.code(), Some(3));
    assert_eq!(esos_scst(&["check", empty.to_str().unwrap(), "--allow-empty"]).status.code(), Some(0));
    // A live target with prune interrupts service.
    let state = esos_fixtures::path("scst/state-17-sessions-two.json").display().to_string();
    let out = esos_scst(&["apply", conf, "--state", &state, "--prune"]);
    assert_eq!(out.status.code(), Some(5), "{}", text(&out));
}

#[test]
fn fmt_is_stable() {
    let dir = tempfile::tempdir().unwrap();
    let conf = file(dir.path(), "scst.conf", &FILE.replace('\t', "   "));
    let path = conf.to_str().unwrap();
    assert_eq!(esos_scst(&["fmt", path, "--check"]).status.code(), Some(4));
    assert_eq!(esos_scst(&["fmt", path, "--write"]).status.code(), Some(0));
    assert_eq!(std::fs::read_to_string(&conf).unwrap(), FILE);
    assert_eq!(esos_scst(&["fmt", path, "--check"]).status.code(), Some(0));
}

/// The lock is the machine's, below `/run`: where that cannot be written there is nothing to try.
#[test]
fn who_comes_second_is_told_that_it_is_busy() {
    let run = Path::new("/run/esos");
    let held = std::fs::create_dir_all(run).map_err(|e| e.to_string()).and_then(|()| {
        esos_hostfs::lock(&run.join("scst.lock"), std::time::Duration::ZERO).map_err(|e| e.to_string())
    });
    let _held = match held {
        Ok(held) => held,
        Err(why) => return println!("skipped: who_comes_second_is_told_that_it_is_busy: {why}"),
    };
    let dir = tempfile::tempdir().unwrap();
    let conf = file(dir.path(), "scst.conf", FILE);
    let conf = conf.to_str().unwrap();
    for args in [
        &["apply", conf][..],
        &["apply", conf, "--json"],
        &["set", "iscsi", "enabled=1"],
        &["enable", "iscsi"],
        &["rollback"],
        &["confirm"],
        &["recover"],
    ] {
        let out = esos_scst(&[args, &["--wait", "0"]].concat());
        assert_eq!(out.status.code(), Some(8), "{args:?} {}", text(&out));
        assert!(text(&out).contains("scst.lock"), "{}", text(&out));
    }
    // Looking needs no lock.
    assert_ne!(esos_scst(&["plan", conf]).status.code(), Some(8));
}

#[test]
fn what_the_kernel_would_refuse_is_an_error_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let text = "HANDLER vdisk_fileio {\n\tDEVICE d {\n\t\tfilename /srv/d\n\t\tread_only 1\n\t\tnv_cache 1\n\t}\n}\nTARGET_DRIVER iscsi {\n}\n";
    let conf = file(dir.path(), "scst.conf", text);
    let out = esos_scst(&["check", conf.to_str().unwrap(), "--json"]);
    assert_eq!(out.status.code(), Some(3));
    let json: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    let found = &json["error"]["diagnostics"][0];
    assert_eq!((&found["code"], &found["line"]), (&"scst::read-only-cache".into(), &5.into()), "{json:#}");
    assert_eq!(found["related"][0]["line"], 4);
    // What is only doubtful is in the data of a file that can be used.
    let conf = file(dir.path(), "scst.conf", &FILE.replace("size_mb 32", "prod_id \"a{b}\"\n\t\tnv_cahce 1"));
    let out = esos_scst(&["check", conf.to_str().unwrap(), "--json"]);
    assert_eq!(out.status.code(), Some(0));
    let json: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    let codes: Vec<_> = json["data"]["diagnostics"].as_array().unwrap().iter().map(|d| &d["code"]).collect();
    assert_eq!(codes, ["scst-conf::brace-in-quotes", "scst::unknown-attribute"]);
}
