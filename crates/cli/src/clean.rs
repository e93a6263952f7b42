//! Text from elsewhere.
use std::borrow::Cow;

/// A text from elsewhere (a label, a tool's output) made harmless for a terminal: control characters but
/// line ends and tabs are printed as `\u{1b}`.
#[must_use]
pub fn clean(text: &str) -> Cow<'_, str> {
    let bad = |c: char| c.is_control() && c != '\n' && c != '\t';
    if !text.contains(bad) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len().saturating_add(8));
    for c in text.chars() {
        if bad(c) { out.extend(c.escape_default()) } else { out.push(c) }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_cannot_colour_the_screen() {
        assert_eq!(clean("a\tb\n"), "a\tb\n");
        assert_eq!(clean("\u{1b}[31mred\u{7}"), "\\u{1b}[31mred\\u{7}");
    }
}
