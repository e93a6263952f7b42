//! Commands in the guest: a shell loop on its fourth serial port (`ttyS3`).
//!
//! The console is no place for data: kernel and daemons speak in between. So a login on the console is
//! used once, to start a loop on a port of its own, raw and silent. A request is a line `<n> <bytes>
//! <seconds>` and that many bytes of shell script; the answer a line `=<n> <status> <bytes of
//! stdout> <bytes of stderr> <sha256>` and the bytes of both. A request is at most [`CHUNK`] bytes, since
//! nothing slows a sender down on this line and the guest's kernel keeps 64 KiB.
use crate::{Console, WaitError};
use sha2::{Digest, Sha256};
use std::fmt;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// What a command in the guest left.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its exit status; 124 (BusyBox: 143) where its time had passed.
    pub status: i32,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: Vec<u8>,
}

impl Answer {
    /// Whether the status is 0.
    #[must_use]
    pub fn success(&self) -> bool {
        self.status == 0
    }

    /// Standard output as text, without the line end at its end.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).trim_end_matches('\n').to_owned()
    }

    /// Standard error as text, without the line end at its end.
    #[must_use]
    pub fn error_text(&self) -> String {
        String::from_utf8_lossy(&self.stderr).trim_end_matches('\n').to_owned()
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (stdout, stderr) = (self.text(), self.error_text());
        write!(f, "status {}\n--- stdout\n{stdout}\n--- stderr\n{stderr}", self.status)
    }
}

/// Why a command has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChannelError {
    /// Nobody logged in.
    #[error("no command channel: log in first")]
    NotOpen,
    /// The shell on the console did not start the loop.
    #[error("the shell on the console did not open the command channel")]
    NoShell(#[source] WaitError),
    /// The guest is silent.
    #[error("the guest did not answer `{command}` within {limit:?}")]
    Silent {
        /// The command, its beginning.
        command: String,
        /// How long was waited.
        limit: Duration,
    },
    /// The line ended, or something else than an answer came.
    #[error("the command channel broke at `{command}`: {what}")]
    Broken {
        /// The command, its beginning.
        command: String,
        /// What came.
        what: String,
    },
    /// A file could not be carried.
    #[error("{path} in the guest: {reason}")]
    Failed {
        /// The file.
        path: String,
        /// What the guest said.
        reason: String,
    },
}

/// Bytes of a request at most.
const CHUNK: usize = 24 << 10;

/// Time beyond a command's own limit for the way there and back.
const GRACE: Duration = Duration::from_secs(60);

/// The loop. `head -c` of coreutils and BusyBox reads no further than it is told.
const LOOP: &str = "d=/run/vm.$$;mkdir -m 700 $d&&cd $d&&stty raw -echo&&echo =ready&&\
while read -r n l t;do head -c $l>i;(cd /;timeout -k 9 $t sh $d/i>$d/o 2>$d/e </dev/null);s=$?;\
echo =$n $s $(wc -c<o) $(wc -c<e) $(cat o e|sha256sum);cat o e;done";

pub(crate) struct Channel {
    port: UnixStream,
    number: u64,
    /// Bytes that came and are not read yet.
    rest: Vec<u8>,
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("number", &self.number).finish_non_exhaustive()
    }
}

impl Channel {
    /// Starts the loop from a shell on the console.
    pub(crate) fn open(console: &Console, port: UnixStream, limit: Duration) -> Result<Self, ChannelError> {
        let mut channel = Self { port, number: 0, rest: Vec::new() };
        let deadline = Instant::now() + limit;
        let from = console.mark();
        // The word is said in two pieces, so that the echo of the line is not taken for it.
        let line =
            format!("setsid sh -c '{LOOP}' </dev/ttyS3 >/dev/ttyS3 2>/dev/null & echo channel-'started'");
        let gone = |error: io::Error| channel_broken("opening", &error.to_string());
        console.send_line(&line).map_err(gone)?;
        console.wait_for(from, "channel-started", limit).map_err(ChannelError::NoShell)?;
        loop {
            let line = channel.line("opening", deadline, limit)?;
            if line.ends_with("=ready") {
                return Ok(channel);
            }
        }
    }

    pub(crate) fn into_port(self) -> UnixStream {
        self.port
    }

    pub(crate) fn run(&mut self, command: &str, limit: Duration) -> Result<Answer, ChannelError> {
        if command.len() > CHUNK {
            let path = format!("/run/vm-script.{}", self.number);
            self.write_file(&path, command.as_bytes())?;
            return self.request(&format!("sh {path}; s=$?; rm {path}; exit $s"), limit);
        }
        self.request(command, limit)
    }

    fn request(&mut self, command: &str, limit: Duration) -> Result<Answer, ChannelError> {
        self.number = self.number.saturating_add(1);
        let waited = limit.saturating_add(GRACE);
        let deadline = Instant::now() + waited;
        let head = format!("{} {} {}\n", self.number, command.len(), limit.as_secs().max(1));
        let sent =
            self.port.write_all(head.as_bytes()).and_then(|()| self.port.write_all(command.as_bytes()));
        sent.map_err(|error| channel_broken(command, &error.to_string()))?;
        loop {
            let line = self.line(command, deadline, waited)?;
            let head = Head::parse(&line)
                .ok_or_else(|| channel_broken(command, &format!("`{line}` in place of an answer")))?;
            let stdout = self.bytes(head.stdout, command, deadline, waited)?;
            let stderr = self.bytes(head.stderr, command, deadline, waited)?;
            // An answer to an earlier request whose time had passed is not ours.
            if head.number == self.number {
                if sha256(&[&stdout, &stderr]) != head.sum {
                    return Err(channel_broken(command, "bytes were lost on the serial line"));
                }
                return Ok(Answer { status: head.status, stdout, stderr });
            }
        }
    }

    pub(crate) fn write_file(&mut self, path: &str, bytes: &[u8]) -> Result<(), ChannelError> {
        let name = quoted(path);
        let mut ask = |command: &str| {
            let answer = self.request(command, Duration::from_secs(120))?;
            if answer.success() {
                return Ok(answer);
            }
            Err(ChannelError::Failed { path: path.to_owned(), reason: answer.error_text() })
        };
        ask(&format!(": >{name}"))?;
        for chunk in bytes.chunks(CHUNK / 4 * 3 - 300) {
            ask(&format!("base64 -d >>{name} <<'E'\n{}\nE\n", base64(chunk)))?;
        }
        let sum = ask(&format!("sha256sum <{name}"))?.text();
        let wanted = sha256(&[bytes]);
        if sum.split_whitespace().next() != Some(&wanted) {
            let reason = format!("its SHA-256 is {sum}, not {wanted}");
            return Err(ChannelError::Failed { path: path.to_owned(), reason });
        }
        Ok(())
    }

    pub(crate) fn read_file(&mut self, path: &str) -> Result<Vec<u8>, ChannelError> {
        let answer = self.request(&format!("cat {}", quoted(path)), Duration::from_secs(600))?;
        if answer.success() {
            return Ok(answer.stdout);
        }
        Err(ChannelError::Failed { path: path.to_owned(), reason: answer.error_text() })
    }

    fn line(&mut self, command: &str, deadline: Instant, limit: Duration) -> Result<String, ChannelError> {
        loop {
            if let Some(end) = self.rest.iter().position(|&b| b == b'\n') {
                let rest = self.rest.split_off(end.saturating_add(1));
                let line = std::mem::replace(&mut self.rest, rest);
                return Ok(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            self.fill(command, deadline, limit)?;
        }
    }

    fn bytes(
        &mut self,
        length: usize,
        command: &str,
        deadline: Instant,
        limit: Duration,
    ) -> Result<Vec<u8>, ChannelError> {
        while self.rest.len() < length {
            self.fill(command, deadline, limit)?;
        }
        let rest = self.rest.split_off(length);
        Ok(std::mem::replace(&mut self.rest, rest))
    }

    fn fill(&mut self, command: &str, deadline: Instant, limit: Duration) -> Result<(), ChannelError> {
        let silent = || ChannelError::Silent { command: short(command), limit };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(silent());
        }
        let broken = |error: &io::Error| channel_broken(command, &error.to_string());
        self.port.set_read_timeout(Some(left)).map_err(|e| broken(&e))?;
        let mut chunk = [0; 8192];
        match self.port.read(&mut chunk) {
            Ok(0) => Err(channel_broken(command, "the machine ended")),
            Ok(n) => {
                self.rest.extend_from_slice(chunk.get(..n).unwrap_or_default());
                Ok(())
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                Err(silent())
            }
            Err(e) => Err(broken(&e)),
        }
    }
}

fn short(command: &str) -> String {
    command.chars().take(200).collect()
}

fn channel_broken(command: &str, what: &str) -> ChannelError {
    ChannelError::Broken { command: short(command), what: what.to_owned() }
}

/// First line of an answer.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    number: u64,
    status: i32,
    stdout: usize,
    stderr: usize,
    sum: String,
}

impl Head {
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.rsplit_once('=')?.1.split_whitespace();
        Some(Self {
            number: words.next()?.parse().ok()?,
            status: words.next()?.parse().ok()?,
            stdout: words.next()?.parse().ok()?,
            stderr: words.next()?.parse().ok()?,
            sum: words.next()?.to_owned(),
        })
    }
}

/// A word that a shell reads as it is.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// SHA-256 of pieces, one behind the other, in hex.
fn sha256(pieces: &[&[u8]]) -> String {
    let mut hasher = Sha256::new();
    for piece in pieces {
        hasher.update(piece);
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// RFC 4648, with padding, without line ends.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: [u8; 64] = *b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for three in bytes.chunks(3) {
        let word = three.iter().fold(0u32, |word, &b| (word << 8) | u32::from(b)) << (8 * (3 - three.len()));
        for digit in 0..4usize {
            let index = usize::try_from((word >> (18 - 6 * digit)) & 63).unwrap_or(0);
            let used = digit <= three.len();
            out.push(if used { char::from(DIGITS.get(index).copied().unwrap_or(b'=')) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::process::{Command, Stdio};

    fn host(program: &str, args: &[&str], input: &[u8]) -> Vec<u8> {
        let mut child =
            Command::new(program).args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        child.wait_with_output().unwrap().stdout
    }

    #[test]
    fn sums_and_digits_as_the_guest_makes_them() {
        let cases: [&[u8]; 5] = [b"", b"a", b"ab", b"abc", &[0xff; 700]];
        for bytes in cases {
            let expected = format!("{}  -\n", sha256(&[bytes]));
            assert_eq!(String::from_utf8(host("sha256sum", &[], bytes)).unwrap(), expected);
            assert_eq!(host("base64", &["-d"], base64(bytes).as_bytes()), bytes);
        }
    }

    proptest! {
        #[test]
        fn any_first_line_gives_an_answer(line in ".*") {
            let _answer = Head::parse(&line);
        }
    }

    /// The loop itself, run here between two ends of a socket, `stty` aside.
    fn shell() -> Channel {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let script = LOOP.replace("&&stty raw -echo", "").replace("/run/vm.$$", "$D");
        let dir = std::env::temp_dir().join(format!(
            "esos-vm-loop-{}-{:?}",
            std::process::id(),
            std::thread::current().id()
        ));
        let stdin: std::os::fd::OwnedFd = theirs.try_clone().unwrap().into();
        let stdout: std::os::fd::OwnedFd = theirs.into();
        let mut loop_ = Command::new("sh")
            .env("D", &dir)
            .args(["-c", &format!("trap 'rm -r $D' EXIT; {script}")])
            .stdin(stdin)
            .stdout(stdout)
            .spawn()
            .unwrap();
        std::thread::spawn(move || loop_.wait());
        let mut channel = Channel { port: ours, number: 0, rest: Vec::new() };
        let soon = Duration::from_secs(10);
        assert_eq!(channel.line("", Instant::now() + soon, soon).unwrap(), "=ready");
        channel
    }

    #[test]
    fn commands_have_a_status_and_both_streams() {
        let mut shell = shell();
        let limit = Duration::from_secs(20);
        let answer = shell.run("echo a; echo b >&2; printf '=1 0 1'; exit 7", limit).unwrap();
        assert_eq!((answer.status, answer.text(), answer.error_text()), (7, "a\n=1 0 1".into(), "b".into()));
        let answer = shell.run("sleep 30", Duration::from_secs(1)).unwrap();
        assert_eq!(answer.status, 124);
        let long = format!("echo {}", "x".repeat(CHUNK - 10));
        assert_eq!(shell.run(&long, limit).unwrap().text().len(), CHUNK - 10);
    }

    #[test]
    fn files_go_there_and_back() {
        let mut shell = shell();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("it's.bin").to_str().unwrap().to_owned();
        let bytes: Vec<u8> = (0..60_000u32).map(|i| (i * 7 % 251) as u8).collect();
        shell.write_file(&path, &bytes).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
        assert_eq!(shell.read_file(&path).unwrap(), bytes);
        let error = shell.read_file("/does/not/exist").unwrap_err();
        assert!(matches!(error, ChannelError::Failed { .. }), "{error}");
    }
}
