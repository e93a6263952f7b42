//! GRUB's environment block, read exactly as GRUB reads it (`grub-core/lib/envblk.c`, 2.06 and 2.12): what
//! Linux takes for whole and what GRUB takes for whole must be the same.
//!
//! ```
//! use esos_layout::EnvBlock;
//!
//! let block = EnvBlock::print(&[("slot_ver", "1.0")], 512).unwrap_or_default();
//! assert_eq!(EnvBlock::parse(&block).unwrap().text("slot_ver"), "1.0");
//! ```

use crate::state::SIGNATURE;

/// Names and values of a block, in order. Where a name stands twice, the later value counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvBlock(pub Vec<(Vec<u8>, Vec<u8>)>);

impl EnvBlock {
    /// Reads a block; `None` where its signature is damaged (GRUB refuses it then). A last line without
    /// an end is left out, `\` takes the next byte as it is, a NUL ends a value.
    #[must_use]
    pub fn parse(block: &[u8]) -> Option<Self> {
        let mut rest = block.strip_prefix(SIGNATURE.as_bytes())?;
        let mut out = Vec::new();
        while let Some(first) = rest.first() {
            if *first != b'#' {
                let Some(equals) = rest.iter().position(|b| *b == b'=') else { break };
                let (name, tail) = rest.split_at(equals);
                let tail = tail.get(1..).unwrap_or_default();
                let Some((value, after)) = value(tail) else { break };
                out.push((c_string(name), c_string(&value)));
                rest = after;
            } else {
                rest = value(rest).map_or(&[], |(_, after)| after);
            }
        }
        Some(Self(out))
    }

    /// The value of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        let named = |(n, _): &&(Vec<u8>, Vec<u8>)| n == name.as_bytes();
        self.0.iter().rev().find(named).map(|(_, value)| &value[..])
    }

    /// The value of a name as text; empty where there is none or it is no UTF-8, as an unset variable is
    /// empty in GRUB.
    #[must_use]
    pub fn text(&self, name: &str) -> &str {
        self.get(name).and_then(|v| std::str::from_utf8(v).ok()).unwrap_or("")
    }

    /// Prints a block of `len` bytes, filled up with `#`. `None` where it does not fit.
    #[must_use]
    pub fn print(names: &[(&str, &str)], len: usize) -> Option<Vec<u8>> {
        let escape = |value: &str| value.replace('\\', "\\\\").replace('\n', "\\\n");
        let lines = names.iter().map(|(name, value)| format!("{name}={}\n", escape(value)));
        let mut out = lines.fold(SIGNATURE.as_bytes().to_vec(), |mut out, line| {
            out.extend_from_slice(line.as_bytes());
            out
        });
        (out.len() <= len).then(|| {
            out.resize(len, b'#');
            out
        })
    }
}

/// A value up to its line end, unescaped, and what is behind; `None` where the block ends before it.
fn value(bytes: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut out = Vec::new();
    let mut rest = bytes;
    loop {
        match rest {
            [b'\n', after @ ..] => return Some((out, after)),
            [b'\\', next, after @ ..] => {
                out.push(*next);
                rest = after;
            }
            [b'\\'] | [] => return None,
            [byte, after @ ..] => {
                out.push(*byte);
                rest = after;
            }
        }
    }
}

fn c_string(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().copied().take_while(|b| *b != 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_rest_is_filled() {
        let plain = EnvBlock::print(&[("a", "b")], 64).unwrap();
        assert!(plain.ends_with(b"a=b\n###################################"));
        assert_eq!(EnvBlock::print(&[("a", "b")], 20), None);
    }

    proptest! {
        #[test]
        fn print_then_parse_is_the_same(values in proptest::collection::vec("[ -~\n]{0,12}", 0..6)) {
            let names: Vec<String> = (0..values.len()).map(|n| format!("v{n}")).collect();
            let pairs: Vec<(&str, &str)> = names.iter().map(|n| &n[..]).zip(values.iter().map(|v| &v[..])).collect();
            let block = EnvBlock::parse(&EnvBlock::print(&pairs, 512).unwrap()).unwrap();
            prop_assert_eq!(block.0.len(), pairs.len());
            for (name, value) in pairs {
                prop_assert_eq!(block.text(name), value);
            }
        }

        #[test]
        fn any_bytes_give_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _answer = EnvBlock::parse(&[SIGNATURE.as_bytes(), &bytes].concat());
        }
    }
}
