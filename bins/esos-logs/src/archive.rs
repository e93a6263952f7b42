//! `esos-logs archive`.
use crate::place::Place;
use crate::prune::now;
use crate::staging::{Source, Staged, size};
use esos_cli::{Exit, Failure, Global, Health, Section, Ui};
use esos_hostfs::{Clock, Files, HostClock, HostFiles, NewFile, lock};
use esos_logarchive::{Archive, ArchiveError, Item, Written};
use serde::{Deserialize, Serialize};
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

/// Beside the archive itself: the tar's own headers, and what grows while it is written.
const MARGIN: u64 = 8 << 20;
const LAST: &str = "/var/lib/esos/logs/last.json";

#[derive(Serialize)]
struct Report {
    /// None where there was nothing to archive.
    archive: Option<String>,
    files: Vec<Written>,
    size_bytes: u64,
    removed: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Last {
    time: u64,
    problem: Option<String>,
}

pub(crate) fn run(store: Option<&Path>, if_larger: u64, ui: &mut Ui) -> Result<Exit, Failure> {
    let files = HostFiles::new(ui.root());
    let log = ui.root().join("var/log");
    if if_larger > 0 && size(&log) <= if_larger {
        let report = Report { archive: None, files: Vec::new(), size_bytes: 0, removed: Vec::new() };
        ui.emit("esos.logs.archive/1", &report, |human| human.line("/var/log is small enough"))?;
        return Ok(Exit::Done);
    }
    files.make_dir("/var/lib/esos/logs")?;
    let _lock = lock(&ui.root().join("var/lib/esos/logs/lock"), Duration::from_secs(120))
        .map_err(|e| Failure::from(e).with_exit(Exit::Busy))?;
    let done = archive(store, &files, ui);
    let time = HostClock.now().as_secs();
    let problem = done.as_ref().err().map(|e| e.message().to_owned());
    files.replace(LAST, &serde_json::to_vec(&Last { time, problem })?, 0o644)?;
    let report = done?;
    for written in report.files.iter().filter(|w| w.missing_bytes > 0) {
        ui.warn(format!(
            "{} was cut while it was read: {} bytes are missing",
            written.name, written.missing_bytes
        ));
    }
    ui.emit("esos.logs.archive/1", &report, |human| match &report.archive {
        None => human.line("there is nothing to archive"),
        Some(name) => {
            let lines: u64 = report.files.iter().map(|f| f.lines).sum();
            human.line(format!(
                "{name}: {} files, {lines} lines, {} bytes",
                report.files.len(),
                report.size_bytes
            ));
        }
    })?;
    Ok(Exit::Done)
}

fn archive(store: Option<&Path>, files: &HostFiles, ui: &Ui) -> Result<Report, Failure> {
    // The store first: without it nothing is moved.
    let place = Place::open(store, true, ui)?;
    let staged = Staged::take(ui.root())?;
    let length: u64 = staged.sources.iter().map(|s| s.end.saturating_sub(s.start)).sum();
    if staged.sources.is_empty() {
        return Ok(Report { archive: None, files: Vec::new(), size_bytes: 0, removed: Vec::new() });
    }
    let policy = place.policy(None, None);
    // Text packs to a tenth; where it does not, a second try makes room for all of it.
    let (mut removed, _) = place.make_room(&policy, now(), (length / 8).saturating_add(MARGIN))?;
    let name = name(&place.dir, "logs", "tar.zst", files);
    let written = match write(&place.dir.join(&name), &staged.sources) {
        Err(Problem::Archive(e)) if e.is_full() => {
            removed.extend(place.make_room(&policy, now(), length.saturating_add(MARGIN))?.0);
            write(&place.dir.join(&name), &staged.sources)
        }
        done => done,
    };
    let (written, size) = written.map_err(|e| match e {
        Problem::Archive(e) if e.is_full() => Failure::from(e)
            .code("logs::full")
            .help("esos logs list; the lines stay in /var/log/.archive until there is room"),
        Problem::Archive(e) => e.into(),
        Problem::Other(e) => e,
    })?;
    staged.done()?;
    Ok(Report { archive: Some(name), files: written, size_bytes: size, removed })
}

enum Problem {
    Archive(ArchiveError),
    Other(Failure),
}

impl<E: Into<Failure>> From<E> for Problem {
    fn from(error: E) -> Self {
        Self::Other(error.into())
    }
}

fn write(path: &Path, sources: &[Source]) -> Result<(Vec<Written>, u64), Problem> {
    let file = NewFile::create(path, 0o600)?;
    let mut archive = Archive::new(BufWriter::with_capacity(1 << 18, file)).map_err(Problem::Archive)?;
    let mut written = Vec::new();
    for source in sources {
        let mut content = std::fs::File::open(&source.path)?;
        content.seek(SeekFrom::Start(source.start))?;
        let len = source.end.saturating_sub(source.start);
        let item = Item { name: source.name.clone(), len, mode: source.mode, mtime: source.mtime };
        written.push(archive.add(&item, &mut content).map_err(Problem::Archive)?);
    }
    let mut out = archive.finish().map_err(Problem::Archive)?;
    out.flush().map_err(|e| Problem::Archive(ArchiveError::Write(e)))?;
    let file = out.into_inner().map_err(|e| Problem::Archive(ArchiveError::Write(e.into_error())))?;
    let size = file.stream()?.size()?;
    file.commit()?;
    Ok((written, size))
}

/// `logs-HOST-TIME.tar.zst`, with `+2` where there is one of this second.
pub(crate) fn name(dir: &Path, kind: &str, ending: &str, files: &HostFiles) -> String {
    let host = files.read("/etc/hostname").ok().map(|b| String::from_utf8_lossy(&b).trim().to_owned());
    let plain = |c: &char| c.is_ascii_alphanumeric() || "-.".contains(*c);
    let host: String = host.unwrap_or_default().chars().filter(plain).take(64).collect();
    let host = if host.is_empty() { "box".to_owned() } else { host };
    let second =
        i64::try_from(HostClock.now().as_secs()).ok().and_then(|s| jiff::Timestamp::from_second(s).ok());
    let time = second.map_or_else(String::new, |t| t.strftime("%Y%m%dT%H%M%SZ").to_string());
    let first = format!("{kind}-{host}-{time}.{ending}");
    let more = (2..).map(|n| format!("{kind}-{host}-{time}+{n}.{ending}"));
    std::iter::once(first).chain(more).find(|n| !dir.join(n).exists()).unwrap_or_default()
}

/// Its part of `esos status`.
pub(crate) fn section(global: &Global) -> Section {
    let files = HostFiles::new(&global.root);
    let section = Section::new("logs")
        .line(format!("/var/log holds {} KiB", size(&global.root.join("var/log")) / 1024));
    let last: Option<Last> = files.read(LAST).ok().and_then(|b| serde_json::from_slice(&b).ok());
    match last {
        Some(Last { problem: Some(problem), .. }) => section.finding(
            Health::Warn,
            format!("logs are not on the stick: {problem}"),
            Some("esos stick show; esos logs archive"),
        ),
        _ => section,
    }
}
