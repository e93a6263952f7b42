//! `esos-conf watch`: on the stick soon after it has changed.
use crate::case::STATE;
use crate::host::HostBox;
use crate::sync::synced;
use esos_alert::{EventId, Inbox, Report, Severity};
use esos_cli::{Exit, Failure, Ui};
use esos_confsync::{EXTRAS, Quiet, Tracked, fingerprint};
use esos_hostfs::{Clock, Files, HostClock, HostFiles};
use esos_layout::run;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::Duration;

/// How often the box's files are looked at: names, sizes and times only.
const EVERY: Duration = Duration::from_secs(5);
/// Nothing has changed for so long: it is quiet.
const QUIET_S: u64 = 10;
/// A change waits no longer.
const MOST_S: u64 = 60;

/// What the watcher last came to, for `esos status`.
pub(crate) const PENDING: &str = "/run/esos/conf.json";

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pending {
    /// When the stick had everything, in seconds since 1970.
    pub(crate) last: u64,
    /// Why it has not.
    pub(crate) problem: Option<String>,
}

/// What a refusal rests on: what was restored, and which stick is there.
#[derive(Debug, PartialEq, Eq)]
struct Ground {
    restored: Option<Vec<u8>>,
    stick: Option<Vec<u8>>,
}

impl Ground {
    fn of(files: &dyn Files) -> Self {
        Self {
            restored: files.read(&format!("{STATE}/restored.json")).ok(),
            stick: files.read(run::STICK_STATE).ok(),
        }
    }
}

pub(crate) fn run(store: Option<&Path>, ui: &mut Ui) -> Result<Exit, Failure> {
    let files = HostFiles::new(ui.root());
    let tree = HostBox::new(ui.root());
    let mut quiet = Quiet::new(QUIET_S, MOST_S);
    let mut state = Pending::default();
    let mut refused: Option<Ground> = None;
    loop {
        let extras = files.read(EXTRAS).ok();
        let tracked = extras
            .and_then(|bytes| Tracked::with_extras(&String::from_utf8_lossy(&bytes)).ok())
            .unwrap_or_default();
        // A clock that is set must not make a change wait.
        let now = HostClock.monotonic().as_secs();
        let ground = Ground::of(&files);
        if quiet.look(now, fingerprint(&tree, &tracked)) && refused.as_ref() != Some(&ground) {
            let done = synced(store, "change", false, ui);
            let next = match &done {
                Ok(_) => {
                    quiet.synced();
                    Pending { last: HostClock.now().as_secs(), problem: None }
                }
                Err(failure) => {
                    quiet.failed(now);
                    Pending { last: state.last, problem: Some(failure.whole()) }
                }
            };
            // A refusal stands until a restore, a sync by hand, or another stick: the partition is not mounted
            // every few seconds only to hear the same again.
            refused = done.is_err_and(|failure| failure.exit() == Exit::Refused).then_some(ground);
            told(&files, &state, &next, ui);
            state = next;
        }
        HostClock.sleep(EVERY);
    }
}

/// Once when it begins to fail, once when it works again.
fn told(files: &HostFiles, before: &Pending, now: &Pending, ui: &mut Ui) {
    let id = EventId::of(["conf", "sync"]);
    let report = match (&before.problem, &now.problem) {
        (None, Some(problem)) => Report::raised(
            id,
            Severity::Critical,
            format!("the configuration is not on the stick: {problem}"),
        )
        .text("The box goes on with what it has. A power cut now would lose the last changes.")
        .remedy("esos stick show; esos conf sync"),
        (Some(_), None) => Report::cleared(id, "the configuration is on the stick"),
        _ => {
            keep(files, now);
            return;
        }
    };
    ui.say(format!("esos-conf: {}", report.subject));
    if let Err(e) = Inbox::new(files).put(&report, HostClock.now()) {
        ui.say(format!("esos-conf: {e}"));
    }
    keep(files, now);
}

fn keep(files: &HostFiles, state: &Pending) {
    let written = serde_json::to_vec_pretty(state).map(|text| {
        // `/run` is memory; a state that cannot be written there is the least of the box's troubles.
        let _told_elsewhere = files.make_dir("/run/esos").and_then(|()| files.replace(PENDING, &text, 0o644));
    });
    drop(written);
}
