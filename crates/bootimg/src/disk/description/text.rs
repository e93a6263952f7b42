//! The document.
use crate::disk::slot::FileSum;
use esos_layout::slot::{DESCRIPTION, SIGNATURE, SUMS};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The document in [`DESCRIPTION`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// [`Description::SCHEMA`].
    pub schema: String,
    /// The version of the system.
    pub version: String,
    /// A box that runs this system takes none that is older than that, whatever its operator says.
    pub minimum: Option<String>,
    /// Its source date, in seconds since 1970.
    pub time: u32,
    /// Every file of the slot but this one, its signature and the list of sums.
    pub parts: Vec<FileSum>,
}

/// Why a slot is not what its description says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DescriptionError {
    /// It is no such document.
    #[error("{DESCRIPTION}: {what}")]
    Document {
        /// What is wrong with it.
        what: String,
    },
    /// A file is another one, or not there, or not described.
    #[error("{file}: {what}")]
    Part {
        /// The file.
        file: String,
        /// What was found, and what is described.
        what: String,
    },
}

impl Description {
    /// The name and version of this document.
    pub const SCHEMA: &'static str = "esos.description/1";

    /// Of a system with these files.
    #[must_use]
    pub fn new(version: &str, minimum: Option<&str>, time: u32, files: &[FileSum]) -> Self {
        let mut parts: Vec<FileSum> = files.iter().filter(|f| is_part(&f.name)).cloned().collect();
        parts.sort_by(|a, b| a.name.cmp(&b.name));
        let (schema, version) = (Self::SCHEMA.to_owned(), version.to_owned());
        Self { schema, version, minimum: minimum.map(str::to_owned), time, parts }
    }

    /// The text.
    #[must_use]
    pub fn print(&self) -> String {
        // Strings and integers can always be written.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Reads it.
    ///
    /// # Errors
    /// [`DescriptionError::Document`].
    pub fn parse(text: &[u8]) -> Result<Self, DescriptionError> {
        let wrong = |what: String| DescriptionError::Document { what };
        let description: Self = serde_json::from_slice(text).map_err(|e| wrong(e.to_string()))?;
        if description.schema != Self::SCHEMA {
            let found = &description.schema;
            return Err(wrong(format!("schema is `{found}`, expected `{}`", Self::SCHEMA)));
        }
        Ok(description)
    }

    /// Whether these files, with the hashes that were computed of them, are the ones described: no more,
    /// no fewer, none changed.
    ///
    /// # Errors
    /// [`DescriptionError::Part`], of the first that is not.
    pub fn compare(&self, files: &[FileSum]) -> Result<(), DescriptionError> {
        let part = |file: &str, what: String| DescriptionError::Part { file: file.to_owned(), what };
        let found: BTreeMap<&str, &FileSum> =
            files.iter().filter(|f| is_part(&f.name)).map(|f| (f.name.as_str(), f)).collect();
        for described in &self.parts {
            let name = described.name.as_str();
            match found.get(name) {
                None => return Err(part(name, "it is described, but not there".to_owned())),
                Some(f) if (f.bytes, &f.sha256) != (described.bytes, &described.sha256) => {
                    let what = format!(
                        "{} bytes with SHA-256 {}, described are {} with {}",
                        f.bytes, f.sha256, described.bytes, described.sha256
                    );
                    return Err(part(name, what));
                }
                Some(_) => {}
            }
        }
        match found.keys().find(|name| !self.parts.iter().any(|p| p.name == **name)) {
            Some(name) => Err(part(name, "it is there, but not described".to_owned())),
            None => Ok(()),
        }
    }
}

fn is_part(name: &str) -> bool {
    ![DESCRIPTION, SIGNATURE, SUMS].contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, bytes: u64, sha256: &str) -> FileSum {
        FileSum { name: name.into(), bytes, sha256: sha256.into() }
    }

    #[test]
    fn no_part_can_be_changed_left_out_or_added() {
        let files = [file("vmlinuz", 3, "aa"), file("initrd.img", 4, "bb"), file(SUMS, 1, "cc")];
        let description = Description::new("1.2", None, 5, &files);
        let read = Description::parse(description.print().as_bytes()).unwrap();
        assert_eq!(read, description);
        assert_eq!(read.compare(&files), Ok(()));
        let wrong = |files: &[FileSum]| read.compare(files).unwrap_err().to_string();
        assert!(wrong(&[file("vmlinuz", 3, "ab"), file("initrd.img", 4, "bb")]).contains("vmlinuz: 3 bytes"));
        assert_eq!(wrong(&files[..1]), "initrd.img: it is described, but not there");
        let more = [files.to_vec(), vec![file("x", 0, "")]].concat();
        assert_eq!(wrong(&more), "x: it is there, but not described");
    }

    #[test]
    fn another_document_is_refused() {
        for text in ["", "{}", "[1", r#"{"schema":"x","version":"1","minimum":null,"time":1,"parts":[]}"#] {
            assert!(Description::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
