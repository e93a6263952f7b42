//! Secure Boot with Microsoft's keys enrolled: what Debian signed starts, and one byte of it changed does not.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
use esos_bootimg::disk::Region;
use esos_bootimg::disk::fat::Fat;
use esos_bootimg::disk::gpt::{Copy, Table};
use esos_layout::{Slot, part, slot};
use esos_tests::damage::{Damage, places};
use esos_tests::disk::{signed_loader, tiny_image};
use esos_tests::image::{self, release, target_dir, turn};
use esos_tests::tiny::Tiny;
use esos_tests::{Level, allowed, skip};
use esos_units::Bytes;
use esos_vm::boot::{BootError, until_login};
use esos_vm::{Bus, Disk, Firmware, Guest, Machine, Mark};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(900);
const SHIM: &str = "EFI/BOOT/BOOTX64.EFI";
const GRUB: &str = "EFI/BOOT/grubx64.efi";

/// Changes one bit in the middle of a file of the EFI system partition; the same again undoes it.
fn change(image: &Path, path: &str) {
    let mut disk = File::options().read(true).write(true).open(image).unwrap();
    let table = Table::read(&mut disk, Copy::Primary).unwrap();
    let (start, len) = table.extent(table.find(part::BOOT).unwrap().1);
    let entry = Fat::open(Region::new(&mut disk, start, len)).unwrap().find(path).unwrap();
    let extent = entry.extents.first().unwrap();
    let at = SeekFrom::Start(start + extent.start + extent.len / 2);
    let mut byte = [0];
    disk.seek(at).unwrap();
    disk.read_exact(&mut byte).unwrap();
    disk.seek(at).unwrap();
    disk.write_all(&[byte[0] ^ 1]).unwrap();
}

fn start(image: &Path, secure: bool) -> Guest {
    let disk = Disk::new(image, Bus::Usb);
    let machine = Machine::new("secure").firmware(Firmware::Uefi).memory(Bytes::mib(512)).disk(disk);
    if secure { machine.secure_boot() } else { machine }.start().unwrap()
}

/// The words by which it was refused.
fn refused(guest: &Guest) -> String {
    match until_login(guest, LIMIT) {
        Err(BootError::Refused { words, .. }) => words,
        other => panic!("{other:?}: {}", guest.console().text()),
    }
}

#[test]
fn a_changed_byte_of_shim_grub_or_kernel_is_refused() {
    let test = "a_changed_byte_of_shim_grub_or_kernel_is_refused";
    if !allowed(test, Level::All) {
        return;
    }
    let made = Tiny::new().and_then(|tiny| Ok((tiny, signed_loader()?)));
    let (tiny, loader) = match made {
        Ok(made) => made,
        Err(why) => return skip(test, &why),
    };
    let _turn = turn();
    let image = tiny.path("secure.img");
    tiny_image(&image, &tiny, loader, ("1.0", None)).unwrap();

    // As it is, with the keys and without them.
    for secure in [true, false] {
        let guest = start(&image, secure);
        let ready = guest.console().wait_for(Mark::default(), "TINY-READY", LIMIT).unwrap();
        guest.console().wait_for(ready, "tiny# ", LIMIT).unwrap();
        guest.open_channel(LIMIT).unwrap();
        let said = guest.run_within("dmesg", LIMIT).unwrap().text().to_lowercase();
        let enabled = said.contains("secure boot enabled");
        assert_eq!(enabled, secure, "{said}");
        println!("Secure Boot {secure}: shell after {:.0?}", guest.elapsed());
    }
    for path in [GRUB, SHIM] {
        change(&image, path);
        let guest = start(&image, true);
        println!("{path} changed: `{}` after {:.0?}", refused(&guest), guest.elapsed());
        assert!(!guest.console().text().contains("ESOS: starting"));
        change(&image, path);
    }
    // The kernel is checked by its signature; there is no other slot, and the machine starts again by itself.
    let mut disk = File::open(&image).unwrap();
    let all = places(&mut disk).unwrap();
    let kernel = all.iter().find(|p| p.slot == Slot::Primary && p.name == slot::KERNEL).unwrap();
    Damage::flip(&mut disk, kernel, kernel.len / 2, 0).unwrap().strike(&image).unwrap();
    let guest = start(&image, true);
    let again = |text: &str| (text.matches("ESOS: starting").count() > 1).then_some(());
    guest.console().wait_until(Mark::default(), "a second start", LIMIT, again).unwrap();
    let text = guest.console().text();
    assert!(text.contains("bad shim signature"), "{text}");
    assert!(text.contains("ESOS: PRIMARY cannot be started.") && text.contains("no slot can be started."));
    assert!(!text.contains("TINY-CMDLINE"), "{text}");
    println!("kernel changed: refused, started again after {:.0?}", guest.elapsed());
}

/// `ESOS_SECURE_IMAGE` names one that is there already; else one is built.
fn secure_image() -> Result<PathBuf, String> {
    if let Some(path) = std::env::var_os("ESOS_SECURE_IMAGE") {
        return Ok(path.into());
    }
    let out = target_dir()?.join("test-image-secure");
    let small = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/small.toml");
    let mut command = Command::new(release("esos-image")?);
    command.args(["build", "--secure-boot", "--no-compress", "--manifest"]).arg(small).arg("--out").arg(&out);
    let said = command.output().map_err(|e| e.to_string())?;
    let words = String::from_utf8_lossy(&said.stderr).into_owned();
    if said.status.success() { Ok(out.join("esos.img")) } else { Err(words) }
}

/// The commands of a user: `build --secure-boot`, then `run --secure-boot`.
#[test]
fn an_image_built_for_secure_boot_reaches_its_login_and_a_changed_one_is_refused() {
    let test = "an_image_built_for_secure_boot_reaches_its_login_and_a_changed_one_is_refused";
    if !allowed(test, Level::All) {
        return;
    }
    let tool = match release("esos-image") {
        Ok(tool) => tool,
        Err(why) => return skip(test, &why),
    };
    let built = secure_image().unwrap();
    let _turn = turn();
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let image = dir.path().join("esos.img");
    assert!(Command::new("cp").arg("--sparse=always").args([&built, &image]).status().unwrap().success());
    let run = |more: &[&str]| {
        let mut command = Command::new(&tool);
        command.arg("run").arg(&image).args(["--secure-boot", "--json", "--timeout"]);
        let out = command.arg((2 * image::LIMIT.as_secs()).to_string()).args(more).output().unwrap();
        let document: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
        (out.status.code(), document)
    };
    let (status, said) = run(&["--exec", "dmesg | grep -i 'secure boot'; cat /proc/cmdline"]);
    assert_eq!(status, Some(0), "{said}");
    let text = said["data"]["exec"]["stdout"].as_str().unwrap();
    assert!(text.to_lowercase().contains("secure boot enabled") && text.contains("slot=PRIMARY"), "{text}");
    println!("login and command after {} s: {text}", said["data"]["seconds"]);

    change(&image, GRUB);
    let (status, said) = run(&["--until-login"]);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.to_string().contains("Secure Boot refuses it"), "{said}");
    println!("GRUB changed: {}", said["error"]);
}
