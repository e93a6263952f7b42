//! `esos-crash check`: after a boot, dumps are found, read back, reported once and kept within bounds.
use crate::args::Check;
use crate::{known, logs, status};
use esos_alert::{EventId, Inbox, Report, Severity, Standing};
use esos_cli::{Exit, Failure, Ui};
use esos_crashdump::{CheckNote, DumpState, Entry, Panic, Store};
use esos_hostfs::{Clock, FileError, HostClock, HostFiles, space};
use serde::Serialize;
use std::io::Write;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

/// The dumps of a box take at most this part of their partition; the rest is for log archives.
const SHARE: u64 = 2;
/// Room kept for the next dump: an eighth of the partition, so that it fits beside the others.
const RESERVE_SHARE: u64 = 8;
const MOST_RESERVE: u64 = 256 << 20;
/// How often it is looked whether a mail has left.
const LOOK: Duration = Duration::from_secs(2);

#[derive(Serialize)]
struct Found {
    name: String,
    state: DumpState,
    good: bool,
    problems: Vec<String>,
    kernel: Option<String>,
    crash_time: Option<u64>,
    #[serde(flatten)]
    panic: Panic,
    size_bytes: u64,
}

#[derive(Serialize)]
struct Checked {
    new: Vec<Found>,
    /// Those of which no mail has left the box yet.
    waiting: Vec<String>,
    recovered: Vec<String>,
    removed: Vec<String>,
    ready: bool,
    why: Vec<String>,
}

pub(crate) fn check(args: &Check, ui: &mut Ui) -> Result<Exit, Failure> {
    let waiting = run(args, ui).inspect_err(|failure| known::keep_problem(&failure.whole(), ui))?;
    wait(args.wait, waiting, ui)?;
    Ok(Exit::Done)
}

/// The check itself; what it gives are the dumps of which no mail has left the box yet, and their events.
fn run(args: &Check, ui: &mut Ui) -> Result<Vec<(String, EventId)>, Failure> {
    let readiness = status::observe(ui.root());
    let dumps = logs::dumps(ui)?;
    dumps.elsewhere.iter().for_each(|why| ui.warn(why));
    let on_logs = dumps.elsewhere.is_none();
    let store = Store::open(dumps.store.dir())?;
    let recovered = store.recover()?;
    // Reading them back takes a while.
    known::keep(&store, ui)?;
    let files = HostFiles::new(ui.root());
    let inbox = Inbox::new(&files);
    let (mut new, mut waiting) = (Vec::new(), Vec::new());
    for entry in store.entries()? {
        let mut note = match entry.checked.clone() {
            Some(note) if note.reported => continue,
            Some(note) if note.queued => note,
            _ => {
                // What cannot be read is damage, too: a crash is told of in any case.
                let problems = store.verify(&entry).unwrap_or_else(|e| vec![e.to_string()]);
                CheckNote { good: problems.is_empty(), problems, queued: false, reported: false }
            }
        };
        let found = describe(&store, &entry, &note);
        if args.no_report {
            store.note(&entry.name, &note)?;
            new.push(found);
            continue;
        }
        let report = mail(&found);
        if !note.queued {
            tell(&message(&found));
            note.queued = true;
            // The event is handed on again at the next boot, and is told once.
            if let Err(e) = store.note(&entry.name, &note) {
                ui.warn(format!("what was found of {} cannot be noted: {e}", entry.name));
            }
            new.push(found);
        }
        // The inbox lies in memory: the mark on the disk that people were told is set once they were. A box that goes
        // down before puts the same event there again, and an event is told once.
        match Standing::of(&files, &report.id)? {
            Standing::Told => note_reported(&store, &entry.name, note)?,
            standing => {
                if standing == Standing::Unknown {
                    inbox.put(&report, HostClock.now())?;
                }
                waiting.push((entry.name, report.id));
            }
        }
    }
    let total = space(store.dir())?.total.get();
    let removed = store.surplus(args.keep, total / SHARE)?;
    for name in &removed {
        store.remove(name)?;
    }
    // No room of the configuration is taken.
    if on_logs && let Err(e) = store.keep_reserve((total / RESERVE_SHARE).min(MOST_RESERVE)) {
        ui.warn(format!("no room is kept for the next dump: {e}"));
    }
    known::keep(&store, ui)?;
    drop((store, dumps));
    let checked = Checked {
        new,
        waiting: waiting.iter().map(|(name, _)| name.clone()).collect(),
        recovered,
        removed,
        ready: readiness.troubles.is_empty(),
        why: readiness.troubles.iter().map(ToString::to_string).collect(),
    };
    // Whoever waits has said it before.
    if !args.no_report && args.wait == 0 {
        let report = capture(checked.why.first().map(String::as_str));
        if !checked.why.is_empty() {
            tell(&report.subject);
        }
        inbox.put(&report, HostClock.now())?;
    }
    ui.emit("esos.crash.check/1", &checked, |human| {
        checked.new.iter().for_each(|found| human.line(message(found)));
        checked.recovered.iter().for_each(|line| human.line(line));
        checked
            .removed
            .iter()
            .for_each(|name| human.line(format!("{name} was removed to keep within bounds")));
        checked.why.iter().for_each(|why| human.line(format!("NOT ARMED: {why}")));
        if checked.new.is_empty() {
            human.line("no new dump");
        }
    })?;
    Ok(waiting)
}

/// Why a crash would not be captured, or that it would be. It is the event of `esos-health`, which looks again and again:
/// one fault is one mail.
pub(crate) fn capture(why: Option<&str>) -> Report {
    let id = EventId::of(["health", "crash", "crash kernel", "unarmed"]);
    match why {
        Some(why) => {
            let text = format!("a crash of this box would not be captured: {why}");
            Report::raised(id, Severity::Warning, text).remedy("esos crash arm; esos crash status")
        }
        None => Report::cleared(id, "a crash of this box would be captured"),
    }
}

/// Waits until people were told, and notes it on the disk.
fn wait(seconds: u64, mut waiting: Vec<(String, EventId)>, ui: &Ui) -> Result<(), Failure> {
    let files = HostFiles::new(ui.root());
    let until = HostClock.now().saturating_add(Duration::from_secs(seconds));
    while !waiting.is_empty() && HostClock.now() < until {
        HostClock.sleep(LOOK);
        let told = |(_, id): &(String, EventId)| matches!(Standing::of(&files, id), Ok(Standing::Told));
        let (done, rest): (Vec<_>, Vec<_>) = waiting.into_iter().partition(told);
        waiting = rest;
        if done.is_empty() {
            continue;
        }
        let dumps = logs::dumps(ui)?;
        for entry in dumps.store.entries()? {
            if let Some(note) = entry.checked.filter(|_| done.iter().any(|(name, _)| *name == entry.name)) {
                note_reported(&dumps.store, &entry.name, note)?;
            }
        }
    }
    Ok(())
}

fn note_reported(store: &Store, name: &str, note: CheckNote) -> Result<(), FileError> {
    store.note(name, &CheckNote { reported: true, ..note })
}

fn describe(store: &Store, entry: &Entry, note: &CheckNote) -> Found {
    let panic = entry.manifest.as_ref().map_or_else(|| store.panic_of(&entry.name), |m| m.panic.clone());
    Found {
        name: entry.name.clone(),
        state: entry.state,
        good: note.good,
        problems: note.problems.clone(),
        kernel: entry.manifest.as_ref().and_then(|m| m.kernel.clone()),
        crash_time: entry.manifest.as_ref().and_then(|m| m.crash_time),
        panic,
        size_bytes: entry.size_bytes,
    }
}

fn message(found: &Found) -> String {
    let why = found.panic.oops.as_deref().or(found.panic.reason.as_deref());
    let reason = why.unwrap_or("its log does not tell why");
    let state = match (found.good, found.state) {
        (false, _) => "the dump is DAMAGED".to_owned(),
        (true, DumpState::Log) => "only its log was saved".to_owned(),
        (true, state) => format!("a verified dump was saved ({})", status::word(state)),
    };
    format!("this box crashed: {reason}; {state}: {}, {} bytes", found.name, found.size_bytes)
}

/// What people are told, with the stack and what was saved. The event has the crash's own time too: numbers begin anew
/// where all dumps were removed.
fn mail(found: &Found) -> Report {
    let time = found.crash_time.map(|t| t.to_string()).unwrap_or_default();
    let id = EventId::of(["crash", "dump", &found.name, &time]);
    let mut text = String::new();
    let mut line = |name: &str, value: Option<&str>| {
        value.iter().for_each(|value| text.push_str(&format!("{name:<9}{value}\n")));
    };
    line("reason:", found.panic.reason.as_deref());
    line("oops:", found.panic.oops.as_deref());
    line("process:", found.panic.process.as_deref());
    line("kernel:", found.kernel.as_deref());
    line("dump:", Some(&found.name));
    line("state:", Some(if found.good { status::word(found.state) } else { "DAMAGED" }));
    line("bytes:", Some(&found.size_bytes.to_string()));
    found.problems.iter().for_each(|p| line("problem:", Some(p)));
    if !found.panic.stack.is_empty() {
        text.push_str("\nstack:\n");
        found.panic.stack.iter().for_each(|frame| text.push_str(&format!("  {frame}\n")));
    }
    Report::happened(id, Severity::Critical, message(found))
        .text(text)
        .remedy(format!("esos crash list; esos crash report {}", found.name))
}

/// To the log and to the console. Neither may stop the check.
fn tell(text: &str) {
    if let Ok(mut console) = std::fs::OpenOptions::new().write(true).open("/dev/console") {
        let _written = console.write_all(format!("\r\nesos: {text}\r\n").as_bytes());
    }
    // Facility daemon (3 times 8), severity critical (2).
    if let Ok(log) = UnixDatagram::unbound() {
        let _sent = log.send_to(format!("<26>esos-crash: {text}").as_bytes(), "/dev/log");
    }
}
