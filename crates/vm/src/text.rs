//! Console bytes to text: no escape sequences, one kind of line end.

/// Strips escape sequences of a stream that comes in pieces.
#[derive(Debug, Default)]
pub(crate) struct Plain {
    state: State,
    /// Bytes of an unfinished UTF-8 character.
    rest: Vec<u8>,
}

#[derive(Debug, Default, Clone, Copy)]
enum State {
    #[default]
    Text,
    Escape,
    /// `ESC [ … final`.
    Control,
    /// `ESC ] … BEL`, or `ESC ] … ESC \`.
    Title,
    /// One byte more, as in `ESC ( B`.
    Skip,
}

impl Plain {
    /// The text in `bytes`. Carriage returns go; a cursor movement becomes a line end, so that what a
    /// menu paints in two places does not read as one word.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> String {
        let mut out = std::mem::take(&mut self.rest);
        for &byte in bytes {
            self.state = match (self.state, byte) {
                (State::Text, 0x1b) => State::Escape,
                (State::Text, b'\r' | 0 | 7 | 8 | 0x7f) => State::Text,
                (State::Text, _) => {
                    out.push(byte);
                    State::Text
                }
                (State::Escape, b'[') => State::Control,
                (State::Escape, b']') => State::Title,
                (State::Escape, b'(' | b')' | b'#' | b'%') => State::Skip,
                (State::Escape, _) | (State::Skip, _) => State::Text,
                (State::Control, b'@'..=b'~') => {
                    if matches!(byte, b'H' | b'f') && out.last().is_some_and(|&b| b != b'\n') {
                        out.push(b'\n');
                    }
                    State::Text
                }
                (State::Control, _) => State::Control,
                (State::Title, 7 | b'\\') => State::Text,
                (State::Title, _) => State::Title,
            };
        }
        let last = out.utf8_chunks().last().map_or(&[][..], |chunk| chunk.invalid());
        let unfinished = std::str::from_utf8(last).is_err_and(|error| error.error_len().is_none());
        let whole = if unfinished { out.len().saturating_sub(last.len()) } else { out.len() };
        self.rest = out.split_off(whole);
        String::from_utf8_lossy(&out).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escapes_go_and_movements_part_words() {
        let mut plain = Plain::default();
        let text = plain.push(b"\x1b[2J\x1b[1;1HGRUB\x1b[3;5Hmenu\x1b[0m\r\n\x1b(Bx\x1b]0;title\x07y");
        assert_eq!(text, "GRUB\nmenu\nxy");
    }

    proptest! {
        #[test]
        fn pieces_read_as_the_whole(bytes in proptest::collection::vec(any::<u8>(), 0..80), cut in 0usize..80) {
            let cut = cut.min(bytes.len());
            let mut whole = Plain::default();
            let mut pieces = Plain::default();
            let expected = whole.push(&bytes);
            let found = pieces.push(&bytes[..cut]) + &pieces.push(&bytes[cut..]);
            // A cursor movement that is first in its piece cannot know what stood before it.
            prop_assert_eq!(found.replace('\n', ""), expected.replace('\n', ""));
        }

        #[test]
        fn text_stays_text(text in "[a-zäö€ \n]{0,40}") {
            prop_assert_eq!(Plain::default().push(text.as_bytes()), text);
        }
    }
}
