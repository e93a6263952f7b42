//! Progress and use in percent.
use std::fmt;
use std::str::FromStr;

/// 0.00 to 100.00 percent, in hundredths, so that thresholds compare without rounding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Percent(u16);

#[cfg(feature = "serde")]
crate::serde_as_text!(Percent);

/// Not a percentage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected 0 to 100 percent with at most two decimals, found `{text}`")]
pub struct PercentError {
    /// What stood there.
    pub text: String,
}

impl Percent {
    /// Hundredths of a percent, 0 to 10000.
    ///
    /// # Errors
    /// Above 10000.
    pub fn from_hundredths(hundredths: u16) -> Result<Self, PercentError> {
        if hundredths > 10_000 {
            return Err(PercentError { text: format!("{}.{:02}", hundredths / 100, hundredths % 100) });
        }
        Ok(Self(hundredths))
    }

    /// Which part `of` a whole `part` is, rounded down; 100 % for a whole of nothing.
    #[must_use]
    pub fn of(part: u64, whole: u64) -> Self {
        if whole == 0 || part >= whole {
            return Self(10_000);
        }
        Self(u16::try_from(u128::from(part) * 10_000 / u128::from(whole)).unwrap_or(10_000))
    }

    /// In hundredths of a percent, 0 to 10000.
    #[must_use]
    pub const fn hundredths(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 / 100, self.0 % 100) {
            (whole, 0) => write!(f, "{whole}%"),
            (whole, rest) if rest % 10 == 0 => write!(f, "{whole}.{}%", rest / 10),
            (whole, rest) => write!(f, "{whole}.{rest:02}%"),
        }
    }
}

impl FromStr for Percent {
    type Err = PercentError;

    fn from_str(text: &str) -> Result<Self, PercentError> {
        let error = || PercentError { text: text.to_owned() };
        let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
        let number = text.trim().trim_end_matches('%').trim_end();
        let (whole, frac) = number.split_once('.').unwrap_or((number, "0"));
        if whole.is_empty() || frac.is_empty() || frac.len() > 2 || !digits(whole) || !digits(frac) {
            return Err(error());
        }
        let whole: u16 = whole.parse().map_err(|_overflow| error())?;
        let hundredths: u16 = format!("{frac:0<2}").parse().map_err(|_overflow| error())?;
        let total = whole.checked_mul(100).and_then(|w| w.checked_add(hundredths)).ok_or_else(error)?;
        Self::from_hundredths(total).map_err(|_range| error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_prints_and_parses() {
        for h in 0..=10_000 {
            let p = Percent::from_hundredths(h).unwrap();
            assert_eq!(p.to_string().parse(), Ok(p));
        }
        assert!("100.01".parse::<Percent>().is_err());
        assert!("-1".parse::<Percent>().is_err());
        assert_eq!(Percent::of(1, 3).to_string(), "33.33%");
        assert_eq!(Percent::of(0, 0).hundredths(), 10_000);
    }
}
