//! The tool on a copied tree.
#![expect(clippy::unwrap_used, reason = "test helpers")]
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;

fn put(root: &Path, name: &str, text: &str) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn run(root: &Path, more: &[&str]) -> (i32, Value) {
    let output = Command::new(env!("CARGO_BIN_EXE_esos-health"))
        .args(["--json", "--root", root.to_str().unwrap()])
        .args(more)
        .output()
        .unwrap();
    (output.status.code().unwrap(), serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn a_tree_of_faults_is_told_once() {
    let dir = esos_hostfs::TempDir::new("health").unwrap();
    let root = dir.path();
    // Nothing is there: nothing is known, which is not well.
    assert_eq!(run(root, &[]).0, 3);
    // The front door asks for a section; finding faults is no fault of asking.
    let (exit, json) = run(root, &["__section"]);
    assert_eq!((exit, json["schema"].as_str()), (0, Some("esos.section/1")));
    put(root, "proc/meminfo", "MemTotal: 1000 kB\nMemAvailable: 10 kB\n");
    put(root, "sys/kernel/kexec_crash_loaded", "0\n");
    put(root, "sys/class/hwmon/hwmon0/name", "coretemp\n");
    put(root, "sys/class/hwmon/hwmon0/temp1_input", "99000\n");
    put(root, "sys/class/hwmon/hwmon0/temp1_max", "80000\n");
    put(root, "etc/scst.conf", "HANDLER vdisk_nullio {\n\tDEVICE vol01\n}\n");
    // Made by OpenSSL: it ended with the year 2020.
    put(
        root,
        "etc/ssl/esos/box.crt",
        "-----BEGIN CERTIFICATE-----\nMIHGMHoCAQIwBQYDK2VwMBAxDjAMBgNVBAMMBWVzb3MxMB4XDTIwMDEwMTAwMDAw\nMFoXDTIwMTIzMTIzNTk1OVowEDEOMAwGA1UEAwwFZXNvczEwKjAFBgMrZXADIQBz\n/NhBy7kzMOh+fphvhZjdSnf/desct7O5sm++HsI0UDAFBgMrZXADQQC6meZEzf1E\nPU7fo5b/RAW64o+UeHJpdSO/r9tIi8XNyBdhWsaRZyvW+9+YtfIyfNsk3YR/niod\npQ5sh6BYu6EA\n-----END CERTIFICATE-----",
    );
    put(root, "etc/ssl/esos/box.pem", "-----BEGIN PRIVATE KEY-----\n");
    put(root, "etc/esos/mail.toml", "[smtp]\nhost = \"x\"\nca = \"/etc/gone.pem\"\n");
    let (exit, json) = run(root, &["--report"]);
    assert_eq!(exit, 2, "{json}");
    let objects: Vec<&str> =
        json["data"]["findings"].as_array().unwrap().iter().map(|f| f["object"].as_str().unwrap()).collect();
    for object in
        ["memory", "crash kernel", "coretemp/temp1", "scst", "/etc/ssl/esos/box.crt", "/etc/gone.pem"]
    {
        assert!(objects.contains(&object), "{object}: {json}");
    }
    let inbox = root.join("var/lib/esos/alert/inbox");
    let raised = |inbox: &Path| {
        let all = fs::read_dir(inbox).unwrap().map(|e| fs::read_to_string(e.unwrap().path()).unwrap());
        all.filter(|t| t.contains("\"raised\"") && t.contains("health/memory/memory")).count()
    };
    assert_eq!(raised(&inbox), 1);
    run(root, &["--report"]);
    assert_eq!(raised(&inbox), 1, "the same is not reported again");
    put(root, "proc/meminfo", "MemTotal: 1000 kB\nMemAvailable: 900 kB\n");
    run(root, &["--report", "--startup"]);
    let all: Vec<String> =
        fs::read_dir(&inbox).unwrap().map(|e| fs::read_to_string(e.unwrap().path()).unwrap()).collect();
    assert!(all.iter().any(|t| t.contains("\"cleared\"") && t.contains("health/memory/memory")));
    assert!(all.iter().any(|t| t.contains("the box has started")));
}

/// Whoever left is missed until it is back, or somebody says that it will not come back; a LUN that leads nowhere is
/// told with its place.
#[test]
fn an_initiator_that_left_is_missed() {
    const TARGETS: &str = "sys/kernel/scst_tgt/targets";
    let dir = esos_hostfs::TempDir::new("health").unwrap();
    let root = dir.path();
    let conf = "HANDLER vdisk_nullio {\n\tDEVICE vol01\n}\nTARGET_DRIVER iscsi {\n\tenabled 1\n\tTARGET iqn.t {\n\t\t\
                enabled 1\n\t\tLUN 0 vol01\n\t\tGROUP hosts {\n\t\t\tLUN 3 vol01\n\t\t\tINITIATOR iqn.two\n\t\t}\n\t}\n}\n";
    put(root, "etc/scst.conf", conf);
    fs::create_dir_all(root.join("sys/kernel/scst_tgt/devices/vol01")).unwrap();
    put(root, &format!("{TARGETS}/iscsi/enabled"), "1\n");
    put(root, &format!("{TARGETS}/iscsi/iqn.t/enabled"), "1\n");
    let lun = |dir: &str| {
        let lun = root.join(format!("{TARGETS}/iscsi/iqn.t/{dir}"));
        fs::create_dir_all(&lun).unwrap();
        std::os::unix::fs::symlink("../../../../../devices/vol01", lun.join("device")).unwrap();
    };
    lun("luns/0");
    let session = |name: &str, initiator: &str| {
        put(
            root,
            &format!("{TARGETS}/iscsi/iqn.t/sessions/{name}/initiator_name"),
            &format!("{initiator}\n"),
        );
    };
    let end =
        |name: &str| fs::remove_dir_all(root.join(format!("{TARGETS}/iscsi/iqn.t/sessions/{name}"))).unwrap();
    for (name, initiator) in [("iqn.one", "iqn.one"), ("iqn.two", "iqn.two"), ("iqn.two_1", "iqn.two")] {
        session(name, initiator);
    }
    put(
        root,
        &format!("{TARGETS}/copy_manager/copy_manager_tgt/sessions/copy_manager_sess/initiator_name"),
        "x\n",
    );
    let scst = |more: &[&str]| -> Vec<String> {
        let (_, json) = run(root, more);
        let all = json["data"]["findings"].as_array().unwrap_or_else(|| panic!("{json}")).clone();
        let of_scst = all.iter().filter(|f| f["check"] == "scst");
        of_scst.map(|f| f["object"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(scst(&["--report"]), ["lun/iscsi/iqn.t/hosts/3"]);
    lun("ini_groups/hosts/luns/3");
    end("iqn.one");
    end("iqn.two");
    assert_eq!(scst(&["--report"]), ["iscsi/iqn.t/iqn.one"], "the other one has a second session");
    end("iqn.two_1");
    assert_eq!(scst(&[]), ["iscsi/iqn.t/iqn.one", "iscsi/iqn.t/iqn.two"]);
    session("iqn.two", "iqn.two");
    assert_eq!(scst(&["--report"]), ["iscsi/iqn.t/iqn.one"]);
    assert!(
        run(root, &["--forget", "iqn.three"]).1["error"]["message"].as_str().unwrap().contains("iqn.three")
    );
    assert_eq!(scst(&["--forget", "iqn.one"]), [""; 0]);
    assert_eq!(scst(&["--report"]), [""; 0]);
    let inbox = fs::read_dir(root.join("var/lib/esos/alert/inbox")).unwrap();
    let all: Vec<String> = inbox.map(|e| fs::read_to_string(e.unwrap().path()).unwrap()).collect();
    for kind in ["\"raised\"", "\"cleared\""] {
        let told =
            all.iter().filter(|t| t.contains(kind) && t.contains("health/scst/iscsi_iqn.t_iqn.one/session"));
        assert_eq!(told.count(), 1, "{kind}: {all:#?}");
    }
    put(root, "run/esos/sessions.json", "{");
    let (exit, json) = run(root, &[]);
    assert_eq!(exit, 3, "{json}");
    assert!(json.to_string().contains("/run/esos/sessions.json makes no sense"), "{json}");
}

/// What was kept of dumps and of the last sync, and what was not.
#[test]
fn dumps_and_the_age_of_a_sync() {
    let dir = esos_hostfs::TempDir::new("health").unwrap();
    let root = dir.path();
    let check = |name: &str| {
        let (_, json) = run(root, &["--report"]);
        let pick = |list: &str, key: &str| {
            json["data"][list].as_array().unwrap().iter().find(|f| f[key] == name).cloned()
        };
        (pick("checks", "name").unwrap()["status"].clone(), pick("findings", "check").unwrap_or_default())
    };
    assert_eq!(check("dumps").0, "unused", "no stick, no dumps");
    put(root, "run/esos/boot.json", r#"{"warnings":[],"stick":{"device":"/dev/sdb"}}"#);
    assert_eq!(check("dumps").0, "unknown");
    let dump = r#"{"name":"crash-0001-6.12","complete":true,"state":"complete","verified":true,"reason":"Oops","seen":false}"#;
    put(
        root,
        "run/esos/dumps.json",
        &format!(r#"{{"schema":"esos-dumps/1","problem":null,"dumps":[{dump}]}}"#),
    );
    let (status, found) = check("dumps");
    assert_eq!(
        (status, &found["object"], &found["kind"]),
        ("warn".into(), &"crash-0001-6.12".into(), &"unseen".into())
    );
    put(root, "run/esos/dumps.json", r#"{"schema":"esos-dumps/1","problem":"EIO","dumps":[]}"#);
    assert_eq!(check("dumps").0, "unknown");

    put(root, "run/esos/conf.json", r#"{"last":1790000000,"problem":null,"looked":100,"since":null}"#);
    assert_eq!(check("conf").0, "unknown", "/proc/uptime is missing");
    put(root, "proc/uptime", "400.99 700.00\n");
    assert_eq!(check("conf").0, "ok");
    put(root, "proc/uptime", "401.00 700.00\n");
    let (status, found) = check("conf");
    assert_eq!((status, &found["kind"]), ("warn".into(), &"old".into()));
    assert!(found["message"].as_str().unwrap().contains("301 s; its last sync: 2026-09-21T"), "{found}");
    let inbox = fs::read_dir(root.join("var/lib/esos/alert/inbox")).unwrap();
    let all: Vec<String> = inbox.map(|e| fs::read_to_string(e.unwrap().path()).unwrap()).collect();
    let of = |id: &str| all.iter().filter(|t| t.contains("\"raised\"") && t.contains(id)).count();
    // Of the crash esos-crash tells, with what it saved.
    assert_eq!((of("health/conf/configuration/old"), of("crash-0001")), (1, 0), "{all:#?}");
}
