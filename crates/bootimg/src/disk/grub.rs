//! GRUB: its core images for BIOS and UEFI, its menu, and the slot logic that it runs.
//!
//! Both cores are linked by `grub-mkimage` out of the archive's own packages, unpacked into a directory
//! and run by the archive's own dynamic loader, so the build host's GRUB and libraries never matter.
//! Each core carries four lines that read `esos/grub.cfg` from the disk that it was started from, and
//! reset the machine where that cannot be read: GRUB is never left at a prompt.
mod bios;
mod config;
mod link;

pub use bios::{BiosError, embed, mbr_code};
pub(crate) use config::SIGNED_ENTRY;
pub use config::{Core, Menu};
pub(crate) use link::recipe;
pub use link::{BootLoader, LinkError, Linker};
