//! A file as it was given, with its tree and all that is wrong with it.
use super::lower::lower;
use super::meaning::meaning;
use super::parse::parse;
use super::tree::Block;
use crate::model::Config;
use esos_diag::{Diagnostic, Severity};
use std::fmt;

/// A parsed `scst.conf`. `Display` prints exactly the text that it was made of.
#[derive(Debug, Clone)]
pub struct Document {
    origin: String,
    text: String,
    root: Block,
    config: Config,
    diagnostics: Vec<Diagnostic>,
}

impl Document {
    /// Reads a text. Total: whatever is wrong with it becomes a diagnostic, all of them in one pass, in
    /// the order of the text; the origin (a path) is only named in them.
    #[must_use]
    pub fn parse(origin: &str, text: impl Into<String>) -> Self {
        let text = text.into();
        let (root, mut diagnostics) = parse(origin, &text);
        let config = lower(origin, &root, &mut diagnostics);
        meaning(origin, &root, &mut diagnostics);
        diagnostics.sort_by_key(|d| (d.span().map(|s| s.start), d.severity));
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

    /// What the file wants. Where the document has errors this is what could be understood, which must
    /// not be applied.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// All findings, in the order of the text.
    #[must_use]
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// Whether any finding is an error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|d| d.severity == Severity::Error)
    }

    /// The wanted configuration, if the document has no errors.
    ///
    /// # Errors
    /// All findings, warnings included.
    pub fn to_config(&self) -> Result<Config, Vec<Diagnostic>> {
        if self.has_errors() { Err(self.diagnostics.clone()) } else { Ok(self.config.clone()) }
    }
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
