//! `esos-raid parse` on a folder of captures.
#![allow(clippy::unwrap_used, reason = "a helper of tests may end the test")]
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn run(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_esos-raid")).args(args).output().unwrap()
}

const MDSTAT: &str = "Personalities : [raid1]\nmd0 : active raid1 sdb[1](F) sda[0]\n      64512 blocks super 1.2 [2/1] [U_]\n\nunused devices: <none>\n";

fn case(dir: &Path, expect: &str) -> String {
    let case = dir.join("mdstat/one");
    fs::create_dir_all(case.join("mdstat")).unwrap();
    fs::write(case.join("mdstat/cmd"), "cat /proc/mdstat\n").unwrap();
    fs::write(case.join("mdstat/out"), MDSTAT).unwrap();
    fs::write(case.join("expect.json"), expect).unwrap();
    case.to_str().unwrap().to_owned()
}

#[test]
fn a_case_is_read_and_compared() {
    let dir = tempfile::tempdir().unwrap();
    let good = r#"{"schema":1,"tool":"mdstat","case":"one","tags":["x"],"arrays":[{"id":"md0","state":"degraded"}]}"#;
    let path = case(dir.path(), good);
    let out = run(&["parse", "--tool", "mdstat", &path, "--json"]);
    let document: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(document["data"]["arrays"][0]["state"], "degraded");
    assert_eq!(out.status.code(), Some(0));
    assert_eq!(run(&["parse", "--tool", "mdstat", &path, "--expect"]).status.code(), Some(0));
    let corpus = dir.path().to_str().unwrap();
    let out = run(&["parse", "--corpus", corpus, "--expect"]);
    assert_eq!(out.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&out.stdout).contains("mdstat    1 of 1"));
    // Another state, and an element too many.
    case(dir.path(), &good.replace("degraded", "optimal"));
    let out = run(&["parse", "--tool", "mdstat", &path, "--expect"]);
    assert_eq!(out.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&out.stdout).contains("arrays[0].state"));
    case(dir.path(), r#"{"arrays":[{"id":"md0"},{"id":"md1"}]}"#);
    assert_eq!(run(&["parse", "--corpus", corpus, "--expect"]).status.code(), Some(4));
}

#[test]
fn what_cannot_be_read_is_said() {
    assert_eq!(run(&["parse", "--tool", "mdstat", "/nowhere"]).status.code(), Some(3));
    assert_eq!(run(&["parse", "--tool", "floppy", "/nowhere"]).status.code(), Some(2));
    assert_eq!(run(&["parse"]).status.code(), Some(2));
    let empty = tempfile::tempdir().unwrap();
    let root = empty.path().to_str().unwrap();
    assert_eq!(run(&["--root", root, "list"]).status.code(), Some(7));
}

#[test]
fn controllers_without_their_tool_are_named() {
    let box_ = tempfile::tempdir().unwrap();
    let root = box_.path().to_str().unwrap();
    let out = run(&["--root", root, "tools"]);
    assert!(String::from_utf8_lossy(&out.stdout).contains("no RAID controller"));
    let device = box_.path().join("sys/bus/pci/devices/0000:00:04.0");
    fs::create_dir_all(&device).unwrap();
    for (name, text) in [("vendor", "0x1000\n"), ("device", "0x005b\n"), ("class", "0x010400\n")] {
        fs::write(device.join(name), text).unwrap();
    }
    let out = run(&["--root", root, "tools"]);
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(text.contains("0000:00:04.0 (1000:005b) MegaRAID SAS 2208: needs one of storcli"), "{text}");
    fs::create_dir_all(box_.path().join("opt/sbin")).unwrap();
    fs::write(box_.path().join("opt/sbin/storcli64"), "").unwrap();
    let text = String::from_utf8_lossy(&run(&["--root", root, "tools"]).stdout).into_owned();
    assert!(text.contains("storcli is installed"), "{text}");
}
