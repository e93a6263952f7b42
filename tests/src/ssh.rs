//! The way into a guest that an operator takes.
use esos_vm::Guest;
use std::error::Error;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::{Command, Output};

/// Runs a command as root by ssh, on a port of this host that leads to a guest.
///
/// # Errors
/// `ssh` cannot be started.
pub fn ssh(port: u16, options: &[&str], command: &str) -> io::Result<Output> {
    let port = port.to_string();
    Command::new("ssh")
        .args(["-p", &port, "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"])
        .args(["-o", "BatchMode=yes", "-o", "ConnectTimeout=60", "-o", "LogLevel=ERROR"])
        .args(options)
        .args(["root@127.0.0.1", command])
        .output()
}

/// A key pair for one test; it ends with it.
#[derive(Debug)]
pub struct Key {
    dir: tempfile::TempDir,
}

impl Key {
    /// Makes one.
    ///
    /// # Errors
    /// Where `ssh-keygen` is missing or fails.
    pub fn new() -> io::Result<Self> {
        let key = Self { dir: tempfile::tempdir()? };
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-f"])
            .arg(key.path())
            .output()?;
        if made.status.success() {
            Ok(key)
        } else {
            Err(io::Error::other(String::from_utf8_lossy(&made.stderr)))
        }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("key")
    }

    /// The line for `authorized_keys`.
    ///
    /// # Errors
    /// Where the file is gone.
    pub fn public(&self) -> io::Result<String> {
        fs::read_to_string(self.path().with_extension("pub"))
    }

    /// Lets its owner in, as whoever sits at the console does.
    ///
    /// # Errors
    /// Where the guest cannot write it.
    pub fn allow(&self, guest: &Guest) -> Result<(), Box<dyn Error>> {
        guest.run("mkdir -p -m 700 /root/.ssh")?;
        Ok(guest.write_file("/root/.ssh/authorized_keys", self.public()?.as_bytes())?)
    }

    /// Runs a command with it.
    ///
    /// # Errors
    /// `ssh` cannot be started.
    pub fn ssh(&self, port: u16, command: &str) -> io::Result<Output> {
        ssh(port, &["-i", &self.path().to_string_lossy()], command)
    }
}
