//! Sizes with the tool's meaning of GB.
use serde::Serialize;

/// What a tool means by a unit. Most print `GB` and mean GiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unit {
    /// 2^10 bytes.
    KiB,
    /// 2^20 bytes.
    MiB,
    /// 2^30 bytes.
    GiB,
    /// 2^40 bytes.
    TiB,
    /// 2^50 bytes.
    PiB,
    /// 10^3 bytes.
    KB,
    /// 10^6 bytes.
    MB,
    /// 10^9 bytes.
    GB,
    /// 10^12 bytes.
    TB,
}

impl Unit {
    /// Its spelling.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::KiB => "KiB",
            Self::MiB => "MiB",
            Self::GiB => "GiB",
            Self::TiB => "TiB",
            Self::PiB => "PiB",
            Self::KB => "KB",
            Self::MB => "MB",
            Self::GB => "GB",
            Self::TB => "TB",
        }
    }

    fn bytes(self) -> u128 {
        match self {
            Self::KiB => 1 << 10,
            Self::MiB => 1 << 20,
            Self::GiB => 1 << 30,
            Self::TiB => 1 << 40,
            Self::PiB => 1 << 50,
            Self::KB => 1_000,
            Self::MB => 1_000_000,
            Self::GB => 1_000_000_000,
            Self::TB => 1_000_000_000_000,
        }
    }

    fn of(word: &str, binary: bool) -> Option<Self> {
        Some(match (word, binary) {
            ("KiB", _) | ("KB" | "kB" | "K", true) => Self::KiB,
            ("MiB", _) | ("MB" | "M", true) => Self::MiB,
            ("GiB", _) | ("GB" | "G", true) => Self::GiB,
            ("TiB", _) | ("TB" | "T", true) => Self::TiB,
            ("PiB", _) | ("PB", true) => Self::PiB,
            ("KB" | "kB", false) => Self::KB,
            ("MB", false) => Self::MB,
            ("GB", false) => Self::GB,
            ("TB", false) => Self::TB,
            _ => return None,
        })
    }
}

impl Serialize for Unit {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.as_str())
    }
}

/// A size as printed, and what it means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Size {
    /// As printed.
    pub text: String,
    /// What the tool means by its unit.
    pub unit: Unit,
    /// The printed number times the unit, in bytes, rounded half to even.
    pub bytes: u64,
    /// In bytes, where the tool prints sectors or blocks too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_exact: Option<u64>,
}

impl Size {
    /// A size of a tool that prints GB and means GiB.
    pub(crate) fn binary(text: &str) -> Option<Self> {
        Self::read(text, true)
    }

    /// A size of a tool that prints GB and means 10^9 bytes.
    pub(crate) fn decimal(text: &str) -> Option<Self> {
        Self::read(text, false)
    }

    /// A bare number of which the column's title says the unit.
    pub(crate) fn in_unit(text: &str, unit: Unit) -> Option<Self> {
        let bytes = times(text.trim(), unit)?;
        Some(Self { text: text.trim().to_owned(), unit, bytes, bytes_exact: None })
    }

    /// A count of blocks as `/proc/mdstat` prints it.
    pub(crate) fn blocks(count: u64) -> Option<Self> {
        let bytes = count.checked_mul(1024)?;
        let text = count.to_string() + " blocks";
        Some(Self { text, unit: Unit::KiB, bytes, bytes_exact: Some(bytes) })
    }

    /// With the exact number of bytes beside it.
    pub(crate) fn exact(mut self, bytes: Option<u64>) -> Self {
        self.bytes_exact = bytes.or(self.bytes_exact);
        self
    }

    fn read(text: &str, binary: bool) -> Option<Self> {
        let text = text.trim();
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, word) = text.split_at_checked(end)?;
        let unit = Unit::of(word.trim(), binary)?;
        Some(Self { text: text.to_owned(), unit, bytes: times(number, unit)?, bytes_exact: None })
    }
}

/// A decimal number times a unit, rounded half to even, without floating point.
fn times(number: &str, unit: Unit) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || fraction.len() > 12 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let scale = 10u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let whole: u128 = whole.parse().ok()?;
    let part: u128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    let all = whole.checked_mul(scale)?.checked_add(part)?.checked_mul(unit.bytes())?;
    let (quotient, rest) = (all / scale, all % scale);
    let up = rest * 2 > scale || (rest * 2 == scale && quotient % 2 == 1);
    u64::try_from(quotient.checked_add(u128::from(up))?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tools_meaning_of_gb_decides() {
        assert_eq!(Size::binary("837.258 GB").unwrap().bytes, 898_998_932_079);
        assert_eq!(Size::decimal("750.2GB").unwrap().bytes, 750_200_000_000);
        assert_eq!(Size::binary("476416MB").unwrap().unit, Unit::MiB);
        assert!(Size::binary("- GB").is_none() && Size::binary("1.2.3 GB").is_none());
        assert!(Size::binary("99999999999999999999999999999999999999 TB").is_none());
    }
}
