//! `esos-raid`: controllers, arrays and drives, whatever the vendor's tool is.
mod args;
mod case;
mod parse;
mod show;

use args::{Args, Verb};
use esos_cli::{Exit, Failure, Ui};
use std::process::ExitCode;

fn main() -> ExitCode {
    esos_cli::main(|args: Args, ui: &mut Ui| -> Result<Exit, Failure> {
        match args.verb {
            Verb::Parse(args) => parse::run(&args, ui),
            Verb::List => show::list(ui),
            Verb::Show => show::tree(ui),
            Verb::Health => show::health(ui),
            Verb::Tools => show::tools(ui),
        }
    })
}
