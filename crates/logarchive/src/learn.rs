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
                let line = line.trim();
                redactor.learn(line);
                let words = line.split(|c: char| c.is_whitespace() || "=:\"',;".contains(c));
                words.filter(|w| w.len() >= 6 && !words::is_prose(w)).for_each(|w| redactor.learn(w));
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
