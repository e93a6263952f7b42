//! Sections and `key = value` lines with their places. Nothing is understood here, and nothing is lost:
//! comments and blank lines stay in the text that the spans point into.
use esos_diag::{Diagnostic, Span};

/// `key = value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry<'t> {
    pub(crate) key: String,
    pub(crate) key_span: Span,
    pub(crate) value: &'t str,
    pub(crate) value_span: Span,
}

/// `[name]` and what follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Section<'t> {
    pub(crate) name: &'t str,
    pub(crate) span: Span,
    pub(crate) entries: Vec<Entry<'t>>,
    /// A line in it could not be read.
    pub(crate) broken: bool,
}

/// The span of `part`, which must be a slice of `text`.
fn span_of(text: &str, part: &str) -> Span {
    let start = (part.as_ptr().addr()).saturating_sub(text.as_ptr().addr());
    Span::new(start, start.saturating_add(part.len()))
}

/// All sections in order, and what is wrong with lines.
pub(crate) fn sections<'t>(origin: &str, text: &'t str) -> (Vec<Section<'t>>, Vec<Diagnostic>) {
    let mut sections: Vec<Section<'t>> = Vec::new();
    let mut found = Vec::new();
    for raw in text.lines() {
        let line = raw.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let span = span_of(text, line);
        if let Some(rest) = line.strip_prefix('[') {
            let name = rest.split(']').next().unwrap_or("").trim();
            let behind = rest.split_once(']').map(|(_, behind)| behind.trim());
            let whole = behind.is_some_and(|b| b.is_empty() || b.starts_with(['#', ';']));
            if !whole || name.is_empty() {
                found.push(
                    Diagnostic::error("network::section", "this is no section", origin, span)
                        .help("a section is a name in brackets on a line of its own: `[eth0]`"),
                );
            }
            // A broken header still ends the section before it: its lines belong to nobody else.
            sections.push(Section { name, span, entries: Vec::new(), broken: !whole || name.is_empty() });
            continue;
        }
        let Some(section) = sections.last_mut() else {
            found.push(
                Diagnostic::error("network::no-section", "this line is in no section", origin, span)
                    .help("put `[general]` or the name of an interface in brackets above it"),
            );
            continue;
        };
        match line.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => {
                let (key, value) = (key.trim(), uncommented(value).trim());
                section.entries.push(Entry {
                    key: key.to_ascii_lowercase(),
                    key_span: span_of(text, key),
                    value,
                    value_span: span_of(text, value),
                });
            }
            _ => {
                section.broken = true;
                found.push(
                    Diagnostic::error("network::line", "this line has no key and value", origin, span)
                        .help("write `key = value`; a comment starts with #"),
                );
            }
        }
    }
    (sections, found)
}

/// A value ends at a `#` that has a blank before it. A `;` is part of it: it separates the commands of
/// `ethtoolopts`.
fn uncommented(value: &str) -> &str {
    let cut = value
        .match_indices('#')
        .find(|(at, _)| {
            value.get(..*at).is_some_and(|before| before.is_empty() || before.ends_with([' ', '\t']))
        })
        .map(|(at, _)| at);
    cut.and_then(|at| value.get(..at)).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn places_and_comments() {
        let text = "# top\n[general]\nHostName = san1 # the first\n\n[eth0] ; port\n ipaddr=192.0.2.1/24\nnonsense\n";
        let (sections, found) = sections("network.conf", text);
        assert_eq!(sections.len(), 2);
        let host = sections.first().and_then(|s| s.entries.first()).unwrap();
        assert_eq!((host.key.as_str(), host.value, host.value_span.of(text)), ("hostname", "san1", "san1"));
        assert_eq!(found.len(), 1);
        assert_eq!(found.first().and_then(|d| d.position(text)).unwrap().line, 7);
        assert!(sections.last().unwrap().broken);
    }

    proptest! {
        #[test]
        fn spans_lie_where_the_words_are(text in "([\\[\\]a-z#;= äß\t]{0,12}\r?\n){0,8}") {
            let (sections, _) = sections("x", &text);
            for section in sections {
                for entry in section.entries {
                    prop_assert_eq!(entry.value_span.of(&text), entry.value);
                    prop_assert_eq!(entry.key_span.of(&text).to_ascii_lowercase(), entry.key);
                }
            }
        }
    }
}
