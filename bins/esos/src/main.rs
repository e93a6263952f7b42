//! `esos TOOL ARGS…` runs `esos-TOOL ARGS…`; `esos status` and `esos doctor` show the whole box.
mod args;
mod dispatch;
mod doctor;
mod facts;
mod sections;
mod status;
mod tools;

use args::{Args, Verb};
use esos_cli::{Exit, Failure, Ui};
use std::process::ExitCode;

fn main() -> ExitCode {
    esos_cli::main(run)
}

fn run(args: Args, ui: &mut Ui) -> Result<Exit, Failure> {
    let tools = tools::installed();
    match args.verb {
        Some(Verb::Status) => status::show(&tools, ui),
        Some(Verb::Doctor) => doctor::examine(&tools, ui),
        Some(Verb::Tools) => tools::list(&tools, ui),
        Some(Verb::Help { tool: Some(tool) }) => dispatch::help(&tools, &tool, ui),
        Some(Verb::Help { tool: None }) | None => dispatch::overview(&tools, ui),
        Some(Verb::Tool(words)) => dispatch::run(&tools, words, ui),
    }
}
