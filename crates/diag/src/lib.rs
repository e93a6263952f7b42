//! What every ESOS parser and checker says when an input is wrong.
//!
//! A [`Diagnostic`] is plain data: a stable code, a severity, spans in one text, help, and a fix where
//! one is certain. Libraries make them; binaries render them (as rustc does). A [`ParseError`] is the
//! error of a parser that stops at the first fault: it keeps the origin, the position, **the whole
//! offending line**, and what was expected there. Nothing here does any I/O.
//!
//! ```
//! use esos_diag::ParseError;
//!
//! let text = "LUN 0 disk1\nLUN x disk2\n";
//! let error = ParseError::at("/etc/scst.conf", text, 16, "a LUN number (0 to 16383)");
//! assert_eq!(
//!     error.to_string(),
//!     "/etc/scst.conf:2:5: expected a LUN number (0 to 16383), found `x disk2`\n  | LUN x disk2",
//! );
//! ```
mod diagnostic;
#[cfg(feature = "nom")]
pub mod glue;
mod parse_error;
mod position;

pub use diagnostic::{Diagnostic, Fix, Label, Severity};
pub use parse_error::ParseError;
pub use position::{LineIndex, Position, Span};
