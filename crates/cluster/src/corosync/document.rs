//! The lossless tree.
use super::config::Corosync;
use super::keys::{self, key};
use esos_diag::{Diagnostic, Severity, Span};
use std::fmt;

/// `key: value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// The value, without white space around it.
    pub value: String,
    /// Where the key stands.
    pub key_span: Span,
    /// Where the value stands.
    pub value_span: Span,
}

/// `name { … }`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Section {
    /// Its name.
    pub name: String,
    /// Where the name stands.
    pub span: Span,
    /// In the order of the text.
    pub items: Vec<Item>,
}

/// What stands on a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A section.
    Section(Section),
    /// A key with its value.
    Entry(Entry),
    /// A comment.
    Comment(Span),
}

impl Section {
    /// Its sections of that name.
    pub fn sections<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s Section> {
        self.items.iter().filter_map(move |i| match i {
            Item::Section(s) if s.name == name => Some(s),
            _ => None,
        })
    }

    /// Its keys, in order.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.items.iter().filter_map(|i| match i {
            Item::Entry(e) => Some(e),
            _ => None,
        })
    }

    /// The last value of a key: Corosync takes that one.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.entries().filter(|e| e.key == key).last()
    }
}

/// A parsed `corosync.conf`. `Display` prints exactly the text that it was made of.
#[derive(Debug, Clone)]
pub struct CorosyncDocument {
    origin: String,
    text: String,
    root: Section,
    diagnostics: Vec<Diagnostic>,
}

impl CorosyncDocument {
    /// Reads a text. Total; the origin (a path) is only named in diagnostics.
    #[must_use]
    pub fn parse(origin: &str, text: impl Into<String>) -> Self {
        let text = text.into();
        let mut p = Parser { origin, text: &text, out: Vec::new() };
        let root = p.run();
        let diagnostics = p.out;
        Self { origin: origin.to_owned(), root, diagnostics, text }
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
    pub fn root(&self) -> &Section {
        &self.root
    }

    /// What it means.
    #[must_use]
    pub fn config(&self) -> Corosync {
        Corosync::of(&self.root)
    }

    /// All findings about the language, in the order of the text.
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

impl fmt::Display for CorosyncDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

struct Parser<'t> {
    origin: &'t str,
    text: &'t str,
    out: Vec<Diagnostic>,
}

impl Parser<'_> {
    fn run(&mut self) -> Section {
        let mut open: Vec<Section> = vec![Section::default()];
        let mut offset = 0usize;
        for raw in self.text.split_inclusive('\n') {
            let start = offset;
            offset = offset.saturating_add(raw.len());
            let line = raw.trim_end();
            let text = line.trim_start();
            let at = start.saturating_add(line.len().saturating_sub(text.len()));
            let span = Span::new(at, start.saturating_add(line.len()));
            if text.is_empty() {
                continue;
            }
            if text.starts_with('#') {
                push(&mut open, Item::Comment(span));
            } else if let Some(brace) = text.find('{') {
                self.open(&mut open, text, at, brace);
            } else if text.contains('}') {
                if text != "}" {
                    self.error(
                        "corosync::behind-brace",
                        "there is more than `}` on this line",
                        span,
                        "Corosync wants the `}` alone",
                    );
                }
                if open.len() == 1 {
                    self.error("corosync::stray-brace", "this `}` closes nothing", span, "remove it");
                    continue;
                }
                if let Some(done) = open.pop() {
                    push(&mut open, Item::Section(done));
                }
            } else if let Some((key, value)) = text.split_once(':') {
                self.entry(&mut open, key, value, at);
            } else {
                self.error("corosync::line", "expected `section {`, `key: value` or `}`", span, "");
            }
        }
        while open.len() > 1 {
            let Some(done) = open.pop() else { break };
            let message = format!("`{}` is never closed", done.name);
            self.error(
                "corosync::unclosed",
                &message,
                done.span,
                "close it with `}`, or the file was cut off",
            );
            push(&mut open, Item::Section(done));
        }
        open.pop().unwrap_or_default()
    }

    fn open(&mut self, open: &mut Vec<Section>, text: &str, at: usize, brace: usize) {
        let name = text.get(..brace).unwrap_or("").trim().to_owned();
        let behind = text.get(brace.saturating_add(1)..).unwrap_or("");
        let span = Span::new(at, at.saturating_add(name.len()));
        if !behind.trim().is_empty() {
            let from = at.saturating_add(brace).saturating_add(1);
            let more = Span::new(from, at.saturating_add(text.len()));
            let d = Diagnostic::error(
                "corosync::behind-brace",
                "there is text behind the `{`",
                self.origin,
                more,
            )
            .help("Corosync refuses the file with `Extra characters after opening bracket`")
            .fix(Span::point(from), "\n", "break the line");
            self.out.push(d);
        }
        let parent = open.last().map_or("", |s| s.name.as_str());
        let known = keys::is_section(parent, &name);
        if name.is_empty() {
            self.error(
                "corosync::nameless",
                "a section without a name",
                Span::new(at, at.saturating_add(1)),
                "",
            );
        } else if !known {
            let place = if parent.is_empty() { "the top level" } else { parent };
            self.warn("corosync::unknown-section", format!("`{name}` is no section of {place}"), span);
        }
        if open.len() < 64 {
            open.push(Section { name, span, items: Vec::new() });
        } else {
            self.error("corosync::too-deep", "sections are nested too deep", span, "");
        }
    }

    fn entry(&mut self, open: &mut [Section], name: &str, value: &str, at: usize) {
        let trimmed = name.trim_end();
        let key_span = Span::new(at, at.saturating_add(trimmed.len()));
        let lead = value.len().saturating_sub(value.trim_start().len());
        let from = at.saturating_add(name.len()).saturating_add(1).saturating_add(lead);
        let entry = Entry {
            key: trimmed.to_owned(),
            value: value.trim().to_owned(),
            key_span,
            value_span: Span::new(from, from.saturating_add(value.trim().len())),
        };
        let path: Vec<&str> = open.iter().skip(1).map(|s| s.name.as_str()).collect();
        let path = path.join(".");
        match key(&path, trimmed) {
            Some(k) => {
                if let Some(expected) = k.value.refuses(&entry.value) {
                    let message = format!("`{trimmed}` takes {expected}, not `{}`", entry.value);
                    let d = Diagnostic::error("corosync::value", message, self.origin, entry.value_span);
                    self.out.push(d);
                }
            }
            None if path.is_empty() || keys::is_documented(&path, trimmed) => {}
            None => {
                let near =
                    keys::near(&path, trimmed).map(|n| format!("; did you mean `{n}`?")).unwrap_or_default();
                self.warn(
                    "corosync::unknown-key",
                    format!("`{trimmed}` is no key of {path} that this version knows{near}"),
                    key_span,
                );
            }
        }
        if let Some(s) = open.last_mut() {
            s.items.push(Item::Entry(entry));
        }
    }

    fn error(&mut self, code: &str, message: &str, span: Span, help: &str) {
        let d = Diagnostic::error(code, message, self.origin, span);
        self.out.push(if help.is_empty() { d } else { d.help(help) });
    }

    fn warn(&mut self, code: &str, message: String, span: Span) {
        self.out.push(Diagnostic::warning(code, message, self.origin, span));
    }
}

fn push(open: &mut [Section], item: Item) {
    if let Some(s) = open.last_mut() {
        s.items.push(item);
    }
}
