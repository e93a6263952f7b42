//! Every script that does something of its own has a row in `docs/maintainer-scripts.md`.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test that reads real packages and the table in place"
)]
use esos_bootimg::deb::{Deb, Limits, Script};
use std::path::Path;

/// Lines of a script that neither debhelper nor habit put there.
fn own_lines(script: &str) -> Vec<&str> {
    const FRAME: &[&str] = &[
        ";;", "esac", "fi", "else", "exit 0", "exit 1", "set -e", "set -eu", "}", "{", "done", "then", "do",
        ":", "return",
    ];
    let mut added = false;
    let mut own = Vec::new();
    for line in script.lines().map(str::trim) {
        if line.starts_with("# Automatically added by")
            || line.starts_with("# End automatically added section")
        {
            added = line.starts_with("# Automatically");
            continue;
        }
        let words = "abcdefghijklmnopqrstuvwxyz-|*() \"$1{};";
        let label = line.ends_with(')') && line.bytes().all(|b| words.bytes().any(|w| w == b));
        let head =
            ["case \"$1\"", "case $1", "case \"${1", "if [ \"$1\" = ", "echo \"postinst called", "exit "];
        let frame = FRAME.contains(&line) || label || head.iter().any(|h| line.starts_with(h));
        if !(added || line.is_empty() || line.starts_with('#') || frame) {
            own.push(line);
        }
    }
    own
}

#[test]
fn debhelpers_lines_are_not_a_scripts_own() {
    let script = "#!/bin/sh\nset -e\n\ncase \"$1\" in\n  configure)\n    :\n    ;;\n  abort-upgrade|abort-remove)\n  ;;\nesac\n\
                  # Automatically added by dh_x\nrun something\n# End automatically added section\nexit 0\n";
    assert!(own_lines(script).is_empty(), "{:?}", own_lines(script));
    assert_eq!(own_lines("set -e\nadduser --system x\n"), ["adduser --system x"]);
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((head, tail)) => name.strip_prefix(head).is_some_and(|rest| rest.ends_with(tail)),
    }
}

#[test]
fn scripts_are_known() {
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/maintainer-scripts.md");
    let Ok(table) = std::fs::read_to_string(&table) else {
        eprintln!("skipped: {} is not here", table.display());
        return;
    };
    let rows: Vec<&str> =
        table.lines().filter_map(|l| l.strip_prefix("| ")?.split(" | ").next()).skip(2).collect();
    assert!(rows.len() > 100 && rows.is_sorted(), "the table is sorted");
    let Some(dir) = std::env::var_os("ESOS_DEBS") else {
        eprintln!("skipped: ESOS_DEBS names no directory of packages");
        return;
    };
    let (mut with, mut missing) = (0, Vec::new());
    for file in std::fs::read_dir(dir).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|e| e != "deb") {
            continue;
        }
        let file = std::fs::File::open(&path).unwrap();
        let deb = Deb::open(&path.display().to_string(), file, Limits::default()).unwrap();
        let name = deb.control().field("Package").unwrap().to_owned();
        let own = deb.control().scripts.get(&Script::PostInst).map(|s| own_lines(s)).unwrap_or_default();
        if !own.is_empty() {
            with += 1;
            if !rows.iter().any(|row| matches(row, &name)) {
                missing.push(format!("{name}: {}", own.join("; ")));
            }
        }
    }
    missing.sort();
    assert!(missing.is_empty(), "no row for: {missing:#?}");
    eprintln!("{with} packages with a postinst of their own, all have a row");
    assert!(with > 0);
}
