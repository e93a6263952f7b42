//! The kernel's device numbers.
use std::fmt;
use std::str::FromStr;

/// A block or character device's number, printed `major:minor` as in `/sys/block/*/dev`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DevNo {
    /// The driver's number, 12 bits in Linux.
    pub major: u32,
    /// The device's number at that driver, 20 bits in Linux.
    pub minor: u32,
}

#[cfg(feature = "serde")]
crate::serde_as_text!(DevNo);

impl fmt::Display for DevNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.major, self.minor)
    }
}

/// The text is not `major:minor`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a device number `major:minor`, found `{text}`")]
pub struct ParseDevNoError {
    /// What stood there.
    pub text: String,
}

impl FromStr for DevNo {
    type Err = ParseDevNoError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |t: &str| t.bytes().all(|b| b.is_ascii_digit()).then(|| t.parse().ok()).flatten();
        text.trim()
            .split_once(':')
            .and_then(|(major, minor)| Some(Self { major: number(major)?, minor: number(minor)? }))
            .ok_or_else(|| ParseDevNoError { text: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn print_then_parse_is_the_same(major in any::<u32>(), minor in any::<u32>()) {
            let d = DevNo { major, minor };
            prop_assert_eq!(d.to_string().parse(), Ok(d));
        }
        #[test]
        fn any_text_gives_an_answer(text in ".*") {
            let _answer = text.parse::<DevNo>();
        }
    }
}
