//! What is told of the mirror: once when it cannot follow, once when it does again.
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use esos_alert::{EventId, Inbox, Report, Severity};
use esos_cli::{Exit, Failure};
use esos_hostfs::{Clock, Files, HostClock, HostFiles};
use esos_layout::run;
use esos_layout::stick_state::{Presence, StickState};
use serde::{Deserialize, Serialize};

/// How the last look at it went; of this boot.
pub(crate) const LAST: &str = "/run/esos/mirror.json";

/// A mirror that takes nothing for so long is told of while it goes on: one that hangs gives no error for minutes.
const LATE_S: u64 = 20;

#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Last {
    /// When the mirror was last like the stick, in seconds since 1970.
    pub(crate) time: u64,
    /// Why it is not.
    pub(crate) problem: Option<String>,
}

/// What `esos status` says of it; none where no mirror is kept.
pub(crate) fn last(files: &HostFiles) -> Option<Last> {
    files.stat(run::MIRROR_KEPT).ok()?;
    Some(read(files))
}

fn read(files: &dyn Files) -> Last {
    files.read(LAST).ok().and_then(|b| serde_json::from_slice(&b).ok()).unwrap_or_default()
}

/// A try has ended. That somebody else is at it is no news; nor is a stick of the box that is gone, which is told by
/// whoever watches it. What went wrong with telling it.
pub(crate) fn ended(files: &dyn Files, failure: Option<&Failure>) -> Option<String> {
    if failure.is_some_and(|f| f.exit() == Exit::Busy || is_gone(files)) {
        return None;
    }
    note(files, failure.map(Failure::whole))
}

fn is_gone(files: &dyn Files) -> bool {
    let state = files.read(run::STICK_STATE).ok();
    let state: Option<StickState> = state.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    state.is_some_and(|s| matches!(s.state, Presence::Gone | Presence::Refused))
}

/// Keeps how it stands, and tells it where that is another matter than before. What went wrong with telling it.
fn note(files: &dyn Files, problem: Option<String>) -> Option<String> {
    let before = read(files);
    let now = HostClock.now();
    let id = EventId::of(["mirror", "stick"]);
    let report = match (&before.problem, &problem) {
        (None, Some(problem)) => Some(
            Report::raised(
                id,
                Severity::Warning,
                format!("the mirror of the stick is not up to date: {problem}"),
            )
            .remedy("esos-image mirror"),
        ),
        (Some(_), None) => Some(Report::cleared(id, "the mirror of the stick is up to date")),
        _ => None,
    };
    let told = report.and_then(|report| Inbox::new(files).put(&report, now).err());
    let time = if problem.is_none() { now.as_secs() } else { before.time };
    if let Ok(text) = serde_json::to_vec_pretty(&Last { time, problem }) {
        // `/run` is memory.
        let _told = files.make_dir(run::DIR).and_then(|()| files.replace(LAST, &text, 0o644));
    }
    told.map(|e| e.to_string())
}

/// Rings where the mirror takes nothing for a while.
pub(crate) struct Alarm {
    moved: Arc<AtomicU64>,
    over: Sender<()>,
    rings: JoinHandle<()>,
}

impl Alarm {
    /// Set, for the mirror of the box whose root this is.
    pub(crate) fn set(root: &Path) -> Self {
        Self::after(root.to_owned(), LATE_S)
    }

    fn after(root: PathBuf, late_s: u64) -> Self {
        let moved = Arc::new(AtomicU64::new(HostClock.monotonic().as_secs()));
        let (over, ends) = channel();
        let last = Arc::clone(&moved);
        let rings = thread::spawn(move || {
            while ends.recv_timeout(Duration::from_secs(1)) == Err(RecvTimeoutError::Timeout) {
                let still = HostClock.monotonic().as_secs().saturating_sub(last.load(Ordering::Relaxed));
                if still >= late_s {
                    let problem = format!("it is slow or hangs: it has taken nothing for {late_s} s");
                    // That it cannot be told is said by the next one who tries.
                    let _told = note(&HostFiles::new(root), Some(problem));
                    return;
                }
            }
        });
        Self { moved, over, rings }
    }

    /// It has taken something.
    pub(crate) fn moved(&self) {
        self.moved.store(HostClock.monotonic().as_secs(), Ordering::Relaxed);
    }

    /// The try has ended, one way or the other.
    pub(crate) fn stop(self) {
        drop(self.over);
        // It cannot panic, and if it could, nobody would be told less.
        let _ended = self.rings.join();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use esos_alert::Kind;
    use esos_hostfs::MemFiles;

    fn told(files: &dyn Files) -> Vec<Kind> {
        Inbox::new(files).look().unwrap().reports.into_iter().map(|(_, report)| report.kind).collect()
    }

    #[test]
    fn once_when_it_begins_and_once_when_it_ends() {
        let files = MemFiles::new();
        for problem in [None, Some("full"), Some("pulled"), None, None] {
            assert_eq!(note(&files, problem.map(str::to_owned)), None);
        }
        assert_eq!(told(&files), [Kind::Raised, Kind::Cleared]);
    }

    #[test]
    fn who_is_busy_or_has_no_stick_of_its_own_says_nothing_of_the_mirror() {
        let files = MemFiles::new();
        assert_eq!(ended(&files, Some(&Failure::new(Exit::Busy, "somebody is at it"))), None);
        let gone = r#"{"schema":"esos-stick/1","state":"gone","device":null,"since":1,"message":"m"}"#;
        let files = files.file(run::STICK_STATE, gone);
        assert_eq!(ended(&files, Some(&Failure::new(Exit::Failed, "nothing to copy from"))), None);
        assert_eq!(told(&files), []);
        assert!(files.read(LAST).is_err());
    }

    #[test]
    fn what_takes_nothing_rings_once_and_what_moves_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let files = HostFiles::new(dir.path());
        let alarm = Alarm::after(dir.path().to_owned(), 3);
        for _ in 0..5 {
            thread::sleep(Duration::from_secs(1));
            alarm.moved();
        }
        assert_eq!(told(&files), []);
        while told(&files).is_empty() {
            thread::sleep(Duration::from_millis(100));
        }
        alarm.stop();
        assert_eq!(told(&files), [Kind::Raised]);
        assert!(read(&files).problem.is_some_and(|p| p.contains("slow or hangs")));
    }
}
