//! `esos-conf`: the configuration on the stick.
mod args;
mod boot;
mod case;
mod diff;
mod export;
mod host;
mod import;
mod look;
mod pending;
mod restore;
mod secret;
mod section;
mod stick;
mod sync;
mod tell;
mod watch;

use args::{Args, Verb};
use esos_cli::{Exit, Failure, Ui};
use std::process::ExitCode;

fn main() -> ExitCode {
    esos_cli::main(|args: Args, ui: &mut Ui| -> Result<Exit, Failure> {
        let store = args.store.as_deref();
        match &args.verb {
            Verb::Sync { reason } => sync::run(store, reason, ui),
            Verb::Status => look::status(store, ui),
            Verb::Log => look::log(store, ui),
            Verb::Verify { what } => look::verify(store, what.as_deref(), ui),
            Verb::Prune => sync::prune(store, ui),
            Verb::Diff { what } => diff::run(store, what, ui),
            Verb::Restore { because: Some(why), .. } => boot::nothing(why, ui),
            Verb::Restore { what, dry_run, boot, .. } => restore::run(store, what, *dry_run, *boot, ui),
            Verb::Import { source, passphrase_file } => {
                import::run(store, source.as_deref(), passphrase_file.as_deref(), ui)
            }
            Verb::Export { file, what, passphrase_file, plain } => {
                export::run(store, file, what.as_deref(), passphrase_file.as_deref(), *plain, ui)
            }
            Verb::Mirror { to, replace } => sync::mirror(store, to, *replace, ui),
            Verb::Watch => watch::run(store, ui),
        }
    })
}
