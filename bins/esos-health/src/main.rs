//! `esos-health`: what is not well.
mod args;
mod events;
mod files;
mod programs;
mod section;

use args::Args;
use esos_cli::{Exit, Failure, Ui};
use esos_health::{Status, check};
use std::process::ExitCode;

fn main() -> ExitCode {
    esos_cli::main(|args: Args, ui: &mut Ui| -> Result<Exit, Failure> {
        let before = events::before(ui);
        let facts = files::gather(ui.root(), ui.global().is_live());
        let health = check(&facts, &before);
        if args.report || args.startup {
            events::report(&health, &before, args.startup, ui)?;
        }
        ui.emit("esos.health/1", &health, |human| {
            for f in &health.findings {
                human.line(format!("{:?} {}: {}: {}", f.status, f.check, f.object, f.message));
                human.line(format!("     -> {}", f.remedy));
            }
            for c in health.checks.iter().filter(|c| c.status == Status::Unknown) {
                human.line(format!(
                    "Unknown {}: {}",
                    c.name,
                    c.why.as_deref().unwrap_or("no reason is known")
                ));
            }
            if health.status == Status::Ok {
                human.line("all is well");
            }
        })?;
        // The contract of monitoring plug-ins, whose numbers other tools of ours use otherwise.
        Ok(match health.status {
            Status::Ok | Status::Unused => Exit::Done,
            Status::Warn => Exit::Failed,
            Status::Crit => Exit::Usage,
            Status::Unknown => Exit::Invalid,
        })
    })
}
