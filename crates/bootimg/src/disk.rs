//! Partitions, file systems, GRUB and slots; writing, inspecting and verifying a disk image.
//!
//! Everything is made by pure code over streams: no loop device, no root, no clock, no random number.
//! Only GRUB's core images are linked by GRUB's own tool, out of the archive's packages.
pub(crate) mod bytes;
pub mod description;
pub mod ext4;
pub mod fat;
pub mod gpt;
pub mod grub;
mod guid;
pub mod image;
pub mod inspect;
pub mod iso;
pub mod iso9660;
mod medium;
mod records;
mod region;
pub mod slot;
pub mod squashfs;
pub mod state;
pub mod verify;

pub use guid::{Guid, Seed};
pub use medium::{Medium, Reading};
pub use records::{ReadRecordsError, Records, read_records};
pub use region::Region;
