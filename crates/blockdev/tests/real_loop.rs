//! A real loop device of this machine, where one can be had: who uses it is seen, and it is not taken
//! from them.
#![allow(clippy::unwrap_used, reason = "a helper of tests may end the test")]
use esos_blockdev::{Claimant, Claims, DeviceKind, Inventory, claim, probe};
use esos_hostfs::{MountFlags, Stream, TempDir, mount, unmount};
use std::path::Path;
use std::process::Command;

fn run(program: &str, args: &[&str]) -> Option<String> {
    let out = Command::new(program).args(args).output().ok()?;
    out.status.success().then(|| String::from_utf8_lossy(&out.stdout).trim().to_owned())
}

/// A loop device that is let go of at the end.
struct Loop(String);

impl Drop for Loop {
    fn drop(&mut self) {
        run("losetup", &["-d", &self.0]);
    }
}

fn look() -> (Inventory, Claims) {
    let root = Path::new("/");
    (Inventory::of_machine(root).unwrap(), Claims::of_machine(root).unwrap())
}

#[test]
fn a_mounted_loop_device_is_in_use_and_cannot_be_taken() {
    let dir = TempDir::new("loop").unwrap();
    let image = dir.path().join("disk.img");
    Stream::create(&image, 0o600).unwrap().set_len(16 << 20).unwrap();
    let file = image.to_str().unwrap();
    let made = run("mkfs.ext4", &["-q", "-F", "-L", "looped", file])
        .and_then(|_| run("losetup", &["-f", "--show", file]));
    let Some(node) = made else {
        println!("skipped: real_loop: needs root, mkfs.ext4, losetup and a free loop device");
        return;
    };
    let node = Loop(node);
    let name = node.0.trim_start_matches("/dev/").to_owned();
    let (inventory, claims) = look();
    let device = inventory.get(&name).unwrap();
    assert_eq!((&device.kind, device.backing_file.as_deref()), (&DeviceKind::Loop, Some(file)));
    assert_eq!(device.size.get(), 16 << 20);
    assert_eq!(inventory.uses(&name, &claims).unwrap(), []);
    let mut stream = claim(device).unwrap();
    assert_eq!(probe(&mut stream).unwrap()[0].label, "looped");
    assert!(claim(device).is_err(), "taken twice");
    drop(stream);

    let target = dir.path().join("mnt");
    std::fs::create_dir(&target).unwrap();
    mount(&node.0, &target, "ext4", MountFlags::READ_ONLY, "").unwrap();
    let (inventory, mut claims) = look();
    claims.others.push(Claimant { who: "a test".into(), path: node.0.clone() });
    let told: Vec<String> = inventory.uses(&name, &claims).unwrap().iter().map(ToString::to_string).collect();
    let refused = claim(inventory.get(&name).unwrap()).map(|_| ()).unwrap_err().to_string();
    unmount(&target, false).unwrap();
    assert_eq!(
        told,
        [format!("{name} is mounted on {}", target.display()), format!("{name} is used by a test")]
    );
    assert_eq!(refused, format!("{name} is in use: the kernel refuses to open it exclusively"));
}
