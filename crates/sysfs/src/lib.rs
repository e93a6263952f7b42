//! The door to attribute trees: sysfs, configfs, `/proc/sys`, and copies of them.
//!
//! An [`AttrTree`] is a directory whose files are attributes: a read gives the whole value, a write is
//! **one** `write(2)` of the whole value, as the kernel wants it. [`HostTree`] is a directory of this
//! machine (or a copied tree); [`MemTree`] lives in memory. A simulator of a kernel subsystem is an
//! `AttrTree` too.
//!
//! ```
//! use esos_sysfs::{AttrTree, MemTree};
//!
//! let tree = MemTree::new().file("block/sda/size", "2048\n").link("block/sda/device", "../../devices/x");
//! assert_eq!(tree.read("block/sda/size")?, "2048\n");
//! assert_eq!(tree.list("block/sda")?.len(), 2);
//! # Ok::<(), esos_sysfs::AttrError>(())
//! ```
mod error;
mod host;
mod mem;
mod tree;

pub use error::{AttrError, AttrOp};
pub use host::HostTree;
pub use mem::MemTree;
pub use tree::{AttrTree, Entry, Kind, Look};
