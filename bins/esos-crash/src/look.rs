//! `esos-crash verify`, `show` and `list`.
use crate::files::{Input, MANIFEST, Memory, beside};
use esos_cli::{Exit, Failure, OrExit, Table, Ui};
use esos_crashdump::{KdumpFile, Manifest, Panic, PanicScan};
use serde::Serialize;
use std::path::{Path, PathBuf};

#[derive(Serialize)]
struct Verified {
    pages: u64,
    packed_bytes: u64,
    bad_pages: u64,
    complete: bool,
    manifest: bool,
    problems: Vec<String>,
}

pub(crate) fn verify(path: &Path, ui: &mut Ui) -> Result<Exit, Failure> {
    let about = || format!("cannot use {}", path.display());
    let dump = KdumpFile::open(Input::open(path)?).or_exit(Exit::Invalid).context(about())?;
    let checked = dump.check()?;
    let mut problems = checked.problems;
    let manifest = manifest_of(path)?;
    match &manifest {
        Some(manifest) => problems.extend(manifest.compare(&Input::open(path)?)?),
        None => ui.warn("there is no manifest: only the pages were checked"),
    }
    let found = Verified {
        pages: checked.pages,
        packed_bytes: checked.packed,
        bad_pages: checked.bad,
        complete: !dump.is_incomplete(),
        manifest: manifest.is_some(),
        problems,
    };
    ui.emit("esos.crash.verify/1", &found, |human| {
        let word = if found.problems.is_empty() { "good" } else { "DAMAGED" };
        let part = if found.complete { "" } else { ", incomplete" };
        human.line(format!(
            "{}: {word}{part}, {} pages, {} bad",
            path.display(),
            found.pages,
            found.bad_pages
        ));
        found.problems.iter().for_each(|problem| human.line(format!("  {problem}")));
    })?;
    Ok(if found.problems.is_empty() { Exit::Done } else { Exit::Invalid })
}

fn manifest_of(path: &Path) -> Result<Option<Manifest>, Failure> {
    let path = beside(path, MANIFEST);
    match std::fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .or_exit(Exit::Invalid)
            .context(format!("cannot understand {}", path.display())),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Failure::from(e).context(format!("cannot read {}", path.display()))),
    }
}

#[derive(Serialize)]
struct Shown<'a> {
    format: &'a str,
    kernel: Option<&'a str>,
    crash_time: Option<u64>,
    level: Option<u32>,
    complete: bool,
    pages: u64,
    #[serde(flatten)]
    panic: Panic,
}

pub(crate) fn show(path: &Path, ui: &mut Ui) -> Result<Exit, Failure> {
    let memory = open(path)?;
    let mut scan = PanicScan::default();
    if let Err(e) = memory.log(&mut scan) {
        ui.warn(format!("the log cannot be read, so the reason is unknown: {e}"));
    }
    let (format, level, complete, pages) = match &memory {
        Memory::Core(core) => {
            ("elf", None, core.missing() == 0, core.runs(0, core.end_pfn()).map(|(a, b)| b - a).sum())
        }
        Memory::Dump(dump) => ("kdump", Some(dump.level()), !dump.is_incomplete(), dump.pages()),
    };
    let shown = Shown {
        format,
        kernel: memory.get("OSRELEASE"),
        crash_time: memory.get("CRASHTIME").and_then(|t| t.parse().ok()),
        level,
        complete,
        pages,
        panic: scan.finish(),
    };
    ui.emit("esos.crash.show/1", &shown, |human| {
        let text = |t: &Option<String>| t.clone().unwrap_or_else(|| "unknown".to_owned());
        human.line(format!("kernel:  {}", shown.kernel.unwrap_or("unknown")));
        human.line(format!("reason:  {}", text(&shown.panic.reason)));
        shown.panic.oops.iter().for_each(|oops| human.line(format!("oops:    {oops}")));
        human.line(format!("process: {}", text(&shown.panic.process)));
        shown.panic.stack.iter().for_each(|frame| human.line(format!("  {frame}")));
        human.line(format!("modules: {}", shown.panic.modules.join(" ")));
        human.line(format!("pages:   {}{}", shown.pages, if shown.complete { "" } else { ", incomplete" }));
    })?;
    Ok(Exit::Done)
}

pub(crate) fn open(path: &Path) -> Result<Memory, Failure> {
    let about = || format!("cannot use {}", path.display());
    Memory::open(Input::open(path)?).or_exit(Exit::Invalid).context(about())
}

#[derive(Serialize)]
struct Listed {
    file: PathBuf,
    present: bool,
    #[serde(flatten)]
    manifest: Manifest,
}

pub(crate) fn list(dir: Option<&Path>, ui: &mut Ui) -> Result<Exit, Failure> {
    let logs = esos_layout::part::LOGS_MOUNT.trim_start_matches('/');
    let dir = dir.map_or_else(|| ui.root().join(logs).join("crash"), Path::to_owned);
    let entries = match std::fs::read_dir(&dir) {
        Ok(entries) => entries,
        Err(e) => {
            return Err(Failure::from(e)
                .with_exit(Exit::Unavailable)
                .context(format!("no {}", dir.display())));
        }
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let Some(dump) = path.to_str().and_then(|p| p.strip_suffix(MANIFEST)).map(PathBuf::from) else {
            continue;
        };
        match manifest_of(&dump) {
            Ok(Some(manifest)) => found.push(Listed { present: dump.is_file(), file: dump, manifest }),
            Ok(None) => {}
            Err(e) => ui.warn(e.message()),
        }
    }
    found.sort_by(|a, b| (a.manifest.crash_time, &a.file).cmp(&(b.manifest.crash_time, &b.file)));
    ui.emit("esos.crash.list/1", &found, |human| {
        let mut table = Table::new(["FILE", "KERNEL", "BYTES", "STATE", "REASON"]).right(2);
        for dump in &found {
            let m = &dump.manifest;
            let state = match (dump.present, m.complete) {
                (false, _) => "missing",
                (true, true) => "complete",
                (true, false) => "incomplete",
            };
            table.row([
                dump.file.display().to_string(),
                m.kernel.clone().unwrap_or_default(),
                m.size_bytes.to_string(),
                state.to_owned(),
                m.panic.reason.clone().unwrap_or_default(),
            ]);
        }
        human.table(&table);
    })?;
    Ok(Exit::Done)
}
