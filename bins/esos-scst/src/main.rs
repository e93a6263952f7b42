//! `esos-scst`: SCST on an ESOS box.
mod alua;
mod args;
mod change;
mod edit;
mod files;
mod import;
mod keep;
mod machine;
mod scstadmin;
mod section;
mod service;
mod sessions;
mod verbs;

use args::{Args, Verb};
use edit::Act;
use esos_cli::{Console, Exit, Failure, Late, Ui};
use std::ffi::OsString;
use std::process::ExitCode;

fn main() -> ExitCode {
    // As scstadmin it takes scstadmin's flags.
    let mut args: Vec<OsString> = std::env::args_os().collect();
    let name = args.first().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    if name.rsplit('/').next() == Some("scstadmin") {
        let text = |a: &OsString| a.to_string_lossy().into_owned();
        return scstadmin::main(&args.iter().skip(1).map(text).collect::<Vec<_>>());
    }
    args::separate_suspend(&mut args);
    esos_cli::run(args, Console::process(), |args: Args, ui: &mut Ui| run(ui, &args.verb)).into()
}

fn run(ui: &mut Ui, verb: &Verb) -> Result<Exit, Failure> {
    match verb {
        Verb::Check { file, allow_empty, live } => verbs::check(ui, file, *allow_empty, *live),
        Verb::Fmt { file, check, write } => verbs::fmt(ui, file, *check, *write),
        Verb::Show { path, state, from } => {
            verbs::show(ui, path.as_deref(), state.as_deref(), from.as_deref())
        }
        Verb::Diff { left, right, state } => verbs::diff(ui, left, right, state.as_deref()),
        Verb::Plan(Late(plan)) => change::plan_verb(ui, &plan.args, plan.detailed_exitcode),
        Verb::Apply(Late(args)) => change::apply_verb(ui, args),
        Verb::Confirm { wait } => keep::confirm(ui, *wait),
        Verb::Rollback(Late(args)) => change::rollback_verb(ui, args),
        Verb::History { number } => keep::history(ui, *number),
        Verb::Recover { wait } => keep::recover(ui, *wait),
        Verb::Save { file, stdout } => verbs::save(ui, file, *stdout),
        Verb::Add(Late(args)) => edit::edit(ui, Act::Add, args),
        Verb::Rm(Late(args)) => edit::edit(ui, Act::Remove, args),
        Verb::Set(Late(args)) => edit::edit(ui, Act::Set, args),
        Verb::Get { path, attributes, state } => edit::get(ui, path, attributes, state.as_deref()),
        Verb::Enable(Late(args)) => edit::switch(ui, true, args),
        Verb::Disable(Late(args)) => edit::switch(ui, false, args),
        Verb::Resize(Late(args)) => edit::resize(ui, &args.device, args.size.as_deref(), &args.how),
        Verb::Sessions { .. } => sessions::verb(ui, verb),
        Verb::Lip(Late(args)) => edit::lip(ui, args.target.as_deref(), &args.how),
        Verb::Alua { verb } => alua::verb(ui, verb),
        Verb::Import { file, from, out } => import::verb(ui, file.as_deref(), *from, out.as_deref()),
        Verb::Export { file, to } => verbs::export(ui, file, *to),
        Verb::Service { step } => service::run(ui, step),
        Verb::WatchConfirmation { number } => keep::watch_verb(ui, *number),
    }
}
