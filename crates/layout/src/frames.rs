//! The index of a root image.
//!
//! The root image is one file of independently compressed zstd frames. Their decompressed contents,
//! one after the other, are one tar (PAX), so `zstd -dc root.tar.zst | tar -t` reads it. Every frame
//! holds whole tar entries. Frame 0 holds all directories (with their owners, modes and times); the
//! frames behind it hold everything else and may be unpacked in any order after it, a hard link always
//! lies in the frame of the file that it links to; the last frame ends with the two zero blocks of tar.
//!
//! The index is text, one line a frame behind a line that names the format:
//!
//! ```text
//! esos-root-index 1
//! <packed bytes> <unpacked bytes> <entries> <sha256 of the packed bytes> <name>
//! ```
//!
//! Offsets follow from the sizes; frames lie one behind the other from byte 0. `name` is the package
//! (`libc6`), with `+k` for further frames of one package, or a word in angle brackets
//! (`<directories>`, `<esos>`, `<end>`).
use std::fmt;
use std::str::FromStr;

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Bytes in the file.
    pub packed: u64,
    /// Bytes of tar in it.
    pub unpacked: u64,
    /// Tar entries in it (PAX headers are part of their entry).
    pub entries: u64,
    /// SHA-256 of the packed bytes.
    pub sha256: [u8; 32],
    /// Whose files it holds.
    pub name: String,
}

/// All frames in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Index {
    /// The frames; the first holds the directories.
    pub frames: Vec<Frame>,
}

/// First line of an index.
pub const MAGIC: &str = "esos-root-index 1";

impl Index {
    /// Offset of each frame in the file, with the frame. Saturates on sizes that cannot be.
    pub fn with_offsets(&self) -> impl Iterator<Item = (u64, &Frame)> {
        self.frames.iter().scan(0u64, |at, frame| {
            let offset = *at;
            *at = at.saturating_add(frame.packed);
            Some((offset, frame))
        })
    }

    /// Bytes of the whole tar.
    #[must_use]
    pub fn unpacked(&self) -> u64 {
        self.frames.iter().fold(0, |sum, f| sum.saturating_add(f.unpacked))
    }

    /// Bytes of the whole file.
    #[must_use]
    pub fn packed(&self) -> u64 {
        self.frames.iter().fold(0, |sum, f| sum.saturating_add(f.packed))
    }
}

impl fmt::Display for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{MAGIC}")?;
        for frame in &self.frames {
            write!(f, "{} {} {} ", frame.packed, frame.unpacked, frame.entries)?;
            for byte in frame.sha256 {
                write!(f, "{byte:02x}")?;
            }
            writeln!(f, " {}", frame.name)?;
        }
        Ok(())
    }
}

/// What is wrong with an index.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("root index, line {line}: expected {expected}, found `{found}`")]
pub struct ParseIndexError {
    /// The line, from 1.
    pub line: usize,
    /// What should stand there.
    pub expected: &'static str,
    /// What stands there.
    pub found: String,
}

impl FromStr for Index {
    type Err = ParseIndexError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error =
            |line: usize, expected, found: &str| ParseIndexError { line, expected, found: found.to_owned() };
        let mut lines = text.lines();
        let first = lines.next().unwrap_or("");
        if first != MAGIC {
            return Err(error(1, MAGIC, first));
        }
        if !text.ends_with('\n') {
            return Err(error(
                text.lines().count(),
                "a line end behind the last frame",
                lines.last().unwrap_or(first),
            ));
        }
        let mut frames = Vec::new();
        for (i, line) in lines.enumerate() {
            let line_no = i.saturating_add(2);
            let expected = "`<packed> <unpacked> <entries> <sha256> <name>`";
            let frame = parse_frame(line).ok_or_else(|| error(line_no, expected, line))?;
            frames.push(frame);
        }
        Ok(Self { frames })
    }
}

fn parse_frame(line: &str) -> Option<Frame> {
    let mut words = line.splitn(5, ' ');
    let mut number = || {
        let word = words.next()?;
        word.bytes().all(|b| b.is_ascii_digit()).then(|| word.parse::<u64>().ok()).flatten()
    };
    let (packed, unpacked, entries) = (number()?, number()?, number()?);
    let hex = words.next().filter(|h| h.len() == 64 && h.bytes().all(|b| b.is_ascii_hexdigit()))?;
    let mut sha256 = [0; 32];
    for (i, byte) in sha256.iter_mut().enumerate() {
        let at = i.checked_mul(2)?;
        *byte = u8::from_str_radix(hex.get(at..at.checked_add(2)?)?, 16).ok()?;
    }
    let name = words.next().filter(|n| !n.is_empty())?.to_owned();
    Some(Frame { packed, unpacked, entries, sha256, name })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    prop_compose! {
        fn frame()(packed in any::<u64>(), unpacked in any::<u64>(), entries in any::<u64>(), sha256 in any::<[u8; 32]>(), name in "[a-z<>+0-9.-]{1,20}") -> Frame {
            Frame { packed, unpacked, entries, sha256, name }
        }
    }

    proptest! {
        #[test]
        fn print_then_parse_is_the_same(frames in proptest::collection::vec(frame(), 0..5)) {
            let index = Index { frames };
            prop_assert_eq!(index.to_string().parse(), Ok(index));
        }

        #[test]
        fn any_text_gives_an_answer(text in ".*") {
            let _answer = text.parse::<Index>();
        }

        #[test]
        fn a_cut_index_is_not_a_shorter_one(frames in proptest::collection::vec(frame(), 1..4), cut in 1usize..200) {
            let text = Index { frames: frames.clone() }.to_string();
            let keep = text.len().saturating_sub(cut);
            if let Ok(short) = text[..keep].parse::<Index>() {
                prop_assert!(text[..keep].ends_with('\n'), "{:?}", short);
            }
        }
    }
}
