//! `write` onto files and loop devices.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may end the test")]
mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::{image, json, text, tool, words};

fn sha256(path: &Path) -> String {
    let bytes = fs::read(path).unwrap();
    esos_fetch::Sha256::of(&bytes).to_string()
}

/// A program that is none but looks like one.
fn program(dir: &Path, name: &str) -> std::path::PathBuf {
    let mut elf = b"\x7fELF\x02\x01\x01\0".to_vec();
    elf.resize(5000, 7);
    (elf[16], elf[17], elf[18], elf[19]) = (2, 0, 62, 0);
    let path = dir.join(name);
    fs::write(&path, elf).unwrap();
    path
}

#[test]
fn a_new_file_an_old_file_and_a_tool() {
    let dir = tempfile::tempdir().unwrap();
    let source = image(dir.path(), "1.0", None);
    let target = dir.path().join("stick");
    let done = json(&["write", text(&source), text(&target)], 0);
    assert!(done["data"]["done"]["read_back_bytes"].as_u64().unwrap() > 300 << 20);
    assert_eq!(tool(&["verify", text(&target)]).status.code(), Some(0));

    // It exists now: only its name agrees.
    let write = ["write", text(&source), text(&target)];
    let before = fs::metadata(&target).unwrap().modified().unwrap();
    words(&[&write[..], &["--yes"]].concat(), 5);
    for wrong in ["yes", "no way", "stic", "stick2", ""] {
        words(&[&write[..], &["--yes-erase", wrong]].concat(), 5);
    }
    let raid = program(dir.path(), "storcli64");
    let agreed = [&write[..], &["--yes-erase", "stick", "--tool", text(&raid)]].concat();
    words(&agreed, 2);
    let zeros = "0".repeat(64);
    assert!(words(&[&agreed[..], &["--sha256", &zeros]].concat(), 5).contains("expected 000"));
    assert_eq!(fs::metadata(&target).unwrap().modified().unwrap(), before, "nothing was written");
    let sum = sha256(&raid);
    let done = json(&[&agreed[..], &["--sha256", &sum]].concat(), 0);
    assert_eq!(done["data"]["tools"][0], "storcli64");
    assert_eq!(tool(&["verify", text(&target)]).status.code(), Some(0));

    // What the box does with it, and after an upgrade again.
    let root = dir.path().join("root");
    fs::create_dir(&root).unwrap();
    let new = image(dir.path(), "2.0", None);
    for _ in 0..2 {
        json(&["tools", text(&target), "--root", text(&root)], 0);
        assert_eq!(fs::read(root.join("opt/sbin/storcli64")).unwrap(), fs::read(&raid).unwrap());
        fs::remove_file(root.join("opt/sbin/storcli64")).unwrap();
        json(&["upgrade", text(&new), "--target", text(&target), "--accept-unsigned", "2.0", "--dry-run"], 0);
    }
    let small = dir.path().join("small");
    fs::File::create(&small).unwrap().set_len(100 << 20).unwrap();
    assert!(words(&["write", text(&source), text(&small), "--yes-erase", "small"], 5).contains("needs"));
}

/// A loop device over a file; gone when dropped.
struct Loop(String);

impl Loop {
    fn over(file: &Path) -> Option<Self> {
        Self::of_sectors(file, 512)
    }

    fn of_sectors(file: &Path, sector: u32) -> Option<Self> {
        let sector = sector.to_string();
        let out =
            Command::new("losetup").args(["--find", "--show", "-b", &sector]).arg(file).output().ok()?;
        out.status.success().then(|| Self(String::from_utf8_lossy(&out.stdout).trim().to_owned()))
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _gone = Command::new("losetup").args(["-d", &self.0]).status();
    }
}

#[test]
fn a_loop_device_is_written_and_one_in_use_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let source = image(dir.path(), "1.0", None);
    let file = dir.path().join("disk");
    fs::File::create(&file).unwrap().set_len(500 << 20).unwrap();
    let Some(disk) = Loop::over(&file) else {
        return println!("skipped: a_loop_device_is_written: no loop device can be made here");
    };
    let name = disk.0.trim_start_matches("/dev/").to_owned();
    let write = ["write", text(&source), &disk.0, "--yes-erase", &name];
    if !Path::new("/sys/class/block").join(&name).exists() {
        return println!("skipped: a_loop_device_is_written: /sys does not show {name}");
    }
    json(&write, 0);
    assert_eq!(tool(&["verify", &disk.0]).status.code(), Some(0));
    assert_eq!(json(&["slots", &disk.0], 0)["data"]["default"], "PRIMARY");

    // The image on a file system on the loop device; a member of an array; mounted.
    words(&["write", &disk.0, &disk.0, "--yes-erase", &name], 2);
    let pv = Command::new("mkfs.ext4").args(["-q", "-F", &disk.0]).status().is_ok_and(|s| s.success());
    let mount = dir.path().join("mnt");
    fs::create_dir(&mount).unwrap();
    if pv && Command::new("mount").arg(&disk.0).arg(&mount).status().is_ok_and(|s| s.success()) {
        let said = words(&write, 5);
        let _gone = Command::new("umount").arg(&mount).status();
        assert!(said.contains("is mounted on") && said.contains("umount "), "{said}");
    } else {
        println!("skipped: a mounted loop device: it cannot be mounted here");
    }
    let member = [&b"LABELONE"[..], &[0; 16], b"LVM2 001", &[b'a'; 32]].concat();
    {
        use std::os::unix::fs::FileExt;
        let raw = fs::OpenOptions::new().write(true).open(&disk.0).unwrap();
        raw.write_all_at(&member, 512).unwrap();
        raw.sync_all().unwrap();
    }
    let said = words(&write, 5);
    assert!(said.contains("LVM2_member") && said.contains("pvremove"), "{said}");
}

/// A device of 4096-byte sectors: one a MiB too small is refused untouched, one large enough is written in its own.
#[test]
fn native_sectors_of_4096_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let source = image(dir.path(), "1.0", None);
    let needs = fs::metadata(&source).unwrap().len();
    for (len, fits) in [(needs - (1 << 20), false), (needs + (64 << 20), true)] {
        let file = dir.path().join("disk");
        fs::File::create(&file).unwrap().set_len(len).unwrap();
        let Some(disk) = Loop::of_sectors(&file, 4096) else {
            return println!("skipped: native_sectors_of_4096_bytes: no such loop device can be made here");
        };
        let name = disk.0.trim_start_matches("/dev/").to_owned();
        let block = format!("/sys/class/block/{name}/queue/logical_block_size");
        if fs::read_to_string(block).is_ok_and(|bytes| bytes.trim() != "4096")
            || !Path::new("/sys/class/block").join(&name).exists()
        {
            return println!("skipped: native_sectors_of_4096_bytes: /sys shows no such {name}");
        }
        let write = ["write", text(&source), &disk.0, "--yes-erase", &name];
        if !fits {
            assert!(words(&write, 5).contains("needs"));
            assert!(fs::read(&file).unwrap().iter().all(|byte| *byte == 0), "it was written");
            continue;
        }
        json(&write, 0);
        assert_eq!(tool(&["verify", &disk.0]).status.code(), Some(0));
        // The header of the table is its second sector.
        let mut head = [0; 8];
        std::os::unix::fs::FileExt::read_exact_at(&fs::File::open(&file).unwrap(), &mut head, 4096).unwrap();
        assert_eq!(&head, b"EFI PART");
    }
}
