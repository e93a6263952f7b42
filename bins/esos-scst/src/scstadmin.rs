//! The applet: the machine behind `esos_scst::scstadmin`.
use crate::keep;
use crate::machine::{self, Patience};
use esos_cli::Global;
use esos_hostfs::lock;
use esos_scst::scstadmin::{Host, Refusal, run};
use esos_scst::store::{Store, StoreError};
use esos_scst::{Config, Journal, Live, Options, Plan, Policy};
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

struct Machine {
    global: Global,
    patience: Patience,
}

pub(crate) fn main(args: &[String]) -> ExitCode {
    let global = Global::default();
    let mut machine = Machine { global, patience: Patience::new(keep::PATIENCE) };
    let changes = args.iter().any(|a| !a.trim_start_matches('-').starts_with("list"));
    // Perl's program takes no lock; a manager of ours that is at work is waited for.
    let dir = Path::new("/run/esos");
    let held = if changes && std::fs::create_dir_all(dir).is_ok() {
        lock(&dir.join("scst.lock"), Duration::from_secs(60)).ok()
    } else {
        None
    };
    let tree = machine::tree(&machine.global.clone());
    let outcome = run(args, &tree, &mut machine);
    drop(held);
    // A reader that closed its end is no error.
    let _closed = std::io::stdout().write_all(outcome.out.as_bytes());
    ExitCode::from(outcome.code)
}

impl Host for Machine {
    fn read(&mut self, path: &str) -> Result<String, String> {
        let reason = |e: std::io::Error| {
            let text = e.to_string();
            text.split(" (os error").next().unwrap_or_default().to_owned()
        };
        std::fs::read_to_string(path).map_err(reason)
    }

    fn write(&mut self, path: &str, text: &str) -> Result<(), String> {
        keep::replace(Path::new(path), text.as_bytes(), 0o600).map_err(|e| e.message().to_owned())
    }

    fn policy(&mut self, wanted: &Config) -> Policy {
        Policy {
            numa_nodes: machine::numa_nodes(&self.global),
            missing: machine::missing(&self.global, wanted),
            ..Policy::default()
        }
    }

    fn apply(
        &mut self,
        live: &Live,
        planned: &Plan,
        wanted: &Config,
        policy: &Policy,
    ) -> Result<(), Refusal> {
        let bulk = (planned.steps().count() > 50).then_some(30);
        let options = Options { allow_disruptive: true, allow_destructive: true, suspend: bulk };
        let files = esos_hostfs::HostFiles::new("/");
        let tree = machine::tree(&self.global);
        let store = Store::new(&files);
        let applied = store.apply(&tree, live, planned, wanted, policy, options, None, &mut self.patience);
        applied.map(|_| ()).map_err(|e| match &e {
            StoreError::Apply(e) => Refusal::from(e),
            other => Refusal { why: other.to_string(), absent: None },
        })
    }

    fn ask(&mut self, question: &str) -> Option<bool> {
        if !std::io::stdin().is_terminal() {
            return None;
        }
        let _closed = write!(std::io::stderr(), "{question}");
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer).ok()?;
        Some(answer.trim().eq_ignore_ascii_case("y"))
    }

    fn journal(&mut self) -> &mut dyn Journal {
        &mut self.patience
    }
}
