//! `InRelease`: the signed list of an archive's indexes.
use super::date::UnixTime;
use super::deb822::{Comments, paragraphs};
use esos_diag::ParseError;
use esos_fetch::Sha256;
use std::collections::BTreeMap;

/// What a suite's signed list says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// `Suite`, such as `stable`.
    pub suite: String,
    /// `Codename`, such as `trixie`.
    pub codename: String,
    /// `Date`: when it was signed.
    pub date: UnixTime,
    /// `Valid-Until`, where there is one.
    pub valid_until: Option<UnixTime>,
    /// `Acquire-By-Hash`: indexes may be got by their hash.
    pub by_hash: bool,
    /// The indexes: path below the suite, size in bytes, hash.
    pub files: BTreeMap<String, (u64, Sha256)>,
}

impl Release {
    /// Reads the text that was signed.
    ///
    /// # Errors
    /// [`ParseError`] with the line.
    pub fn parse(origin: &str, text: &str) -> Result<Self, ParseError> {
        let wrong = |at: usize, expected: &str| ParseError::at(origin, text, at, expected);
        let mut all = paragraphs(origin, text, Comments::Refused);
        let release = all.next().ok_or_else(|| wrong(0, "the fields of a Release file"))??;
        if let Some(more) = all.next() {
            return Err(wrong(more?.offset, "one paragraph only"));
        }
        let place = |value: &str| (value.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
        let get = |name: &str| release.get(name).unwrap_or_default().to_owned();
        let date = |name: &str| match release.get(name) {
            None => Ok(None),
            Some(value) => match UnixTime::parse_rfc822(value) {
                Some(time) => Ok(Some(time)),
                None => Err(wrong(place(value), "a date such as `Sat, 09 Aug 2025 08:30:17 UTC`")),
            },
        };
        let mut files = BTreeMap::new();
        let list = release.field("SHA256").ok_or_else(|| wrong(release.offset, "a list `SHA256:`"))?;
        for line in list.lines() {
            let mut words = line.split_ascii_whitespace();
            let entry = (words.next(), words.next(), words.next(), words.next());
            let (Some(hash), Some(size), Some(path), None) = entry else {
                return Err(wrong(place(line), "a hash, a size and a path"));
            };
            let (Ok(hash), Ok(size)) = (hash.parse::<Sha256>(), size.parse::<u64>()) else {
                return Err(wrong(place(line), "a SHA-256, a size and a path"));
            };
            files.insert(path.to_owned(), (size, hash));
        }
        Ok(Self {
            suite: get("Suite"),
            codename: get("Codename"),
            date: date("Date")?.ok_or_else(|| wrong(release.offset, "a field `Date:`"))?,
            valid_until: date("Valid-Until")?,
            by_hash: release.get("Acquire-By-Hash") == Some("yes"),
            files,
        })
    }

    /// Refuses a list of another suite, from the future, or expired. `now` may be an hour behind.
    ///
    /// # Errors
    /// [`ReleaseError`] with what is wrong.
    pub fn check(&self, origin: &str, suite: &str, now: UnixTime) -> Result<(), ReleaseError> {
        let origin = || origin.to_owned();
        if self.suite != suite && self.codename != suite {
            let found = if self.codename.is_empty() { &self.suite } else { &self.codename };
            return Err(ReleaseError::OtherSuite {
                origin: origin(),
                wanted: suite.to_owned(),
                found: found.clone(),
            });
        }
        if self.date > now.plus(3600) {
            return Err(ReleaseError::Future { origin: origin(), date: self.date, now });
        }
        match self.valid_until {
            Some(until) if until < now => Err(ReleaseError::Expired { origin: origin(), until, now }),
            _ => Ok(()),
        }
    }
}

/// Why a signed list is not used, although its signature is good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReleaseError {
    /// It is of another suite.
    #[error("{origin} is of suite `{found}`, expected `{wanted}`")]
    OtherSuite {
        /// Where it came from.
        origin: String,
        /// The suite asked for.
        wanted: String,
        /// The suite it is of.
        found: String,
    },
    /// Its date lies ahead.
    #[error("{origin} is dated {date}, and it is {now} now: set the clock of this host")]
    Future {
        /// Where it came from.
        origin: String,
        /// Its date.
        date: UnixTime,
        /// The time of the build.
        now: UnixTime,
    },
    /// It is no longer valid.
    #[error(
        "{origin} was valid until {until}, and it is {now} now: the mirror is not kept up, use another one"
    )]
    Expired {
        /// Where it came from.
        origin: String,
        /// Its last second.
        until: UnixTime,
        /// The time of the build.
        now: UnixTime,
    },
    /// A newer one was seen before.
    #[error(
        "{origin} is of {date}, and one of {seen} was seen there before: the mirror went back, or somebody replays it"
    )]
    Older {
        /// Where it came from.
        origin: String,
        /// Its date.
        date: UnixTime,
        /// The date seen before.
        seen: UnixTime,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn text() -> String {
        format!(
            "Suite: stable\nCodename: trixie\nDate: Sat, 09 Aug 2025 08:30:17 UTC\n\
             Valid-Until: Sat, 16 Aug 2025 08:30:17 UTC\nAcquire-By-Hash: yes\nMD5Sum:\n abc 0 x\nSHA256:\n {HASH} 0 main/binary-amd64/Packages\n"
        )
    }

    #[test]
    fn what_it_says() {
        let release = Release::parse("InRelease", &text()).unwrap();
        assert_eq!(release.files["main/binary-amd64/Packages"], (0, Sha256::of(b"")));
        assert!(release.by_hash);
        let date = release.date;
        let check = |suite, now| release.check("m", suite, now);
        assert_eq!(check("trixie", date), Ok(()));
        assert_eq!(check("stable", date), Ok(()));
        assert!(matches!(check("bookworm", date), Err(ReleaseError::OtherSuite { .. })));
        assert!(matches!(check("trixie", date.plus(-3601)), Err(ReleaseError::Future { .. })));
        assert!(matches!(check("trixie", date.plus(7 * 86_400 + 1)), Err(ReleaseError::Expired { .. })));
    }

    #[test]
    fn errors_name_the_line() {
        let wrong =
            |from: &str, to: &str| Release::parse("m", &text().replace(from, to)).unwrap_err().to_string();
        assert!(wrong("Sat, 09", "Sat, 32").starts_with("m:3:7: expected a date"));
        assert!(wrong(" 0 main/", " main/").starts_with("m:9:2: expected a hash"));
        assert!(wrong("e3b0", "e3b").starts_with("m:9:2: expected a SHA-256"));
        assert!(wrong("SHA256:", "SHA1:").starts_with("m:1:1: expected a list"));
        assert!(wrong("Date:", "Day:").starts_with("m:1:1: expected a field `Date:`"));
        assert!(wrong("MD5Sum", "\nMD5Sum").starts_with("m:7:1: expected one paragraph only"));
    }
}
