//! The boot stick of an ESOS box that runs from memory: is it there, was it pulled, is what came back the
//! same one?
//!
//! A [`Watcher`] is told again and again which media with ESOS's labels there are ([`Medium`]); it answers
//! with what changed ([`Notice`]) and keeps the state for `/run/esos/stick.json` ([`Watcher::state`]). It
//! never goes by a label or a device name alone: the same medium is the one with the same GUID in its
//! partition table, the same identity and the same serial number, as far as these are known
//! ([`Identity::difference`]). A [`MirrorWatch`] says when a second stick, that is kept like the first, must be looked
//! at.
//!
//! ```
//! use esos_layout::stick_state::Presence;
//! use esos_stickwatch::{Identity, Medium, Watcher};
//!
//! let booted = Identity { disk_guid: Some("6d1c".into()), serial: Some("A1".into()), ..Identity::default() };
//! let mut watcher = Watcher::new(booted.clone());
//! let here = Medium { device: "/dev/sdb".into(), identity: booted, readable: Ok(()) };
//! watcher.look(100, &[here.clone()]);
//! assert_eq!(watcher.state().state, Presence::Present);
//! let said = watcher.look(105, &[]);
//! assert!(said[0].text.starts_with("the stick /dev/sdb (serial A1) was pulled"));
//! let twin = Identity { disk_guid: Some("6d1c".into()), serial: Some("B2".into()), ..Identity::default() };
//! let other = Medium { device: "/dev/sdc".into(), identity: twin, readable: Ok(()) };
//! let said = watcher.look(110, &[other]);
//! assert!(said[0].text.contains("/dev/sdc (serial B2) is refused: its serial number is B2, not A1"));
//! let back = Medium { device: "/dev/sdd".into(), ..here };
//! assert!(watcher.look(115, &[back])[0].text.starts_with("the stick is back as /dev/sdd"));
//! ```
mod identity;
mod mirror;
mod watcher;

pub use identity::Identity;
pub use mirror::{MirrorView, MirrorWatch};
pub use watcher::{Medium, Notice, Urgency, Watcher};
