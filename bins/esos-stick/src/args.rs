//! Arguments.
use clap::{Parser, Subcommand};
use esos_cli::{Global, Health, Section, Tool};
use esos_hostfs::HostFiles;
use esos_layout::stick_state::Presence;

/// The stick that this box booted from
#[derive(Debug, Parser)]
#[command(name = "esos-stick", version)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Say whether the stick is there (exit code 4 where it is not)
    Show,
    /// Watch it without end, as init runs it; say on the console and in the log when it goes and comes
    Watch,
}

impl Tool for Args {
    fn global(&self) -> &Global {
        &self.global
    }

    fn section(global: &Global) -> Option<Section> {
        let section = Section::new("stick");
        let Some(state) = crate::watch::state(&HostFiles::new(&global.root)) else {
            let remedy = Some("ps -C esos-stick; tail /var/log/syslog");
            return Some(section.finding(Health::Unknown, "nobody watches the stick", remedy));
        };
        let health = match state.state {
            Presence::Present => return Some(section.line(state.message)),
            Presence::Gone | Presence::Refused => Health::Crit,
            _ => Health::Unknown,
        };
        let section = section.line(state.message.clone());
        Some(section.finding(
            health,
            state.message,
            Some("put back the stick that was booted; esos stick show"),
        ))
    }
}
