//! One bit per page frame of a window.

/// Page frames of one window, 1 GiB of memory: the greatest block that the kernel hands out whole, so what a
/// page excludes lies in its own window.
pub const WINDOW: u64 = 1 << 18;

/// The page frames of a window that are set.
#[derive(Clone, PartialEq, Eq)]
pub struct Bitmap {
    words: Vec<u64>,
}

impl Bitmap {
    /// No frame is set.
    #[must_use]
    pub fn new() -> Self {
        Self { words: vec![0; (WINDOW / 64) as usize] }
    }

    /// Whether the frame is set; the index counts from the window's start.
    #[must_use]
    pub fn get(&self, index: u64) -> bool {
        self.words.get((index / 64) as usize).is_some_and(|w| w >> (index % 64) & 1 == 1)
    }

    /// Sets the frames of `from..to`, as far as they lie in the window.
    pub fn set(&mut self, from: u64, to: u64) {
        self.change(from, to, |word, mask| *word |= mask);
    }

    /// Clears the frames of `from..to`, as far as they lie in the window.
    pub fn clear(&mut self, from: u64, to: u64) {
        self.change(from, to, |word, mask| *word &= !mask);
    }

    fn change(&mut self, from: u64, to: u64, with: impl Fn(&mut u64, u64)) {
        let to = to.min(WINDOW);
        let mut at = from;
        while at < to {
            let n = (64 - at % 64).min(to - at);
            let mask = (u64::MAX >> (64 - n)) << (at % 64);
            if let Some(word) = self.words.get_mut((at / 64) as usize) {
                with(word, mask);
            }
            at += n;
        }
    }

    /// How many frames are set.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.words.iter().map(|w| u64::from(w.count_ones())).sum()
    }

    /// How many frames below `index` are set.
    #[must_use]
    pub fn rank(&self, index: u64) -> u64 {
        let whole = (index / 64) as usize;
        let below: u64 = self.words.iter().take(whole).map(|w| u64::from(w.count_ones())).sum();
        let part = self.words.get(whole).map_or(0, |w| w & !(u64::MAX << (index % 64)));
        below + u64::from(part.count_ones())
    }

    /// How many of the `len` frames from `index` are set.
    #[must_use]
    pub fn count_in(&self, index: u64, len: u64) -> u64 {
        let to = index.saturating_add(len).min(WINDOW);
        if len == 1 || index >= to {
            return if len == 0 { 0 } else { u64::from(self.get(index)) };
        }
        let (first, last) = ((index / 64) as usize, (to / 64) as usize);
        let below = |at: u64, word: Option<&u64>| {
            word.map_or(0, |w| u64::from((w & !(u64::MAX << (at % 64))).count_ones()))
        };
        let words = self.words.get(first..last).unwrap_or_default();
        let all: u64 = words.iter().map(|w| u64::from(w.count_ones())).sum();
        (all + below(to, self.words.get(last))).saturating_sub(below(index, self.words.get(first)))
    }

    /// The frames that are set, in order.
    pub fn iter(&self) -> impl Iterator<Item = u64> {
        self.words.iter().zip(0..).flat_map(|(word, i)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                let bit = u64::from(left.trailing_zeros());
                left &= left.checked_sub(1)?;
                Some(i * 64 + bit)
            })
        })
    }

    /// As a dump file has it: least significant bit first.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.words.iter().flat_map(|w| w.to_le_bytes()).collect()
    }

    /// Back from [`Bitmap::to_bytes`]; what is not there is not set.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut map = Self::new();
        for (word, bytes) in map.words.iter_mut().zip(bytes.chunks(8)) {
            *word = crate::bytes::number(bytes);
        }
        map
    }
}

impl Default for Bitmap {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Bitmap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bitmap({} of {WINDOW})", self.count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_bitmap_is_a_set_of_frames(
            ranges in prop::collection::vec((0..1000_u64, 0..300_u64, any::<bool>()), 0..12),
            probe in 0..1400_u64,
        ) {
            let mut map = Bitmap::new();
            let mut set = std::collections::BTreeSet::new();
            for (from, len, on) in ranges {
                if on { map.set(from, from + len) } else { map.clear(from, from + len) }
                for i in from..from + len {
                    if on { set.insert(i); } else { set.remove(&i); }
                }
            }
            prop_assert_eq!(map.count(), set.len() as u64);
            prop_assert_eq!(map.rank(probe), set.range(..probe).count() as u64);
            for len in [0, 1, 2, 63, 64, 65, 500] {
                let there = set.range(probe..probe + len).count() as u64;
                prop_assert_eq!(map.count_in(probe, len), there, "{} {}", probe, len);
            }
            prop_assert_eq!(map.get(probe), set.contains(&probe));
            prop_assert!(map.iter().eq(set.iter().copied()));
            prop_assert_eq!(Bitmap::from_bytes(&map.to_bytes()), map);
        }
    }
}
