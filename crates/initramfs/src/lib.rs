//! The way from the kernel's first process to a root in RAM, as decisions and plans.
//!
//! `esos-init` is `/init` of the initramfs, in a normal boot and in the crash kernel. Everything that it
//! decides stands here and can be tested without a machine: what this start is for ([`decide`]).
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
mod cmdline;
mod fat;
mod gpt;
mod memory;
mod mode;
mod modules;
mod report;
mod source;
mod tar;
mod unpack;

pub use cmdline::{Cmdline, IsoMode};
pub use fat::{Fat, FatError, FatFile};
pub use gpt::{Gpt, GptError, GptPartition};
pub use memory::{MemoryNeed, mem_total};
pub use mode::{BootMode, Facts, NothingToBoot, decide, remarks};
pub use modules::{ModuleTables, NoModule};
pub use report::{
    BootReport, PartitionReport, ReadReportError, RestoreReport, RootReport, StepReport, StickReport,
};
pub use source::{ReadAt, Window};
pub use tar::{Entry, EntryKind, TarError, TarReader};
pub use unpack::{Effort, Progress, Tree, TreeError, TreeWorker, UnpackError, Unpacked, unpack};
