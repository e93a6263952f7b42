//! Waiting for the medium: by event, until a deadline.
use crate::stick::{self, Candidate, Choice, Sight};
use crate::{
    BootMode, Cmdline, Drivers, Fault, MEDIUM_DEADLINE, MEDIUM_QUIET, StickReport, Uevent, World, iso,
};
use std::collections::BTreeMap;

/// What was found.
#[derive(Debug, Clone)]
pub(crate) struct Medium {
    pub(crate) report: StickReport,
    /// Not for an ISO.
    pub(crate) stick: Option<Candidate>,
}

/// Loads drivers for what comes and looks at every disk once, until one is chosen.
pub(crate) fn find(
    world: World<'_>,
    drivers: &Drivers,
    line: &Cmdline,
    mode: BootMode,
) -> Result<Medium, Fault> {
    let slot = match mode {
        BootMode::Ram { slot } | BootMode::Persist { slot } => slot,
        _ => None,
    };
    let deadline = world.clock.now().saturating_add(MEDIUM_DEADLINE);
    let mut seen: BTreeMap<(String, String), Option<Candidate>> = BTreeMap::new();
    let mut quiet_from = world.clock.now();
    let mut said = false;
    loop {
        let last = world.clock.now() >= deadline;
        if matches!(mode, BootMode::Iso(_)) {
            if let Some(report) = iso::find(world) {
                return Ok(Medium { report, stick: None });
            }
        } else {
            let now = stick::disks(world.sys);
            seen.retain(|disk, _| now.contains(disk));
            for disk in now {
                if seen.contains_key(&disk) {
                    continue;
                }
                match stick::look(world, &disk.0, slot) {
                    Sight::Ours(candidate) => seen.insert(disk, Some(*candidate)),
                    Sight::Foreign => seen.insert(disk, None),
                    // Its next event brings the next look.
                    Sight::Unready(why) => {
                        world.console.detail(&format!("{}: {why}", disk.0));
                        continue;
                    }
                };
            }
            let candidates: Vec<_> = seen.values().flatten().cloned().collect();
            let settled = world.clock.now() >= quiet_from.saturating_add(MEDIUM_QUIET);
            match stick::choose(&candidates, stick::wanted(line), settled, last) {
                Choice::Take(chosen, by) => {
                    let report = chosen.report(world.sys, &by, &candidates);
                    return Ok(Medium { report, stick: Some(chosen.clone()) });
                }
                Choice::Refuse(why) => return Err(Fault::Medium(why)),
                Choice::Wait => {}
            }
        }
        if last {
            return Err(Fault::Medium(nothing(world, line)));
        }
        if !said {
            world
                .console
                .say(&format!("waiting for the boot medium, at most {} s", MEDIUM_DEADLINE.as_secs()));
            said = true;
        }
        // A quiet spell decides only where there is something to decide.
        let waits_for_quiet = stick::wanted(line).is_none() && seen.values().any(Option::is_some);
        let until = if waits_for_quiet { quiet_from.saturating_add(MEDIUM_QUIET) } else { deadline };
        let events = world.devices.wait(until.min(deadline));
        if events.iter().any(Uevent::is_block) {
            quiet_from = world.clock.now();
        }
        drivers.events(world, &events);
    }
}

fn nothing(world: World<'_>, line: &Cmdline) -> String {
    let disks: Vec<_> = stick::disks(world.sys).into_iter().map(|(name, _)| name).collect();
    let there = if disks.is_empty() {
        "no disk at all is here".into()
    } else {
        format!("here are: {}", disks.join(", "))
    };
    let wanted = stick::wanted(line).map(|id| format!(" with the identity {id}")).unwrap_or_default();
    format!("no medium with ESOS's labels{wanted} within {} s; {there}", MEDIUM_DEADLINE.as_secs())
}
