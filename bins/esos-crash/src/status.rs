//! `esos-crash status`, and the section of `esos status`.
use crate::{known, logs};
use esos_cli::{Exit, Failure, Global, Health, Section, Ui};
use esos_crashdump::{DumpState, Entry, Readiness};
use esos_exec::{Cmd, HostRunner, Runner};
use esos_hostfs::HostFiles;
use serde::Serialize;
use std::path::Path;
use std::time::Duration;

/// What there is, with the kernel's own words where something is wrong.
pub(crate) fn observe(root: &Path) -> Readiness {
    let files = HostFiles::new(root);
    let found = Readiness::observe(&files, "");
    if found.troubles.is_empty() || root != Path::new("/") {
        return found;
    }
    let cmd = Cmd::new("/usr/bin/dmesg").env("LC_ALL", "C").limit(Duration::from_secs(10));
    // Without the program the kernel's words are missing, nothing else.
    let log = HostRunner.run(&cmd).map(|out| out.text().into_owned()).unwrap_or_default();
    Readiness::observe(&files, &log)
}

#[derive(Serialize)]
struct Shown<'a> {
    ready: bool,
    why: Vec<String>,
    #[serde(flatten)]
    readiness: &'a Readiness,
    dumps: Option<usize>,
    unreported: Option<usize>,
}

pub(crate) fn status(ui: &mut Ui) -> Result<Exit, Failure> {
    let readiness = observe(ui.root());
    let entries = logs::dumps(ui).and_then(|d| Ok(d.store.entries()?));
    let entries =
        entries.map_err(|e| ui.warn(format!("the dumps cannot be looked at: {}", e.message()))).ok();
    let shown = Shown {
        ready: readiness.troubles.is_empty(),
        why: readiness.troubles.iter().map(ToString::to_string).collect(),
        dumps: entries.as_ref().map(Vec::len),
        unreported: entries.as_ref().map(|e| e.iter().filter(|e| !told(e)).count()),
        readiness: &readiness,
    };
    ui.emit("esos.crash.status/1", &shown, |human| {
        if shown.ready {
            human.line(format!("armed: {} MiB reserved", readiness.reserved_bytes >> 20));
        }
        shown.why.iter().for_each(|why| human.line(format!("NOT ARMED: {why}")));
        for (name, found, wanted) in &readiness.settings {
            human.line(format!("kernel.{name} is {found}, wanted {wanted}"));
        }
        if let (Some(dumps), Some(new)) = (shown.dumps, shown.unreported) {
            human.line(format!("{dumps} dumps, {new} of them not reported yet"));
        }
    })?;
    Ok(if shown.ready { Exit::Done } else { Exit::Unavailable })
}

fn told(entry: &Entry) -> bool {
    entry.checked.as_ref().is_some_and(|c| c.reported)
}

/// Never waits for the stick: of the dumps it says what the last look found.
pub(crate) fn section(global: &Global) -> Section {
    let readiness = observe(&global.root);
    let mut section = Section::new("crash");
    if readiness.troubles.is_empty() {
        section = section.line(format!("armed, {} MiB reserved", readiness.reserved_bytes >> 20));
    }
    for trouble in &readiness.troubles {
        let text = format!("a crash would not be captured: {trouble}");
        section = section.line(text.clone()).finding(Health::Warn, text, Some("esos crash arm"));
    }
    for (name, found, wanted) in &readiness.settings {
        let text = format!("kernel.{name} is {found}, wanted {wanted}");
        section = section.finding(Health::Warn, text, Some("esos crash arm"));
    }
    let known = known::read(&global.root).filter(|_| global.is_live());
    for dump in known.map(|known| known.dumps).unwrap_or_default() {
        let state = if dump.verified == Some(false) { "DAMAGED" } else { &dump.state };
        let seen = if dump.seen { "" } else { ", nobody has looked at it" };
        section = section.line(format!("{}: {state}{seen}", dump.name));
    }
    if !global.is_live() {
        let entries = logs::open(&global.root, false).ok().and_then(|d| d.store.entries().ok());
        for entry in entries.unwrap_or_default() {
            let damaged = entry.checked.as_ref().is_some_and(|c| !c.good);
            let state = if damaged { "DAMAGED" } else { word(entry.state) };
            section = section.line(format!("{}: {state}", entry.name));
        }
    }
    section
}

/// A state in one word.
pub(crate) fn word(state: DumpState) -> &'static str {
    match state {
        DumpState::Complete => "complete",
        DumpState::Incomplete => "incomplete",
        DumpState::Unfinished => "unfinished",
        DumpState::Log => "log only",
        _ => "unknown",
    }
}
