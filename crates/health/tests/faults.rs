//! Each fault is found with its object, and gone when it is gone; a healthy box has none, all day.

use esos_health::{Before, Fact, Facts, FileSystem, Sensor, Status, check};

fn known(text: &str) -> Fact<String> {
    Fact::Known(text.to_owned())
}

const SMART: &str = r#"{"smart_status":{"passed":true},"ata_smart_attributes":{"table":[{"name":"Current_Pending_Sector","raw":{"value":0}}]}}"#;
const DRBD: &str = r#"[{"name":"r0","role":"Primary","devices":[{"volume":0,"disk-state":"UpToDate"}],"connections":[{"name":"b","connection-state":"Connected","peer_devices":[{"volume":0,"peer-disk-state":"UpToDate"}]}]}]"#;
const CLUSTER: &str = "Cluster Summary:\n  * Current DC: a (version 2.1) - partition with quorum\nNode List:\n  * Online: [ a b ]\n";
const MDSTAT: &str = "Personalities : [raid1]\nmd0 : active raid1 sdb[1] sda[0]\n      64512 blocks super 1.2 [2/2] [UU]\n\nunused devices: <none>\n";
const SLOTS: &str = r#"{"data":{"lost":false,"default":"PRIMARY","fallback":null,"slots":[{"slot":"PRIMARY","running":true,"state":"good","problem":null},{"slot":"SECONDARY","running":false,"state":"none","problem":null}]}}"#;
const STICK: &str =
    r#"{"schema":"esos-stick/1","state":"present","device":"/dev/sdb","since":1,"message":"it is there"}"#;

/// Everything is there, and well.
fn well() -> Facts {
    let mut facts = Facts::unused();
    facts.meminfo = known("MemTotal: 1000 kB\nMemAvailable: 700 kB\n");
    let root = FileSystem {
        mount: "/".into(),
        total: 1000,
        used: 500,
        inodes: 100,
        used_inodes: 10,
        read_only: false,
        errors: 0,
    };
    facts.file_systems = Fact::Known(vec![root]);
    facts.mdstat = known(MDSTAT);
    facts.raid = Fact::Known(vec![]);
    facts.smart = Fact::Known(vec![("/dev/sda".into(), known(SMART))]);
    facts.stick = known(STICK);
    facts.boot = known(r#"{"warnings":[]}"#);
    facts.slots = known(SLOTS);
    facts.conf = known(r#"{"last":5,"problem":null}"#);
    facts.restored = known(r#"{"complete":true,"damaged":[]}"#);
    facts.crash_loaded = known("1\n");
    facts.scst_running = Fact::Known(true);
    facts.scst_wanted = Fact::Known(vec!["dev/vol01".into(), "tgt/iscsi/iqn.a".into()]);
    facts.scst_has = Fact::Known(vec![("dev/vol01".into(), true), ("tgt/iscsi/iqn.a".into(), true)]);
    facts.drbd = known(DRBD);
    facts.cluster = known(CLUSTER);
    facts.multipath = known("mpatha (36005) dm-0 HP,HSV\n`- 2:0:0:1 sdb 8:16 active ready running\n");
    facts.time = known("C0A80001,ntp,3,1795620166.1,0.000012,0.1,0.1,1,0.1,1,0.1,0.1,64,Normal\n");
    facts.sensors =
        Fact::Known(vec![Sensor { name: "cpu".into(), now: 40_000, max: Some(80_000), crit: Some(100_000) }]);
    facts.certificates = Fact::Known(vec![("/etc/x.crt".into(), Fact::Known(99_999_999))]);
    facts
}

#[test]
fn a_day_of_a_healthy_box() {
    let mut before = Before::default();
    for _ in 0..144 {
        let health = check(&well(), &before);
        assert_eq!((health.status, health.findings.len()), (Status::Ok, 0), "{health:?}");
        before = Before(health.findings);
    }
}

type Change = fn(&mut Facts);

const FAULTS: &[(&str, &str, Status, Change)] = &[
    ("memory", "memory", Status::Warn, |f| f.meminfo = known("MemTotal: 1000 kB\nMemAvailable: 99 kB\n")),
    ("memory", "memory", Status::Crit, |f| f.meminfo = known("MemTotal: 1000 kB\nMemAvailable: 49 kB\n")),
    ("filesystem", "/", Status::Warn, |f| fs(f, |s| s.used = 801)),
    ("filesystem", "/", Status::Crit, |f| fs(f, |s| s.used = 901)),
    ("filesystem", "/", Status::Warn, |f| fs(f, |s| s.used_inodes = 81)),
    ("filesystem", "/", Status::Crit, |f| fs(f, |s| s.read_only = true)),
    ("filesystem", "/", Status::Crit, |f| fs(f, |s| s.errors = 1)),
    ("md", "md0", Status::Crit, |f| {
        f.mdstat = known(&MDSTAT.replace("sdb[1]", "sdb[1](F)").replace("[2/2] [UU]", "[2/1] [U_]"));
    }),
    ("raid", "storcli/drive 0/252:4", Status::Crit, |f| {
        f.raid = Fact::Known(vec![("storcli".into(), "drive 0/252:4".into(), true, "is Failed".into())]);
    }),
    ("raid", "storcli/battery 0", Status::Warn, |f| {
        f.raid = Fact::Known(vec![("storcli".into(), "battery 0".into(), false, "is to be replaced".into())]);
    }),
    ("smart", "/dev/sda", Status::Crit, |f| smart(f, &SMART.replace("true", "false"))),
    ("smart", "/dev/sda", Status::Warn, |f| smart(f, &SMART.replace("\"value\":0", "\"value\":8"))),
    ("smart", "/dev/sda", Status::Crit, |f| {
        smart(
            f,
            r#"{"smart_status":{"passed":true},"nvme_smart_health_information_log":{"critical_warning":4}}"#,
        );
    }),
    ("smart", "/dev/sda", Status::Warn, |f| {
        smart(
            f,
            r#"{"smart_status":{"passed":true},"nvme_smart_health_information_log":{"percentage_used":95}}"#,
        );
    }),
    ("stick", "/dev/sdb", Status::Crit, |f| f.stick = known(&STICK.replace("present", "gone"))),
    ("stick", "/dev/sdb", Status::Crit, |f| f.stick = known(&STICK.replace("present", "refused"))),
    ("boot", "boot", Status::Warn, |f| f.boot = known(r#"{"warnings":["slot PRIMARY fell back"]}"#)),
    ("slots", "SECONDARY", Status::Warn, |f| f.slots = known(&SLOTS.replace("none", "bad"))),
    ("slots", "SECONDARY", Status::Crit, |f| {
        f.slots = known(&SLOTS.replace("\"none\",\"problem\":null", "\"good\",\"problem\":\"it is cut\""));
    }),
    ("slots", "control records", Status::Crit, |f| {
        f.slots = known(&SLOTS.replace("lost\":false", "lost\":true"));
    }),
    ("slots", "next boot", Status::Crit, |f| {
        f.slots = known(&SLOTS.replace("default\":\"PRIMARY\"", "default\":null"));
    }),
    ("conf", "configuration", Status::Crit, |f| f.conf = known(r#"{"last":5,"problem":"full"}"#)),
    ("restore", "configuration", Status::Crit, |f| {
        f.restored = known(r#"{"complete":false,"problem":"damaged"}"#);
    }),
    ("restore", "gen-2.esc", Status::Warn, |f| {
        f.restored = known(r#"{"complete":true,"damaged":["gen-2.esc: cut"]}"#);
    }),
    ("restore", "@7", Status::Crit, |f| {
        f.restored = known(
            r#"{"complete":true,"damaged":["gen-7.esc: cut"],"passed":[{"id":7,"why":"gen-7.esc: cut","damaged":true}]}"#,
        );
        f.boot = known(r#"{"warnings":["the configuration was not restored: of this another check tells"]}"#);
    }),
    ("crash", "crash kernel", Status::Warn, |f| f.crash_loaded = known("0\n")),
    ("scst", "scst", Status::Crit, |f| f.scst_running = Fact::Known(false)),
    ("scst", "dev/vol01", Status::Crit, |f| f.scst_has = Fact::Known(vec![("tgt/iscsi/iqn.a".into(), true)])),
    ("scst", "tgt/iscsi/iqn.a", Status::Warn, |f| {
        f.scst_has = Fact::Known(vec![("dev/vol01".into(), true), ("tgt/iscsi/iqn.a".into(), false)]);
    }),
    ("drbd", "r0/0", Status::Crit, |f| f.drbd = known(&DRBD.replacen("UpToDate", "Failed", 1))),
    ("drbd", "r0/b", Status::Crit, |f| f.drbd = known(&DRBD.replace("Connected", "StandAlone"))),
    ("drbd", "r0/b/0", Status::Warn, |f| {
        f.drbd = known(&DRBD.replace("peer-disk-state\":\"UpToDate", "peer-disk-state\":\"Outdated"));
    }),
    ("cluster", "quorum", Status::Crit, |f| {
        f.cluster = known(&CLUSTER.replace("with quorum", "WITHOUT quorum"));
    }),
    ("cluster", "b", Status::Crit, |f| {
        f.cluster = known(&CLUSTER.replace("[ a b ]", "[ a ]\n  * OFFLINE: [ b ]"));
    }),
    ("cluster", "scst_monitor_20000", Status::Warn, |f| {
        f.cluster =
            known(&format!("{CLUSTER}\nFailed Resource Actions:\n  * scst_monitor_20000 on a 'error' (1)\n"));
    }),
    ("multipath", "mpatha", Status::Crit, |f| {
        f.multipath = known("mpatha (36005) dm-0 HP,HSV\n`- 2:0:0:1 sdb 8:16 failed faulty running\n");
    }),
    ("time", "clock", Status::Warn, |f| f.time = known("0,,0,0.0,0.0,0,0,0,0,0,1,1,0,Not synchronised\n")),
    ("temperature", "cpu", Status::Warn, |f| heat(f, 85_000)),
    ("temperature", "cpu", Status::Crit, |f| heat(f, 101_000)),
    ("certificate", "/etc/x.crt", Status::Crit, |f| {
        f.certificates = Fact::Known(vec![("/etc/x.crt".into(), Fact::Known(-1))]);
    }),
];

fn fs(facts: &mut Facts, change: impl Fn(&mut FileSystem)) {
    if let Fact::Known(all) = &mut facts.file_systems {
        all.iter_mut().for_each(change);
    }
}
fn smart(facts: &mut Facts, text: &str) {
    facts.smart = Fact::Known(vec![("/dev/sda".into(), known(text))]);
}
fn heat(facts: &mut Facts, now: i64) {
    facts.sensors =
        Fact::Known(vec![Sensor { name: "cpu".into(), now, max: Some(80_000), crit: Some(100_000) }]);
}

#[test]
fn each_fault_with_its_object_and_then_cleared() {
    for (name, object, status, change) in FAULTS {
        let mut facts = well();
        change(&mut facts);
        let health = check(&facts, &Before::default());
        let found: Vec<_> =
            health.findings.iter().map(|f| (f.check.as_str(), f.object.as_str(), f.status)).collect();
        assert!(found.contains(&(*name, *object, *status)), "{name} {object}: {found:?}");
        assert_eq!(health.status, *status, "{name} {object}: nothing else is wrong: {found:?}");
        assert!(health.findings.iter().all(|f| !f.remedy.is_empty() && !f.message.is_empty()));
        let after = check(&well(), &Before(health.findings));
        assert_eq!(after.findings, [], "{name} {object} is gone");
    }
    println!("{} faults", FAULTS.len());
}

#[test]
fn what_cannot_be_had_is_unknown_and_never_well() {
    let unknown = || Fact::Unknown("it is not installed".to_owned());
    let changes: [(&str, Change); 18] = [
        ("memory", |f| f.meminfo = Fact::Unknown("x".into())),
        ("filesystem", |f| f.file_systems = Fact::Unknown("x".into())),
        ("md", |f| f.mdstat = Fact::Unknown("x".into())),
        ("raid", |f| f.raid = Fact::Unknown("x".into())),
        ("smart", |f| f.smart = Fact::Unknown("x".into())),
        ("stick", |f| f.stick = Fact::Unknown("x".into())),
        ("boot", |f| f.boot = Fact::Unknown("x".into())),
        ("slots", |f| f.slots = Fact::Unknown("x".into())),
        ("conf", |f| f.conf = Fact::Unknown("x".into())),
        ("restore", |f| f.restored = Fact::Unknown("x".into())),
        ("crash", |f| f.crash_loaded = Fact::Unknown("x".into())),
        ("scst", |f| f.scst_wanted = Fact::Unknown("x".into())),
        ("drbd", |f| f.drbd = Fact::Unknown("x".into())),
        ("cluster", |f| f.cluster = Fact::Unknown("x".into())),
        ("multipath", |f| f.multipath = Fact::Unknown("x".into())),
        ("time", |f| f.time = Fact::Unknown("x".into())),
        ("temperature", |f| f.sensors = Fact::Unknown("x".into())),
        ("certificate", |f| f.certificates = Fact::Unknown("x".into())),
    ];
    for (name, change) in changes {
        let mut facts = well();
        change(&mut facts);
        let health = check(&facts, &Before::default());
        assert_eq!(health.status.exit(), 3, "{name}");
        assert_eq!(health.checks.iter().find(|c| c.name == name).unwrap().status, Status::Unknown, "{name}");
    }
    // What a tool prints and nobody understands is no "well" either.
    for garbage in ["", "garbage\n", "{\"x\":"] {
        let mut facts = well();
        (facts.meminfo, facts.stick, facts.boot) = (known(garbage), known(garbage), known(garbage));
        (facts.drbd, facts.cluster, facts.time) = (known(garbage), known(garbage), known(garbage));
        (facts.crash_loaded, facts.slots) = (known(garbage), known(garbage));
        facts.smart = Fact::Known(vec![("/dev/sda".into(), known(garbage)), ("/dev/sdb".into(), unknown())]);
        let health = check(&facts, &Before::default());
        for name in ["memory", "stick", "boot", "drbd", "cluster", "time", "crash", "smart", "slots"] {
            let found = health.checks.iter().find(|c| c.name == name).unwrap();
            assert_eq!(found.status, Status::Unknown, "{name} of {garbage:?}");
        }
    }
}
