//! `esos-raid parse`.
use crate::args::Parse;
use crate::case;
use esos_cli::{Exit, Failure, Ui};
use esos_raid::{Difference, Tool, compare};
use serde_json::{Value, json};
use std::path::Path;

pub(crate) fn run(args: &Parse, ui: &mut Ui) -> Result<Exit, Failure> {
    match (&args.corpus, args.tool, &args.case) {
        (Some(dir), _, _) => corpus(dir, ui),
        (None, Some(tool), Some(dir)) if args.expect => expect(tool, dir, ui),
        (None, Some(tool), Some(dir)) => facts(tool, dir, ui),
        _ => Err(Failure::new(Exit::Usage, "give --tool and a case, or --corpus")),
    }
}

fn facts(tool: Tool, dir: &Path, ui: &mut Ui) -> Result<Exit, Failure> {
    let facts = case::facts(tool, dir)?;
    ui.emit("esos.raid.parse/1", &facts, |human| {
        for list in [
            "controllers",
            "groups",
            "arrays",
            "drives",
            "bbu",
            "ops",
            "enclosures",
            "results",
            "malformed_rows",
        ] {
            for item in facts.get(list).and_then(Value::as_array).into_iter().flatten() {
                human.line(format!("{list}: {}", brief(item)));
            }
        }
        if let Some(error) = facts.get("error") {
            human.line(format!("error: {}", brief(error)));
        }
    })?;
    Ok(Exit::Done)
}

/// One line of an object: `key=value`, sizes and lists in short.
fn brief(item: &Value) -> String {
    let Some(map) = item.as_object() else { return word(item) };
    let parts = map.iter().filter(|(_, v)| !v.as_object().is_some_and(serde_json::Map::is_empty));
    parts.map(|(key, value)| format!("{key}={}", word(value))).collect::<Vec<_>>().join(" ")
}

fn word(value: &Value) -> String {
    match value {
        Value::String(text) if !text.is_empty() && !text.contains(char::is_whitespace) => text.clone(),
        Value::Object(map) => map.get("text").map_or_else(|| value.to_string(), word),
        Value::Array(list) => {
            let keys = list.iter().map(|item| item.get("key").map_or_else(|| word(item), word));
            format!("[{}]", keys.collect::<Vec<_>>().join(" "))
        }
        _ => value.to_string(),
    }
}

fn expect(tool: Tool, dir: &Path, ui: &mut Ui) -> Result<Exit, Failure> {
    let differences = compare(&case::expected(dir)?, &case::facts(tool, dir)?);
    let data = json!({ "equal": differences.is_empty(), "differences": told(&differences) });
    ui.emit("esos.raid.parse-expect/1", &data, |human| {
        differences.iter().for_each(|difference| human.line(difference.to_string()));
        if differences.is_empty() {
            human.line("equal");
        }
    })?;
    Ok(if differences.is_empty() { Exit::Done } else { Exit::Differs })
}

fn told(differences: &[Difference]) -> Value {
    let one = |d: &Difference| json!({ "path": d.path, "expected": d.expected, "found": d.found });
    differences.iter().map(one).collect()
}

fn corpus(dir: &Path, ui: &mut Ui) -> Result<Exit, Failure> {
    let mut rows = Vec::new();
    let (mut equal, mut all) = (0usize, 0usize);
    for tool in Tool::ALL {
        let folder = dir.join(tool.name());
        if !folder.is_dir() {
            continue;
        }
        let (mut good, mut count, mut differing) = (0usize, 0usize, Vec::new());
        for case in case::folders(&folder)? {
            count = count.saturating_add(1);
            let differences = compare(&case::expected(&case)?, &case::facts(tool, &case)?);
            if differences.is_empty() {
                good = good.saturating_add(1);
            } else {
                differing.push(json!({ "case": case::name(&case), "differences": told(&differences) }));
            }
        }
        equal = equal.saturating_add(good);
        all = all.saturating_add(count);
        rows.push(json!({ "tool": tool.name(), "equal": good, "cases": count, "differing": differing }));
    }
    if all == 0 {
        return Err(Failure::new(Exit::Invalid, format!("{} holds no cases of a known tool", dir.display())));
    }
    let data = json!({ "equal": equal, "cases": all, "tools": rows });
    ui.emit("esos.raid.parse-corpus/1", &data, |human| {
        for row in &rows {
            let text = |key: &str| row.get(key).map(word).unwrap_or_default();
            human.line(format!("{:9} {} of {}", text("tool"), text("equal"), text("cases")));
            for case in row.get("differing").and_then(Value::as_array).into_iter().flatten() {
                let list = case.get("differences").and_then(Value::as_array);
                let first =
                    list.and_then(|l| l.first()).and_then(|d| d.get("path")).map(word).unwrap_or_default();
                let name = case.get("case").map(word).unwrap_or_default();
                human.line(format!(
                    "          {name}: {} fields differ, first {first}",
                    list.map_or(0, Vec::len)
                ));
            }
        }
        human.line(format!("all       {equal} of {all}"));
    })?;
    Ok(if equal == all { Exit::Done } else { Exit::Differs })
}
