//! Secrets of files that are known to hold some, so that they are found elsewhere too.
use crate::redact::Redactor;
use crate::words;

/// What kind of file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LearnKind {
    /// `/etc/shadow`, `gshadow`: the hash is the second field.
    Shadow,
    /// A file that holds nothing but secrets: a key, a token, `authkeys`. Every word of it is one.
    Whole,
    /// Lines of fields, by blanks or colons, of which the last is one: `chrony.keys`, `.pgpass`.
    Last,
    /// Lines of fields, by blanks, of which that one (from 0) is one: `chap-secrets`.
    Field(usize),
    /// Settings: values of keys that name a secret, passwords in URLs, private keys.
    Settings,
}

/// Shows a file's secrets to a redactor.
pub fn learn_from(redactor: &mut Redactor, kind: LearnKind, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match kind {
        LearnKind::Shadow => {
            let hashes = text.lines().filter_map(|line| line.split(':').nth(1));
            hashes.map(|h| h.trim_start_matches('!')).filter(|h| h.len() > 4).for_each(|h| redactor.learn(h));
        }
        LearnKind::Whole => {
            if std::str::from_utf8(bytes).is_err() {
                // A key in bytes: it can turn up in other forms only.
                redactor.learn_bytes(bytes);
                return;
            }
            for line in text.lines().filter(|l| !l.starts_with("-----") && !l.trim_start().starts_with('#')) {
                let line = value_of(line.trim());
                redactor.learn(line);
                let words = line.split(|c: char| c.is_whitespace() || "=:\"',;".contains(c));
                words.filter(|w| w.len() >= 6 && !words::is_prose(w)).for_each(|w| redactor.learn(w));
            }
        }
        LearnKind::Last | LearnKind::Field(_) => {
            for line in text.lines().map(str::trim).filter(|l| !l.starts_with(['#', ';', '!', '%'])) {
                let secret = match kind {
                    LearnKind::Field(n) => line.split_whitespace().nth(n),
                    _ => line.rsplit(|c: char| c.is_whitespace() || c == ':').next(),
                };
                secret.into_iter().for_each(|s| redactor.learn(s.trim_matches('"')));
            }
        }
        LearnKind::Settings => {
            for value in redactor.values(&text) {
                redactor.learn(&value);
                // `IncomingUser "joe secret"`: the name alone gives nothing away, the other word does.
                let words = value.split_whitespace().filter(|w| w.len() >= 6 && !words::is_prose(w));
                words.for_each(|w| redactor.learn(w));
            }
        }
    }
}

/// What stands behind a name: `password=x` and `backup:x` in a file of secrets do not make secrets of the names.
fn value_of(line: &str) -> &str {
    let is_name = |n: &str| !n.is_empty() && n.chars().all(|c| c.is_ascii_lowercase() || "_-. ".contains(c));
    let parts = line.split_once(['=', ':']).filter(|(name, value)| is_name(name) && !value.trim().is_empty());
    parts.map_or(line, |(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_no_secrets() {
        let mut redactor = Redactor::new();
        learn_from(
            &mut redactor,
            LearnKind::Whole,
            b"username=joe\npassword=hunter2x\nbackup:s3cret77\nQzx81:Kq92a\n",
        );
        learn_from(&mut redactor, LearnKind::Last, b"# a comment\n1 SHA256 ASCII:chr0nykey\n");
        learn_from(&mut redactor, LearnKind::Field(2), b"joe * ch4psecret *\n");
        let text =
            "the password of the backup by SHA256 is hunter2x or s3cret77, Qzx81:Kq92a, chr0nykey ch4psecret";
        let clean = "the password of the backup by SHA256 is *** or ***, ***, *** ***";
        assert_eq!(redactor.scrub(text), clean);
    }
}
