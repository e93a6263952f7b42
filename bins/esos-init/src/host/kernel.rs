//! Modules, the guard over the steps, the watchdog.
use super::{HostClock, HostConsole, power};
use esos_initramfs::{Clock, Console, Kernel};
use rustix::io::Errno;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The kernel, and a thread that reboots the machine when a step lasts longer than it may.
pub(crate) struct HostKernel {
    watch: Arc<Mutex<Watch>>,
}

#[derive(Default)]
struct Watch {
    doing: String,
    /// Time since boot at which the step must be over.
    until: Option<Duration>,
    dog: Option<File>,
    done: bool,
}

impl HostKernel {
    pub(crate) fn new(console: HostConsole) -> Self {
        let watch = Arc::new(Mutex::new(Watch::default()));
        let kernel = Self { watch: Arc::clone(&watch) };
        std::thread::spawn(move || guard(&watch, &console));
        kernel
    }

    /// The boot is over, nothing more to guard.
    pub(crate) fn done(&self) {
        locked(&self.watch).done = true;
    }
}

fn locked(watch: &Mutex<Watch>) -> MutexGuard<'_, Watch> {
    watch.lock().unwrap_or_else(PoisonError::into_inner)
}

fn guard(watch: &Mutex<Watch>, console: &HostConsole) {
    loop {
        std::thread::sleep(Duration::from_millis(500));
        let mut w = locked(watch);
        if w.done {
            return;
        }
        if w.until.is_some_and(|until| HostClock.now() > until) {
            let doing = w.doing.clone();
            // The watchdog is no longer fed from here on: it ends a reboot that hangs.
            drop(w);
            console.warn(&format!("{doing} did not end in its time; rebooting"));
            std::thread::sleep(Duration::from_secs(2));
            // Without sync, which may be what hangs.
            let _refused = rustix::system::reboot(rustix::system::RebootCommand::Restart);
            power::reboot();
        }
        if let Some(dog) = &mut w.dog {
            // A dog that cannot be fed bites: that is its work.
            let _hungry = dog.write_all(b"\0");
        }
    }
}

impl Kernel for HostKernel {
    fn load(&self, path: &str) -> io::Result<()> {
        let module = File::open(path)?;
        match rustix::system::finit_module(&module, c"", 0) {
            Err(Errno::EXIST) => Ok(()),
            other => Ok(other?),
        }
    }

    fn guard(&self, doing: &str, limit: Duration) {
        let mut watch = locked(&self.watch);
        doing.clone_into(&mut watch.doing);
        watch.until = Some(HostClock.now().saturating_add(limit));
    }

    fn watchdog(&self) -> Option<String> {
        let dog = OpenOptions::new().write(true).open("/dev/watchdog").ok()?;
        locked(&self.watch).dog = Some(dog);
        let identity = fs::read_to_string("/sys/class/watchdog/watchdog0/identity").unwrap_or_default();
        Some(identity.trim().to_owned())
    }

    fn release_watchdog(&self, keep_running: bool) {
        if let Some(mut dog) = locked(&self.watch).dog.take() {
            // `V` before the close stops it; a close without leaves it running, fed for the last time.
            let _bites = dog.write_all(if keep_running { b"\0" } else { b"V" });
        }
    }
}
