//! Sizes: [`Bytes`] and 512-byte [`Sectors`].
use std::fmt;
use std::str::FromStr;

/// A number of bytes, exact.
///
/// `Display` prints the greatest IEC unit (`KiB` … `EiB`) in which the number has at most one decimal
/// exactly, and plain `B` where it has none, so that what is printed reads back as the same number.
/// [`Bytes::human`] rounds instead. `FromStr` accepts `B`, decimal units (`kB MB GB TB PB`) and IEC
/// units; a bare `G` is refused because tools disagree about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct Bytes(u64);

const IEC: [(&str, u32); 6] = [("EiB", 60), ("PiB", 50), ("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];

impl Bytes {
    /// That many bytes.
    #[must_use]
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// That many KiB; saturates at the greatest value.
    #[must_use]
    pub const fn kib(n: u64) -> Self {
        Self(n.saturating_mul(1 << 10))
    }

    /// That many MiB; saturates at the greatest value.
    #[must_use]
    pub const fn mib(n: u64) -> Self {
        Self(n.saturating_mul(1 << 20))
    }

    /// That many GiB; saturates at the greatest value.
    #[must_use]
    pub const fn gib(n: u64) -> Self {
        Self(n.saturating_mul(1 << 30))
    }

    /// The number of bytes.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Whole 512-byte sectors; a partial sector at the end is not counted.
    #[must_use]
    pub const fn whole_sectors(self) -> Sectors {
        Sectors(self.0 / 512)
    }

    /// The sum, or `None` where it does not fit.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The difference, or zero.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// Rounded down to one decimal of the greatest IEC unit that is not above it, for people:
    /// `1.8 TiB`. Never rounds up past what is there.
    #[must_use]
    pub fn human(self) -> String {
        for (name, shift) in IEC {
            let unit = 1u64 << shift;
            if self.0 >= unit {
                let tenths = u128::from(self.0) * 10 / u128::from(unit);
                return format!("{}.{} {name}", tenths / 10, tenths % 10);
            }
        }
        format!("{} B", self.0)
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, shift) in IEC {
            let unit = 1u128 << shift;
            let ten = u128::from(self.0) * 10;
            if u128::from(self.0) >= unit && ten.is_multiple_of(unit) {
                let tenths = ten / unit;
                let (whole, rest) = (tenths / 10, tenths % 10);
                let text =
                    if rest == 0 { format!("{whole} {name}") } else { format!("{whole}.{rest} {name}") };
                return f.pad(&text);
            }
        }
        f.pad(&format!("{} B", self.0))
    }
}

/// Why a text is not a size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseBytesError {
    /// No number in front.
    #[error("expected a number with a unit such as `10 GiB`, found `{text}`")]
    NoNumber {
        /// The whole text.
        text: String,
    },
    /// A unit of which tools disagree how much it is, or one that is none.
    #[error("`{unit}` is no unit of size; write B, KiB, MiB, GiB, TiB (binary) or kB, MB, GB, TB (decimal)")]
    Unit {
        /// The word after the number.
        unit: String,
    },
    /// Not a whole number of bytes.
    #[error("`{text}` is not a whole number of bytes")]
    Fraction {
        /// The whole text.
        text: String,
    },
    /// Above 2^64 - 1 bytes.
    #[error("`{text}` is more than 16 EiB")]
    TooLarge {
        /// The whole text.
        text: String,
    },
}

impl FromStr for Bytes {
    type Err = ParseBytesError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let t = text.trim();
        let end = t.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(t.len());
        let (number, unit) = t.split_at(end);
        let (whole, frac) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() || frac.contains('.') || frac.len() > 18 {
            return Err(ParseBytesError::NoNumber { text: text.to_owned() });
        }
        let scale: u128 = match unit.trim() {
            "B" | "" => 1,
            "kB" => 1_000,
            "MB" => 1_000_000,
            "GB" => 1_000_000_000,
            "TB" => 1_000_000_000_000,
            "PB" => 1_000_000_000_000_000,
            other => match IEC.iter().find(|(name, _)| *name == other) {
                Some((_, shift)) => 1u128 << shift,
                None => return Err(ParseBytesError::Unit { unit: other.to_owned() }),
            },
        };
        let too_large = || ParseBytesError::TooLarge { text: text.to_owned() };
        let whole: u128 = whole.parse().map_err(|_overflow| too_large())?;
        let mut total = whole.checked_mul(scale).ok_or_else(too_large)?;
        if !frac.is_empty() {
            let digits: u128 = frac.parse().map_err(|_overflow| too_large())?;
            let denominator = 10u128.pow(u32::try_from(frac.len()).unwrap_or(18));
            let part = digits.checked_mul(scale).ok_or_else(too_large)?;
            if !part.is_multiple_of(denominator) {
                return Err(ParseBytesError::Fraction { text: text.to_owned() });
            }
            total = total.checked_add(part / denominator).ok_or_else(too_large)?;
        }
        u64::try_from(total).map(Bytes).map_err(|_overflow| too_large())
    }
}

/// A number of 512-byte sectors, the kernel's unit in `/sys/block/*/size` whatever the medium's own
/// sector size is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct Sectors(u64);

impl Sectors {
    /// That many 512-byte sectors.
    #[must_use]
    pub const fn new(sectors: u64) -> Self {
        Self(sectors)
    }

    /// The number of sectors.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// As bytes, or `None` where that does not fit in 64 bits.
    #[must_use]
    pub fn bytes(self) -> Option<Bytes> {
        self.0.checked_mul(512).map(Bytes)
    }
}

impl fmt::Display for Sectors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for Sectors {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.trim().parse().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_bare_g_is_refused_with_the_units() {
        let error = "10G".parse::<Bytes>().unwrap_err().to_string();
        assert!(error.contains("`G`") && error.contains("GiB"), "{error}");
    }

    #[test]
    fn people_never_see_more_than_there_is() {
        assert_eq!(Bytes::new((1 << 30) - 1).human(), "1023.9 MiB");
        assert_eq!(Bytes::new(u64::MAX).human(), "15.9 EiB");
        assert_eq!("1.5 GB".parse(), Ok(Bytes::new(1_500_000_000)));
        assert!("0.3 B".parse::<Bytes>().is_err());
        assert!("99 EiB".parse::<Bytes>().is_err());
    }

    proptest! {
        #[test]
        fn print_then_parse_is_the_same(n in any::<u64>(), shift in 0u32..60) {
            for b in [Bytes::new(n), Bytes::new((n >> shift) << shift)] {
                prop_assert_eq!(b.to_string().parse::<Bytes>(), Ok(b));
            }
        }

        #[test]
        fn any_text_gives_an_answer(text in ".*") {
            let _answer = text.parse::<Bytes>();
        }
    }
}
