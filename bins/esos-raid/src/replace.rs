//! `esos-raid replace`: a drive from its light to the end of the rebuild, over several runs if need be.
use crate::args::How;
use crate::change::{self, state_dir};
use crate::machine;
use crate::target::{Kind, Name, Target, find};
use esos_cli::{Confirm, Exit, Failure, OrExit, Ui};
use esos_hostfs::{Files, HostFiles};
use esos_raid::{Change, ChangeError, Next, PlanError, Tool, Walk, next, plan};
use serde_json::json;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

/// Between two looks at a rebuild.
const PAUSE: Duration = Duration::from_secs(5);

pub(crate) struct Asked<'a> {
    pub(crate) drive: &'a str,
    pub(crate) with: Option<&'a str>,
    pub(crate) no_wait: bool,
    pub(crate) restart: bool,
    pub(crate) how: How,
}

pub(crate) fn replace(ui: &mut Ui, asked: &Asked<'_>) -> Result<Exit, Failure> {
    let (mut target, mut walk) = start(ui, asked)?;
    target.place = change::within(&target.place, asked.how);
    let tool = target.place.tool;
    let mut agreed = false;
    let mut steps: Vec<String> = Vec::new();
    let mut last = String::new();
    loop {
        match next(tool, &walk, &target.facts) {
            Next::Do(step) => {
                let around = machine::surroundings(ui.root())?;
                let planned = match plan(&target.place, step.clone(), &target.facts, &around) {
                    Ok(planned) => planned,
                    // A tool without a light, or without a word for pulling, is no reason to stop.
                    Err(PlanError::Change(ChangeError::Unsupported { .. })) if optional(&step) => {
                        walk.did(&step);
                        continue;
                    }
                    Err(error) => return Err(change::refused(error)),
                };
                if asked.how.dry_run {
                    ui.emit("esos.raid.plan/1", &planned, |human| {
                        human.line(format!("the next step would {}", planned.what));
                        planned
                            .commands
                            .iter()
                            .for_each(|c| human.line(format!("  {}", esos_raid::shown(c))));
                    })?;
                    return Ok(Exit::Done);
                }
                if !agreed {
                    let what = format!(
                        "replace drive {} of array {}",
                        walk.drive,
                        walk.array.as_deref().unwrap_or("?")
                    );
                    ui.confirm(&Confirm::new(what).typed(&walk.drive))?;
                    agreed = true;
                }
                let turn = change::turn(ui)?;
                let before = target.facts.clone();
                change::perform(ui, &target, &planned, &before)?;
                drop(turn);
                ui.say(format!("done: {}", planned.what));
                steps.push(planned.what.clone());
                walk.did(&step);
                save(ui, &walk)?;
            }
            Next::Ask(what) => {
                save_unless(ui, &walk, asked.how)?;
                return finish(ui, &steps, &what, false, Exit::Refused);
            }
            Next::Wait { what, percent } => {
                save_unless(ui, &walk, asked.how)?;
                let line = match percent {
                    Some(percent) => format!("{what}, {percent} %"),
                    None => what,
                };
                if line != last {
                    ui.say(&line);
                    last.clone_from(&line);
                }
                if asked.no_wait || asked.how.dry_run {
                    return finish(ui, &steps, &line, false, Exit::Busy);
                }
                sleep(PAUSE);
            }
            Next::Done(what) => {
                forget(ui, &walk);
                return finish(ui, &steps, &what, true, Exit::Done);
            }
            Next::Stuck(why) => return Err(Failure::new(Exit::Failed, why)),
            _ => return Err(Failure::new(Exit::Failed, "there is no next step")),
        }
        target.facts = machine::facts(tool, &target.program, ui.root())
            .map_err(|why| Failure::new(Exit::Failed, why))?;
    }
}

fn optional(change: &Change) -> bool {
    matches!(change, Change::Locate { .. } | Change::Detach { .. } | Change::Fail { .. })
}

fn finish(ui: &mut Ui, steps: &[String], now: &str, done: bool, exit: Exit) -> Result<Exit, Failure> {
    ui.emit("esos.raid.replace/1", &json!({ "steps": steps, "now": now, "done": done }), |human| {
        human.line(now);
        if !done {
            human.line("run the same command again to go on");
        }
    })?;
    Ok(exit)
}

fn path(controller: &str, tool: &str, drive: &str) -> String {
    let word = |text: &str| text.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    format!("replace-{}-{}-{}.json", word(tool), word(controller), word(drive))
}

/// An earlier walk of this drive, or a new one.
fn start(ui: &mut Ui, asked: &Asked<'_>) -> Result<(Target, Walk), Failure> {
    let name = Name::parse(asked.drive);
    let kept = if asked.restart { None } else { kept(ui, &name.id) };
    if let Some(walk) = kept {
        let tool: Tool = walk.tool.parse().or_exit(Exit::Invalid)?;
        let program = machine::program(tool, ui.root())
            .ok_or_else(|| Failure::new(Exit::Unavailable, format!("{tool} is not installed")))?;
        let facts =
            machine::facts(tool, &program, ui.root()).map_err(|why| Failure::new(Exit::Failed, why))?;
        let place = esos_raid::Place::new(tool, &program.to_string_lossy(), &walk.controller);
        ui.say(format!("goes on with drive {}", walk.drive));
        let mut walk = walk;
        if let Some(with) = asked.with {
            walk.new = Some(Name::parse(with).id);
        }
        return Ok((Target { place, program, facts, ids: vec![walk.drive.clone()] }, walk));
    }
    let target = find(ui, Kind::Drive, &[asked.drive])?;
    let drive = target.ids.first().cloned().unwrap_or_default();
    let with = asked.with.map(|name| Name::parse(name).id);
    let walk = Walk::new(target.place.tool, &target.place.controller, &drive, with.as_deref(), &target.facts);
    Ok((target, walk))
}

fn kept(ui: &Ui, drive: &str) -> Option<Walk> {
    let mut all = std::fs::read_dir(state_dir(ui.root())).ok()?.flatten().filter_map(|entry| {
        let walk: Walk = serde_json::from_slice(&std::fs::read(entry.path()).ok()?).ok()?;
        (walk.drive == drive).then_some(walk)
    });
    let first = all.next()?;
    all.next().is_none().then_some(first)
}

fn file(walk: &Walk) -> PathBuf {
    PathBuf::from("/var/lib/esos/raid").join(path(&walk.controller, &walk.tool, &walk.drive))
}

fn save_unless(ui: &Ui, walk: &Walk, how: How) -> Result<(), Failure> {
    if how.dry_run { Ok(()) } else { save(ui, walk) }
}

fn save(ui: &Ui, walk: &Walk) -> Result<(), Failure> {
    std::fs::create_dir_all(state_dir(ui.root())).or_exit(Exit::Failed)?;
    let bytes = serde_json::to_vec_pretty(walk)?;
    HostFiles::new(ui.root())
        .replace(&file(walk).to_string_lossy(), &bytes, 0o600)
        .or_exit(Exit::Failed)
        .map_err(|e| e.context("cannot keep how far the replacement is"))
}

fn forget(ui: &Ui, walk: &Walk) {
    // Where it never was kept there is nothing to forget.
    let _gone = HostFiles::new(ui.root()).remove(&file(walk).to_string_lossy());
}
