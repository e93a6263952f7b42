//! When the second stick is to be made like the first.

/// After a try that failed, the next one, in seconds.
const AGAIN_S: u64 = 30;

/// What there is to see of a stick that is kept as a mirror.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MirrorView {
    /// The identity of the stick that is kept.
    pub identity: String,
    /// Its node, where it is plugged in and can be read.
    pub device: Option<String>,
    /// When the stick of the box last had everything, in seconds since 1970: what is on it since then is not on the
    /// mirror yet.
    pub synced: u64,
}

/// Says when a mirror must be looked at: when it comes or goes, when there is something new for it, and again where it
/// did not take it.
///
/// ```
/// use esos_stickwatch::{MirrorView, MirrorWatch};
///
/// let mut watch = MirrorWatch::default();
/// let mut view = MirrorView { identity: "6d1c".into(), device: Some("/dev/sdb".into()), synced: 100 };
/// assert!(watch.look(100, &view));
/// watch.ended(102, true);
/// assert!(!watch.look(105, &view), "nothing is new");
/// view.device = None;
/// assert!(watch.look(108, &view), "somebody must be told that it is gone");
/// ```
#[derive(Debug, Clone, Default)]
pub struct MirrorWatch {
    /// What the last try began with.
    seen: Option<MirrorView>,
    /// When it failed, on a clock that nobody sets.
    failed: Option<u64>,
    runs: bool,
}

impl MirrorWatch {
    /// Whether a try begins now. `now` is in seconds, of a clock that nobody sets.
    pub fn look(&mut self, now: u64, view: &MirrorView) -> bool {
        if self.runs {
            return false;
        }
        // That it is still not there is no news.
        let again =
            view.device.is_some() && self.failed.is_some_and(|failed| now.saturating_sub(failed) >= AGAIN_S);
        let begins = again || self.seen.as_ref() != Some(view);
        if begins {
            self.seen = Some(view.clone());
            self.runs = true;
        }
        begins
    }

    /// The try ended, well or not.
    pub fn ended(&mut self, now: u64, well: bool) {
        self.runs = false;
        self.failed = (!well).then_some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn view(device: Option<&str>, synced: u64) -> MirrorView {
        MirrorView { identity: "a".into(), device: device.map(str::to_owned), synced }
    }

    #[test]
    fn what_fails_is_tried_again_and_what_is_gone_is_waited_for() {
        let mut watch = MirrorWatch::default();
        let here = view(Some("/dev/sdb"), 1);
        assert!(watch.look(10, &here));
        assert!(!watch.look(13, &view(Some("/dev/sdb"), 2)), "one at a time");
        watch.ended(20, false);
        assert!(watch.look(23, &view(Some("/dev/sdb"), 2)), "something new does not wait");
        watch.ended(25, false);
        assert!(!watch.look(54, &view(Some("/dev/sdb"), 2)));
        assert!(watch.look(55, &view(Some("/dev/sdb"), 2)));
        watch.ended(56, true);
        assert!(!watch.look(900, &view(Some("/dev/sdb"), 2)));
        assert!(watch.look(901, &view(None, 2)));
        watch.ended(902, false);
        assert!(!watch.look(2000, &view(None, 2)));
        assert!(watch.look(2001, &view(Some("/dev/sdc"), 2)));
        watch.ended(2002, true);
        let other = MirrorView { identity: "b".into(), ..view(Some("/dev/sdc"), 2) };
        assert!(watch.look(2003, &other), "another stick is kept");
    }

    proptest! {
        /// Whatever happens: never two at a time, and what is there and stays is tried until it has worked with the
        /// newest that there is.
        #[test]
        fn in_the_end_it_has_the_newest(steps in proptest::collection::vec((0u8..3, 0u64..4, any::<bool>()), 1..40)) {
            let (mut watch, mut now, mut last, mut had) = (MirrorWatch::default(), 0, view(None, 0), None);
            for (device, synced, well) in steps {
                now += 3;
                last = view([None, Some("/dev/sdb"), Some("/dev/sdc")][usize::from(device)], synced);
                if watch.look(now, &last) {
                    prop_assert!(!watch.look(now, &view(Some("x"), now)));
                    watch.ended(now, well);
                    had = (well && last.device.is_some()).then(|| last.clone());
                }
            }
            for _ in 0..11 {
                now += 3;
                if watch.look(now, &last) {
                    watch.ended(now, true);
                    had = Some(last.clone());
                }
            }
            prop_assert!(last.device.is_none() || had == Some(last));
        }
    }
}
