//! The index files that kmod maps into memory (`modules.dep.bin` and its kin).
//!
//! A compressed trie over 7-bit keys. A file starts with the magic number 0xB007F457, the version
//! 0x00020001 and the offset of the root; all numbers are big-endian. An offset carries in its high
//! bits what its node has: a prefix (1<<31), values (1<<30), children (1<<29). A node is its prefix
//! with a NUL, the range of its children's first bytes with an offset for each, and its values by
//! rising priority. Nodes are written in pre-order, as depmod does. (kmod's `libkmod-index.c`, index
//! version 2.1, read by every kmod since 3.)
use std::collections::BTreeMap;

const MAGIC: u32 = 0xB007_F457;
const VERSION: u32 = 0x0002_0001;
const HAS_PREFIX: u32 = 1 << 31;
const HAS_VALUES: u32 = 1 << 30;
const HAS_CHILDREN: u32 = 1 << 29;

/// A trie that is being filled.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Trie {
    root: Node,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Node {
    prefix: Vec<u8>,
    values: Vec<(u32, Vec<u8>)>,
    children: BTreeMap<u8, Node>,
}

impl Trie {
    /// Adds a value under a key; several values of one key are kept by rising priority, and where
    /// priorities are equal the later one stands first, as depmod has it.
    ///
    /// Keys outside 7-bit ASCII cannot be in an index: `false` comes back and nothing is added.
    pub(crate) fn insert(&mut self, key: &[u8], value: &[u8], priority: u32) -> bool {
        if !key.is_ascii() || !value.is_ascii() || key.contains(&0) || value.contains(&0) {
            return false;
        }
        let mut node = &mut self.root;
        let mut rest = key;
        loop {
            let common = node.prefix.iter().zip(rest).take_while(|(a, b)| a == b).count();
            node.split(common);
            rest = rest.get(common..).unwrap_or_default();
            let Some((first, tail)) = rest.split_first() else {
                node.add(value, priority);
                return true;
            };
            node = node
                .children
                .entry(*first)
                .or_insert_with(|| Node { prefix: tail.to_vec(), ..Node::default() });
            rest = tail;
        }
    }

    /// The file.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend(MAGIC.to_be_bytes());
        out.extend(VERSION.to_be_bytes());
        out.extend((12 | self.root.mask()).to_be_bytes());
        self.root.write(&mut out);
        out
    }
}

impl Node {
    /// Cuts the prefix behind `keep` bytes; what was there becomes a child.
    fn split(&mut self, keep: usize) {
        if let Some(byte) = self.prefix.get(keep).copied() {
            let mut child = std::mem::take(self);
            self.prefix = child.prefix.get(..keep).unwrap_or_default().to_vec();
            child.prefix.drain(..=keep);
            self.children.insert(byte, child);
        }
    }

    fn add(&mut self, value: &[u8], priority: u32) {
        let at = self.values.partition_point(|(p, _)| *p < priority);
        self.values.insert(at, (priority, value.to_vec()));
    }

    fn range(&self) -> Option<(u8, u8)> {
        Some((*self.children.keys().next()?, *self.children.keys().next_back()?))
    }

    fn mask(&self) -> u32 {
        let flag = |on, bit| if on { bit } else { 0 };
        flag(!self.prefix.is_empty(), HAS_PREFIX)
            | flag(!self.values.is_empty(), HAS_VALUES)
            | flag(!self.children.is_empty(), HAS_CHILDREN)
    }

    fn write(&self, out: &mut Vec<u8>) {
        if !self.prefix.is_empty() {
            out.extend(&self.prefix);
            out.push(0);
        }
        let mut slots = None;
        if let Some((first, last)) = self.range() {
            out.extend([first, last]);
            slots = Some((first, out.len()));
            let count = usize::from(last.abs_diff(first)).saturating_add(1);
            out.resize(out.len().saturating_add(count.saturating_mul(4)), 0);
        }
        if !self.values.is_empty() {
            out.extend((self.values.len() as u32).to_be_bytes());
            for (priority, value) in &self.values {
                out.extend(priority.to_be_bytes());
                out.extend(value);
                out.push(0);
            }
        }
        for (byte, child) in &self.children {
            let offset = (out.len() as u32) | child.mask();
            let slot = slots
                .map(|(first, at)| at.saturating_add(usize::from(byte.abs_diff(first)).saturating_mul(4)));
            let slot = slot.and_then(|at| out.get_mut(at..at.checked_add(4)?));
            if let Some(slot) = slot {
                slot.copy_from_slice(&offset.to_be_bytes());
            }
            child.write(out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reads a file back by the format's rules, as kmod does.
    fn lookup(file: &[u8], key: &[u8]) -> Vec<(u32, Vec<u8>)> {
        let word = |at: usize| u32::from_be_bytes(file[at..at + 4].try_into().unwrap());
        let text = |at: usize| file[at..].split(|b| *b == 0).next().unwrap().to_vec();
        assert_eq!((word(0), word(4)), (MAGIC, VERSION));
        let (mut offset, mut rest) = (word(8), key);
        loop {
            let mut at = (offset & 0x0fff_ffff) as usize;
            if offset & HAS_PREFIX != 0 {
                let prefix = text(at);
                at += prefix.len() + 1;
                match rest.strip_prefix(&prefix[..]) {
                    Some(tail) => rest = tail,
                    None => return vec![],
                }
            }
            let mut children = (0, 0, at);
            if offset & HAS_CHILDREN != 0 {
                children = (file[at], file[at + 1], at + 2);
                at += 2 + 4 * (usize::from(children.1 - children.0) + 1);
            }
            let Some((first, tail)) = rest.split_first() else {
                let mut values = Vec::new();
                if offset & HAS_VALUES != 0 {
                    let count = word(at);
                    at += 4;
                    for _ in 0..count {
                        let value = text(at + 4);
                        values.push((word(at), value.clone()));
                        at += 5 + value.len();
                    }
                }
                return values;
            };
            if offset & HAS_CHILDREN == 0 || !(children.0..=children.1).contains(first) {
                return vec![];
            }
            offset = word(children.2 + 4 * usize::from(first - children.0));
            if offset == 0 {
                return vec![];
            }
            rest = tail;
        }
    }

    #[test]
    fn an_empty_index_is_a_header() {
        assert_eq!(Trie::default().to_bytes(), [0xB0, 0x07, 0xF4, 0x57, 0, 2, 0, 1, 0, 0, 0, 12]);
    }

    #[test]
    fn what_is_not_ascii_stays_out() {
        let mut trie = Trie::default();
        assert!(!trie.insert("käse".as_bytes(), b"x", 0));
        assert_eq!(trie, Trie::default());
    }

    proptest! {
        #[test]
        fn every_key_is_found_with_its_values(entries in proptest::collection::vec(("[ab]{0,4}[a-d]{0,2}", "[x-z]{0,2}", 0u32..4), 0..40)) {
            let mut trie = Trie::default();
            let mut expected: BTreeMap<String, Vec<(u32, Vec<u8>)>> = BTreeMap::new();
            for (key, value, priority) in &entries {
                prop_assert!(trie.insert(key.as_bytes(), value.as_bytes(), *priority));
                let values = expected.entry(key.clone()).or_default();
                let at = values.partition_point(|(p, _)| p < priority);
                values.insert(at, (*priority, value.as_bytes().to_vec()));
            }
            let file = trie.to_bytes();
            for (key, values) in &expected {
                prop_assert_eq!(&lookup(&file, key.as_bytes()), values, "{}", key);
            }
            prop_assert_eq!(lookup(&file, b"zz"), vec![]);
        }
    }
}
