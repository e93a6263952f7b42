//! `corosync.conf`: a lossless document, what it means, what is wrong with it, and writing it.
//!
//! The grammar is Corosync 3's: one thing a line, `section {` with nothing behind the brace, `key: value`,
//! `}` alone, `#` comments at the start of a line.
mod config;
mod document;
mod keys;
mod lint;

pub use config::{Corosync, Entries, NodeEntry};
pub use document::{CorosyncDocument, Entry, Item, Section};
pub use keys::{KEYS, Key, Value, key};
pub use lint::lint_corosync;
