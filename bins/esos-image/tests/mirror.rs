//! `mirror`, and new sticks with a configuration, on files that stand for sticks.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may end the test")]
mod common;

use common::{image, json, text, words};
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// `esos-conf` beside the tool, as on a box.
fn esos_conf() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_BIN_EXE_esos-image")).with_file_name("esos-conf");
    path.exists().then_some(path)
}

/// Does something with `esos_conf` of a stick; `None` where nothing can be mounted here.
fn with_conf<T>(stick: &Path, run: impl FnOnce(&Path) -> T) -> Option<T> {
    let dir = tempfile::tempdir().unwrap();
    let found = json(&["inspect", text(stick)], 0);
    let parts = found["data"]["partitions"].as_array().unwrap();
    let conf = parts.iter().find(|p| p["name"] == "esos_conf").unwrap();
    let number = |name: &str| conf[name].as_u64().unwrap();
    let options = format!("loop,offset={},sizelimit={}", number("start_bytes"), number("size_bytes"));
    let mounted = Command::new("mount").args(["-o", &options]).arg(stick).arg(dir.path()).status();
    if !mounted.is_ok_and(|s| s.success()) {
        return None;
    }
    let done = run(dir.path());
    assert!(Command::new("umount").arg(dir.path()).status().unwrap().success());
    Some(done)
}

/// A stick whose box has synced that line.
fn stick(dir: &Path, conf: &Path, line: &str) -> Option<PathBuf> {
    let path = image(dir, "1.0", None);
    identify(&path, "0123456789abcdef0123456789abcdef");
    sync(&path, dir, conf, line)?;
    Some(path)
}

fn identify(stick: &Path, identity: &str) {
    let bytes = fs::read(stick).unwrap();
    let unset = esos_layout::state::encode_stick("unset");
    let at = bytes.windows(512).position(|w| w == unset).unwrap();
    let file = fs::OpenOptions::new().write(true).open(stick).unwrap();
    file.write_all_at(&esos_layout::state::encode_stick(identity), at as u64).unwrap();
}

fn sync(stick: &Path, dir: &Path, conf: &Path, line: &str) -> Option<()> {
    let root = dir.join("root");
    fs::create_dir_all(root.join("etc")).unwrap();
    fs::write(root.join("etc/line"), line).unwrap();
    with_conf(stick, |store| {
        let mut cmd = Command::new(conf);
        let out = cmd.args(["sync", "--root", text(&root), "--store", text(store)]).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    })
}

/// What a box that boots from a stick would restore.
fn restored(stick: &Path, conf: &Path) -> String {
    let root = tempfile::tempdir().unwrap();
    with_conf(stick, |store| {
        let mut cmd = Command::new(conf);
        let out =
            cmd.args(["restore", "--yes", "--root", text(root.path()), "--store", text(store)]).output();
        assert!(out.unwrap().status.success());
        fs::read_to_string(root.path().join("etc/line")).unwrap()
    })
    .unwrap()
}

#[test]
fn a_second_stick_follows_the_first_and_is_another_one() {
    let test = "a_second_stick_follows_the_first_and_is_another_one";
    let dir = tempfile::tempdir().unwrap();
    let Some(conf) = esos_conf() else { return println!("skipped: {test}: esos-conf is not built") };
    let Some(first) = stick(dir.path(), &conf, "one\n") else {
        return println!("skipped: {test}: no loop device can be mounted here");
    };
    let second = dir.path().join("second");
    let mirror = ["mirror", text(&second), "--of", text(&first)];
    let made = json(&mirror, 0);
    let identity = made["data"]["identity"].as_str().unwrap().to_owned();
    assert!(identity.len() == 32 && made["data"]["of"] != identity.as_str(), "{made}");
    let seen = json(&["slots", text(&second)], 0);
    assert_eq!(
        (&seen["data"]["stick"], &seen["data"]["default"]),
        (&identity.as_str().into(), &"PRIMARY".into())
    );
    assert_eq!(restored(&second, &conf), "one\n");
    assert_eq!(restored(&first, &conf), "one\n", "the old stick has its own still");

    // It exists now, and this box does not know it: nothing is erased unasked.
    assert!(words(&mirror, 5).contains("erase"));
    sync(&first, dir.path(), &conf, "two\n").unwrap();
    let again = [&mirror[..], &["--yes-erase", "second"]].concat();
    assert_eq!(json(&again, 0)["data"]["conf"]["copied"].as_array().unwrap().len(), 2);
    assert_eq!(restored(&second, &conf), "two\n");

    // Itself, and a stick that has no identity yet.
    words(&["mirror", text(&first), "--of", text(&first), "--yes-erase", "1.0.img"], 2);
    let fresh = image(dir.path(), "3.0", None);
    assert!(
        words(&["mirror", text(&second), "--of", text(&fresh), "--yes-erase", "second"], 5)
            .contains("identity")
    );
}

#[test]
fn a_new_stick_gets_the_configuration_of_an_old_one() {
    let test = "a_new_stick_gets_the_configuration_of_an_old_one";
    let dir = tempfile::tempdir().unwrap();
    let Some(conf) = esos_conf() else { return println!("skipped: {test}: esos-conf is not built") };
    let Some(old) = stick(dir.path(), &conf, "mine\n") else {
        return println!("skipped: {test}: no loop device can be mounted here");
    };
    let new = image(dir.path(), "2.0", None);
    let target = dir.path().join("target");
    let done = json(&["write", text(&new), text(&target), "--config-of", text(&old)], 0);
    assert_eq!(done["data"]["conf"]["copied"].as_array().unwrap().len(), 1, "{done}");
    assert_eq!(restored(&target, &conf), "mine\n");
    assert_eq!(restored(&old, &conf), "mine\n");
    assert_eq!(json(&["slots", text(&target)], 0)["data"]["slots"][0]["version"], "2.0");
    // A raw copy of a stick is not that stick.
    let copy = dir.path().join("copy");
    json(&["write", text(&old), text(&copy)], 0);
    assert_eq!(json(&["slots", text(&copy)], 0)["data"]["stick"], "unset");
    assert_eq!(restored(&copy, &conf), "mine\n");
    words(
        &["write", text(&new), text(&dir.path().join("x")), "--config-of", text(&dir.path().join("none"))],
        1,
    );
}
