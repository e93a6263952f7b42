//! Programs of this machine.
use crate::{Cmd, ExecError, Exit, Output, Runner};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::io::{Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// Runs programs on this machine, each in a process group of its own.
#[derive(Debug, Clone, Copy, Default)]
pub struct HostRunner;

/// The path that programs started by ours see; ours are started by absolute path.
const PATH: &str = "/opt/sbin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How long pipes may stay open after the program itself has ended (a daemon that it left behind).
const DRAIN: Duration = Duration::from_secs(2);

impl Runner for HostRunner {
    fn run(&self, cmd: &Cmd) -> Result<Output, ExecError> {
        let io = |source| ExecError::Io { command: cmd.to_string(), source };
        let mut child = Command::new(cmd.program())
            .args(cmd.arguments())
            .env_clear()
            .env("PATH", PATH)
            .env("LC_ALL", "C")
            .envs(cmd.environment().iter().map(|(k, v)| (k, v)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(|source| match source.kind() {
                std::io::ErrorKind::NotFound => ExecError::NotFound { program: cmd.program().to_owned() },
                _ => io(source),
            })?;
        let deadline = Instant::now() + cmd.time_limit();
        if let Some(mut stdin) = child.stdin.take() {
            let bytes = cmd.input().to_vec();
            // A program may end without reading its input; that is its own affair.
            thread::spawn(move || stdin.write_all(&bytes).is_ok());
        }
        let stdout = drain(child.stdout.take());
        let stderr = drain(child.stderr.take());
        let status = wait(&mut child, deadline).map_err(io)?;
        let timed_out = status.is_none();
        if timed_out {
            kill_group(&mut child);
        }
        let (stdout, stderr) = (collect(&stdout), collect(&stderr));
        match status {
            Some(status) => {
                let exit = match (status.code(), status.signal()) {
                    (Some(code), _) => Exit::Code(code),
                    (None, signal) => Exit::Signal(signal.unwrap_or(0)),
                };
                Ok(Output { status: exit, stdout, stderr })
            }
            None => {
                Err(ExecError::Timeout { command: cmd.to_string(), limit: cmd.time_limit(), stdout, stderr })
            }
        }
    }
}

fn kill_group(child: &mut Child) {
    if let Ok(pid) = i32::try_from(child.id()) {
        // The group may be gone already; then there is nothing to kill.
        let _gone = killpg(Pid::from_raw(pid), Signal::SIGKILL);
    }
    let _reaped = child.wait();
}

fn wait(child: &mut Child, deadline: Instant) -> std::io::Result<Option<std::process::ExitStatus>> {
    let mut pause = Duration::from_micros(200);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

fn drain(stream: Option<impl Read + Send + 'static>) -> mpsc::Receiver<Vec<u8>> {
    let (send, receive) = mpsc::channel();
    if let Some(mut stream) = stream {
        thread::spawn(move || {
            let mut chunk = vec![0; 64 << 10];
            while let Ok(n) = stream.read(&mut chunk) {
                let Some(bytes) = chunk.get(..n).filter(|b| !b.is_empty()) else { break };
                if send.send(bytes.to_vec()).is_err() {
                    break;
                }
            }
        });
    }
    receive
}

fn collect(receive: &mpsc::Receiver<Vec<u8>>) -> Vec<u8> {
    let until = Instant::now() + DRAIN;
    let mut all = Vec::new();
    while let Ok(bytes) = receive.recv_timeout(until.saturating_duration_since(Instant::now())) {
        all.extend_from_slice(&bytes);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_status_and_input() {
        let cmd = Cmd::new("/bin/sh").args(["-c", "cat; echo no >&2; exit 3"]).stdin("in");
        let out = HostRunner.run(&cmd).unwrap();
        assert_eq!((out.status, &out.stdout[..], &out.stderr[..]), (Exit::Code(3), &b"in"[..], &b"no\n"[..]));
    }

    #[test]
    fn a_megabyte_on_both_streams_does_not_block() {
        let cmd = Cmd::new("/bin/sh").args(["-c", "head -c 1000000 /dev/zero | tee /dev/stderr"]);
        let out = HostRunner.run(&cmd).unwrap();
        assert_eq!((out.stdout.len(), out.stderr.len()), (1_000_000, 1_000_000));
    }

    #[test]
    fn too_long_is_killed_with_its_children() {
        let cmd = Cmd::new("/bin/sh").args(["-c", "echo early; sleep 60 & sleep 60"]);
        let error = HostRunner.run(&cmd.limit(Duration::from_millis(300))).unwrap_err();
        assert!(matches!(error, ExecError::Timeout { ref stdout, .. } if stdout == b"early\n"), "{error:?}");
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = HostRunner.run(&Cmd::new("/opt/sbin/storcli64-missing")).unwrap_err();
        assert_eq!(error.to_string(), "/opt/sbin/storcli64-missing is not installed");
    }
}
