//! The store of this machine: the lock, the configuration in force, generations, confirmations.
use crate::machine::{self, Patience};
use esos_cli::{Exit, Failure, OrExit, Ui};
use esos_hostfs::{Clock, Files, HostClock, HostFiles, LockError, LockGuard, lock};
use esos_scst::store::{CONF, Keep, Recovered, Store, StoreError};
use esos_scst::{ApplyError, Class, Document};
use serde::Serialize;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// How long a queued command may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) fn files(ui: &Ui) -> HostFiles {
    HostFiles::new(ui.root())
}

/// Seconds since boot.
pub(crate) fn since_boot() -> u64 {
    HostClock.monotonic().as_secs()
}

/// Who does it, for the history.
pub(crate) fn who() -> String {
    let named = ["SUDO_USER", "USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok());
    named.filter(|n| !n.is_empty()).unwrap_or_else(|| "root".to_owned())
}

pub(crate) fn keep<'a>(document: &'a Document, by: &'a str, confirm_by: Option<u64>) -> Keep<'a> {
    Keep { document, time: HostClock.now().as_secs(), by, confirm_by }
}

/// The one lock of all managers of SCST on this box. What an interrupted apply left is put in order first.
pub(crate) fn hold(ui: &mut Ui, wait: u64) -> Result<LockGuard, Failure> {
    let guard = locked(wait)?;
    settle(ui)?;
    Ok(guard)
}

fn locked(wait: u64) -> Result<LockGuard, Failure> {
    let dir = Path::new("/run/esos");
    std::fs::create_dir_all(dir).context("cannot make /run/esos")?;
    lock(&dir.join("scst.lock"), Duration::from_secs(wait)).map_err(|e| {
        let exit = if matches!(e, LockError::Busy { .. }) { Exit::Busy } else { Exit::Failed };
        Failure::from(e).with_exit(exit).help("another manager of SCST is at work; --wait SECS waits longer")
    })
}

/// Finishes or takes back what was interrupted, and takes back what nobody confirmed in time.
fn settle(ui: &mut Ui) -> Result<Recovered, Failure> {
    let files = files(ui);
    let store = Store::new(&files);
    let tree = machine::tree(ui.global());
    let mut patience = Patience::new(PATIENCE);
    let recovered = store.recover(&tree, &mut patience).map_err(failure)?;
    match recovered {
        Recovered::TakenBack => ui.warn("an interrupted apply was taken back"),
        Recovered::Finished => ui.warn("an interrupted apply was finished"),
        _ => {}
    }
    if let Some(waiting) = store.waiting().map_err(failure)?.filter(|w| w.by <= since_boot()) {
        store.take_back(&tree, &mut patience).map_err(failure)?;
        ui.warn(format!("@{} was not confirmed in time and is taken back", waiting.number));
    }
    Ok(recovered)
}

/// Why the store did not do what it was asked, with its exit code.
pub(crate) fn failure(error: StoreError) -> Failure {
    let (exit, help) = match &error {
        StoreError::Apply(e) => return apply_failure(e),
        StoreError::Waiting { .. } => (Exit::Busy, "run `esos scst confirm` or `esos scst rollback` first"),
        StoreError::Left { .. } => (Exit::RollbackFailed, "compare with `esos scst show`"),
        StoreError::NothingWaits | StoreError::NoGeneration { .. } | StoreError::NothingBefore => {
            (Exit::Failed, "see `esos scst history`")
        }
        StoreError::Observe(esos_scst::ObserveError::NotLoaded) => (Exit::Unavailable, "service scst start"),
        _ => (Exit::Failed, ""),
    };
    let failure = Failure::from(error).with_exit(exit);
    if help.is_empty() { failure } else { failure.help(help) }
}

pub(crate) fn apply_failure(error: &ApplyError) -> Failure {
    let (exit, help) = match error {
        ApplyError::Refused { class: Class::Blocked, .. } => {
            (Exit::Refused, "see `esos scst plan` for all reasons")
        }
        ApplyError::Refused { .. } => {
            (Exit::Refused, "run again with --allow-disruptive, or leave it out with --only")
        }
        ApplyError::Changed => (Exit::Busy, "run it again"),
        ApplyError::RolledBack { .. } if machine::interrupted() => {
            (Exit::Interrupted, "it was interrupted and everything was rolled back")
        }
        ApplyError::RolledBack { .. } => {
            (Exit::RolledBack, "nothing has changed; mend the cause and run it again")
        }
        ApplyError::RollbackFailed { .. } => (Exit::RollbackFailed, "compare with `esos scst show`"),
        _ => (Exit::Failed, ""),
    };
    let mut failure = Failure::new(exit, error.to_string());
    if let Some(cause) = std::error::Error::source(error) {
        failure = Failure::new(exit, cause.to_string()).context(error.to_string());
    }
    if help.is_empty() { failure } else { failure.help(help) }
}

/// Starts the process that takes the change back when its time is over.
pub(crate) fn watch(number: u64) -> Result<(), Failure> {
    let this = std::env::current_exe().context("cannot find this program")?;
    let mut watcher = Command::new(this);
    watcher.arg("watch-confirmation").arg(number.to_string()).process_group(0);
    watcher.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).current_dir("/");
    let spawned = watcher.spawn();
    spawned.map(|_| ()).context("applied, but nobody will take it back: cannot start the watcher")
}

/// What that process does.
pub(crate) fn watch_verb(ui: &mut Ui, number: u64) -> Result<Exit, Failure> {
    let files = files(ui);
    let store = Store::new(&files);
    while let Some(waiting) = store.waiting().map_err(failure)?.filter(|w| w.number == number) {
        if waiting.by > since_boot() {
            HostClock.sleep(Duration::from_millis(500));
            continue;
        }
        // Whoever holds the lock settles it, too.
        drop(hold(ui, 60)?);
    }
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct Confirmed {
    generation: u64,
}

pub(crate) fn confirm(ui: &mut Ui, wait: u64) -> Result<Exit, Failure> {
    let _lock = hold(ui, wait)?;
    let files = files(ui);
    let generation = Store::new(&files).confirm().map_err(failure)?;
    ui.emit("esos.scst.confirmed/1", &Confirmed { generation }, |human| {
        human.line(format!("confirmed; @{generation} is in force and kept as {CONF}"));
    })?;
    Ok(Exit::Done)
}

pub(crate) fn recover(ui: &mut Ui, wait: u64) -> Result<Exit, Failure> {
    let _lock = locked(wait)?;
    let recovered = settle(ui)?;
    ui.emit("esos.scst.recovered/1", &recovered, |human| {
        human.line(match recovered {
            Recovered::Finished => "an interrupted apply was finished",
            Recovered::TakenBack => "an interrupted apply was taken back",
            Recovered::Forgotten => "SCST was unloaded since; nothing is left of the interrupted apply",
            _ => "nothing was interrupted",
        });
    })?;
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct Kept {
    generation: u64,
    time: String,
    by: String,
    added: usize,
    changed: usize,
    removed: usize,
    state: &'static str,
}

pub(crate) fn history(ui: &mut Ui, number: Option<usize>) -> Result<Exit, Failure> {
    let files = files(ui);
    let store = Store::new(&files);
    let mut kept: Vec<Kept> = Vec::new();
    let generations = store.history().map_err(failure)?;
    let last = generations.last().map(|g| g.number);
    for g in generations {
        kept.push(Kept {
            generation: g.number,
            time: time(g.time),
            by: g.by.clone(),
            added: g.added,
            changed: g.changed,
            removed: g.removed,
            state: if Some(g.number) == last { "in force" } else { "" },
        });
    }
    if let Some(waiting) = store.waiting().map_err(failure)? {
        ui.warn(format!("@{} waits for its confirmation", waiting.number));
    }
    kept.reverse();
    kept.truncate(number.unwrap_or(usize::MAX));
    ui.emit("esos.scst.history/1", &kept, |human| {
        for g in &kept {
            let line = format!(
                "@{:<4} {}  {:10} +{} ~{} -{}  {}",
                g.generation, g.time, g.by, g.added, g.changed, g.removed, g.state
            );
            human.line(line.trim_end());
        }
    })?;
    Ok(Exit::Done)
}

fn time(seconds: u64) -> String {
    let seconds = i64::try_from(seconds).unwrap_or(0);
    jiff::Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |t| t.to_string())
}

/// Writes a whole file beside its place and renames it there.
pub(crate) fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Failure> {
    let dir = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(HostFiles::new(dir).replace(&format!("/{name}"), bytes, mode)?)
}
