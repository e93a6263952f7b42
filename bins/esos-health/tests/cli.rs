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
