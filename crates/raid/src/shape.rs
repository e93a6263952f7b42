//! Level arithmetic: what a set of drives can become, before a tool is asked.
use crate::Level;

/// Why drives cannot become an array of a level.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShapeError {
    /// Too few drives.
    #[error("{level} needs {needed} drives at least, {given} are given")]
    TooFew {
        /// The level.
        level: String,
        /// How many it needs.
        needed: u64,
        /// How many there are.
        given: u64,
    },
    /// The drives do not divide into spans.
    #[error("{given} drives do not divide into {spans} equal spans")]
    Uneven {
        /// How many drives.
        given: u64,
        /// How many spans.
        spans: u64,
    },
    /// A spanned level needs two spans or more, others one.
    #[error("{level} is not made of {spans} spans")]
    Spans {
        /// The level.
        level: String,
        /// How many spans.
        spans: u64,
    },
    /// No drive is given twice.
    #[error("drive {drive} is given twice")]
    Twice {
        /// The drive.
        drive: String,
    },
    /// The level cannot be created.
    #[error("an array of level {level} cannot be created")]
    Level {
        /// The level.
        level: String,
    },
}

/// How many of the drives hold data, so that capacity is that times the smallest drive; or why the
/// drives cannot become that array. `spans` is 1 for levels that are not spanned.
///
/// # Errors
/// Too few drives, or a span shape that the level does not have.
pub fn data_drives(level: &Level, drives: u64, spans: u64) -> Result<u64, ShapeError> {
    let name = level.as_str().to_owned();
    let (least, parity, spanned) = match level {
        Level::Raid0 => (1, 0, false),
        Level::Raid1 => (2, 0, false),
        Level::Raid5 => (3, 1, false),
        Level::Raid6 => (4, 2, false),
        Level::Raid10 => (2, 0, true),
        Level::Raid50 => (3, 1, true),
        Level::Raid60 => (4, 2, true),
        _ => return Err(ShapeError::Level { level: name }),
    };
    if spans == 0 || spanned != (spans > 1) {
        return Err(ShapeError::Spans { level: name, spans });
    }
    if !drives.is_multiple_of(spans) {
        return Err(ShapeError::Uneven { given: drives, spans });
    }
    let each = drives / spans;
    if each < least {
        return Err(ShapeError::TooFew { level: name, needed: least * spans, given: drives });
    }
    Ok(match level {
        Level::Raid1 => 1,
        Level::Raid10 if each % 2 == 1 => return Err(ShapeError::Uneven { given: each, spans: 2 }),
        Level::Raid10 => drives / 2,
        _ => drives - parity * spans,
    })
}

/// The spans that a spanned level has by itself: mirrors of two for RAID 10, else two.
#[must_use]
pub fn natural_spans(level: &Level, drives: u64) -> u64 {
    match level {
        Level::Raid10 => (drives / 2).max(1),
        Level::Raid50 | Level::Raid60 => 2,
        _ => 1,
    }
}

/// That no drive is given twice.
///
/// # Errors
/// The first drive that is.
pub fn distinct(drives: &[String]) -> Result<(), ShapeError> {
    for (i, drive) in drives.iter().enumerate() {
        if drives.iter().skip(i.saturating_add(1)).any(|other| other == drive) {
            return Err(ShapeError::Twice { drive: drive.clone() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arithmetic_of_levels() {
        assert_eq!(data_drives(&Level::Raid5, 4, 1), Ok(3));
        assert_eq!(data_drives(&Level::Raid60, 8, 2), Ok(4));
        assert_eq!(data_drives(&Level::Raid10, 6, 3), Ok(3));
        assert!(data_drives(&Level::Raid6, 3, 1).is_err());
        assert!(data_drives(&Level::Raid10, 4, 1).is_err());
        assert!(data_drives(&Level::Raid50, 7, 2).is_err());
        assert!(data_drives(&Level::Raid10, 6, 2).is_err());
        assert!(distinct(&["252:1".to_owned(), "252:1".to_owned()]).is_err());
    }
}
