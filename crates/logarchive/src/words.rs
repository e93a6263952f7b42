//! What looks like a secret.

/// Whether the name of a setting says that its value is one: `password`, `AuthKey`, `snmp_community`, `psk`.
pub(crate) fn names_a_secret(key: &str) -> bool {
    let key: String =
        key.chars().filter(|c| c.is_ascii_alphanumeric()).collect::<String>().to_ascii_lowercase();
    // Names of files and of harmless settings.
    const FINE: &[&str] = &[
        "keyfile",
        "keymap",
        "keyboard",
        "keytype",
        "publickey",
        "pubkey",
        "hostkey",
        "passwordauthentication",
        "pubkeyauthentication",
        "authorizedkeysfile",
        "passwordage",
        "keyserver",
        "authmethod",
        "secauth",
        "bypass",
        "passthrough",
        "passive",
        "compass",
        "monkey",
        "tokentimeout",
        "monotonic",
        "keepalive",
        "key",
        "keyname",
        "passed",
        "passes",
        "auth",
        "authtype",
        "tokencoefficient",
    ];
    // corosync's token is a time.
    let timing = ["tokenretransmit", "tokencoefficient", "tokentimeout", "tokenwarning"];
    if FINE.contains(&key.as_str()) || timing.iter().any(|t| key.starts_with(t)) {
        return false;
    }
    const PARTS: &[&str] = &[
        "passwd",
        "password",
        "passphrase",
        "passwort",
        "secret",
        "token",
        "apikey",
        "privatekey",
        "authkey",
        "accesskey",
        "credential",
        "community",
        "incominguser",
        "outgoinguser",
        "sharedkey",
        "presharedkey",
        "bearer",
        "encryptionkey",
        "masterkey",
        "signature",
        "sessionid",
        "cookie",
        "keyring",
        "privkey",
        "cryptkey",
        "userkey",
    ];
    const WHOLE: &[&str] =
        &["pass", "pw", "pwd", "psk", "pin", "cred", "creds", "authorization", "rocommunity", "rwcommunity"];
    const ENDS: &[&str] = &["pass", "pwd", "psk", "pw"];
    PARTS.iter().any(|p| key.contains(p))
        || WHOLE.contains(&key.as_str())
        || ENDS.iter().any(|e| key.ends_with(e))
}

/// Words that follow `password` in sentences and are no password.
pub(crate) fn is_prose(word: &str) -> bool {
    const PROSE: &[&str] = &[
        "a",
        "accepted",
        "age",
        "aging",
        "an",
        "and",
        "are",
        "auth",
        "authentication",
        "based",
        "be",
        "by",
        "cache",
        "can",
        "changed",
        "changes",
        "check",
        "checking",
        "database",
        "do",
        "does",
        "entered",
        "entry",
        "error",
        "expired",
        "expires",
        "expiry",
        "failed",
        "failure",
        "field",
        "file",
        "files",
        "for",
        "found",
        "from",
        "given",
        "group",
        "has",
        "hash",
        "have",
        "if",
        "in",
        "incorrect",
        "invalid",
        "is",
        "length",
        "login",
        "mismatch",
        "missing",
        "must",
        "needed",
        "no",
        "not",
        "of",
        "ok",
        "on",
        "or",
        "policy",
        "prompt",
        "protected",
        "rejected",
        "required",
        "reset",
        "set",
        "store",
        "support",
        "that",
        "the",
        "then",
        "to",
        "too",
        "type",
        "unknown",
        "unset",
        "updated",
        "used",
        "using",
        "was",
        "were",
        "will",
        "with",
        "wrong",
        "yes",
        "none",
        "null",
        "true",
        "false",
        "enabled",
        "disabled",
        "lost",
        "timeout",
        "retransmit",
        "received",
        "ring",
        "passing",
        "transmitted",
    ];
    let word = word.trim_matches(|c: char| !c.is_alphanumeric()).to_ascii_lowercase();
    word.is_empty() || PROSE.contains(&word.as_str())
}

/// Whether a word alone looks like a key or a token: long, without order, neither a name nor a number that a storage box
/// prints. UUIDs, WWNs, IQNs, paths, versions and times are none.
pub(crate) fn is_random(word: &str) -> bool {
    let body = word.trim_end_matches('=');
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"+/_-".contains(&b);
    if body.len() < 20 || !body.bytes().all(plain) {
        return false;
    }
    // Identities that the kernel prints: parts of hexadecimal digits, at most 16 of them without a break.
    let hex = |part: &str| part.bytes().all(|b| b.is_ascii_hexdigit());
    let parts: Vec<&str> = body.split(['-', '_', '/']).collect();
    if parts.iter().all(|p| hex(p) && p.len() <= 16) {
        return false;
    }
    if hex(body) {
        // An NAA identifier (32) and what udev makes of it (33) are facts; a key of 40, 64 or more is a key.
        return body.len() > 34;
    }
    let longest = body.split(['-', '_', '/']).map(str::len).max().unwrap_or(0);
    if longest < 16 {
        return false;
    }
    let count = |f: fn(&u8) -> bool| body.bytes().filter(f).count();
    let (digits, upper, lower) =
        (count(u8::is_ascii_digit), count(u8::is_ascii_uppercase), count(u8::is_ascii_lowercase));
    // Turns between kinds of characters: words have few, random texts many.
    let kind = |b: u8| {
        if b.is_ascii_digit() {
            0
        } else if b.is_ascii_uppercase() {
            1
        } else {
            2
        }
    };
    let turns = body
        .as_bytes()
        .windows(2)
        .filter(|w| w.first().map(|b| kind(*b)) != w.last().map(|b| kind(*b)))
        .count();
    let mixed = (upper > 0 && lower > 0) || (digits > 0 && (upper > 0 || lower > 0));
    mixed && turns.saturating_mul(4) >= body.len()
}

/// Whether a word looks like a password that a person chose: eight characters or more of three kinds and a sign.
pub(crate) fn is_chosen(word: &str) -> bool {
    let has = |f: fn(char) -> bool| word.chars().any(f);
    let sign = has(|c| "!@#$%^&*?~+=".contains(c));
    let kinds =
        [has(|c| c.is_ascii_lowercase()), has(|c| c.is_ascii_uppercase()), has(|c| c.is_ascii_digit())];
    let many = kinds.iter().filter(|k| **k).count();
    (8..=64).contains(&word.len())
        && many >= 2
        && sign
        && !word.contains("://")
        && !word.starts_with(['/', '-', '$', '%'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_words() {
        for key in [
            "password",
            "AuthPass",
            "shared-secret",
            "IncomingUser",
            "snmp_community",
            "API_KEY",
            "wifi_psk",
            "pw",
        ] {
            assert!(names_a_secret(key), "{key}");
        }
        for key in ["key", "keyfile", "PasswordAuthentication", "host", "bypass", "token_retransmits"] {
            assert!(!names_a_secret(key), "{key}");
        }
        for word in [
            "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
            "dGhpcyBpcyBhIHNlY3JldCB2YWx1ZQ==",
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b",
        ] {
            assert!(is_random(word), "{word}");
        }
        for word in [
            "6d1c2f3a-aaaa-bbbb-cccc-0123456789ab",
            "iqn.2026-11.io.esos:store1",
            "600508b1001c1030505f3f7c1f1a0c20",
            "linux-image-6.12.48+deb13-amd64",
            "SATA_WDC_WD4000FYYZ-01UL1B1_WD-WCC131234567",
            "vdisk_blockio_cache_flush_interval",
            "50:06:01:60:3b:a0:11:22",
        ] {
            assert!(!is_random(word), "{word}");
        }
        assert!(is_chosen("Tr0ub4dor&3") && !is_chosen("/dev/sda1@2") && !is_chosen("vol01"));
    }
}
