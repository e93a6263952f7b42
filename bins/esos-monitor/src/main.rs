//! `esos-monitor`: events, and the mails that tell of them.
mod args;
mod deliver;
mod machine;
mod verbs;

use args::{Args, Verb};
use esos_cli::{Exit, Failure, Ui};
use std::process::ExitCode;

fn main() -> ExitCode {
    esos_cli::main(|args: Args, ui: &mut Ui| -> Result<Exit, Failure> {
        match args.verb {
            Verb::Run { all } => verbs::run(all, ui),
            Verb::Watch => verbs::watch(ui),
            Verb::Report(report) => verbs::report(report, ui),
            Verb::List { all } => verbs::list(all, ui),
            Verb::Queue => verbs::queue(ui),
            Verb::Test { to } => verbs::test(to, ui),
            Verb::Silence { pattern, time, reason } => verbs::silence(&pattern, time, &reason, ui),
            Verb::Unsilence { pattern } => verbs::unsilence(&pattern, ui),
        }
    })
}
