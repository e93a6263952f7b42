//! Logical unit numbers.
use std::fmt;
use std::str::FromStr;

/// A logical unit number as SCST has them: 0 to 16383 (`SCST_MAX_LUN`, the 14 bits of the flat
/// addressing method of SAM).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "u32", into = "u32")
)]
pub struct Lun(u16);

/// A number or a text that is no LUN.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LunError {
    /// Above 16383.
    #[error("LUN {0} is out of range; LUNs are 0 to 16383")]
    OutOfRange(u64),
    /// Not a decimal number.
    #[error("expected a LUN (0 to 16383), found `{0}`")]
    NotANumber(String),
}

impl Lun {
    /// The greatest LUN.
    pub const MAX: Self = Self(16383);

    /// A LUN.
    ///
    /// # Errors
    /// [`LunError::OutOfRange`] above 16383.
    pub fn new(number: u32) -> Result<Self, LunError> {
        match u16::try_from(number) {
            Ok(n) if n <= Self::MAX.0 => Ok(Self(n)),
            _ => Err(LunError::OutOfRange(number.into())),
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0 as u32
    }
}

impl TryFrom<u32> for Lun {
    type Error = LunError;

    fn try_from(number: u32) -> Result<Self, LunError> {
        Self::new(number)
    }
}

impl From<Lun> for u32 {
    fn from(lun: Lun) -> Self {
        lun.get()
    }
}

impl fmt::Display for Lun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for Lun {
    type Err = LunError;

    fn from_str(text: &str) -> Result<Self, LunError> {
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(LunError::NotANumber(text.to_owned()));
        }
        let number: u64 = text.parse().unwrap_or(u64::MAX);
        u32::try_from(number).map_err(|_overflow| LunError::OutOfRange(number)).and_then(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_one_is_16383() {
        assert_eq!("16383".parse::<Lun>().map(Lun::get), Ok(16383));
        assert_eq!("16384".parse::<Lun>(), Err(LunError::OutOfRange(16384)));
        assert_eq!("+1".parse::<Lun>(), Err(LunError::NotANumber("+1".into())));
        assert!("99999999999999999999".parse::<Lun>().is_err());
        for n in 0..=16383 {
            let lun = Lun::new(n).unwrap();
            assert_eq!(lun.to_string().parse(), Ok(lun));
        }
    }
}
