//! The door to files that lie elsewhere: an HTTP server, a mounted mirror, a directory.
//!
//! [`Fetch`] is the seam: it opens one [`Location`] from a byte on. [`HostFetch`] does so for this
//! machine. Around it, [`read_whole`] gets a small file with an upper limit, and a [`Store`] keeps files
//! by their SHA-256: a download that breaks off is resumed, several processes may share one store, and
//! nothing is handed out before its hash was computed again. Nothing is trusted because of where it
//! came from: whoever needs trust brings the hash.
//!
//! ```
//! use esos_fetch::{HostFetch, HttpOptions, Location, Sha256, Store, Wanted};
//!
//! let dir = tempfile::tempdir()?;
//! std::fs::write(dir.path().join("hello.txt"), "hello\n")?;
//! let fetch = HostFetch::new(HttpOptions::default())?;
//! let store = Store::open(&dir.path().join("cache"))?;
//! let wanted = Wanted {
//!     name: "hello.txt".to_owned(),
//!     locations: vec![Location::directory(dir.path()).join("hello.txt")?],
//!     sha256: Sha256::of(b"hello\n"),
//!     size: 6,
//! };
//! let path = store.obtain(&fetch, &wanted, &())?;
//! assert_eq!(std::fs::read(path)?, b"hello\n");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
mod fetch;
mod host;
mod http;
mod location;
mod progress;
mod sha256;
mod store;

pub use fetch::{Fetch, FetchError, Opened, read_whole};
pub use host::HostFetch;
pub use http::{HttpOptions, HttpSetupError};
pub use location::{Location, LocationError};
pub use progress::{Event, Progress};
pub use sha256::{ParseSha256Error, Sha256, Sha256Writer};
pub use store::{Mismatch, Store, StoreError, Wanted};
