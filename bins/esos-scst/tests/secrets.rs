//! Ten CHAP secrets through every verb, flag and error: none is printed, and files that hold them have mode
//! 0600.
#![expect(clippy::unwrap_used, reason = "test helpers")]
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

const SECRETS: [&str; 10] = [
    "planted0alpha7",
    "planted1bravo7",
    "planted2charl7",
    "planted3delta7",
    "planted4echoo7",
    "planted5foxtr7",
    "planted6golfg7",
    "planted7hotel7",
    "planted8india7",
    "planted9julie7",
];

fn conf(secrets: &[&str]) -> String {
    let s = |n: usize| secrets[n];
    format!(
        "HANDLER vdisk_nullio {{\n\tDEVICE n1\n}}\nTARGET_DRIVER iscsi {{\n\tenabled 1\n\tIncomingUser \"d0 {}\"\n\tIncomingUser \"d1 {}\"\n\tOutgoingUser \"d2 {}\"\n\tTARGET iqn.2026-01.org.esos:a {{\n\t\tIncomingUser \"a0 {}\"\n\t\tIncomingUser \"a1 {}\"\n\t\tOutgoingUser \"a2 {}\"\n\t\tLUN 0 n1\n\t}}\n\tTARGET iqn.2026-01.org.esos:b {{\n\t\tIncomingUser \"b0 {}\"\n\t\tIncomingUser \"b1 {}\"\n\t\tIncomingUser \"b2 {}\"\n\t\tOutgoingUser \"b3 {}\"\n\t}}\n}}\n",
        s(0),
        s(1),
        s(2),
        s(3),
        s(4),
        s(5),
        s(6),
        s(7),
        s(8),
        s(9)
    )
}

fn quiet(args: &[&str]) {
    with(args, &[&[], &["--json"], &["-vv"]]);
}

fn with(args: &[&str], flags: &[&[&str]]) {
    for more in flags.iter().copied() {
        let all: Vec<&str> = args.iter().chain(more).copied().collect();
        let out = Command::new(env!("CARGO_BIN_EXE_esos-scst")).args(&all).output().unwrap();
        let text =
            format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        for secret in SECRETS {
            assert!(!text.contains(secret), "{all:?} prints {secret}:\n{text}");
        }
    }
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn no_secret_is_printed() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let state = esos_fixtures::path("scst/state-12-iscsi-daemon-running.json").display().to_string();
    let root = dir.path().display().to_string();
    let good = file("good.conf", &conf(&SECRETS));
    let turned: Vec<&str> = SECRETS.iter().rev().copied().collect();
    let other = file("other.conf", &conf(&turned));
    let new = dir.path().join("new.json").display().to_string();
    let apply = ["apply", &good, "--state", &state, "--state-out", &new];
    quiet(&apply);
    assert_eq!(mode(Path::new(&new)), 0o600);
    let out = dir.path().join("out.conf").display().to_string();
    for args in [
        &["check", &good][..],
        &["fmt", &good, "--check"],
        &["plan", &good, "--state", &state],
        &["plan", &other, "--state", &new, "--prune"],
        &["apply", &other, "--state", &new, "--dry-run"],
        &["apply", &other, "--state", &new, "--allow-disruptive", "--yes"],
        &["apply", &other, "--state", &new, "--only", "iscsi/iqn.2026-01.org.esos:a"],
        &["show", "--state", &new],
        &["show", "iscsi/iqn.2026-01.org.esos:b", "--state", &new],
        &["show", "--from", &good],
        &["diff", &good, &other],
        &["diff", "live", &other, "--state", &new],
        &["get", "iscsi/iqn.2026-01.org.esos:a", "--state", &new],
        &["get", "iscsi", "IncomingUser", "--state", &new],
        &["set", "iscsi/iqn.2026-01.org.esos:a", &format!("IncomingUser=a0 {}", SECRETS[9]), "--state", &new],
        &["set", "iscsi/iqn.2026-01.org.esos:a", SECRETS[9], "--state", &new],
        &["rm", "iscsi/iqn.2026-01.org.esos:a", "--state", &new, "--dry-run"],
        &["disable", "iscsi/iqn.2026-01.org.esos:a", "--state", &new],
        &["sessions", "--state", &new],
        &["alua", "show", "--state", &new],
        &["alua", "lint", &good, &other],
        &["export", &good, "--to", "json"],
        &["export", &good, "--to", "toml"],
        &["import", "--from", "scst.conf", &good, "--out", &out],
        &["apply", &good, "--root", &root],
        &["history", "--root", &root],
        &["frobnicate", &good],
    ] {
        quiet(args);
    }
    assert_eq!(mode(Path::new(&out)), 0o600);
    // Broken in every line that holds one.
    let whole = conf(&SECRETS);
    for secret in SECRETS {
        for (n, broken) in [
            whole.replace(&format!("{secret}\""), secret),
            whole.replace(&format!("{secret}\""), &format!("{secret}#x\"")),
            whole.replace(&format!("{secret}\""), &format!("{secret}\" extra")),
            whole.replace("IncomingUser", "IncomngUser"),
            whole.replace(&format!(" {secret}"), &format!("\" {secret} {{")),
        ]
        .into_iter()
        .enumerate()
        {
            let path = file(&format!("broken{n}.conf"), &broken);
            with(&["check", &path], &[&[], &["--json"]]);
            with(&["plan", &path, "--state", &state], &[&[]]);
        }
    }
}
