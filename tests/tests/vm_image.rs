//! The default image boots as a USB stick under both firmwares, as it is shipped.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use esos_tests::image::{self, Kind};
use esos_tests::{Level, allowed, skip};
use esos_vm::{Bus, Firmware};
use serde_json::Value;
use std::path::{Path, PathBuf};
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

/// What is mounted while nobody syncs: what was set up at the first login is kept soon after it, and for that moment the
/// stick is mounted.
const MOUNTS: &str = "n=0; while m=$(cat /proc/mounts); [ $n -lt 60 ]; do
    case $m in */run/esos/esos-mnt*) n=$((n + 1)); sleep 1 ;; *) break ;; esac; done; echo \"$m\"";

/// The root is in memory, and nothing of the stick can be written.
fn root_is_in_memory(mounts: &str) {
    let root = mounts.lines().rfind(|line| line.split(' ').nth(1) == Some("/")).unwrap();
    assert!(root.split(' ').nth(2) == Some("tmpfs"), "{mounts}");
    let writable = mounts.lines().filter(|line| {
        let mut words = line.split(' ');
        let device = words.next().unwrap_or("");
        let options = words.nth(2).unwrap_or("");
        device.starts_with("/dev/") && options.split(',').any(|option| option == "rw")
    });
    assert_eq!(writable.collect::<Vec<_>>(), [""; 0], "{mounts}");
}

/// PID 1 is sysvinit.
fn init_is_sysvinit(init: &str) {
    assert!(init.ends_with("/sbin/init\ninit"), "{init}");
}

const INIT: &str = "readlink -f /proc/1/exe; cat /proc/1/comm";

fn steps(data: &Value) -> Vec<&str> {
    data["steps"].as_array().into_iter().flatten().filter_map(|step| step["name"].as_str()).collect()
}

#[test]
fn bios_from_a_usb_stick_to_esos_status() {
    let Some(image) = default_image("bios_from_a_usb_stick_to_esos_status", Level::Ci) else { return };
    let _turn = image::turn();
    let boot = image::boot(&image, Firmware::Bios, Bus::Usb);
    let guest = image::up(boot.machine(), &boot).unwrap();
    root_is_in_memory(&guest.run(MOUNTS).unwrap().text());
    init_is_sysvinit(&guest.run(INIT).unwrap().text());
    let status = guest.run("esos status").unwrap();
    assert!(status.success(), "{status:?}");
    let text = status.text();
    for word in ["PRIMARY", "kernel", "uptime", "memory", "stick"] {
        assert!(text.to_lowercase().contains(&word.to_lowercase()), "no {word} in\n{text}");
    }
    let steps: Vec<_> = esos_vm::boot::steps(&guest).iter().map(|step| step.name).collect();
    assert_eq!(steps, ["grub", "kernel", "init", "sysvinit", "login"]);
}

/// The command that a person types: boots, logs in, runs a command; `data` of its document.
fn run(image: &Path, firmware: Firmware, bus: Bus, command: &str) -> Value {
    let out = Command::new(image::release("esos-image").unwrap())
        .arg("run")
        .arg(image)
        .args(["--firmware", &firmware.to_string(), "--bus", &bus.to_string()])
        .args(["--until-login", "--timeout", "1800", "--json", "--exec", command])
        .output()
        .unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "{firmware} {bus}: {}\n{stdout}\n{stderr}", out.status);
    let mut document: Value = serde_json::from_str(&stdout).unwrap();
    let data = document["data"].take();
    assert_eq!(data["exec"]["status"], 0, "{data:#}");
    assert_eq!(steps(&data), ["grub", "kernel", "init", "sysvinit", "login"], "{data:#}");
    assert!(data["boot"]["steps"].as_array().is_some_and(|steps| !steps.is_empty()), "{data:#}");
    data
}

fn answer(data: &Value) -> &str {
    data["exec"]["stdout"].as_str().unwrap().trim_end()
}

#[test]
fn uefi_from_a_usb_stick_by_esos_image_run() {
    let Some(image) = default_image("uefi_from_a_usb_stick_by_esos_image_run", Level::Ci) else { return };
    let _turn = image::turn();
    let data = run(&image, Firmware::Uefi, Bus::Usb, "esos status --json");
    let status: Value = serde_json::from_str(answer(&data)).unwrap();
    assert!(status["data"].is_object(), "{status:#}");
}

/// Every firmware with every bus, each to a login with its root in memory.
#[test]
fn every_firmware_and_bus() {
    let Some(image) = default_image("every_firmware_and_bus", Level::All) else { return };
    let _turn = image::turn();
    for firmware in Firmware::ALL {
        for bus in [Bus::Usb, Bus::Virtio, Bus::Sata] {
            let data = run(&image, firmware, bus, &format!("{MOUNTS}; echo INIT; {INIT}"));
            let (mounts, init) = answer(&data).split_once("INIT\n").unwrap();
            root_is_in_memory(mounts);
            init_is_sysvinit(init);
            let times = |list: &Value, name: &str, time: &str| {
                let all = list.as_array().into_iter().flatten();
                all.map(|s| format!("{} {}", s[name].as_str().unwrap_or("?"), s[time]))
                    .collect::<Vec<_>>()
                    .join(", ")
            };
            let (seen, own) = (&data["steps"], &data["boot"]["steps"]);
            println!("{firmware} {bus} ({}): {}", data["accel"], times(seen, "name", "seconds"));
            println!("  esos-init, ms: {}", times(own, "step", "took_ms"));
        }
    }
}
