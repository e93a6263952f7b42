//! One `.deb`: an `ar` of two compressed tars, read as a stream.
//!
//! Nothing is unpacked and nothing is trusted: memory is bounded by [`Limits`], every name is checked
//! before anybody sees it, and whatever is wrong is a [`DebError`] that names the package and the member.
//! Maintainer scripts are text here; nobody runs them.
//!
//! ```
//! use esos_bootimg::deb::{Deb, DebWriter, Limits};
//!
//! let mut made = DebWriter::new("Package: hello\nVersion: 1\nArchitecture: all\n");
//! made.file("usr/share/hello", b"hello\n", 0o644);
//! let bytes = made.finish();
//!
//! let deb = Deb::open("hello_1_all.deb", &bytes[..], Limits::default())?;
//! assert_eq!(deb.control().field("version"), Some("1"));
//! let mut entries = deb.entries()?;
//! let mut files = Vec::new();
//! while let Some(entry) = entries.next_entry()? {
//!     if entry.kind.is_file() {
//!         files.push(entry.path.to_string());
//!     }
//! }
//! assert_eq!(files, ["usr/share/hello"]);
//! # Ok::<(), esos_bootimg::deb::DebError>(())
//! ```
mod ar;
mod compress;
mod control;
mod entry;
mod error;
mod header;
mod open;
mod path;
mod pax;
pub mod tar;
mod write;

pub use control::{Control, Script};
pub use entry::{Entry, Kind};
pub use error::{DebError, Fault};
pub use open::{Deb, Entries, Limits};
pub use path::{BadPath, TreePath};
pub use write::DebWriter;
