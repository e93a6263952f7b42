//! Imports point down, and only the doors touch the machine.
use crate::workspace::{packages, root};
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

/// Which crate stands on which floor (see ARCHITECTURE.md). A new crate must be given its place here.
const FLOORS: &[(u8, &[&str])] = &[
    (1, &["units", "diag", "layout"]),
    (2, &["sysfs", "exec", "hostfs", "blockdev", "fetch", "vm"]),
    (
        3,
        &[
            "scst",
            "raid",
            "drbd",
            "cluster",
            "bootimg",
            "crashdump",
            "confsync",
            "logarchive",
            "alert",
            "network",
            "stickwatch",
        ],
    ),
    (4, &["agent", "health", "initramfs", "tui", "firstboot"]),
];

/// Beside the floors: what a crate there may import of ours.
const BESIDE: &[(&str, &[&str])] = &[
    ("cli", &["units", "diag", "hostfs"]),
    ("scst-sim", &["units", "diag", "sysfs", "exec"]),
    ("fixtures", &[]),
];

/// Packages that may lift the ban on `std::fs`, programs, clocks and the environment.
const DOORS: &[&str] =
    &["crates/sysfs", "crates/exec", "crates/hostfs", "crates/blockdev", "crates/fetch", "crates/vm"];
const EDGES: &[&str] = &["crates/cli", "bins", "fixtures", "tests"];

fn floor(short: &str) -> Option<u8> {
    FLOORS.iter().find(|(_, names)| names.contains(&short)).map(|(floor, _)| *floor)
}

fn short(name: &str) -> &str {
    name.strip_prefix("esos-").unwrap_or(name)
}

#[test]
fn imports_point_down() {
    let mut wrong = Vec::new();
    for package in packages().values().filter(|p| p.is_library() || p.name == "esos-fixtures") {
        let ours: Vec<String> = [None, Some("build")]
            .into_iter()
            .flat_map(|kind| package.needs(kind))
            .filter(|d| packages().contains_key(d))
            .collect();
        let beside = BESIDE.iter().find(|(name, _)| *name == package.short());
        let Some(own) = floor(package.short()) else {
            match beside {
                None => wrong.push(format!("{} has no place in FLOORS or BESIDE", package.name)),
                Some((_, allowed)) => wrong.extend(
                    ours.iter()
                        .filter(|d| !allowed.contains(&short(d)))
                        .map(|d| format!("{} must not import {d}", package.name)),
                ),
            }
            continue;
        };
        for needed in &ours {
            // Doors may use doors (cargo sees to it that there is no circle); nobody else imports its neighbour.
            let fine = floor(short(needed)).is_some_and(|f| f < own || (own == 2 && f == 2));
            if !fine {
                wrong.push(format!("{} (floor {own}) must not import {needed}", package.name));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn a_simulator_never_depends_on_what_it_tests() {
    let Some(sim) = packages().get("esos-scst-sim") else { return };
    let all: BTreeSet<String> =
        [None, Some("dev"), Some("build")].into_iter().flat_map(|k| sim.needs(k)).collect();
    assert!(!all.contains("esos-scst"), "{all:?}");
}

#[test]
fn only_binaries_and_tests_use_the_shared_edge() {
    for package in packages().values().filter(|p| p.is_library()) {
        let needs = package.needs(None);
        for edge in ["esos-cli", "clap", "indicatif", "annotate-snippets", "esos-fixtures"] {
            let own = package.name == "esos-cli" && edge != "esos-fixtures";
            assert!(own || !needs.contains(edge), "{} must not import {edge}", package.name);
        }
    }
}

/// The first program of a box: no libudev, no clap, nothing that is loaded at run time.
#[test]
fn init_links_neither_libudev_nor_clap() {
    assert!(packages().contains_key("esos-init"), "there is no esos-init");
    let output = Command::new(env!("CARGO"))
        .args(["tree", "-p", "esos-init", "-e", "normal", "--prefix", "none", "--offline", "--format", "{p}"])
        .current_dir(root())
        .output()
        .unwrap();
    let tree = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success() && tree.starts_with("esos-init "),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for banned in ["udev", "libudev-sys", "clap", "clap_builder", "esos-cli", "ureq"] {
        assert!(
            !tree.lines().any(|l| l.split(' ').next() == Some(banned)),
            "esos-init needs {banned}:\n{tree}"
        );
    }
}

#[test]
fn binaries_are_thin() {
    for package in packages().values().filter(|p| p.is_bin()) {
        let main = fs::read_to_string(package.dir.join("src/main.rs")).unwrap();
        assert!(main.lines().count() < 100, "{}: main.rs has {} lines", package.name, main.lines().count());
    }
}

#[test]
fn the_ban_stands_and_only_doors_lift_it() {
    let ban = fs::read_to_string(root().join("clippy.toml")).unwrap();
    let named = [
        "std::process::Command",
        "std::fs::File",
        "std::fs::read",
        "std::fs::write",
        "std::fs::rename",
        "std::time::SystemTime::now",
        "std::time::Instant::now",
        "std::thread::sleep",
        "std::env::var",
    ];
    for name in named {
        assert!(ban.contains(&format!("\"{name}\"")), "clippy.toml no longer bans {name}");
    }
    let lifted: BTreeSet<String> = ["crates", "bins", "fixtures", "tests"]
        .iter()
        .flat_map(|top| {
            let inner = fs::read_dir(root().join(top)).unwrap().map(|e| e.unwrap().path());
            inner.chain([root().join(top)]).collect::<Vec<_>>()
        })
        .filter(|dir| dir.join("clippy.toml").exists())
        .map(|dir| dir.strip_prefix(root()).unwrap().to_str().unwrap().to_owned())
        .collect();
    let allowed: BTreeSet<String> = DOORS.iter().chain(EDGES).map(|s| (*s).to_owned()).collect();
    assert!(lifted.is_subset(&allowed), "not a door: {:?}", lifted.difference(&allowed).collect::<Vec<_>>());
}
