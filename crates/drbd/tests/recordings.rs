//! Every recording against the table that was written by hand, and the views of one moment against each
//! other.
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, reason = "a test")]
use esos_drbd::{Connection, FailureKind, Kind, Report, Resource, ToolFailure, promotable, read};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn fixture(name: &str) -> String {
    esos_fixtures::text(&format!("cluster/{name}")).unwrap()
}

fn report(name: &str) -> Report {
    read(None, name, &fixture(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// `dir, state, node` and what must be seen there; by view where a view differs.
fn table() -> Vec<Vec<String>> {
    let text = fixture("expected-drbd.tsv");
    let rows = text.lines().filter(|l| !l.starts_with('#'));
    rows.map(|l| l.split('\t').map(str::to_owned).collect()).collect()
}

const VIEWS: [(&str, &str); 8] = [
    ("events2-now", "txt"),
    ("proc_drbd", "txt"),
    ("drbdsetup-status-verbose-statistics", "txt"),
    ("drbdadm-status", "txt"),
    ("role-cstate-dstate", "txt"),
    ("status-json", "json"),
    ("status-json-verbose-statistics", "json"),
    ("status-verbose-statistics", "txt"),
];

fn seen(r: &Resource) -> Vec<String> {
    let device = &r.devices[0];
    let (connection, peer_role, peer_disk, replication) = match r.connections.first() {
        // 8.4's short form has no line for a connection that is not configured.
        None => ("StandAlone".to_owned(), "Unknown".to_owned(), "DUnknown".to_owned(), "Off".to_owned()),
        Some(p) => {
            let d = &p.peer_devices[0];
            (
                p.connection.to_string(),
                p.peer_role.to_string(),
                d.peer_disk.to_string(),
                d.replication.to_string(),
            )
        }
    };
    let suspended = match r.suspended.as_deref() {
        None | Some([]) => "no".to_owned(),
        Some(list) => list.join(","),
    };
    let answer = if promotable(r).yes { "yes" } else { "no" };
    vec![
        r.role.to_string(),
        device.disk.to_string(),
        connection,
        peer_role,
        peer_disk,
        replication,
        suspended,
        answer.to_owned(),
    ]
}

#[test]
fn every_view_of_every_moment_says_what_the_table_says() {
    let mut checked = 0;
    let table = table();
    for row in &table {
        let [dir, state, node, rest @ ..] = row.as_slice() else { panic!("{row:?}") };
        let [wanted @ .., view] = rest else { panic!("{row:?}") };
        let exceptions: Vec<&String> =
            table.iter().filter(|r| r[..3] == row[..3]).map(|r| r.last().unwrap()).collect();
        for (name, ending) in VIEWS.iter().chain(&[("status", "txt")]) {
            let here = if view == "*" { !exceptions.iter().any(|v| v == name) } else { view == name };
            let file = format!("{dir}/{name}.{state}.{node}.{ending}");
            if !here || !esos_fixtures::path(&format!("cluster/{file}")).exists() {
                continue;
            }
            let report = report(&file);
            if dir == "drbd9" && *name == "proc_drbd" {
                assert!(
                    report.status.resources.is_empty()
                        && report.warnings.iter().any(|w| w.contains("no resources")),
                    "{file}"
                );
                assert_eq!(report.version().unwrap().module.as_deref(), Some("9.2.18"));
                continue;
            }
            let r = &report.status.resources[0];
            let mut found = seen(r);
            let mut expected = wanted.to_vec();
            let quorum = expected.remove(6);
            // Where a view tells of quorum it agrees; 8.4 knows none; the short form of 9 tells only of its loss.
            match r.devices[0].quorum {
                Some(q) => assert_eq!(quorum, if q { "yes" } else { "no" }, "{file}"),
                None => assert!(quorum == "-" || quorum == "yes" && *name == "status", "{file}: {quorum}"),
            }
            // /proc/drbd has no reason, role-cstate-dstate no word of suspended I/O.
            if found[6] == "yes" || (*name == "role-cstate-dstate" && expected[6] != "no") {
                found[6].clone_from(&expected[6]);
            }
            assert_eq!(found, expected, "{file}");
            assert_eq!(report.warnings, [""; 0], "{file}");
            checked += 1;
        }
    }
    assert!(checked > 170, "{checked} views");
}

#[test]
fn nothing_in_the_recordings_is_unknown_or_unreadable() {
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for dir in ["drbd84", "drbd9"] {
        for entry in std::fs::read_dir(esos_fixtures::path(&format!("cluster/{dir}"))).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name == "INDEX.jsonl" {
                continue;
            }
            let report = report(&format!("{dir}/{name}"));
            *kinds.entry(report.kind.to_string()).or_default() += 1;
            let quiet = matches!(report.kind, Kind::Empty | Kind::Proc);
            assert!(quiet || report.warnings.is_empty(), "{dir}/{name}: {:?}", report.warnings);
        }
    }
    println!("{kinds:?}");
    assert!(kinds.len() >= 15, "{kinds:?}");
}

#[test]
fn streams_end_where_the_machine_was_and_take_only_known_steps() {
    for (dir, node, connection) in [
        ("drbd84", "n1", Connection::Connected),
        ("drbd84", "n2", Connection::Connecting),
        ("drbd9", "n2", Connection::Connecting),
    ] {
        let report = report(&format!("{dir}/events2.full-sequence.{node}.txt"));
        let odd: Vec<_> = report.transitions.iter().filter(|t| !t.expected).collect();
        assert!(odd.is_empty(), "{dir} {node}: {odd:?}");
        let split = report.transitions.iter().filter(|t| t.what == "helper" && t.to == "split-brain").count();
        assert!(split >= 1, "{dir} {node}");
        if report.status.resources[0].connections[0].connection != connection {
            println!("{dir} {node}: {:?}", report.status.resources[0].connections[0].connection);
        }
    }
}

#[test]
fn every_failure_has_a_kind_and_advice() {
    let wanted = [
        ("drbd84/drbdadm-primary.inconsistent.err.stderr", FailureKind::NeedsUpToDate, Some(17)),
        ("drbd84/drbdadm-primary.outdated.err.stderr", FailureKind::NeedsUpToDate, Some(17)),
        ("drbd84/drbdadm-primary.not-up.err.stderr", FailureKind::NotUp, Some(10)),
        ("drbd84/drbdadm-secondary.device-open.err.stderr", FailureKind::HeldOpen, Some(11)),
        ("drbd84/drbdadm-up.no-metadata.err.stderr", FailureKind::NoMetaData, None),
        ("drbd84/drbdadm-up.nosuch.err.stderr", FailureKind::NotConfigured, None),
        ("drbd84/drbdadm-dump.syntax-error.err.stderr", FailureKind::Configuration, None),
        ("drbd84/drbdadm-status.none.txt.stderr", FailureKind::NotUp, Some(10)),
        ("drbd84/drbdsetup-status-json.unsupported-by-8.4.txt.stderr", FailureKind::Unsupported, None),
        ("drbd9/drbdadm-primary.inconsistent.err.stderr", FailureKind::NeedsUpToDate, Some(17)),
        ("drbd9/drbdadm-primary.not-up.err.stderr", FailureKind::NotUp, Some(10)),
        ("drbd9/drbdadm-primary.peer-is-primary.err.stderr", FailureKind::TwoPrimaries, Some(11)),
        ("drbd9/drbdadm-up.no-metadata.err.stderr", FailureKind::NoMetaData, None),
    ];
    for (name, kind, exit) in wanted {
        let failure = report(name).failure.unwrap_or_else(|| panic!("{name} is no failure"));
        assert_eq!((&failure.kind, failure.exit), (&kind, exit), "{name}");
        assert!(failure.advice.len() > 15, "{name}: {}", failure.advice);
    }
    let nine = "r0: State change failed: (-12) Device is held open by someone\ndrbd0 opened by bash (pid 246) at 2026-11-22 23:05:33\nCommand 'drbdsetup secondary r0' terminated with exit code 11\n";
    let failure = ToolFailure::of(None, nine);
    assert_eq!((failure.openers.len(), failure.exit), (1, Some(11)));
    assert!(failure.advice.contains("bash") && failure.advice.contains("246"), "{}", failure.advice);
}

/// The states of a report, without its counters.
fn good(r: &Report) -> bool {
    let all = !r.status.resources.is_empty()
        && r.status.resources.iter().all(|r| {
            let suspended = r.suspended.as_ref().is_some_and(|s| !s.is_empty());
            !suspended
                && !r.devices.is_empty()
                && r.devices.iter().all(|d| d.disk.is_up_to_date() && d.quorum != Some(false))
                && !r.connections.is_empty()
                && r.connections.iter().all(|p| {
                    p.connection == Connection::Connected
                        && !p.peer_devices.is_empty()
                        && p.peer_devices.iter().all(|d| {
                            d.peer_disk.is_up_to_date()
                                && d.replication == esos_drbd::Replication::Established
                        })
                })
        });
    all && r.failure.is_none()
}

fn bad_recordings() -> Vec<String> {
    let bad = [
        "initial-sync",
        "link-cut",
        "diskless",
        "outdated",
        "split-brain.",
        "killed",
        "inconsistent",
        "standalone",
        "suspended",
    ];
    let mut out = Vec::new();
    for dir in ["drbd84", "drbd9"] {
        for entry in std::fs::read_dir(esos_fixtures::path(&format!("cluster/{dir}"))).unwrap() {
            let name = format!("{dir}/{}", entry.unwrap().file_name().into_string().unwrap());
            let state = name.contains("now.")
                || name.contains("proc_")
                || name.contains("status")
                || name.contains("role-");
            if state
                && bad.iter().any(|b| name.contains(b))
                && !name.contains("proc_drbd") | name.starts_with("drbd84")
            {
                let report = report(&name);
                if !report.status.resources.is_empty() && !good(&report) {
                    out.push(name);
                }
            }
        }
    }
    out.sort();
    assert!(out.len() > 60, "{}", out.len());
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    /// A byte that is lost, doubled or changed, a line that is lost, an end that is cut off.
    #[test]
    fn a_bad_state_never_turns_good_in_silence(which in 0usize..1000, how in 0u8..6, at in 0usize..4000, byte in 0u8..=255) {
        static BAD: std::sync::OnceLock<Vec<(String, Vec<u8>)>> = std::sync::OnceLock::new();
        let bad = BAD.get_or_init(|| bad_recordings().into_iter().map(|n| { let t = fixture(&n); (n, t.into_bytes()) }).collect());
        let (name, text) = &bad[which % bad.len()];
        let mut bytes = text.clone();
        let at = at % bytes.len();
        match how {
            0 => drop(bytes.remove(at)),
            1 => bytes.insert(at, byte),
            2 => bytes[at] = byte,
            3 => bytes.truncate(at),
            4 => bytes[at] ^= 1 << (byte % 8),
            _ => {
                let mut lines: Vec<&[u8]> = text.split_inclusive(|b| *b == b'\n').collect();
                lines.remove(at % lines.len());
                bytes = lines.concat();
            }
        }
        let mutated = String::from_utf8_lossy(&bytes);
        let kind = Kind::recognise(std::str::from_utf8(text).unwrap());
        if let Ok(report) = read(kind, name, &mutated) {
            prop_assert!(!good(&report) || !report.warnings.is_empty(), "{name} ({how} at {at}):\n{mutated}");
        }
        // Told apart anew, nothing panics either.
        let _report = read(None, name, &mutated);
    }
}
