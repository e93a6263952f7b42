//! The lossless tree.
use esos_diag::Span;

/// One word, with or without quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// Where it stands, quotes included.
    pub span: Span,
    /// What it means.
    pub value: String,
    /// Whether it stands in quotes.
    pub quoted: bool,
}

/// Words that end in `;`, or that open a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// From the first word to the `;` or `}`.
    pub span: Span,
    /// At least one.
    pub words: Vec<Word>,
    /// What stands between `{` and `}`.
    pub block: Option<Block>,
}

/// What stands in a block, or in the file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Block {
    /// In the order of the text.
    pub items: Vec<Item>,
}

/// A statement, or a comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A statement.
    Statement(Statement),
    /// From `#` to the end of the line.
    Comment(Span),
}

impl Block {
    /// Its statements, in order.
    pub fn statements(&self) -> impl Iterator<Item = &Statement> {
        self.items.iter().filter_map(|i| match i {
            Item::Statement(s) => Some(s),
            Item::Comment(_) => None,
        })
    }
}

impl Statement {
    /// The first word.
    #[must_use]
    pub fn keyword(&self) -> &str {
        self.words.first().map_or("", |w| w.value.as_str())
    }

    /// A word behind the first; 1 is the next.
    #[must_use]
    pub fn word(&self, n: usize) -> Option<&str> {
        self.words.get(n).map(|w| w.value.as_str())
    }

    /// From the first word to the last.
    #[must_use]
    pub fn header(&self) -> Span {
        match (self.words.first(), self.words.last()) {
            (Some(a), Some(b)) => a.span.to(b.span),
            _ => self.span,
        }
    }
}
