//! Bytes of a text, and the lines and columns that people count.
use std::fmt;

/// A range of bytes in one text, `start..end`. An empty span points between two bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte behind the last one; never before `start`.
    pub end: usize,
}

impl Span {
    /// The bytes `start..end`; an `end` before `start` gives an empty span at `start`.
    #[must_use]
    pub fn new(start: usize, end: usize) -> Self {
        Self { start, end: end.max(start) }
    }

    /// Between two bytes.
    #[must_use]
    pub const fn point(at: usize) -> Self {
        Self { start: at, end: at }
    }

    /// Its text, or `""` where it does not lie in `text` on character boundaries.
    #[must_use]
    pub fn of(self, text: &str) -> &str {
        text.get(self.start..self.end).unwrap_or("")
    }

    /// From the start of the one to the end of the other.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        Self { start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

/// A place as people name it: both numbers from 1, the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The character in the line, from 1.
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// Finds lines in a text in logarithmic time.
#[derive(Debug, Clone)]
pub struct LineIndex {
    starts: Vec<usize>,
}

impl LineIndex {
    /// Reads the text once.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let starts =
            std::iter::once(0).chain(text.match_indices('\n').map(|(i, _)| i.saturating_add(1))).collect();
        Self { starts }
    }

    /// Where a byte lies. An offset behind the end, or inside a character, counts as the character
    /// that starts at or before it.
    #[must_use]
    pub fn position(&self, text: &str, offset: usize) -> Position {
        let offset = floor_char(text, offset);
        let line = self.starts.partition_point(|s| *s <= offset);
        let start = line.checked_sub(1).and_then(|i| self.starts.get(i)).copied().unwrap_or(0);
        let column = text.get(start..offset).map_or(0, |t| t.chars().count()).saturating_add(1);
        Position { line, column }
    }

    /// The line that holds a byte, without its line end.
    #[must_use]
    pub fn line<'t>(&self, text: &'t str, offset: usize) -> &'t str {
        let offset = floor_char(text, offset);
        let line = self.starts.partition_point(|s| *s <= offset);
        let start = line.checked_sub(1).and_then(|i| self.starts.get(i)).copied().unwrap_or(0);
        let end = self.starts.get(line).map_or(text.len(), |e| e.saturating_sub(1));
        text.get(start..end).unwrap_or("").trim_end_matches('\r')
    }

    /// How many lines there are; a text that ends in a line end has an empty last line.
    #[must_use]
    pub fn lines(&self) -> usize {
        self.starts.len()
    }
}

fn floor_char(text: &str, offset: usize) -> usize {
    let mut at = offset.min(text.len());
    while !text.is_char_boundary(at) {
        at = at.saturating_sub(1);
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn columns_count_characters() {
        let text = "ab\näö x\r\nlast";
        let index = LineIndex::new(text);
        let at = text.find('x').unwrap();
        assert_eq!(index.position(text, at), Position { line: 2, column: 4 });
        assert_eq!(index.line(text, at), "äö x");
        assert_eq!(index.position(text, 999), Position { line: 3, column: 5 });
        assert_eq!(index.position("", 0), Position { line: 1, column: 1 });
    }

    proptest! {
        #[test]
        fn every_offset_has_a_line_that_is_in_the_text(text in "[a-cä\\r\\n ]{0,60}", offset in 0usize..80) {
            let index = LineIndex::new(&text);
            let p = index.position(&text, offset);
            prop_assert!(p.line >= 1 && p.line <= index.lines());
            prop_assert_eq!(text.split('\n').nth(p.line - 1).map(|l| l.trim_end_matches('\r')), Some(index.line(&text, offset)));
        }
    }
}
