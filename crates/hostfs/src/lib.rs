//! The door to files, mounts and the machine's power.
//!
//! [`Files`] is the seam: whole files read, replaced atomically, listed and removed, below one root.
//! [`HostFiles`] is this machine (or a copied tree given by `--root`); [`MemFiles`] lives in memory and
//! can refuse on demand.
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
mod error;
mod files;
mod host;
mod lock;
mod mem;

pub use error::{FileError, FileOp};
pub use files::{FileKind, Files, Meta};
pub use host::HostFiles;
pub use lock::{LockError, LockGuard, lock};
pub use mem::MemFiles;
