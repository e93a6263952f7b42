//! `mirror`.
use std::path::{Path, PathBuf};

use esos_blockdev::Inventory;
use esos_bootimg::disk::Medium;
use esos_bootimg::upgrade::{MirrorSlotsError, MirroredSlots, Stick, mirror_slots};
use esos_bootimg::write::{Facts, WriteProgress, plan};
use esos_cli::{Confirm, Exit, Failure, OrExit, Ui};
use esos_hostfs::{Files, HostFiles};
use esos_layout::mirror::MirrorKept;
use esos_layout::{part, run};
use serde_json::{Value, json};

use crate::args::MirrorArgs;
use crate::bring::bring;
use crate::carry::{Side, carry, confirm};
use crate::follow_up::{self, Alarm, LAST};
use crate::medium::{How, Opened};
use crate::stick::{Meant, locked};
use crate::target::Target;

/// `mirror`.
pub(crate) fn run(args: &MirrorArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let files = HostFiles::new(ui.root());
    if args.forget {
        match files.remove(run::MIRROR_KEPT) {
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
    let kept: Option<MirrorKept> = match files.read(run::MIRROR_KEPT) {
        Ok(bytes) => Some(serde_json::from_slice(&bytes).or_exit(Exit::Invalid).context(run::MIRROR_KEPT)?),
        Err(e) if e.is_not_found() => None,
        Err(e) => return Err(e.into()),
    };
    let is_kept = args.of.is_none() && kept.is_some();
    // Whoever makes a new one sits before it.
    let alarm = (is_kept && args.target.is_none()).then(|| Alarm::set(ui.root()));
    let done = follow(args, kept.as_ref(), &files, alarm.as_ref(), ui);
    if let Some(alarm) = alarm {
        alarm.stop();
    }
    if is_kept && let Some(trouble) = follow_up::ended(&files, done.as_ref().err()) {
        ui.warn(trouble);
    }
    let (data, lines) = done?;
    ui.emit("esos.image.mirror/1", &data, |human| lines.iter().for_each(|line| human.line(line)))?;
    Ok(Exit::Done)
}

type Done = (Value, Vec<String>);

fn follow(
    args: &MirrorArgs,
    kept: Option<&MirrorKept>,
    files: &HostFiles,
    alarm: Option<&Alarm>,
    ui: &mut Ui,
) -> Result<Done, Failure> {
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
    let (identity, written, target) = match known.filter(|_| is_mirror) {
        Some(identity) => (identity, None, None),
        None => {
            let (identity, bytes, target) = make(args, &of, &path, ui)?;
            (identity, Some(bytes), Some(target))
        }
    };
    let medium = Opened::open(&path, How::Write)?;
    let _guard = locked(&path)?;
    let mut mirror = Stick::open(&medium).or_exit(Exit::Invalid)?;
    let progress = ui.progress("copying slots", None);
    let slots = mirror_slots(&stick, &mut mirror, &mut |bytes| {
        progress.set(bytes);
        alarm.iter().for_each(|alarm| alarm.moved());
    });
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
    if conf.get("written_bytes").and_then(Value::as_u64).is_some_and(|bytes| bytes > 0) {
        // What the kernel remembers of it is what was written, not what is there.
        medium.flush().or_exit(Exit::Failed)?;
        confirm(&to, &conf)?;
    }
    if args.of.is_none() {
        let text = serde_json::to_vec_pretty(&MirrorKept { identity: identity.clone() })?;
        if kept.is_none_or(|k| k.identity != identity) {
            files.make_dir("/etc/esos")?;
            files.replace(run::MIRROR_KEPT, &text, 0o644)?;
        }
    }
    // Only now: to whoever watches sticks, one with our partitions that is not kept as a mirror is a stranger.
    drop(medium);
    if let Some(target) = target {
        target.reread(ui);
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
fn make(args: &MirrorArgs, of: &Meant, path: &Path, ui: &mut Ui) -> Result<(String, u64, Target), Failure> {
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
    Ok((identity, done.written_bytes, target))
}

/// The identity of a stick; none where it is no stick, or has none.
fn identity(path: &Path) -> Option<String> {
    let medium = Opened::open(path, How::Read).ok()?;
    let stick = Stick::open(&medium).ok()?;
    stick.records().stick.clone()
}

/// Why a stick of ours does not say who it is.
fn unreadable(path: &Path) -> Option<String> {
    match Opened::open(path, How::Read) {
        Ok(medium) => Stick::open(&medium).or_exit(Exit::Invalid).err().map(|failure| failure.whole()),
        Err(failure) => Some(failure.whole()),
    }
}

/// The disk that carries the mirror.
fn find(kept: &MirrorKept) -> Result<PathBuf, Failure> {
    let inventory = Inventory::of_machine(Path::new("/"))?;
    let boots = inventory.devices().filter(|d| d.part_name.as_deref() == Some(part::BOOT));
    let disks: Vec<PathBuf> =
        boots.filter_map(|p| inventory.whole(&p.name)).map(|disk| PathBuf::from(disk.node())).collect();
    let found = disks.iter().find(|disk| identity(disk).as_deref() == Some(kept.identity.as_str()));
    found.cloned().ok_or_else(|| {
        let mute = disks.iter().find_map(|disk| Some((disk, unreadable(disk)?)));
        let mute = mute.map(|(disk, why)| format!(", or is {}, which cannot be read: {why}", disk.display()));
        let text =
            format!("the mirror (identity {}) is not plugged in{}", kept.identity, mute.unwrap_or_default());
        Failure::new(Exit::Unavailable, text)
            .code("mirror::gone")
            .help("plug it in, or esos-image mirror --forget")
    })
}
