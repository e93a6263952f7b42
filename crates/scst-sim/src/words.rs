//! How SCST takes a written text apart: words, parameters and numbers.
use crate::errno::{EINVAL, ERANGE};

/// A text without the white space at both ends, as the kernel's `strim`.
pub(crate) fn strim(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_ascii_whitespace())
}

/// The next word and the rest, blanks around both removed (SCST's `scst_get_next_lexem`).
pub(crate) fn lexeme(text: &str) -> (&str, &str) {
    let text = strim(text);
    let end = text.find(|c: char| c.is_ascii_whitespace()).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    (word, strim(rest))
}

/// The name of a device at the front: up to white space or `=`. The rest are its parameters.
pub(crate) fn token(text: &str) -> (&str, &str) {
    let text = strim(text);
    let end = text.find(|c: char| c.is_ascii_whitespace() || c == '=').unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    (word, strim(rest.strip_prefix('=').unwrap_or(rest)))
}

/// One `name=value` of a parameter list.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Parameter<'t> {
    pub(crate) name: &'t str,
    /// `None` where nothing stands behind the name.
    pub(crate) value: Option<&'t str>,
    /// More words behind the value.
    pub(crate) extra: bool,
}

/// Parameters are separated by `;`; in each, words are separated by white space and `=`.
pub(crate) fn parameters(text: &str) -> impl Iterator<Item = Parameter<'_>> {
    text.split(';').filter_map(|part| {
        let mut words = part.split(|c: char| c.is_ascii_whitespace() || c == '=').filter(|w| !w.is_empty());
        let name = words.next()?;
        Some(Parameter { name, value: words.next(), extra: words.next().is_some() })
    })
}

fn magnitude(text: &str) -> Result<u128, i32> {
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => (hex, 16),
        None if text.len() > 1 && text.starts_with('0') => (text, 8),
        None => (text, 10),
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return Err(EINVAL);
    }
    u128::from_str_radix(digits, radix).map_err(|_overflow| ERANGE)
}

/// The kernel's `kstrtoull(…, 0, …)`: decimal, `0x…` or octal, one line end behind it.
pub(crate) fn unsigned(text: &str) -> Result<u64, i32> {
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_prefix('+').unwrap_or(text);
    u64::try_from(magnitude(text)?).map_err(|_overflow| ERANGE)
}

/// The kernel's `kstrtoll(…, 0, …)`.
pub(crate) fn signed(text: &str) -> Result<i64, i32> {
    let text = text.strip_suffix('\n').unwrap_or(text);
    match text.strip_prefix('-') {
        Some(rest) => {
            let n = i128::try_from(magnitude(rest)?).map_err(|_overflow| ERANGE)?;
            i64::try_from(n.checked_neg().ok_or(ERANGE)?).map_err(|_overflow| ERANGE)
        }
        None => {
            let text = text.strip_prefix('+').unwrap_or(text);
            i64::try_from(magnitude(text)?).map_err(|_overflow| ERANGE)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_kernels() {
        assert_eq!(unsigned("010\n"), Ok(8));
        assert_eq!(unsigned("0x10"), Ok(16));
        assert_eq!(unsigned("-1"), Err(EINVAL));
        assert_eq!(unsigned("1k"), Err(EINVAL));
        assert_eq!(unsigned(""), Err(EINVAL));
        assert_eq!(unsigned("99999999999999999999999"), Err(ERANGE));
        assert_eq!(signed("-1"), Ok(-1));
    }

    #[test]
    fn words_are_scsts() {
        assert_eq!(lexeme("  add  d 3 \n"), ("add", "d 3"));
        assert_eq!(token("a=b"), ("a", "b"));
        let all: Vec<_> = parameters("size=512; blocksize = 512 ;x").collect();
        assert_eq!(all.len(), 3);
        assert_eq!(all[1], Parameter { name: "blocksize", value: Some("512"), extra: false });
        assert_eq!(all[2].value, None);
    }
}
