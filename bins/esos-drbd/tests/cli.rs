//! The program as an operator runs it, on recordings.
#![expect(clippy::unwrap_used, reason = "test helpers")]
use serde_json::Value;
use std::process::{Command, Output};

fn esos_drbd(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_esos-drbd")).args(args).env("NO_COLOR", "1").output().unwrap()
}

fn fixture(name: &str) -> String {
    esos_fixtures::path(&format!("cluster/{name}")).display().to_string()
}

fn json(out: &Output) -> Value {
    serde_json::from_slice(&out.stdout).unwrap()
}

#[test]
fn status_of_every_kind_is_one_document() {
    for dir in ["drbd84", "drbd9"] {
        for entry in std::fs::read_dir(esos_fixtures::path(&format!("cluster/{dir}"))).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name == "INDEX.jsonl"
                || !name.contains("n1") && !name.contains("err") && !name.contains("json")
            {
                continue;
            }
            let out = esos_drbd(&["status", "--from", &fixture(&format!("{dir}/{name}")), "--json"]);
            let document = json(&out);
            let failed =
                name.contains(".err") || name.contains("unsupported") || document["schema"] == "esos.error/1";
            assert_eq!(out.status.code(), Some(if failed { 1 } else { 0 }), "{dir}/{name}: {document}");
            if failed {
                assert!(
                    document["error"]["help"].as_str().is_some_and(|h| h.len() > 15),
                    "{dir}/{name}: {document}"
                );
            }
        }
    }
    let out = esos_drbd(&["status", "--from", &fixture("drbd9/proc_drbd.split-brain.n1.txt"), "--json"]);
    let document = json(&out);
    assert_eq!(
        (
            document["data"]["version"]["module"].as_str(),
            document["data"]["resources"].as_array().unwrap().len()
        ),
        (Some("9.2.18"), 0)
    );
    assert_eq!((out.status.code(), document["warnings"].as_array().unwrap().len()), (Some(0), 1));
}

#[test]
fn events_and_checks_and_plans() {
    let out = esos_drbd(&["events", "--from", &fixture("drbd9/events2.full-sequence.n1.txt"), "--json"]);
    let data = json(&out)["data"].clone();
    assert!(data["transitions"].as_array().unwrap().iter().any(|t| t["to"] == "split-brain"));
    assert_eq!(
        esos_drbd(&["events", "--from", &fixture("drbd9/proc_drbd.split-brain.n1.txt")]).status.code(),
        Some(3)
    );
    let out = esos_drbd(&["check", &fixture("drbd9/drbdadm-dump.r0.txt")]);
    assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
    let dir = tempfile::tempdir().unwrap();
    let bad = dir.path().join("x.res");
    std::fs::write(&bad, "resource r0 {\n  on n1 {\n").unwrap();
    let out = esos_drbd(&["check", bad.to_str().unwrap()]);
    assert!(
        out.status.code() == Some(3) && String::from_utf8_lossy(&out.stderr).contains("x.res:"),
        "{out:?}"
    );
    let from = fixture("drbd84/events2-now.split-brain.n1.txt");
    let peer = fixture("drbd84/events2-now.split-brain.n2.txt");
    let args = ["resolve", "r0", "--discard", "n2", "--here", "n1", "--from", &from, "--peer-from", &peer];
    let out = esos_drbd(&args);
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.status.success() && text.contains("n2 loses 16.0 KiB"), "{text}{out:?}");
    let out = esos_drbd(&["promote", "r0", "--from", &fixture("drbd84/events2-now.split-brain.n2.txt")]);
    assert_eq!(out.status.code(), Some(5));
    assert_eq!(esos_drbd(&["--root", "/nowhere", "status"]).status.code(), Some(7));
}
