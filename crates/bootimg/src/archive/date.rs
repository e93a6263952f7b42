//! Points in time, as archives write them.
use std::fmt;

/// Seconds since 1970-01-01 00:00:00 UTC. The time of a build is an argument; nobody here asks a clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(i64);

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

impl UnixTime {
    /// So many seconds since 1970.
    #[must_use]
    pub const fn new(seconds: i64) -> Self {
        Self(seconds)
    }

    /// Seconds since 1970.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }

    /// So many seconds later; saturates.
    #[must_use]
    pub const fn plus(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// Reads `Sat, 09 Aug 2025 08:30:17 UTC`, as `Date` and `Valid-Until` are written; the zone is one of
    /// `UTC`, `GMT`, `Z`, `+0000`.
    #[must_use]
    pub fn parse_rfc822(text: &str) -> Option<Self> {
        let rest = text.split_once(',').map_or(text, |(_, rest)| rest);
        let words: Vec<&str> = rest.split_ascii_whitespace().collect();
        let [day, month, year, clock, zone] = words.as_slice() else { return None };
        if !["UTC", "GMT", "Z", "+0000"].contains(zone) {
            return None;
        }
        let number = |word: &str, from: i64, to: i64| {
            let digits = !word.is_empty() && word.len() <= 4 && word.bytes().all(|b| b.is_ascii_digit());
            word.parse::<i64>().ok().filter(|n| digits && (from..=to).contains(n))
        };
        let year = number(year, 1970, 9999)?;
        let month = i64::try_from(MONTHS.iter().position(|m| m == month)?).ok()?;
        let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        let days_in = match month {
            1 if leap => 29,
            1 => 28,
            3 | 5 | 8 | 10 => 30,
            _ => 31,
        };
        let day = number(day, 1, days_in)?;
        let mut parts = clock.split(':');
        let hour = number(parts.next()?, 0, 23)?;
        let minute = number(parts.next()?, 0, 59)?;
        let second = number(parts.next()?, 0, 60)?;
        if parts.next().is_some() {
            return None;
        }
        // Years are counted from March, so that the leap day is the last of its year.
        let (y, m) = if month < 2 { (year - 1, month + 10) } else { (year, month - 2) };
        let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719_468;
        Some(Self(days * 86_400 + hour * 3600 + minute * 60 + second))
    }
}

impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, second) = (self.0.div_euclid(86_400), self.0.rem_euclid(86_400));
        let shifted = days.saturating_add(719_468);
        let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let m = (5 * of_year + 2) / 153;
        let day = of_year - (153 * m + 2) / 5 + 1;
        let month = if m < 10 { m + 3 } else { m - 9 };
        let year = era.saturating_mul(400).saturating_add(year_of_era + i64::from(month <= 2));
        let (h, min, s) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02} {h:02}:{min:02}:{s:02} UTC")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_dates() {
        for (text, seconds, iso) in [
            ("Thu, 01 Jan 1970 00:00:00 UTC", 0, "1970-01-01 00:00:00 UTC"),
            ("Sat, 09 Aug 2025 08:30:17 UTC", 1_754_728_217, "2025-08-09 08:30:17 UTC"),
            ("Thu, 29 Feb 2024 23:59:59 +0000", 1_709_251_199, "2024-02-29 23:59:59 UTC"),
        ] {
            assert_eq!(UnixTime::parse_rfc822(text), Some(UnixTime(seconds)), "{text}");
            assert_eq!(UnixTime(seconds).to_string(), iso);
        }
        for text in [
            "",
            "Sat, 09 Aug 2025",
            "29 Feb 2023 00:00:00 UTC",
            "1 Jan 2025 24:00:00 UTC",
            "1 Jan 2025 1:1:1 CET",
        ] {
            assert_eq!(UnixTime::parse_rfc822(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn printed_dates_read_back(seconds in 0i64..250_000_000_000) {
            let text = UnixTime(seconds).to_string();
            let (year, month, day) = (&text[..4], text[5..7].parse::<usize>().unwrap(), &text[8..10]);
            let mail = format!("x, {day} {} {year} {} UTC", MONTHS[month - 1], &text[11..19]);
            prop_assert_eq!(UnixTime::parse_rfc822(&mail), Some(UnixTime(seconds)));
        }

        #[test]
        fn never_panics(text in "\\PC{0,40}", seconds: i64) {
            let _either = UnixTime::parse_rfc822(&text);
            let _any = UnixTime(seconds).to_string();
        }
    }
}
