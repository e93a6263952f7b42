//! The kernel command line, as the kernel itself splits it.
use esos_layout::{Slot, cmdline as word};

/// What the command line asks of `esos-init`. Of a word given twice the last one counts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cmdline {
    /// `slot=`.
    pub slot: Option<Slot>,
    /// `esos.stick=`, unless it is `unset`.
    pub stick: Option<String>,
    /// `esos.flavour=`.
    pub flavour: Option<String>,
    /// `esos.attempt=`.
    pub attempt: Option<u8>,
    /// `esos.state=`: why GRUB could not count as usual.
    pub state: Option<String>,
    /// `esos.exhausted=1`.
    pub exhausted: bool,
    /// `esos_persist`.
    pub persist: bool,
    /// `esos_iso=`.
    pub iso: Option<IsoMode>,
    /// `single_user`.
    pub single_user: bool,
    /// `rescue`.
    pub rescue: bool,
    /// `esos.nomemcheck`.
    pub no_memory_check: bool,
    /// `esos.verbose`.
    pub verbose: bool,
    /// `esos.crash.level=`, 0 to 31.
    pub crash_level: Option<u8>,
    /// Words of ours with a value that we do not know; each is said and otherwise ignored.
    pub unknown: Vec<String>,
}

/// What an ISO is booted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IsoMode {
    /// Run from it.
    Live,
    /// Run from it, and install to a disk.
    Install,
}

impl Cmdline {
    /// Reads `/proc/cmdline`. Never fails: a word that cannot be understood is kept in
    /// [`Cmdline::unknown`].
    ///
    /// ```
    /// let line = esos_initramfs::Cmdline::parse("BOOT_IMAGE=/vmlinuz slot=PRIMARY esos.attempt=2 \"x=a b\"");
    /// assert_eq!((line.slot, line.attempt), (Some(esos_layout::Slot::Primary), Some(2)));
    /// ```
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut line = Self::default();
        for word in split(text) {
            if line.take(&word).is_none() {
                line.unknown.push(word);
            }
        }
        line
    }

    /// `None` for a word of ours with a value that is not understood.
    fn take(&mut self, w: &str) -> Option<()> {
        if let Some(slot) = w.strip_prefix(word::SLOT) {
            self.slot = Some(slot.parse().ok()?);
        } else if let Some(stick) = w.strip_prefix(word::STICK) {
            self.stick = match stick {
                "" | esos_layout::state::STICK_UNSET => None,
                id => Some(id.to_owned()),
            };
        } else if let Some(flavour) = w.strip_prefix(word::FLAVOUR) {
            self.flavour = Some(flavour.to_owned());
        } else if let Some(attempt) = w.strip_prefix(word::ATTEMPT) {
            self.attempt = Some(attempt.parse().ok()?);
        } else if let Some(state) = w.strip_prefix(word::STATE) {
            self.state = Some(state.to_owned());
        } else if let Some(exhausted) = w.strip_prefix(word::EXHAUSTED) {
            self.exhausted = exhausted == "1";
        } else if let Some(level) = w.strip_prefix(esos_layout::crash::LEVEL) {
            self.crash_level = Some(level.parse().ok().filter(|n| *n <= 31)?);
        } else if let Some(iso) = w.strip_prefix(word::ISO) {
            self.iso = Some(match iso {
                "live" => IsoMode::Live,
                "install" => IsoMode::Install,
                _ => return None,
            });
        } else {
            match w {
                word::PERSIST => self.persist = true,
                word::SINGLE_USER => self.single_user = true,
                word::RESCUE => self.rescue = true,
                word::NO_MEMORY_CHECK => self.no_memory_check = true,
                word::VERBOSE => self.verbose = true,
                _ => {}
            }
        }
        Some(())
    }
}

/// The words of a kernel command line. As in the kernel's `next_arg`: blanks inside double quotes do not
/// end a word, and the quotes around a word or around its value are no part of it.
fn split(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let (mut quoted, mut begun) = (false, false);
    for c in text.chars() {
        match c {
            '"' => {
                quoted = !quoted;
                begun = true;
            }
            c if c.is_ascii_whitespace() && !quoted => {
                if std::mem::take(&mut begun) {
                    words.push(std::mem::take(&mut word));
                }
            }
            c => {
                word.push(c);
                begun = true;
            }
        }
    }
    if begun {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_are_split_as_the_kernel_does() {
        let line = r#"  BOOT_IMAGE=/vmlinuz  name="two words" "other=two words" x"y z" "" last"#;
        let words = split(line);
        assert_eq!(words, ["BOOT_IMAGE=/vmlinuz", "name=two words", "other=two words", "xy z", "", "last"]);
        assert_eq!(split("open=\"never closed "), ["open=never closed "]);
    }

    #[test]
    fn all_words_are_understood() {
        let line = Cmdline::parse(
            "slot=SECONDARY esos.stick=00112233445566778899aabbccddeeff esos.flavour=debug esos.attempt=3 \
             esos.state=ro esos.exhausted=1 esos_persist esos_iso=install single_user rescue \
             esos.nomemcheck esos.verbose panic=10 console=ttyS0\n",
        );
        let wanted = Cmdline {
            slot: Some(Slot::Secondary),
            stick: Some("00112233445566778899aabbccddeeff".into()),
            flavour: Some("debug".into()),
            attempt: Some(3),
            state: Some("ro".into()),
            exhausted: true,
            persist: true,
            iso: Some(IsoMode::Install),
            single_user: true,
            rescue: true,
            no_memory_check: true,
            verbose: true,
            crash_level: None,
            unknown: Vec::new(),
        };
        assert_eq!(line, wanted);
    }

    #[test]
    fn what_is_not_understood_is_kept_and_the_last_word_counts() {
        let line = Cmdline::parse("slot=PRIMARY slot=primary esos_iso=dvd slot=SECONDARY esos.stick=unset");
        assert_eq!(line.slot, Some(Slot::Secondary));
        assert_eq!(line.unknown, ["slot=primary", "esos_iso=dvd"]);
        assert_eq!(line.stick, None);
        // Only the whole word is ours.
        assert!(!Cmdline::parse("rescue_mode norescue \"x rescue\"").rescue);
    }

    proptest! {
        #[test]
        fn any_line_gives_an_answer(text in "\\PC*") {
            let _answer = Cmdline::parse(&text);
        }

        #[test]
        fn words_without_blanks_and_quotes_come_back(words in proptest::collection::vec("[!#-~]{1,12}", 0..9)) {
            prop_assert_eq!(split(&words.join(" ")), words);
        }
    }
}
