//! The captures that `ESOS_RAID_CORPUS` names, against what is known about them.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "the captures are read in place, are whole, and counts are told"
)]
mod captures;

use captures::{captures, cases, corpus, name};
use esos_raid::{Tool, compare, parse, render};
use serde_json::Value;
use std::path::Path;

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
