//! `esos-image write` on a running box: who uses a disk is found out on a real kernel, and what is written onto a
//! stick starts.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking")]
use esos_tests::disk::{boot_loader, grub_tools, tiny_image};
use esos_tests::image::{self, Kind, LIMIT, release};
use esos_tests::tiny::Tiny;
use esos_tests::{Level, allowed, skip};
use esos_units::Bytes;
use esos_vm::{Answer, Bus, Disk, Firmware, Guest, Keep, Machine, Mark};
use std::path::Path;
use std::process::Command;

fn ask(guest: &Guest, command: &str) -> Answer {
    guest.run_within(command, LIMIT).unwrap()
}

fn done(guest: &Guest, command: &str) -> String {
    let answer = ask(guest, command);
    assert!(answer.success(), "{command}: {} {}", answer.text(), answer.error_text());
    answer.text()
}

/// Must be refused with these words, and nothing may be written.
fn refused(guest: &Guest, disk: &str, more: &str, words: &[&str]) {
    let sum = format!("dd if=/dev/{disk} bs=1M count=8 status=none | sha256sum");
    let before = done(guest, &sum);
    let answer = ask(guest, &format!("esos-image write /dev/vda /dev/{disk} {more} </dev/null"));
    let said = answer.error_text();
    assert_eq!(answer.status, 5, "{disk}: {said}");
    for word in words {
        assert!(said.contains(word), "{disk}: no `{word}` in {said}");
    }
    assert_eq!(done(guest, &sum), before, "{disk} was written");
    println!(
        "{disk} {more}: {}",
        said.lines().filter(|l| !l.starts_with("  ")).collect::<Vec<_>>().join(" | ")
    );
}

#[test]
fn what_is_in_use_is_refused_and_a_written_stick_starts() {
    let test = "what_is_in_use_is_refused_and_a_written_stick_starts";
    if !allowed(test, Level::All) {
        return;
    }
    let made = Tiny::new().and_then(|tiny| Ok((tiny, grub_tools()?, image::find(Kind::Default)?)));
    let (tiny, tools, stick) = match made {
        Ok(made) => made,
        Err(why) => return skip(test, &why),
    };
    let _turn = image::turn();
    let source = tiny.path("source.img");
    let summary = tiny_image(&source, &tiny, boot_loader(&tools).unwrap(), ("1.0", None)).unwrap();
    let room = Bytes::new(summary.bytes.next_multiple_of(1 << 30) + (1 << 30));
    let blank = |name, size| tiny.blank(name, size).unwrap();
    let (target, small) = (blank("target", room), blank("small", Bytes::mib(100)));
    // Disks of 4096-byte sectors: one a MiB too small, one large enough.
    let (few, native) = (blank("few", Bytes::new(summary.bytes - (1 << 20))), blank("native", room));
    let boot = image::boot(&stick, Firmware::Bios, Bus::Usb);
    let mut machine = Machine::new("write")
        .disk(Disk::new(&stick, Bus::Usb).id("stick"))
        .disk(Disk::new(&target, Bus::Usb).id("target").serial("TARGET").keep(Keep::Write))
        .disk(Disk::new(&small, Bus::Usb).id("small").serial("SMALL"))
        .disk(Disk::new(&source, Bus::Virtio).id("source"));
    for name in ["member", "volume", "mounted", "swapped"] {
        machine = machine.disk(Disk::new(blank(name, room), Bus::Virtio).id(name));
    }
    for (name, file) in [("few", &few), ("native", &native)] {
        machine = machine.disk(Disk::new(file, Bus::Virtio).id(name).sector(4096));
    }
    let guest = image::up(machine, &boot).unwrap();
    if std::env::var_os("ESOS_IMAGE").is_some() {
        // The image may be older than the program.
        let program = std::fs::read(release("esos-image").unwrap()).unwrap();
        guest.write_file("/usr/sbin/esos-image", &program).unwrap();
        done(&guest, "chmod 755 /usr/sbin/esos-image");
    }
    let node = |serial: &str| {
        let found =
            done(&guest, &format!("lsblk -dno NAME,SERIAL | awk '$2 == \"{serial}\" {{ print $1 }}'"));
        found.trim().to_owned()
    };
    let (target_node, small_node, stick_node) = (node("TARGET"), node("SMALL"), node("stick"));
    assert!(!target_node.is_empty() && !small_node.is_empty() && !stick_node.is_empty());

    let erase = |disk: &str| format!("--yes-erase {disk}");
    refused(&guest, &stick_node, &erase(&stick_node), &["in use", "booted from"]);
    let array =
        "mdadm --create /dev/md7 --run --metadata=1.2 --level=1 --raid-devices=2 /dev/vdb missing </dev/null";
    done(&guest, array);
    refused(&guest, "vdb", &erase("vdb"), &["md7", "mdadm --stop"]);
    done(&guest, "mdadm --stop /dev/md7");
    refused(&guest, "vdb", &erase("vdb"), &["linux_raid_member", "mdadm --zero-superblock /dev/vdb"]);
    done(&guest, "pvcreate -q /dev/vdc && vgcreate -q pool /dev/vdc && lvcreate -q -n v -L 64M pool");
    refused(&guest, "vdc", &erase("vdc"), &["pool-v", "vgchange -an pool"]);
    done(&guest, "vgchange -an pool");
    refused(&guest, "vdc", &erase("vdc"), &["LVM2_member", "pvremove /dev/vdc"]);
    // Read-only, so that the kernel itself writes nothing.
    done(&guest, "mkfs.ext4 -q /dev/vdd && mkdir /tmp/m && mount -o ro /dev/vdd /tmp/m");
    refused(&guest, "vdd", &erase("vdd"), &["is mounted on /tmp/m", "umount "]);
    done(&guest, "mkswap -q /dev/vde && swapon /dev/vde");
    refused(&guest, "vde", &erase("vde"), &["swap", "swapoff /dev/vde"]);
    refused(&guest, &small_node, &erase(&small_node), &["needs"]);
    let (few_node, native_node) = (node("few"), node("native"));
    for disk in [&few_node, &native_node] {
        assert_eq!(done(&guest, &format!("blockdev --getss /dev/{disk}")).trim(), "4096");
    }
    refused(&guest, &few_node, &erase(&few_node), &["needs"]);
    // One of them that is large enough is written in its own sectors.
    done(&guest, &format!("esos-image write /dev/vda /dev/{native_node} {}", erase(&native_node)));
    done(&guest, &format!("esos-image verify /dev/{native_node}"));
    assert_eq!(done(&guest, &format!("lsblk -rno NAME /dev/{native_node}")).lines().count(), 7);

    // Nobody there, and every wrong word.
    refused(&guest, &target_node, "", &["--yes-erase"]);
    for wrong in ["yes", "'no way'", "''", "sd", &stick_node] {
        refused(&guest, &target_node, &erase(wrong), &[&target_node]);
    }
    let write = format!("esos-image write /dev/vda /dev/{target_node} {} --json", erase(&target_node));
    let said = ask(&guest, &write);
    assert_eq!(said.status, 0, "{}", said.error_text());
    println!("{}", said.error_text());
    let document: serde_json::Value = serde_json::from_str(&said.text()).unwrap();
    let wrote = &document["data"]["done"];
    assert_eq!(wrote["written_bytes"], wrote["read_back_bytes"]);
    println!("written and read back: {wrote}");
    done(&guest, &format!("esos-image verify /dev/{target_node}"));
    done(&guest, "sync");
    drop(guest);

    let disk = Disk::new(&target, Bus::Usb);
    let guest = Machine::new("written").memory(Bytes::mib(512)).disk(disk).start().unwrap();
    guest.console().wait_for(Mark::default(), "TINY-READY", LIMIT).unwrap();
    println!("what was written starts: {:.0?}", guest.elapsed());
}

/// Looks like a program for Linux on x86, and says its name.
fn raid_tool(path: &Path) {
    let source = "#include <stdio.h>\nint main(void) { puts(\"the maker's tool\"); return 0; }\n";
    std::fs::write(path.with_extension("c"), source).unwrap();
    let built = Command::new("cc").arg("-static").arg("-o").arg(path).arg(path.with_extension("c")).status();
    assert!(built.unwrap().success());
}

#[test]
fn a_tool_lies_in_opt_sbin_after_the_boot() {
    let test = "a_tool_lies_in_opt_sbin_after_the_boot";
    if !allowed(test, Level::All) {
        return;
    }
    let made = release("esos-image").and_then(|tool| Ok((tool, image::find(Kind::Small)?)));
    let (tool, small) = match made {
        Ok(made) => made,
        Err(why) => return skip(test, &why),
    };
    let _turn = image::turn();
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let (raid, stick) = (dir.path().join("storcli64"), dir.path().join("stick.img"));
    raid_tool(&raid);
    let sum = Command::new("sha256sum").arg(&raid).output().unwrap();
    let sum = String::from_utf8_lossy(&sum.stdout).split(' ').next().unwrap().to_owned();
    let write = |sum: &str| {
        let mut command = Command::new(&tool);
        command.arg("write").args([&small, &stick]).arg("--tool").arg(&raid).args(["--sha256", sum]);
        command.output().unwrap()
    };
    let wrong = write(&"0".repeat(64));
    assert_eq!((wrong.status.code(), stick.exists()), (Some(5), false));
    let right = write(&sum);
    assert!(right.status.success(), "{}", String::from_utf8_lossy(&right.stderr));
    let boot = image::boot(&stick, Firmware::Bios, Bus::Usb);
    let guest = image::up(boot.machine(), &boot).unwrap();
    assert_eq!(done(&guest, "/opt/sbin/storcli64").trim(), "the maker's tool");
    println!("login after {:.0?}, and the tool runs", guest.elapsed());
}
