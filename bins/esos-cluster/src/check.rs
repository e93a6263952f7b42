//! `check` and `diff`.
use crate::args::{Check, Diff};
use crate::machine;
use esos_cli::{Exit, Failure, Ui};
use esos_cluster::{Cib, CorosyncDocument, diff_cib, lint_cib, lint_corosync, read_cib};
use esos_diag::{Diagnostic, LineIndex, Severity, Span};
use serde::Serialize;
use serde_json::json;
use std::path::{Path, PathBuf};

#[derive(Serialize)]
struct Checked {
    file: String,
    kind: &'static str,
    findings: Vec<Diagnostic>,
}

pub(crate) fn check(args: &Check, ui: &mut Ui) -> Result<Exit, Failure> {
    let files: Vec<PathBuf> = match &args.file {
        Some(file) => vec![file.clone()],
        None => {
            let root = ui.root().to_owned();
            let all = ["etc/corosync/corosync.conf", "var/lib/pacemaker/cib/cib.xml"].map(|p| root.join(p));
            all.into_iter().filter(|p| p.exists()).collect()
        }
    };
    if files.is_empty() {
        return Err(Failure::new(Exit::Unavailable, "no cluster is configured")
            .help("give a corosync.conf or a CIB, or `esos cluster init`"));
    }
    let mut out = Vec::new();
    for file in &files {
        out.push(one(file, ui)?);
    }
    ui.emit("esos.cluster.check/1", &out, |human| {
        for c in &out {
            human.line(format!("{}: a {} without errors", c.file, c.kind));
        }
    })?;
    Ok(Exit::Done)
}

fn one(path: &Path, ui: &mut Ui) -> Result<Checked, Failure> {
    let text = machine::text(path)?;
    let origin = path.display().to_string();
    let (kind, findings) = if text.trim_start().starts_with('<') {
        ("CIB", cib(&origin, &text)?)
    } else {
        let document = CorosyncDocument::parse(&origin, text.clone());
        let mut list = document.diagnostics().to_vec();
        list.extend(lint_corosync(&document));
        ("corosync.conf", list)
    };
    if findings.iter().any(|d| d.severity == Severity::Error) {
        return Err(Failure::findings(findings, &crate::init::masked(&text)));
    }
    ui.diagnostics(&findings, &crate::init::masked(&text));
    Ok(Checked { file: origin, kind, findings })
}

fn parsed(origin: &str, text: &str) -> Result<Cib, Failure> {
    read_cib(origin, text).map_err(|e| Failure::findings(vec![e.diagnostic("cib::unreadable")], text))
}

fn cib(origin: &str, text: &str) -> Result<Vec<Diagnostic>, Failure> {
    let cib = parsed(origin, text)?;
    let findings = lint_cib(&cib, None);
    Ok(findings
        .into_iter()
        .map(|f| {
            // The first place where the subject stands in quotes.
            let at = text.find(&format!("\"{}\"", f.subject)).map(|i| i.saturating_add(1));
            let span = at.map_or(Span::point(0), |i| Span::new(i, i.saturating_add(f.subject.len())));
            Diagnostic::new(f.severity, f.code, f.message, origin, span).help(f.help)
        })
        .collect())
}

pub(crate) fn diff(args: &Diff, ui: &mut Ui) -> Result<Exit, Failure> {
    let (a, b) = (machine::text(&args.first)?, machine::text(&args.second)?);
    let (first, second) = (args.first.display().to_string(), args.second.display().to_string());
    let changes: Vec<serde_json::Value> = if a.trim_start().starts_with('<')
        && b.trim_start().starts_with('<')
    {
        let list = diff_cib(&parsed(&first, &a)?, &parsed(&second, &b)?);
        list.iter().map(|c| json!({ "what": c.what, "from": c.from, "to": c.to })).collect()
    } else if a.contains("totem") && b.contains("totem") {
        let of =
            |origin: &str, text: &str| serde_json::to_value(CorosyncDocument::parse(origin, text).config());
        values("", &of(&first, &a)?, &of(&second, &b)?)
    } else if a.contains("HANDLER") || b.contains("HANDLER") || a.contains("DEVICE_GROUP") {
        pair(&a, &b)
    } else {
        lines(&a, &b)
    };
    let data = json!({ "equal": changes.is_empty(), "differences": changes });
    ui.emit("esos.cluster.diff/1", &data, |human| {
        let word = |v: &serde_json::Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
        for c in &changes {
            let side = |key: &str| c.get(key).filter(|v| !v.is_null()).map_or("-".to_owned(), word);
            human.line(format!(
                "{}: {} -> {}",
                c.get("what").map(word).unwrap_or_default(),
                side("from"),
                side("to")
            ));
        }
        if changes.is_empty() {
            human.line("equal");
        }
    })?;
    Ok(if changes.is_empty() { Exit::Done } else { Exit::Differs })
}

/// What must agree in the `scst.conf` of two boxes: how initiators know a device, and the ids of groups
/// and ports.
fn pair(a: &str, b: &str) -> Vec<serde_json::Value> {
    let facts = |text: &str| {
        let document = esos_scst::Document::parse("scst.conf", text);
        let mut out = std::collections::BTreeMap::new();
        let config = document.config();
        for (handler, h) in &config.handlers {
            for (name, d) in &h.devices {
                for key in [
                    "t10_dev_id",
                    "usn",
                    "naa_id",
                    "eui64_id",
                    "blocksize",
                    "prod_id",
                    "vend_specific_id",
                    "cluster_mode",
                ] {
                    let value =
                        d.attributes.get(key).map_or("(not set)".to_owned(), |v| v.expose().to_owned());
                    out.insert(format!("{handler} {name} {key}"), value);
                }
            }
        }
        out
    };
    let (x, y) = (facts(a), facts(b));
    let keys: std::collections::BTreeSet<&String> = x.keys().chain(y.keys()).collect();
    keys.into_iter()
        .filter(|k| x.get(*k) != y.get(*k))
        .map(|k| json!({ "what": k, "from": x.get(k), "to": y.get(k) }))
        .collect()
}

fn values(path: &str, a: &serde_json::Value, b: &serde_json::Value) -> Vec<serde_json::Value> {
    if a == b {
        return Vec::new();
    }
    match (a, b) {
        (serde_json::Value::Object(x), serde_json::Value::Object(y)) => {
            let keys: std::collections::BTreeSet<&String> = x.keys().chain(y.keys()).collect();
            let none = serde_json::Value::Null;
            keys.into_iter()
                .flat_map(|k| {
                    values(
                        &format!("{path}{}{k}", if path.is_empty() { "" } else { " " }),
                        x.get(k).unwrap_or(&none),
                        y.get(k).unwrap_or(&none),
                    )
                })
                .collect()
        }
        _ => vec![json!({ "what": path, "from": a, "to": b })],
    }
}

fn lines(a: &str, b: &str) -> Vec<serde_json::Value> {
    let (x, y) = (LineIndex::new(a), LineIndex::new(b));
    let count = x.lines().max(y.lines());
    let pairs = a
        .lines()
        .map(Some)
        .chain(std::iter::repeat(None))
        .zip(b.lines().map(Some).chain(std::iter::repeat(None)));
    let numbered = pairs.take(count).enumerate().filter(|(_, (l, r))| l != r);
    numbered
        .map(|(n, (l, r))| json!({ "what": format!("line {}", n.saturating_add(1)), "from": l, "to": r }))
        .collect()
}
