//! One attribute as the kernel prints it.

/// A value and whether the kernel marks it as one to be saved.
///
/// SCST puts a line `[key]` behind values that are not the default. Line ends are not uniform: the core
/// prints `v\n[key]\n`, iSCSI `v\n[key]\n\n` and even `0\n\n` without a key; some values have none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attr {
    /// The value, without line ends behind it. May have several lines (`pr_state`).
    pub value: String,
    /// Whether `[key]` stood behind it.
    pub key: bool,
}

impl Attr {
    /// Reads what the kernel printed. Total.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let trimmed = text.trim_end_matches(['\n', '\0']);
        let (value, key) = match trimmed.strip_suffix("[key]") {
            Some("") => ("", true),
            Some(rest) => match rest.strip_suffix('\n') {
                Some(value) => (value.trim_end_matches('\n'), true),
                None => (trimmed, false),
            },
            None => (trimmed, false),
        };
        Self { value: value.to_owned(), key }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_ending_that_scst_prints() {
        let check =
            |text, value: &str, key| assert_eq!(Attr::parse(text), Attr { value: value.to_owned(), key });
        check("4\n[key]\n", "4", true);
        check("127.0.0.1\n[key]\n\n", "127.0.0.1", true);
        check("0\n\n", "0", false);
        check("established idle ", "established idle ", false);
        check("", "", false);
        check("\n[key]\n", "", true);
        check("[key]\n", "", true);
        check("a[key]\n", "a[key]", false);
        check("version 1\ngeneration 0\n", "version 1\ngeneration 0", false);
    }

    proptest! {
        #[test]
        fn a_value_comes_back_from_every_ending(value in "[ -Z^-~]{0,12}", end in "\n{0,2}") {
            let keyed = format!("{value}\n[key]\n{end}");
            prop_assert_eq!(Attr::parse(&keyed), Attr { value: value.clone(), key: true });
            prop_assert_eq!(Attr::parse(&format!("{value}{end}")), Attr { value, key: false });
        }
    }
}
