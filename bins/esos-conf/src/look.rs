//! `esos-conf status`, `log` and `verify`.
use crate::case::{Case, id, time, told};
use crate::tell;
use esos_cli::{Exit, Failure, Table, Ui};
use esos_confsync::restore::Restored;
use esos_confsync::{Change, Damage, Generation, StoreError, changes, observe};
use serde::Serialize;
use std::path::Path;

#[derive(Serialize)]
struct Status {
    newest: Option<Generation>,
    generations: usize,
    size_bytes: u64,
    damaged: Vec<Damage>,
    newer: Vec<String>,
    restored: Option<Restored>,
    pending: Vec<Change>,
    conflicts: Vec<String>,
}

pub(crate) fn status(store: Option<&Path>, ui: &mut Ui) -> Result<Exit, Failure> {
    let case = Case::open(store, false, ui)?;
    let store = case.store()?;
    if store.generations().next().is_none() {
        return Err(told(restored_error(&store)));
    }
    let newest = store.generations().next_back().cloned();
    let (now, _) = observe(&case.tree, &case.tracked, &mut |_, _| Ok(()))?;
    let kept = newest.as_ref().map(|g| store.snapshot(g)).transpose().map_err(told)?.unwrap_or_default();
    let status = Status {
        generations: store.generations().count(),
        size_bytes: store.size(),
        damaged: store.damaged().to_vec(),
        newer: newer(&store),
        restored: case.restored()?,
        pending: changes(&kept, &now),
        conflicts: open_conflicts(&now),
        newest,
    };
    ui.emit("esos.conf.status/1", &status, |human| {
        if let Some(g) = &status.newest {
            human.line(format!(
                "newest     @{} of {} ({}, ESOS {})",
                g.id,
                time(g.time),
                g.reason,
                g.version
            ));
        }
        human.line(format!("store      {} generations, {} bytes", status.generations, status.size_bytes));
        if let Some(r) = &status.restored {
            let id = r.generation.map_or("nothing".to_owned(), |id| format!("@{id} of {}", time(r.made)));
            human.line(format!("restored   {id}{}", if r.complete { "" } else { ", NOT WHOLE" }));
            r.missing.iter().for_each(|m| human.line(format!("  missing  {m}")));
            tell::passed(r, 20).iter().for_each(|line| human.line(format!("  {line}")));
        }
        status.damaged.iter().for_each(|d| human.line(format!("damaged    {}: {}", d.file, d.why)));
        status.newer.iter().for_each(|n| human.line(format!("newer      {n}")));
        status.conflicts.iter().for_each(|c| human.line(format!("conflict   {c}")));
        human.line(format!("pending    {} changes are not on the stick", status.pending.len()));
        status.pending.iter().take(20).for_each(|change| human.line(format!("  {change}")));
    })?;
    let fine = status.pending.is_empty() && status.restored.as_ref().is_none_or(|r| r.complete);
    Ok(if fine { Exit::Done } else { Exit::Differs })
}

fn restored_error(store: &esos_confsync::Store<'_>) -> StoreError {
    match esos_confsync::restore::choose(store, "") {
        Err(e) => e,
        Ok(_) => StoreError::Empty,
    }
}

/// Files in a format of a newer version.
fn newer(store: &esos_confsync::Store<'_>) -> Vec<String> {
    store.newer().map(|(file, format)| format!("{file}: format {format}, of a newer version")).collect()
}

/// New defaults that lie in `/var/lib/esos/conflicts` until somebody has looked at them.
pub(crate) fn open_conflicts(now: &esos_confsync::Snapshot) -> Vec<String> {
    let Some(dir) = esos_confsync::BoxPath::new("/var/lib/esos/conflicts") else { return Vec::new() };
    let inside =
        now.iter().filter(|(path, node)| path.is_below(&dir) && node.kind != esos_confsync::NodeKind::Dir);
    inside.map(|(path, _)| path.to_string()).collect()
}

pub(crate) fn log(store: Option<&Path>, ui: &mut Ui) -> Result<Exit, Failure> {
    let case = Case::open(store, false, ui)?;
    let store = case.store()?;
    if store.is_empty() {
        return Err(told(StoreError::Empty));
    }
    #[derive(Serialize)]
    struct Log<'s> {
        generations: Vec<&'s Generation>,
        damaged: &'s [Damage],
        newer: Vec<String>,
    }
    let log =
        Log { generations: store.generations().collect(), damaged: store.damaged(), newer: newer(&store) };
    ui.emit("esos.conf.log/1", &log, |human| {
        let mut table = Table::new(["ID", "WHEN", "VERSION", "HOST", "FILES", "BYTES", "WHY"]);
        for g in &log.generations {
            let why =
                if g.missing.is_empty() { g.reason.clone() } else { format!("{}, not whole", g.reason) };
            table.row([
                format!("@{}", g.id),
                time(g.time),
                g.version.clone(),
                g.host.clone(),
                g.files.to_string(),
                g.bytes.to_string(),
                why,
            ]);
        }
        human.table(&table);
        log.damaged.iter().for_each(|d| human.line(format!("damaged: {}: {}", d.file, d.why)));
        log.newer.iter().for_each(|n| human.line(n));
    })?;
    Ok(Exit::Done)
}

pub(crate) fn verify(store: Option<&Path>, what: Option<&str>, ui: &mut Ui) -> Result<Exit, Failure> {
    let no_id =
        |word: &str| Failure::new(Exit::Usage, format!("`{word}` is no generation; they are written @7"));
    let wanted = what.map(|word| id(word).unwrap_or_else(|| Err(no_id(word)))).transpose()?;
    let case = Case::open(store, false, ui)?;
    let store = case.store()?;
    if let Some(wanted) = wanted {
        store.generation(wanted).map_err(told)?;
    }
    #[derive(Serialize)]
    struct Row {
        id: u64,
        whole: bool,
        why: Option<String>,
    }
    let mut rows = Vec::new();
    for generation in store.generations().filter(|g| wanted.is_none_or(|wanted| g.id == wanted)) {
        let why = match store.verify(generation) {
            Ok(()) => None,
            Err(e @ StoreError::Damaged { .. }) => {
                let source = std::error::Error::source(&e).map(|s| format!(": {s}")).unwrap_or_default();
                Some(format!("{e}{source}"))
            }
            Err(e) => return Err(told(e)),
        };
        rows.push(Row { id: generation.id, whole: why.is_none(), why });
    }
    if store.is_empty() {
        return Err(told(StoreError::Empty));
    }
    let newer = newer(&store);
    let data = serde_json::json!({ "generations": rows, "damaged": store.damaged(), "newer": newer });
    ui.emit("esos.conf.verify/1", &data, |human| {
        for row in &rows {
            human.line(format!("@{} {}", row.id, row.why.as_deref().unwrap_or("whole")));
        }
        store.damaged().iter().for_each(|d| human.line(format!("damaged: {}: {}", d.file, d.why)));
        newer.iter().for_each(|n| human.line(n));
    })?;
    // Who asks for one is not told of another's damage.
    let whole = (wanted.is_some() || store.damaged().is_empty()) && rows.iter().all(|r| r.whole);
    Ok(if whole { Exit::Done } else { Exit::Invalid })
}
