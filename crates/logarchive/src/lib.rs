//! Logs of a box that runs from memory: archives on the stick, how long they stay, and the support bundle.
//!
//! [`retain()`] is the policy: a budget for each [`Class`] of files, a minimum that stays, age from a file's name or
//! its modification time and never from the order of names; crash dumps and unknown files are no reserve for
//! logs. [`Archive`] writes a tar in one zstd stream, with bounded memory. [`Redactor`] takes secrets out of
//! texts: those that it was shown ([`Redactor::learn`]), in plain, base64, hexadecimal and URL-encoded form, and
//! what looks like one. [`allow`] says what a support bundle may hold; everything else is left out.
//!
//! ```
//! use esos_logarchive::{Budget, Entry, Policy, Redactor, retain};
//!
//! let day = 86_400;
//! let names = ["logs-san1-20261101T000000Z.tar.zst", "dumpfile-1700000000", "logs-san1-20261120T000000Z.tar.zst"];
//! let files: Vec<Entry> = names.iter().map(|name| Entry::new(name, 100, 0)).collect();
//! let logs = Budget { most: 1000, keep: 1, age: 365 * day };
//! let policy = Policy::new(logs, Budget { most: 50, keep: 1, age: 0 }, logs);
//! // Room for 150 bytes where there is none: the old archive goes, the dump and the newest archive stay.
//! let verdict = retain(&files, &policy, 1_795_000_000, 0, 150);
//! assert_eq!(verdict.removals.iter().map(|(i, _)| *i).collect::<Vec<_>>(), [0]);
//! assert_eq!((verdict.freed_bytes, verdict.short_bytes), (100, 50));
//!
//! let mut redactor = Redactor::new();
//! redactor.learn("hunter2hunter2");
//! let line = "login joe hunter2hunter2, aHVudGVyMmh1bnRlcjI=, target iqn.2026-11.io.esos:a";
//! assert_eq!(redactor.scrub(line), "login joe ***, ***, target iqn.2026-11.io.esos:a");
//! ```
pub mod allow;
mod archive;
mod entry;
mod forms;
mod learn;
mod places;
mod redact;
mod retention;
mod words;

pub use archive::{Archive, ArchiveError, Item, Written};
pub use entry::{Class, Entry};
pub use learn::{LearnKind, learn_from};
pub use redact::Redactor;
pub use retention::{Budget, Policy, Reason, Verdict, retain};
