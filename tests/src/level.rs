//! Which tests that boot machines run.
use std::str::FromStr;

/// How much of the virtual-machine tests was asked for by `ESOS_VM`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// None: the variable is not set, or `none`.
    None,
    /// `offline`: tiny guests, and images of packages that the tests make.
    Offline,
    /// `ci`: one image, one boot for each firmware.
    Ci,
    /// `all`.
    All,
}

/// The word names no level.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("ESOS_VM: expected none, offline, ci or all, found `{text}`")]
pub struct ParseLevelError {
    /// What stood there.
    pub text: String,
}

impl FromStr for Level {
    type Err = ParseLevelError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "" | "none" => Ok(Self::None),
            "offline" => Ok(Self::Offline),
            "ci" => Ok(Self::Ci),
            "all" => Ok(Self::All),
            _ => Err(ParseLevelError { text: text.to_owned() }),
        }
    }
}

/// Whether tests of this level were asked for; a test that was not says that it is skipped.
///
/// # Panics
/// On a value of `ESOS_VM` that is no level, since nothing would run and all would seem well.
#[must_use]
#[expect(clippy::panic, reason = "a misspelt variable must fail the test")]
pub fn allowed(test: &str, level: Level) -> bool {
    let text = std::env::var("ESOS_VM").unwrap_or_default();
    let asked = text.parse::<Level>().unwrap_or_else(|error| panic!("{error}"));
    if asked < level {
        skip(test, &format!("needs ESOS_VM={}", if level == Level::All { "all" } else { "ci" }));
    }
    asked >= level
}

/// Says that a test is skipped, and why.
#[expect(clippy::print_stdout, reason = "the summary of `make test` counts these lines")]
pub fn skip(test: &str, why: &str) {
    println!("skipped: {test}: {why}");
}
