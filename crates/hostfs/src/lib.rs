//! The door to files, mounts and the machine's power.
//!
//! [`Files`] is the seam: whole files read, replaced atomically, listed and removed, below one root.
//! [`HostFiles`] is this machine (or a copied tree given by `--root`); [`MemFiles`] lives in memory and
//! can refuse on demand. Data too large for memory goes through [`Stream`] (images, dumps, devices),
//! [`NewFile`] (a file that appears whole or not at all) and [`TempDir`]. Beside them: [`mount()`] and
//! [`Mount`], [`space()`], [`Clock`] and [`Deadline`], facts ([`uname`], [`MemInfo`]), [`power()`],
//! [`load_crash_kernel()`].
//! [`Direct`] is a disk past the page cache. [`Held`] keeps names in the kernel's memory.
//!
//! ```
//! use esos_hostfs::{Files, MemFiles};
//!
//! let files = MemFiles::new();
//! files.make_dir("/etc")?;
//! files.replace("/etc/hostname", b"esos1\n", 0o644)?;
//! assert_eq!(files.read("/etc/hostname")?, b"esos1\n");
//! # Ok::<(), esos_hostfs::FileError>(())
//! ```
mod clock;
mod direct;
mod error;
mod facts;
mod files;
mod held;
mod host;
mod kexec;
mod lock;
mod mem;
mod mount;
mod mountinfo;
mod new_file;
mod power;
mod space;
mod stream;
mod swaps;
mod temp_dir;
mod tree;

pub use clock::{Clock, Deadline, HostClock, ManualClock};
pub use direct::Direct;
pub use error::{FileError, FileOp};
pub use facts::{MemInfo, Uname, cpus, parse_uptime, uname};
pub use files::{FileKind, Files, Meta};
pub use held::Held;
pub use host::HostFiles;
pub use kexec::{load_crash_kernel, unload_crash_kernel};
pub use lock::{LockError, LockGuard, lock};
pub use mem::MemFiles;
pub use mount::{MountFlags, Mounted, mount, unmount};
pub use mountinfo::Mount;
pub use new_file::NewFile;
pub use power::{Power, power, sync};
pub use space::{Space, space};
pub use stream::Stream;
pub use swaps::Swap;
pub use temp_dir::TempDir;
pub use tree::{read_link, real_path, remove_tree, rename, set_mode, symlink, sync_dir};
