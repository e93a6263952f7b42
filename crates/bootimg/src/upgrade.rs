//! The slots of a stick while it is in use: what they are, upgrade, roll-back, the mark of the running
//! one.
//!
//! Nothing here mounts anything. The slot state is one-sector records that are found by walking the FAT
//! and rewritten in place; a slot is a whole file system that is written raw, read back, and only then
//! named by one sector. Power may go at any write: what GRUB finds is the old state or the new one.
//!
//! [`Stick`] is a stick over a [`Medium`](crate::disk::Medium); [`Incoming`] is the system that is to
//! come; [`plan()`] says what an upgrade would do, or why not; [`Plan::apply`] does it. [`after_boot`],
//! [`mark_good`] and [`roll_back`] are pure: they give the record to be written.
mod chunks;
mod good;
mod incoming;
mod install;
mod mirror;
mod plan;
mod record;
mod report;
mod roll_back;
mod stick;

pub use good::{Ran, after_boot, mark_good};
pub use incoming::{Incoming, IncomingError};
pub use install::{InstallError, Installed, Progress};
pub use mirror::{MirrorSlotsError, MirroredSlots, mirror_slots};
pub use plan::{Plan, Refusal, Running, Wishes, plan};
pub use record::{Change, fresh_epoch, rebuilt};
pub use report::{AttemptReport, CopyReport, FallbackReport, SlotReport, SlotsReport, explain, report};
pub use roll_back::{RollBackError, roll_back};
pub use stick::{Stick, StickError};
