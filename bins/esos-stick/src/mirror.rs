//! The second stick, where one is kept as a mirror: `esos-image mirror` runs when there is something for it to do.
use esos_exec::{Cmd, HostRunner, Runner};
use esos_hostfs::{Clock, Files, HostClock, HostFiles};
use esos_initramfs::StickReport;
use esos_layout::mirror::MirrorKept;
use esos_layout::run;
use esos_stickwatch::{Medium, MirrorView, MirrorWatch};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;
use std::time::Duration;

/// A whole slot may have to be copied onto a slow stick.
const LIMIT: Duration = Duration::from_secs(3600);

/// Watches it, and runs the tool in a thread of its own: a mirror that hangs does not stop the watch over the stick.
#[derive(Default)]
pub(crate) struct Mirror {
    watch: MirrorWatch,
    running: Option<Receiver<bool>>,
}

impl Mirror {
    /// Looks once. Nothing is done while the stick of the box is not there: there is nothing to copy, and the box has
    /// told that already.
    pub(crate) fn look(
        &mut self,
        files: &HostFiles,
        kept: Option<String>,
        media: &[Medium],
        stick_present: bool,
    ) {
        let now = HostClock.monotonic().as_secs();
        match self.running.as_ref().map(Receiver::try_recv) {
            Some(Err(TryRecvError::Empty)) => return,
            Some(done) => {
                self.watch.ended(now, done.unwrap_or(false));
                self.running = None;
            }
            None => {}
        }
        let Some(identity) = kept.filter(|_| stick_present) else { return };
        let view = view(files, identity, media);
        if self.watch.look(now, &view) {
            let (send, running) = channel();
            thread::spawn(move || send.send(follow()).is_ok());
            self.running = Some(running);
        }
    }
}

/// Whether the mirror is like the stick now. What is wrong is told by the tool itself.
fn follow() -> bool {
    let cmd = Cmd::new(format!("{}/esos-image", run::BIN_DIR)).args(["mirror", "--quiet"]).limit(LIMIT);
    HostRunner.run(&cmd).is_ok_and(|out| out.status.success())
}

/// The identity of the stick that is kept as a mirror; none where there is none, or where the box runs from it.
pub(crate) fn kept(files: &HostFiles, booted: &StickReport) -> Option<String> {
    let kept: MirrorKept = serde_json::from_slice(&files.read(run::MIRROR_KEPT).ok()?).ok()?;
    Some(kept.identity).filter(|identity| booted.identity.as_ref() != Some(identity))
}

/// Whether a medium is the one of that identity.
pub(crate) fn is(identity: &str, medium: &Medium) -> bool {
    medium.identity.stick.as_deref() == Some(identity)
}

fn view(files: &HostFiles, identity: String, media: &[Medium]) -> MirrorView {
    let conf = files.read(run::CONF_STATE).ok();
    let conf: serde_json::Value =
        conf.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    let here = media.iter().find(|m| m.readable.is_ok() && is(&identity, m));
    MirrorView {
        device: here.map(|m| m.device.clone()),
        synced: conf["last"].as_u64().unwrap_or(0),
        identity,
    }
}
