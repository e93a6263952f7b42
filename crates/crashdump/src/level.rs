//! Dump levels, with makedumpfile's numbers.
use std::fmt;
use std::str::FromStr;

/// Which pages a dump leaves out: the sum of 1 (zero pages), 2 (cache), 4 (cache with private data), 8 (user
/// processes) and 16 (free), as makedumpfile's `-d`.
///
/// ```
/// use esos_crashdump::Level;
///
/// let level: Level = "31".parse()?;
/// assert!(level.zero() && level.free());
/// assert!("32".parse::<Level>().is_err());
/// # Ok::<(), esos_crashdump::LevelError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Level(u8);

/// A dump level that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("dump level {0:?}: expected a number from 0 (everything) to 31 (the least)")]
pub struct LevelError(String);

impl Level {
    /// Only what an analysis of the kernel needs.
    pub const LEAST: Self = Self(31);
    /// All memory.
    pub const ALL: Self = Self(0);

    /// Checks the number.
    ///
    /// # Errors
    /// [`LevelError`] above 31.
    pub fn new(level: u8) -> Result<Self, LevelError> {
        if level > 31 { Err(LevelError(level.to_string())) } else { Ok(Self(level)) }
    }

    /// The number, 0 to 31.
    #[must_use]
    pub fn get(self) -> u8 {
        self.0
    }

    /// Pages of zeros are written once for all.
    #[must_use]
    pub fn zero(self) -> bool {
        self.0 & 1 != 0
    }

    /// Page cache without private data is left out.
    #[must_use]
    pub fn cache(self) -> bool {
        self.0 & 2 != 0
    }

    /// Page cache is left out, private data or not.
    #[must_use]
    pub fn cache_private(self) -> bool {
        self.0 & 4 != 0
    }

    /// Memory of user processes is left out.
    #[must_use]
    pub fn user(self) -> bool {
        self.0 & 8 != 0
    }

    /// Free pages are left out.
    #[must_use]
    pub fn free(self) -> bool {
        self.0 & 16 != 0
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Level {
    type Err = LevelError;

    fn from_str(text: &str) -> Result<Self, LevelError> {
        text.parse().ok().filter(|n| *n <= 31).map(Self).ok_or_else(|| LevelError(text.to_owned()))
    }
}
