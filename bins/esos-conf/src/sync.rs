//! `esos-conf sync` and `prune`.
use crate::case::{Case, told};
use crate::host::{HostMedium, flush};
use esos_cli::{Exit, Failure, OrExit, Ui};
use esos_confsync::restore::Restored;
use esos_confsync::{
    Collected, MirrorError, Request, Retention, Store, StoreError, Synced, collect, retain, sync,
};
use esos_hostfs::{Clock, HostClock, lock};
use std::path::Path;
use std::time::Duration;

/// Old generations are freed when so many may go: freeing reads all that stay.
const WORTH: usize = 20;

pub(crate) fn run(store: Option<&Path>, reason: &str, ui: &mut Ui) -> Result<Exit, Failure> {
    let synced = synced(store, reason, ui.global().yes, ui)?;
    for skipped in &synced.skipped {
        ui.warn(format!("not kept: {}: {}", skipped.path, skipped.why));
    }
    ui.emit("esos.conf.sync/1", &synced, |human| {
        if !synced.made {
            return human.line(format!("nothing has changed since @{}", synced.generation));
        }
        human.line(format!(
            "@{}: {} changes, {} bytes",
            synced.generation,
            synced.changes.len(),
            synced.written_bytes
        ));
        synced.changes.iter().take(20).for_each(|change| human.line(format!("  {change}")));
    })?;
    Ok(Exit::Done)
}

/// Syncs once, and believes the stick only what can be read from it again.
pub(crate) fn synced(store: Option<&Path>, reason: &str, force: bool, ui: &Ui) -> Result<Synced, Failure> {
    let case = Case::open(store, true, ui)?;
    let synced = once(&case, reason, force)?;
    if !synced.made || !case.mounts() {
        return Ok(synced);
    }
    drop(case);
    if let Err(failure) = crate::stick::read_back(synced.generation) {
        // What the index says of the medium is not so.
        Case::forget_index(ui)?;
        return Err(failure);
    }
    Ok(synced)
}

/// Syncs once. `force` passes over a restore that was not whole.
fn once(case: &Case, reason: &str, force: bool) -> Result<Synced, Failure> {
    let _locks = case.lock()?;
    let restored = case.restored()?;
    if !force {
        allowed(case, restored.as_ref())?;
    }
    let mut request = Request::new(&case.host, &case.version, reason, HostClock.now().as_secs());
    request = request.parent(restored.as_ref().and_then(|r| r.generation));
    let local = HostMedium::new(&case.defaults_dir());
    let defaults = if case.defaults_dir().is_dir() { Some(Store::open(&local).map_err(told)?) } else { None };
    let attempt = || sync(&case.tree, &case.tracked, &case.medium, case.index(), defaults.as_ref(), &request);
    let done = match attempt() {
        // Room is made once, from the oldest on; the newest few stay whatever happens.
        Err(StoreError::Full) => {
            free(case, &Retention::tight(), restored.as_ref())?;
            attempt()
        }
        done => done,
    };
    let (synced, index) = done.map_err(told)?;
    if synced.made {
        flush(&case.store_dir)?;
    }
    if synced.index_changed {
        case.keep_index(&index)?;
    }
    let mut state = restored.clone().unwrap_or_default();
    if !state.complete {
        state = Restored::default();
        (state.complete, state.generation, state.version) =
            (true, Some(synced.generation), case.version.clone());
        state.made = request.now;
        case.keep_restored(&state)?;
        if restored.is_some() {
            // The generation is safe; that nobody is told so is no reason to fail.
            let _told_at_boot = crate::boot::mended(&case.files);
        }
    }
    // What the box has is what the stick has, from here on.
    case.network_may_be_on()?;
    if synced.made && synced.generation.is_multiple_of(WORTH as u64) {
        // The generation is safe; what could not be freed is freed the next time.
        let _next_time = free(case, &Retention::default(), restored.as_ref());
    }
    Ok(synced)
}

/// A box that does not have what the stick has must not write over it.
fn allowed(case: &Case, restored: Option<&Restored>) -> Result<(), Failure> {
    let why = match restored {
        Some(restored) if restored.complete => return Ok(()),
        Some(restored) => match (&restored.problem, restored.missing.first()) {
            (Some(problem), _) => problem.clone(),
            (None, Some(first)) => format!("{} things are missing: {first}", restored.missing.len()),
            (None, None) => "it was cut off".to_owned(),
        },
        None if !case.live => return Ok(()),
        None => "it did not take place".to_owned(),
    };
    // Whatever the restore came to: there is nothing on the stick that this box could lack.
    let store = case.store()?;
    if store.is_empty() {
        return Ok(());
    }
    Err(Failure::new(Exit::Refused, format!("the restore of this box was not whole: {why}"))
        .code("conf::incomplete-restore")
        .help("esos conf restore, then sync; or sync --yes, to make what is here the newest generation"))
}

fn free(case: &Case, policy: &Retention, restored: Option<&Restored>) -> Result<Collected, Failure> {
    let store = case.store()?;
    let holds: Vec<u64> = restored.and_then(|r| r.generation).into_iter().collect();
    let all: Vec<_> = store.generations().collect();
    let gone = retain(&all, HostClock.now().as_secs(), policy, &holds);
    collect(store, &gone).map_err(told)
}

pub(crate) fn prune(store: Option<&Path>, ui: &mut Ui) -> Result<Exit, Failure> {
    let case = Case::open(store, true, ui)?;
    let _locks = case.lock()?;
    let collected = free(&case, &Retention::default(), case.restored()?.as_ref())?;
    flush(&case.store_dir)?;
    ui.emit("esos.conf.prune/1", &collected, |human| {
        human.line(format!(
            "{} generations dropped, {} bytes freed",
            collected.dropped.len(),
            collected.freed_bytes
        ));
    })?;
    Ok(Exit::Done)
}

/// `esos-conf mirror`.
pub(crate) fn mirror(store: Option<&Path>, to: &Path, replace: bool, ui: &mut Ui) -> Result<Exit, Failure> {
    let case = Case::open(store, false, ui)?;
    let _locks = case.lock()?;
    if !to.is_dir() {
        let what = format!("there is no store at {}: the directory is not there", to.display());
        return Err(Failure::new(Exit::Unavailable, what).code("conf::gone"));
    }
    let _second = lock(&to.join(".lock"), Duration::from_secs(60)).or_exit(Exit::Busy)?;
    let done = esos_confsync::mirror(&case.medium, &HostMedium::new(to), replace).map_err(|e| match e {
        MirrorError::From(e) => told(e),
        MirrorError::To(e) => told(e).context("the mirror"),
        other => Failure::from(other)
            .with_exit(Exit::Refused)
            .code("conf::foreign")
            .help("look at them: esos-conf log --store DIR; --replace throws them away"),
    })?;
    if !done.copied.is_empty() || !done.removed.is_empty() {
        flush(to)?;
    }
    for damage in &done.damaged {
        ui.warn(format!("damaged, and not copied: {}: {}", damage.file, damage.why));
    }
    ui.emit("esos.conf.mirror/1", &done, |human| {
        human.line(format!(
            "{} packs copied, {} removed, {} bytes written",
            done.copied.len(),
            done.removed.len(),
            done.written_bytes
        ));
    })?;
    Ok(if done.damaged.is_empty() { Exit::Done } else { Exit::Invalid })
}
