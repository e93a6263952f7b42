//! Where in a line a secret stands, by the words around it or by its looks.
use crate::redact::STARS;
use crate::words::{is_chosen, is_prose, is_random, names_a_secret};

/// Places in a line that look like secrets, by the words around them or by themselves.
pub(crate) fn spans(line: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    urls(line, &mut found);
    settings(line, &mut found);
    options(line, &mut found);
    let comment = line.trim_start().starts_with(['#', ';']) || line.trim_start().starts_with("//");
    for (start, word) in words(line) {
        let inner = word.trim_matches(|c: char| "\"'`,;()[]{}<>.:".contains(c));
        let Some(offset) = word.find(inner).filter(|_| !inner.is_empty()) else { continue };
        let begin = start.saturating_add(offset);
        // `name=TOKEN`, `"TOKEN":`
        for (at, part) in parts(inner) {
            if is_random(part) || (comment && is_chosen(part)) {
                let begin = begin.saturating_add(at);
                found.push((begin, begin.saturating_add(part.len())));
            }
        }
        if comment && is_chosen(inner) {
            found.push((begin, begin.saturating_add(inner.len())));
        }
        // JSON web tokens, hashes of crypt(3).
        let jwt = inner.starts_with("eyJ") && inner.matches('.').count() == 2;
        let crypt =
            ["$1$", "$2a$", "$2b$", "$2y$", "$5$", "$6$", "$y$", "$7$"].iter().find_map(|p| inner.find(p));
        if jwt {
            found.push((begin, begin.saturating_add(inner.len())));
        } else if let Some(at) = crypt {
            let end = inner.get(at..).and_then(|t| t.find(':')).map_or(inner.len(), |n| at.saturating_add(n));
            found.push((begin.saturating_add(at), begin.saturating_add(end)));
        }
    }
    found
}

fn parts(word: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut start = 0;
    for (at, c) in word.char_indices() {
        if "=:,;\"'&?@.|()[]{}".contains(c) && c != '='
            || (c == '=' && !word.get(at..).unwrap_or_default().trim_end_matches('=').is_empty())
        {
            found.push((start, word.get(start..at).unwrap_or_default()));
            start = at.saturating_add(c.len_utf8());
        }
    }
    found.push((start, word.get(start..).unwrap_or_default()));
    found
}

fn words(line: &str) -> impl Iterator<Item = (usize, &str)> {
    let base = line.as_ptr().addr();
    line.split_whitespace().map(move |word| (word.as_ptr().addr().saturating_sub(base), word))
}

/// `scheme://user:password@host`: the password.
fn urls(line: &str, found: &mut Vec<(usize, usize)>) {
    for (at, _) in line.match_indices("://") {
        let start = at.saturating_add(3);
        let rest = line.get(start..).unwrap_or_default();
        let end = rest.find(|c: char| c.is_whitespace() || "\"'<>".contains(c)).unwrap_or(rest.len());
        let whole = rest.get(..end).unwrap_or_default();
        let Some(sign) = whole.rfind('@') else { continue };
        let user = whole.get(..sign).unwrap_or_default();
        // A user alone may be a token: `https://TOKEN@host`.
        let from = user.find(':').map_or(0, |n| n.saturating_add(1));
        if !user.contains('/') || user.contains(':') {
            found.push((start.saturating_add(from), start.saturating_add(sign)));
        }
    }
}

/// Programs that take a password behind an option of one letter, as `-P x` or `-Px`.
const OPTIONS: [(&str, &str); 7] = [
    ("ipmitool", "-P"),
    ("ipmi-sensors", "-p"),
    ("ipmipower", "-p"),
    ("fence_", "-p"),
    ("sshpass", "-p"),
    ("snmp", "-A"),
    ("snmp", "-X"),
];

/// Passwords that a program is given in a line of a script or of cron.
fn options(line: &str, found: &mut Vec<(usize, usize)>) {
    for (tool, option) in OPTIONS {
        let mut rest = words(line).skip_while(|(_, word)| {
            !word.rsplit(['/', '(', '`', '"', '\'']).next().is_some_and(|name| name.starts_with(tool))
        });
        let Some(_tool) = rest.next() else { continue };
        let mut behind = false;
        for (start, word) in rest {
            let value = if behind { Some(0) } else { word.strip_prefix(option).map(|_| option.len()) };
            behind = value == Some(word.len());
            if let Some(skip) = value.filter(|skip| *skip < word.len()) {
                found.push((start.saturating_add(skip), start.saturating_add(word.len())));
            }
        }
    }
}

/// Values after a name that says so: `password = x`, `"token": "x"`, `IncomingUser "joe x"`, `--password x`, `pw is x`,
/// `Authorization: Basic x`.
fn settings(line: &str, found: &mut Vec<(usize, usize)>) {
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    let mut at = 0;
    while let Some(start) = line.get(at..).and_then(|rest| rest.find(is_name)).map(|n| at.saturating_add(n)) {
        let rest = line.get(start..).unwrap_or_default();
        let end = start.saturating_add(rest.find(|c| !is_name(c)).unwrap_or(rest.len()));
        let name = line.get(start..end).unwrap_or_default();
        at = end.max(start.saturating_add(1));
        if !names_a_secret(name) && !name.split('.').next_back().is_some_and(names_a_secret) {
            continue;
        }
        let after = line.get(end..).unwrap_or_default();
        // What closes the name: `"token":`, `[password]=`.
        let closed = after.trim_start_matches(['"', '\'', '\\', ']', '>']);
        let trimmed = closed.trim_start();
        // `<nvpair name="passwd" value="x"/>`, as Pacemaker keeps what its agents are given.
        let trimmed = trimmed.strip_prefix("value").filter(|v| v.starts_with('=')).unwrap_or(trimmed);
        let sign = trimmed.starts_with(['=', ':']);
        let mut value = trimmed.trim_start_matches(|c: char| c.is_whitespace() || "=:>".contains(c));
        // A sentence: `password for root` holds none, `password is x` does.
        if !sign {
            for lead in ["is ", "was ", "set to ", "changed to ", "reset to ", "to "] {
                value = value.strip_prefix(lead).unwrap_or(value);
            }
        }
        for lead in ["Basic ", "Bearer ", "basic ", "bearer ", "Digest ", "{SSHA}"] {
            value = value.strip_prefix(lead).unwrap_or(value);
        }
        let begin = line.len().saturating_sub(value.len());
        let length = match value.chars().next() {
            Some(quote @ ('"' | '\'' | '`')) => {
                // To the quote that closes it; one after a backslash does not.
                let inside = value.get(1..).unwrap_or_default();
                let mut escaped = false;
                let close = inside.char_indices().find(|(_, c)| {
                    let here = *c == quote && !escaped;
                    escaped = *c == '\\' && !escaped;
                    here
                });
                close.map_or(value.len(), |(n, _)| n.saturating_add(2))
            }
            Some('\\') => value.find(['}', ',']).unwrap_or(value.len()),
            // After a sign the rest of the line belongs to it in most languages of settings; a comment too.
            Some(_) if sign && is_setting(line, start) => value.trim_end().len(),
            Some(_) => {
                value.find(|c: char| c.is_whitespace() || "\"',;&)}".contains(c)).unwrap_or(value.len())
            }
            None => 0,
        };
        let word = value.get(..length).unwrap_or_default();
        let bare = word.trim_matches(|c: char| "\"'`".contains(c));
        let prose = is_prose(bare) || bare == STARS || bare.chars().all(|c| c == '*');
        // Without a sign only what no sentence would go on with.
        if length == 0 || prose {
            continue;
        }
        let quoted = word.len() != bare.len();
        let (from, to) = if quoted {
            (begin.saturating_add(1), begin.saturating_add(length).saturating_sub(1))
        } else {
            (begin, begin.saturating_add(length))
        };
        if from < to && line.is_char_boundary(from) && line.is_char_boundary(to) {
            found.push((from, to));
            at = at.max(to);
        }
    }
}

/// Whether a name stands at the beginning of its line, as that of a setting does.
fn is_setting(line: &str, start: usize) -> bool {
    line.get(..start).is_some_and(|before| before.chars().all(|c| c.is_whitespace() || "#;\"'".contains(c)))
}
