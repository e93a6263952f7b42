//! Completions and manual pages from the same definitions as the arguments.
use crate::{Exit, Failure, OrExit, Ui, exit};
use clap::{Arg, ArgMatches, Command, value_parser};
use clap_complete::Shell;
use esos_hostfs::{Files, HostFiles};
use std::path::PathBuf;

pub(crate) const COMPLETION: &str = "completion";
pub(crate) const MAN: &str = "man";
pub(crate) const SECTION: &str = "__section";

/// The tool's command with what every tool has: the verbs `completion` and `man`, and exit codes at the
/// foot of the help.
pub(crate) fn complete(command: Command) -> Command {
    // Where a word on the command line is an argument, it cannot be a verb.
    let command = if command.has_subcommands() || command.get_positionals().next().is_none() {
        command
            .subcommand(
                Command::new(COMPLETION)
                    .about("Print completions for a shell")
                    .arg(Arg::new("shell").required(true).value_parser(value_parser!(Shell))),
            )
            .subcommand(
                Command::new(MAN)
                    .about("Print the manual page, or write all of them into a directory")
                    .arg(Arg::new("dir").value_name("DIR").value_parser(value_parser!(PathBuf))),
            )
            .subcommand(Command::new(SECTION).hide(true).about("This tool's part of `esos status`"))
    } else {
        command
    };
    if command.get_after_long_help().is_none() { command.after_long_help(exit::help()) } else { command }
}

pub(crate) fn completion(mut command: Command, matches: &ArgMatches, ui: &mut Ui) -> Result<Exit, Failure> {
    let Some(shell) = matches.get_one::<Shell>("shell") else {
        return Err(Failure::new(Exit::Usage, "which shell?"));
    };
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(*shell, &mut command, name, &mut script);
    ui.raw(&script)?;
    Ok(Exit::Done)
}

pub(crate) fn man(command: Command, matches: &ArgMatches, ui: &mut Ui) -> Result<Exit, Failure> {
    let Some(dir) = matches.get_one::<PathBuf>("dir") else {
        ui.raw(&page(&command)?)?;
        return Ok(Exit::Done);
    };
    let files = HostFiles::new(dir);
    files.make_dir("/").context(format!("cannot make {}", dir.display()))?;
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let mut pages = vec![(command.get_name().to_owned(), command.clone())];
    while let Some((name, command)) = pages.pop() {
        files
            .replace(&format!("/{name}.1"), &page(&command)?, 0o644)
            .context("cannot write a manual page")?;
        for sub in command.get_subcommands().filter(|s| !s.is_hide_set()) {
            let name = format!("{name}-{}", sub.get_name());
            pages.push((name.clone(), sub.clone().name(name)));
        }
    }
    Ok(Exit::Done)
}

fn page(command: &Command) -> Result<Vec<u8>, Failure> {
    let mut text = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut text)?;
    Ok(text)
}
