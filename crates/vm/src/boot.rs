//! Booting an image once and saying how it went: what `esos-image run` does.
use crate::accel::Accel;
use crate::{Answer, Bus, ChannelError, Disk, Firmware, Guest, LoginError, Machine, Mark, Net, Person};
use crate::{StartError, WaitError, terminal};
use esos_layout::run::BOOT_REPORT;
use esos_units::Bytes;
use serde_json::{Value, json};
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

/// What to boot, and how far.
#[derive(Debug, Clone)]
pub struct Boot {
    /// The raw image; it stays as it is.
    pub image: PathBuf,
    /// What the machine starts from.
    pub firmware: Firmware,
    /// UEFI with Secure Boot on.
    pub secure_boot: bool,
    /// Where the image hangs.
    pub bus: Bus,
    /// Memory of the machine.
    pub memory: Bytes,
    /// Its processors.
    pub processors: u32,
    /// How long everything together may take.
    pub limit: Duration,
    /// KVM or emulation; `None` probes.
    pub accel: Option<Accel>,
    /// Who logs in.
    pub person: Person,
    /// What is done after the login prompt.
    pub goal: Goal,
}

/// How far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Goal {
    /// To the login prompt.
    Login,
    /// Logs in, runs a command as root, and ends.
    Command(String),
}

impl Boot {
    /// An image as a USB stick of a BIOS machine, to its login prompt within 15 minutes.
    #[must_use]
    pub fn new(image: impl Into<PathBuf>) -> Self {
        Self {
            image: image.into(),
            firmware: Firmware::Bios,
            secure_boot: false,
            bus: Bus::Usb,
            memory: Bytes::gib(3),
            processors: 2,
            limit: Duration::from_secs(900),
            accel: None,
            person: Person::default(),
            goal: Goal::Login,
        }
    }

    /// The machine, with one network card on QEMU's user network.
    #[must_use]
    pub fn machine(&self) -> Machine {
        let machine = Machine::new("esos")
            .firmware(self.firmware)
            .memory(self.memory)
            .processors(self.processors)
            .disk(Disk::new(&self.image, self.bus).id("stick"))
            .net(Net::User { forward: Vec::new(), closed: false });
        let machine = if self.secure_boot { machine.secure_boot() } else { machine };
        match self.accel {
            Some(accel) => machine.accel(accel),
            None => machine,
        }
    }

    /// Boots it.
    ///
    /// # Errors
    /// [`BootError`]; the machine is gone then as it is after success.
    pub fn run(&self, listener: impl FnMut(&[u8]) + Send + 'static) -> Result<Report, BootError> {
        let guest = self.machine().listener(listener).start()?;
        until_login(&guest, self.limit)?;
        let answer = match &self.goal {
            Goal::Login => None,
            Goal::Command(command) => {
                let left = |guest: &Guest| self.limit.saturating_sub(guest.elapsed());
                guest.log_in(&self.person, left(&guest)).map_err(BootError::Login)?;
                Some(guest.run_within(command, left(&guest)).map_err(BootError::Command)?)
            }
        };
        let boot_report = match &answer {
            Some(_) => guest.read_file(BOOT_REPORT).ok().and_then(|b| serde_json::from_slice(&b).ok()),
            None => None,
        };
        Ok(Report {
            accel: guest.accel(),
            steps: steps(&guest),
            seconds: guest.elapsed().as_secs_f64(),
            answer,
            boot_report,
        })
    }
}

impl Boot {
    /// Boots it with its serial console on this terminal, until the machine ends or Ctrl-] is typed.
    ///
    /// # Errors
    /// Where the machine does not start, or this terminal cannot be used.
    pub fn interactive(&self) -> Result<(), BootError> {
        let mut out = std::io::stdout();
        let listener = move |bytes: &[u8]| {
            // A terminal that is gone ends the reading side, too.
            let _shown = out.write_all(bytes).and_then(|()| out.flush());
        };
        let guest = self.machine().listener(listener).start()?;
        terminal::connect(&guest).map_err(BootError::Terminal)
    }
}

/// How a boot went.
#[derive(Debug)]
pub struct Report {
    /// What carried out the guest's instructions.
    pub accel: Accel,
    /// What was reached, in order.
    pub steps: Vec<Step>,
    /// From the start to the end of everything, in seconds.
    pub seconds: f64,
    /// What the command left.
    pub answer: Option<Answer>,
    /// The box's own account of its boot, where a command was run.
    pub boot_report: Option<Value>,
}

impl Report {
    /// As data: `accel`, `seconds`, `steps`, and where a command was run `exec` (its `status`, `stdout`
    /// and `stderr`) and `boot`, the box's own account (`esos_initramfs::BootReport`).
    #[must_use]
    pub fn to_json(&self) -> Value {
        let steps: Vec<Value> =
            self.steps.iter().map(|s| json!({ "name": s.name, "seconds": thousandths(s.seconds) })).collect();
        let exec = self.answer.as_ref().map(|answer| {
            json!({
                "status": answer.status,
                "stdout": String::from_utf8_lossy(&answer.stdout),
                "stderr": String::from_utf8_lossy(&answer.stderr),
            })
        });
        json!({
            "accel": self.accel.to_string(), "seconds": thousandths(self.seconds), "steps": steps,
            "exec": exec, "boot": self.boot_report,
        })
    }
}

fn thousandths(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

/// One step that the console showed.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// `grub`, `kernel`, `init`, `sysvinit` or `login`.
    pub name: &'static str,
    /// Seconds since the machine was started.
    pub seconds: f64,
}

/// Why an image did not boot.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BootError {
    /// No machine.
    #[error("the machine does not start")]
    Start(#[from] StartError),
    /// No login prompt.
    #[error("no login prompt")]
    NoLogin(#[from] WaitError),
    /// The kernel, or `esos-init`, gave up.
    #[error("the boot ended in `{words}`; the console ends with\n{tail}")]
    Dead {
        /// What was said.
        words: String,
        /// The last lines of the console.
        tail: String,
    },
    /// Secure Boot refused something.
    #[error("Secure Boot refuses it: `{words}`; the console ends with\n{tail}")]
    Refused {
        /// What was said.
        words: String,
        /// The last lines of the console.
        tail: String,
    },
    /// Nobody could log in.
    #[error("logging in")]
    Login(#[source] LoginError),
    /// This terminal.
    #[error("this terminal")]
    Terminal(#[source] std::io::Error),
    /// The command could not be run.
    #[error("running the command")]
    Command(#[source] ChannelError),
}

/// Words on the console by which a step is known; the first that matches counts.
const STEPS: [(&str, &[&str]); 5] = [
    ("grub", &["ESOS: starting, Esc shows the menu", "GNU GRUB"]),
    ("kernel", &["Linux version "]),
    ("init", &["esos-init"]),
    ("sysvinit", &["INIT: version"]),
    ("login", &[LOGIN]),
];

const LOGIN: &str = " login:";
const PANIC: &str = "Kernel panic - not syncing";
/// Words of the firmware, of shim and of GRUB that refuse what is not signed.
const REFUSED: [&str; 4] =
    ["Access Denied", "Security Violation", "Verification failed", "bad shim signature"];

/// Waits for the login prompt.
///
/// # Errors
/// [`BootError::Dead`] as soon as the kernel panics, [`BootError::NoLogin`] when the time has passed.
pub fn until_login(guest: &Guest, limit: Duration) -> Result<Mark, BootError> {
    let left = limit.saturating_sub(guest.elapsed());
    let mut words = vec![LOGIN, PANIC];
    words.extend(REFUSED);
    let (which, mark) = guest.console().wait_any(Mark::default(), &words, left)?;
    if which == 0 {
        return Ok(mark);
    }
    if which > 1 {
        let words = words.get(which).copied().unwrap_or_default().to_owned();
        return Err(BootError::Refused {
            words,
            tail: guest.console().tail(crate::console::TAIL).to_string(),
        });
    }
    // The lines behind say what it was.
    let _enough = guest.console().wait_for(mark, "end Kernel panic", Duration::from_secs(5));
    Err(BootError::Dead {
        words: PANIC.to_owned(),
        tail: guest.console().tail(crate::console::TAIL).to_string(),
    })
}

/// The steps that the console of a guest has shown so far.
#[must_use]
pub fn steps(guest: &Guest) -> Vec<Step> {
    let console = guest.console();
    let mut from = Mark::default();
    let mut steps = Vec::new();
    for (name, words) in STEPS {
        let first = words.iter().filter_map(|words| console.find(from, words)).min();
        if let Some(mark) = first {
            steps.push(Step { name, seconds: console.time_of(mark).as_secs_f64() });
            from = mark;
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_as_data() {
        let report = Report {
            accel: Accel::Tcg,
            steps: vec![Step { name: "login", seconds: 1.23456 }],
            seconds: 2.0,
            answer: Some(Answer { status: 4, stdout: b"a\n".to_vec(), stderr: Vec::new() }),
            boot_report: None,
        };
        let data = report.to_json();
        assert_eq!(data["steps"][0], json!({ "name": "login", "seconds": 1.235 }));
        assert_eq!(data["exec"], json!({ "status": 4, "stdout": "a\n", "stderr": "" }));
        assert_eq!(data["boot"], Value::Null);
    }
}
