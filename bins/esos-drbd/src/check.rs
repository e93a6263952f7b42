//! `esos-drbd check`.
use crate::args::Check;
use crate::source;
use esos_cli::{Exit, Failure, Ui};
use esos_diag::Severity;
use esos_drbd::{Config, Document, Intent, lint};
use serde::Serialize;
use std::path::{Path, PathBuf};

#[derive(Serialize)]
struct Checked {
    files: Vec<String>,
    resources: Vec<String>,
    findings: Vec<esos_diag::Diagnostic>,
}

pub(crate) fn run(args: &Check, ui: &mut Ui) -> Result<Exit, Failure> {
    let path = args.file.clone().unwrap_or_else(|| ui.root().join("etc/drbd.conf"));
    let intent = Intent { generation: args.generation, cluster: args.cluster };
    let mut documents = Vec::new();
    gather(&path, ui.root(), 0, &mut documents)?;
    let mut whole = Config::default();
    let mut findings = Vec::new();
    for document in &documents {
        whole.join(document.config());
        let mut list = document.diagnostics().to_vec();
        if documents.len() == 1 {
            list.extend(lint(document, intent));
        }
        if list.iter().any(|d| d.severity == Severity::Error) {
            return Err(Failure::findings(list, document.text()));
        }
        ui.diagnostics(&list, document.text());
        findings.extend(list);
    }
    if documents.len() > 1 {
        // `common` of one file reaches the resources of another: joined, they are looked at as one text.
        let text: String = documents.iter().map(Document::text).collect::<Vec<_>>().join("\n");
        let joined = Document::parse(&path.display().to_string(), text);
        let list = lint(&joined, intent);
        if list.iter().any(|d| d.severity == Severity::Error) {
            return Err(Failure::findings(list, joined.text()));
        }
        ui.diagnostics(&list, joined.text());
        findings.extend(list);
    }
    let resources: Vec<String> = whole.resources.iter().map(|r| r.name.clone()).collect();
    let files = documents.iter().map(|d| d.origin().to_owned()).collect();
    let checked = Checked { files, resources, findings };
    ui.emit("esos.drbd.check/1", &checked, |human| {
        human.line(format!("{}: no errors; resources: {}", path.display(), checked.resources.join(", ")));
    })?;
    Ok(Exit::Done)
}

/// A file with all that it includes, in order.
fn gather(path: &Path, root: &Path, depth: usize, out: &mut Vec<Document>) -> Result<(), Failure> {
    let document = Document::parse(&path.display().to_string(), source::text(path)?);
    let includes = document.config().includes.clone();
    out.push(document);
    if depth > 8 || out.len() > 500 {
        return Err(Failure::new(Exit::Invalid, format!("{} includes itself", path.display())));
    }
    let dir = path.parent().unwrap_or(Path::new("."));
    for pattern in includes {
        let full = match pattern.strip_prefix('/') {
            Some(rest) => root.join(rest),
            None => dir.join(&pattern),
        };
        for file in matching(&full) {
            gather(&file, root, depth.saturating_add(1), out)?;
        }
    }
    Ok(())
}

/// Files that match `DIR/PREFIX*SUFFIX`, in the order of their names.
fn matching(pattern: &Path) -> Vec<PathBuf> {
    let name = pattern.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let Some((prefix, suffix)) = name.split_once('*') else {
        return vec![pattern.to_owned()];
    };
    let Some(entries) = pattern.parent().and_then(|d| std::fs::read_dir(d).ok()) else { return Vec::new() };
    let mut out: Vec<PathBuf> = entries
        .flatten()
        .filter(|e| {
            let n = e.file_name().to_string_lossy().into_owned();
            n.len() >= name.len().saturating_sub(1)
                && n.starts_with(prefix)
                && n.ends_with(suffix)
                && !n.starts_with('.')
        })
        .map(|e| e.path())
        .collect();
    out.sort();
    out
}
