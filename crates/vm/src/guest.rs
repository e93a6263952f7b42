//! A running machine.
use crate::accel::Accel;
use crate::channel::{Answer, Channel, ChannelError};
use crate::disk::Placed;
use crate::machine::{Machine, QEMU, StartError};
use crate::{Console, LoginError, Net, Person, Qmp, QmpError, login};
use serde_json::json;
use std::fs::File;
use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// A running machine. It is killed when it is dropped.
#[derive(Debug)]
pub struct Guest {
    name: String,
    accel: Accel,
    process: Process,
    console: Console,
    qmp: Qmp,
    /// The other end of the guest's fourth serial port, until a channel is opened on it.
    port: Mutex<Option<UnixStream>>,
    channel: Mutex<Option<Channel>>,
    disks: Vec<Placed>,
    /// Its segments last as long as it does.
    _nets: Vec<Net>,
    _dir: tempfile::TempDir,
}

/// What went wrong with a running machine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GuestError {
    /// The monitor.
    #[error("the monitor of {guest}")]
    Monitor {
        /// The machine.
        guest: String,
        /// Why.
        #[source]
        source: QmpError,
    },
    /// No disk of that name.
    #[error("{guest} has no disk {disk}; it has {have}")]
    NoDisk {
        /// The machine.
        guest: String,
        /// What was asked for.
        disk: String,
        /// What there is.
        have: String,
    },
    /// It did not end.
    #[error("{guest} did not end within {limit:?}")]
    StillRuns {
        /// The machine.
        guest: String,
        /// How long was waited.
        limit: Duration,
    },
}

/// How long QEMU may take to open its sockets.
const OPEN: Duration = Duration::from_secs(30);

impl Guest {
    pub(crate) fn start(mut machine: Machine) -> Result<Self, StartError> {
        let io = |what: &str| {
            let what = what.to_owned();
            move |source| StartError::Io { what, source }
        };
        if !Path::new(QEMU).exists() {
            return Err(StartError::NoQemu);
        }
        let dir =
            tempfile::Builder::new().prefix("esos-vm-").tempdir().map_err(io("a temporary directory"))?;
        let disks = machine.placed()?;
        let plugs = machine.plugs()?;
        let arguments = machine.arguments(dir.path(), &disks, &plugs)?;
        let listen = |name: &str| {
            let listener = UnixListener::bind(dir.path().join(name)).map_err(io(name))?;
            listener.set_nonblocking(true).map_err(io(name))?;
            Ok::<_, StartError>(listener)
        };
        let [console, command, monitor] = ["console", "command", "monitor"].map(listen);
        let (console, command, monitor) = (console?, command?, monitor?);
        let log = machine.log.as_ref().map(|path| File::create(path).map_err(io(&path.to_string_lossy())));
        let log = log.transpose()?;
        let stderr = dir.path().join("stderr");
        let started = Instant::now();
        let process = Process::spawn(arguments, &stderr).map_err(io(QEMU))?;
        let accept = |listener: &UnixListener| loop {
            match listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(false).map_err(io("a socket"))?;
                    break Ok(stream);
                }
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => break Err(io("a socket")(error)),
                Err(_) if process.ended().is_some() => break Err(died(&stderr)),
                Err(_) if started.elapsed() > OPEN => break Err(StartError::Silent(OPEN)),
                Err(_) => thread::sleep(Duration::from_millis(5)),
            }
        };
        let [console, command, monitor] = [&console, &command, &monitor].map(accept);
        let console = Console::new(console?, started, log, machine.listener.take()).map_err(io("console"))?;
        // The sockets open before the devices are made, and a device may be what is wrong.
        let qmp = Qmp::new(monitor?).map_err(|error| match error {
            QmpError::Over { .. } => died(&stderr),
            other => StartError::Monitor(other),
        })?;
        Ok(Self {
            accel: machine.chosen_accel(),
            name: machine.name,
            process,
            console,
            qmp,
            port: Mutex::new(Some(command?)),
            channel: Mutex::new(None),
            disks,
            _nets: machine.nets,
            _dir: dir,
        })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What carries out its instructions.
    #[must_use]
    pub fn accel(&self) -> Accel {
        self.accel
    }

    /// Its serial console.
    #[must_use]
    pub fn console(&self) -> &Console {
        &self.console
    }

    /// Its monitor.
    #[must_use]
    pub fn qmp(&self) -> &Qmp {
        &self.qmp
    }

    /// Time since it was started.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.console.elapsed()
    }

    /// Logs in at the console as a person would, answering the first-login dialogue where it comes,
    /// and opens the command channel.
    ///
    /// # Errors
    /// [`LoginError`] with the tail of the console.
    pub fn log_in(&self, person: &Person, limit: Duration) -> Result<(), LoginError> {
        login::log_in(&self.console, person, limit)?;
        self.open_channel(limit).map_err(LoginError::Channel)
    }

    /// Opens the command channel from a shell that waits on the console already.
    ///
    /// # Errors
    /// Where the shell does not answer on the fourth serial port.
    pub fn open_channel(&self, limit: Duration) -> Result<(), ChannelError> {
        let mut channel = locked(&self.channel);
        if channel.is_none() {
            let port = locked(&self.port).take().ok_or(ChannelError::NotOpen)?;
            *channel = Some(Channel::open(&self.console, port, limit)?);
        }
        Ok(())
    }

    /// Runs a shell command as root in the guest, within two minutes.
    ///
    /// # Errors
    /// [`ChannelError`]; a status other than 0 is an answer, no error.
    pub fn run(&self, command: &str) -> Result<Answer, ChannelError> {
        self.run_within(command, Duration::from_secs(120))
    }

    /// Runs a shell command as root in the guest. It is ended there when the limit has passed; its
    /// status is 124 then (143 with BusyBox).
    ///
    /// # Errors
    /// [`ChannelError`]; a status other than 0 is an answer, no error.
    pub fn run_within(&self, command: &str, limit: Duration) -> Result<Answer, ChannelError> {
        locked(&self.channel).as_mut().ok_or(ChannelError::NotOpen)?.run(command, limit)
    }

    /// Writes a file in the guest; its directory must be there. Goes over a serial line: for some MiB
    /// and more hang a disk with a tar into the machine.
    ///
    /// # Errors
    /// [`ChannelError`], [`ChannelError::Failed`] where the guest cannot write it.
    pub fn write_file(&self, path: &str, bytes: &[u8]) -> Result<(), ChannelError> {
        locked(&self.channel).as_mut().ok_or(ChannelError::NotOpen)?.write_file(path, bytes)
    }

    /// Reads a file of the guest.
    ///
    /// # Errors
    /// [`ChannelError`], [`ChannelError::Failed`] where the guest cannot read it.
    pub fn read_file(&self, path: &str) -> Result<Vec<u8>, ChannelError> {
        locked(&self.channel).as_mut().ok_or(ChannelError::NotOpen)?.read_file(path)
    }

    fn disk(&self, id: &str) -> Result<&Placed, GuestError> {
        self.disks.iter().find(|disk| disk.id == id).ok_or_else(|| GuestError::NoDisk {
            guest: self.name.clone(),
            disk: id.to_owned(),
            have: self.disks.iter().map(|d| d.id.as_str()).collect::<Vec<_>>().join(", "),
        })
    }

    fn monitor(&self, source: QmpError) -> GuestError {
        GuestError::Monitor { guest: self.name.clone(), source }
    }

    /// Pulls a disk, a stick say, without asking the guest; returns when it is gone. What was written to
    /// it stays for [`Guest::plug`].
    ///
    /// # Errors
    /// Where there is no such disk, or QEMU refuses.
    pub fn pull(&self, id: &str) -> Result<(), GuestError> {
        self.disk(id)?;
        self.qmp.execute("device_del", json!({ "id": id })).map_err(|e| self.monitor(e))?;
        let gone = self.qmp.event("DEVICE_DELETED", Duration::from_secs(60), |data| {
            data.get("device").and_then(serde_json::Value::as_str) == Some(id)
        });
        gone.map(drop).map_err(|e| self.monitor(e))
    }

    /// Plugs a disk that was pulled, or was [`crate::Disk::absent`] at the start.
    ///
    /// # Errors
    /// Where there is no such disk, or QEMU refuses.
    pub fn plug(&self, id: &str) -> Result<(), GuestError> {
        let device = self.disk(id)?.device();
        self.qmp.execute("device_add", device).map(drop).map_err(|e| self.monitor(e))
    }

    /// Presses the power button (ACPI).
    ///
    /// # Errors
    /// Where QEMU refuses.
    pub fn power_button(&self) -> Result<(), GuestError> {
        self.qmp.execute("system_powerdown", json!({})).map(drop).map_err(|e| self.monitor(e))
    }

    /// Presses the reset button. A command channel is gone then.
    ///
    /// # Errors
    /// Where QEMU refuses.
    pub fn reset(&self) -> Result<(), GuestError> {
        self.qmp.execute("system_reset", json!({})).map(drop).map_err(|e| self.monitor(e))
    }

    /// Sends a non-maskable interrupt to every processor.
    ///
    /// # Errors
    /// Where QEMU refuses.
    pub fn nmi(&self) -> Result<(), GuestError> {
        self.qmp.execute("inject-nmi", json!({})).map(drop).map_err(|e| self.monitor(e))
    }

    /// Takes the cable out of a network card (numbered from 0), or puts it in.
    ///
    /// # Errors
    /// Where QEMU refuses.
    pub fn cable(&self, card: usize, plugged: bool) -> Result<(), GuestError> {
        let arguments = json!({ "name": format!("card{card}"), "up": plugged });
        self.qmp.execute("set_link", arguments).map(drop).map_err(|e| self.monitor(e))
    }

    /// Cuts the power: nothing more reaches a disk. What the guest wrote before stays in its files.
    pub fn cut_power(self) {
        self.process.kill();
    }

    /// Forgets the command channel after the guest restarted; [`Guest::log_in`] opens it again.
    pub fn forget_channel(&self) {
        if let Some(channel) = locked(&self.channel).take() {
            *locked(&self.port) = Some(channel.into_port());
        }
    }

    /// How the machine ended, once it has.
    #[must_use]
    pub fn ended(&self) -> Option<ExitStatus> {
        self.process.ended()
    }

    /// Waits until the machine has ended by itself (power off, or a reset with
    /// [`Machine::end_at_reset`]).
    ///
    /// # Errors
    /// [`GuestError::StillRuns`].
    pub fn wait_end(&self, limit: Duration) -> Result<ExitStatus, GuestError> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.process.ended() {
                return Ok(status);
            }
            if Instant::now() >= deadline {
                return Err(GuestError::StillRuns { guest: self.name.clone(), limit });
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        if thread::panicking() {
            print_tail(&self.name, &self.console);
        }
        self.process.kill();
    }
}

#[expect(clippy::print_stderr, reason = "a failing test shows what its guest said last")]
fn print_tail(name: &str, console: &Console) {
    eprintln!(
        "console of {name} after {:.1} s:\n{}",
        console.elapsed().as_secs_f64(),
        console.tail(crate::console::TAIL)
    );
}

fn died(stderr: &Path) -> StartError {
    StartError::Died { stderr: std::fs::read_to_string(stderr).unwrap_or_default().trim().to_owned() }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The emulator. It dies with us, however we end: `setpriv` asks the kernel for that, and the thread
/// that started it (whose end counts as ours) lives as long as it.
#[derive(Debug)]
struct Process {
    child: Arc<Mutex<Child>>,
    status: Arc<Mutex<Option<ExitStatus>>>,
}

impl Process {
    fn spawn(arguments: Vec<String>, stderr: &Path) -> io::Result<Self> {
        let stderr = File::create(stderr)?;
        let setpriv = Path::new("/usr/bin/setpriv");
        let mut command = if setpriv.exists() {
            let mut command = Command::new(setpriv);
            command.args(["--pdeathsig", "KILL", QEMU]);
            command
        } else {
            Command::new(QEMU)
        };
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr);
        let (send, receive) = std::sync::mpsc::channel();
        let status = Arc::new(Mutex::new(None));
        let ended = Arc::clone(&status);
        thread::spawn(move || {
            let child = match command.spawn() {
                Ok(child) => Arc::new(Mutex::new(child)),
                Err(error) => {
                    // Whoever asked waits for it.
                    let _told = send.send(Err(error));
                    return;
                }
            };
            let _told = send.send(Ok(Arc::clone(&child)));
            loop {
                if let Ok(Some(status)) = locked(&child).try_wait() {
                    *locked(&ended) = Some(status);
                    return;
                }
                thread::sleep(Duration::from_millis(20));
            }
        });
        let child = receive.recv().map_err(io::Error::other)??;
        Ok(Self { child, status })
    }

    fn ended(&self) -> Option<ExitStatus> {
        *locked(&self.status)
    }

    fn kill(&self) {
        let mut child = locked(&self.child);
        // Dead already is as good.
        let _dead = child.kill();
        let _reaped = child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
