//! `slots`, `upgrade`, `rollback` and `mark-good` on files.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may end the test")]
mod common;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use common::{image, json, text, tool, words};
use esos_bootimg::disk::description::Signer;

#[test]
fn an_upgrade_a_mark_and_a_way_back() {
    let dir = tempfile::tempdir().unwrap();
    let (stick, new) = (image(dir.path(), "1.0", None), image(dir.path(), "2.0", None));
    let (stick, new) = (text(&stick), text(&new));
    let slots = || json(&["slots", stick], 0)["data"].clone();
    let before = slots();
    assert_eq!(
        (before["default"].as_str(), before["slots"][1]["state"].as_str()),
        (Some("PRIMARY"), Some("none"))
    );

    // Nobody signed it, and nobody is there to be asked; --yes is not enough.
    let said = words(&["upgrade", new, "--target", stick, "--yes"], 5);
    assert!(said.contains("--accept-unsigned `2.0`"), "{said}");
    words(&["upgrade", new, "--target", stick, "--accept-unsigned", "1.9"], 5);
    assert_eq!(slots(), before);

    let accept = ["upgrade", new, "--target", stick, "--accept-unsigned", "2.0"];
    let plan = json(&[&accept[..], &["--dry-run"]].concat(), 0);
    assert_eq!(plan["data"]["plan"]["slot"], "SECONDARY");
    assert_eq!(slots(), before);
    let done = json(&accept, 0);
    assert!(done["data"]["done"]["written_bytes"].as_u64().unwrap() > 1_000_000);
    let found = slots();
    assert_eq!(
        (found["default"].as_str(), found["slots"][1]["version"].as_str()),
        (Some("SECONDARY"), Some("2.0"))
    );
    assert_eq!(
        (found["slots"][1]["state"].as_str(), found["slots"][1]["tries_left"].as_u64()),
        (Some("trial"), Some(3))
    );
    assert_eq!(tool(&["verify", stick]).status.code(), Some(0));

    // It is on trial: no further upgrade on top of it.
    words(&["upgrade", new, "--target", stick, "--accept-unsigned", "2.0"], 5);
    // udev holds a disk for a moment after every write to it: that is waited for.
    let held = esos_hostfs::lock(Path::new(stick), Duration::ZERO).unwrap();
    let released = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(1));
        drop(held);
    });
    json(&["mark-good", stick, "--slot", "SECONDARY"], 0);
    released.join().unwrap();
    assert!(slots()["slots"][1]["last_good"].as_u64().unwrap() > 1_700_000_000);
    let back = json(&["rollback", stick], 0);
    assert_eq!(back["data"]["preferred"], "PRIMARY");
    assert_eq!(back["data"]["fallback"]["cause"], "rollback");
    let shown = String::from_utf8_lossy(&tool(&["slots", stick]).stdout).into_owned();
    assert!(shown.contains("PRIMARY") && shown.contains("somebody went back from SECONDARY"), "{shown}");
}

#[test]
fn signed_ones_are_taken_and_wrong_ones_refused() {
    let dir = tempfile::tempdir().unwrap();
    let signer = Signer::generate().unwrap();
    let key = dir.path().join("k.pub");
    std::fs::write(&key, signer.public_key()).unwrap();
    let stick = image(dir.path(), "1.0", None);
    let before = std::fs::read(&stick).unwrap();
    let signed = image(dir.path(), "2.0", Some(&signer));
    let older = image(dir.path(), "0.9", Some(&signer));
    let (stick_path, key) = (text(&stick), text(&key));
    let said = words(&["upgrade", text(&older), "--target", stick_path, "--key", key], 5);
    assert!(said.contains("older") && said.contains("--downgrade"), "{said}");
    // Another description under the same signature.
    let mut bytes = std::fs::read(&signed).unwrap();
    let slot = 266 << 20;
    let text_at =
        bytes[slot..slot + (4 << 20)].windows(24).position(|w| w == b"\"version\": \"2.0\",\n  \"min");
    bytes[slot + text_at.unwrap() + 12] = b'3';
    let changed = dir.path().join("changed.img");
    std::fs::write(&changed, &bytes).unwrap();
    words(&["upgrade", text(&changed), "--target", stick_path, "--key", key, "--accept-unsigned", "3.0"], 3);
    // Cut off.
    std::fs::write(&changed, &bytes[..300 << 20]).unwrap();
    words(&["upgrade", text(&changed), "--target", stick_path, "--key", key], 3);
    assert!(std::fs::read(&stick).unwrap() == before, "nothing was written");
    json(&["upgrade", text(&older), "--target", stick_path, "--key", key, "--downgrade"], 0);
}

#[test]
fn from_a_url_and_packed() {
    let dir = tempfile::tempdir().unwrap();
    let (stick, new) = (image(dir.path(), "1.0", None), image(dir.path(), "2.0", None));
    let mut packed = Vec::new();
    let raw = std::fs::read(&new).unwrap();
    esos_bootimg::disk::image::compress(&mut &raw[..], &mut packed, 1, 1).unwrap();
    let cut = packed.len() / 2;
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/esos.img.zst", server.local_addr().unwrap());
    let serve = std::thread::spawn(move || {
        for bytes in [&packed[..cut], &packed[..]] {
            let (mut stream, _) = server.accept().unwrap();
            let mut request = [0; 4096];
            let _n = stream.read(&mut request).unwrap();
            let head =
                format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", bytes.len());
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(bytes).unwrap();
        }
    });
    let before = std::fs::read(&stick).unwrap();
    let args = ["upgrade", &url, "--target", text(&stick), "--accept-unsigned", "2.0"];
    words(&args, 3);
    assert!(std::fs::read(&stick).unwrap() == before, "nothing was written");
    json(&args, 0);
    serve.join().unwrap();
    assert_eq!(json(&["slots", text(&stick)], 0)["data"]["slots"][1]["version"], "2.0");
}

#[test]
fn what_is_no_stick_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x");
    std::fs::write(&path, vec![0; 1 << 20]).unwrap();
    assert!(words(&["slots", text(&path)], 3).contains("EFI PART"));
    assert_eq!(tool(&["slots"]).status.code(), Some(2));
    assert_eq!(json(&["__section"], 0)["data"]["health"], "unused");
}

#[test]
fn a_box_knows_its_own_stick() {
    let dir = tempfile::tempdir().unwrap();
    let stick = image(dir.path(), "1.0", None);
    let guid = json(&["inspect", text(&stick)], 0)["data"]["disk_guid"].as_str().unwrap().to_owned();
    let root = dir.path().join("root");
    let report = |guid: &str, identity: &str| {
        std::fs::create_dir_all(root.join("run/esos")).unwrap();
        std::fs::create_dir_all(root.join("proc")).unwrap();
        let text = format!(
            r#"{{"schema":"esos-boot/1","slot":"PRIMARY","stick":{{"device":"{}","disk_guid":"{guid}","identity":{identity}}}}}"#,
            stick.display()
        );
        std::fs::write(root.join("run/esos/boot.json"), text).unwrap();
        std::fs::write(root.join("proc/cmdline"), "slot=PRIMARY esos.fallback=SECONDARY:tries\n").unwrap();
    };
    // No identity of its own yet, as in a fresh image: the partition table decides.
    report(&guid, "null");
    let found = json(&["slots", "--root", text(&root)], 0)["data"].clone();
    assert_eq!(
        (found["running"].as_str(), found["fallback"]["cause"].as_str()),
        (Some("PRIMARY"), Some("tries"))
    );
    json(&["mark-good", "--root", text(&root)], 0);
    assert_eq!(json(&["__section", "--root", text(&root)], 0)["data"]["health"], "ok");
    report("00000000-0000-0000-0000-000000000000", "null");
    words(&["slots", "--root", text(&root)], 5);
    report(&guid, "\"00112233445566778899aabbccddeeff\"");
    words(&["slots", "--root", text(&root)], 5);
}
