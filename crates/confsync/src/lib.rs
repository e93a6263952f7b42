//! The configuration of a box that runs from memory, kept on its stick as whole generations.
//!
//! A generation is one file, a pack of what it adds: pieces of files, listings of directories, one record. It is
//! written beside the others, flushed, and counts by one rename ([`sync()`]); everything in it has a name that
//! is its SHA-256, so nothing is written twice, and nothing that does not match is used. At boot the newest
//! whole one is restored ([`restore::choose`]); where the version changed, the old defaults, the new ones and
//! what the operator made of them are merged ([`merge()`]), and what cannot be is listed. [`retain()`] says
//! which generations go, [`collect()`] frees what nobody needs. [`confirm()`] finds a medium that says it has written
//! what it has dropped.
//!
//! The crate touches neither files nor clock: the box's files are a [`Tree`] and a [`Place`], the medium is a
//! [`Medium`].
//!
//! ```
//! use esos_confsync::testing::{MemBox, MemMedium};
//! use esos_confsync::{Request, Store, Tracked, sync};
//!
//! let (files, medium, tracked) = (MemBox::new(), MemMedium::new(), Tracked::default());
//! files.write("/etc/scst.conf", b"HANDLER vdisk_fileio {\n}\n", 0o600);
//! let request = Request::new("esos1", "5.0.0", "change", 1_790_000_000);
//! let (first, index) = sync(&files, &tracked, &medium, None, None, &request)?;
//! assert_eq!((first.generation, first.made), (1, true));
//! // Nothing has changed: nothing is written.
//! let (again, index) = sync(&files, &tracked, &medium, Some(index), None, &request)?;
//! assert_eq!((again.generation, again.made), (1, false));
//! files.write("/etc/scst.conf", b"", 0o600);
//! let (second, _) = sync(&files, &tracked, &medium, Some(index), None, &request)?;
//! assert_eq!(second.changes[0].to_string(), "~ /etc/scst.conf");
//! let store = Store::open(&medium)?;
//! assert_eq!(store.generations().map(|g| g.id).collect::<Vec<_>>(), [1, 2]);
//! # Ok::<(), esos_confsync::StoreError>(())
//! ```
mod codec;
mod collect;
mod confirm;
mod diff;
mod generation;
mod id;
mod index;
mod intake;
mod keyed;
mod merge;
mod mirror;
mod node;
mod pack;
mod passed;
mod path;
mod quiet;
pub mod restore;
mod retain;
mod scan;
mod seal;
mod seam;
mod store;
mod sync;
#[cfg(feature = "testing")]
pub mod testing;
mod tracked;

pub use codec::CodecError;
pub use collect::{Collected, collect};
pub use confirm::confirm;
pub use diff::{Change, ChangeKind, changes, text_diff};
pub use generation::{Generation, compare_versions};
pub use id::Id;
pub use index::Index;
pub use intake::{Intake, IntakeError};
pub use merge::{Conflict, Merged, Sides, merge};
pub use mirror::{MirrorError, Mirrored, mirror};
pub use node::{Listing, Node, NodeKind, Snapshot};
pub use pack::PackError;
pub use passed::Passed;
pub use path::BoxPath;
pub use quiet::{Quiet, Seldom, fingerprint};
pub use retain::{Retention, retain};
pub use scan::{Skipped, observe};
pub use seal::{Opener, SealError, Sealer, is_sealed};
pub use seam::{Kind, Medium, NewPack, Place, ReadPack, Stat, Tree};
pub use store::{Damage, Store, StoreError};
pub use sync::{Request, Synced, sync};
pub use tracked::{EXCLUDE, EXTRAS, INCLUDE, NO_REASON, Tracked, TrackedError};

/// A file is kept in pieces of at most so many bytes: what is appended to a large one costs one piece.
pub const CHUNK: usize = 1 << 20;
