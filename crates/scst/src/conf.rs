//! The language of `scst.conf`: a lossless document, its diagnostics, formatting and edits.
//!
//! The grammar is scstadmin's (SCST 3.11), with what scstadmin misreads turned into diagnostics: it eats
//! the character in front of a `#`, opens blocks inside quotes, and drops everything behind a stray `}`.
//! A [`Document`] keeps the text as it was given; every part of the tree has its span, and an edit
//! replaces exactly the bytes that it must.
mod context;
mod document;
mod edit;
mod format;
mod known;
mod lex;
mod lower;
mod mask;
mod meaning;
mod near;
mod parse;
mod quote;
mod tree;
mod values;

pub(crate) use context::is_multiple;
pub use document::Document;
pub use edit::EditError;
pub use mask::mask_secrets;
pub(crate) use quote::quote_lossy;
pub use quote::{Unrepresentable, quote};
pub use tree::{Block, Comment, Item, Statement, Word};
pub(crate) use values::number;
