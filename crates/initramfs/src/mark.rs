//! Marking a damaged slot, so that GRUB takes the other one at the next boot.
use crate::{Disk, Fat, FatError, Gpt, ReadAt, Window};
use esos_layout::state::{CONTROL_FILES, Cause, Control, Fallback, Note, SECTOR, SlotRecord, SlotState};
use esos_layout::{Slot, part};
use std::io;

/// Why a slot was not marked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MarkError {
    /// The disk has no partition for the slot state.
    #[error("no partition {}", part::BOOT)]
    NoBoot,
    /// A control record is not found.
    #[error("cannot find the control record")]
    Fat(#[from] FatError),
    /// Reading or writing failed.
    #[error("cannot rewrite the control record")]
    Io(#[from] io::Error),
    /// Both control records are broken. GRUB then counts attempts by its own defaults.
    #[error("both control records are broken")]
    Lost,
    /// The other slot cannot be booted either, and a bad slot is better than none.
    #[error("{other} is {state}, so there is no other slot to go to")]
    NoOther {
        /// The other slot.
        other: Slot,
        /// Its state.
        state: SlotState,
    },
    /// What was written does not come back.
    #[error("the control record did not take the write")]
    NotWritten,
}

/// Writes that a slot is bad: one sector, over the older or broken copy of the control record, read
/// back. The copy in force stays whole until the new one is; a cut in between leaves the old state.
///
/// # Errors
/// [`MarkError`]; GRUB's attempts then run out instead.
pub fn mark_bad(disk: &dyn Disk, gpt: &Gpt, slot: Slot) -> Result<Control, MarkError> {
    let boot = gpt.named(part::BOOT).ok_or(MarkError::NoBoot)?;
    // A trait object of the narrower kind.
    let whole: &dyn ReadAt = &Whole(disk);
    let window = Window::new(whole, boot.start, boot.length);
    let fat = Fat::open(&window)?;
    let mut copies = Vec::new();
    for name in CONTROL_FILES {
        let at = fat.find(&format!("{}/{name}", part::STATE_DIR))?.offset;
        let mut sector = [0; SECTOR];
        window.read_at(at, &mut sector)?;
        copies.push((at, sector));
    }
    let [(a_at, a), (b_at, b)] = copies.as_slice() else { return Err(MarkError::Lost) };
    let (current, control) = Control::newest(a, b).ok_or(MarkError::Lost)?;
    let other = control.slot(slot.other()).state;
    if !other.is_bootable() {
        return Err(MarkError::NoOther { other: slot.other(), state: other });
    }
    let next = control.with(slot, SlotRecord { state: SlotState::Bad, ..control.slot(slot) });
    let (idle, held) = if current == 0 { (*b_at, a) } else { (*a_at, b) };
    let mut note = Note::decode(held).unwrap_or_default();
    note.fallback = Some((Fallback { slot, cause: Cause::Root }, None));
    disk.write_sector(boot.start.saturating_add(idle), &next.encode_with(&note))?;
    window.forget(idle, 512);
    let mut back = [0; SECTOR];
    window.read_at(idle, &mut back)?;
    if Control::decode(&back).as_ref() == Ok(&next) { Ok(next) } else { Err(MarkError::NotWritten) }
}

struct Whole<'a>(&'a dyn Disk);

impl ReadAt for Whole<'_> {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.0.read_at(offset, buffer)
    }
    fn len(&self) -> u64 {
        self.0.len()
    }
    fn forget(&self, offset: u64, length: u64) {
        self.0.forget(offset, length);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use esos_layout::state::{Epoch, encode_stick};
    use std::sync::Mutex;

    pub(crate) struct MemDisk {
        pub(crate) bytes: Mutex<Vec<u8>>,
        pub(crate) deaf: bool,
    }

    impl ReadAt for MemDisk {
        fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
            self.bytes.lock().unwrap().read_at(offset, buffer)
        }
        fn len(&self) -> u64 {
            self.bytes.lock().unwrap().len() as u64
        }
    }

    impl Disk for MemDisk {
        fn write_sector(&self, offset: u64, sector: &[u8; 512]) -> io::Result<()> {
            let at = usize::try_from(offset).unwrap();
            if !self.deaf {
                self.bytes.lock().unwrap()[at..at + 512].copy_from_slice(sector);
            }
            Ok(())
        }
    }

    pub(crate) fn control(primary: SlotState, secondary: SlotState) -> Control {
        let record = |state| SlotRecord { state, epoch: Epoch::new(1) };
        Control {
            sequence: 5,
            preferred: Slot::Primary,
            primary: record(primary),
            secondary: record(secondary),
        }
    }

    /// A stick: ESP with state, two slots, configuration and logs.
    pub(crate) fn stick(a: &[u8], b: &[u8], identity: &str) -> Vec<u8> {
        let esp = crate::fat::tests::fat(&[("ca", a), ("cb", b), ("stick", &encode_stick(identity))]);
        let parts = [("ESOS_BOOT", 64, 4096), ("esos_primary", 4160, 64), ("esos_secondary", 4224, 64)];
        let parts = [&parts[..], &[("esos_conf", 4288, 16), ("esos_logs", 4304, 16)]].concat();
        let mut disk = crate::gpt::tests::disk(512, 4400, &parts);
        disk[64 * 512..64 * 512 + esp.len()].copy_from_slice(&esp);
        disk
    }

    fn run(a: &[u8], b: &[u8], deaf: bool) -> (Result<Control, MarkError>, Option<Control>) {
        let disk = MemDisk { bytes: Mutex::new(stick(a, b, "unset")), deaf };
        let gpt = Gpt::read(&disk, 512).unwrap();
        let marked = mark_bad(&disk, &gpt, Slot::Primary);
        let boot = gpt.named(part::BOOT).unwrap().clone();
        let window = Window::new(&disk, boot.start, boot.length);
        let fat = Fat::open(&window).unwrap();
        let copy = |name: &str| {
            let mut sector = [0; 512];
            window.read_at(fat.find(&format!("esos/state/{name}")).unwrap().offset, &mut sector).unwrap();
            sector
        };
        let now = Control::newest(&copy("ca"), &copy("cb")).map(|(_, c)| c);
        (marked, now)
    }

    #[test]
    fn the_idle_copy_is_written_and_counts() {
        let good = control(SlotState::Good, SlotState::Good);
        let newer = Control { sequence: 6, ..good.clone() };
        for (a, b, sequence) in [
            (good.encode(), newer.encode(), 7),
            (newer.encode(), good.encode(), 7),
            (good.encode(), [0; 512], 6),
        ] {
            let (marked, now) = run(&a, &b, false);
            let now = now.unwrap();
            assert_eq!(marked.unwrap(), now);
            assert_eq!(
                (now.primary.state, now.secondary.state, now.sequence),
                (SlotState::Bad, SlotState::Good, sequence)
            );
        }
    }

    #[test]
    fn the_last_slot_is_never_marked_and_failures_are_said() {
        let alone = control(SlotState::Good, SlotState::None);
        let (marked, now) = run(&alone.encode(), &[0; 512], false);
        assert_eq!(marked.unwrap_err().to_string(), "SECONDARY is none, so there is no other slot to go to");
        assert_eq!(now, Some(alone));
        assert!(matches!(run(&[0; 512], &[1; 512], false).0, Err(MarkError::Lost)));
        let good = control(SlotState::Good, SlotState::Good);
        assert!(matches!(run(&good.encode(), &[0; 512], true).0, Err(MarkError::NotWritten)));
    }
}
