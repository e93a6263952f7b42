//! World wide names.
use std::fmt;
use std::str::FromStr;

/// A 64-bit world wide name of a port or node, or an NAA identifier of 64 or 128 bits.
///
/// Printed as lower-case hex pairs with colons (`21:00:00:24:ff:57:76:95`), as SCST and `fc_host` do;
/// read with or without colons, with `0x`, `naa.` or `wwn-0x` in front, in either case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wwn {
    value: u128,
    wide: bool,
}

#[cfg(feature = "serde")]
crate::serde_as_text!(Wwn);

impl Wwn {
    /// A 64-bit name.
    #[must_use]
    pub const fn from_u64(value: u64) -> Self {
        Self { value: value as u128, wide: false }
    }

    /// A 128-bit NAA identifier (type 6).
    #[must_use]
    pub const fn from_u128(value: u128) -> Self {
        Self { value, wide: true }
    }

    /// The name as a number; 64-bit names fill the lower half.
    #[must_use]
    pub const fn get(self) -> u128 {
        self.value
    }

    /// Whether it has 128 bits.
    #[must_use]
    pub const fn is_wide(self) -> bool {
        self.wide
    }

    /// Without colons: `5000c500a1b2c3d4`, as in `/dev/disk/by-id/wwn-0x…`.
    #[must_use]
    pub fn hex(self) -> String {
        if self.wide { format!("{:032x}", self.value) } else { format!("{:016x}", self.value) }
    }
}

impl fmt::Display for Wwn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.value.to_be_bytes();
        let bytes = if self.wide { &bytes[..] } else { &bytes[8..] };
        for (i, byte) in bytes.iter().enumerate() {
            write!(f, "{}{byte:02x}", if i == 0 { "" } else { ":" })?;
        }
        Ok(())
    }
}

/// The text is no world wide name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a world wide name of 16 or 32 hex digits, found `{text}`")]
pub struct ParseWwnError {
    /// What stood there.
    pub text: String,
}

impl FromStr for Wwn {
    type Err = ParseWwnError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let lower = text.trim().to_ascii_lowercase();
        let mut digits = lower.as_str();
        for prefix in ["wwn-", "naa.", "eui.", "0x"] {
            digits = digits.strip_prefix(prefix).unwrap_or(digits);
        }
        let digits: String = digits.chars().filter(|c| *c != ':').collect();
        let value = u128::from_str_radix(&digits, 16);
        match (digits.len(), value) {
            (16 | 32, Ok(value)) if !digits.starts_with('+') => Ok(Self { value, wide: digits.len() == 32 }),
            _ => Err(ParseWwnError { text: text.to_owned() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn print_then_parse_is_the_same(narrow in any::<u64>(), wide in any::<u128>()) {
            for w in [Wwn::from_u64(narrow), Wwn::from_u128(wide)] {
                prop_assert_eq!(w.to_string().parse(), Ok(w));
                prop_assert_eq!(w.hex().parse(), Ok(w));
            }
        }
        #[test]
        fn any_text_gives_an_answer(text in ".*") {
            let _answer = text.parse::<Wwn>();
        }
    }

    #[test]
    fn the_ways_tools_spell_it() {
        for t in [
            "wwn-0x5000c500a1b2c3d4",
            "naa.5000C500A1B2C3D4",
            "50:00:c5:00:a1:b2:c3:d4",
            "0x5000c500a1b2c3d4",
        ] {
            assert_eq!(t.parse::<Wwn>().unwrap().hex(), "5000c500a1b2c3d4");
        }
    }
}
