//! Is it in use, and by what? Over a box with all that can lie on disks.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper of tests may end the test")]
use esos_blockdev::{Claimant, Claims, DeviceKind, Export, Inventory, Transport};
use esos_hostfs::{Mount, Swap};
use esos_sysfs::{AttrTree, MemTree};
use esos_units::Bytes;

const ATA: &str = "devices/pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/block/sda";
const NVME: &str = "devices/pci0000:00/0000:00:1d.0/0000:03:00.0/nvme/nvme0/nvme0n1";
const STICK: &str = "devices/pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0/host6/target6:0:0/6:0:0:0/block/sdb";
const TWIN: &str = "devices/pci0000:00/0000:00:14.0/usb2/2-2/2-2:1.0/host7/target7:0:0/7:0:0:0/block/sdc";
const MD: &str = "devices/virtual/block/md127";
const DM: &str = "devices/virtual/block/dm-0";
const LOOP: &str = "devices/virtual/block/loop0";

fn device(tree: MemTree, path: &str, dev: &str, sectors: u64) -> MemTree {
    let name = path.rsplit('/').next().unwrap();
    tree.link(&format!("class/block/{name}"), &format!("../../{path}"))
        .file(&format!("{path}/dev"), &format!("{dev}\n"))
        .file(&format!("{path}/size"), &format!("{sectors}\n"))
}

fn part(tree: MemTree, path: &str, dev: &str, number: u32, label: &str) -> MemTree {
    device(tree, path, dev, 2048)
        .file(&format!("{path}/partition"), &format!("{number}\n"))
        .file(&format!("{path}/start"), "2048\n")
        .file(&format!("{path}/uevent"), &format!("DEVTYPE=partition\nPARTN={number}\nPARTNAME={label}\n"))
}

fn hold(tree: MemTree, below: &str, above: &str) -> MemTree {
    let base = |p: &str| p.rsplit('/').next().unwrap().to_owned();
    tree.link(&format!("{below}/holders/{}", base(above)), &format!("/{above}"))
        .link(&format!("{above}/slaves/{}", base(below)), &format!("/{below}"))
}

fn machine() -> MemTree {
    let mut t = device(MemTree::new(), ATA, "8:0", 7_814_037_168)
        .link(&format!("{ATA}/device"), "../../../0:0:0:0")
        .file("devices/pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/vendor", "ATA     \n")
        .file("devices/pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/model", "ST4000NM0035-1V4\n")
        .file("devices/pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/wwid", "naa.5000c500a1b2c3d4\n")
        .file(
            "devices/pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/vpd_pg80",
            "\0\u{fffd}\0\u{8}ZC1234AB",
        );
    t = part(t, &format!("{ATA}/sda1"), "8:1", 1, "");
    t = part(t, &format!("{ATA}/sda2"), "8:2", 2, "");
    t = device(t, NVME, "259:0", 1_000_215_216)
        .link(&format!("{NVME}/device"), "../../nvme0")
        .file("devices/pci0000:00/0000:00:1d.0/0000:03:00.0/nvme/nvme0/model", "Samsung SSD 980\n");
    t = part(t, &format!("{NVME}/nvme0n1p2"), "259:2", 2, "");
    for (disk, dev, n) in [(STICK, "8:16", 1), (TWIN, "8:32", 33)] {
        let name = disk.rsplit('/').next().unwrap();
        t = device(t, disk, dev, 60_062_500).link(&format!("{disk}/device"), "../../../6:0:0:0");
        t = part(t, &format!("{disk}/{name}1"), &format!("8:{}", n + 16), 1, "ESOS_BOOT");
        t = part(t, &format!("{disk}/{name}2"), &format!("8:{}", n + 17), 2, "esos_primary");
    }
    t = t
        .file("devices/pci0000:00/0000:00:14.0/usb2/2-1/idVendor", "0781\n")
        .file("devices/pci0000:00/0000:00:14.0/usb2/2-1/manufacturer", "SanDisk\n")
        .file("devices/pci0000:00/0000:00:14.0/usb2/2-1/product", "Ultra USB 3.0\n")
        .file("devices/pci0000:00/0000:00:14.0/usb2/2-1/serial", "4C530001\n");
    t = device(t, MD, "9:127", 4000).file(&format!("{MD}/md/level"), "raid1\n");
    t = part(t, &format!("{MD}/md127p1"), "259:9", 1, "");
    t = device(t, DM, "253:0", 4000)
        .file(&format!("{DM}/dm/name"), "vg0-vol--01\n")
        .file(&format!("{DM}/dm/uuid"), "LVM-abc\n");
    t = device(t, LOOP, "7:0", 4000).file(&format!("{LOOP}/loop/backing_file"), "/mnt/data/disk.img\n");
    t = hold(t, &format!("{ATA}/sda1"), MD);
    t = hold(t, &format!("{NVME}/nvme0n1p2"), MD);
    hold(t, &format!("{MD}/md127p1"), DM)
}

fn claims() -> Claims {
    let mounts = "27 1 8:2 / /mnt/data rw - ext4 /dev/root rw\n28 1 0:40 / / rw - tmpfs tmpfs rw\n";
    let swaps = "Filename Type Size Used Priority\n/dev/nvme0n1 partition 1 0 -2\n";
    Claims {
        mounts: Mount::parse_all("m", mounts).unwrap(),
        swaps: Swap::parse_all("s", swaps).unwrap(),
        exports: vec![
            Export {
                device: "vol01".into(),
                handler: "vdisk_blockio".into(),
                filename: Some("/dev/vg0/vol-01".into()),
                luns: Vec::new(),
            },
            Export {
                device: "file".into(),
                handler: "vdisk_fileio".into(),
                filename: Some("/mnt/data/a.img".into()),
                luns: Vec::new(),
            },
        ],
        others: Vec::new(),
        boot_stick: Some("sdb".into()),
    }
}

fn uses(name: &str) -> Vec<String> {
    let inventory = Inventory::read(&machine()).unwrap();
    inventory.uses(name, &claims()).unwrap().iter().map(ToString::to_string).collect()
}

#[test]
fn relations_come_from_the_kernel() {
    let inventory = Inventory::read(&machine()).unwrap();
    for (name, disk) in [("nvme0n1p2", "nvme0n1"), ("md127p1", "md127"), ("sda2", "sda"), ("sda", "sda")] {
        assert_eq!(inventory.whole(name).unwrap().name, disk);
    }
    let below: Vec<_> = inventory.below("dm-0").iter().map(|d| d.name.as_str()).collect();
    assert_eq!(below, ["md127", "md127p1", "nvme0n1", "nvme0n1p2", "sda", "sda1"]);
    let sda = inventory.get("sda").unwrap();
    assert_eq!(
        (sda.model.as_deref(), sda.serial.as_deref(), &sda.transport),
        (Some("ST4000NM0035-1V4"), Some("ZC1234AB"), &Transport::Ata)
    );
    assert_eq!(sda.wwn().unwrap().hex(), "5000c500a1b2c3d4");
    assert_eq!(sda.scsi.unwrap().to_string(), "0:0:0:0");
    let stick = inventory.get("sdb").unwrap();
    assert_eq!(stick.describe(), "sdb (SanDisk Ultra USB 3.0, 28.6 GiB, serial 4C530001)");
    assert_eq!(inventory.get("sda1").unwrap().start, Some(Bytes::mib(1)));
    assert_eq!(inventory.get("md127p1").unwrap().kind, DeviceKind::Partition);
    assert_eq!(inventory.by_path("/dev/vg0/vol-01").unwrap().name, "dm-0");
    assert_eq!(inventory.by_path("/dev/mapper/vg0-vol--01").unwrap().name, "dm-0");
}

#[test]
fn every_kind_of_use_is_named_with_what_frees_it() {
    assert_eq!(
        uses("sda"),
        [
            "dm-0 is handed out by SCST as `vol01` (vdisk_blockio)",
            "md127p1 is part of vg0-vol--01 (dm)",
            "sda1 is part of md127 (md)",
            "sda2 is mounted on /mnt/data",
            "sda2 holds /mnt/data/a.img, which SCST hands out as `file` (vdisk_fileio)",
            "sda2 holds /mnt/data/disk.img, which is loop0",
        ]
    );
    // A sibling's use is not a partition's own; the whole disk's is.
    assert!(!uses("sda1").iter().any(|u| u.starts_with("sda2")));
    assert!(uses("nvme0n1p2").contains(&"nvme0n1 is used as swap".to_owned()));
    assert_eq!(uses("loop0"), Vec::<String>::new());
    let inventory = Inventory::read(&machine()).unwrap();
    assert!(inventory.uses("sdz", &claims()).is_none());
    let used = inventory.uses("sda", &claims()).unwrap();
    assert!(used.iter().all(|u| u.remedy().is_some()), "{used:?}");
    // From the top down, so that each works: the volume group stops before the array that it lies on.
    assert_eq!(
        inventory.remedies(&used),
        [
            "esos scst rm dev/vol01",
            "esos scst rm dev/file",
            "losetup -d /dev/loop0",
            "umount /mnt/data",
            "vgchange -an vg0",
            "mdadm --stop /dev/md127",
        ]
    );
}

#[test]
fn each_maker_of_a_mapped_device_has_its_own_command() {
    for (uuid, command) in [
        ("LVM-abc", "vgchange -an vg0"),
        ("mpath-3600a098", "multipath -f vg0-vol--01"),
        ("CRYPT-LUKS2-aa-x", "cryptsetup close vg0-vol--01"),
        ("part1-mpath-3600a098", "dmsetup remove vg0-vol--01"),
    ] {
        let tree = machine();
        tree.write(&format!("{DM}/dm/uuid"), &format!("{uuid}\n")).unwrap();
        let inventory = Inventory::read(&tree).unwrap();
        let used = inventory.uses("md127p1", &Claims::default()).unwrap();
        assert_eq!(inventory.remedies(&used), [command]);
    }
}

#[test]
fn of_two_sticks_the_booted_one_is_told_from_its_twin() {
    assert_eq!(uses("sdb2"), ["sdb is the stick that this box booted from"]);
    assert_eq!(uses("sdc"), ["sdc carries partitions of an ESOS stick (ESOS_BOOT, esos_primary)"]);
    let inventory = Inventory::read(&machine()).unwrap();
    let unknown = Claims { boot_stick: None, ..claims() };
    assert_eq!(inventory.uses("sdb", &unknown).unwrap().len(), 1, "unknown is no permission");
}

#[test]
fn claimants_without_a_trace_in_sysfs_count() {
    let inventory = Inventory::read(&machine()).unwrap();
    let who = Claimant { who: "DRBD resource r0".into(), path: "/dev/md127".into() };
    let claims = Claims { others: vec![who], ..Claims::default() };
    let told: Vec<_> = inventory.uses("sda1", &claims).unwrap().iter().map(ToString::to_string).collect();
    assert!(told.contains(&"md127 is used by DRBD resource r0".to_owned()), "{told:?}");
}

#[test]
fn scst_devices_are_read_with_and_without_files() {
    let scst = MemTree::new()
        .file("devices/vol01/filename", "/dev/vg0/vol01\n[key]\n")
        .link("devices/vol01/handler", "../../handlers/vdisk_blockio")
        .file("devices/0:0:0:0/type", "0 - Direct-access device\n")
        .link("devices/0:0:0:0/handler", "../../handlers/dev_disk");
    let exports = Export::read_all(&scst).unwrap();
    assert_eq!(exports[1].filename.as_deref(), Some("/dev/vg0/vol01"));
    assert_eq!(exports[1].handler, "vdisk_blockio");
    let inventory = Inventory::read(&machine()).unwrap();
    let told = inventory.uses("sda", &Claims { exports, ..Claims::default() }).unwrap();
    assert!(told.iter().any(|u| u.to_string() == "sda is handed out by SCST as `0:0:0:0` (dev_disk)"));
    assert_eq!(Export::read_all(&MemTree::new()).unwrap(), []);
}

/// A state of a real SCST, as it was recorded.
fn recorded(name: &str) -> MemTree {
    let text = esos_fixtures::text(&format!("scst/{name}.json")).unwrap();
    let state: serde_json::Value = serde_json::from_str(&text).unwrap();
    state["tree"].as_object().unwrap().iter().fold(MemTree::new(), |tree, (path, entry)| {
        let text = |n: usize| entry[n].as_str().unwrap_or_default();
        match text(0) {
            "d" => tree.dir(path),
            "l" => tree.link(path, text(1)),
            _ => tree.file(path, text(2)),
        }
    })
}

#[test]
fn what_a_real_scst_serves_is_in_use() {
    let uses = |state: &str, name: &str, mounts: &str| {
        let disk = "devices/pci0000:00/0000:00:05.0/host1/target1:0:0/1:0:0:1/block/sdd";
        let tree = device(machine(), "devices/virtual/block/ram0", "1:0", 8192);
        let tree = device(tree, disk, "8:48", 8192).link(&format!("{disk}/device"), "../../../1:0:0:1");
        let exports = Export::read_all(&recorded(state)).unwrap();
        let claims = Claims { exports, mounts: Mount::parse_all("m", mounts).unwrap(), ..Claims::default() };
        let used = Inventory::read(&tree).unwrap().uses(name, &claims).unwrap();
        used.iter().map(|u| (u.to_string(), u.remedy())).collect::<Vec<_>>()
    };
    let one = |text: &str, device: &str| (text.to_owned(), Some(format!("esos scst rm dev/{device}")));
    assert_eq!(
        uses("state-03-blockio", "ram0", ""),
        [one("ram0 is handed out by SCST as `b1` (vdisk_blockio)", "b1")]
    );
    let files = "27 1 8:48 / /disks rw - xfs /dev/sdd rw\n";
    assert!(
        uses("state-50-after-full-config", "sdd", files)
            .contains(&one("sdd holds /disks/d1, which SCST hands out as `disk1` (vdisk_fileio)", "disk1"))
    );
    // Passed through as a SCSI device, by its address alone.
    assert_eq!(
        uses("state-41-passthrough-assigned", "sdd", ""),
        [one("sdd is handed out by SCST as `1:0:0:1` (dev_disk_perf)", "1:0:0:1")]
    );
    assert_eq!(uses("state-40-passthrough-loaded", "sdd", ""), [], "listed, but not handed out");
}

#[test]
fn a_scsi_device_that_scst_only_lists_is_not_handed_out() {
    // As on a box where scst is loaded and nothing is configured.
    let listed = || MemTree::new().file("devices/0:0:0:0/type", "0 - Direct-access device\n");
    assert_eq!(Export::read_all(&listed()).unwrap(), []);
    // A LUN is a use, whatever its handler.
    let lun = listed().link("devices/0:0:0:0/exported/export0", "../../../targets/iscsi/iqn.x/luns/3");
    assert_eq!(Export::read_all(&lun).unwrap().first().map(|e| e.luns.len()), Some(1));
}

#[test]
fn a_nonsense_size_is_an_error_that_names_it() {
    let tree = machine();
    tree.write(&format!("{ATA}/size"), "many").unwrap();
    let error = Inventory::read(&tree).unwrap_err();
    assert_eq!(error.to_string(), "sda: size holds `many`, expected a number of sectors");
}

#[test]
fn this_machine_can_be_read() {
    if !std::path::Path::new("/sys/class/block").exists() {
        println!("skipped: this machine has no block devices in sysfs");
        return;
    }
    let inventory = Inventory::of_machine(std::path::Path::new("/")).unwrap();
    for device in inventory.devices() {
        assert!(inventory.whole(&device.name).is_some(), "{}", device.name);
        assert!(!device.describe().is_empty());
    }
    let claims = Claims::of_machine(std::path::Path::new("/")).unwrap();
    let Some(root) = claims.mounts.iter().find(|m| m.target == "/") else {
        return println!("skipped: this_machine_can_be_read: `/` is no mount here, as in a chroot");
    };
    if let Some(device) = inventory.by_number(root.dev) {
        assert!(!inventory.uses(&device.name, &claims).unwrap().is_empty());
    }
}
