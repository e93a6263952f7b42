//! Debian's archive: indexes, signatures, versions, dependencies, locks, and the package cache.
//!
//! [`plan_packages`] is the whole way: it finds the mirror in the host's own apt sources (no archive's
//! address is known here), verifies the signed lists with gpgv, the indexes against the lists and the
//! packages against the indexes, chooses a set of packages that holds together, and gets it through a
//! cache. The parts are of use on their own:
//!
//! * [`deb822`], [`version`], [`relation`]: the formats; [`package`]: an index of packages.
//! * [`sources`], [`release`], [`signature`], [`catalog`], [`directory`]: where packages are, and trust.
//! * [`resolve`](mod@resolve): from seeds to a closure, with an explanation where there is none.
//! * [`lock`]: the set as a text, and the difference between two.
//!
//! ```no_run
//! use esos_bootimg::archive::{Doors, Request, UnixTime, Wish, plan_packages, relation};
//! use esos_exec::HostRunner;
//! use esos_fetch::{HostFetch, HttpOptions, Store};
//! use esos_hostfs::HostFiles;
//! use std::path::Path;
//!
//! let seeds = relation::parse("the request", "linux-image-amd64, openssh-server")?;
//! let wish = Wish { seeds, architecture: "amd64".to_owned(), ..Wish::default() };
//! let mut request = Request::new("trixie", wish, UnixTime::new(1_800_000_000));
//! request.keyrings.push("/usr/share/keyrings/debian-archive-keyring.gpg".into());
//! let doors = Doors {
//!     fetch: &HostFetch::new(HttpOptions::default())?,
//!     runner: &HostRunner,
//!     host: &HostFiles::new("/"),
//!     store: &Store::open(Path::new("/var/cache/esos-image"))?,
//! };
//! let planned = plan_packages(&request, &doors, &())?;
//! println!("{}", planned.lock);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
pub mod catalog;
pub mod date;
pub mod deb822;
pub mod directory;
mod error;
pub mod lock;
pub mod package;
pub mod plan;
pub mod relation;
pub mod release;
pub mod resolve;
pub mod signature;
pub mod sources;
pub mod version;

pub use catalog::{Catalog, Notice};
pub use date::UnixTime;
pub use error::ArchiveError;
pub use lock::{Lock, LockDiff, Locked};
pub use package::{Package, PackageId, Pool, Universe, parse_index};
pub use plan::{Chosen, Doors, MirrorChoice, Planned, Request, Resolved, choose, plan_packages};
pub use resolve::{Base, Because, ResolveError, Selected, Wish, resolve};
pub use version::Version;
