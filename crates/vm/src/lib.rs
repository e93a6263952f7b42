//! The door to virtual machines: QEMU guests for trying images and for tests of the whole house.
//!
//! A [`Machine`] is a description: firmware, memory, disks (the image behind an overlay, so that it
//! stays as it is), networks. [`Machine::start`] gives a [`Guest`]: its serial [`Console`] with what was
//! said so far, its [`Qmp`] monitor (pull a stick, cut the power), and after [`Guest::log_in`] a
//! channel on a second serial port that runs commands and gives back their status and both streams.
//! A guest that is dropped is killed; dropped by a failing test, it prints the tail of its console.
//!
//! KVM is used where a probe guest really runs under it ([`accel::usable`]), software emulation
//! otherwise. Made for QEMU 7.2 and later, x86-64, machine type `q35`.
//!
//! ```
//! use esos_vm::{Bus, Disk, Firmware, Machine};
//!
//! let machine = Machine::new("box").firmware(Firmware::Uefi).disk(Disk::new("esos.img", Bus::Usb));
//! assert!(machine.describe().contains("usb-storage"));
//! ```
pub mod accel;
pub mod boot;
mod channel;
mod console;
mod disk;
mod firmware;
mod guest;
mod login;
mod machine;
mod net;
mod qcow2;
mod qmp;
mod terminal;
mod text;

pub use channel::{Answer, ChannelError};
pub use console::{Console, Mark, WaitError};
pub use disk::{Bus, Disk, Keep, ParseBusError};
pub use firmware::{Firmware, ParseFirmwareError};
pub use guest::{Guest, GuestError};
pub use login::{Fixed, LoginError, Person};
pub use machine::{Machine, StartError};
pub use net::{Net, Segment, free_port};
pub use qmp::{Qmp, QmpError};
