//! Taking secrets out of texts.
use crate::forms::forms;
use crate::places::spans;
use crate::words::{is_prose, names_a_secret};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) const STARS: &str = "***";

/// Takes secrets out of texts: those it was shown, in all their forms, and what looks like one. It rather takes out too
/// much than too little; names of targets, drives, hosts and versions stay.
#[derive(Debug, Default, Clone)]
pub struct Redactor {
    /// Forms by their first three bytes, the longest first.
    known: BTreeMap<[u8; 3], Vec<String>>,
    seen: BTreeSet<String>,
}

impl Redactor {
    /// One that only knows what secrets look like.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Shows it a secret. One of fewer than four bytes would blank out half of every text and is not taken, nor is a
    /// common word.
    pub fn learn(&mut self, secret: &str) {
        let secret = secret.trim();
        if secret.len() < 4 || is_prose(secret) || secret == STARS || !self.seen.insert(secret.to_owned()) {
            return;
        }
        for form in forms(secret).into_iter().filter(|f| f.len() >= 4) {
            if let Some(start) = form.as_bytes().first_chunk::<3>() {
                let list = self.known.entry(*start).or_default();
                if !list.contains(&form) {
                    list.push(form);
                    list.sort_by_key(|f| std::cmp::Reverse(f.len()));
                }
            }
        }
    }

    /// Shows it a secret that is no text: its hexadecimal and base64 forms are known then.
    pub(crate) fn learn_bytes(&mut self, bytes: &[u8]) {
        // Long keys are cut: each piece is enough to know it by.
        for piece in bytes.chunks(48).take(64).filter(|p| p.len() >= 8) {
            let text: String = piece.iter().copied().map(char::from).collect();
            let hex: String = piece.iter().map(|b| format!("{b:02x}")).collect();
            self.learn(&hex);
            if text.is_ascii() {
                self.learn(&text);
            }
        }
    }

    /// How many secrets it was shown.
    #[must_use]
    pub fn count(&self) -> usize {
        self.seen.len()
    }

    /// A text without secrets; `***` stands for each.
    #[must_use]
    pub fn scrub(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut in_key = false;
        for line in text.split_inclusive('\n') {
            let (body, end) = line.strip_suffix('\n').map_or((line, ""), |b| (b, "\n"));
            if body.contains("-----BEGIN") && body.contains("PRIVATE KEY") || body.contains("BEGIN OPENSSH") {
                in_key = !body.contains("-----END");
                out.push_str(body.split("-----BEGIN").next().unwrap_or_default());
                out.push_str("*** (a private key)");
                out.push_str(end);
                continue;
            }
            if in_key {
                in_key = !body.contains("-----END");
                continue;
            }
            out.push_str(&self.line(body));
            out.push_str(end);
        }
        out
    }

    /// The text of a file without secrets. One whose name says what it holds (an attribute of sysfs, mostly) has
    /// nothing else.
    #[must_use]
    pub fn scrub_file(&self, path: &str, text: &str) -> String {
        let name = path.rsplit('/').next().unwrap_or(path);
        if names_a_secret(name) && !text.trim().is_empty() { format!("{STARS}\n") } else { self.scrub(text) }
    }

    /// Values in a text that look like secrets.
    pub(crate) fn values(&self, text: &str) -> Vec<String> {
        let mut found = Vec::new();
        let mut in_key = false;
        for line in text.lines() {
            if line.contains("-----BEGIN") && line.contains("PRIVATE") {
                in_key = true;
            } else if line.contains("-----END") {
                in_key = false;
            } else if in_key {
                found.push(line.trim_start_matches(['#', ' ', '\t', '*', ';']).trim().to_owned());
            } else {
                found.extend(spans(line).into_iter().filter_map(|(a, b)| line.get(a..b).map(str::to_owned)));
            }
        }
        found.retain(|f| f.len() >= 4);
        found
    }

    fn line(&self, line: &str) -> String {
        let known = self.known_spans(line);
        let mut all = spans(line);
        all.extend(known);
        all.sort_unstable();
        let mut out = String::new();
        let mut at = 0;
        for (start, end) in all {
            if end <= at {
                continue;
            }
            if start >= at {
                out.push_str(line.get(at..start).unwrap_or_default());
                out.push_str(STARS);
            }
            at = end;
        }
        out.push_str(line.get(at..).unwrap_or_default());
        out
    }

    fn known_spans(&self, line: &str) -> Vec<(usize, usize)> {
        let bytes = line.as_bytes();
        let mut found = Vec::new();
        let mut at = 0;
        while let Some(start) = bytes.get(at..).and_then(|b| b.first_chunk::<3>()) {
            let here = line.get(at..);
            let hit = self
                .known
                .get(start)
                .and_then(|list| list.iter().find(|form| here.is_some_and(|h| h.starts_with(form.as_str()))));
            match hit {
                Some(form) => {
                    let mut end = at.saturating_add(form.len());
                    // A base64 form has up to two characters more at each side, and its padding.
                    while bytes.get(end) == Some(&b'=') {
                        end = end.saturating_add(1);
                    }
                    let begin = self.grow(bytes, at, form);
                    found.push((begin, end.saturating_add(tail(bytes, end, form))));
                    at = end;
                }
                None => at = at.saturating_add(1),
            }
        }
        found.retain(|(a, b)| line.is_char_boundary(*a) && line.is_char_boundary(*b));
        found
    }

    /// Where the base64 text around a form begins; a plain form stays as it is.
    fn grow(&self, bytes: &[u8], at: usize, form: &str) -> usize {
        if self.seen.contains(form) || !is_base64(form) {
            return at;
        }
        let mut begin = at;
        while begin > 0
            && at.saturating_sub(begin) < 3
            && bytes.get(begin.saturating_sub(1)).is_some_and(|b| base64_byte(*b))
        {
            begin = begin.saturating_sub(1);
        }
        begin
    }
}

fn base64_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/-_".contains(&byte)
}

fn is_base64(form: &str) -> bool {
    form.bytes().all(base64_byte)
}

fn tail(bytes: &[u8], end: usize, form: &str) -> usize {
    if !is_base64(form) {
        return 0;
    }
    // Padding after one or two more characters belongs to the same text.
    let rest = bytes.get(end..).unwrap_or_default();
    let more = rest.iter().take(3).take_while(|b| base64_byte(**b)).count();
    let padded = rest.get(more) == Some(&b'=');
    if padded { more.saturating_add(rest.iter().skip(more).take_while(|b| **b == b'=').count()) } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_goes_and_what_stays() {
        let redactor = Redactor::new();
        for (line, expected) in [
            ("password = hunter2", "password = ***"),
            ("  IncomingUser \"joe secret123456\"", "  IncomingUser \"***\""),
            ("{\"token\":\"abc def\",\"host\":\"a\"}", "{\"token\":\"***\",\"host\":\"a\"}"),
            ("curl https://joe:pa55@host/x?a=1", "curl https://joe:***@host/x?a=1"),
            ("mount -o username=a,password=b,vers=3", "mount -o username=a,password=***,vers=3"),
            ("sshd: Failed password for root from 10.0.0.1", "sshd: Failed password for root from 10.0.0.1"),
            (
                "user joe logged in with password hunter2 from 10.0.0.1",
                "user joe logged in with password *** from 10.0.0.1",
            ),
            (
                "* * * * * root /usr/bin/ipmitool -H b -U a -P hunter2 sdr",
                "* * * * * root /usr/bin/ipmitool -H b -U a -P *** sdr",
            ),
            ("fence_ipmilan -a 10.0.0.7 -phunter2 -o status", "fence_ipmilan -a 10.0.0.7 -p*** -o status"),
            ("mkdir -p /srv/x; fsck -p /dev/sda", "mkdir -p /srv/x; fsck -p /dev/sda"),
            (
                "<nvpair id=\"f-p\" name=\"passwd\" value=\"hunter2\"/><nvpair name=\"ip\" value=\"b\"/>",
                "<nvpair id=\"f-p\" name=\"passwd\" value=\"***\"/><nvpair name=\"ip\" value=\"b\"/>",
            ),
            ("the pw is hunter2", "the pw is ***"),
            ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
            ("root:$6$salt$hash:19000:0", "root:***:19000:0"),
            ("# old: Tr0ub4dor&3", "# old: ***"),
            ("rocommunity public 10.0.0.0/8", "rocommunity *** 10.0.0.0/8"),
            ("shared-secret \"x y\";", "shared-secret \"***\";"),
            ("iscsi/iqn.2026-11.io.esos:store1 lun 0", "iscsi/iqn.2026-11.io.esos:store1 lun 0"),
            ("token_retransmits_before_loss_const: 10", "token_retransmits_before_loss_const: 10"),
            ("PasswordAuthentication no", "PasswordAuthentication no"),
            ("corosync: A token was lost", "corosync: A token was lost"),
        ] {
            assert_eq!(redactor.scrub(line), expected);
        }
        let key = "a\n# -----BEGIN RSA PRIVATE KEY-----\n# MIIE\n# -----END RSA PRIVATE KEY-----\nb";
        assert_eq!(redactor.scrub(key), "a\n# *** (a private key)\nb");
    }

    proptest! {
        #[test]
        fn a_secret_that_it_knows_is_never_left(before in "[ -~]{0,20}", secret in "[a-zA-Z0-9!#%&+]{6,16}", after in "[ -~]{0,20}") {
            prop_assume!(!is_prose(&secret));
            let mut redactor = Redactor::new();
            redactor.learn(&secret);
            let text = format!("{before}{secret}{after}");
            prop_assert!(!redactor.scrub(&text).contains(&secret));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,200}") {
            let once = Redactor::new().scrub(&text);
            prop_assert!(once.lines().count() <= text.lines().count().max(1));
        }
    }
}
