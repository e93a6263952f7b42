//! All consoles of the kernel, and its log.
use esos_initramfs::Console;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

/// Writes to every console that the kernel has (a screen and a serial line), and to the kernel's log at
/// debug level, which consoles do not show again.
#[derive(Clone, Default)]
pub(crate) struct HostConsole {
    open: Arc<Mutex<Open>>,
}

#[derive(Default)]
struct Open {
    consoles: Vec<File>,
    log: Option<File>,
    verbose: bool,
}

impl Open {
    /// Before `/dev` and `/sys` are mounted there is nothing to open; tried again with every line.
    fn ensure(&mut self) {
        if self.consoles.is_empty() {
            let active = fs::read_to_string("/sys/class/tty/console/active").unwrap_or_default();
            let open = |name: &str| OpenOptions::new().write(true).open(format!("/dev/{name}")).ok();
            self.consoles = active.split_ascii_whitespace().filter_map(open).collect();
            if self.consoles.is_empty() {
                self.consoles.extend(open("console"));
            }
            let line = fs::read_to_string("/proc/cmdline").unwrap_or_default();
            self.verbose = esos_initramfs::Cmdline::parse(&line).verbose;
        }
        if self.log.is_none() {
            self.log = OpenOptions::new().write(true).open("/dev/kmsg").ok();
        }
    }
}

impl HostConsole {
    fn put(&self, text: &str, show: bool) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.ensure();
        // A console that does not take a line must not stop a boot.
        if let Some(log) = &mut open.log {
            let _unsaid = log.write_all(format!("<7>esos-init: {text}\n").as_bytes());
        }
        if show || open.verbose {
            for console in &mut open.consoles {
                let _unsaid = console.write_all(format!("esos-init: {text}\r\n").as_bytes());
            }
        }
    }
}

impl Console for HostConsole {
    fn say(&self, text: &str) {
        self.put(text, true);
    }

    fn warn(&self, text: &str) {
        self.put(&format!("*** {text}"), true);
    }

    fn detail(&self, text: &str) {
        self.put(text, false);
    }
}
