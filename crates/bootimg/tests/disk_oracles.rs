//! What we write, judged by the tools of the field. A tool that is not installed is named and skipped.
#![cfg(test)]
use esos_bootimg::disk::ext4::Ext4Image;
use esos_bootimg::disk::fat::{FatFile, FatImage, Place};
use esos_bootimg::disk::gpt::{Partition, SectorSize, Table};
use esos_bootimg::disk::squashfs::Writer;
use esos_bootimg::disk::{Guid, Seed};
use esos_exec::{Cmd, ExecError, Exit, HostRunner, Runner};
use std::io::Write;
use std::time::Duration;
use tempfile::NamedTempFile;

/// Runs a tool; `None` where it is not installed.
fn tool(cmd: &Cmd) -> Option<(Exit, String)> {
    match HostRunner.run(&cmd.clone().limit(Duration::from_secs(120))) {
        Err(ExecError::NotFound { program }) => {
            println!("skipped: {} is not installed", program.display());
            None
        }
        Err(error) => panic!("{error}"),
        Ok(out) => Some((out.status, format!("{}{}", out.text(), out.error_text()))),
    }
}

fn clean(cmd: &Cmd) -> Option<String> {
    let (status, text) = tool(cmd)?;
    assert!(status.success(), "{cmd}: {status}\n{text}");
    Some(text)
}

fn file_of(len: u64) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    file.as_file().set_len(len).unwrap();
    file
}

#[test]
fn e2fsck_finds_nothing_in_an_empty_ext4() {
    for mib in [32, 100, 127, 128, 129, 140, 256, 512, 1031, 4096, 20_000] {
        let mut file = file_of(mib << 20);
        let image = Ext4Image {
            label: "esos_logs".into(),
            uuid: Seed::from_text("logs").bytes("uuid"),
            hash_seed: Seed::from_text("logs").bytes("hash"),
            len: mib << 20,
            time: 1_700_000_000,
        };
        image.write(&mut file).unwrap();
        let Some(text) = clean(&Cmd::new("/usr/sbin/e2fsck").args(["-f", "-n"]).arg(file.path())) else {
            return;
        };
        assert!(text.contains("11/") && !text.contains("ix?"), "{mib} MiB: {text}");
    }
}

#[test]
fn fsck_fat_and_mtools_agree_with_the_esp() {
    for sector in [SectorSize::B512, SectorSize::B4096] {
        let mut file = file_of(264 << 20);
        let one = |path: &str, content: Vec<u8>, place| FatFile { path: path.into(), content, place };
        let image = FatImage {
            label: "ESOS_BOOT".into(),
            serial: 0xe505_0001,
            sector,
            len: 264 << 20,
            hidden: 4096,
            time: 1_700_000_000,
            files: vec![
                one("esos/state/ca", vec![b'a'; 512], Place::Next),
                one("esos/state/cb", vec![b'b'; 512], Place::Beyond(4 << 20)),
                one("esos/grub.cfg", b"set timeout=5\n".to_vec(), Place::Next),
                one("EFI/BOOT/BOOTX64.EFI", vec![1; 900_000], Place::Next),
                one("esos/a rather long name.conf", vec![2; 4096], Place::Next),
            ],
        };
        image.write(&mut file).unwrap();
        if let Some(text) = clean(&Cmd::new("/usr/sbin/fsck.fat").args(["-n", "-v"]).arg(file.path())) {
            assert!(text.contains("10 files, "), "{text}");
        }
        let mtype = |path: &str| clean(&Cmd::new("/usr/bin/mtype").arg("-i").arg(file.path()).arg(path));
        if let Some(text) = mtype("::/esos/grub.cfg") {
            assert_eq!(text, "set timeout=5\n");
            assert_eq!(mtype("::/ESOS/A rather long name.conf").unwrap().len(), 4096);
        }
    }
}

#[test]
fn unsquashfs_unpacks_a_slot() {
    let names: Vec<String> = (0..400).map(|n| format!("a-file-with-a-longer-name-{n:03}")).collect();
    let mut files: Vec<(&str, Vec<u8>)> =
        names.iter().map(|n| (n.as_str(), n.clone().into_bytes())).collect();
    files.push(("vmlinuz", (0..5_000_001u32).map(|n| (n / 7) as u8).collect()));
    files.push(("empty", vec![]));
    let mut image = NamedTempFile::new().unwrap();
    let mut writer = Writer::new(&mut image, 1_700_000_000).unwrap();
    for (name, bytes) in &files {
        writer.add(name, bytes.len() as u64, &mut &bytes[..]).unwrap();
    }
    writer.finish().unwrap();
    for (name, bytes) in &files[390..] {
        let cat = Cmd::new("/usr/bin/unsquashfs").arg("-cat").arg(image.path()).arg(*name);
        match HostRunner.run(&cat) {
            Err(ExecError::NotFound { .. }) => return println!("skipped: unsquashfs is not installed"),
            Err(error) => panic!("{error}"),
            Ok(out) => assert!(out.status.success() && out.stdout == *bytes, "{name}: {}", out.error_text()),
        }
    }
    let text = clean(&Cmd::new("/usr/bin/unsquashfs").arg("-lln").arg(image.path())).unwrap();
    assert_eq!(text.lines().filter(|l| l.starts_with("-r--r--r-- 0/0")).count(), 402, "{text}");
}

#[test]
fn sgdisk_verifies_the_partition_table() {
    let mut disk = file_of(64 << 20);
    let seed = Seed::from_text("sgdisk");
    let partition = |name: &str, kind, first, last| {
        Some(Partition { name: name.into(), kind, id: seed.guid(name), first, last, attributes: 0 })
    };
    let table = Table {
        sector: SectorSize::B512,
        sectors: (64 << 20) / 512,
        disk: seed.guid("disk"),
        partitions: vec![
            partition("esos_bios", Guid::BIOS_BOOT, 2048, 4095),
            partition("ESOS_BOOT", Guid::ESP, 4096, 8191),
        ],
    };
    table.write(&mut disk, &[0x90; 440]).unwrap();
    disk.flush().unwrap();
    let Some(text) = clean(&Cmd::new("/usr/sbin/sgdisk").arg("-v").arg("-p").arg(disk.path())) else {
        return;
    };
    assert!(text.contains("No problems found"), "{text}");
    assert!(text.contains("EF02  esos_bios") && text.contains("EF00  ESOS_BOOT"), "{text}");
}
