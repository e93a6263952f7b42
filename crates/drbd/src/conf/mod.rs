//! The language of `drbd.conf`: a lossless document, its diagnostics, what it means, and writing it.
//!
//! The grammar is drbdadm's (drbd-utils 9.22): statements that end in `;` or hold a block, words with or
//! without quotes, `#` comments, `include`. A [`Document`] keeps the text as it was given; `Display`
//! prints it byte for byte.
mod config;
mod document;
mod generate;
mod lex;
mod lint;
mod lower;
mod options;
mod tree;
mod xml;

pub use config::{Address, Config, ConnectionConfig, End, Host, Mesh, Opt, ResourceConfig, Sections, Volume};
pub use document::Document;
pub use generate::Unwritable;
pub use lint::{Intent, lint};
pub use options::{Accepts, Kind as ValueKind, OPTIONS, OptionKind, option};
pub use tree::{Block, Item, Statement, Word};
pub(crate) use xml::{from_xml, show_json};
