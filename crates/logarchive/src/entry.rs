//! What lies on the partition of logs.
use serde::Serialize;

/// What a file of the partition is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// An archive of logs: ours (`logs-HOST-TIME.tar.zst`) or of the original (`HOST_DATE_EPOCH.tar.gz`).
    Log,
    /// A crash dump, its log or its manifest. Never given up for a log.
    Dump,
    /// A support bundle that somebody left here (`support-HOST-TIME.tar.gz`).
    Bundle,
    /// Anything else. Never touched.
    Unknown,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Its path below the partition.
    pub name: String,
    /// Bytes.
    #[serde(rename = "size_bytes")]
    pub size: u64,
    /// When it was made, in seconds since 1970: from its name where that says so, or its modification time.
    pub time: i64,
    /// What it is.
    pub class: Class,
}

impl Entry {
    /// A file by its name, size and modification time.
    #[must_use]
    pub fn new(name: &str, size: u64, mtime: i64) -> Self {
        let (class, time) = classify(name);
        Self { name: name.to_owned(), size, time: time.unwrap_or(mtime), class }
    }
}

/// A time that a name can carry: from 2000 to 2100. Anything else is some other number.
fn epoch(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|t| digits && (946_684_800..4_102_444_800).contains(t))
}

/// `20261125T152246Z`.
fn stamp(text: &str) -> Option<i64> {
    let fits = text.len() == 16 && text.ends_with('Z') && text.as_bytes().get(8) == Some(&b'T');
    let time: jiff::Timestamp = text.parse().ok().filter(|_| fits)?;
    Some(time.as_second())
}

fn classify(name: &str) -> (Class, Option<i64>) {
    let file = name.rsplit('/').next().unwrap_or(name);
    if name.contains('/') {
        // In the directory of dumps everything belongs to one, whole or not.
        let dump = name.starts_with("crash/") || name.starts_with("dumps/");
        return (if dump { Class::Dump } else { Class::Unknown }, None);
    }
    let ours = |prefix: &str| {
        let rest = file.strip_prefix(prefix)?;
        let rest = rest.strip_suffix(".tar.zst").or_else(|| rest.strip_suffix(".tar.gz"))?;
        // `-2` where two were made within one second.
        let (rest, _) = rest.split_once('+').unwrap_or((rest, ""));
        stamp(rest.rsplit('-').next()?)
    };
    if let Some(time) = ours("logs-") {
        return (Class::Log, Some(time));
    }
    if let Some(time) = ours("support-") {
        return (Class::Bundle, Some(time));
    }
    // The original's: a dump has `dumpfile` in its name, wherever that sorts.
    if file.contains("dumpfile") || file.starts_with("vmcore") || file.ends_with(".kdump") {
        let number = file.split(|c: char| !c.is_ascii_digit()).rfind(|n| epoch(n).is_some());
        return (Class::Dump, number.and_then(epoch));
    }
    // HOST_DATE_EPOCH.tar.gz
    let original = file.strip_suffix(".tar.gz").or_else(|| file.strip_suffix(".tgz"));
    if let Some(time) =
        original.filter(|o| o.matches('_').count() >= 2).and_then(|o| epoch(o.rsplit('_').next()?))
    {
        return (Class::Log, Some(time));
    }
    (Class::Unknown, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (name, class, time) in [
            ("logs-esos1-20261125T152246Z.tar.zst", Class::Log, 1_795_620_166),
            ("logs-esos-1-20261125T152246Z+2.tar.zst", Class::Log, 1_795_620_166),
            ("zz_2026-11-25_1790000000.tar.gz", Class::Log, 1_790_000_000),
            ("dumpfile-1790000001", Class::Dump, 1_790_000_001),
            ("crash/1790000001/vmcore", Class::Dump, 7),
            ("vmcore.partial", Class::Dump, 7),
            ("support-esos1-20261125T152246Z.tar.gz", Class::Bundle, 1_795_620_166),
            ("logs-esos1.tar.zst", Class::Unknown, 7),
            ("my_own_file.tar.gz", Class::Unknown, 7),
            ("a_b_12.tar.gz", Class::Unknown, 7),
            ("lost+found", Class::Unknown, 7),
            ("somebody/logs-x-20261125T152246Z.tar.zst", Class::Unknown, 7),
        ] {
            let entry = Entry::new(name, 1, 7);
            assert_eq!((entry.class, entry.time), (class, time), "{name}");
        }
    }
}
