//! The parts of a document, each with its span in the text.
use esos_diag::Span;

/// One word: bare or in double quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// Its bytes in the text, quotes included.
    pub span: Span,
    /// What it means: without quotes, escapes resolved.
    pub value: String,
    /// Whether it stands in quotes.
    pub quoted: bool,
}

/// A comment, from `#` to the end of its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// Its bytes, `#` included, line end excluded.
    pub span: Span,
    /// Whether it follows something on its line.
    pub trailing: bool,
}

/// What stands in a block, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// An attribute or a section.
    Statement(Statement),
    /// A comment.
    Comment(Comment),
    /// One or more blank lines.
    Blank,
}

/// An attribute (`threads 4`) or a section (`DEVICE d { … }`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Its words; never empty but for a `{` without a header.
    pub words: Vec<Word>,
    /// Its block, if it has one.
    pub block: Option<Block>,
    /// From the first word to the last one, or to the `}`.
    pub span: Span,
}

/// The inside of `{ … }`, or a whole document.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Block {
    /// Where `{` stands; empty for a document or a brace that is missing.
    pub open: Span,
    /// Where `}` stands; empty for a document or a brace that is missing.
    pub close: Span,
    /// Its contents.
    pub items: Vec<Item>,
}

impl Statement {
    /// The first word, `""` where there is none.
    #[must_use]
    pub fn keyword(&self) -> &str {
        self.word(0)
    }

    /// The n-th word's value, `""` where there is none.
    #[must_use]
    pub fn word(&self, n: usize) -> &str {
        self.words.get(n).map_or("", |w| &w.value)
    }

    /// The bytes of its words.
    #[must_use]
    pub fn header(&self) -> Span {
        match (self.words.first(), self.words.last()) {
            (Some(first), Some(last)) => first.span.to(last.span),
            _ => Span::point(self.span.start),
        }
    }
}

impl Block {
    /// Its statements, without comments and blank lines.
    pub fn statements(&self) -> impl Iterator<Item = &Statement> {
        self.items.iter().filter_map(|item| match item {
            Item::Statement(s) => Some(s),
            Item::Comment(_) | Item::Blank => None,
        })
    }
}
