//! A file as it was given, with its tree and all that is wrong with it.
use super::config::Config;
use super::lex::parse;
use super::lower::lower;
use super::tree::Block;
use esos_diag::{Diagnostic, Severity};
use std::fmt;

/// A parsed `drbd.conf` or one of the files that it includes. `Display` prints exactly the text that it
/// was made of.
#[derive(Debug, Clone)]
pub struct Document {
    origin: String,
    text: String,
    root: Block,
    config: Config,
    diagnostics: Vec<Diagnostic>,
}

impl Document {
    /// Reads a text. Total; the origin (a path) is only named in diagnostics.
    #[must_use]
    pub fn parse(origin: &str, text: impl Into<String>) -> Self {
        let text = text.into();
        let (root, mut diagnostics) = parse(origin, &text);
        let config = lower(origin, &root, &mut diagnostics);
        diagnostics.sort_by_key(|d| d.span().map(|s| s.start));
        Self { origin: origin.to_owned(), text, root, config, diagnostics }
    }

    /// Where the text came from.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The tree.
    #[must_use]
    pub fn root(&self) -> &Block {
        &self.root
    }

    /// What the file means; where it has errors, what could be understood.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// All findings about the language, in the order of the text; [`super::lint`] has those about the
    /// meaning.
    #[must_use]
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// Whether any finding is an error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|d| d.severity == Severity::Error)
    }
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
