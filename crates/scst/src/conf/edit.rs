//! Edits that change the bytes that they must and no other.
use super::context::is_multiple;
use super::document::Document;
use super::quote::{Unrepresentable, quote};
use super::tree::{Block, Statement};
use crate::path::ObjectPath;
use esos_diag::{Diagnostic, Severity, Span};

/// Why an edit was not made; the document is as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// The document has errors, so a place in it is not certain.
    #[error("{origin} has errors; mend them first")]
    Broken {
        /// Where the document came from.
        origin: String,
    },
    /// There is no such section.
    #[error("there is no {path}")]
    NoSection {
        /// The section's headers, outermost first.
        path: String,
    },
    /// The value cannot be written.
    #[error("the value of `{name}` cannot be written")]
    Value {
        /// The attribute.
        name: String,
        /// Why.
        #[source]
        source: Unrepresentable,
    },
}

impl Document {
    /// Sets the only value of an attribute in a section, named by its headers from the outside in, such
    /// as `["HANDLER vdisk_fileio", "DEVICE disk1"]` (none for the top level).
    ///
    /// # Errors
    /// [`EditError`]; then nothing has changed.
    pub fn set_attribute(&self, path: &[&str], name: &str, value: &str) -> Result<Self, EditError> {
        self.sound()?.put(path, name, value)
    }

    fn put(&self, path: &[&str], name: &str, value: &str) -> Result<Self, EditError> {
        let word = quote(value).map_err(|source| EditError::Value { name: name.to_owned(), source })?;
        let (statement, block) = self.section(path)?;
        let existing = block.and_then(|b| b.statements().find(|s| s.keyword() == name && s.block.is_none()));
        Ok(match existing.map(|s| (s.words.get(1), s.words.last(), s.header().end)) {
            Some((Some(first), Some(last), _)) => self.splice(first.span.to(last.span), &word),
            Some((.., end)) => self.splice(Span::point(end), &format!(" {word}")),
            None => self.insert(statement, block, &format!("{name} {word}")),
        })
    }

    /// Adds an entry of one line (`INITIATOR iqn…`, `LUN 3 disk3`) at the end of a section.
    ///
    /// # Errors
    /// [`EditError`]; then nothing has changed.
    pub fn add_entry(&self, path: &[&str], words: &[&str]) -> Result<Self, EditError> {
        self.sound()?.append(path, words)
    }

    fn append(&self, path: &[&str], words: &[&str]) -> Result<Self, EditError> {
        let (statement, block) = self.section(path)?;
        let mut line = Vec::new();
        for word in words {
            line.push(quote(word).map_err(|source| EditError::Value { name: word.to_string(), source })?);
        }
        Ok(self.insert(statement, block, &line.join(" ")))
    }

    /// Removes a section or attribute with its line; its last header is the one that goes.
    ///
    /// # Errors
    /// [`EditError`]; then nothing has changed.
    pub fn remove_entry(&self, path: &[&str]) -> Result<Self, EditError> {
        self.sound()?.cut(path)
    }

    fn cut(&self, path: &[&str]) -> Result<Self, EditError> {
        let (statement, _) = self.section(path)?;
        let Some(statement) = statement else {
            return Err(EditError::NoSection { path: String::new() });
        };
        let text = self.text();
        let before = text.get(..statement.span.start).unwrap_or("");
        let start = before.rfind('\n').map_or(0, |i| i.saturating_add(1));
        let after = text.get(statement.span.end..).unwrap_or("");
        let alone = text.get(start..statement.span.start).is_some_and(|t| t.trim().is_empty());
        let line_end = after.find('\n').filter(|i| after.get(..*i).is_some_and(|t| t.trim().is_empty()));
        let span = match line_end {
            Some(end) if alone => Span::new(start, statement.span.end.saturating_add(end).saturating_add(1)),
            _ => statement.span,
        };
        Ok(self.splice(span, ""))
    }

    /// Names an object, sections around it included where they are missing, and sets attributes of it; one
    /// that may have several values has exactly those afterwards. A LUN needs its device.
    ///
    /// # Errors
    /// [`EditError`]; then nothing has changed.
    pub fn with_object(
        &self,
        path: &ObjectPath,
        device: Option<&str>,
        attributes: &[(String, String)],
    ) -> Result<Self, EditError> {
        let sections = path.sections();
        // What is half made may lack what makes it whole: only the beginning must be sound.
        let mut document = self.sound()?.clone();
        for depth in 0..sections.len() {
            let headers: Vec<&str> =
                sections.iter().take(depth.saturating_add(1)).map(String::as_str).collect();
            match document.section(&headers) {
                Ok(_) => continue,
                Err(EditError::NoSection { .. }) => {}
                Err(e) => return Err(e),
            }
            let (outer, header) = headers.split_at(depth);
            let mut words: Vec<&str> = header.iter().flat_map(|h| h.split(' ')).collect();
            if words.first() == Some(&"LUN") {
                words.extend(device);
            }
            document = document.append(outer, &words)?;
        }
        let headers: Vec<&str> = sections.iter().map(String::as_str).collect();
        for (n, (name, value)) in attributes.iter().enumerate() {
            let first = !attributes.iter().take(n).any(|(earlier, _)| earlier == name);
            if is_multiple(name) {
                if first {
                    document = document.without_attribute(&headers, name)?;
                }
                document = document.append(&headers, &[name, value])?;
            } else {
                document = document.put(&headers, name, value)?;
            }
        }
        Ok(document)
    }

    /// Without any value of an attribute in a section.
    fn without_attribute(&self, path: &[&str], name: &str) -> Result<Self, EditError> {
        let gone: Vec<&str> = path.iter().copied().chain([name]).collect();
        let mut document = self.clone();
        loop {
            document = match document.cut(&gone) {
                Err(EditError::NoSection { .. }) => return Ok(document),
                other => other?,
            };
        }
    }

    /// Removes an object with all that is in it; a document that does not name it stays as it is.
    ///
    /// # Errors
    /// [`EditError`]; then nothing has changed.
    pub fn without_object(&self, path: &ObjectPath) -> Result<Self, EditError> {
        let sections = path.sections();
        let headers: Vec<&str> = sections.iter().map(String::as_str).collect();
        match self.remove_entry(&headers) {
            Err(EditError::NoSection { .. }) => Ok(self.clone()),
            other => other,
        }
    }

    /// Itself, where it has no errors.
    fn sound(&self) -> Result<&Self, EditError> {
        // A file that configures nothing yet is where the first object goes.
        let broken = |d: &&Diagnostic| d.severity == Severity::Error && d.code != "scst-conf::empty";
        match self.diagnostics().iter().any(|d| broken(&d)) {
            true => Err(EditError::Broken { origin: self.origin().to_owned() }),
            false => Ok(self),
        }
    }

    /// The section of a path: its statement (none for the top level) and its block (none for a leaf).
    fn section(&self, path: &[&str]) -> Result<(Option<&Statement>, Option<&Block>), EditError> {
        let mut found = (None, Some(self.root()));
        for header in path {
            let wanted: Vec<&str> = header.split(' ').collect();
            let is = |s: &&Statement| {
                let words = s.words.iter().map(|w| w.value.as_str());
                words.take(wanted.len()).eq(wanted.iter().copied())
            };
            let next = found.1.and_then(|b| b.statements().find(is));
            let Some(next) = next else { return Err(EditError::NoSection { path: path.join(" / ") }) };
            found = (Some(next), next.block.as_ref());
        }
        Ok(found)
    }

    fn insert(&self, statement: Option<&Statement>, block: Option<&Block>, line: &str) -> Self {
        let text = self.text();
        let indent_at = |at: usize| {
            let before = text.get(..at).unwrap_or("");
            let start = before.rfind('\n').map_or(0, |i| i.saturating_add(1));
            let head = text.get(start..at).unwrap_or("");
            head.get(..head.len().saturating_sub(head.trim_start().len())).unwrap_or("")
        };
        match (statement, block) {
            (None, _) => {
                let gap = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
                // Attributes of SCST itself stand in front of the first section.
                let first = self.root().statements().find(|s| s.block.is_some());
                match first {
                    Some(first) => self.splice(Span::point(first.span.start), &format!("{line}\n")),
                    None => self.splice(Span::point(text.len()), &format!("{gap}{line}\n")),
                }
            }
            (Some(s), None) => {
                let indent = indent_at(s.span.start);
                let body = format!(" {{\n{indent}\t{line}\n{indent}}}");
                self.splice(Span::point(s.header().end), &body)
            }
            (Some(s), Some(block)) => {
                let outer = indent_at(s.span.start);
                let inner = block.statements().last().map(|last| indent_at(last.span.start).to_owned());
                let inner = inner.filter(|i| !i.is_empty()).unwrap_or_else(|| format!("{outer}\t"));
                let before = text.get(..block.close.start).unwrap_or("");
                let line_start = before.rfind('\n').map_or(0, |i| i.saturating_add(1));
                if before.get(line_start..).is_some_and(|t| t.trim().is_empty()) {
                    self.splice(Span::point(line_start), &format!("{inner}{line}\n"))
                } else {
                    self.splice(Span::point(block.close.start), &format!("\n{inner}{line}\n{outer}"))
                }
            }
        }
    }

    fn splice(&self, span: Span, replacement: &str) -> Self {
        let text = self.text();
        let before = text.get(..span.start).unwrap_or("");
        let after = text.get(span.end..).unwrap_or("");
        Self::parse(self.origin(), format!("{before}{replacement}{after}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_object_goes_into_an_empty_file() {
        let object = |text: &str, path: &str, device: Option<&str>, pairs: &[(&str, &str)]| {
            let pairs: Vec<(String, String)> =
                pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
            Document::parse("t", text).with_object(&path.parse().unwrap(), device, &pairs)
        };
        for text in ["", "# nothing yet\n"] {
            let made = object(text, "dev/vdisk_nullio/n", None, &[("size_mb", "64")]).unwrap();
            assert!(!made.has_errors() && made.text().starts_with(text), "{}", made.text());
            assert_eq!(made.config().handlers.values().map(|h| h.devices.len()).sum::<usize>(), 1);
            let made = object(text, "iscsi/t/lun/0", Some("n"), &[]).unwrap();
            assert_eq!(made.config().drivers.values().map(|d| d.targets.len()).sum::<usize>(), 1);
            let made = object(text, "scst", None, &[("setup_id", "5")]).unwrap();
            assert!(made.config().attributes.get("setup_id").is_some());
        }
        let broken = object("HANDLER h {\n", "dev/h/n", None, &[]).unwrap_err();
        assert!(matches!(broken, EditError::Broken { .. }), "{broken}");
    }
    /// A file device without its file is an error of the file, and is so for a moment while it is added.
    #[test]
    fn an_object_that_needs_its_attributes_is_added_whole() {
        let document = Document::parse("x", "HANDLER vdisk_nullio {\n\tDEVICE n1 {\n\t}\n}\n");
        let pairs = |all: &[(&str, &str)]| -> Vec<(String, String)> {
            all.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
        };
        for handler in ["vdisk_fileio", "vdisk_blockio", "vcdrom"] {
            let path: ObjectPath = format!("dev/{handler}/f9").parse().unwrap();
            let set = pairs(&[("filename", "/data/f9"), ("read_only", "1")]);
            let added = document.with_object(&path, None, &set).unwrap();
            assert!(!added.has_errors(), "{:?}", added.diagnostics());
            let whole = format!(
                "{}HANDLER {handler} {{ \nDEVICE f9 {{\nfilename /data/f9\nread_only 1\n}}\n}}\n",
                document.text()
            );
            assert_eq!(added.config(), Document::parse("x", whole).config());
            assert!(!added.without_object(&path).unwrap().has_errors());
        }
        let lun: ObjectPath = "iscsi/iqn.2026-11.org.example:t/lun/0".parse().unwrap();
        assert!(!document.with_object(&lun, Some("n1"), &[]).unwrap().has_errors());
    }
}
