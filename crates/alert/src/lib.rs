//! Alerts of a storage box: events with identity, and the mails that tell of them, each once.
//!
//! Whoever notices something writes a [`Report`] into the [`Inbox`]: one file, replaced atomically, no lock and
//! no daemon needed. One taker (`esos-monitor`) moves reports into the [`Book`], which knows for each
//! [`EventId`] since when it is so, how bad it is, and what was told last. What the book and the world
//! differ in is due ([`Book::due`]): raised, worse, still (a reminder), cleared, came and went, comes and goes
//! too often ([`Policy`] bounds the mails of an hour), a silence that ended. A [`Notice`] becomes a [`Mail`]
//! by [`compose`], and a mail stays in the [`Queue`], on disk, until somebody took it ([`Deliver`]).
//! [`Desk`] does all of this in the order in which a power cut loses nothing and repeats nothing.
//!
//! ```
//! use esos_alert::{Desk, EventId, Inbox, Origin, Report, Settings, Severity};
//! use esos_hostfs::MemFiles;
//! use std::time::Duration;
//!
//! let files = MemFiles::new();
//! let id: EventId = "raid/md/md0/degraded".parse()?;
//! let report = Report::raised(id.clone(), Severity::Critical, "md0 is degraded: 5 of 6 drives")
//!     .remedy("esos raid show md0");
//! Inbox::new(&files).put(&report, Duration::from_secs(1_790_000_000))?;
//!
//! let settings = Settings::parse("mail.toml", "to = [\"admin@example.org\"]")?;
//! let mut desk = Desk::open(&files, Origin::new("esos1"), settings)?;
//! let mails = desk.work(Duration::from_secs(1_790_000_005))?;
//! assert_eq!(mails[0].subject, "[esos1] CRITICAL: md0 is degraded: 5 of 6 drives");
//! assert!(mails[0].text.contains("esos raid show md0"));
//! // The same again is not told again.
//! Inbox::new(&files).put(&report, Duration::from_secs(1_790_000_060))?;
//! assert!(desk.work(Duration::from_secs(1_790_000_065))?.is_empty());
//! assert_eq!(desk.book().get(&id).map(|e| e.count), Some(2));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
mod book;
mod desk;
mod entry;
mod event;
mod inbox;
mod mail;
mod policy;
mod queue;
mod settings;
mod silence;
mod standing;
mod store;

pub use book::Book;
pub use desk::{Desk, DeskError};
pub use entry::{Entry, State};
pub use event::{EventId, IdError, Kind, Report, Severity};
pub use inbox::{Inbox, Taken};
pub use mail::{Mail, Notice, NoticeKind, Origin, compose, test_mail};
pub use policy::Policy;
pub use queue::{Deliver, Delivered, Queue, Refusal};
pub use settings::{Security, Settings, Smtp, Via};
pub use silence::{Silence, SilenceError};
pub use standing::Standing;
pub use store::{DIR, StoreError};
