//! `esos-health`: what is not well.
mod args;
mod events;
mod files;
mod programs;
mod scst;
mod section;

use args::Args;
use esos_cli::{Exit, Failure, Ui};
use esos_health::{Status, check, remembered};
use esos_hostfs::HostFiles;
use std::process::ExitCode;

fn main() -> ExitCode {
    esos_cli::main(|args: Args, ui: &mut Ui| -> Result<Exit, Failure> {
        let before = events::before(ui);
        let mut facts = files::gather(ui.root(), ui.global().is_live());
        if !args.forget.is_empty() {
            scst::forget(&args.forget, &mut facts)
                .map_err(|why| Failure::new(Exit::Invalid, why).help("esos scst sessions; esos health"))?;
        }
        let health = check(&facts, &before);
        if args.report || args.startup || !args.forget.is_empty() {
            scst::remember(&HostFiles::new(ui.root()), &remembered(&facts))?;
        }
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
