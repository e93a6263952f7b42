//! Facts as a document, and the strict comparison of two of them.
use crate::{Capture, Facts, Tool};
use serde_json::{Map, Value, json};
use std::fmt;

/// The facts of a case as one document, in the form of the corpus' schema 1: absent fields are not
/// known, lists are complete and in printed order.
#[must_use]
pub fn render(tool: Tool, case: &str, captures: &[Capture], facts: &Facts) -> Value {
    let mut document = Map::new();
    document.insert("schema".to_owned(), json!(1));
    document.insert("tool".to_owned(), json!(tool.name()));
    document.insert("case".to_owned(), json!(case));
    let list = captures.iter().map(|capture| {
        let mut entry = Map::new();
        entry.insert("capture".to_owned(), json!(capture.name));
        entry.insert("cmd".to_owned(), json!(capture.cmd));
        if let Some(status) = capture.rc {
            entry.insert("exit_status".to_owned(), json!(status));
        }
        if let Some(code) = facts.printed_exit_codes.get(&capture.name) {
            entry.insert("printed_exit_code".to_owned(), json!(code));
        }
        Value::Object(entry)
    });
    document.insert("captures".to_owned(), Value::Array(list.collect()));
    // Nothing in the model fails to serialize: its maps have text keys, its numbers are finite.
    if let Ok(Value::Object(rest)) = serde_json::to_value(facts) {
        document.extend(rest);
    }
    if tool == Tool::Megacli {
        // It tells drive groups as positions (`DiskGroup: 0, Span: 0, Arm: 1`): numbers, like the others.
        for drive in document.get_mut("drives").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(group) = drive.get_mut("disk_group")
                && let Some(number) = group.as_str().and_then(|text| text.parse::<u64>().ok())
            {
                *group = json!(number);
            }
        }
    }
    let mut document = Value::Object(document);
    strip_nulls(&mut document);
    document
}

fn strip_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, v| !v.is_null());
            map.values_mut().for_each(strip_nulls);
        }
        Value::Array(list) => list.iter_mut().for_each(strip_nulls),
        _ => {}
    }
}

/// One place where facts are not what was expected.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Difference {
    /// Where: `drives[3].serial`.
    pub path: String,
    /// What was expected; `None` for an element too many.
    pub expected: Option<Value>,
    /// What was found; `None` where it is missing.
    pub found: Option<Value>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |v: &Option<Value>| v.as_ref().map_or_else(|| "nothing".to_owned(), Value::to_string);
        write!(f, "{}: expected {}, found {}", self.path, show(&self.expected), show(&self.found))
    }
}

/// Words about a case, which no capture tells.
const ABOUT: [&str; 3] = ["authenticity", "tags", "notes"];

/// Everything in which `found` is not what `expected` asserts: a missing field, another value or
/// type, a list of another length or order. Fields that `expected` lacks are not asserted. Captures are
/// paired by their names, because the folders that hold them have no order.
#[must_use]
pub fn compare(expected: &Value, found: &Value) -> Vec<Difference> {
    let mut differences = Vec::new();
    match (expected, found) {
        (Value::Object(want), Value::Object(_)) => {
            let asserted: Map<String, Value> = want
                .iter()
                .filter(|(k, _)| !ABOUT.contains(&k.as_str()))
                .map(|(k, v)| (k.clone(), v.clone()))
                .collect();
            walk("", &Value::Object(asserted), &paired(expected, found), &mut differences);
        }
        _ => walk("", expected, found, &mut differences),
    }
    differences
}

/// `found` with its captures in the order of `expected`.
fn paired(expected: &Value, found: &Value) -> Value {
    let order: Vec<&Value> = expected
        .get("captures")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|c| c.get("capture"))
        .collect();
    let mut found = found.clone();
    if let Some(list) = found.get_mut("captures").and_then(Value::as_array_mut) {
        list.sort_by_key(|c| {
            order.iter().position(|name| Some(*name) == c.get("capture")).unwrap_or(order.len())
        });
    }
    found
}

fn walk(path: &str, expected: &Value, found: &Value, out: &mut Vec<Difference>) {
    match (expected, found) {
        (Value::Object(want), Value::Object(have)) => {
            for (key, value) in want {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                match have.get(key) {
                    Some(there) => walk(&path, value, there, out),
                    None => out.push(Difference { path, expected: Some(value.clone()), found: None }),
                }
            }
        }
        (Value::Array(want), Value::Array(have)) => {
            for index in 0..want.len().max(have.len()) {
                let path = format!("{path}[{index}]");
                match (want.get(index), have.get(index)) {
                    (Some(want), Some(have)) => walk(&path, want, have, out),
                    (want, have) => {
                        out.push(Difference { path, expected: want.cloned(), found: have.cloned() });
                    }
                }
            }
        }
        _ if expected == found => {}
        _ => out.push(Difference {
            path: path.to_owned(),
            expected: Some(expected.clone()),
            found: Some(found.clone()),
        }),
    }
}
