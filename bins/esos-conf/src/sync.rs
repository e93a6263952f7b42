//! `esos-conf sync` and `prune`.
use crate::case::{Case, told};
use crate::host::{HostMedium, flush};
use esos_cli::{Exit, Failure, Ui};
use esos_confsync::restore::Restored;
use esos_confsync::{Collected, Request, Retention, Store, StoreError, Synced, collect, retain, sync};
use esos_hostfs::{Clock, HostClock};
use std::path::Path;

/// Old generations are freed when so many may go: freeing reads all that stay.
const WORTH: usize = 20;

pub(crate) fn run(store: Option<&Path>, reason: &str, ui: &mut Ui) -> Result<Exit, Failure> {
    let case = Case::open(store, true, ui)?;
    let synced = once(&case, reason, ui.global().yes)?;
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

/// Syncs once. `force` passes over a restore that was not whole.
pub(crate) fn once(case: &Case, reason: &str, force: bool) -> Result<Synced, Failure> {
    let _locks = case.lock()?;
    let restored = case.restored()?;
    if !force {
        allowed(case, restored.as_ref())?;
    }
    let index = case.index();
    let mut request = Request::new(&case.host, &case.version, reason, HostClock.now().as_secs());
    request = request.parent(restored.as_ref().and_then(|r| r.generation));
    let local = HostMedium::new(&case.defaults_dir());
    let defaults = if case.defaults_dir().is_dir() { Some(Store::open(&local).map_err(told)?) } else { None };
    let attempt =
        || sync(&case.tree, &case.tracked, &case.medium, index.clone(), defaults.as_ref(), &request);
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
    }
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
    if store.generations().next().is_none() && store.damaged().is_empty() {
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
