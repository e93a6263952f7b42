//! Plan and apply on the simulator: what is made, what is refused, and why.
mod support;

use esos_scst::{ApplyError, Class, Config, NoJournal, Options, Policy, apply, plan};
use esos_scst_sim::{Environment, Sim};
use esos_sysfs::{AttrError, AttrOp, AttrTree, Entry};
use support::{ALL, FULL, config, live, must, run, sim};

#[test]
fn a_whole_configuration_is_applied_and_leaves_nothing_to_do() {
    let sim = sim();
    must(&sim, FULL);
    let saved = live(&sim).to_config();
    let wanted = config(FULL);
    let target = |c: &Config| {
        let driver = c.drivers.iter().find(|(n, _)| n.as_str() == "iscsi").unwrap().1;
        driver.targets.values().next().unwrap().clone()
    };
    assert_eq!(target(&saved), target(&wanted));
    assert_eq!(saved.device_groups, wanted.device_groups);
    assert_eq!(sim.read("targets/iscsi/enabled").unwrap(), "1\n\n");
    assert!(!sim.suspended());
}

#[test]
fn adding_one_initiator_is_one_write() {
    let sim = sim();
    must(&sim, FULL);
    let text = FULL.replace(
        "INITIATOR iqn.2026-01.org.esos:w*",
        "INITIATOR iqn.2026-01.org.esos:w*\n\t\t\tINITIATOR iqn.x:new",
    );
    let before = sim.writes();
    must(&sim, &text);
    assert_eq!(sim.writes() - before, 1);
    let log = sim.log();
    assert_eq!(log.last().unwrap().1, "add iqn.x:new");
}

#[test]
fn a_missing_backing_device_is_pending_and_stays_wanted() {
    let sim = sim();
    let policy = Policy { missing: ["/disks/f1".to_owned()].into(), ..Policy::default() };
    let wanted = config(FULL);
    let planned = plan(&live(&sim), &wanted, &policy);
    let pending: Vec<_> = planned.pending.iter().map(|p| p.path.as_str()).collect();
    assert_eq!(
        pending,
        [
            "dev/vdisk_fileio/disk1",
            "iscsi/iqn.2026-01.org.esos:t1/lun/0",
            "scst_local/lt1/lun/0",
            "dgrp/dg1/dev/disk1"
        ]
    );
    apply(&sim, &live(&sim), &planned, &wanted, &policy, ALL, &mut NoJournal).unwrap();
    // The disk comes: what was pending is all that is done.
    let planned = plan(&live(&sim), &wanted, &Policy::default());
    let done: Vec<_> = planned.operations.iter().map(|o| o.path.as_str()).collect();
    assert_eq!(done, pending);
}

#[test]
fn what_would_oops_the_kernel_is_never_written() {
    let sim = sim();
    let wanted = config("HANDLER vdisk_nullio {\n\tDEVICE n {\n\t\tnuma_node_id 7\n\t}\n}\n");
    let error = run(&sim, &wanted, &Policy::default(), ALL).unwrap_err();
    assert!(matches!(error, ApplyError::Refused { class: Class::Blocked, .. }), "{error}");
    assert!(!sim.oopsed());
    assert_eq!(sim.writes(), 0);
}

#[test]
fn a_lun_in_use_is_destructive_and_refused() {
    let sim = sim();
    must(&sim, FULL);
    sim.login("iscsi", "iqn.2026-01.org.esos:t1", "iqn.2026-01.org.esos:ini1").unwrap();
    let text = FULL.replace("\t\t\tLUN 1 n2\n", "");
    let policy = Policy { prune: true, ..Policy::default() };
    let planned = plan(&live(&sim), &config(&text), &policy);
    let op = planned.operations.iter().find(|o| o.path.ends_with("group/g1/lun/1")).unwrap();
    assert_eq!(op.class, Class::Destructive);
    assert!(op.why.as_ref().unwrap().contains("iqn.2026-01.org.esos:ini1"), "{:?}", op.why);
    let writes = sim.writes();
    let options = Options { allow_disruptive: true, ..Options::default() };
    assert!(matches!(run(&sim, &config(&text), &policy, options), Err(ApplyError::Refused { .. })));
    assert_eq!(sim.writes(), writes);
    // Without --prune it is only listed.
    let planned = plan(&live(&sim), &config(&text), &Policy::default());
    assert!(planned.is_empty(), "{planned}");
    assert!(planned.unmanaged.iter().any(|p| p.ends_with("group/g1/lun/1")));
}

#[test]
fn a_group_with_sessions_is_blocked_with_the_reason() {
    let sim = sim();
    must(&sim, FULL);
    sim.login("iscsi", "iqn.2026-01.org.esos:t1", "iqn.2026-01.org.esos:ini1").unwrap();
    let start = FULL.find("\t\tGROUP g1").unwrap();
    let end = start + FULL[start..].find("\n\t\t}\n").unwrap() + 5;
    let text = format!("{}{}", &FULL[..start], &FULL[end..]);
    let policy = Policy { prune: true, ..Policy::default() };
    let planned = plan(&live(&sim), &config(&text), &policy);
    let op = planned.operations.iter().find(|o| o.path.ends_with("/group/g1")).unwrap();
    assert_eq!(op.class, Class::Blocked);
    assert!(op.steps.is_empty() && op.why.as_ref().unwrap().contains("1 session"), "{op:?}");
}

#[test]
fn a_device_that_must_be_made_anew_keeps_its_luns() {
    let sim = sim();
    must(&sim, FULL);
    let text = FULL.replace("nv_cache 1", "nv_cache 0");
    let wanted = config(&text);
    let planned = plan(&live(&sim), &wanted, &Policy::default());
    assert_eq!(planned.class(), Class::Destructive, "{planned}");
    assert!(matches!(
        run(&sim, &wanted, &Policy::default(), Options::default()),
        Err(ApplyError::Refused { .. })
    ));
    must(&sim, &text);
    assert_eq!(sim.read("devices/disk1/nv_cache").unwrap(), "0\n");
    assert!(sim.read_link("targets/iscsi/iqn.2026-01.org.esos:t1/luns/0/device").unwrap().ends_with("disk1"));
    assert!(sim.read_link("targets/scst_local/lt1/luns/0/device").unwrap().ends_with("disk1"));
    assert_eq!(sim.read("devices/disk1/t10_dev_id").unwrap(), "abc\n[key]\n");
}

#[test]
fn a_plan_for_another_state_is_refused() {
    let sim = sim();
    let wanted = config(FULL);
    let planned = plan(&live(&sim), &wanted, &Policy::default());
    sim.write("setup_id", "9").unwrap();
    let error =
        apply(&sim, &live(&sim), &planned, &wanted, &Policy::default(), ALL, &mut NoJournal).unwrap_err();
    assert!(matches!(error, ApplyError::Changed));
}

#[test]
fn a_module_or_daemon_that_is_missing_stops_nothing_else() {
    let sim = Sim::new(Environment::default().file("/disks/f1", 1 << 20));
    let wanted = config(
        "HANDLER vdisk_fileio {\n\tDEVICE d {\n\t\tfilename /disks/f1\n\t}\n}\nHANDLER dev_disk {\n\tDEVICE 1:0:0:0\n}\nTARGET_DRIVER iscsi {\n\tTARGET t {\n\t\tLUN 0 d\n\t}\n}\n",
    );
    run(&sim, &wanted, &Policy::default(), ALL).unwrap();
    let planned = plan(&live(&sim), &wanted, &Policy::default());
    assert!(planned.is_empty());
    let why: Vec<_> = planned.pending.iter().map(|p| p.why.as_str()).collect();
    assert_eq!(why, ["handler dev_disk is not loaded", "target driver iscsi is not loaded"]);
    sim.load_iscsi();
    let planned = plan(&live(&sim), &wanted, &Policy::default());
    assert_eq!(planned.pending[1].why, "iscsi-scstd is not running");
}

#[test]
fn only_what_was_selected_is_done() {
    let sim = sim();
    let policy = Policy { only: vec!["dev/vdisk_fileio/disk1".to_owned()], ..Policy::default() };
    let wanted = config(FULL);
    let planned = plan(&live(&sim), &wanted, &policy);
    assert_eq!(planned.operations.len(), 1);
    apply(&sim, &live(&sim), &planned, &wanted, &policy, ALL, &mut NoJournal).unwrap();
    assert!(sim.list("devices/disk1").is_ok() && sim.list("devices/disk2").is_err());
}

#[test]
fn no_secret_is_in_a_plan() {
    let planned = plan(&live(&sim()), &config(FULL), &Policy::default());
    let text = format!("{planned}{planned:?}{}", serde_json::to_string(&planned).unwrap());
    assert!(!text.contains("12charpasswd") && !text.contains("discpasswd12"));
    assert!(text.contains("joe ***"));
}

#[test]
fn attributes_of_one_value_compare_as_the_kernel_reads_them() {
    let sim = sim();
    must(&sim, "setup_id 0x10\nTARGET_DRIVER iscsi {\n\tTARGET t {\n\t\taddr_method flat\n\t}\n}\n");
    let wanted = config("setup_id 16\nTARGET_DRIVER iscsi {\n\tTARGET t {\n\t\taddr_method FLAT\n\t}\n}\n");
    assert!(plan(&live(&sim), &wanted, &Policy::default()).is_empty());
}

#[test]
fn luns_of_a_read_only_device_follow_it() {
    let sim = sim();
    let conf = |flag: u8, lun: &str| {
        format!(
            "HANDLER vdisk_fileio {{\n\tDEVICE d {{\n\t\tfilename /disks/f1\n\t\tread_only {flag}\n\t}}\n}}\nTARGET_DRIVER iscsi {{\n\tTARGET t {{\n{lun}\t}}\n}}\n"
        )
    };
    must(&sim, &conf(1, "\t\tLUN 0 d\n"));
    assert_eq!(sim.read("targets/iscsi/t/luns/0/read_only").unwrap(), "1\n[key]\n");
    assert!(plan(&live(&sim), &config(&conf(1, "\t\tLUN 0 d\n")), &Policy::default()).is_empty());
    // The device is made anew; its LUN, which the file leaves out, is not read-only of itself.
    must(&sim, &conf(0, ""));
    assert_eq!(sim.read("targets/iscsi/t/luns/0/read_only").unwrap(), "0\n");
}

#[test]
fn what_the_kernel_decides_by_itself_is_no_difference() {
    let sim = sim();
    // The simulator's block devices cannot discard: the kernel takes the wish and leaves it off.
    let text =
        "HANDLER vdisk_blockio {\n\tDEVICE b {\n\t\tfilename /dev/b1\n\t\tthin_provisioned 1\n\t}\n}\n";
    must(&sim, text);
    assert_eq!(sim.read("devices/b/thin_provisioned").unwrap(), "0\n[key]\n");
    assert!(plan(&live(&sim), &config(text), &Policy::default()).is_empty());
    assert!(
        !plan(&live(&sim), &config(&text.replace("thin_provisioned 1", "tst 0")), &Policy::default())
            .is_empty()
    );
}

#[test]
fn identifiers_and_texts_are_compared_as_what_they_are() {
    let sim = sim();
    let file = |naa: &str, prod: &str, path: &str| {
        format!(
            "HANDLER vdisk_fileio {{\n\tDEVICE f {{\n\t\tfilename {path}\n\t\tnaa_id {naa}\n\t\tprod_id {prod}\n\t}}\n}}\n"
        )
    };
    must(&sim, &file("6001405ABCDEF0123456789abcdef012", "disk", "/disks/f1"));
    let same = |text: &str| plan(&live(&sim), &config(text), &Policy::default()).operations.len();
    assert_eq!(same(&file("0x6001405abcdef0123456789abcdef012", "disk", "/disks/f1")), 0);
    assert_eq!(same(&file("6001405ABCDEF0123456789abcdef012", "DISK", "/disks/f1")), 1);
    assert_ne!(same(&file("6001405ABCDEF0123456789abcdef012", "disk", "/disks/F1")), 0);
}

#[test]
fn a_way_back_that_fails_is_told_by_object() {
    let sim = sim();
    must(&sim, FULL);
    let wanted = config("HANDLER vdisk_nullio {\n\tDEVICE z\n}\nTARGET_DRIVER iscsi {\n\tenabled 1\n}\n");
    let policy = Policy { prune: true, ..Policy::default() };
    let planned = plan(&live(&sim), &wanted, &policy);
    let tree = Refuses(&sim, &["add_device z", "add_device disk1"]);
    let error = apply(&tree, &live(&sim), &planned, &wanted, &policy, ALL, &mut NoJournal).unwrap_err();
    let ApplyError::RollbackFailed { left, .. } = error else { panic!("{error}") };
    assert!(left.iter().any(|l| l == "device disk1 vdisk_fileio is missing"), "{left:#?}");
    // Nothing more is said of it, and of the LUNs that show it only what is to be done.
    assert!(!left.iter().any(|l| l.starts_with("device disk1 ") && !l.ends_with("missing")), "{left:#?}");
    assert!(left.len() < 20, "{left:#?}");
}

/// A kernel that refuses what begins with one of those words.
struct Refuses<'s>(&'s Sim, &'s [&'s str]);

impl AttrTree for Refuses<'_> {
    fn read(&self, path: &str) -> Result<String, AttrError> {
        self.0.read(path)
    }
    fn write(&self, path: &str, value: &str) -> Result<(), AttrError> {
        if self.1.iter().any(|word| value.starts_with(word)) {
            return Err(AttrError::new(path, AttrOp::Write(value.to_owned()), 12));
        }
        self.0.write(path, value)
    }
    fn list(&self, path: &str) -> Result<Vec<Entry>, AttrError> {
        self.0.list(path)
    }
    fn read_link(&self, path: &str) -> Result<String, AttrError> {
        self.0.read_link(path)
    }
    fn mode(&self, path: &str) -> Result<Option<u32>, AttrError> {
        self.0.mode(path)
    }
}

#[test]
fn a_device_that_is_made_anew_is_the_same_disk() {
    let sim = sim();
    let text = |cache: &str| {
        format!(
            "setup_id 0x77\nHANDLER vdisk_fileio {{\n\tDEVICE f {{\n\t\tfilename /disks/f1\n\t\tnv_cache {cache}\n\t}}\n}}\n"
        )
    };
    // Made before setup_id was set, as at every boot.
    must(&sim, &text("1"));
    let identity = |sim: &Sim| {
        ["usn", "t10_dev_id", "vend_specific_id"].map(|name| {
            let text = sim.read(&format!("devices/f/{name}")).unwrap();
            text.lines().next().unwrap().to_owned()
        })
    };
    let before = identity(&sim);
    must(&sim, &text("0"));
    assert_eq!(sim.read("devices/f/nv_cache").unwrap(), "0\n");
    assert_eq!(identity(&sim), before);
}

#[test]
fn what_does_nothing_or_cannot_be_is_said_before_anything_is_written() {
    let sim = sim();
    let null = |lines: &str| format!("HANDLER vdisk_nullio {{\n\tDEVICE n {{\n{lines}\t}}\n}}\n");
    must(&sim, &null("\t\tdif_type 1\n"));
    assert!(plan(&live(&sim), &config(&null("\t\tdif_type 1\n")), &Policy::default()).is_empty());
    must(&sim, &null("\t\tdif_mode tgt\n\t\tdif_type 1\n"));
    assert_eq!(sim.read("devices/n/dif_type").unwrap(), "1\n[key]\n");
    // What the file says does not go with what the device has and the file does not name.
    let file = |line: &str| {
        format!("HANDLER vdisk_fileio {{\n\tDEVICE f {{\n\t\tfilename /disks/f1\n\t\t{line}\n\t}}\n}}\n")
    };
    must(&sim, &file("read_only 1"));
    let planned = plan(&live(&sim), &config(&file("nv_cache 1")), &Policy::default());
    assert_eq!(planned.class(), Class::Blocked, "{planned}");
}
