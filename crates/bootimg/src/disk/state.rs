//! The slot state: which slot GRUB starts, and how often it may be tried.
//!
//! The records are [`esos_layout::state`]'s: eight files of one sector on the EFI system partition, each
//! with exactly one writer. A torn sector is old, new or recognisably neither, so a power cut at any
//! write leaves a state that GRUB understands. Nothing counts: an attempt is *used* when its record
//! carries the epoch that the control record has for its slot, and a new epoch frees all three.
//!
//! GRUB's script (`super::grub`) makes the same decisions as [`State::default_slot`] and
//! [`State::tries`]; tests compare the two.
//!
//! ```
//! use esos_bootimg::disk::state::{State, fresh};
//! use esos_layout::Slot;
//!
//! let mut state = State::of(fresh(false));
//! let first = &state.tries(Slot::Primary, true)[0];
//! assert_eq!((first.slot, first.attempt), (Slot::Primary, Some(1)));
//! state.mark(Slot::Primary, 1);
//! assert_eq!(state.tries(Slot::Primary, true)[0].attempt, Some(2));
//! ```
mod choose;

pub use choose::{State, StateWord, Try, fresh, lost};
