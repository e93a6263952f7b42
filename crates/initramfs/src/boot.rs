//! Carrying out the plan.
use crate::medium::Medium;
use crate::persist::Persist;
use crate::world::World;
use crate::{
    BootMode, BootReport, Cmdline, Drivers, Fault, MemoryNeed, Next, Step, StepReport, mark_bad, next, plan,
};
use esos_layout::frames::Index;
use esos_layout::run;
use std::time::Duration;

mod root;
mod steps;

const NEW_ROOT: &str = "/newroot";
const SLOT_MOUNT: &str = "/slot";

/// How it ends; there is no other way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// Switch to the root mounted there and run its `/sbin/init` with these arguments.
    SwitchRoot {
        /// The mount point.
        root: String,
        /// Arguments of init.
        arguments: Vec<String>,
    },
    /// Reboot now.
    Reboot,
    /// A shell, because `rescue` was asked for; in the new root where there is one. Then reboot.
    Shell {
        /// The mount point of the new root.
        root: Option<String>,
    },
}

/// Boots: from the first mount to the moment before the switch. `release` is the kernel's.
pub fn boot(world: World<'_>, release: &str) -> Ending {
    let mut boot = Boot {
        world,
        line: Cmdline::default(),
        mode: BootMode::Ram { slot: None },
        report: BootReport {
            schema: BootReport::SCHEMA.into(),
            kernel: release.into(),
            ..BootReport::default()
        },
        index_text: Vec::new(),
        index: Index::default(),
        drivers: None,
        medium: None,
        slot_dir: SLOT_MOUNT.into(),
        persist: None,
        unpack_to: Some(NEW_ROOT.into()),
        need: None,
        prefix: "",
    };
    if let Err(ending) = boot.step(Step::Base, |b| b.base(release)) {
        return ending;
    }
    if let BootMode::Nothing(why) = boot.mode {
        return boot.fail(Step::Base, &Fault::Slot(why.to_string())).unwrap_or(Ending::Reboot);
    }
    for step in plan(boot.mode) {
        if let Err(ending) = boot.step(step, |b| b.run(step)) {
            return ending;
        }
    }
    if boot.mode == BootMode::Capture {
        return Ending::Reboot;
    }
    boot.end()
}

struct Boot<'a> {
    world: World<'a>,
    line: Cmdline,
    mode: BootMode,
    report: BootReport,
    index_text: Vec<u8>,
    index: Index,
    drivers: Option<Drivers>,
    medium: Option<Medium>,
    slot_dir: String,
    persist: Option<Persist>,
    /// Where to unpack; none where the image lies unpacked already.
    unpack_to: Option<String>,
    need: Option<MemoryNeed>,
    /// Where `/run` is: in front of it, the new root once things have moved there.
    prefix: &'static str,
}

impl Boot<'_> {
    /// One step under guard and clock; an ending where the boot does not go on.
    fn step(&mut self, step: Step, run: impl FnOnce(&mut Self) -> Result<(), Fault>) -> Result<(), Ending> {
        let budget = step.budget(self.index.packed());
        let began = self.world.clock.now();
        self.world.kernel.guard(step.name(), budget);
        let result = run(self);
        let took = self.world.clock.now().saturating_sub(began);
        self.report.steps.push(StepReport {
            step: step.name().into(),
            at_ms: millis(began),
            took_ms: millis(took),
            budget_ms: millis(budget),
            outcome: result.as_ref().err().map_or_else(|| "ok".into(), ToString::to_string),
        });
        self.world.console.detail(&format!("{}: {} ms", step.name(), took.as_millis()));
        match result {
            Ok(()) => Ok(()),
            Err(fault) => self.fail(step, &fault).map_or(Ok(()), Err),
        }
    }

    /// Says what is wrong and what happens next, and does it.
    fn fail(&mut self, step: Step, fault: &Fault) -> Option<Ending> {
        let what = next(fault, self.line.rescue, self.mode);
        if what == Next::GoOn {
            self.warn(fault.to_string());
            return None;
        }
        // The guard now watches over the waiting.
        self.world.kernel.guard("reboot", Duration::from_secs(180));
        self.world.console.warn(&format!("{} failed: {fault}", step.name()));
        let after = match what {
            Next::OtherSlot(after) => {
                self.condemn();
                after
            }
            Next::Reboot(after) => after,
            Next::GoOn | Next::Shell => {
                self.world.console.warn("rescue was asked for: a shell comes next, its end reboots");
                return Some(Ending::Shell { root: None });
            }
        };
        self.world.console.warn(&format!("rebooting in {} s", after.as_secs()));
        self.world.clock.pause(after);
        Some(Ending::Reboot)
    }

    /// Marks the slot bad, where another can take its place.
    fn condemn(&self) {
        let console = self.world.console;
        let Some((stick, slot)) = self.medium.as_ref().and_then(|m| m.stick.as_ref()).zip(self.report.slot)
        else {
            console.warn("the slot is not known, so it is not marked; GRUB counts this attempt");
            return;
        };
        let disk = match self.world.devices.open(&format!("/dev/{}", stick.name)) {
            Ok(disk) => disk,
            Err(e) => {
                console.warn(&format!("{slot} is not marked, {} cannot be opened: {e}", stick.name));
                return;
            }
        };
        let said = match mark_bad(&*disk, &stick.gpt, slot) {
            Ok(_) => format!("{slot} is marked bad; {} starts next", slot.other()),
            Err(e) => format!("{slot} is not marked bad: {}; GRUB counts this attempt", chain(&e)),
        };
        console.warn(&said);
    }

    fn warn(&mut self, text: String) {
        self.world.console.warn(&text);
        self.report.warnings.push(text);
    }

    fn write_report(&mut self) {
        let path = |p: &str| format!("{}{p}", self.prefix);
        let files = self.world.files;
        let made = files.make_dir(&path(run::DIR));
        let written = made
            .and_then(|()| files.replace(&path(run::BOOT_REPORT), self.report.to_json().as_bytes(), 0o644));
        if let Err(e) = written {
            self.warn(format!("the boot report is not written: {e}"));
        }
    }

    fn end(mut self) -> Ending {
        self.write_report();
        let keeper = format!("{NEW_ROOT}{}", run::WATCHDOG_KEEPER);
        // In a rescue shell nobody feeds it.
        let kept = !self.line.rescue && self.world.files.stat(&keeper).is_ok();
        self.world.kernel.release_watchdog(kept);
        let times: Vec<_> = self.report.steps.iter().map(|s| format!("{} {}", s.step, s.took_ms)).collect();
        self.world.console.say(&format!("steps in ms: {}", times.join(", ")));
        if self.line.rescue {
            self.world
                .console
                .warn("rescue was asked for: a shell in the new root comes next, its end reboots");
            return Ending::Shell { root: Some(NEW_ROOT.into()) };
        }
        self.world
            .console
            .say(&format!("switching to the root at {:.1} s", self.world.clock.now().as_secs_f64()));
        let arguments = if self.line.single_user { vec!["single".to_owned()] } else { Vec::new() };
        Ending::SwitchRoot { root: NEW_ROOT.into(), arguments }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// An error and its causes.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(e) = cause {
        text = format!("{text}: {e}");
        cause = e.source();
    }
    text
}

#[cfg(test)]
#[path = "boot_machine.rs"]
mod machine;

#[cfg(test)]
#[path = "boot_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "capture_tests.rs"]
mod capture_tests;
