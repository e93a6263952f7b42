//! The way into a guest that an operator takes.
use std::process::{Command, Output};

/// Runs a command as root by ssh, on a port of this host that leads to a guest.
///
/// # Errors
/// `ssh` cannot be started.
pub fn ssh(port: u16, options: &[&str], command: &str) -> std::io::Result<Output> {
    let port = port.to_string();
    Command::new("ssh")
        .args(["-p", &port, "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"])
        .args(["-o", "BatchMode=yes", "-o", "ConnectTimeout=60", "-o", "LogLevel=ERROR"])
        .args(options)
        .args(["root@127.0.0.1", command])
        .output()
}
