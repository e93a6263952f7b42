//! The text with every secret overwritten, for anything that prints lines of it.

/// Words behind which the rest of a line may be a secret, in any case and anywhere in the line, so that
/// comments, misspellings and broken quotes leak nothing.
const MARKS: [&str; 6] = ["incominguser", "outgoinguser", "user", "passw", "secret", "chap"];

/// A text of the same length in which every byte of what may be a CHAP secret is `*`. Spans into the
/// original text point at the same places. The user's name in front of a secret stays readable.
#[must_use]
pub fn mask_secrets(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        match secret_start(line) {
            Some(at) => {
                masked.push_str(line.get(..at).unwrap_or(""));
                for c in line.get(at..).unwrap_or("").chars() {
                    if matches!(c, '\n' | '\r') || c.is_whitespace() {
                        masked.push(c);
                    } else {
                        masked.extend(std::iter::repeat_n('*', c.len_utf8()));
                    }
                }
            }
            None => masked.push_str(line),
        }
    }
    masked
}

/// Where the secret of a line begins: behind the marked word and the one word (the user) after it; a
/// single word behind a mark is taken as the secret itself.
fn secret_start(line: &str) -> Option<usize> {
    let lower = line.to_ascii_lowercase();
    let mark = MARKS.iter().filter_map(|m| lower.find(m)).min()?;
    let word_end = |from: usize| {
        let rest = line.get(from..).unwrap_or("");
        rest.find(char::is_whitespace).map(|i| from.saturating_add(i))
    };
    let word_start = |from: usize| {
        let rest = line.get(from..).unwrap_or("");
        rest.find(|c: char| !c.is_whitespace()).map(|i| from.saturating_add(i))
    };
    let user = word_start(word_end(mark)?)?;
    let secret = word_end(user).and_then(word_start);
    Some(secret.unwrap_or(user))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn secrets_go_and_places_stay() {
        let text =
            "\tIncomingUser \"joe 12charpasswd\"\n# OutgoingUser joe pw12 3\nIncomngUser solo\nLUN 0 d1\n";
        let masked = mask_secrets(text);
        assert_eq!(masked.len(), text.len());
        assert!(
            !masked.contains("12char") && !masked.contains("pw12") && !masked.contains("solo"),
            "{masked}"
        );
        assert!(masked.contains("\"joe ") && masked.contains("LUN 0 d1"), "{masked}");
    }

    proptest! {
        #[test]
        fn lengths_and_line_ends_stay(text in ".{0,20}(User|secret)?.{0,20}\n.{0,10}") {
            let masked = mask_secrets(&text);
            prop_assert_eq!(masked.len(), text.len());
            let ends = |t: &str| t.match_indices('\n').map(|(i, _)| i).collect::<Vec<_>>();
            prop_assert_eq!(ends(&masked), ends(&text));
        }
    }
}
