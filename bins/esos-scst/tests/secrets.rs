//! Ten CHAP secrets through every verb, flag and error: none is printed, and files that hold them have mode
//! 0600.
#![expect(clippy::unwrap_used, reason = "test helpers")]
use esos_hostfs::HostFiles;
use esos_scst::store::{Keep, Store};
use esos_scst::{Document, NoJournal, Options, Policy, observe, plan};
use esos_scst_sim::{Environment, Sim};
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
    with(args, &[&[], &["--json"], &["-v"], &["-vvv"], &["-q"], &["-q", "--json"], &["--color", "always"]]);
}

fn with(args: &[&str], flags: &[&[&str]]) {
    for more in flags.iter().copied() {
        let all: Vec<&str> = args.iter().chain(more).copied().collect();
        let out = Command::new(env!("CARGO_BIN_EXE_esos-scst"))
            .args(&all)
            .env("RUST_LOG", "trace")
            .env("RUST_BACKTRACE", "full")
            .output()
            .unwrap();
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
    kept(&dir.path().join("box"), &good, &other);
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

/// Generations, a journal and a change that waits, as they lie on a box; then all that lists or compares them.
fn kept(root: &Path, good: &str, other: &str) {
    let sim = Sim::new(Environment::default());
    sim.load_iscsi();
    sim.start_iscsi_daemon();
    std::fs::create_dir_all(root.join("etc")).unwrap();
    let files = HostFiles::new(root);
    let store = Store::new(&files);
    let options = Options { allow_disruptive: true, allow_destructive: true, suspend: None };
    let policy = Policy { prune: true, ..Policy::default() };
    let apply = |text: &str, confirm_by: Option<u64>| {
        let document = Document::parse("/etc/scst.conf", text);
        let live = observe(&sim).unwrap();
        let planned = plan(&live, document.config(), &policy);
        let keep = Keep { document: &document, time: 1, by: "root", confirm_by };
        store.apply(&sim, &live, &planned, document.config(), &policy, options, Some(&keep), &mut NoJournal)
    };
    let (good, other) = (std::fs::read_to_string(good).unwrap(), std::fs::read_to_string(other).unwrap());
    apply(&good, None).unwrap();
    apply(&other, None).unwrap();
    apply(&good, Some(u64::MAX)).unwrap();
    // A write that the kernel refuses: the error, its causes and the way back.
    store.take_back(&sim, &mut NoJournal).unwrap();
    for k in 0..6 {
        sim.fail_write(sim.writes() + k, 12);
        let error = apply(&good, None).unwrap_err();
        let failure = esos_cli::Failure::from(error);
        let text = format!("{failure:?}");
        assert!(SECRETS.iter().all(|s| !text.contains(s)), "{text}");
    }
    apply(&good, Some(u64::MAX)).unwrap();
    for (file, what) in walk(root) {
        if SECRETS.iter().any(|s| what.contains(s)) {
            assert_eq!(mode(&file), 0o600, "{} holds a secret", file.display());
        }
    }
    let at = root.display().to_string();
    for args in [
        &["history"][..],
        &["history", "-n", "1"],
        &["show", "--from", "@1"],
        &["show", "--from", "@2"],
        &["show", "--from", "@99"],
        &["diff", "@1", "@2"],
        &["diff", "saved", "@1"],
        &["rollback", "--dry-run"],
        &["rollback", "@1", "--dry-run"],
        &["rollback", "@1"],
        &["confirm"],
        &["__section"],
    ] {
        quiet(&[args, &["--root", &at]].concat());
    }
}

fn walk(dir: &Path) -> Vec<(std::path::PathBuf, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match std::fs::read(&path) {
            Ok(bytes) => found.push((path, String::from_utf8_lossy(&bytes).into_owned())),
            Err(_) => found.extend(walk(&path)),
        }
    }
    assert!(!found.is_empty());
    found
}
