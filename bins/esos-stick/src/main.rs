//! `esos-stick`: watches the boot stick.
mod args;
mod media;
mod mirror;
mod watch;

use args::{Args, Verb};
use esos_cli::{Exit, Failure, Ui};
use esos_hostfs::{Files, HostFiles};
use esos_layout::{run, stick_state::Presence};
use std::process::ExitCode;

fn main() -> ExitCode {
    esos_cli::main(|args: Args, ui: &mut Ui| -> Result<Exit, Failure> {
        match args.verb {
            Verb::Watch => watch::watch(ui),
            Verb::Show => {
                let files = HostFiles::new(ui.root());
                let Some(state) = watch::state(&files) else {
                    let path = run::STICK_STATE;
                    files.stat(path).map_err(|e| Failure::from(e).with_exit(Exit::Unavailable))?;
                    return Err(Failure::new(Exit::Invalid, format!("{path} cannot be understood")));
                };
                ui.emit("esos.stick.show/1", &state, |human| human.line(&state.message))?;
                Ok(if state.state == Presence::Present { Exit::Done } else { Exit::Differs })
            }
        }
    })
}
