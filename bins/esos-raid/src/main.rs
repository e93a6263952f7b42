//! `esos-raid`: controllers, arrays and drives, whatever the vendor's tool is.
mod args;
mod case;
mod change;
mod hw_raid_cli;
mod machine;
mod parse;
mod replace;
mod section;
mod show;
mod target;
mod tools;
mod watch;

use args::{Args, Verb};
use esos_cli::{Exit, Failure, Ui};
use std::process::ExitCode;

fn main() -> ExitCode {
    if hw_raid_cli::is_called(std::env::args_os().next().as_ref()) {
        return hw_raid_cli::main();
    }
    esos_cli::main(|args: Args, ui: &mut Ui| -> Result<Exit, Failure> {
        match args.verb {
            Verb::Parse(args) => parse::run(&args, ui),
            Verb::List => show::list(ui),
            Verb::Show => show::tree(ui),
            Verb::Health => show::health(ui),
            Verb::Tools => tools::tools(ui),
            Verb::Create(args) => change::create(ui, &args),
            Verb::Delete { array, how } => change::delete(ui, &array, how),
            Verb::Modify(args) => change::modify(ui, &args),
            Verb::Spare(verb) => change::spare(ui, &verb),
            Verb::Locate { drive, light, how } => change::locate(ui, &drive, light, how),
            Verb::Rebuild(verb) => change::rebuild(ui, &verb),
            Verb::Cache { array, write, read, how } => change::cache(ui, &array, write, read, how),
            Verb::Foreign { what, controller, how } => change::foreign(ui, what, &controller, how),
            Verb::Check { array, how } => change::check(ui, &array, how),
            Verb::Drive { what, drive, how } => change::drive(ui, what, &drive, how),
            Verb::Set { controller, property, how } => change::set(ui, &controller, &property, how),
            Verb::Replace { drive, with, no_wait, restart, how } => {
                let asked = replace::Asked { drive: &drive, with: with.as_deref(), no_wait, restart, how };
                replace::replace(ui, &asked)
            }
        }
    })
}
