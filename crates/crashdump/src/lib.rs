//! A crashed Linux kernel's memory: read it, sort its pages, print its log, write and read compressed dumps.
//!
//! [`Core`] reads `/proc/vmcore`, a copy of it, or QEMU's ELF dumps, through positioned reads ([`ReadAt`]).
//! [`Vm`] walks the kernel's page tables, [`MemMap`] finds its `struct page`s, [`Classifier`] says which pages a
//! dump of some [`Level`] has, by makedumpfile's rules, [`dmesg`] prints the log, [`save`] writes a dump and
//! [`KdumpFile`] reads one. A [`Store`] is a directory of dumps with logs and manifests. All sizes are bounded and
//! no input panics: the memory of a crashed machine may hold anything.
//!
//! ```
//! use esos_crashdump::{Core, CoreError};
//!
//! let not_a_core = b"#!/bin/sh\n".repeat(10);
//! let error = Core::open(not_a_core).unwrap_err();
//! assert!(matches!(error, CoreError::NotCore { .. }));
//! ```
mod arm;
mod bitmap;
mod btf;
mod bytes;
mod classify;
mod codec;
mod core;
mod dmesg;
mod elf;
mod error;
mod estimate;
mod flat;
mod format;
mod kallsyms;
mod kdump;
mod level;
mod manifest;
mod memmap;
mod outcome;
mod pack;
mod panic;
mod priority;
mod rules;
mod save;
mod source;
mod store;
mod tasks;
mod view;
mod vm;
mod vmcoreinfo;

pub use crate::core::{Core, PAGE, Physical};
pub use arm::{Readiness, SETTINGS, Setting, Trouble, arguments};
pub use bitmap::{Bitmap, WINDOW};
pub use classify::{Classifier, Window};
pub use codec::{Codec, CodecError};
pub use dmesg::{LogError, LogSummary, dmesg};
pub use elf::Segment;
pub use error::CoreError;
pub use estimate::Estimate;
pub use flat::{FLAT_SIGNATURE, FlatError, flatten, unflatten};
pub use kdump::{Checked, KdumpFile};
pub use level::{Level, LevelError};
pub use manifest::Manifest;
pub use memmap::MemMap;
pub use outcome::{
    LOG_ENDING, MANIFEST_ENDING, OutcomeError, PART_ENDING, beside, finish_part, save_dump, save_log,
    write_manifest,
};
pub use panic::{Panic, PanicScan};
pub use rules::{Kind, Rules};
pub use save::{Progress, SaveError, SaveOptions, Saved, WriteAt, save};
pub use source::ReadAt;
pub use store::{CheckNote, DUMP_DIR, DumpState, Entry, Kept, Store};
pub use view::{ElfView, copy};
pub use vm::Vm;
pub use vmcoreinfo::Vmcoreinfo;
