//! What is known of the dumps, kept in memory for those who must not wait for the stick: `esos-health`, `esos status`.
use crate::{logs, status};
use esos_cli::{Exit, Failure, Ui};
use esos_crashdump::{DumpState, Entry, Store};
use esos_hostfs::{Files, HostFiles};
use esos_layout::dumps::{KnownDump, KnownDumps};
use esos_layout::run;
use serde::Serialize;
use std::path::Path;

/// Keeps what lies in the store now.
pub(crate) fn keep(store: &Store, ui: &Ui) -> Result<(), Failure> {
    let dump = |entry: Entry| {
        let panic = entry.manifest.as_ref().map_or_else(|| store.panic_of(&entry.name), |m| m.panic.clone());
        KnownDump {
            complete: entry.state == DumpState::Complete,
            state: status::word(entry.state).to_owned(),
            verified: entry.checked.as_ref().map(|c| c.good),
            reason: panic.oops.or(panic.reason),
            seen: entry.seen,
            name: entry.name,
        }
    };
    put(None, store.entries()?.into_iter().map(dump).collect(), ui);
    Ok(())
}

/// Keeps that they could not be looked at, and why.
pub(crate) fn keep_problem(why: &str, ui: &Ui) {
    put(Some(why.to_owned()), Vec::new(), ui);
}

fn put(problem: Option<String>, dumps: Vec<KnownDump>, ui: &Ui) {
    let known = KnownDumps { schema: KnownDumps::SCHEMA.to_owned(), problem, dumps };
    let files = HostFiles::new(ui.root());
    if let Ok(text) = serde_json::to_vec_pretty(&known) {
        // `/run` is memory; a state that cannot be written there is the least of the box's troubles.
        let _told_elsewhere = files.make_dir(run::DIR).and_then(|()| files.replace(run::DUMPS, &text, 0o644));
    }
}

/// What was kept last.
pub(crate) fn read(root: &Path) -> Option<KnownDumps> {
    serde_json::from_slice(&HostFiles::new(root).read(run::DUMPS).ok()?).ok()
}

/// Notes that somebody has looked at a dump of the box's store; a file of another place has no such mark. That it
/// cannot be noted is no reason to show nothing.
pub(crate) fn seen(file: &Path, dumps: Option<&logs::Dumps>, ui: &mut Ui) {
    let Some(dumps) = dumps else { return };
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    let noted = dumps.store.note_seen(&name).map_err(Failure::from).and_then(|()| keep(&dumps.store, ui));
    if let Err(e) = noted {
        ui.warn(format!("that somebody has looked at {name} cannot be noted: {}", e.message()));
    }
}

#[derive(Serialize)]
struct Seen<'a> {
    seen: &'a [String],
}

/// `esos-crash seen`.
pub(crate) fn mark(names: &[String], ui: &mut Ui) -> Result<Exit, Failure> {
    let dumps = logs::dumps(ui)?;
    logs::there(&dumps.store, names)?;
    for name in names {
        dumps.store.note_seen(name)?;
    }
    keep(&dumps.store, ui)?;
    ui.emit("esos.crash.seen/1", &Seen { seen: names }, |human| {
        names.iter().for_each(|name| human.line(format!("{name}: noted that it was looked at")));
    })?;
    Ok(Exit::Done)
}
