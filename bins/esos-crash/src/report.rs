//! `esos-crash report`, `remove` and `estimate`.
use crate::files::Memory;
use crate::{known, logs, look};
use esos_cli::{Confirm, Exit, Failure, OrExit, Ui};
use esos_crashdump::{Core, Estimate, Level, PanicScan, beside};
use esos_hostfs::{Files, HostFiles, NewFile, Stream};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Writes what a support desk needs. All of it comes out of the kernel's log and VMCOREINFO: no page of any program
/// is read.
pub(crate) fn report(path: &Path, out: Option<&PathBuf>, ui: &mut Ui) -> Result<Exit, Failure> {
    let memory = look::open(path)?;
    let mut log = Vec::new();
    let problem = memory.log(&mut log).err();
    let mut scan = PanicScan::default();
    scan.write_all(&log)?;
    let panic = scan.finish();
    let mut text = format!("ESOS crash report\n\nfile:    {}\n", path.display());
    let mut add = |name: &str, value: Option<&str>| {
        text += &format!("{name:<9}{}\n", value.unwrap_or("unknown"));
    };
    add("kernel:", memory.get("OSRELEASE"));
    add("build:", memory.get("BUILD-ID"));
    add("time:", memory.get("CRASHTIME"));
    add("reason:", panic.reason.as_deref());
    if panic.oops.is_some() {
        add("oops:", panic.oops.as_deref());
    }
    add("process:", panic.process.as_deref());
    add("modules:", Some(&panic.modules.join(" ")));
    if let Memory::Dump(dump) = &memory {
        add("level:", Some(&dump.level().to_string()));
        add("pages:", Some(&dump.pages().to_string()));
        add("complete:", Some(if dump.is_incomplete() { "no" } else { "yes" }));
    }
    text += "\nstack:\n";
    panic.stack.iter().for_each(|frame| text += &format!("  {frame}\n"));
    if let Some(problem) = problem {
        text += &format!("\nthe log is not whole: {problem}\n");
    }
    if let Ok(version) =
        std::fs::read_to_string(ui.root().join(esos_layout::run::RELEASE.trim_start_matches('/')))
    {
        text += &format!("\nESOS of the box that wrote this report: {}\n", version.trim());
    }
    text += "\nlog:\n";
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(&log);
    let Some(out) = out else {
        if ui.json() {
            let text = String::from_utf8_lossy(&bytes);
            ui.emit("esos.crash.report/1", &serde_json::json!({ "text": text }), |_| {})?;
        } else {
            ui.raw(&bytes)?;
        }
        return Ok(Exit::Done);
    };
    if out.symlink_metadata().is_ok() {
        return Err(Failure::new(Exit::Refused, format!("{} exists already", out.display())));
    }
    let mut file = NewFile::create(out, 0o600)?;
    file.write_all(&bytes).map_err(|e| file.write_error(e))?;
    file.commit()?;
    let made = serde_json::json!({ "file": out, "size_bytes": bytes.len() });
    ui.emit("esos.crash.report/1", &made, |human| {
        human.line(format!("{}: {} bytes", out.display(), bytes.len()));
    })?;
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct Removed<'a> {
    removed: &'a [String],
}

pub(crate) fn remove(names: &[String], ui: &mut Ui) -> Result<Exit, Failure> {
    let dumps = logs::dumps(ui)?;
    logs::there(&dumps.store, names)?;
    ui.confirm(&Confirm::new(format!("remove {} with log and manifest", names.join(", "))))?;
    for name in names {
        dumps.store.remove(name)?;
    }
    known::keep(&dumps.store, ui)?;
    ui.emit("esos.crash.remove/1", &Removed { removed: names }, |human| {
        names.iter().for_each(|name| human.line(format!("{name} removed")));
    })?;
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct Estimated {
    level: u8,
    present_pages: u64,
    pages: u64,
    excluded_pages: BTreeMap<String, u64>,
    likely_bytes: u64,
    most_bytes: u64,
    free_bytes: Option<u64>,
    unknown: Vec<String>,
}

pub(crate) fn estimate(path: &Path, level: Level, ui: &mut Ui) -> Result<Exit, Failure> {
    let about = || format!("cannot use {}", path.display());
    let core = Core::open(Stream::open(path)?).or_exit(Exit::Invalid).context(about())?;
    let found = Estimate::new(&core, level)?;
    let free = logs::dumps(ui).ok().and_then(|d| {
        let dir = d.store.dir().parent()?.to_owned();
        Some(esos_hostfs::space(&dir).ok()?.free.get())
    });
    let shown = Estimated {
        level: level.get(),
        present_pages: found.present,
        pages: found.pages,
        excluded_pages: found.excluded.iter().map(|(k, n)| (k.to_string(), *n)).collect(),
        likely_bytes: found.likely(),
        most_bytes: found.most(),
        free_bytes: free,
        unknown: found.unknown.clone(),
    };
    shown.unknown.iter().for_each(|u| ui.warn(u));
    ui.emit("esos.crash.estimate/1", &shown, |human| {
        human.line(format!("{} of {} pages at level {level}", shown.pages, shown.present_pages));
        for (kind, n) in &shown.excluded_pages {
            human.line(format!("  {n} {kind}"));
        }
        human.line(format!(
            "likely {} MiB, {} MiB at most",
            shown.likely_bytes >> 20,
            shown.most_bytes >> 20
        ));
        if let Some(free) = shown.free_bytes {
            human.line(format!("{} MiB are free for it", free >> 20));
        }
    })?;
    Ok(Exit::Done)
}

/// The files beside a dump that exist already.
pub(crate) fn taken(dump: &Path, endings: &[&str]) -> Option<PathBuf> {
    let all = endings.iter().map(|e| beside(dump, e)).chain([dump.to_owned()]);
    all.into_iter().find(|p| p.symlink_metadata().is_ok())
}

/// Removes what a run that failed has left beside a dump that is not there.
pub(crate) fn discard(dump: &Path, endings: &[&str]) {
    for path in endings.iter().map(|e| beside(dump, e)) {
        // What cannot be removed stays in the way, and the next run says so.
        let _gone = std::path::absolute(&path).map(|p| HostFiles::new("/").remove(&p.to_string_lossy()));
    }
}
