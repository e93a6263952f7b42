//! `esos-logs`: archives and the support bundle.
mod archive;
mod args;
mod gather;
mod holders;
mod place;
mod prune;
mod staging;
mod support;

use args::{Args, Verb};
use esos_cli::{Exit, Failure, Ui};
use std::process::ExitCode;

fn main() -> ExitCode {
    esos_cli::main(|args: Args, ui: &mut Ui| -> Result<Exit, Failure> {
        let store = args.store.as_deref();
        match &args.verb {
            Verb::Archive { if_larger } => archive::run(store, *if_larger, ui),
            Verb::Prune(prune) => prune::run(store, prune, ui),
            Verb::List => prune::list(store, ui),
            Verb::Support { out } => support::run(store, out.as_deref(), ui),
        }
    })
}
