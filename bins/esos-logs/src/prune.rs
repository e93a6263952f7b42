//! `esos-logs prune` and `list`.
use crate::args::Prune;
use crate::place::Place;
use esos_cli::{Exit, Failure, Table, Ui};
use esos_hostfs::{Clock, HostClock};
use esos_logarchive::retain;
use serde_json::json;
use std::path::Path;

pub(crate) fn now() -> i64 {
    i64::try_from(HostClock.now().as_secs()).unwrap_or(i64::MAX)
}

pub(crate) fn run(store: Option<&Path>, args: &Prune, ui: &mut Ui) -> Result<Exit, Failure> {
    let place = Place::open(store, !args.dry_run, ui)?;
    let policy = place.policy(args.budget, args.keep);
    let (removed, short) = if args.dry_run {
        let entries = place.entries()?;
        let verdict = retain(&entries, &policy, now(), place.space.available.get(), args.need);
        let names = verdict.removals.iter().filter_map(|(i, _)| entries.get(*i)).map(|e| e.name.clone());
        (names.collect(), verdict.short_bytes)
    } else {
        place.make_room(&policy, now(), args.need)?
    };
    let unknown = place.entries()?.iter().filter(|e| e.class == esos_logarchive::Class::Unknown).count();
    if short > 0 {
        ui.warn(format!("{short} bytes are missing, and nothing more may go"));
    }
    let data = json!({"removed": removed, "short_bytes": short, "unknown": unknown, "dry_run": args.dry_run, "policy": policy});
    ui.emit("esos.logs.prune/1", &data, |human| {
        removed.iter().for_each(|name| human.line(format!("removed {name}")));
        human.line(format!("{} removed, {unknown} unknown files left alone", removed.len()));
    })?;
    Ok(if short > 0 { Exit::Failed } else { Exit::Done })
}

pub(crate) fn list(store: Option<&Path>, ui: &mut Ui) -> Result<Exit, Failure> {
    let place = Place::open(store, false, ui)?;
    let mut entries = place.entries()?;
    entries.sort_by_key(|e| e.time);
    ui.emit("esos.logs.list/1", &entries, |human| {
        let mut table = Table::new(["CLASS", "BYTES", "WHEN", "NAME"]);
        for e in &entries {
            let time =
                jiff::Timestamp::from_second(e.time).map_or_else(|_| e.time.to_string(), |t| t.to_string());
            table.row([format!("{:?}", e.class).to_lowercase(), e.size.to_string(), time, e.name.clone()]);
        }
        human.table(&table);
    })?;
    Ok(Exit::Done)
}
