//! `esos-image`: builds, inspects, verifies, boots and upgrades images of ESOS.
mod args;
mod bring;
mod build;
mod carry;
mod follow_up;
mod look;
mod mark;
mod medium;
mod mirror;
mod slots;
mod source;
mod stick;
mod talk;
mod target;
mod tools;
mod try_out;
mod upgrade;
mod write;

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
            Verb::Slots { image } => slots::show(image.as_deref(), ui),
            Verb::Write(args) => write::run(&args, ui),
            Verb::Upgrade(args) => upgrade::run(&args, ui),
            Verb::Mirror(args) => mirror::run(&args, ui),
            Verb::Rollback { image } => slots::roll_back(image.as_deref(), ui),
            Verb::Tools { image } => tools::run(image.as_deref(), ui),
            Verb::MarkGood(args) => mark::run(&args, ui),
        }
    })
}
