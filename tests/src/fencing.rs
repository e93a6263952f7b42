//! The power switch of virtual machines, as a fence agent in a guest asks for it.
use std::collections::BTreeMap;
use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// The agent, but for the port of the switch.
const AGENT: &str = include_str!("../guest/fence_vm");

/// A switch on a port of this host; guests reach it over QEMU's user network. Machines are known by the files in
/// which QEMU writes its process number.
#[derive(Debug)]
pub struct Switch {
    port: u16,
    told: Arc<Mutex<Vec<String>>>,
}

impl Switch {
    /// Listens, as long as the test runs.
    ///
    /// # Errors
    /// Where no port can be bound.
    pub fn new(machines: BTreeMap<String, PathBuf>) -> Result<Self, Box<dyn Error>> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let port = listener.local_addr()?.port();
        let told: Arc<Mutex<Vec<String>>> = Arc::default();
        let book = Arc::clone(&told);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if let Some(line) = answer(&stream, &machines) {
                    book.lock().unwrap_or_else(PoisonError::into_inner).push(line);
                }
            }
        });
        Ok(Self { port, told })
    }

    /// The fence agent of the guests.
    #[must_use]
    pub fn agent(&self) -> String {
        AGENT.replace("10.0.2.2/PORT", &format!("10.0.2.2/{}", self.port))
    }

    /// Every power cut that was asked for: `off n1`.
    #[must_use]
    pub fn told(&self) -> Vec<String> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Answers one question; gives it back where power was to be cut.
fn answer(stream: &TcpStream, machines: &BTreeMap<String, PathBuf>) -> Option<String> {
    stream.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).ok()?;
    let line = line.trim().to_owned();
    let (action, name) = line.split_once(' ').unwrap_or((&line, ""));
    let machine = machines.get(name);
    let said = match (action, machine) {
        ("monitor", _) => "ok",
        ("status", Some(file)) if process(file).is_none() => "off",
        ("status", Some(_)) => "on",
        ("off" | "reboot", Some(file)) if off(file) => "ok",
        _ => "failed",
    };
    let mut out = stream;
    writeln!(out, "{said}").ok()?;
    matches!(action, "off" | "reboot").then_some(line)
}

/// The QEMU of that file, if it still runs.
fn process(file: &Path) -> Option<String> {
    let pid = std::fs::read_to_string(file).ok()?.trim().to_owned();
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // A process that ended and was not waited for has no machine in it any more.
    let gone = state.rsplit(')').next().is_some_and(|s| s.trim_start().starts_with(['Z', 'X']));
    (name.starts_with("qemu") && !gone).then_some(pid)
}

/// Whether the machine is off now.
fn off(file: &Path) -> bool {
    for _ in 0..100 {
        let Some(pid) = process(file) else { return true };
        let _asked = Command::new("kill").args(["-9", &pid]).status();
        thread::sleep(Duration::from_millis(100));
    }
    false
}
