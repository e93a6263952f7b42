//! The contract between an image and the box that runs it.
//!
//! Who builds an image (`esos-bootimg`) and who boots it (`esos-initramfs`) must agree on names: of
//! partitions, of files in a slot, of words on the kernel command line. They stand here once, with no
//! logic but their spelling.
//!
//! ```
//! use esos_layout::{Slot, cmdline, part};
//!
//! assert_eq!(Slot::Primary.partition(), part::PRIMARY);
//! assert_eq!("SECONDARY".parse(), Ok(Slot::Secondary));
//! assert_eq!(format!("{}{}", cmdline::SLOT, Slot::Primary), "slot=PRIMARY");
//! ```
pub mod cmdline;
pub mod crash;
pub mod dumps;
mod env_block;
pub mod frames;
pub mod initrd;
pub mod mirror;
pub mod part;
pub mod run;
pub mod slot;
pub mod state;
pub mod stick_state;

pub use env_block::EnvBlock;
pub use slot::{ParseSlotError, Slot};
