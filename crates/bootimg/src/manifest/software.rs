//! The software that ESOS's introduction names, and where each of it is here.
use std::fmt::Write as _;

use esos_diag::ParseError;
use serde::Deserialize;

use super::{Set, Suite, source};

const TABLE: &str = include_str!("../../assets/manifest/software.toml");

/// One name of the introduction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Software {
    /// As the introduction spells it.
    pub name: String,
    /// How to have it.
    pub how: How,
    /// What else there is to say.
    pub note: Option<String>,
}

/// How a piece of software comes into an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// It is in Debian and in a set.
    Packages {
        /// Where the packages are named.
        place: Place,
        /// In Debian 13.
        trixie: Vec<String>,
        /// In Debian 12.
        bookworm: Vec<String>,
    },
    /// Something else does its work.
    Replaced(String),
    /// Debian does not have it; how to bring it.
    Bring(String),
}

/// Which list of packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The root of every image.
    Default,
    /// An option set.
    Set(Set),
    /// What the disk is made with.
    Image,
}

impl How {
    /// Its packages in a suite; empty where Debian has none.
    #[must_use]
    pub fn packages(&self, suite: Suite) -> &[String] {
        match (self, suite) {
            (Self::Packages { trixie, .. }, Suite::Trixie) => trixie,
            (Self::Packages { bookworm, .. }, Suite::Bookworm) => bookworm,
            _ => &[],
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    software: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    set: Option<String>,
    #[serde(default)]
    packages: Vec<String>,
    #[serde(default)]
    trixie: Vec<String>,
    #[serde(default)]
    bookworm: Vec<String>,
    replaced: Option<String>,
    bring: Option<String>,
    note: Option<String>,
}

/// The table, in the order of the introduction.
///
/// # Errors
/// None with the table that is built in: a test reads it whole.
pub fn table() -> Result<Vec<Software>, ParseError> {
    let file: File = source::toml("software.toml", TABLE)?;
    file.software.into_iter().map(software).collect()
}

fn software(row: Row) -> Result<Software, ParseError> {
    let at = TABLE.find(&format!("name = \"{}\"", row.name)).unwrap_or(0);
    let error = |expected| ParseError::at("software.toml", TABLE, at, expected);
    let how = match (row.set.as_deref(), row.replaced, row.bring) {
        (Some(set), None, None) => {
            let place = match set {
                "default" => Place::Default,
                "image" => Place::Image,
                name => Place::Set(name.parse().map_err(|_e| error("default, image or the name of a set"))?),
            };
            let both = |own: Vec<String>| if own.is_empty() { row.packages.clone() } else { own };
            How::Packages { place, trixie: both(row.trixie), bookworm: both(row.bookworm) }
        }
        (None, Some(by), None) => How::Replaced(by),
        (None, None, Some(how)) => How::Bring(how),
        _ => return Err(error("one of `set`, `replaced`, `bring`")),
    };
    Ok(Software { name: row.name, how, note: row.note })
}

/// The table as the project's `docs/software.md`.
///
/// # Errors
/// As [`table`].
pub fn markdown() -> Result<String, ParseError> {
    let mut out = String::from(
        "# Included software\n\n\
         What the introduction of ESOS lists, and where it is here. Made from\n\
         `crates/bootimg/assets/manifest/software.toml`; a test keeps the two equal, and another compares the\n\
         packages with the manifests beside it and with the archive's index.\n\n\
         | software | where | Debian 13 | Debian 12 | note |\n|---|---|---|---|---|\n",
    );
    for row in table()? {
        let note = row.note.as_deref().unwrap_or("");
        let list = |suite| row.how.packages(suite).join(", ");
        let (place, note) = match &row.how {
            How::Packages { place: Place::Default, .. } => ("default".to_owned(), note.to_owned()),
            How::Packages { place: Place::Image, .. } => ("image build".to_owned(), note.to_owned()),
            How::Packages { place: Place::Set(set), .. } => (format!("`--with {set}`"), note.to_owned()),
            How::Replaced(by) => ("replaced".to_owned(), by.clone()),
            How::Bring(how) => ("to bring".to_owned(), how.clone()),
        };
        let (trixie, bookworm) = (list(Suite::Trixie), list(Suite::Bookworm));
        let _infallible = writeln!(out, "| {} | {place} | {trixie} | {bookworm} | {note} |", row.name);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::super::Manifest;
    use super::*;

    #[test]
    fn every_name_has_a_place() {
        let table = table().unwrap();
        assert_eq!(table.len(), 78, "the introduction has 78 names");
        for (suite, row) in Suite::ALL.into_iter().flat_map(|s| table.iter().map(move |r| (s, r))) {
            let How::Packages { place, .. } = &row.how else { continue };
            assert!(!row.how.packages(suite).is_empty(), "{} has no package in {suite}", row.name);
            let sets: &[Set] = if let Place::Set(set) = place { &[*set] } else { &[] };
            let manifest = Manifest::standard(suite, sets).unwrap();
            let list = if *place == Place::Image { &manifest.image } else { &manifest.include };
            for package in row.how.packages(suite) {
                assert!(list.contains(package), "{}: {package} is not in {place:?} of {suite}", row.name);
            }
        }
    }

    #[test]
    fn what_debian_lacks_says_how() {
        for row in table().unwrap() {
            if let How::Bring(how) = &row.how {
                assert!(how.contains("--extra-debs") || how.contains("--add-file"), "{}", row.name);
            }
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test looks at the source tree")]
    fn the_document_is_the_table() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/software.md");
        let Ok(document) = std::fs::read_to_string(&path) else {
            println!("skipped: {} is not there (the crate stands alone)", path.display());
            return;
        };
        assert_eq!(
            document,
            markdown().unwrap(),
            "make it new: cargo run -p esos-bootimg --example software"
        );
    }
}
