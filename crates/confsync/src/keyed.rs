//! Files of lines that have a name each: passwd, group and their shadows.
use std::collections::BTreeMap;

/// Whether a path is such a file.
pub(crate) fn is_keyed(path: &[u8]) -> bool {
    matches!(path, b"/etc/passwd" | b"/etc/group" | b"/etc/shadow" | b"/etc/gshadow")
}

fn key(line: &str) -> &str {
    line.split(':').next().unwrap_or(line)
}

fn lines(text: &str) -> BTreeMap<&str, &str> {
    text.lines().map(|line| (key(line), line)).collect()
}

/// Merges by name: an account that a new version brings arrives, one that the operator made, changed or removed
/// stays so. Where both changed one line, ours stays; its names are told.
pub(crate) fn merge(base: &str, ours: &str, theirs: &str) -> (String, Vec<String>) {
    let (old, new, own) = (lines(base), lines(theirs), lines(ours));
    let (mut merged, mut both) = (String::new(), Vec::new());
    for line in ours.lines() {
        let name = key(line);
        let chosen = match (old.get(name), new.get(name)) {
            // As it was shipped: what is shipped now.
            (Some(was), Some(is)) if *was == line => Some(*is),
            (Some(was), None) if *was == line => None,
            (Some(was), Some(is)) if was != is && *is != line => {
                both.push(name.to_owned());
                Some(line)
            }
            _ => Some(line),
        };
        if let Some(line) = chosen {
            merged.push_str(line);
            merged.push('\n');
        }
    }
    for line in theirs.lines().filter(|l| !own.contains_key(key(l)) && !old.contains_key(key(l))) {
        merged.push_str(line);
        merged.push('\n');
    }
    (merged, both)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_of_both_sides() {
        let base = "root:x:0\nsshd:x:100\nold:x:101\n";
        let ours = "root:x:0:changed\nsshd:x:100\nold:x:101\nadmin:x:1000\n";
        let theirs = "root:x:0\nsshd:x:100:new\nchrony:x:102\n";
        let (merged, both) = merge(base, ours, theirs);
        assert_eq!(merged, "root:x:0:changed\nsshd:x:100:new\nadmin:x:1000\nchrony:x:102\n");
        assert!(both.is_empty());
        let (merged, both) = merge("a:1\n", "a:2\n", "a:3\n");
        assert_eq!((merged.as_str(), both), ("a:2\n", vec!["a".to_owned()]));
        // What the operator removed does not come back.
        assert_eq!(merge("a:1\nb:1\n", "a:1\n", "a:1\nb:1\n").0, "a:1\n");
    }
}
