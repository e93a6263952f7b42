//! Each fault is found with its object, and gone when it is gone; a healthy box has none, all day.

use esos_health::{Before, Fact, Facts, FileSystem, Lun, Sensor, Session, Status, check, remembered};

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

const DUMPS: &str = r#"{"schema":"esos-dumps/1","problem":null,"dumps":[{"name":"crash-0001-6.12","complete":true,"state":"complete","verified":true,"reason":"Oops","seen":true}]}"#;
const CONF: &str = r#"{"last":5,"problem":null,"looked":9970,"since":null}"#;
/// Seconds since the box started.
const UP: u64 = 10_000;

fn session(initiator: &str) -> Session {
    Session { target: "iscsi/iqn.a".into(), initiator: initiator.into() }
}

fn lun(leads_to: Option<&str>) -> Lun {
    Lun {
        place: "iscsi/iqn.a/hosts/0".into(),
        target: "iscsi/iqn.a".into(),
        device: "vol01".into(),
        leads_to: leads_to.map(str::to_owned),
    }
}

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
    facts.conf = known(CONF);
    facts.uptime = Fact::Known(UP);
    facts.restored = known(r#"{"complete":true,"damaged":[]}"#);
    facts.crash_loaded = known("1\n");
    facts.dumps = known(DUMPS);
    facts.scst_running = Fact::Known(true);
    facts.scst_wanted = Fact::Known(vec!["dev/vol01".into(), "tgt/iscsi/iqn.a".into()]);
    facts.scst_has = Fact::Known(vec![("dev/vol01".into(), true), ("tgt/iscsi/iqn.a".into(), true)]);
    facts.scst_luns = Fact::Known(vec![lun(Some("vol01"))]);
    facts.sessions = Fact::Known(vec![session("iqn.i1"), session("iqn.i2")]);
    facts.sessions_before = facts.sessions.clone();
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
    ("conf", "configuration", Status::Warn, |f| f.uptime = Fact::Known(9970 + 301)),
    ("conf", "configuration", Status::Crit, |f| f.uptime = Fact::Known(9970 + 3601)),
    ("conf", "configuration", Status::Warn, |f| f.conf = known(&CONF.replace("null}", "9699}"))),
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
    ("dumps", "crash-0001-6.12", Status::Warn, |f| dumps(f, "seen\":true", "seen\":false")),
    ("dumps", "crash-0001-6.12", Status::Warn, |f| dumps(f, "verified\":true", "verified\":null")),
    ("dumps", "crash-0001-6.12", Status::Warn, |f| {
        dumps(
            f,
            "verified\":true,\"reason\":\"Oops\",\"seen\":true",
            "verified\":false,\"reason\":null,\"seen\":false",
        );
    }),
    ("dumps", "crash-0001-6.12", Status::Warn, |f| {
        let text =
            DUMPS.replace("complete\":true", "complete\":false").replace("seen\":true", "seen\":false");
        f.dumps = known(&text);
    }),
    ("scst", "scst", Status::Crit, |f| f.scst_running = Fact::Known(false)),
    ("scst", "dev/vol01", Status::Crit, |f| f.scst_has = Fact::Known(vec![("tgt/iscsi/iqn.a".into(), true)])),
    ("scst", "tgt/iscsi/iqn.a", Status::Warn, |f| {
        f.scst_has = Fact::Known(vec![("dev/vol01".into(), true), ("tgt/iscsi/iqn.a".into(), false)]);
    }),
    ("scst", "lun/iscsi/iqn.a/hosts/0", Status::Crit, |f| f.scst_luns = Fact::Known(vec![lun(None)])),
    ("scst", "lun/iscsi/iqn.a/hosts/0", Status::Crit, |f| {
        f.scst_luns = Fact::Known(vec![lun(Some("vol02"))]);
    }),
    ("scst", "iscsi/iqn.a/iqn.i2", Status::Warn, |f| f.sessions = Fact::Known(vec![session("iqn.i1")])),
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
fn dumps(facts: &mut Facts, from: &str, to: &str) {
    assert!(DUMPS.contains(from));
    facts.dumps = known(&DUMPS.replace(from, to));
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
    let changes: [(&str, Change); 22] = [
        ("memory", |f| f.meminfo = Fact::Unknown("x".into())),
        ("filesystem", |f| f.file_systems = Fact::Unknown("x".into())),
        ("md", |f| f.mdstat = Fact::Unknown("x".into())),
        ("raid", |f| f.raid = Fact::Unknown("x".into())),
        ("smart", |f| f.smart = Fact::Unknown("x".into())),
        ("stick", |f| f.stick = Fact::Unknown("x".into())),
        ("boot", |f| f.boot = Fact::Unknown("x".into())),
        ("slots", |f| f.slots = Fact::Unknown("x".into())),
        ("conf", |f| f.conf = Fact::Unknown("x".into())),
        ("conf", |f| f.uptime = Fact::Unknown("x".into())),
        ("restore", |f| f.restored = Fact::Unknown("x".into())),
        ("crash", |f| f.crash_loaded = Fact::Unknown("x".into())),
        ("dumps", |f| f.dumps = Fact::Unknown("x".into())),
        ("scst", |f| f.scst_wanted = Fact::Unknown("x".into())),
        ("scst", |f| f.sessions = Fact::Unknown("x".into())),
        ("scst", |f| f.sessions_before = Fact::Unknown("x".into())),
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
        (facts.dumps, facts.conf) = (known(garbage), known(garbage));
        facts.smart = Fact::Known(vec![("/dev/sda".into(), known(garbage)), ("/dev/sdb".into(), unknown())]);
        let health = check(&facts, &Before::default());
        for name in
            ["memory", "stick", "boot", "drbd", "cluster", "time", "crash", "smart", "slots", "dumps", "conf"]
        {
            let found = health.checks.iter().find(|c| c.name == name).unwrap();
            assert_eq!(found.status, Status::Unknown, "{name} of {garbage:?}");
        }
    }
}

/// One fault is one finding, and each names its dump, its LUN or its initiator.
#[test]
fn what_tells_of_a_fault_tells_alone() {
    let look = |change: Change| {
        let mut facts = well();
        change(&mut facts);
        check(&facts, &Before::default()).findings
    };
    let alone = |change: Change, words: &[&str]| {
        let found = look(change);
        assert_eq!(found.len(), 1, "{found:?}");
        let text = format!("{} {}", found[0].message, found[0].remedy);
        for word in words {
            assert!(text.contains(word), "{word}: {text}");
        }
    };
    // A device that is missing takes its LUNs with it; a target that is missing or disabled its sessions; SCST all.
    let no_device: Change = |f| {
        f.scst_has = Fact::Known(vec![("tgt/iscsi/iqn.a".into(), true)]);
        f.scst_luns = Fact::Known(vec![lun(None)]);
    };
    alone(no_device, &["LUN iscsi/iqn.a/hosts/0"]);
    for has in [
        vec![("dev/vol01".into(), true)],
        vec![("dev/vol01".into(), true), ("tgt/iscsi/iqn.a".into(), false)],
    ] {
        let mut facts = well();
        facts.scst_has = Fact::Known(has);
        (facts.scst_luns, facts.sessions) = (Fact::Known(vec![lun(None)]), Fact::Known(vec![]));
        let found = check(&facts, &Before::default()).findings;
        let kinds: Vec<&str> = found.iter().map(|f| f.kind.as_str()).filter(|k| *k != "lun").collect();
        assert_eq!(kinds.len(), 1, "{found:?}");
        assert!(kinds == ["missing"] || kinds == ["disabled"], "{kinds:?}");
    }
    alone(
        |f| {
            f.scst_running = Fact::Known(false);
            f.sessions = Fact::Known(vec![]);
        },
        &["SCST is not loaded"],
    );
    alone(
        |f| f.sessions = Fact::Known(vec![session("iqn.i1")]),
        &["iqn.i2", "iscsi/iqn.a", "--forget iqn.i2"],
    );
    // What could not be written is told as that, however long ago it was tried.
    alone(
        |f| {
            f.conf = known(r#"{"last":5,"problem":"full","looked":0,"since":0}"#);
        },
        &["changes are not on the stick: full"],
    );
    alone(|f| f.conf = known(&CONF.replace("null}", "100}")), &["wait for 9900 s", "1970-01-01T00:00:05Z"]);
    alone(|f| dumps(f, "seen\":true", "seen\":false"), &["Oops", "esos crash show crash-0001-6.12"]);
}

/// At the limit it is well; what was old stays so until it is clearly younger, even if a clock goes astray.
#[test]
fn the_age_of_a_sync_neither_rounds_nor_flaps() {
    let at = |age: u64, before: &Before| {
        let mut facts = well();
        facts.uptime = Fact::Known(9970 + age);
        Before(check(&facts, before).findings)
    };
    let none = Before::default();
    let status = |b: &Before| b.0.first().map(|f| f.status);
    assert_eq!(status(&at(300, &none)), None);
    let old = at(301, &none);
    assert_eq!(status(&old), Some(Status::Warn));
    assert_eq!(status(&at(151, &old)), Some(Status::Warn));
    assert_eq!(status(&at(150, &old)), None);
    assert_eq!(status(&at(3600, &none)), Some(Status::Warn));
    let lost = at(3601, &none);
    assert_eq!((status(&lost), status(&at(1801, &lost))), (Some(Status::Crit), Some(Status::Crit)));
    assert_eq!(status(&at(1800, &lost)), Some(Status::Warn));
}

/// Who left is remembered until it is back, or its target is not configured any more.
#[test]
fn sessions_are_remembered() {
    let mut facts = well();
    facts.sessions = Fact::Known(vec![session("iqn.i1"), session("iqn.i3")]);
    let all = ["iqn.i1", "iqn.i2", "iqn.i3"].map(session);
    assert_eq!(remembered(&facts), all);
    facts.sessions = Fact::Unused;
    assert_eq!(remembered(&facts), [session("iqn.i1"), session("iqn.i2")], "SCST is down");
    facts.scst_wanted = Fact::Unknown("line 3".into());
    assert_eq!(remembered(&facts).len(), 2);
    facts.scst_wanted = Fact::Known(vec!["dev/vol01".into()]);
    assert_eq!(remembered(&facts), []);
}
