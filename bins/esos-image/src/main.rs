//! `esos-image`: builds, inspects, verifies and boots images of ESOS.
mod args;
mod build;
mod look;
mod source;
mod talk;
mod try_out;

use args::{Args, Verb};
use esos_cli::{Exit, Failure, Ui};
use std::process::ExitCode;

fn main() -> ExitCode {
    esos_cli::main(|args: Args, ui: &mut Ui| -> Result<Exit, Failure> {
        match args.verb {
            Verb::Build(args) => build::build(*args, ui),
            Verb::Inspect { image } => look::inspect(&image, ui),
            Verb::Verify { image } => look::verify(&image, ui),
            Verb::Run(args) => try_out::run(args, ui),
            Verb::Lock(args) => source::lock(args, ui),
        }
    })
}
