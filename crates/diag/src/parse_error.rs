//! The error of parsers that stop at the first fault.
use crate::{Diagnostic, LineIndex, Position, Span};

/// Where a text stopped making sense, with the whole line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{origin}:{position}: expected {expected}, found {}\n  | {line_text}", found_text(.found))]
pub struct ParseError {
    /// The file, command or capture that the text came from.
    pub origin: String,
    /// The byte in the text.
    pub offset: usize,
    /// Line and column of that byte, from 1.
    pub position: Position,
    /// What should have stood there.
    pub expected: String,
    /// The rest of the line at the fault; empty at the end of a line.
    pub found: String,
    /// The whole line.
    pub line_text: String,
}

fn found_text(found: &str) -> String {
    if found.is_empty() { "the end of the line".to_owned() } else { format!("`{found}`") }
}

impl ParseError {
    /// A fault at a byte of a text.
    #[must_use]
    pub fn at(origin: &str, text: &str, offset: usize, expected: impl Into<String>) -> Self {
        let index = LineIndex::new(text);
        let position = index.position(text, offset);
        let line_text = index.line(text, offset).to_owned();
        let found = line_text.chars().skip(position.column.saturating_sub(1)).collect();
        Self { origin: origin.to_owned(), offset, position, expected: expected.into(), found, line_text }
    }

    /// A fault at the end of a text that is cut off.
    #[must_use]
    pub fn truncated(origin: &str, text: &str, expected: impl Into<String>) -> Self {
        Self::at(origin, text, text.len(), expected)
    }

    /// As a diagnostic with a code.
    #[must_use]
    pub fn diagnostic(&self, code: &str) -> Diagnostic {
        let span = Span::new(self.offset, self.offset.saturating_add(self.found.len()));
        let message = format!("expected {}, found {}", self.expected, found_text(&self.found));
        Diagnostic::error(code, message, self.origin.clone(), span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_end_of_a_line_is_said() {
        let e = ParseError::truncated("mdstat", "md0 : active", "a RAID level");
        assert_eq!(
            e.to_string(),
            "mdstat:1:13: expected a RAID level, found the end of the line\n  | md0 : active"
        );
    }

    proptest! {
        #[test]
        fn any_offset_in_any_text_makes_an_error(text in ".{0,40}", offset in 0usize..60) {
            let e = ParseError::at("x", &text, offset, "y");
            prop_assert!(e.line_text.ends_with(&e.found));
        }
    }
}
