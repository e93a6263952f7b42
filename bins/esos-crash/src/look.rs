//! `esos-crash verify`, `show` and `list`.
use crate::files::Memory;
use crate::{logs, status};
use esos_cli::{Exit, Failure, OrExit, Table, Ui};
use esos_crashdump::{
    DumpState, KdumpFile, LOG_ENDING, LogSummary, MANIFEST_ENDING, Manifest, Panic, PanicScan, beside,
};
use esos_hostfs::Stream;
use serde::Serialize;
use std::borrow::Cow;
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
    let file = Stream::open(path)?;
    let is_core = esos_crashdump::Core::open(&file).is_ok();
    let dump =
        KdumpFile::open(file).or_exit(Exit::Invalid).context(about()).map_err(|failure| match is_core {
            true => failure
                .help("this is a core: `esos-crash show` reads it, `esos-crash save` makes a dump of it"),
            false => failure,
        })?;
    let checked = dump.check()?;
    let mut problems = checked.problems;
    let manifest = manifest_of(path)?;
    match &manifest {
        Some(manifest) => problems.extend(manifest.compare(&Stream::open(path)?)?),
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
    let path = beside(path, MANIFEST_ENDING);
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

#[derive(Serialize)]
struct Logged<'a> {
    /// As many as can be read.
    lines: Vec<Cow<'a, str>>,
    lost_records: u64,
    problem: Option<String>,
}

/// Prints the log. What there is of it is printed where it breaks off, too; the exit code says so.
pub(crate) fn log(path: &Path, ui: &mut Ui) -> Result<Exit, Failure> {
    let mut log = Vec::new();
    let saved = beside(path, LOG_ENDING);
    let result = if !path.exists() && saved.is_file() {
        // Nothing else was saved of this crash.
        log = std::fs::read(&saved)?;
        Ok(LogSummary::default())
    } else {
        open(path)?.log(&mut log)
    };
    let lost = result.as_ref().map_or(0, |summary| summary.lost);
    if lost > 0 {
        ui.warn(format!("{lost} records are damaged or were overwritten"));
    }
    if !ui.json() {
        ui.raw(&log)?;
    }
    if !ui.json() || log.is_empty() && result.is_err() {
        return result.map(|_| Exit::Done).or_exit(Exit::Invalid);
    }
    let lines = log.split(|b| *b == b'\n').map(String::from_utf8_lossy).collect::<Vec<_>>();
    let whole = lines.iter().rposition(|l| !l.is_empty()).map_or(0, |last| last + 1);
    let problem = result.err().map(|e| e.to_string());
    let exit = if problem.is_some() { Exit::Invalid } else { Exit::Done };
    let lines = lines.into_iter().take(whole).collect();
    ui.emit("esos.crash.dmesg/1", &Logged { lines, lost_records: lost, problem }, |_| {})?;
    Ok(exit)
}

pub(crate) fn open(path: &Path) -> Result<Memory, Failure> {
    let about = || format!("cannot use {}", path.display());
    Memory::open(Stream::open(path)?).or_exit(Exit::Invalid).context(about())
}

#[derive(Serialize)]
struct Listed {
    file: PathBuf,
    name: String,
    state: DumpState,
    present: bool,
    /// Whether it was read back after the crash, and found good.
    verified: Option<bool>,
    /// Whether it was handed on for people to be told, and whether they were.
    queued: bool,
    reported: bool,
    size_bytes: u64,
    reason: Option<String>,
    manifest: Option<Manifest>,
}

/// Dumps of the box, or of any directory: those that `save` put there under names of its user's choice too.
pub(crate) fn list(dir: Option<&Path>, ui: &mut Ui) -> Result<Exit, Failure> {
    let mut found = match dir {
        Some(dir) => by_manifest(dir, ui)?,
        None => by_store(ui)?,
    };
    found.sort_by(|a, b| {
        let time = |l: &Listed| l.manifest.as_ref().and_then(|m| m.crash_time);
        (&a.name, time(a), &a.file).cmp(&(&b.name, time(b), &b.file))
    });
    ui.emit("esos.crash.list/1", &found, |human| {
        let mut table = Table::new(["NAME", "KERNEL", "BYTES", "STATE", "REASON"]).right(2);
        for dump in &found {
            let kernel = dump.manifest.as_ref().and_then(|m| m.kernel.clone()).unwrap_or_default();
            let state = match (dump.present, dump.verified) {
                (false, _) if dump.state != DumpState::Log => "missing".to_owned(),
                (_, Some(false)) => "DAMAGED".to_owned(),
                (_, Some(true)) => format!("{}, verified", status::word(dump.state)),
                _ => status::word(dump.state).to_owned(),
            };
            let reason = dump.reason.clone().unwrap_or_default();
            table.row([dump.name.clone(), kernel, dump.size_bytes.to_string(), state, reason]);
        }
        human.table(&table);
    })?;
    Ok(Exit::Done)
}

fn by_store(ui: &mut Ui) -> Result<Vec<Listed>, Failure> {
    let dumps = logs::dumps(ui)?;
    dumps.elsewhere.iter().for_each(|why| ui.warn(why));
    let listed = |e: esos_crashdump::Entry| {
        let panic = e.manifest.as_ref().map_or_else(|| dumps.store.panic_of(&e.name), |m| m.panic.clone());
        let file = dumps.store.dump(&e.name);
        Listed {
            present: file.is_file(),
            file,
            name: e.name,
            state: e.state,
            verified: e.checked.as_ref().map(|c| c.good),
            queued: e.checked.as_ref().is_some_and(|c| c.queued),
            reported: e.checked.is_some_and(|c| c.reported),
            size_bytes: e.size_bytes,
            reason: panic.reason,
            manifest: e.manifest,
        }
    };
    Ok(dumps.store.entries()?.into_iter().map(listed).collect())
}

fn by_manifest(dir: &Path, ui: &mut Ui) -> Result<Vec<Listed>, Failure> {
    let entries = std::fs::read_dir(dir).map_err(|e| {
        Failure::from(e).with_exit(Exit::Unavailable).context(format!("cannot list {}", dir.display()))
    })?;
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let dump = path.to_str().and_then(|p| p.strip_suffix(MANIFEST_ENDING)).map(PathBuf::from);
        let Some(file) = dump else { continue };
        match manifest_of(&file) {
            Ok(Some(m)) => found.push(Listed {
                name: file.file_name().unwrap_or_default().to_string_lossy().into_owned(),
                present: file.is_file(),
                file,
                state: if m.complete { DumpState::Complete } else { DumpState::Incomplete },
                verified: None,
                queued: false,
                reported: false,
                size_bytes: m.size_bytes,
                reason: m.panic.reason.clone(),
                manifest: Some(m),
            }),
            Ok(None) => {}
            Err(e) => ui.warn(e.message()),
        }
    }
    Ok(found)
}
