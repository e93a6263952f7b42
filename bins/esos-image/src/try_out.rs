//! `run`: an image in QEMU.
use std::time::Duration;

use esos_cli::{Exit, Failure, Ui};
use esos_units::Bytes;
use esos_vm::boot::{Boot, Goal};

use crate::args::RunArgs;

/// `run`.
pub(crate) fn run(args: RunArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let mut boot = Boot::new(&args.image);
    boot.firmware = args.firmware;
    boot.secure_boot = args.secure_boot;
    boot.bus = args.bus;
    boot.memory = Bytes::mib(args.memory);
    boot.processors = args.processors;
    boot.limit = Duration::from_secs(args.timeout);
    boot.goal = match (&args.exec, args.until_login) {
        (Some(command), _) => Goal::Command(command.clone()),
        (None, true) => Goal::Login,
        (None, false) if ui.json() => Goal::Login,
        (None, false) => {
            ui.say("Ctrl-] ends the machine");
            boot.interactive()?;
            return Ok(Exit::Done);
        }
    };
    let show = ui.global().verbose > 0;
    let report = boot.run(move |bytes| {
        if show {
            use std::io::Write;
            // Talk that nobody reads ends no boot.
            let _shown = std::io::stderr().write_all(bytes);
        }
    })?;
    let answer = report.answer.as_ref();
    ui.emit("esos.image.run/1", &report.to_json(), |human| {
        for step in &report.steps {
            human.line(format!("{:8.3} s  {}", step.seconds, step.name));
        }
        if let Some(answer) = answer {
            human.line(String::from_utf8_lossy(&answer.stdout).trim_end());
            if answer.status != 0 {
                human.line(format!(
                    "status {}: {}",
                    answer.status,
                    String::from_utf8_lossy(&answer.stderr).trim_end()
                ));
            }
        }
    })?;
    Ok(if answer.is_none_or(|a| a.status == 0) { Exit::Done } else { Exit::Failed })
}
