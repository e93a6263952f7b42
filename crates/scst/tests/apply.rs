//! Plan and apply on the simulator: convergence, roll-back, and nothing touched that is not named.
#![expect(clippy::unwrap_used, clippy::panic, reason = "test helpers")]
use esos_scst::{
    ApplyError, Class, Config, DeviceName, Document, Live, NoJournal, Options, Policy, apply, observe, plan,
};
use esos_scst_sim::{Again, Environment, Sim};
use esos_sysfs::AttrTree;
use proptest::prelude::*;

const ALL: Options = Options { allow_disruptive: true, allow_destructive: true, suspend: None };

fn sim() -> Sim {
    let mut env = Environment::default();
    for n in 0..6 {
        env = env.file(&format!("/disks/f{n}"), 8 << 20).block(&format!("/dev/b{n}"), 64 << 20);
    }
    let sim = Sim::new(env);
    sim.load_iscsi();
    sim.start_iscsi_daemon();
    sim.load_scst_local();
    sim.load_hardware("qla2x00t", &["21:00:00:24:ff:00:00:01"]);
    sim
}

fn config(text: &str) -> Config {
    let document = Document::parse("test", text);
    document.to_config().unwrap_or_else(|d| panic!("{d:#?}\n{text}"))
}

fn run(sim: &Sim, wanted: &Config, policy: &Policy, options: Options) -> Result<(), ApplyError> {
    let live = observe(sim).unwrap();
    let planned = plan(&live, wanted, policy);
    apply(sim, &planned, wanted, policy, options, &mut NoJournal).map(|_| ())
}

fn must(sim: &Sim, text: &str) {
    let wanted = config(text);
    if let Err(e) = run(sim, &wanted, &Policy::default(), ALL) {
        panic!("{e}: {:?}", std::error::Error::source(&e));
    }
}

fn live(sim: &Sim) -> Live {
    observe(sim).unwrap()
}

const FULL: &str = "setup_id 0x1234
HANDLER vdisk_fileio {
	DEVICE disk1 {
		filename /disks/f1
		nv_cache 1
		t10_dev_id abc
	}
	DEVICE disk2 {
		filename /disks/f2
		read_only 1
		blocksize 4096
		prod_id \"My Product\"
	}
}
HANDLER vdisk_nullio {
	DEVICE n1
	DEVICE n2 {
		size_mb 32
	}
}
TARGET_DRIVER iscsi {
	enabled 1
	IncomingUser \"disc discpasswd12\"
	TARGET iqn.2026-01.org.esos:t1 {
		enabled 1
		rel_tgt_id 5
		comment \"hello world\"
		IncomingUser \"joe 12charpasswd\"
		IncomingUser \"ann 12charpasswd\"
		allowed_portal 127.0.0.1
		allowed_portal 10.*
		MaxBurstLength 262144
		LUN 0 disk1
		LUN 1 disk2 {
			read_only 1
		}
		GROUP g1 {
			addr_method FLAT
			LUN 0 n1
			LUN 1 n2
			INITIATOR iqn.2026-01.org.esos:ini1
			INITIATOR iqn.2026-01.org.esos:w*
		}
	}
}
TARGET_DRIVER scst_local {
	TARGET lt1 {
		session_name s1
		LUN 0 disk1
	}
}
DEVICE_GROUP dg1 {
	DEVICE disk1
	TARGET_GROUP tg1 {
		group_id 101
		state active
		preferred 1
		TARGET iqn.2026-01.org.esos:t1
	}
	TARGET_GROUP tg2 {
		group_id 102
		state nonoptimized
		TARGET remote-tgt {
			rel_tgt_id 22
		}
	}
}
";

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
    apply(&sim, &planned, &wanted, &policy, ALL, &mut NoJournal).unwrap();
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
    let error = apply(&sim, &planned, &wanted, &Policy::default(), ALL, &mut NoJournal).unwrap_err();
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
    apply(&sim, &planned, &wanted, &policy, ALL, &mut NoJournal).unwrap();
    assert!(sim.list("devices/disk1").is_ok() && sim.list("devices/disk2").is_err());
}

#[test]
fn no_secret_is_in_a_plan() {
    let planned = plan(&live(&sim()), &config(FULL), &Policy::default());
    let text = format!("{planned}{planned:?}{}", serde_json::to_string(&planned).unwrap());
    assert!(!text.contains("12charpasswd") && !text.contains("discpasswd12"));
    assert!(text.contains("joe ***"));
}

// Properties.

prop_compose! {
    fn device(n: usize)(
        kind in 0..3u8,
        nv in prop::option::of(0..2u8),
        ro in prop::option::of(0..2u8),
        thin in prop::bool::ANY,
        prod in prop::option::of("[A-Za-z]{1,8}( [a-z]{1,4})?"),
        t10 in prop::option::of("[a-z0-9]{1,12}"),
        threads in prop::option::of(1..9u8),
        size in prop::option::of(1..64u32),
    ) -> (u8, String, String) {
        let mut attrs = String::new();
        if kind < 2 {
            let file = if kind == 0 { format!("/disks/f{n}") } else { format!("/dev/b{n}") };
            attrs += &format!("filename {file}\n");
            // fileio refuses a cache on what is read-only.
            if let Some(v) = nv.filter(|_| ro != Some(1)) { attrs += &format!("nv_cache {v}\n"); }
            if thin && kind == 0 { attrs += "thin_provisioned 1\n"; }
        } else if let Some(v) = size {
            attrs += &format!("size_mb {v}\n");
        }
        if let Some(v) = ro { attrs += &format!("read_only {v}\n"); }
        if let Some(v) = prod { attrs += &format!("prod_id \"{v}\"\n"); }
        if let Some(v) = t10 { attrs += &format!("t10_dev_id {v}\n"); }
        if let Some(v) = threads { attrs += &format!("threads_num {v}\n"); }
        (kind, format!("d{n}"), attrs)
    }
}

fn luns(devices: Vec<String>) -> impl Strategy<Value = String> {
    prop::collection::btree_map(0..6u32, (prop::sample::select(devices), prop::bool::ANY), 0..4).prop_map(
        |luns| {
            let one = |(lun, (device, ro)): (u32, (String, bool))| {
                if ro {
                    format!("LUN {lun} {device} {{\nread_only 1\n}}\n")
                } else {
                    format!("LUN {lun} {device}\n")
                }
            };
            luns.into_iter().map(one).collect()
        },
    )
}

prop_compose! {
    fn group(devices: Vec<String>)(
        luns in luns(devices),
        flat in prop::bool::ANY,
        initiators in prop::collection::btree_set("iqn\\.[a-c]:[0-2*]", 0..3),
    ) -> String {
        let mut text = luns;
        if flat { text += "addr_method FLAT\n"; }
        for i in initiators { text += &format!("INITIATOR {i}\n"); }
        text
    }
}

prop_compose! {
    fn target(devices: Vec<String>)(
        luns in luns(devices.clone()),
        groups in prop::collection::btree_map("g[0-2]", group(devices), 0..3),
        enabled in prop::option::of(0..2u8),
        users in prop::collection::btree_map("[a-c]", "[a-z]{12,16}", 0..3),
        portals in prop::collection::btree_set("10\\.[0-3]\\.\\*", 0..3),
        burst in prop::option::of(1..8u32),
        comment in prop::option::of("[a-z]{1,6}( [a-z]{1,6})?"),
        grouping in prop::option::of(prop::sample::select(vec!["auto", "never", "3"])),
    ) -> String {
        let mut text = luns;
        for (name, body) in groups { text += &format!("GROUP {name} {{\n{body}}}\n"); }
        if let Some(v) = enabled { text += &format!("enabled {v}\n"); }
        for (user, password) in users { text += &format!("IncomingUser \"{user} {password}\"\n"); }
        for p in portals { text += &format!("allowed_portal {p}\n"); }
        if let Some(v) = burst { text += &format!("MaxBurstLength {}\n", v * 65536); }
        if let Some(v) = comment { text += &format!("comment \"{v}\"\n"); }
        if let Some(v) = grouping { text += &format!("io_grouping_type {v}\n"); }
        text
    }
}

prop_compose! {
    fn device_groups(devices: Vec<String>)(
        split in prop::collection::vec(0..3usize, devices.len()),
        state in prop::sample::select(vec!["active", "nonoptimized", "standby", "offline"]),
        id in 1..200u32,
        targets in prop::collection::btree_set("(iqn\\.t:[0-2]|remote[0-1])", 0..3),
        preferred in prop::bool::ANY,
        devices in Just(devices),
    ) -> String {
        let mut text = String::new();
        for g in 0..2 {
            let mine: Vec<_> = devices.iter().zip(&split).filter(|(_, s)| **s == g).map(|(d, _)| d.clone()).collect();
            if mine.is_empty() { continue; }
            text += &format!("DEVICE_GROUP dg{g} {{\n");
            for d in mine { text += &format!("DEVICE {d}\n"); }
            text += &format!("TARGET_GROUP a {{\ngroup_id {id}\nstate {state}\n");
            if preferred { text += "preferred 1\n"; }
            for t in &targets {
                if t.starts_with("remote") { text += &format!("TARGET {t} {{\nrel_tgt_id {}\n}}\n", 500 + g); }
                else { text += &format!("TARGET {t}\n"); }
            }
            text += "}\n}\n";
        }
        text
    }
}

fn wanted() -> impl Strategy<Value = String> {
    let devices = (0..5usize).map(|n| prop::option::of(device(n))).collect::<Vec<_>>();
    devices.prop_flat_map(|devices| {
        let devices: Vec<_> = devices.into_iter().flatten().collect();
        let names: Vec<String> = devices.iter().map(|d| d.1.clone()).collect();
        let choose = if names.is_empty() { vec!["none".to_owned()] } else { names.clone() };
        let empty = names.is_empty();
        (
            Just(devices),
            prop::collection::btree_map("iqn\\.t:[0-2]", target(choose.clone()), 0..3),
            prop::option::of(target(choose)),
            device_groups(names),
            prop::option::of(1..5u32),
            prop::option::of(0..2u8),
        )
            .prop_map(move |(devices, targets, hardware, groups, threads, enabled)| {
                let strip = |body: &str| {
                    let kept = |l: &&str| !l.starts_with("LUN") && *l != "read_only 1";
                    if !empty { return body.to_owned(); }
                    let mut out = String::new();
                    let mut skip = false;
                    for l in body.lines() {
                        if l.starts_with("LUN") { skip = l.ends_with('{'); continue; }
                        if skip { skip = l != "}"; continue; }
                        if kept(&l) { out += l; out.push('\n'); }
                    }
                    out
                };
                let mut text = String::new();
                if let Some(t) = threads { text += &format!("threads {t}\n"); }
                for (kind, handler) in [(0, "vdisk_fileio"), (1, "vdisk_blockio"), (2, "vdisk_nullio")] {
                    text += &format!("HANDLER {handler} {{\n");
                    for (_, name, attrs) in devices.iter().filter(|d| d.0 == kind) {
                        text += &format!("DEVICE {name} {{\n{attrs}}}\n");
                    }
                    text += "}\n";
                }
                text += "TARGET_DRIVER iscsi {\n";
                if let Some(e) = enabled { text += &format!("enabled {e}\n"); }
                for (name, body) in &targets { text += &format!("TARGET {name} {{\n{}}}\n", strip(body)); }
                text += "}\n";
                if let Some(body) = hardware {
                    let iscsi = ["IncomingUser", "allowed_portal", "MaxBurstLength"];
                    let body: String = strip(&body).lines().filter(|l| !iscsi.iter().any(|n| l.starts_with(n))).map(|l| format!("{l}\n")).collect();
                    text += &format!("TARGET_DRIVER qla2x00t {{\nTARGET 21:00:00:24:ff:00:00:01 {{\nHW_TARGET\n{body}}}\n}}\n");
                }
                text + &groups
            })
    })
}

/// A state to start from: a configuration with initiators logged in.
fn start(text: &str, logins: &[usize]) -> Sim {
    let sim = sim();
    must(&sim, text);
    for n in logins {
        // Targets that are missing or disabled refuse.
        let _refused =
            sim.login("iscsi", &format!("iqn.t:{}", n % 3), &format!("iqn.{}:1", ['a', 'b', 'c'][n % 3]));
    }
    sim
}

/// Cases of the default run, or ten thousand with `PROPTEST_CASES=10000` in the slow one.
fn cases(default: u32) -> ProptestConfig {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    let chosen = config.cases != 256;
    if chosen { config } else { ProptestConfig { cases: default, ..config } }
}

/// Operations without those that are blocked: groups that sessions hold.
fn possible(planned: &esos_scst::Plan) -> bool {
    planned.operations.iter().all(|o| o.class != Class::Blocked)
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn apply_reaches_what_is_wanted(a in wanted(), b in wanted(), logins in prop::collection::vec(0..6usize, 0..3)) {
        let sim = start(&a, &logins);
        let wanted = config(&b);
        let policy = Policy { prune: true, ..Policy::default() };
        let planned = plan(&live(&sim), &wanted, &policy);
        if possible(&planned) {
            if let Err(e) = run(&sim, &wanted, &policy, ALL) {
                panic!("{e}: {:?}\n{planned}", std::error::Error::source(&e));
            }
            let again = plan(&live(&sim), &wanted, &policy);
            prop_assert!(again.is_empty() && again.pending.is_empty(), "{}", again);
            let saved = live(&sim).to_config();
            let names = |c: &Config| c.handlers.values().flat_map(|h| h.devices.keys().cloned()).collect::<std::collections::BTreeSet<DeviceName>>();
            prop_assert_eq!(names(&saved), names(&wanted));
        }
    }

}

proptest! {
    #![proptest_config(cases(8))]

    #[test]
    fn any_failing_write_is_rolled_back(a in wanted(), b in wanted(), errno in prop::sample::select(vec![5, 12, 16, 22, 28])) {
        let base = start(&a, &[]);
        let wanted = config(&b);
        let policy = Policy { prune: true, ..Policy::default() };
        let planned = plan(&live(&base), &wanted, &policy);
        if !possible(&planned) { return Ok(()); }
        let before = live(&base).canonical();
        for k in 0..planned.steps().count() {
            let sim = base.fork();
            sim.fail_write(sim.writes() + k as u64, errno);
            let error = apply(&sim, &planned, &wanted, &policy, ALL, &mut NoJournal).unwrap_err();
            prop_assert!(matches!(error, ApplyError::RolledBack { step, .. } if step == k + 1), "{}: {:?}\n{}", error, std::error::Error::source(&error), planned);
            prop_assert_eq!(live(&sim).canonical(), before.clone());
        }
    }

}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn eagain_is_waited_for_and_never_written_twice(a in wanted(), b in wanted(), suspend in prop::option::of(1..30u32)) {
        let sim = start(&a, &[]);
        let wanted = config(&b);
        let policy = Policy { prune: true, ..Policy::default() };
        let planned = plan(&live(&sim), &wanted, &policy);
        if !possible(&planned) { return Ok(()); }
        sim.set_again(Again::Always, 3);
        let before = sim.writes();
        let options = Options { suspend, ..ALL };
        if let Err(e) = apply(&sim, &planned, &wanted, &policy, options, &mut NoJournal) {
            panic!("{e}: {:?}\n{planned}", std::error::Error::source(&e));
        }
        let extra = if suspend.is_some() && !planned.is_empty() { 2 } else { 0 };
        prop_assert_eq!(sim.writes() - before, planned.steps().count() as u64 + extra);
        prop_assert!(!sim.suspended());
    }

    #[test]
    fn without_prune_nothing_unnamed_is_touched(a in wanted(), b in wanted(), logins in prop::collection::vec(0..6usize, 0..3)) {
        let sim = start(&a, &logins);
        let wanted = config(&b);
        let before = live(&sim);
        let planned = plan(&before, &wanted, &Policy::default());
        for step in planned.steps() {
            let file = &step.write.file;
            let value = step.write.expose();
            for (driver, live_driver) in &before.drivers {
                for target in live_driver.targets.keys() {
                    let named = wanted.drivers.get(driver).is_some_and(|d| d.targets.contains_key(target));
                    let dir = format!("targets/{driver}/{target}/");
                    // A device that is made anew gets the LUNs back that it had, also where they are not named.
                    let anew = planned.operations.iter().any(|o| o.path.starts_with("dev/") && o.action == esos_scst::Action::Remove);
                    prop_assert!(named || anew || !file.starts_with(&dir), "{}\n{}", step.write, planned);
                    let gone = format!("del_target {target}");
                    prop_assert!(value != gone);
                }
            }
            for device in before.devices.keys() {
                let named = wanted.handlers.values().any(|h| h.devices.contains_key(device));
                let (dir, gone) = (format!("devices/{device}/"), format!("del_device {device}"));
                prop_assert!(named || !file.starts_with(&dir), "{}", step.write);
                prop_assert!(named || value != gone, "{}", step.write);
            }
        }
    }

    #[test]
    fn what_is_saved_is_what_is_there(a in wanted()) {
        let sim = start(&a, &[]);
        let saved = live(&sim).to_config();
        let planned = plan(&live(&sim), &saved, &Policy { prune: true, ..Policy::default() });
        prop_assert!(planned.is_empty(), "{}", planned);
        let text = saved.to_conf().unwrap();
        let again = Document::parse("saved", text);
        prop_assert_eq!(again.config(), &saved);
    }
}

#[test]
fn attributes_of_one_value_compare_as_the_kernel_reads_them() {
    let sim = sim();
    must(&sim, "setup_id 0x10\nTARGET_DRIVER iscsi {\n\tTARGET t {\n\t\taddr_method flat\n\t}\n}\n");
    let wanted = config("setup_id 16\nTARGET_DRIVER iscsi {\n\tTARGET t {\n\t\taddr_method FLAT\n\t}\n}\n");
    assert!(plan(&live(&sim), &wanted, &Policy::default()).is_empty());
}
