//! Whether the stick has what the box has, and what was told of it.
use esos_alert::{EventId, Inbox, Report, Severity};
use esos_hostfs::{Clock, Files, HostClock, HostFiles};
use esos_layout::run;
use esos_layout::stick_state::{Presence, StickState};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How often it is kept that the watcher looks, in seconds.
const KEEP_S: u64 = 60;

/// A sync that takes longer is told of while it goes on: a stick that hangs, or takes a byte now and then, gives no
/// error for minutes.
const LATE: Duration = Duration::from_secs(20);

/// What the watcher last came to, for `esos status` and the health check.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Pending {
    /// When the stick had everything, in seconds since 1970.
    pub(crate) last: u64,
    /// Why it has not.
    pub(crate) problem: Option<String>,
    /// Whether that was told, and has to be taken back.
    told: bool,
    /// When the watcher last looked for changes, in seconds since the box started: a clock that is set makes nothing old.
    looked: Option<u64>,
    /// Since when a change waits, in the same seconds.
    since: Option<u64>,
}

impl Pending {
    pub(crate) fn read(files: &dyn Files) -> Self {
        files
            .read(run::CONF_STATE)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default()
    }

    /// What follows from a sync: when the stick had everything, or why it has not. Kept, and told: once when it begins
    /// to fail, once when it works again. The line that was told comes with it.
    pub(crate) fn turn(self, files: &dyn Files, outcome: Result<u64, String>) -> (Self, Option<String>) {
        let (next, report) = self.after(outcome, is_gone(files));
        let mut said = None;
        if let Some(report) = report {
            let put = Inbox::new(files).put(&report, HostClock.now());
            said = Some(put.map_or_else(|e| e.to_string(), |()| report.subject));
        }
        let next = Self { looked: Some(HostClock.monotonic().as_secs()), ..next };
        next.keep(files);
        (next, said)
    }

    fn keep(&self, files: &dyn Files) {
        if let Ok(text) = serde_json::to_vec_pretty(self) {
            // `/run` is memory; a state that cannot be written there is the least of the box's troubles.
            let _told_elsewhere =
                files.make_dir(run::DIR).and_then(|()| files.replace(run::CONF_STATE, &text, 0o644));
        }
    }

    /// What follows from a look for changes, of which one may wait. Kept now and then, and when one begins to wait; not
    /// before the first sync, whose outcome others wait for.
    pub(crate) fn look(self, files: &dyn Files, now: u64, waits_since: Option<u64>) -> Self {
        let Some(looked) = self.looked else { return self };
        let since = waits_since.map(|at| self.since.unwrap_or(at));
        let next = Self { looked: Some(now), since, ..self.clone() };
        if next.since == self.since && now.saturating_sub(looked) < KEEP_S {
            return self;
        }
        next.keep(files);
        next
    }

    /// The same, decided. That a stick is gone tells whoever watches the stick: a second mail would say the same.
    fn after(self, outcome: Result<u64, String>, stick_gone: bool) -> (Self, Option<Report>) {
        let id = EventId::of(["conf", "sync"]);
        match outcome {
            Ok(last) => {
                let report = self.told.then(|| Report::cleared(id, "the configuration is on the stick"));
                (Self { last, problem: None, told: false, since: None, ..self }, report)
            }
            Err(problem) => {
                let subject = format!("the configuration is not on the stick: {problem}");
                let report = Report::raised(id, Severity::Critical, subject)
                    .text("The box goes on with what it has. A power cut now would lose the last changes.")
                    .remedy("esos stick show; esos conf sync");
                let tell = !self.told && !stick_gone;
                let next = Self { problem: Some(problem), told: self.told || tell, ..self };
                (next, tell.then_some(report))
            }
        }
    }
}

fn is_gone(files: &dyn Files) -> bool {
    let state = files.read(run::STICK_STATE).ok();
    let state: Option<StickState> = state.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    state.is_some_and(|s| matches!(s.state, Presence::Gone | Presence::Refused))
}

/// Rings while a sync still goes on.
pub(crate) struct Alarm {
    over: Sender<()>,
    rings: JoinHandle<Pending>,
    before: Pending,
}

impl Alarm {
    pub(crate) fn set(root: &Path, before: &Pending) -> Self {
        let (over, ends) = channel();
        let (root, now) = (root.to_owned(), before.clone());
        let rings = thread::spawn(move || match ends.recv_timeout(LATE) {
            Err(RecvTimeoutError::Timeout) => {
                let problem = format!("it takes longer than {} s to write it", LATE.as_secs());
                now.turn(&HostFiles::new(root), Err(format!("the stick is slow or hangs: {problem}"))).0
            }
            _ => now,
        });
        Self { over, rings, before: before.clone() }
    }

    /// The sync has ended, one way or the other; what the box has told by now.
    pub(crate) fn stop(self) -> Pending {
        drop(self.over);
        self.rings.join().unwrap_or(self.before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use esos_alert::Kind;
    use esos_hostfs::MemFiles;

    const GONE: &str = r#"{"schema":"esos-stick/1","state":"gone","device":null,"since":1,"message":"m"}"#;

    fn kinds(steps: &[(Result<u64, &str>, bool)]) -> Vec<Option<Kind>> {
        let mut state = Pending::default();
        let mut kinds = Vec::new();
        for (outcome, gone) in steps {
            let (next, report) = state.after(outcome.map_err(str::to_owned), *gone);
            assert_eq!(next.problem.is_some(), outcome.is_err());
            kinds.push(report.map(|r| r.kind));
            state = next;
        }
        kinds
    }

    #[test]
    fn once_when_it_begins_and_once_when_it_ends() {
        let (raised, cleared) = (Some(Kind::Raised), Some(Kind::Cleared));
        let steps =
            [(Ok(1), false), (Err("full"), false), (Err("io"), false), (Ok(2), false), (Ok(3), false)];
        assert_eq!(kinds(&steps), [None, raised, None, cleared, None]);
        // Gone, and read-only when it is back: that is a trouble of its own.
        let steps = [(Err("gone"), true), (Err("gone"), true), (Err("read-only"), false), (Ok(2), false)];
        assert_eq!(kinds(&steps), [None, None, raised, cleared]);
        assert_eq!(kinds(&[(Err("gone"), true), (Ok(1), false)]), [None, None]);
        assert_eq!(
            kinds(&[(Err("io"), false), (Err("gone"), true), (Ok(1), false)]),
            [raised, None, cleared]
        );
    }

    #[test]
    fn it_is_kept_over_a_new_start_of_the_watcher() {
        let files = MemFiles::new();
        let (_, said) = Pending::read(&files).turn(&files, Err("full".to_owned()));
        assert_eq!(said.as_deref(), Some("the configuration is not on the stick: full"));
        let (_, said) = Pending::read(&files).turn(&files, Err("full".to_owned()));
        assert_eq!(said, None);
        let (state, said) = Pending::read(&files).turn(&files, Ok(7));
        assert_eq!(said.as_deref(), Some("the configuration is on the stick"));
        assert_eq!((state.last, Inbox::new(&files).look().unwrap().reports.len()), (7, 2));
        let files = files.file(run::STICK_STATE, GONE);
        assert_eq!(Pending::read(&files).turn(&files, Err("gone".to_owned())).1, None);
        assert_eq!(Pending::read(&files).problem.as_deref(), Some("gone"));
    }

    /// Whoever asks how old the last sync is must know that somebody looks, and whether something waits.
    #[test]
    fn looks_and_what_waits_are_kept() {
        let files = MemFiles::new();
        let state = Pending::default().look(&files, 5, Some(5));
        assert_eq!((state, Pending::read(&files)), (Pending::default(), Pending::default()), "no sync yet");
        let kept = |state: Pending| Pending { looked: Some(100), ..state };
        let (state, _) = Pending::default().turn(&files, Ok(7));
        let state = kept(state).look(&files, 159, None);
        assert_eq!(state.looked, Some(100));
        let state = state.look(&files, 160, None);
        assert_eq!((state.looked, Pending::read(&files)), (Some(160), state.clone()));
        let state = state.look(&files, 165, Some(165));
        assert_eq!(Pending::read(&files).since, Some(165));
        // It failed, is tried again from now on, and waits since then all the same.
        let (state, _) = state.turn(&files, Err("full".to_owned()));
        let state = kept(state).look(&files, 300, Some(200));
        assert_eq!((state.since, Pending::read(&files).since), (Some(165), Some(165)));
        let (state, _) = state.turn(&files, Ok(8));
        assert_eq!((state.since, Pending::read(&files).since), (None, None));
        // Changed back before it was written.
        let state = kept(state).look(&files, 110, Some(110)).look(&files, 115, None);
        assert_eq!((state.since, Pending::read(&files).looked), (None, Some(115)));
    }

    #[test]
    fn a_sync_that_ends_in_time_rings_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let before = Pending { last: 3, ..Pending::default() };
        assert_eq!(Alarm::set(dir.path(), &before).stop(), before);
        assert!(!dir.path().join("run").exists());
    }
}
