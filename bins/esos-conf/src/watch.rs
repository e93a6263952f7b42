//! `esos-conf watch`: on the stick soon after it has changed.
use crate::case::STATE;
use crate::host::HostBox;
use crate::pending::{Alarm, Pending};
use crate::sync::synced;
use esos_cli::{Exit, Failure, Ui};
use esos_confsync::{EXTRAS, NO_REASON, Quiet, Seldom, Tracked, fingerprint};
use esos_hostfs::{Clock, Files, HostClock, HostFiles};
use esos_layout::run;
use std::path::Path;
use std::time::Duration;

/// How often the box's files are looked at: names, sizes and times only.
const EVERY: Duration = Duration::from_secs(5);
/// Nothing has changed for so long: it is quiet.
const QUIET_S: u64 = 10;
/// A change waits no longer.
const MOST_S: u64 = 60;
/// What was told of events is kept at least so often.
const SELDOM_S: u64 = 3600;

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
    // What was told before the watcher was started again has to be taken back some time.
    let mut state = Pending::read(&files);
    let mut refused: Option<Ground> = None;
    // What is no reason by itself is kept all the same, once in a while.
    let aside = Tracked::only(NO_REASON).map_err(|e| Failure::from(e).with_exit(Exit::Failed))?;
    let book = || fingerprint(&tree, &aside);
    let mut seldom = Seldom::new(SELDOM_S, HostClock.monotonic().as_secs(), book());
    loop {
        let extras = files.read(EXTRAS).ok();
        let tracked = extras
            .and_then(|bytes| Tracked::with_extras(&String::from_utf8_lossy(&bytes)).ok())
            .unwrap_or_default();
        // A clock that is set must not make a change wait.
        let now = HostClock.monotonic().as_secs();
        let ground = Ground::of(&files);
        let (changed, aside) = (quiet.look(now, fingerprint(&tree, &tracked.reasons())), book());
        state = state.look(&files, now, quiet.waits_since());
        if (changed || seldom.look(now, aside)) && refused.as_ref() != Some(&ground) {
            let alarm = Alarm::set(ui.root(), &state);
            let done = synced(store, "change", false, ui);
            let before = alarm.stop();
            let in_time = done.is_ok() && before == state;
            seldom.ended(HostClock.monotonic().as_secs(), aside, in_time);
            let outcome = match &done {
                Ok(_) => {
                    quiet.synced();
                    Ok(HostClock.now().as_secs())
                }
                Err(failure) => {
                    quiet.failed(HostClock.monotonic().as_secs());
                    Err(failure.whole())
                }
            };
            // A refusal stands until a restore, a sync by hand, or another stick: the partition is not mounted
            // every few seconds only to hear the same again.
            refused = done.is_err_and(|failure| failure.exit() == Exit::Refused).then_some(ground);
            let (next, told) = before.turn(&files, outcome);
            told.iter().for_each(|line| ui.say(format!("esos-conf: {line}")));
            state = next;
        }
        HostClock.sleep(EVERY);
    }
}
