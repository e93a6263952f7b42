//! Values as words of the file.

/// A value that scstadmin's grammar cannot carry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("scstadmin cannot read a value with {what}")]
pub struct Unrepresentable {
    /// What is in it: `a brace`, `a double quote`, `a line end`.
    pub what: &'static str,
}

/// A value as one word that both scstadmin and ESOS read as that value: quoted where it must be, `#`
/// and `\` escaped.
///
/// # Errors
/// [`Unrepresentable`] for a value with `{`, `}`, `"` or a line end; `quote_lossy` writes those for
/// ESOS alone.
pub fn quote(value: &str) -> Result<String, Unrepresentable> {
    for c in value.chars() {
        let what = match c {
            '{' | '}' => "a brace",
            '"' => "a double quote",
            '\n' | '\r' => "a line end",
            _ => continue,
        };
        return Err(Unrepresentable { what });
    }
    Ok(quote_lossy(value))
}

/// As [`quote`], but any value without a line end, in a form that at least ESOS reads back. A line end
/// becomes a blank.
pub(crate) fn quote_lossy(value: &str) -> String {
    let special = |c: char| c.is_whitespace() || matches!(c, '{' | '}' | '"');
    let quotes = value.is_empty() || value.chars().any(special);
    let mut word = String::new();
    if quotes {
        word.push('"');
    }
    for c in value.chars() {
        match c {
            '\\' | '#' | '"' => word.extend(['\\', c]),
            '\n' | '\r' => word.push(' '),
            c => word.push(c),
        }
    }
    if quotes {
        word.push('"');
    }
    word
}
