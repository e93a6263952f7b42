//! The root image: packages merged into one tree, what their scripts would have done, zstd frames.
//!
//! ```
//! use esos_bootimg::deb::DebWriter;
//! use esos_bootimg::root::{MemCache, Options, Own, PackageSource, RootBuilder, Silent, read_root};
//!
//! let mut hello = DebWriter::new("Package: hello\nVersion: 1\nArchitecture: all\n");
//! hello.dir("bin", 0o755).file("bin/hello", b"#!/bin/sh\necho hello\n", 0o755);
//!
//! let cache = MemCache::default();
//! let prepared = RootBuilder::new(Options::new(1_700_000_000))
//!     .package(PackageSource::from_bytes("hello", "1", hello.finish()))
//!     .own(Own::file("etc/hostname", &b"esos\n"[..], 0o644)?)
//!     .prepare(&cache, &Silent)?;
//! let mut image = Vec::new();
//! let root = prepared.write(&mut image)?;
//! assert_eq!(root.tree.get("usr/bin/hello").and_then(|node| node.package.as_deref()), Some("hello"));
//!
//! let mut paths = Vec::new();
//! read_root("root.tar.zst", &root.index, &mut &image[..], |_frame, entry, _content| {
//!     paths.push(entry.path.to_string());
//!     Ok(())
//! })?;
//! assert!(paths.contains(&"etc/hostname".to_owned()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
mod build;
mod cache;
mod decide;
pub mod declare;
mod divert;
mod error;
mod filter;
mod frame;
mod listing;
mod merge;
mod own_frames;
mod pack;
mod replaces;
mod source;
mod tree;
mod unpack;
pub(crate) mod usrmerge;

pub use build::{Options, Own, Prepared, RootBuilder, RootImage};
pub use cache::{Cache, DirCache, Draft, MemCache, ReadSeek};
pub(crate) use cache::{keep, recall};
pub use decide::Attributes;
pub use error::RootError;
pub use filter::Filter;
pub use listing::Listing;
pub use source::{Opener, PackageSource, Progress, Silent};
pub use tree::{Node, Tree};
pub use unpack::{UnpackError, read_root};

/// Changes whenever the same package would give other frames.
const FORMAT: &str = "4";
