//! Silence for a time, with a reason.
use crate::EventId;
use serde::{Deserialize, Serialize};

/// Events that are not mailed for a time. Their entries in the book go on; when the silence ends, one mail says
/// so, with what it hid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Silence {
    /// An id, or the beginning of ids followed by `*`: `raid/md/*`. `*` alone is everything.
    pub pattern: String,
    /// Why.
    pub reason: String,
    /// From when, in seconds since 1970.
    pub from: u64,
    /// Until when.
    pub until: u64,
    /// What came and went meanwhile.
    #[serde(default)]
    pub hidden: Vec<String>,
}

/// Why there is no such silence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SilenceError {
    /// The pattern is neither an id nor a beginning with `*`.
    #[error("`{0}` is neither an event nor a beginning of events such as `raid/*`")]
    Pattern(String),
    /// A silence must say why.
    #[error("a silence needs a reason")]
    Reason,
    /// It would end before it begins, or last longer than 30 days.
    #[error("a silence lasts from one second to 30 days, not {0} seconds")]
    Length(u64),
}

impl Silence {
    /// A silence from now on.
    ///
    /// # Errors
    /// The pattern makes no sense, there is no reason, or the time is 0 or more than 30 days.
    pub fn new(pattern: &str, reason: &str, now: u64, seconds: u64) -> Result<Self, SilenceError> {
        let (start, star) = pattern.strip_suffix('*').map_or((pattern, false), |p| (p, true));
        let plain = start.trim_end_matches('/');
        let fits = (star && start.is_empty()) || plain.parse::<EventId>().is_ok() && !start.contains('*');
        if !fits || (!star && plain != start) {
            return Err(SilenceError::Pattern(pattern.to_owned()));
        }
        if reason.trim().is_empty() {
            return Err(SilenceError::Reason);
        }
        if seconds == 0 || seconds > 30 * 86_400 {
            return Err(SilenceError::Length(seconds));
        }
        Ok(Self {
            pattern: pattern.to_owned(),
            reason: reason.trim().to_owned(),
            from: now,
            until: now.saturating_add(seconds),
            hidden: Vec::new(),
        })
    }

    /// Whether it covers an event.
    #[must_use]
    pub fn covers(&self, id: &EventId) -> bool {
        match self.pattern.strip_suffix('*') {
            Some(start) => id.as_str().starts_with(start),
            None => id.as_str() == self.pattern,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_covers() {
        let silence = |p| Silence::new(p, "drive swap", 100, 60);
        let id: EventId = "raid/md/md0".parse().unwrap();
        for (pattern, covers) in [("raid/*", true), ("*", true), ("raid/md/md0", true), ("raid/md", false)] {
            assert_eq!(silence(pattern).unwrap().covers(&id), covers, "{pattern}");
        }
        for bad in ["", "a b", "a*b*", "raid/", "*x"] {
            assert!(matches!(silence(bad), Err(SilenceError::Pattern(_))), "{bad}");
        }
        assert_eq!(Silence::new("*", " ", 0, 9), Err(SilenceError::Reason));
        assert!(Silence::new("*", "x", 0, 0).is_err() && Silence::new("*", "x", 0, 40 * 86_400).is_err());
    }
}
