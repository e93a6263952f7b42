//! `grub.cfg`: menu and slot logic.
use esos_layout::cmdline;
use esos_layout::part::{self, number};

macro_rules! entry {
    ($core:literal) => {
        concat!(
            "set esos_core=",
            $core,
            "\nconfigfile ($root)/esos/grub.cfg\nconfigfile ($root)/esos/grub-copy.cfg\n",
            "echo \"ESOS: cannot read esos/grub.cfg on ($root). Reset in 10 seconds.\"\nsleep 10\nreboot\n",
        )
    };
}

/// In both of our cores, run line by line by GRUB's smallest parser.
pub(super) const EMBEDDED: &str = entry!("own");

/// What Debian's signed GRUB reads first, by its built-in prefix: path on the EFI system partition and
/// text.
pub(crate) const SIGNED_ENTRY: (&str, &str) = ("EFI/debian/grub.cfg", entry!("signed"));

/// Who reads the menu.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Core {
    /// Our own core: it can hash, so kernel and initramfs are checked before the jump.
    #[default]
    Own,
    /// Debian's signed GRUB under Secure Boot too: it has no `hashsum`, and the kernel is checked by its
    /// signature. Where the same stick starts by BIOS, our own core still checks.
    Signed,
}

/// What the menu is made of. Nothing in it depends on what the slots hold: the boot loader on a stick is
/// older than its slots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Menu {
    /// Who reads it.
    pub core: Core,
    /// Seconds until the default entry starts.
    pub timeout: u8,
    /// Kernel arguments of every entry, in front of the slot's own; consoles belong here.
    pub args: String,
}

impl Default for Menu {
    fn default() -> Self {
        let args = format!("console=tty0 console=ttyS0,115200n8 {}", cmdline::COMMON_ARGS);
        Self { core: Core::Own, timeout: 5, args }
    }
}

impl Menu {
    /// The text of `grub.cfg`.
    #[must_use]
    pub fn print(&self) -> String {
        self.fill(concat!(include_str!("slots.cfg"), "\n", include_str!("menu.cfg")))
    }

    /// The slot logic of `grub.cfg` alone, functions that nobody calls yet: for a script that replays
    /// many states in one boot. It may define `esos_boot` and `esos_reset` anew.
    #[must_use]
    pub fn logic(&self) -> String {
        self.fill(include_str!("slots.cfg"))
    }

    /// The text of an ISO's `grub.cfg`.
    #[must_use]
    pub fn iso(&self) -> String {
        self.fill(include_str!("iso.cfg"))
    }

    fn fill(&self, text: &str) -> String {
        let places = [
            ("@TIMEOUT@", self.timeout.to_string()),
            ("@PRIMARY@", number::PRIMARY.to_string()),
            ("@SECONDARY@", number::SECONDARY.to_string()),
            ("@STATE@", part::STATE_DIR.to_owned()),
            ("@CHECK@\n", CHECK.to_owned()),
            ("@ARGS@", words(&self.args)),
            ("@DEBUG@", words(cmdline::DEBUG_ARGS)),
            ("@RESCUE@", cmdline::RESCUE.to_owned()),
            ("@SLOT@", cmdline::SLOT.to_owned()),
            ("@STICK@", cmdline::STICK.to_owned()),
            ("@FLAVOUR@", cmdline::FLAVOUR.to_owned()),
            ("@ATTEMPT@", cmdline::ATTEMPT.to_owned()),
            ("@WORD@", cmdline::STATE.to_owned()),
            ("@EXHAUSTED@", cmdline::EXHAUSTED.to_owned()),
            ("@FALLBACK@", cmdline::FALLBACK.to_owned()),
            ("@ISO@", cmdline::ISO.to_owned()),
            ("@ISOSLOT@", part::ISO_SLOT_DIR.to_owned()),
        ];
        places.into_iter().fold(text.to_owned(), |text, (place, value)| text.replace(place, &value))
    }
}

/// Kernel arguments as words of GRUB's language; what it would read as syntax is escaped.
fn words(args: &str) -> String {
    let escape = |c: char| {
        let plain = c.is_ascii_alphanumeric() || " -_./:=,+@%".contains(c);
        if plain { c.to_string() } else { format!("\\{c}") }
    };
    args.chars().filter(|c| !c.is_control()).map(escape).collect()
}

/// The function that checks a slot's files.
const CHECK: &str = include_str!("check.cfg");

#[cfg(test)]
mod tests {
    use super::*;

    /// Commands and keywords of Debian's signed GRUB that the script may use (its built-in modules:
    /// normal, configfile, test, regexp, echo, sleep, reboot, loadenv, linux, serial, terminal).
    const SIGNED: &[&str] = &[
        "set",
        "unset",
        "if",
        "elif",
        "else",
        "fi",
        "for",
        "do",
        "done",
        "function",
        "menuentry",
        "return",
        "{",
        "}",
        "[",
        "regexp",
        "echo",
        "sleep",
        "reboot",
        "load_env",
        "save_env",
        "linux",
        "initrd",
        "boot",
        "serial",
        "terminal_input",
        "terminal_output",
        "true",
        "then",
        "configfile",
    ];

    fn commands(text: &str) -> Vec<String> {
        let own: Vec<&str> = text
            .lines()
            .filter_map(|l| l.trim().strip_prefix("function "))
            .filter_map(|l| l.split_whitespace().next())
            .collect();
        let mut out = Vec::new();
        for line in text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')) {
            for statement in line.split("; ") {
                let mut words = statement
                    .split_whitespace()
                    .skip_while(|w| ["if", "elif", "then", "else", "do"].contains(w));
                let word = words.next().unwrap_or("fi").trim_end_matches(';');
                if !own.contains(&word) {
                    out.push(word.to_owned());
                }
            }
        }
        out
    }

    #[test]
    fn the_signed_menu_uses_only_commands_of_the_signed_grub() {
        for text in [Menu::default().print(), Menu::default().iso()] {
            assert!(!text.contains('@'), "{text}");
            // The only other command stands in a function that says good where the signed GRUB reads it.
            let rest = text.replace(CHECK, "");
            let rest = commands(&rest).into_iter().chain(commands(SIGNED_ENTRY.1));
            for command in rest.filter(|c| c != "esos_check") {
                assert!(SIGNED.contains(&command.as_str()), "{command}");
            }
        }
        let (signed, own) = CHECK.split_once("  elif ").unwrap();
        assert!(signed.ends_with("\n  if [ \"$esos_core\" = \"signed\" ]; then\n    set esos_ok=1\n"));
        assert!(SIGNED_ENTRY.1.starts_with("set esos_core=signed\n"));
        assert!(own.contains("hashsum"));
    }

    #[test]
    fn arguments_are_words() {
        assert_eq!(words("a=b c;reboot $x"), "a=b c\\;reboot \\$x");
    }
}
