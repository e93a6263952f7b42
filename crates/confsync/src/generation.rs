//! What a generation says of itself.
use crate::Id;
use crate::codec::CodecError;
use serde::{Deserialize, Serialize};

/// What a generation says of itself: the record of its pack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Generation {
    /// Its number, from 1; `@7` to people.
    pub id: u64,
    /// When it was made, in seconds since 1970.
    pub time: u64,
    /// The box's name.
    pub host: String,
    /// The version of ESOS that made it.
    pub version: String,
    /// Why: `change`, `timer`, `shutdown`, `by hand`, `import`.
    pub reason: String,
    /// Which one the box had restored or made before.
    #[serde(default)]
    pub parent: Option<u64>,
    /// Files in it.
    pub files: u64,
    /// Bytes in them.
    #[serde(rename = "size_bytes")]
    pub bytes: u64,
    /// Of an import that was not whole: what is missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// The list of its directories.
    tree: String,
    /// The list of directories of the version's own defaults, where it is known.
    #[serde(default)]
    defaults: Option<String>,
}

impl Generation {
    pub(crate) fn new(id: u64, tree: Id, defaults: Option<Id>) -> Self {
        Self {
            id,
            time: 0,
            host: String::new(),
            version: String::new(),
            reason: String::new(),
            parent: None,
            files: 0,
            bytes: 0,
            missing: Vec::new(),
            tree: tree.to_string(),
            defaults: defaults.map(|id| id.to_string()),
        }
    }

    pub(crate) fn tree(&self) -> Result<Id, CodecError> {
        hex(&self.tree)
    }

    pub(crate) fn defaults(&self) -> Result<Option<Id>, CodecError> {
        self.defaults.as_deref().map(hex).transpose()
    }
}

fn hex(text: &str) -> Result<Id, CodecError> {
    let nonsense = CodecError::Nonsense(0);
    let digits = text.as_bytes();
    let (pairs, rest) = digits.as_chunks::<2>();
    let mut bytes = [0; 32];
    if pairs.len() != bytes.len() || !rest.is_empty() {
        return Err(nonsense);
    }
    for (byte, pair) in bytes.iter_mut().zip(pairs) {
        let pair = std::str::from_utf8(pair).map_err(|_e| nonsense)?;
        *byte = u8::from_str_radix(pair, 16).map_err(|_e| nonsense)?;
    }
    Ok(Id(bytes))
}

/// Compares versions such as `5.0.0` and `5.10.1-rc2`: numbers as numbers, the rest as text.
#[must_use]
pub fn compare_versions(a: &str, b: &str) -> std::cmp::Ordering {
    fn parts(text: &str) -> Vec<(u64, String)> {
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let digits =
                rest.len().saturating_sub(rest.trim_start_matches(|c: char| c.is_ascii_digit()).len());
            let (number, tail) = rest.split_at(digits);
            let end = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
            let (word, tail) = tail.split_at(end);
            // `1-rc` is before `1`, as `1~rc` is: a word other than a dot sorts before its absence.
            let word = word.trim_matches('.');
            parts.push((
                number.parse().unwrap_or(u64::MAX),
                if word.is_empty() { "~~".into() } else { word.to_owned() },
            ));
            rest = tail;
        }
        parts
    }
    parts(a).cmp(&parts(b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cmp::Ordering::{Equal, Greater, Less};

    #[test]
    fn versions() {
        for (a, b, order) in [
            ("5.0.0", "5.0.0", Equal),
            ("5.9.0", "5.10.0", Less),
            ("5.1", "5.0.9", Greater),
            ("5.1.0-rc1", "5.1.0", Less),
            ("", "1", Less),
        ] {
            assert_eq!(compare_versions(a, b), order, "{a} {b}");
        }
    }
}
