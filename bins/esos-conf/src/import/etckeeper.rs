//! `.etckeeper`: modes and owners that git does not keep, as a script of `maybe chmod 0640 './shadow'`.
use crate::import::Taken;
use esos_cli::Failure;
use esos_confsync::{BoxPath, NodeKind};

/// Applies the script to what was taken in; nothing is run.
pub(crate) fn apply(taken: &mut Taken<'_, '_>) -> Result<(), Failure> {
    let Some(script) = text(taken, "/etc/.etckeeper") else { return Ok(()) };
    let users = numbers(&text(taken, "/etc/passwd").unwrap_or_default());
    let groups = numbers(&text(taken, "/etc/group").unwrap_or_default());
    for line in script.lines() {
        let words = words(line);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let (verb, value, name) = match words.as_slice() {
            ["maybe", verb @ ("chmod" | "chown" | "chgrp"), value, name] => (*verb, *value, *name),
            ["mkdir", "-p", name] => ("mkdir", "", *name),
            _ => continue,
        };
        let Some(path) = BoxPath::new(format!("/etc/{}", name.trim_start_matches("./"))) else { continue };
        let number = |map: &[(String, u32)]| {
            value.parse().ok().or_else(|| map.iter().find(|(n, _)| n == value).map(|(_, id)| *id))
        };
        match verb {
            "mkdir" => {
                if taken.intake.snapshot().get(&path).is_none() {
                    let node = esos_confsync::Node {
                        kind: NodeKind::Dir,
                        mode: 0o755,
                        uid: 0,
                        gid: 0,
                        mtime: (0, 0),
                    };
                    taken.add(&path, node);
                }
            }
            "chmod" => {
                if let Ok(mode) = u32::from_str_radix(value, 8) {
                    taken.intake.meta(&path, |node| node.mode = mode & 0o7777);
                }
            }
            "chown" => match number(&users) {
                Some(uid) => drop(taken.intake.meta(&path, |node| node.uid = uid)),
                None => taken.missing.push(format!("{path}: its owner {value} is unknown")),
            },
            _ => match number(&groups) {
                Some(gid) => drop(taken.intake.meta(&path, |node| node.gid = gid)),
                None => taken.missing.push(format!("{path}: its group {value} is unknown")),
            },
        }
    }
    Ok(())
}

fn text(taken: &Taken<'_, '_>, path: &str) -> Option<String> {
    taken.texts.get(path).cloned()
}

/// Names and numbers of passwd or group.
fn numbers(text: &str) -> Vec<(String, u32)> {
    let row = |line: &str| {
        let mut fields = line.split(':');
        Some((fields.next()?.to_owned(), fields.nth(1)?.parse().ok()?))
    };
    text.lines().filter_map(row).collect()
}

/// Words of a line of shell, with single quotes.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted, mut any) = (Vec::new(), String::new(), false, false);
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '\'' => {
                quoted = !quoted;
                any = true;
            }
            '\\' if !quoted => word.extend(chars.next()),
            ' ' | '\t' if !quoted => {
                if any || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                any = false;
            }
            c => word.push(c),
        }
    }
    if any || !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_as_a_shell_has_them() {
        assert_eq!(words("maybe chmod 0640 './a b'"), ["maybe", "chmod", "0640", "./a b"]);
        assert_eq!(words(r"maybe chown root './it'\''s'"), ["maybe", "chown", "root", "./it's"]);
    }
}
