//! Verbs that change something: plan, guards, confirmation, the tool, a look afterwards.
use crate::args::{Create, DriveVerb, Foreign, How, Modify, Read, Rebuild, Spare, Switch, Write};
use crate::machine;
use crate::target::{Kind, Target, find};
use esos_cli::{Confirm, Exit, Failure, Ui};
use esos_exec::HostRunner;
use esos_hostfs::{LockError, LockGuard, lock};
use esos_raid::{
    ApplyError, Change, ChangeError, Done, Facts, Level, NewArray, Place, Plan, PlanError, apply, plan, shown,
};
use serde_json::json;
use std::path::Path;
use std::time::Duration;

pub(crate) fn create(ui: &mut Ui, args: &Create) -> Result<Exit, Failure> {
    let names: Vec<&str> = args.drives.iter().map(String::as_str).collect();
    let target = find(ui, Kind::Drive, &names)?;
    let mut new = NewArray::new(level(&args.level)?, target.ids.clone());
    new.name.clone_from(&args.name);
    new.spans = args.spans;
    new.strip_kib = args.strip;
    new.size_mib = args.size;
    new.write_back = args.write.map(|w| w == Write::Back);
    new.read_ahead = args.read.map(|r| r == Read::Ahead);
    carry_out(ui, &target, Change::Create(new), args.how)
}

pub(crate) fn level(text: &str) -> Result<Level, Failure> {
    match Level::parse(text) {
        Level::Other(word) => {
            Err(Failure::new(Exit::Usage, format!("`{word}` is no level that can be made"))
                .help("levels are 0, 1, 5, 6, 10, 50 and 60"))
        }
        level => Ok(level),
    }
}

pub(crate) fn delete(ui: &mut Ui, array: &str, how: How) -> Result<Exit, Failure> {
    on_array(ui, array, how, |array| Change::Delete { array, members: Vec::new(), group: None })
}

pub(crate) fn check(ui: &mut Ui, array: &str, how: How) -> Result<Exit, Failure> {
    on_array(ui, array, how, |array| Change::Check { array })
}

pub(crate) fn cache(
    ui: &mut Ui,
    array: &str,
    write: Option<Write>,
    read: Option<Read>,
    how: How,
) -> Result<Exit, Failure> {
    on_array(ui, array, how, |array| Change::Cache {
        array,
        write_back: write.map(|w| w == Write::Back),
        read_ahead: read.map(|r| r == Read::Ahead),
    })
}

fn on_array(
    ui: &mut Ui,
    name: &str,
    how: How,
    change: impl FnOnce(String) -> Change,
) -> Result<Exit, Failure> {
    let target = find(ui, Kind::Array, &[name])?;
    let change = change(one(&target));
    carry_out(ui, &target, change, how)
}

fn on_drive(
    ui: &mut Ui,
    name: &str,
    how: How,
    change: impl FnOnce(String) -> Change,
) -> Result<Exit, Failure> {
    let target = find(ui, Kind::Drive, &[name])?;
    let change = change(one(&target));
    carry_out(ui, &target, change, how)
}

fn one(target: &Target) -> String {
    target.ids.first().cloned().unwrap_or_default()
}

pub(crate) fn modify(ui: &mut Ui, args: &Modify) -> Result<Exit, Failure> {
    let asked = [args.name.is_some(), args.level.is_some() || !args.add.is_empty(), args.grow];
    if asked.iter().filter(|yes| **yes).count() != 1 {
        return Err(Failure::new(Exit::Usage, "give one change: --name, --grow, or --level and --add"));
    }
    let target = find(ui, Kind::Array, &[&args.array])?;
    let array = one(&target);
    let change = if let Some(name) = &args.name {
        Change::Rename { array, name: name.clone() }
    } else if args.grow {
        Change::Grow { array, level: Level::Other(String::new()), members: Vec::new() }
    } else {
        let level = args.level.as_deref().map_or(Ok(Level::Other(String::new())), level)?;
        let names: Vec<&str> = args.add.iter().map(String::as_str).collect();
        let added = if names.is_empty() { Vec::new() } else { same_place(ui, &target, &names)? };
        let from = Level::Other(String::new());
        Change::Reshape { array, from, level, members: Vec::new(), added, group: None }
    };
    carry_out(ui, &target, change, args.how)
}

/// Drives of the controller that the array is on.
fn same_place(ui: &mut Ui, target: &Target, names: &[&str]) -> Result<Vec<String>, Failure> {
    let drives = find(ui, Kind::Drive, names)?;
    if drives.place.tool != target.place.tool || drives.place.controller != target.place.controller {
        let message = format!("`{}` and the array are on different controllers", names.join("`, `"));
        return Err(Failure::new(Exit::Invalid, message));
    }
    Ok(drives.ids)
}

pub(crate) fn spare(ui: &mut Ui, verb: &Spare) -> Result<Exit, Failure> {
    match verb {
        Spare::Add { drive, of, how } => {
            let of = of.as_deref().map(|name| crate::target::Name::parse(name).id);
            on_drive(ui, drive, *how, |drive| Change::AddSpare { drive, of })
        }
        Spare::Remove { drive, how } => {
            on_drive(ui, drive, *how, |drive| Change::RemoveSpare { drive, of: None })
        }
    }
}

pub(crate) fn locate(ui: &mut Ui, drive: &str, light: Switch, how: How) -> Result<Exit, Failure> {
    on_drive(ui, drive, how, |drive| Change::Locate { drive, on: matches!(light, Switch::On) })
}

pub(crate) fn drive(ui: &mut Ui, what: DriveVerb, name: &str, how: How) -> Result<Exit, Failure> {
    on_drive(ui, name, how, |drive| match what {
        DriveVerb::Fail => Change::Fail { drive, array: None },
        DriveVerb::Detach => Change::Detach { drive, array: None },
        DriveVerb::Free => Change::Free { drive },
    })
}

pub(crate) fn rebuild(ui: &mut Ui, verb: &Rebuild) -> Result<Exit, Failure> {
    match verb {
        Rebuild::Start { drive, array, how } => {
            let array = array.as_deref().map(|name| crate::target::Name::parse(name).id);
            on_drive(ui, drive, *how, |drive| Change::Rebuild { drive, array })
        }
        Rebuild::Watch { array, interval } => crate::watch::watch(ui, array.as_deref(), *interval),
        Rebuild::Rate { controller, percent, how } => {
            let target = find(ui, Kind::Controller, &[controller])?;
            carry_out(ui, &target, Change::RebuildRate { percent: *percent }, *how)
        }
    }
}

pub(crate) fn foreign(ui: &mut Ui, what: Foreign, controller: &str, how: How) -> Result<Exit, Failure> {
    let target = find(ui, Kind::Controller, &[controller])?;
    let change = match what {
        Foreign::Scan => Change::ForeignScan,
        Foreign::Import => Change::ForeignImport,
        Foreign::Clear => Change::ForeignClear,
    };
    carry_out(ui, &target, change, how)
}

pub(crate) fn set(ui: &mut Ui, controller: &str, property: &str, how: How) -> Result<Exit, Failure> {
    let Some((name, value)) = property.split_once('=') else {
        return Err(Failure::new(Exit::Usage, format!("`{property}` is no NAME=VALUE")));
    };
    let target = find(ui, Kind::Controller, &[controller])?;
    let change = Change::Property { name: name.to_owned(), value: value.to_owned() };
    carry_out(ui, &target, change, how)
}

/// Plans, asks, does, and tells.
pub(crate) fn carry_out(ui: &mut Ui, target: &Target, change: Change, how: How) -> Result<Exit, Failure> {
    let target = &Target { place: within(&target.place, how), ..target.clone() };
    let planned = planned(ui, target, change.clone())?;
    if how.dry_run {
        show(ui, &planned)?;
        return Ok(Exit::Done);
    }
    let done = make(ui, target, &planned, change)?;
    let data = json!({ "plan": &planned, "words": done.words, "seen": done.seen });
    ui.emit("esos.raid.change/1", &data, |human| {
        let seen = if done.seen == Some(true) { ", and the controller shows it" } else { "" };
        human.line(format!("done: {}{seen}", planned.what));
        done.words.iter().for_each(|line| human.line(format!("  {}: {line}", planned.tool)));
    })?;
    Ok(Exit::Done)
}

/// A place whose commands have their time.
pub(crate) fn within(place: &Place, how: How) -> Place {
    let mut place = place.clone();
    place.limit = Duration::from_secs_f64(how.limit);
    place
}

/// The plan of a change, by what the machine says now.
pub(crate) fn planned(ui: &Ui, target: &Target, change: Change) -> Result<Plan, Failure> {
    let around = machine::surroundings(ui.root())?;
    plan(&target.place, change, &target.facts, &around).map_err(refused)
}

/// Asks for agreement and carries a plan out, under the lock of all who change RAID on this box.
pub(crate) fn make(ui: &mut Ui, target: &Target, planned: &Plan, change: Change) -> Result<Done, Failure> {
    planned.notes.iter().for_each(|note| ui.say(format!("note: {note}")));
    let _turn = turn(ui)?;
    let mut before = target.facts.clone();
    if let Some(word) = &planned.confirm {
        let losses = planned.destroys.join(", ");
        ui.confirm(&Confirm::new(format!("{}; lost is {losses}", planned.what)).typed(word))?;
        if !ui.global().yes {
            // A person takes time: what was true then may not be now.
            before = machine::facts(target.place.tool, &target.program, ui.root())
                .map_err(|why| Failure::new(Exit::Failed, why))?;
            let again = Target { facts: before.clone(), ..target.clone() };
            let now = self::planned(ui, &again, change)?;
            let same = |a: &Plan, b: &Plan| a.destroys == b.destroys && list(a) == list(b);
            if !same(&now, planned) {
                return Err(Failure::new(Exit::Busy, "the controller has changed since you were asked"));
            }
        }
    }
    perform(ui, target, planned, &before)
}

/// Carries out a plan that was agreed to.
pub(crate) fn perform(ui: &mut Ui, target: &Target, planned: &Plan, before: &Facts) -> Result<Done, Failure> {
    for cmd in &planned.commands {
        ui.detail(format!("runs {}", shown(cmd)));
    }
    let (tool, program, root) = (target.place.tool, target.program.clone(), ui.root().to_owned());
    let mut look = || machine::facts(tool, &program, &root);
    apply(planned, before, &HostRunner, &mut look).map_err(|error| failed(&error))
}

fn list(plan: &Plan) -> Vec<String> {
    plan.commands.iter().map(shown).collect()
}

/// One at a time.
pub(crate) fn turn(ui: &Ui) -> Result<LockGuard, Failure> {
    let dir = ui.root().join("run/esos");
    std::fs::create_dir_all(&dir)
        .map_err(|e| Failure::from(e).context(format!("cannot make {}", dir.display())))?;
    lock(&dir.join("raid.lock"), Duration::from_secs(10)).map_err(|e| {
        let exit = if matches!(e, LockError::Busy { .. }) { Exit::Busy } else { Exit::Failed };
        Failure::from(e).with_exit(exit)
    })
}

fn show(ui: &mut Ui, planned: &Plan) -> Result<(), Failure> {
    ui.emit("esos.raid.plan/1", planned, |human| {
        human.line(format!("would {}", planned.what));
        planned.commands.iter().for_each(|cmd| human.line(format!("  {}", shown(cmd))));
        planned.destroys.iter().for_each(|loss| human.line(format!("lost: {loss}")));
        planned.notes.iter().for_each(|note| human.line(format!("note: {note}")));
        if let Some(usable) = planned.usable {
            human.line(format!("holds: {}", usable.human()));
        }
    })
}

/// Why a change is not even planned.
pub(crate) fn refused(error: PlanError) -> Failure {
    let exit = match &error {
        PlanError::Change(ChangeError::Unsupported { .. } | ChangeError::Option { .. }) => Exit::Unavailable,
        PlanError::Change(_) | PlanError::Nothing { .. } => Exit::Invalid,
        _ => Exit::Refused,
    };
    let help = match &error {
        PlanError::InUse { remedies, .. } if !remedies.is_empty() => {
            Some(format!("to free it: {}", remedies.join("; ")))
        }
        _ => None,
    };
    let failure = Failure::new(exit, error.to_string());
    match help {
        Some(help) => failure.help(help),
        None => failure,
    }
}

/// What went wrong, with the tool's own words.
fn failed(error: &ApplyError) -> Failure {
    let mut message = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        message.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    if error.words().is_empty() {
        message.push_str("; the tool said nothing");
    } else {
        message.push_str("; the tool said: ");
        message.push_str(&error.words().join(" / "));
    }
    Failure::new(Exit::Failed, message)
}

/// The file that keeps a walk between two runs.
pub(crate) fn state_dir(root: &Path) -> std::path::PathBuf {
    root.join("var/lib/esos/raid")
}
