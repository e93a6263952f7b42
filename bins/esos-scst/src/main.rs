//! `esos-scst`: SCST on an ESOS box.
mod args;
mod change;
mod files;
mod machine;
mod section;
mod service;
mod verbs;

use args::{Args, Verb};
use esos_cli::{Exit, Failure, Ui};
use std::process::ExitCode;

fn main() -> ExitCode {
    esos_cli::main(|args: Args, ui: &mut Ui| -> Result<Exit, Failure> {
        match args.verb {
            Verb::Check { file, allow_empty } => verbs::check(ui, &file, allow_empty),
            Verb::Fmt { file, check, write } => verbs::fmt(ui, &file, check, write),
            Verb::Show { state } => verbs::show(ui, state.as_deref()),
            Verb::Plan(args) => change::plan_verb(ui, &args),
            Verb::Apply(args) => change::apply_verb(ui, &args),
            Verb::Save { file, stdout } => verbs::save(ui, &file, stdout),
            Verb::Sessions { state } => verbs::sessions(ui, state.as_deref()),
            Verb::Export { file, to } => verbs::export(ui, &file, to),
            Verb::History => verbs::history(ui),
            Verb::Service { step } => service::run(ui, &step),
        }
    })
}
