//! Assembles bootable appliance images from Debian packages: no root, no loop devices, no maintainer
//! scripts, and byte for byte the same result wherever it is built.
//!
//! A build goes through the modules in this order: [`manifest`] says what is wanted, [`archive`] finds
//! and checks packages, [`deb`] reads them, [`root`] makes one root image of them, [`kernel`] makes the
//! initramfs, [`disk`] makes slots, partitions and the disk; [`assemble`] is the whole way.
//! [`mod@write`] puts an image onto a medium, with [`tool`]s of RAID makers; [`upgrade`] is about the slots of
//! a stick in use.
//!
//! ```
//! use esos_bootimg::deb::{Deb, DebWriter, Limits};
//! use esos_bootimg::manifest::{Manifest, Set, Suite};
//!
//! // What an image with the tape set is made of.
//! let manifest = Manifest::standard(Suite::Trixie, &[Set::Tape])?;
//! assert!(manifest.include.contains("sysvinit-core") && manifest.include.contains("mtx"));
//!
//! // A package, read as a stream.
//! let bytes = DebWriter::new("Package: hello\nVersion: 1\nArchitecture: all\n").finish();
//! let deb = Deb::open("hello_1_all.deb", &bytes[..], Limits::default())?;
//! assert_eq!(deb.control().field("version"), Some("1"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
pub mod archive;
pub mod assemble;
pub mod deb;
pub mod disk;
pub mod dkms;
pub mod extra;
pub mod kernel;
pub mod manifest;
pub mod overlay;
pub mod root;
pub mod tool;
pub mod upgrade;
pub mod write;
