//! Arguments that are defined when they are wanted.
use clap::{ArgMatches, Args, Command, Error, FromArgMatches};

/// A verb's arguments, defined when that verb is parsed, or all are asked for (help, completions, manuals), and not
/// at every start of a tool with many verbs: `Apply(Late<ApplyArgs>)`.
#[derive(Debug, Clone)]
pub struct Late<T>(pub T);

impl<T: Args> Args for Late<T> {
    fn augment_args(command: Command) -> Command {
        command.defer(|command| described(command, T::augment_args))
    }

    fn augment_args_for_update(command: Command) -> Command {
        command.defer(|command| described(command, T::augment_args_for_update))
    }
}

/// The verb says what it is for; the comment on its arguments, which clap would show now, does not.
fn described(command: Command, define: impl FnOnce(Command) -> Command) -> Command {
    let (about, long) = (command.get_about().cloned(), command.get_long_about().cloned());
    let command = define(command).about(None).long_about(None);
    let command = match about {
        Some(about) => command.about(about),
        None => command,
    };
    match long {
        Some(long) => command.long_about(long),
        None => command,
    }
}

impl<T: FromArgMatches> FromArgMatches for Late<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        T::from_arg_matches(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.0.update_from_arg_matches(matches)
    }
}
