//! `esos-drbd`: DRBD of this box, or of a recorded output.
mod args;
mod change;
mod check;
mod source;
mod status;

use args::{Args, Verb};
use esos_cli::{Exit, Failure, Ui};
use std::process::ExitCode;

fn main() -> ExitCode {
    esos_cli::main(|args: Args, ui: &mut Ui| -> Result<Exit, Failure> {
        match args.verb {
            Verb::Status(from) => status::status(&from, ui),
            Verb::Events(from) => status::events(&from, ui),
            Verb::Watch(watch) => status::watch(&watch, ui),
            Verb::Check(check) => check::run(&check, ui),
            Verb::Promote(change) => change::run(change::Kind::Promote, &change, ui),
            Verb::Demote(change) => change::run(change::Kind::Demote, &change, ui),
            Verb::Connect(change) => change::run(change::Kind::Connect, &change, ui),
            Verb::Verify(change) => change::run(change::Kind::Verify, &change, ui),
            Verb::Resize(change) => change::run(change::Kind::Resize, &change, ui),
            Verb::Resolve(resolve) => change::resolve(&resolve, ui),
        }
    })
}
