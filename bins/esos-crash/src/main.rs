//! `esos-crash`: kernel crash dumps.
mod args;
mod arm;
mod check;
mod convert;
mod files;
mod known;
mod logs;
mod look;
mod report;
mod save;
mod status;

use args::{Args, Verb};
use esos_cli::{Exit, Failure, Ui};
use std::process::ExitCode;

fn main() -> ExitCode {
    esos_cli::main(|args: Args, ui: &mut Ui| -> Result<Exit, Failure> {
        match &args.verb {
            Verb::Arm(arm) => arm::arm(arm, ui),
            Verb::Disarm => arm::disarm(ui),
            Verb::Status => status::status(ui),
            Verb::Convert(args) => convert::run(args, ui),
            Verb::Check(check) => check::check(check, ui),
            Verb::Report { file, out } => {
                let (file, store) = logs::file_or_name(file, ui);
                let done = report::report(&file, out.as_ref(), ui)?;
                known::seen(&file, store.as_ref(), ui);
                Ok(done)
            }
            Verb::Seen { names } => known::mark(names, ui),
            Verb::Remove { names } => report::remove(names, ui),
            Verb::Estimate { core, level } => report::estimate(core, *level, ui),
            Verb::Save(save) => save::run(save, ui),
            Verb::Verify { file } => {
                let (file, _store) = logs::file_or_name(file, ui);
                look::verify(&file, ui)
            }
            Verb::Show { file } => {
                let (file, store) = logs::file_or_name(file, ui);
                let done = look::show(&file, ui)?;
                known::seen(&file, store.as_ref(), ui);
                Ok(done)
            }
            Verb::List { dir } => look::list(dir.as_deref(), ui),
            Verb::Dmesg { file } => {
                let (file, store) = logs::file_or_name(file, ui);
                let done = look::log(&file, ui)?;
                known::seen(&file, store.as_ref(), ui);
                Ok(done)
            }
        }
    })
}
