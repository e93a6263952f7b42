//! Limits that are compared as they are.
use crate::{Before, Status};

/// A share of a whole against two limits in percent. What was bad at the last look stays so until it is `slack` percent
/// below its limit. Nothing is rounded.
pub(crate) fn share(part: u64, whole: u64, [warn, crit]: [u64; 2], before: Option<Status>) -> Status {
    const SLACK: u64 = 5;
    let above = |percent: u64| u128::from(part) * 100 > u128::from(whole) * u128::from(percent);
    let limit = |percent: u64, held: bool| if held { percent.saturating_sub(SLACK) } else { percent };
    if whole == 0 {
        return Status::Unknown;
    }
    if above(limit(crit, before == Some(Status::Crit))) {
        Status::Crit
    } else if above(limit(warn, matches!(before, Some(Status::Crit | Status::Warn)))) {
        Status::Warn
    } else {
        Status::Ok
    }
}

/// A time against two limits, in the same unit. What was bad at the last look stays so until it is below half of its
/// limit.
pub(crate) fn longer(time: u64, [warn, crit]: [u64; 2], before: Option<Status>) -> Status {
    let limit = |limit: u64, held: bool| if held { limit / 2 } else { limit };
    if time > limit(crit, before == Some(Status::Crit)) {
        Status::Crit
    } else if time > limit(warn, matches!(before, Some(Status::Crit | Status::Warn))) {
        Status::Warn
    } else {
        Status::Ok
    }
}

/// How it was at the last look.
pub(crate) fn was(before: &Before, key: [&str; 3]) -> Option<Status> {
    before.0.iter().find(|f| f.key() == key).map(|f| f.status)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_rounding_and_no_flapping(part in 0u64..2000, before in 0u8..3) {
            let before = [None, Some(Status::Warn), Some(Status::Crit)][usize::from(before)];
            let now = share(part, 1000, [80, 90], before);
            if before.is_none() {
                let right = if part > 900 { Status::Crit } else if part > 800 { Status::Warn } else { Status::Ok };
                prop_assert_eq!(now, right);
            }
            // Looked at again with nothing changed, it says the same.
            let held = Some(now).filter(|s| *s != Status::Ok);
            prop_assert_eq!(share(part, 1000, [80, 90], held), now);
            let limits = [300, 900];
            let now = longer(part, limits, before);
            if before.is_none() {
                let right = if part > 900 { Status::Crit } else if part > 300 { Status::Warn } else { Status::Ok };
                prop_assert_eq!(now, right);
            }
            prop_assert_eq!(longer(part, limits, Some(now).filter(|s| *s != Status::Ok)), now);
        }
    }
}
