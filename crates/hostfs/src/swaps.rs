//! What is used as swap.
use crate::mountinfo::unescape;
use esos_diag::ParseError;
use esos_units::Bytes;

/// One line of `/proc/swaps` (proc_swaps(5)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swap {
    /// The device or file.
    pub path: String,
    /// Whether it is a file and not a device.
    pub is_file: bool,
    /// How much it holds.
    pub size: Bytes,
    /// How much of it is used.
    pub used: Bytes,
}

impl Swap {
    /// Reads a whole `/proc/swaps`.
    ///
    /// ```
    /// use esos_hostfs::Swap;
    ///
    /// let text = "Filename\t\t\tType\t\tSize\t\tUsed\t\tPriority\n/dev/sda3                               partition\t1048572\t\t512\t\t-2\n";
    /// let swaps = Swap::parse_all("/proc/swaps", text)?;
    /// assert_eq!((swaps[0].path.as_str(), swaps[0].used.get()), ("/dev/sda3", 524_288));
    /// # Ok::<(), esos_diag::ParseError>(())
    /// ```
    ///
    /// # Errors
    /// The line that is no swap, or a text without the heading.
    pub fn parse_all(origin: &str, text: &str) -> Result<Vec<Self>, ParseError> {
        let mut swaps = Vec::new();
        let mut offset = 0usize;
        for (i, line) in text.split_inclusive('\n').enumerate() {
            let error = |what| ParseError::at(origin, text, offset, what);
            if i == 0 {
                line.starts_with("Filename").then_some(()).ok_or_else(|| error("the heading `Filename`"))?;
            } else {
                swaps.push(parse_line(line).ok_or_else(|| error("`path type size used priority`"))?);
            }
            offset = offset.saturating_add(line.len());
        }
        Ok(swaps)
    }
}

fn parse_line(line: &str) -> Option<Swap> {
    let mut words = line.split_whitespace();
    let path = unescape(words.next()?);
    let is_file = words.next()? == "file";
    let mut size = || words.next()?.parse().ok().map(Bytes::kib);
    Some(Swap { path, is_file, size: size()?, used: size()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn no_heading_is_no_table() {
        assert!(Swap::parse_all("s", "/dev/sda3 partition 1 2 3\n").is_err());
        assert_eq!(Swap::parse_all("s", "").unwrap(), []);
        assert!(Swap::parse_all("s", "Filename\n/dev/sda3 partition x 2 3\n").is_err());
    }

    proptest! {
        #[test]
        fn any_text_gives_an_answer(text in ".*") {
            let _answer = Swap::parse_all("x", &text);
        }
    }
}
