//! `esos-conf restore`.
use crate::boot::{failed, mail, mended, nothing_yet};
use crate::case::{Case, id, keep_defaults, told};
use crate::diff::path;
use crate::host::HostMedium;
use crate::tell;
use esos_cli::{Confirm, Exit, Failure, Ui};
use esos_confsync::restore::{Act, Applied, Choice, Restored, Step, apply, choose, plan};
use esos_confsync::{
    BoxPath, EXTRAS, Generation, Id, Merged, NodeKind, Sides, Snapshot, Store, StoreError, Tracked, merge,
    observe,
};
use esos_hostfs::HostFiles;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

#[derive(Serialize)]
struct Done<'d> {
    generation: u64,
    complete: bool,
    steps: &'d [Step],
    #[serde(flatten)]
    applied: &'d Applied,
    restored: &'d Restored,
}

pub(crate) fn run(
    store: Option<&Path>,
    what: &[String],
    dry_run: bool,
    boot: bool,
    ui: &mut Ui,
) -> Result<Exit, Failure> {
    let mut words = what.iter().peekable();
    let wanted = words.peek().and_then(|word| id(word)).transpose()?;
    if wanted.is_some() {
        words.next();
    }
    let paths = words.map(|word| path(word)).collect::<Result<Vec<_>, _>>()?;
    let mut told_of = false;
    let done = (|| {
        let case = Case::open(store, false, ui)?;
        told_of =
            case.restored()?.is_some_and(|r| !r.complete || !r.damaged.is_empty() || !r.passed.is_empty());
        let _locks = if dry_run { Vec::new() } else { case.lock()? };
        let store = case.store()?;
        if boot && store.is_empty() {
            return nothing_yet(&case, ui);
        }
        restore(&case, &store, wanted, &paths, How { dry_run, boot }, ui)
    })();
    match done {
        Err(failure) if boot => failed(failure, ui),
        done => {
            let (exit, restored) = done?;
            if boot {
                mail(&restored, ui);
            } else if exit == Exit::Done && paths.is_empty() && !dry_run && told_of {
                mended(&HostFiles::new(ui.root()))?;
            }
            Ok(exit)
        }
    }
}

#[derive(Clone, Copy)]
struct How {
    dry_run: bool,
    boot: bool,
}

/// What must not go back to what it was while the box runs: events and mails of now.
const NOW: &str = "/var/lib/esos/alert";

fn restore(
    case: &Case,
    store: &Store<'_>,
    wanted: Option<u64>,
    paths: &[BoxPath],
    how: How,
    ui: &mut Ui,
) -> Result<(Exit, Restored), Failure> {
    let dry_run = how.dry_run;
    let choice = match wanted {
        None => choose(store, &case.version).map_err(told)?,
        Some(id) => {
            let generation = store.generation(id).map_err(told)?.clone();
            store.verify(&generation).map_err(told)?;
            Choice::of(generation)
        }
    };
    let generation = &choice.generation;
    let ours = store.snapshot(generation).map_err(told)?;
    // Nothing of the stick is on this box yet: that of a boot that failed is restored as that of a boot.
    let untouched = case.restored()?.is_none_or(|r| r.generation.is_none() && r.problem.is_some());
    let merged = if untouched && wanted.is_none() && paths.is_empty() && !dry_run {
        keep_defaults(ui.root(), &case.tracked)?;
        upgraded(case, store, &choice, &ours)?
    } else {
        None
    };
    let (present, _) = observe(&case.tree, &case.tracked, &mut |_, _| Ok(()))?;
    let target = merged.as_ref().map_or(&ours, |m| &m.snapshot);
    let tracked = match paths {
        [] => extras(store, target).unwrap_or_else(|| case.tracked.clone()),
        paths => only(paths)?,
    };
    let (present, _) = if paths.is_empty() && tracked != case.tracked {
        observe(&case.tree, &tracked, &mut |_, _| Ok(()))?
    } else {
        (present, Vec::new())
    };
    let mut steps = plan(&present, target, &tracked);
    let alerts = BoxPath::new(NOW).filter(|_| !how.boot && paths.is_empty());
    steps.retain(|step| alerts.as_ref().is_none_or(|dir| !step.path.is_below(dir)));
    if !paths.is_empty() {
        if let Some(path) = paths.iter().find(|p| target.get(p).is_none() && present.get(p).is_none()) {
            return Err(told(StoreError::NotFound(format!("{path} is not in @{}", generation.id))));
        }
        // Names of one file are restored together with it, or not at all.
        // A directory on the way that is not there any more comes back with what was in it.
        let wanted = |step: &Step, p: &BoxPath| {
            step.path.is_below(p) || (step.act == Act::Put && p.is_below(&step.path))
        };
        steps.retain(|step| paths.iter().any(|p| wanted(step, p)));
    }
    let (arrived, conflicts) = merged.as_ref().map_or((&[][..], &[][..]), |m| (&m.arrived, &m.conflicts));
    let mut restored = Restored::begun(&choice, arrived, conflicts);
    if !steps.is_empty() && !dry_run {
        let removals = steps.iter().filter(|s| s.act == Act::Remove).count();
        let what =
            format!("restore @{}: change {} files, remove {removals}", generation.id, steps.len() - removals);
        ui.confirm(&Confirm::new(what))?;
    }
    let mut applied = Applied::default();
    if !dry_run {
        if paths.is_empty() {
            case.keep_restored(&restored)?;
        }
        let made = merged.as_ref().map(|m| &m.made);
        let content = |id: &Id| match made.and_then(|m| m.get(id)) {
            Some(piece) => Ok(piece.clone()),
            None => content(case, store, id),
        };
        applied = apply(&case.tree, &steps, target, &content);
        restored = restored.ended(&applied);
        restored.missing.extend(generation.missing.iter().cloned());
        if paths.is_empty() {
            case.keep_restored(&restored)?;
        }
        if paths.is_empty() && applied.failed.is_empty() && case.network_may_be_on()? {
            ui.say(
                "the network was kept off at boot and may come up now: service esos-network start, or reboot",
            );
        }
    }
    for failed in &applied.failed {
        ui.warn(format!("not restored: {}: {}", failed.path, failed.why));
    }
    // People read it below, with what is different.
    if ui.global().json {
        restored.passed.iter().for_each(|passed| ui.warn(tell::why(passed)));
    }
    for damage in tell::history(&restored) {
        ui.warn(format!("damaged: {damage}"));
    }
    let complete = applied.failed.is_empty();
    let done =
        Done { generation: generation.id, complete, steps: &steps, applied: &applied, restored: &restored };
    ui.emit("esos.conf.restore/1", &done, |human| {
        let verb = if dry_run { "would restore" } else { "restored" };
        human.line(format!("{verb} {} ({})", tell::headline(&restored), generation.reason));
        if dry_run {
            steps.iter().for_each(|s| human.line(format!("  {:?} {}", s.act, s.path)));
        }
        tell::passed(&restored, 20).iter().for_each(|line| human.line(format!("  {line}")));
        restored.arrived.iter().take(20).for_each(|a| human.line(format!("  new default {a}")));
        restored.conflicts.iter().for_each(|c| human.line(format!("  conflict {c}")));
    })?;
    Ok((if complete { Exit::Done } else { Exit::Failed }, restored))
}

/// What a generation keeps beside what is always kept: its own list, not that of a box that has none yet.
fn extras(store: &Store<'_>, target: &Snapshot) -> Option<Tracked> {
    let path = BoxPath::new(EXTRAS)?;
    let NodeKind::File { chunks, .. } = &target.get(&path)?.kind else { return None };
    // One that was merged just now, or makes no sense, is no reason to restore nothing.
    let text = store.content(chunks).ok()?;
    Tracked::with_extras(&String::from_utf8_lossy(&text)).ok()
}

/// A piece from the stick, or from the image's own files.
fn content(case: &Case, store: &Store<'_>, id: &Id) -> Result<Vec<u8>, StoreError> {
    store.content(&[*id]).or_else(|e| {
        let local = HostMedium::new(&case.defaults_dir());
        Store::open(&local).and_then(|defaults| defaults.content(&[*id])).map_err(|_local| e)
    })
}

/// Where the version is another than the generation's: the three states merged.
fn upgraded(
    case: &Case,
    store: &Store<'_>,
    choice: &Choice,
    ours: &Snapshot,
) -> Result<Option<Merged>, Failure> {
    if choice.generation.version == case.version {
        return Ok(None);
    }
    let local = HostMedium::new(&case.defaults_dir());
    let defaults = Store::open(&local).map_err(told)?;
    let theirs = match defaults.generations().next_back() {
        Some(generation) => defaults.snapshot(generation).map_err(told)?,
        None => Snapshot::default(),
    };
    let base = store.defaults(&choice.generation).map_err(told)?;
    let cache = std::cell::RefCell::new(BTreeMap::new());
    let contents = |ids: &[Id]| {
        let mut cache = cache.borrow_mut();
        let mut whole = Vec::new();
        for id in ids {
            if !cache.contains_key(id) {
                cache.insert(*id, content(case, store, id).ok()?);
            }
            whole.extend_from_slice(cache.get(id)?);
        }
        Some(whole)
    };
    let sides =
        Sides { base: base.as_ref(), ours, theirs: &theirs, content: &contents, version: &case.version };
    Ok(Some(merge(&sides)))
}

fn only(paths: &[BoxPath]) -> Result<Tracked, Failure> {
    let texts: Vec<String> = paths.iter().map(ToString::to_string).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    Ok(Tracked::only(&texts)?)
}

/// What belongs to the image and not to the configuration of the original: where the box has it, the box's stays.
const SYSTEM: &[&str] = &[
    "/etc/default",
    "/etc/esos-release",
    "/etc/fstab",
    "/etc/init.d",
    "/etc/inittab",
    "/etc/issue",
    "/etc/ld.so",
    "/etc/login.defs",
    "/etc/logrotate",
    "/etc/modprobe.d",
    "/etc/modules-load.d",
    "/etc/mtab",
    "/etc/nsswitch.conf",
    "/etc/pam.d",
    "/etc/profile",
    "/etc/rc",
    "/etc/rsyslog",
    "/etc/securetty",
    "/etc/security",
    "/etc/shells",
    "/etc/ssl/certs",
    "/etc/syslog",
    "/etc/udev",
    "/opt/sbin",
];

/// Puts an import on the box: over what is there, nothing is removed.
pub(crate) fn bring(
    case: &Case,
    generation: &Generation,
    original: bool,
    ui: &mut Ui,
) -> Result<Exit, Failure> {
    let store = case.store()?;
    let wanted = store.snapshot(generation).map_err(told)?;
    let tops: BTreeSet<String> = wanted
        .iter()
        .filter_map(|(path, _)| path.to_string().split('/').nth(1).map(|top| format!("/{top}")))
        .collect();
    let tops: Vec<&str> = tops.iter().map(String::as_str).collect();
    let tracked = Tracked::only(&tops)?;
    let (present, _) = observe(&case.tree, &tracked, &mut |_, _| Ok(()))?;
    let mut steps = plan(&present, &wanted, &tracked);
    // Nothing goes but what stands where something else comes.
    steps.retain(|step| step.act != Act::Remove || wanted.get(&step.path).is_some());
    let mut kept = Vec::new();
    if original {
        steps.retain(|step| {
            let path = step.path.to_string();
            let ours = present.get(&step.path).is_some() && SYSTEM.iter().any(|s| path.starts_with(s));
            if ours {
                kept.push(path);
            }
            !ours
        });
    }
    let mut restored = Restored::default();
    (restored.generation, restored.made) = (Some(generation.id), generation.time);
    restored.version.clone_from(&generation.version);
    let what = format!("put the import on this box: {} files", steps.len());
    if !steps.is_empty() {
        ui.confirm(&Confirm::new(what))?;
    }
    case.keep_restored(&restored)?;
    let applied = apply(&case.tree, &steps, &wanted, &|id| store.content(&[*id]));
    restored = restored.ended(&applied);
    case.keep_restored(&restored)?;
    let missing: Vec<String> =
        generation.missing.iter().cloned().chain(restored.missing.iter().cloned()).collect();
    let complete = missing.is_empty();
    missing.iter().for_each(|m| ui.warn(format!("missing: {m}")));
    let data = serde_json::json!({
        "generation": generation.id, "files": generation.files, "size_bytes": generation.bytes,
        "complete": complete, "missing": missing, "kept": kept, "steps": steps.len(),
    });
    ui.emit("esos.conf.import/1", &data, |human| {
        human.line(format!(
            "imported as @{}: {} files, {} missing",
            generation.id,
            generation.files,
            missing.len()
        ));
        kept.iter().for_each(|path| human.line(format!("  kept as the image has it: {path}")));
    })?;
    Ok(if complete { Exit::Done } else { Exit::Differs })
}
