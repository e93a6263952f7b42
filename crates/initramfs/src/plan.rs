//! The steps of a boot: in which order, how long each may take, and what comes next when one fails.
use crate::BootMode;
use std::time::Duration;

/// A step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// `/proc`, `/sys`, `/dev`, `/run`; the command line, the facts.
    Base,
    /// Drivers for what is there, and the fixed list.
    Drivers,
    /// The medium: by event, until a deadline.
    Medium,
    /// The slot: mounted read-only, and the right one.
    Slot,
    /// Whether memory will do.
    Memory,
    /// The file system of the new root.
    Room,
    /// Every frame verified and unpacked.
    Unpack,
    /// The new root from what was unpacked on the stick: `/usr` as an overlay, the rest copied.
    Overlay,
    /// Nothing of the medium stays mounted.
    Close,
    /// `/proc`, `/sys`, `/dev`, `/run` move over, the report is written.
    Hand,
    /// The configuration, by the hook in the new root.
    Restore,
    /// Saving what the crashed kernel left.
    Capture,
}

impl Step {
    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Drivers => "drivers",
            Self::Medium => "medium",
            Self::Slot => "slot",
            Self::Memory => "memory",
            Self::Room => "room",
            Self::Unpack => "unpack",
            Self::Overlay => "overlay",
            Self::Close => "close",
            Self::Hand => "hand",
            Self::Restore => "restore",
            Self::Capture => "capture",
        }
    }

    /// How long it may take before the guard reboots. Generous: each is many times what slow hardware
    /// (or an emulator) needs, and still an end. Unpacking gets a second more per 512 KiB of image, which
    /// is half the speed of the slowest USB 1.1 stick.
    #[must_use]
    pub const fn budget(self, packed_bytes: u64) -> Duration {
        Duration::from_secs(match self {
            Self::Base | Self::Memory | Self::Room | Self::Hand => 30,
            Self::Close | Self::Slot => 60,
            Self::Drivers | Self::Medium | Self::Restore => 120,
            // What is copied into memory comes from the same stick, as thousands of small files.
            Self::Overlay => 180,
            Self::Unpack => (packed_bytes / (512 << 10)).saturating_add(300),
            Self::Capture => 3600,
        })
    }
}

/// How long the medium is waited for. A USB hub with a slow stick takes 10 s, a SAS expander 30 s.
pub const MEDIUM_DEADLINE: Duration = Duration::from_secs(60);
/// Where no identity says which of several media it is: how long no disk must have come before one is
/// taken.
pub const MEDIUM_QUIET: Duration = Duration::from_secs(2);
/// How long a message stays before the machine reboots.
pub const REBOOT_AFTER: Duration = Duration::from_secs(10);
/// The same where the machine itself will not do, and rebooting will not change that.
pub const REBOOT_LATE: Duration = Duration::from_secs(60);

/// The steps of a mode, in order; behind the last comes the switch to the new root, or for a crash
/// kernel the reboot.
#[must_use]
pub fn plan(mode: BootMode) -> Vec<Step> {
    match mode {
        BootMode::Nothing(_) => vec![],
        BootMode::Capture => vec![Step::Drivers, Step::Capture],
        BootMode::Ram { .. } | BootMode::Iso(_) => vec![
            Step::Drivers,
            Step::Medium,
            Step::Slot,
            Step::Memory,
            Step::Room,
            Step::Unpack,
            Step::Close,
            Step::Hand,
            Step::Restore,
        ],
        BootMode::Persist { .. } => vec![
            Step::Drivers,
            Step::Medium,
            Step::Slot,
            Step::Room,
            Step::Unpack,
            Step::Overlay,
            Step::Close,
            Step::Hand,
            Step::Restore,
        ],
    }
}

/// What went wrong, by what it means for the next boot. Each holds a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The slot is damaged and will not heal: the other one must run.
    #[error("{0}")]
    Slot(String),
    /// The medium is not there, or does not answer: it may the next time.
    #[error("{0}")]
    Medium(String),
    /// The machine will not do.
    #[error("{0}")]
    Machine(String),
    /// Something is missing, and the boot goes on without it.
    #[error("{0}")]
    Minor(String),
}

/// What comes after a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The boot goes on.
    GoOn,
    /// The machine reboots after a while; GRUB counts attempts.
    Reboot(Duration),
    /// The slot is marked bad and the machine reboots into the other one.
    OtherSlot(Duration),
    /// `rescue` was asked for: a shell.
    Shell,
}

/// What comes after a fault. Pure, and total: there is no fault that waits for a person, unless
/// `rescue` stands on the command line.
#[must_use]
pub fn next(fault: &Fault, rescue: bool, mode: BootMode) -> Next {
    match fault {
        Fault::Minor(_) => Next::GoOn,
        _ if mode == BootMode::Capture => Next::Reboot(REBOOT_AFTER),
        _ if rescue => Next::Shell,
        Fault::Slot(_) if matches!(mode, BootMode::Ram { .. } | BootMode::Persist { .. }) => {
            Next::OtherSlot(REBOOT_AFTER)
        }
        Fault::Slot(_) | Fault::Medium(_) => Next::Reboot(REBOOT_AFTER),
        Fault::Machine(_) => Next::Reboot(REBOOT_LATE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::IsoMode;

    #[test]
    fn every_fault_has_a_next_step_and_only_rescue_ends_in_a_shell() {
        let ram = BootMode::Ram { slot: None };
        let modes = [ram, BootMode::Persist { slot: None }, BootMode::Iso(IsoMode::Live), BootMode::Capture];
        let text = || "x".to_owned();
        for fault in
            [Fault::Slot(text()), Fault::Medium(text()), Fault::Machine(text()), Fault::Minor(text())]
        {
            for mode in modes {
                assert_ne!(next(&fault, false, mode), Next::Shell, "{fault:?} {mode:?}");
            }
            assert_ne!(next(&fault, true, BootMode::Capture), Next::Shell);
        }
        assert_eq!(next(&Fault::Slot(text()), false, ram), Next::OtherSlot(REBOOT_AFTER));
        assert_eq!(
            next(&Fault::Slot(text()), false, BootMode::Iso(IsoMode::Live)),
            Next::Reboot(REBOOT_AFTER)
        );
        assert_eq!(next(&Fault::Slot(text()), true, ram), Next::Shell);
        assert_eq!(next(&Fault::Minor(text()), true, ram), Next::GoOn);
    }

    #[test]
    fn the_medium_is_closed_before_anything_of_the_root_runs() {
        for mode in [BootMode::Ram { slot: None }, BootMode::Iso(IsoMode::Install)] {
            let steps = plan(mode);
            let at = |step| steps.iter().position(|s| *s == step).unwrap();
            assert!(at(Step::Slot) < at(Step::Memory) && at(Step::Memory) < at(Step::Unpack));
            assert!(at(Step::Unpack) < at(Step::Close) && at(Step::Close) < at(Step::Restore));
        }
        // The deadline leaves the guard time to spare.
        assert!(Step::Medium.budget(0) > MEDIUM_DEADLINE + MEDIUM_QUIET);
        assert_eq!(Step::Unpack.budget(210 << 20).as_secs(), 720);
    }
}
