//! The captures that `ESOS_RAID_CORPUS` names, against what is known about them.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "the captures are read in place, are whole, and counts are told"
)]
use esos_raid::{Capture, Tool, compare, parse, render};
use serde_json::Value;
use std::path::{Path, PathBuf};

fn folders(dir: &Path) -> Vec<PathBuf> {
    let mut list: Vec<PathBuf> =
        std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_dir()).collect();
    list.sort();
    list
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

fn captures(tool: Tool, case: &Path) -> Vec<Capture> {
    let mut list: Vec<Capture> = folders(case)
        .iter()
        .map(|dir| Capture {
            name: name(dir),
            cmd: std::fs::read_to_string(dir.join("cmd")).unwrap().trim().to_owned(),
            out: std::fs::read(dir.join("out")).unwrap(),
            err: std::fs::read(dir.join("err")).ok(),
            rc: std::fs::read_to_string(dir.join("rc")).ok().and_then(|t| t.trim().parse().ok()),
        })
        .collect();
    tool.sort(&mut list);
    list
}

fn corpus() -> Option<PathBuf> {
    let dir = std::env::var_os("ESOS_RAID_CORPUS").map(PathBuf::from);
    if dir.is_none() {
        println!("skipped: ESOS_RAID_CORPUS does not name the captures");
    }
    dir
}

fn cases(dir: &Path) -> Vec<(Tool, PathBuf, Value)> {
    let mut list = Vec::new();
    for tool in Tool::ALL {
        for case in folders(&dir.join(tool.name())) {
            let text = std::fs::read_to_string(case.join("expect.json")).unwrap();
            list.push((tool, case, serde_json::from_str(&text).unwrap()));
        }
    }
    list
}

fn facts(tool: Tool, case: &Path) -> Value {
    let captures = captures(tool, case);
    render(tool, &name(case), &captures, &parse(tool, &captures))
}

/// Expectations that the capture itself contradicts.
const WRONG: [(&str, &str); 1] = [
    // `Serial Number:` and `Firmware Version: 2.16` stand under `StorageWorks MSA 60 at Port 2E`: they
    // are the shelf's. The controller's own lines say `REDACTED` and `6.60-0`.
    ("ssacli", "p212-and-p410i"),
];

#[test]
fn every_capture_says_what_is_known_about_it() {
    let Some(dir) = corpus() else { return };
    let only = std::env::var("ESOS_RAID_ONLY").unwrap_or_default();
    let mut failed = Vec::new();
    let mut all = 0usize;
    for tool in Tool::ALL {
        let (mut good, mut count) = (0usize, 0usize);
        for (t, case, expected) in cases(&dir) {
            let id = format!("{}/{}", tool.name(), name(&case));
            if t != tool || !id.contains(&only) {
                continue;
            }
            count += 1;
            let differences = compare(&expected, &facts(tool, &case));
            if differences.is_empty() {
                good += 1;
            } else {
                let known = WRONG.contains(&(tool.name(), name(&case).as_str()));
                println!("{}{id}", if known { "contradicted by its capture: " } else { "" });
                for difference in differences.iter().take(12) {
                    println!("    {difference}");
                }
                if !known {
                    failed.push(id);
                }
            }
        }
        all += good;
        println!("{:9} {good} of {count}", tool.name());
    }
    println!("{all} in all");
    assert!(failed.is_empty(), "{failed:?}");
}

/// Changes one value, drops one field or doubles one element, at the place that `at` counts to.
fn alter(value: &mut Value, at: &mut usize, how: usize) -> bool {
    match value {
        Value::Object(map) => {
            let keys: Vec<String> = map.keys().cloned().collect();
            for key in keys {
                if alter(map.get_mut(&key).unwrap(), at, how) {
                    return true;
                }
            }
            false
        }
        Value::Array(list) => {
            if *at == 0 && how == 1 && !list.is_empty() {
                let first = list[0].clone();
                list.push(first);
                return true;
            }
            list.iter_mut().any(|item| alter(item, at, how))
        }
        leaf => {
            if *at > 0 {
                *at -= 1;
                return false;
            }
            *leaf = match (how, &*leaf) {
                (2, Value::Number(n)) => Value::String(n.to_string()),
                (_, Value::Number(n)) => serde_json::json!(n.as_f64().unwrap() + 1.0),
                (_, Value::Bool(b)) => Value::Bool(!b),
                (_, Value::String(text)) => Value::String(format!("{text}x")),
                _ => Value::from(7),
            };
            true
        }
    }
}

#[test]
fn altered_expectations_are_noticed() {
    let Some(dir) = corpus() else { return };
    let mut noticed = 0usize;
    for (i, (tool, case, mut expected)) in cases(&dir).into_iter().enumerate() {
        if WRONG.contains(&(tool.name(), name(&case).as_str())) {
            continue;
        }
        for key in ["authenticity", "tags", "notes"] {
            expected.as_object_mut().unwrap().remove(key);
        }
        let found = facts(tool, &case);
        assert!(compare(&expected, &found).is_empty());
        let mut at = i % 4;
        assert!(alter(&mut expected, &mut at, i % 3), "{case:?}");
        assert!(!compare(&expected, &found).is_empty(), "{case:?}: {expected}");
        // A field that the facts lack.
        let mut more = found.clone();
        more.as_object_mut().unwrap().insert("nowhere".to_owned(), Value::Null);
        assert_eq!(compare(&more, &found).len(), 1);
        noticed += 2;
    }
    println!("{noticed} alterations noticed");
    assert!(noticed > 20);
}

#[test]
fn no_mutation_of_a_capture_panics() {
    let Some(dir) = corpus() else { return };
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = move |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % u64::try_from(below.max(1)).unwrap()).unwrap()
    };
    let mut count = 0usize;
    for (tool, case, _) in cases(&dir) {
        let whole = captures(tool, &case);
        for round in 0..10 {
            let mut list = whole.clone();
            let which = next(list.len());
            let out = &mut list[which].out;
            let at = next(out.len());
            match round % 5 {
                0 => out.truncate(at),
                1 if !out.is_empty() => out[at] = 0xff,
                2 if !out.is_empty() => out.insert(at, b"\r\n:|=(["[next(7)]),
                3 => {
                    let mut lines: Vec<&[u8]> = out.split(|b| *b == b'\n').collect();
                    let line = next(lines.len());
                    lines.remove(line);
                    *out = lines.join(&b'\n');
                }
                _ => {
                    let shifted: Vec<u8> =
                        out.iter().skip(at).copied().chain(out.iter().take(at).copied()).collect();
                    *out = shifted;
                }
            }
            let facts = parse(tool, &list);
            let _document = render(tool, "mutated", &list, &facts);
            count += 1;
        }
    }
    println!("{count} mutations read");
}
