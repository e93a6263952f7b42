//! What is left on a medium when its power is cut.
use std::collections::BTreeMap;

/// One thing that was done to a medium.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Op {
    Create(String),
    Write(String, Vec<u8>),
    Sync(String),
    Rename(String, String),
    Remove(String),
    SyncDir,
}

/// What was done to a medium, in order.
#[derive(Debug, Clone, Default)]
pub struct Ops(pub(crate) Vec<Op>);

/// How the power is cut: after so many operations, and what becomes of those that no flush had made sure of.
#[derive(Debug, Clone, Copy)]
pub struct Cut {
    /// Operations that were done.
    pub after: usize,
    /// Decides what of the unflushed reached the medium: any part of the data, any of the changes of names.
    pub seed: u64,
}

#[derive(Debug, Clone, Default)]
struct Content {
    /// On the medium for sure.
    sure: Vec<u8>,
    /// As the box saw it.
    all: Vec<u8>,
}

impl Ops {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The files that a medium, which held `before`, has after a cut. Of data that was not flushed any beginning is
    /// there, then zeros or rubbish; of changes of names that were not flushed any may be missing, in any order.
    #[must_use]
    pub fn cut(&self, before: &BTreeMap<String, Vec<u8>>, cut: Cut) -> BTreeMap<String, Vec<u8>> {
        let mut random = Random(cut.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678);
        let sure = |bytes: &Vec<u8>| Content { sure: bytes.clone(), all: bytes.clone() };
        let mut contents: BTreeMap<u64, Content> = BTreeMap::new();
        let mut live: BTreeMap<String, u64> = BTreeMap::new();
        for ((name, bytes), number) in before.iter().zip(0u64..) {
            contents.insert(number, sure(bytes));
            live.insert(name.clone(), number);
        }
        let mut next = before.len() as u64;
        let mut durable = live.clone();
        // Changes since the last flush of the directory: names, and what each then meant. A rename is one change:
        // ext4 journals both of its names together.
        let mut pending: Vec<Vec<(String, Option<u64>)>> = Vec::new();
        for op in self.0.iter().take(cut.after) {
            match op {
                Op::Create(name) => {
                    contents.insert(next, Content::default());
                    live.insert(name.clone(), next);
                    pending.push(vec![(name.clone(), Some(next))]);
                    next = next.saturating_add(1);
                }
                Op::Write(name, bytes) => {
                    if let Some(content) = live.get(name).and_then(|n| contents.get_mut(n)) {
                        content.all.extend_from_slice(bytes);
                    }
                }
                Op::Sync(name) => {
                    if let Some(content) = live.get(name).and_then(|n| contents.get_mut(n)) {
                        content.sure.clone_from(&content.all);
                    }
                }
                Op::Rename(from, to) => {
                    if let Some(number) = live.remove(from) {
                        live.insert(to.clone(), number);
                        pending.push(vec![(from.clone(), None), (to.clone(), Some(number))]);
                    }
                }
                Op::Remove(name) => {
                    live.remove(name);
                    pending.push(vec![(name.clone(), None)]);
                }
                Op::SyncDir => {
                    durable.clone_from(&live);
                    pending.clear();
                }
            }
        }
        if !pending.is_empty() && random.next().is_multiple_of(4) {
            pending.reverse();
        }
        for (name, number) in pending.into_iter().filter(|_| random.next().is_multiple_of(2)).flatten() {
            match number {
                Some(number) => durable.insert(name, number),
                None => durable.remove(&name),
            };
        }
        let files = durable.into_iter().filter_map(|(name, number)| {
            let content = contents.get(&number)?;
            Some((name, random.torn(content)))
        });
        files.collect()
    }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn torn(&mut self, content: &Content) -> Vec<u8> {
        if content.sure == content.all {
            return content.all.clone();
        }
        let (sure, all) = (content.sure.len(), content.all.len());
        let span = (all.saturating_sub(sure) as u64).saturating_add(1);
        let there = sure.saturating_add(usize::try_from(self.next() % span).unwrap_or(0));
        let mut bytes = content.all.get(..there).unwrap_or_default().to_vec();
        match self.next() % 3 {
            0 => {}
            1 => bytes.resize(all, 0),
            _ => {
                while bytes.len() < all {
                    let rubbish = self.next().to_le_bytes();
                    bytes.extend_from_slice(&rubbish);
                }
                bytes.truncate(all);
            }
        }
        bytes
    }
}
