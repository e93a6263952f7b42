//! Which errors there are, and which were produced.
use std::any::type_name;
use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::path::Path;

/// Errors that were produced, as `Type::Variant`; a struct is its name alone.
#[derive(Default)]
pub(crate) struct Seen(BTreeSet<String>);

impl Seen {
    /// Takes one: its name out of its type and its `Debug`, and its words are looked at.
    #[track_caller]
    pub(crate) fn saw<E: Error>(&mut self, error: &E) {
        let kind = type_name::<E>().rsplit("::").next().unwrap();
        let debug = format!("{error:?}");
        let variant: String = debug.chars().take_while(|c| c.is_alphanumeric()).collect();
        let words = words(error);
        assert!(words.len() > 8 && !words.contains("{}"), "{kind}::{variant} says only `{words}`");
        self.0.insert(if variant == kind { variant } else { format!("{kind}::{variant}") });
    }

    /// Takes the error of a result.
    #[track_caller]
    pub(crate) fn failed<T, E: Error>(&mut self, result: Result<T, E>) {
        let error = result.err();
        assert!(error.is_some(), "no error of type {}", type_name::<E>());
        error.iter().for_each(|error| self.saw(error));
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = String> {
        self.0.iter().cloned()
    }
}

/// What an error says, and what is behind it; nobody says what stands there already.
#[track_caller]
pub(crate) fn words(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let inner_words = inner.to_string();
        assert!(!words.contains(&inner_words), "`{inner_words}` twice: {words}");
        words = format!("{words}: {inner_words}");
        source = inner.source();
    }
    words
}

/// The modules that make an image. What changes sticks (`upgrade`, `write`) has tests of its own.
const ASSEMBLER: [&str; 9] =
    ["archive", "assemble", "deb", "disk", "dkms", "extra", "kernel", "manifest", "root"];

/// All public errors of the assembler, out of its source: public types with thiserror's derive, or an
/// `Error` written by hand. The source is formatted by rustfmt, so a variant stands four columns in.
pub(crate) fn listed() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for module in ASSEMBLER {
        scan(&fs::read_to_string(source.join(module).with_extension("rs")).unwrap(), &mut found);
        walk(&source.join(module), &mut found);
    }
    found
}

fn walk(dir: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            scan(&fs::read_to_string(&path).unwrap(), found);
        }
    }
}

fn scan(text: &str, found: &mut BTreeSet<String>) {
    let (mut derived, mut inside) = (false, None::<String>);
    for line in text.lines() {
        if let Some(kind) = &inside {
            if line == "}" {
                inside = None;
            } else if let Some(rest) = line.strip_prefix("    ").filter(|r| r.starts_with(char::is_uppercase))
            {
                let variant: String = rest.chars().take_while(|c| c.is_alphanumeric()).collect();
                found.insert(format!("{kind}::{variant}"));
            }
            continue;
        }
        let name = |prefix: &str| {
            let rest = line.strip_prefix(prefix)?;
            Some(rest.chars().take_while(|c| c.is_alphanumeric()).collect::<String>())
        };
        let by_hand = |kind: &str| text.contains(&format!("Error for {kind} {{"));
        if line.starts_with("#[derive(") {
            derived = line.contains("thiserror::Error");
        } else if let Some(kind) = name("pub enum ") {
            inside = (derived || by_hand(&kind)).then_some(kind);
            derived = false;
        } else if let Some(kind) = name("pub struct ") {
            if derived || by_hand(&kind) {
                found.insert(kind);
            }
            derived = false;
        }
    }
}

/// How many types.
pub(crate) fn types(listed: &BTreeSet<String>) -> usize {
    listed.iter().map(|name| name.split("::").next().unwrap()).collect::<BTreeSet<_>>().len()
}
