//! `corosync-cmapctl`: Corosync's map of keys and values.
use esos_diag::ParseError;
use serde::Serialize;
use std::collections::BTreeMap;

/// One value with its type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CmapValue {
    /// `str`, `u8`, `i32`, `u64`, `flt`, `bin`, …
    pub kind: String,
    /// As printed.
    pub text: String,
}

/// All keys that one call printed. Their names have types in Corosync, so a key that is not known is no
/// harm.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct Cmap {
    /// Values by key.
    pub keys: BTreeMap<String, CmapValue>,
}

/// One member that Corosync knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CmapMember {
    /// Its number.
    pub id: u32,
    /// `joined`, `left`.
    pub status: String,
    /// How often it joined.
    pub joins: Option<u64>,
    /// Its addresses, as printed.
    pub ip: Option<String>,
}

impl Cmap {
    /// The text of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.keys.get(key).map(|v| v.text.as_str())
    }

    /// A key that holds a number.
    #[must_use]
    pub fn number(&self, key: &str) -> Option<u64> {
        self.get(key)?.parse().ok()
    }

    /// Members by number (`runtime.members.N.*`).
    #[must_use]
    pub fn members(&self) -> Vec<CmapMember> {
        let of = |key: &String| key.strip_prefix("runtime.members.")?.strip_suffix(".status")?.parse().ok();
        let ids: std::collections::BTreeSet<u32> = self.keys.keys().filter_map(of).collect();
        ids.into_iter()
            .map(|id| {
                let at = |what: &str| format!("runtime.members.{id}.{what}");
                CmapMember {
                    id,
                    status: self.get(&at("status")).unwrap_or("").to_owned(),
                    joins: self.number(&at("join_count")),
                    ip: self.get(&at("ip")).map(str::to_owned),
                }
            })
            .collect()
    }

    /// The links that are up or down, by node and link (`stats.knet.nodeN.linkM.connected`, or `-m stats`).
    #[must_use]
    pub fn links(&self) -> Vec<(u32, u8, bool)> {
        let of = |(key, value): (&String, &CmapValue)| {
            let rest = key.strip_prefix("stats.knet.node")?.strip_suffix(".connected")?;
            let (node, link) = rest.split_once(".link")?;
            Some((node.parse().ok()?, link.parse().ok()?, value.text == "1"))
        };
        self.keys.iter().filter_map(of).collect()
    }
}

/// Reads `corosync-cmapctl`, with or without `-m stats`.
///
/// # Errors
/// A line that is no `KEY (TYPE) = VALUE`, or a last line without its end.
pub fn cmap(origin: &str, text: &str) -> Result<Cmap, ParseError> {
    let mut out = Cmap::default();
    let mut offset = 0usize;
    for raw in text.split_inclusive('\n') {
        let start = offset;
        offset = offset.saturating_add(raw.len());
        let line = raw.trim_end_matches(['\n', '\r']);
        if line.trim().is_empty() {
            continue;
        }
        if !raw.ends_with('\n') {
            return Err(ParseError::truncated(origin, text, "the end of the line; the output was cut off"));
        }
        // A binary value has its length behind an empty place.
        let parts = line.split_once(" (").and_then(|(key, rest)| Some((key, rest.split_once(") = ")?)));
        let Some((key, (kind, value))) = parts.filter(|(key, _)| !key.is_empty() && !key.contains(' '))
        else {
            return Err(ParseError::at(origin, text, start, "`KEY (TYPE) = VALUE`"));
        };
        let value = CmapValue { kind: kind.to_owned(), text: value.to_owned() };
        out.keys.insert(key.to_owned(), value);
    }
    Ok(out)
}
