//! `esos-setup`: first login of an ESOS box.
mod answers;
mod args;
mod banner;
mod login;
mod machine;

use args::{Args, Verb};
use esos_cli::{Exit, Failure, Ui};
use std::process::ExitCode;

fn main() -> ExitCode {
    esos_cli::main(|args: Args, ui: &mut Ui| -> Result<Exit, Failure> {
        match args.verb {
            Verb::Login { name } => login::login(ui, &name),
            Verb::Answers => answers::answers(ui),
            Verb::Banner => banner::banner(ui),
            Verb::Check => {
                let needed = machine::needs_setup(ui.root())?;
                ui.emit("esos.setup.check/1", &serde_json::json!({ "needed": needed }), |human| {
                    human.line(if needed {
                        "this box has not been set up yet"
                    } else {
                        "this box is set up"
                    });
                })?;
                Ok(if needed { Exit::Differs } else { Exit::Done })
            }
        }
    })
}
