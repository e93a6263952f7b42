//! `mirror`.
use std::path::{Path, PathBuf};

use esos_alert::{EventId, Inbox, Report, Severity};
use esos_blockdev::Inventory;
use esos_bootimg::upgrade::{MirrorSlotsError, MirroredSlots, Stick, mirror_slots};
use esos_bootimg::write::{Facts, WriteProgress, plan};
use esos_cli::{Confirm, Exit, Failure, OrExit, Ui};
use esos_hostfs::{Clock, Files, HostClock, HostFiles};
use esos_layout::{part, run};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::args::MirrorArgs;
use crate::bring::bring;
use crate::carry::{Side, carry};
use crate::medium::{How, Opened};
use crate::stick::{Meant, locked};
use crate::target::Target;

/// Which stick is kept as a mirror; part of the configuration.
const KEPT: &str = "/etc/esos/mirror.json";
/// How the last look at it went; of this boot.
const LAST: &str = "/run/esos/mirror.json";

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Kept {
    /// The identity of the mirror, 32 hex digits.
    identity: String,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Last {
    /// When the mirror was last like the stick, in seconds since 1970.
    pub(crate) time: u64,
    /// Why it is not.
    pub(crate) problem: Option<String>,
}

/// `mirror`.
pub(crate) fn run(args: &MirrorArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let files = HostFiles::new(ui.root());
    if args.forget {
        match files.remove(KEPT) {
            Ok(()) => {}
            Err(e) if e.is_not_found() => {}
            Err(e) => return Err(e.into()),
        }
        let _not_there = files.remove(LAST);
        ui.emit("esos.image.mirror/1", &json!({ "kept": null }), |human| {
            human.line("no stick is kept as a mirror any more");
        })?;
        return Ok(Exit::Done);
    }
    let kept: Option<Kept> = match files.read(KEPT) {
        Ok(bytes) => Some(serde_json::from_slice(&bytes).or_exit(Exit::Invalid).context(KEPT)?),
        Err(e) if e.is_not_found() => None,
        Err(e) => return Err(e.into()),
    };
    let done = follow(args, kept.as_ref(), &files, ui);
    if args.of.is_none() && kept.is_some() {
        note(&files, done.as_ref().err(), ui);
    }
    let (data, lines) = done?;
    ui.emit("esos.image.mirror/1", &data, |human| lines.iter().for_each(|line| human.line(line)))?;
    Ok(Exit::Done)
}

type Done = (Value, Vec<String>);

fn follow(args: &MirrorArgs, kept: Option<&Kept>, files: &HostFiles, ui: &mut Ui) -> Result<Done, Failure> {
    let of = Meant::open(args.of.as_deref(), How::Read, ui.root())?;
    let stick = of.stick()?;
    let own = stick.records().stick.clone().filter(|id| id != "unset").ok_or_else(|| {
        let text = format!("{} has no identity of its own yet", of.path.display());
        Failure::new(Exit::Refused, text).help("it gets one at its first boot")
    })?;
    if kept.is_some_and(|k| k.identity == own) && args.target.is_none() {
        let text = "this box runs from the mirror itself";
        return Err(Failure::new(Exit::Refused, text).help(
            "make another stick the mirror: esos-image mirror DEVICE; or stop it: esos-image mirror --forget",
        ));
    }
    let path = match (&args.target, kept) {
        (Some(path), _) => path.clone(),
        (None, Some(kept)) => find(kept)?,
        (None, None) => {
            let failure = Failure::new(Exit::Usage, "no stick is kept as a mirror yet");
            return Err(failure.help("name the second stick: esos-image mirror /dev/sdX"));
        }
    };
    let known = identity(&path);
    let is_mirror = known.as_deref().is_some_and(|id| id != own && kept.is_some_and(|k| k.identity == id));
    let (identity, written) = match known.filter(|_| is_mirror) {
        Some(identity) => (identity, None),
        None => {
            let (identity, bytes) = make(args, &of, &path, ui)?;
            (identity, Some(bytes))
        }
    };
    let medium = Opened::open(&path, How::Write)?;
    let _guard = locked(&path)?;
    let mut mirror = Stick::open(&medium).or_exit(Exit::Invalid)?;
    let progress = ui.progress("copying slots", None);
    let slots = mirror_slots(&stick, &mut mirror, &mut |bytes| progress.set(bytes));
    progress.finish();
    let slots: MirroredSlots = slots.map_err(|e| {
        let exit = match &e {
            MirrorSlotsError::Same(_) | MirrorSlotsError::Lost => Exit::Refused,
            MirrorSlotsError::Source { .. } => Exit::Invalid,
            _ => Exit::Failed,
        };
        Failure::from(e).with_exit(exit)
    })?;
    let to = Side { path: &path, table: mirror.table() };
    let from = args.of.as_ref().map(|_| Side { path: &of.path, table: stick.table() });
    // A stick that was written just now has what its image had, and nothing of anybody's.
    let conf = carry(from.as_ref(), &to, args.replace || written.is_some(), ui)?;
    if args.of.is_none() {
        let text = serde_json::to_vec_pretty(&Kept { identity: identity.clone() })?;
        if kept.is_none_or(|k| k.identity != identity) {
            files.make_dir("/etc/esos")?;
            files.replace(KEPT, &text, 0o644)?;
        }
    }
    let data = json!({
        "mirror": path, "identity": identity, "of": own, "made_bytes": written, "slots": slots, "conf": conf,
    });
    let named: Vec<String> = slots.slots.iter().map(ToString::to_string).collect();
    let copied = conf.get("copied").and_then(Value::as_array).map_or(0, Vec::len);
    let mut lines = Vec::new();
    if written.is_some() {
        lines.push(format!("{} is a mirror of {} now", path.display(), of.path.display()));
    }
    if !named.is_empty() {
        lines.push(format!("copied {}", named.join(" and ")));
    }
    lines.push(format!("{copied} packs of the configuration copied"));
    Ok((data, lines))
}

/// Writes the whole stick, and gives it an identity.
fn make(args: &MirrorArgs, of: &Meant, path: &Path, ui: &mut Ui) -> Result<(String, u64), Failure> {
    let mut brought = bring(&of.path.to_string_lossy(), &std::env::temp_dir(), ui)?;
    let target = Target::look(path, &brought.path, ui.root())?;
    let size = target.bytes().unwrap_or(brought.bytes);
    let facts = Facts { bytes: size, sector: u64::from(target.sector()), fresh: target.is_new() };
    let made = plan(&mut brought.image, facts).map_err(|e| {
        Failure::from(e).with_exit(Exit::Refused).help(format!("{} stays as it is", path.display()))
    })?;
    let made = made.with_empty_conf();
    target.describe().into_iter().for_each(|line| ui.say(line));
    if !target.is_new() {
        let question = Confirm::new(format!("erase {}", target.title())).typed(target.name());
        ui.confirm_name(&question, args.yes_erase.as_deref(), "--yes-erase")?;
    }
    let medium = target.open(size)?;
    let now = crate::stick::now();
    let nonce = format!("{now} {} {}", std::process::id(), target.name());
    let writing = ui.progress("writing", None);
    let time = u32::try_from(now).unwrap_or(u32::MAX);
    let done = made.apply(&mut brought.image, &medium, &[], nonce.as_bytes(), time, &mut |at| match at {
        WriteProgress::Written(bytes) | WriteProgress::ReadBack(bytes) => writing.set(bytes),
    });
    writing.finish();
    let done = done.map_err(|e| Failure::from(e).with_exit(Exit::Failed))?;
    let identity = crate::stick::new_identity()?;
    Stick::open(&medium).or_exit(Exit::Failed)?.assign(&identity).or_exit(Exit::Failed)?;
    Ok((identity, done.written_bytes))
}

/// The identity of a stick; none where it is no stick, or has none.
fn identity(path: &Path) -> Option<String> {
    let medium = Opened::open(path, How::Read).ok()?;
    let stick = Stick::open(&medium).ok()?;
    stick.records().stick.clone()
}

/// The disk that carries the mirror.
fn find(kept: &Kept) -> Result<PathBuf, Failure> {
    let inventory = Inventory::of_machine(Path::new("/"))?;
    let boots = inventory.devices().filter(|d| d.part_name.as_deref() == Some(part::BOOT));
    let disks: Vec<PathBuf> =
        boots.filter_map(|p| inventory.whole(&p.name)).map(|disk| PathBuf::from(disk.node())).collect();
    let found = disks.into_iter().find(|disk| identity(disk).as_deref() == Some(kept.identity.as_str()));
    found.ok_or_else(|| {
        let text = format!("the mirror (identity {}) is not plugged in", kept.identity);
        Failure::new(Exit::Unavailable, text)
            .code("mirror::gone")
            .help("plug it in, or esos-image mirror --forget")
    })
}

/// Once when it begins to fail, once when it works again.
fn note(files: &HostFiles, failure: Option<&Failure>, ui: &mut Ui) {
    let before: Last =
        files.read(LAST).ok().and_then(|b| serde_json::from_slice(&b).ok()).unwrap_or_default();
    let now = HostClock.now();
    let problem = failure.map(Failure::whole);
    let id = EventId::of(["mirror", "stick"]);
    let report = match (&before.problem, &problem) {
        (None, Some(problem)) => Some(
            Report::raised(
                id,
                Severity::Warning,
                format!("the mirror of the stick is not up to date: {problem}"),
            )
            .remedy("esos-image mirror"),
        ),
        (Some(_), None) => Some(Report::cleared(id, "the mirror of the stick is up to date")),
        _ => None,
    };
    if let Some(report) = report
        && let Err(error) = Inbox::new(files).put(&report, now)
    {
        ui.warn(error.to_string());
    }
    let time = if problem.is_none() { now.as_secs() } else { before.time };
    if let Ok(text) = serde_json::to_vec_pretty(&Last { time, problem }) {
        // `/run` is memory.
        let _told = files.make_dir(run::DIR).and_then(|()| files.replace(LAST, &text, 0o644));
    }
}

/// What `esos status` says of it; none where no mirror is kept.
pub(crate) fn last(files: &HostFiles) -> Option<Last> {
    files.stat(KEPT).ok()?;
    Some(files.read(LAST).ok().and_then(|b| serde_json::from_slice(&b).ok()).unwrap_or_default())
}
