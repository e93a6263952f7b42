//! Debian versions, in dpkg's order.
//!
//! `[epoch:]upstream[-revision]`, deb-version(7). The order is that of dpkg's `lib/dpkg/version.c`
//! (1.21): epochs as numbers, then upstream, then revision, each as turns of a part without digits and a
//! part of digits; `~` sorts before the end, letters before everything else.
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// A checked version.
///
/// Two versions may be equal and yet be written differently (`1.0` and `0:1.00-0`), so a version is not
/// hashed, and what is printed is what was read.
#[derive(Debug, Clone)]
pub struct Version(Box<str>);

/// A text that is no version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no Debian version: {why}")]
pub struct VersionError {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl Version {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a text is a version.
///
/// # Errors
/// [`VersionError`] with what is wrong.
pub fn check(text: &str) -> Result<(), VersionError> {
    let no = |why| Err(VersionError { text: text.chars().take(100).collect(), why });
    if text.is_empty() {
        return no("it is empty");
    }
    if let Some((epoch, _)) = text.split_once(':')
        && (epoch.is_empty() || !epoch.bytes().all(|b| b.is_ascii_digit()) || epoch.parse::<i32>().is_err())
    {
        return no("the epoch before `:` is no number up to 2147483647");
    }
    let (_, upstream, revision) = parts(text);
    // dpkg only warns about an upstream version that begins with a letter, and real ones do.
    if upstream.is_empty() {
        return no("there is no upstream version");
    }
    if text.ends_with('-') {
        return no("the revision behind `-` is empty");
    }
    let plain = |b: u8| b.is_ascii_alphanumeric() || b".+~".contains(&b);
    if !upstream.bytes().all(|b| plain(b) || b == b'-' || b == b':') || !revision.bytes().all(plain) {
        return no("only letters, digits and . + - ~ : may be in it");
    }
    Ok(())
}

/// Epoch, upstream version, revision. A missing epoch is `0`, a missing revision empty.
fn parts(text: &str) -> (&str, &str, &str) {
    let (epoch, rest) = text.split_once(':').unwrap_or(("0", text));
    let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, ""));
    (epoch, upstream, revision)
}

/// Compares two versions as dpkg does. Total for any two texts; meant for texts that [`check`] accepts.
///
/// ```
/// use esos_bootimg::archive::version::compare;
/// assert!(compare("1.0~rc1-1", "1.0-1").is_lt());
/// assert!(compare("1:0.1", "9.9").is_gt());
/// assert!(compare("1.0", "1.00-0").is_eq());
/// ```
#[must_use]
pub fn compare(a: &str, b: &str) -> Ordering {
    let (epoch_a, upstream_a, revision_a) = parts(a);
    let (epoch_b, upstream_b, revision_b) = parts(b);
    digits(epoch_a.as_bytes(), epoch_b.as_bytes())
        .then_with(|| fragment(upstream_a.as_bytes(), upstream_b.as_bytes()))
        .then_with(|| fragment(revision_a.as_bytes(), revision_b.as_bytes()))
}

fn fragment(mut a: &[u8], mut b: &[u8]) -> Ordering {
    while !a.is_empty() || !b.is_empty() {
        let (word_a, word_b);
        (word_a, a) = split(a, |c| !c.is_ascii_digit());
        (word_b, b) = split(b, |c| !c.is_ascii_digit());
        let words = (0..word_a.len().max(word_b.len()))
            .map(|n| weight(word_a.get(n)).cmp(&weight(word_b.get(n))))
            .find(|o| o.is_ne());
        if let Some(order) = words {
            return order;
        }
        let (number_a, number_b);
        (number_a, a) = split(a, u8::is_ascii_digit);
        (number_b, b) = split(b, u8::is_ascii_digit);
        let order = digits(number_a, number_b);
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

fn split(text: &[u8], belongs: impl Fn(&u8) -> bool) -> (&[u8], &[u8]) {
    let end = text.iter().position(|c| !belongs(c)).unwrap_or(text.len());
    text.split_at(end)
}

// `~` before the end of the word, that before letters, and those before everything else.
fn weight(c: Option<&u8>) -> u16 {
    match c {
        Some(b'~') => 0,
        None => 1,
        Some(c) if c.is_ascii_alphabetic() => u16::from(*c).saturating_add(1),
        Some(c) => u16::from(*c).saturating_add(257),
    }
}

// Numbers of any length.
fn digits(a: &[u8], b: &[u8]) -> Ordering {
    let (_, a) = split(a, |c| *c == b'0');
    let (_, b) = split(b, |c| *c == b'0');
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        check(text).map(|()| Self(text.into()))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Version {}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        compare(&self.0, &other.0)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use esos_exec::{Cmd, HostRunner, Runner};
    use proptest::prelude::*;
    use proptest::strategy::ValueTree;

    /// Versions that collide often.
    pub(crate) fn version() -> impl Strategy<Value = String> {
        let upstream = "[0-2a~.+]{0,4}[0-9][0a~.+-]{0,3}";
        (prop::option::of(0..3u8), upstream, prop::option::of("[0-1a~+.]{1,3}"))
            .prop_map(|(epoch, upstream, revision)| {
                let epoch = epoch.map(|e| format!("{e}:")).unwrap_or_default();
                format!("{epoch}{upstream}{}", revision.map(|r| format!("-{r}")).unwrap_or_default())
            })
            .prop_filter("is a version", |v| check(v).is_ok())
    }

    #[test]
    fn known_orders() {
        let rising = [
            "0~~",
            "0~~a",
            "0~",
            "0",
            "0a",
            "0+",
            "0.1~rc1",
            "0.1",
            "0.1a",
            "0.1+b1",
            "0.9",
            "0.10",
            "1.0-1~deb12u1",
            "1.0-1",
            "1.0-1+b1",
            "1.0-1+deb12u1",
            "1.0-1.1",
            "1.0-2",
            "1.0-10",
            "1:0.1",
            "2:0~",
            "10:0",
        ];
        for pair in rising.windows(2) {
            assert_eq!(compare(pair[0], pair[1]), Ordering::Less, "{pair:?}");
        }
        assert_eq!(compare("00:1.01-0", "1.1"), Ordering::Equal);
        assert_eq!(
            compare("1.99999999999999999999999999999", "1.100000000000000000000000000000"),
            Ordering::Less
        );
    }

    #[test]
    fn what_is_no_version() {
        for text in
            ["", ":1", "a:1", "-1:1", "1-", "1 2", "1_2", "-1", "1-2_3", "3000000000:1", "\u{e4}", "1:"]
        {
            assert!(check(text).is_err(), "{text:?}");
        }
        for text in ["0", "1:2:3-4", "1-2-3", "r31-1", "1+dfsg~rc1-0.1+b2"] {
            assert!(check(text).is_ok(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn the_order_is_total(a in version(), b in version(), c in version()) {
            prop_assert_eq!(compare(&a, &a), Ordering::Equal);
            prop_assert_eq!(compare(&a, &b), compare(&b, &a).reverse());
            if compare(&a, &b).is_le() && compare(&b, &c).is_le() {
                prop_assert!(compare(&a, &c).is_le());
            }
        }

        #[test]
        fn any_text_is_checked(text in "\\PC{0,12}", other in "\\PC{0,12}") {
            let _either = check(&text);
            prop_assert_eq!(compare(&text, &other), compare(&other, &text).reverse());
        }
    }

    /// Against dpkg itself, several pairs at a time; nothing is compared where dpkg is not installed.
    #[test]
    fn the_order_is_dpkgs() {
        if HostRunner.run(&Cmd::new("/usr/bin/dpkg").arg("--version")).is_err() {
            println!("skipped: no dpkg here to compare with");
            return;
        }
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        for _ in 0..200 {
            let (a, b) = (version(), version()).new_tree(&mut runner).unwrap().current();
            let ours = compare(&a, &b);
            let word = match ours {
                Ordering::Less => "lt",
                Ordering::Equal => "eq",
                Ordering::Greater => "gt",
            };
            let out = HostRunner
                .run(&Cmd::new("/usr/bin/dpkg").args(["--compare-versions", &a, word, &b]))
                .unwrap();
            assert!(out.status.success(), "dpkg does not say {a} {word} {b}: {}", out.error_text());
        }
    }
}
