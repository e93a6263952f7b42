//! What forbids a change, what it costs, and which block device is which array.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper of tests may end the test")]
use esos_blockdev::{Claims, Export, ExportLun, Format, Inventory, Signature};
use esos_hostfs::{Mount, Swap};
use esos_raid::{
    Capture, Change, Facts, Level, MatchedBy, NewArray, Next, Place, PlanError, Surroundings, Tool, Walk,
    array_of, device_of, next, parse, plan,
};
use esos_sysfs::MemTree;

/// A disk at a host of a card.
fn disk(tree: MemTree, name: &str, dev: &str, pci: &str, scsi: &str, about: &[(&str, &str)]) -> MemTree {
    let host = scsi.split(':').next().unwrap();
    let at = format!("devices/pci0000:00/0000:00:01.0/{pci}/host{host}/target{host}:0:0/{scsi}");
    let block = format!("{at}/block/{name}");
    let mut tree = tree
        .link(&format!("class/block/{name}"), &format!("../../{block}"))
        .file(&format!("{block}/dev"), &format!("{dev}\n"))
        .file(&format!("{block}/size"), "1953525168\n")
        .link(&format!("{block}/device"), &format!("../../../{scsi}"));
    for (file, text) in about {
        tree = tree.file(&format!("{at}/{file}"), &format!("{text}\n"));
    }
    tree
}

const MEGA: &[(&str, &str)] =
    &[("vendor", "AVAGO"), ("model", "MR9361-8i"), ("wwid", "naa.600605b00cb1675024ef50150f64bf30")];
const OTHER: &[(&str, &str)] =
    &[("vendor", "AVAGO"), ("model", "MR9361-8i"), ("wwid", "naa.600605b00cb1675024eecd050ebf68ce")];

fn machine() -> Inventory {
    let mut tree = disk(MemTree::new(), "sda", "8:0", "0000:3b:00.0", "0:2:0:0", MEGA);
    tree = disk(tree, "sdb", "8:16", "0000:3b:00.0", "0:2:1:0", OTHER);
    tree = disk(tree, "sdc", "8:32", "0000:00:17.0", "4:0:0:0", &[("vendor", "ATA"), ("model", "ST1000")]);
    tree = disk(tree, "sdd", "8:48", "0000:00:17.0", "5:0:0:0", &[("vendor", "ATA"), ("model", "ST1000")]);
    tree = disk(tree, "sde", "8:64", "0000:00:17.0", "6:0:0:0", &[("vendor", "ATA"), ("model", "ST1000")]);
    tree = disk(tree, "sdf", "8:80", "0000:00:14.0", "7:0:0:0", &[("vendor", "ATA"), ("model", "ST1000")]);
    let areca = [("vendor", "Areca"), ("model", "ARC-1210-VOL#00")];
    tree = disk(tree, "sdg", "8:96", "0000:04:00.0", "9:0:0:0", &areca);
    Inventory::read(&tree).unwrap()
}

fn around(claims: Claims) -> Surroundings {
    Surroundings::new(machine(), claims)
}

const STORCLI: &str = r#"{"Controllers":[{"Command Status":{"Controller":0,"Status":"Success","Description":"None"},
"Response Data":{"/c0/v0":[{"DG/VD":"0/0","TYPE":"RAID5","State":"Optl","Size":"931.512 GB","Name":"data"}],
"VD0 Properties":{"SCSI NAA Id":"600605b00cb1675024ef50150f64bf30","OS Drive Name":"/dev/sdz"},
"/c0/v1":[{"DG/VD":"1/1","TYPE":"RAID0","State":"Optl","Size":"931.512 GB","Name":""}],
"Drive Information":[
{"EID:Slt":"252:0","DID":1,"State":"Onln","DG":0,"Size":"465.761 GB","Model":"A"},
{"EID:Slt":"252:1","DID":2,"State":"Onln","DG":0,"Size":"465.761 GB","Model":"A"},
{"EID:Slt":"252:2","DID":3,"State":"Onln","DG":0,"Size":"465.761 GB","Model":"A"},
{"EID:Slt":"252:3","DID":4,"State":"UGood","DG":"-","Size":"465.761 GB","Model":"A"},
{"EID:Slt":"252:4","DID":5,"State":"UGood","DG":"-","Size":"931.512 GB","Model":"A"},
{"EID:Slt":"252:5","DID":6,"State":"UGood","DG":"F","Size":"465.761 GB","Model":"A"},
{"EID:Slt":"252:6","DID":7,"State":"JBOD","DG":"-","Size":"465.761 GB","Model":"A"},
{"EID:Slt":"252:7","DID":8,"State":"Onln","DG":1,"Size":"465.761 GB","Model":"A"}]}}]}"#;

fn storcli() -> Facts {
    let facts = parse(Tool::Storcli, &[Capture::new("x", "storcli64 /c0 show all J", STORCLI)]);
    assert_eq!((facts.arrays.len(), facts.drives.len(), facts.error.clone()), (2, 8, None));
    facts
}

fn place() -> Place {
    Place::new(Tool::Storcli, "/opt/sbin/storcli64", "0")
}

fn delete(id: &str) -> Change {
    Change::Delete { array: id.to_owned(), members: Vec::new(), group: None }
}

fn create(level: Level, drives: &[&str]) -> Change {
    Change::Create(NewArray::new(level, drives.iter().copied()))
}

fn mounted(device: &str, target: &str) -> Claims {
    let mounts = Mount::parse_all("m", &format!("27 1 {device} / {target} rw - ext4 /dev/x rw\n")).unwrap();
    Claims { mounts, ..Claims::default() }
}

#[test]
fn a_device_is_known_by_its_name_in_the_world() {
    let (facts, inventory) = (storcli(), machine());
    // The tool's `/dev/sdz` is old; the NAA is not.
    let (device, by) = device_of(Tool::Storcli, &facts.arrays[0], &facts, &inventory).unwrap();
    assert_eq!((device.name.as_str(), by), ("sda", MatchedBy::Wwn));
    assert_eq!(array_of(Tool::Storcli, "sda", &facts, &inventory), Some((0, MatchedBy::Wwn)));
    // Without one, by the number that the driver gives it at the controller's host.
    let (device, by) = device_of(Tool::Storcli, &facts.arrays[1], &facts, &inventory).unwrap();
    assert_eq!((device.name.as_str(), by), ("sdb", MatchedBy::Address));
    assert_eq!(array_of(Tool::Storcli, "sdc", &facts, &inventory), None);
}

#[test]
fn areca_puts_the_name_where_others_put_the_model() {
    let text = " # Name             Raid Name       Level   Capacity Ch/Id/Lun  State\n===\n \
        1 ARC-1210-VOL#00  Raid Set # 00   Raid5   1000.2GB 00/01/00   Normal\n===\nGuiErrMsg<0x00>: Success.\n";
    let facts = parse(Tool::Areca, &[Capture::new("vsf", "cli64 vsf info", text)]);
    let inventory = machine();
    let (device, by) = device_of(Tool::Areca, &facts.arrays[0], &facts, &inventory).unwrap();
    assert_eq!((device.name.as_str(), by), ("sdg", MatchedBy::VendorId));
}

#[test]
fn an_array_in_use_is_not_deleted() {
    let mut claims = mounted("8:0", "/mnt/vdisks");
    claims.exports = vec![Export {
        device: "vol0".into(),
        handler: "vdisk_fileio".into(),
        filename: Some("/mnt/vdisks/vol0.img".into()),
        luns: vec![ExportLun {
            driver: "iscsi".into(),
            target: "iqn.2020-01.org.esos:a".into(),
            group: None,
            lun: "3".into(),
        }],
    }];
    let error = plan(&place(), delete("0"), &storcli(), &around(claims)).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("array 0/0 is in use: sda is mounted on /mnt/vdisks"), "{text}");
    let serves = "this would destroy what LUN 3 of iscsi target iqn.2020-01.org.esos:a serves";
    assert!(text.contains(serves), "{text}");
    let PlanError::InUse { remedies, .. } = error else { panic!() };
    assert!(remedies.contains(&"umount /mnt/vdisks".to_owned()), "{remedies:?}");
    // Swap and the stick as well.
    let swaps =
        Swap::parse_all("s", "Filename Type Size Used Priority\n/dev/sda partition 1 0 -2\n").unwrap();
    let error = plan(&place(), delete("0"), &storcli(), &around(Claims { swaps, ..Claims::default() }));
    assert!(error.unwrap_err().to_string().contains("swap"));
    let claims = Claims { boot_stick: Some("sda".into()), ..Claims::default() };
    let error = plan(&place(), delete("0"), &storcli(), &around(claims)).unwrap_err();
    assert!(error.to_string().contains("the stick that this box booted from"));
    // Another array's use is not this one's.
    let planned = plan(&place(), delete("1"), &storcli(), &around(mounted("8:0", "/mnt"))).unwrap();
    assert_eq!(planned.confirm.as_deref(), Some("0/1"));
    assert!(planned.destroys.iter().any(|d| d.contains("array 0/1, 931.512 GB")), "{:?}", planned.destroys);
}

#[test]
fn an_array_that_may_be_one_in_use_is_not_deleted() {
    let mut facts = storcli();
    // Neither name nor number: it may be any disk of this maker that is no other array.
    facts.arrays[1].id = "240".to_owned();
    let error = plan(&place(), delete("240"), &facts, &around(mounted("8:16", "/mnt"))).unwrap_err();
    assert!(error.to_string().contains("may be one of sdb, and that is in use"), "{error}");
    let planned = plan(&place(), delete("240"), &facts, &around(Claims::default())).unwrap();
    assert!(planned.notes.iter().any(|n| n.contains("cannot be told")), "{:?}", planned.notes);
}

#[test]
fn drives_must_be_free_and_fit() {
    let around = around(Claims::default());
    let planned = plan(&place(), create(Level::Raid1, &["252:3", "252:4"]), &storcli(), &around).unwrap();
    assert_eq!(planned.usable.unwrap().get() >> 20, 476_939);
    assert!(planned.notes.iter().any(|n| n.contains("differ in size")), "{:?}", planned.notes);
    assert_eq!(planned.destroys.len(), 2);
    let refused = |drives: &[&str], why: &str| {
        let error = plan(&place(), create(Level::Raid1, drives), &storcli(), &around).unwrap_err();
        assert!(error.to_string().contains(why), "{drives:?}: {error}");
    };
    refused(&["252:3", "252:0"], "it is part of array 0/0");
    refused(&["252:3", "252:5"], "foreign configuration");
    refused(&["252:3", "252:6"], "passed through");
    refused(&["252:3", "252:9"], "there is no drive `0/252:9`");
    refused(&["252:3"], "2 drives at least");
}

#[test]
fn redundancy_is_not_taken_below_nothing() {
    let around = around(Claims::default());
    let fail = |drive: &str| Change::Fail { drive: drive.to_owned(), array: None };
    let planned = plan(&place(), fail("252:0"), &storcli(), &around).unwrap();
    assert!(planned.destroys.iter().any(|d| d.contains("redundancy")), "{:?}", planned.destroys);
    let error = plan(&place(), fail("252:7"), &storcli(), &around).unwrap_err();
    assert!(matches!(error, PlanError::LosesData { .. }), "{error}");
    let degraded = STORCLI.replacen("Optl", "Dgrd", 1);
    let facts = parse(Tool::Storcli, &[Capture::new("x", "storcli64 /c0 show all J", degraded)]);
    assert!(plan(&place(), fail("252:1"), &facts, &around).is_err());
    // What works is not pulled.
    let detach = Change::Detach { drive: "252:0".to_owned(), array: None };
    assert!(matches!(plan(&place(), detach, &storcli(), &around), Err(PlanError::NotFree { .. })));
}

#[test]
fn reshaping_takes_what_the_facts_know() {
    let around = around(Claims::default());
    let keep = || Level::Other(String::new());
    let change = |level| Change::Reshape {
        array: "0".to_owned(),
        from: keep(),
        level,
        members: Vec::new(),
        added: vec!["252:3".to_owned()],
        group: None,
    };
    let planned = plan(&place(), change(keep()), &storcli(), &around).unwrap();
    let text = planned.commands[0].to_string();
    assert!(text.contains("start migrate type=raid5 option=add drives=252:3"), "{text}");
    let planned = plan(&place(), change(Level::Raid6), &storcli(), &around).unwrap();
    assert!(planned.commands[0].to_string().contains("type=raid6"));
    assert_eq!(planned.what, "add 252:3 to array 0 and make array 0 RAID 6");
}

const MD: &str = "Personalities : [raid1]\nmd0 : active raid1 sdd[1] sdc[0]\n      976631488 blocks super 1.2 [2/2] [UU]\n\nunused devices: <none>\n";

#[test]
fn md_takes_disks_that_nobody_uses() {
    let facts = parse(Tool::Mdadm, &[Capture::new("mdstat", "cat /proc/mdstat", MD)]);
    let place = Place::new(Tool::Mdadm, "/sbin/mdadm", "");
    let mut new = NewArray::new(Level::Raid1, ["sde", "sdf"]);
    new.name = Some("data".to_owned());
    let change = || Change::Create(new.clone());
    let free = around(Claims::default());
    let planned = plan(&place, change(), &facts, &free).unwrap();
    assert_eq!(planned.confirm.as_deref(), Some("data"));
    assert_eq!(planned.usable.unwrap().get(), 1_953_525_168 * 512);
    let sign = |format, label: &str| {
        let mut around = around(Claims::default());
        let signature = Signature {
            format,
            offset: 0,
            version: String::new(),
            label: label.to_owned(),
            uuid: String::new(),
        };
        around.contents.insert("sdf".to_owned(), vec![signature]);
        around
    };
    let refused = |around: &Surroundings, why: &str| {
        let error = plan(&place, change(), &facts, around).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    };
    refused(&sign(Format::Lvm2Pv, ""), "sdf is a physical volume of LVM");
    refused(&sign(Format::MdMember, "box:old"), "superblock of an md array `box:old`");
    refused(&around(Claims { boot_stick: Some("sde".into()), ..Claims::default() }), "booted from");
    refused(&around(mounted("8:64", "/srv")), "sde is mounted on /srv");
    // A file system is lost, and named; it forbids nothing.
    let planned = plan(&place, change(), &facts, &sign(Format::Xfs, "archive")).unwrap();
    assert!(planned.destroys.iter().any(|d| d == "xfs on sdf `archive`"), "{:?}", planned.destroys);
    // Deleting names the members whose superblocks go.
    let planned = plan(&place, delete("md0"), &facts, &free).unwrap();
    let lines: Vec<String> = planned.commands.iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            "/sbin/mdadm --stop /dev/md0",
            "/sbin/mdadm --zero-superblock /dev/sdc",
            "/sbin/mdadm --zero-superblock /dev/sdd"
        ]
    );
}

/// A walk over a MegaRAID controller, by what it shows step by step.
#[test]
fn a_drive_is_walked_out_and_in() {
    let show = |state: &str, serial: &str, array: &str| {
        let text = STORCLI
            .replacen(
                "\"State\":\"Onln\",\"DG\":0,\"Size\":\"465.761 GB\",\"Model\":\"A\"}",
                &format!("\"State\":\"{state}\",\"DG\":0,\"Size\":\"465.761 GB\",\"Model\":\"A\"}}"),
                1,
            )
            .replacen("Optl", array, 1);
        let mut facts = parse(Tool::Storcli, &[Capture::new("x", "storcli64 /c0 show all J", text)]);
        facts.drives[0].serial = Some(serial.to_owned());
        facts
    };
    let tool = Tool::Storcli;
    let facts = show("Failed", "OLD", "Dgrd");
    let mut walk = Walk::new(tool, "0", "252:0", None, &facts);
    assert_eq!((walk.array.as_deref(), walk.group.as_deref()), (Some("0"), Some("0")));
    let step = |walk: &mut Walk, facts: &Facts| match next(tool, walk, facts) {
        Next::Do(change) => {
            walk.did(&change);
            // It survives being written down.
            let text = serde_json::to_string(walk).unwrap();
            *walk = serde_json::from_str(&text).unwrap();
            format!("{change:?}").split([' ', '{']).next().unwrap().to_owned()
        }
        other => format!("{other:?}").split([' ', '(', '{']).next().unwrap().to_owned(),
    };
    assert_eq!(step(&mut walk, &facts), "Locate");
    assert_eq!(step(&mut walk, &facts), "Detach");
    assert_eq!(step(&mut walk, &facts), "Ask");
    assert_eq!(step(&mut walk, &show("UGood", "NEW", "Dgrd")), "AddSpare");
    assert_eq!(step(&mut walk, &show("Rbld", "NEW", "Dgrd")), "Wait");
    assert_eq!(step(&mut walk, &show("Onln", "NEW", "Optl")), "Locate");
    assert_eq!(step(&mut walk, &show("Onln", "NEW", "Optl")), "Done");
    // A controller that begins by itself needs no word.
    let mut walk = Walk::new(tool, "0", "252:0", None, &facts);
    (walk.lit, walk.detached) = (true, true);
    assert_eq!(step(&mut walk, &show("Rbld", "NEW", "Dgrd")), "Wait");
}
