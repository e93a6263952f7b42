//! `esos-cluster`: Corosync and Pacemaker of this box, or of a recorded state.
mod args;
mod check;
mod hand;
mod init;
mod join;
mod machine;
mod state;

use args::{Args, Verb};
use esos_cli::{Exit, Failure, Ui};
use std::process::ExitCode;

fn main() -> ExitCode {
    esos_cli::main(|args: Args, ui: &mut Ui| -> Result<Exit, Failure> {
        match args.verb {
            Verb::Status(from) => state::status(&from, ui),
            Verb::Explain(explain) => state::explain(&explain, ui),
            Verb::Watch(watch) => state::watch(&watch, ui),
            Verb::Check(check) => check::check(&check, ui),
            Verb::Diff(diff) => check::diff(&diff, ui),
            Verb::Init(init) => init::init(&init, ui),
            Verb::Join(join) => join::join(&join, ui),
            Verb::Move(to) => hand::hand_over(&to, ui),
            Verb::Maintenance(m) => hand::maintenance(&m, ui),
            Verb::FenceTest(test) => hand::fence_test(&test, ui),
        }
    })
}
