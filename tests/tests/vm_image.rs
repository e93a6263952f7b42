//! The default image boots as a USB stick under both firmwares, as it is shipped.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use esos_tests::image::{self, Kind};
use esos_tests::{Level, allowed, skip};
use esos_vm::{Bus, Firmware, Guest};
use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;

fn default_image(test: &str, level: Level) -> Option<PathBuf> {
    if !allowed(test, level) {
        return None;
    }
    // A tool that was not built is a reason to skip; a build that fails is none.
    if let Err(why) = image::release("esos-image") {
        skip(test, &why);
        return None;
    }
    Some(image::find(Kind::Default).unwrap())
}

/// The root is in memory, and nothing of the stick can be written.
fn root_is_in_memory(guest: &Guest) {
    let mounts = guest.run("cat /proc/mounts").unwrap().text();
    let root = mounts.lines().rfind(|line| line.split(' ').nth(1) == Some("/")).unwrap();
    assert!(root.split(' ').nth(2) == Some("tmpfs"), "{mounts}");
    let writable = mounts.lines().filter(|line| {
        let mut words = line.split(' ');
        let device = words.next().unwrap_or("");
        let options = words.nth(2).unwrap_or("");
        device.starts_with("/dev/") && options.split(',').any(|option| option == "rw")
    });
    assert_eq!(writable.collect::<Vec<_>>(), [""; 0], "{mounts}");
    let init = guest.run("readlink -f /proc/1/exe; cat /proc/1/comm").unwrap().text();
    assert!(init.ends_with("/sbin/init\ninit"), "{init}");
}

fn steps(data: &Value) -> Vec<&str> {
    data["steps"].as_array().into_iter().flatten().filter_map(|step| step["name"].as_str()).collect()
}

#[test]
fn bios_from_a_usb_stick_to_esos_status() {
    let Some(image) = default_image("bios_from_a_usb_stick_to_esos_status", Level::Ci) else { return };
    let _turn = image::turn();
    let boot = image::boot(&image, Firmware::Bios, Bus::Usb);
    let guest = image::up(boot.machine(), &boot).unwrap();
    root_is_in_memory(&guest);
    let status = guest.run("esos status").unwrap();
    assert!(status.success(), "{status:?}");
    let text = status.text();
    for word in ["PRIMARY", "kernel", "uptime", "memory", "stick"] {
        assert!(text.to_lowercase().contains(&word.to_lowercase()), "no {word} in\n{text}");
    }
    let steps: Vec<_> = esos_vm::boot::steps(&guest).iter().map(|step| step.name).collect();
    assert_eq!(steps, ["grub", "kernel", "init", "sysvinit", "login"]);
}

/// The same through the command that a person types.
#[test]
fn uefi_from_a_usb_stick_by_esos_image_run() {
    let Some(image) = default_image("uefi_from_a_usb_stick_by_esos_image_run", Level::Ci) else { return };
    let _turn = image::turn();
    let out = Command::new(image::release("esos-image").unwrap())
        .arg("run")
        .arg(&image)
        .args(["--firmware", "uefi", "--bus", "usb", "--until-login", "--timeout", "1200", "--json"])
        .args(["--exec", "esos status --json"])
        .output()
        .unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "{}\n{stdout}\n{stderr}", out.status);
    let document: Value = serde_json::from_str(&stdout).unwrap();
    let data = &document["data"];
    assert_eq!(steps(data), ["grub", "kernel", "init", "sysvinit", "login"], "{document:#}");
    assert_eq!(data["exec"]["status"], 0, "{document:#}");
    let status: Value = serde_json::from_str(data["exec"]["stdout"].as_str().unwrap()).unwrap();
    assert!(status["data"].is_object(), "{status:#}");
    assert!(data["boot"]["steps"].as_array().is_some_and(|steps| !steps.is_empty()), "{document:#}");
}

/// Every firmware with every bus, each to a login with its root in memory.
#[test]
fn every_firmware_and_bus() {
    let Some(image) = default_image("every_firmware_and_bus", Level::All) else { return };
    let _turn = image::turn();
    for firmware in Firmware::ALL {
        for bus in [Bus::Usb, Bus::Virtio, Bus::Sata] {
            let boot = image::boot(&image, firmware, bus);
            let guest = image::up(boot.machine(), &boot).unwrap();
            root_is_in_memory(&guest);
            let steps: Vec<_> =
                esos_vm::boot::steps(&guest).iter().map(|s| format!("{} {:.1}", s.name, s.seconds)).collect();
            println!("{firmware} {bus} ({}): {}", guest.accel(), steps.join(", "));
        }
    }
}
