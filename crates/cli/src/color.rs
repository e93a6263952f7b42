//! Whether to colour, and with what.
use std::fmt::Display;

/// What `--color` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, clap::ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless the environment forbids it
    #[default]
    Auto,
    /// Also into files and pipes
    Always,
    /// Nowhere
    Never,
}

/// What the environment says about colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ColorEnv {
    /// `NO_COLOR` is set and not empty.
    pub no_color: bool,
    /// `CLICOLOR_FORCE` is set and neither empty nor 0.
    pub force: bool,
    /// `TERM` is `dumb`.
    pub dumb: bool,
}

impl ColorChoice {
    /// Whether to colour one stream. The order is: flag, `NO_COLOR`, `CLICOLOR_FORCE`, `TERM=dumb`,
    /// whether the stream is a terminal.
    pub(crate) fn decide(self, env: ColorEnv, tty: bool) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto if env.no_color => false,
            Self::Auto if env.force => true,
            Self::Auto => tty && !env.dumb,
        }
    }

    pub(crate) fn clap(self) -> clap::ColorChoice {
        match self {
            Self::Auto => clap::ColorChoice::Auto,
            Self::Always => clap::ColorChoice::Always,
            Self::Never => clap::ColorChoice::Never,
        }
    }
}

/// Colours words, or leaves them alone.
///
/// Colour only repeats what the word itself says; nobody needs to see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Paint {
    /// Whether to colour.
    pub on: bool,
}

impl Paint {
    /// Good news.
    #[must_use]
    pub fn good(self, text: impl Display) -> String {
        self.sgr("32", text)
    }
    /// Something to look at.
    #[must_use]
    pub fn warn(self, text: impl Display) -> String {
        self.sgr("33", text)
    }
    /// Bad news.
    #[must_use]
    pub fn bad(self, text: impl Display) -> String {
        self.sgr("1;31", text)
    }
    /// A heading or name.
    #[must_use]
    pub fn bold(self, text: impl Display) -> String {
        self.sgr("1", text)
    }
    /// Less important.
    #[must_use]
    pub fn dim(self, text: impl Display) -> String {
        self.sgr("2", text)
    }

    fn sgr(self, code: &str, text: impl Display) -> String {
        if self.on { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_beats_the_environment_beats_the_terminal() {
        let env = |no_color, force, dumb| ColorEnv { no_color, force, dumb };
        let table = [
            (ColorChoice::Auto, env(false, false, false), true, true),
            (ColorChoice::Auto, env(false, false, false), false, false),
            (ColorChoice::Auto, env(true, true, false), true, false),
            (ColorChoice::Auto, env(false, true, true), false, true),
            (ColorChoice::Auto, env(false, false, true), true, false),
            (ColorChoice::Always, env(true, false, true), false, true),
            (ColorChoice::Never, env(false, true, false), true, false),
        ];
        for (choice, env, tty, wanted) in table {
            assert_eq!(choice.decide(env, tty), wanted, "{choice:?} {env:?} {tty}");
        }
    }
}
