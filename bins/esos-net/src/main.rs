//! `esos-net`: the network of an ESOS box.
mod args;
mod machine;
mod section;
mod verbs;

use args::{Args, Verb};
use esos_cli::{Exit, Failure, Ui};
use std::process::ExitCode;

fn main() -> ExitCode {
    esos_cli::main(|args: Args, ui: &mut Ui| -> Result<Exit, Failure> {
        match args.verb {
            Verb::Check { file } => verbs::check(ui, file.as_deref()),
            Verb::Show => verbs::show(ui),
            Verb::Plan | Verb::Apply { dry_run: true } => verbs::plan(ui),
            Verb::Apply { dry_run: false } => verbs::apply(ui),
            Verb::Up { wait } => verbs::up(ui, wait),
            Verb::Down => verbs::down(ui),
        }
    })
}
