//! The way from the kernel's first process to a root in RAM, as decisions and plans.
//!
//! `esos-init` is `/init` of the initramfs, in a normal boot and in the crash kernel. Everything that it
//! decides stands here and can be tested without a machine: what this start is for ([`decide`]), in which
//! steps it goes and what comes after a failure ([`plan`], [`next`]), which drivers a device needs
//! ([`ModuleTables`]), which stick it is ([`choose`]), and how a root image becomes a tree ([`unpack`]).
//! [`boot`] carries it out over the seams of [`World`].
//!
//! ```
//! use esos_initramfs::{BootMode, Cmdline, Facts, decide};
//!
//! let line = Cmdline::parse("BOOT_IMAGE=/vmlinuz slot=PRIMARY esos.attempt=1 panic=10");
//! let facts = Facts { root_index: true, vmcore: false };
//! assert_eq!(decide(&line, &facts), BootMode::Ram { slot: Some(esos_layout::Slot::Primary) });
//! // In the crash kernel nothing else counts.
//! assert_eq!(decide(&line, &Facts { vmcore: true, ..facts }), BootMode::Capture);
//! ```
mod boot;
mod booted;
mod capture;
mod cmdline;
mod drivers;
mod fat;
mod gpt;
mod iso;
mod mark;
mod medium;
mod memory;
mod mode;
mod modules;
mod persist;
mod plan;
mod report;
mod source;
mod stick;
mod tar;
mod uevent;
mod unpack;
mod world;

pub use boot::{Ending, boot};
pub use booted::{BootedStick, BootedStickError};
pub use cmdline::{Cmdline, IsoMode};
pub use drivers::Drivers;
pub use fat::{Fat, FatError, FatFile};
pub use gpt::{Gpt, GptError, GptPartition};
pub use mark::{MarkError, mark_bad};
pub use memory::{MemoryNeed, mem_total};
pub use mode::{BootMode, Facts, NothingToBoot, decide, remarks};
pub use modules::{ModuleTables, NoModule};
pub use plan::{Fault, MEDIUM_DEADLINE, MEDIUM_QUIET, Next, REBOOT_AFTER, REBOOT_LATE, Step, next, plan};
pub use report::{
    BootReport, PartitionReport, ReadReportError, RestoreReport, RootReport, StepReport, StickReport,
};
pub use source::{ReadAt, Window};
pub use stick::{Candidate, Choice, Sight, choose, disks, look, partition_node};
pub use tar::{Entry, EntryKind, TarError, TarReader};
pub use uevent::Uevent;
pub use unpack::{Effort, Progress, Tree, TreeError, TreeWorker, UnpackError, Unpacked, unpack};
pub use world::{Clock, Console, Crash, Devices, Disk, HookEnd, Kernel, Mount, Mounts, NewRoot, World};
