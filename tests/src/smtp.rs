//! A mail server that takes every mail and keeps it: what a box sends is counted outside the box.
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// A server on a port of 127.0.0.1, which a guest on QEMU's user network reaches as 10.0.2.2.
#[derive(Debug)]
pub struct Sink {
    port: u16,
    mails: Arc<Mutex<Vec<String>>>,
}

impl Sink {
    /// Starts it; it serves until the test program ends.
    ///
    /// # Errors
    /// No port can be had.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let port = listener.local_addr()?.port();
        let mails = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&mails);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that goes in the middle has sent nothing.
                let _gone = serve(stream, &kept);
            }
        });
        Ok(Self { port, mails })
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `/etc/esos/mail.toml` of a box on QEMU's user network whose mails go here.
    #[must_use]
    pub fn settings(&self) -> String {
        let port = self.port;
        format!(
            "to = [\"storage@example.org\"]\nvia = \"smtp\"\n[smtp]\nhost = \"10.0.2.2\"\nport = {port}\n\
             security = \"none\"\n"
        )
    }

    /// The mails of one event, or of those below it, from the `from`th mail on: their subjects and bodies, without soft
    /// line ends.
    #[must_use]
    pub fn of(&self, event: &str, from: usize) -> Vec<String> {
        let header = format!("X-ESOS-Event: {event}");
        let is_of = |mail: &&String| {
            let rest = mail.lines().find_map(|line| line.trim_end().strip_prefix(&header));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.mails().iter().skip(from).filter(is_of).map(|mail| plain(mail)).collect()
    }

    /// All mails so far, headers and bodies.
    #[must_use]
    pub fn mails(&self) -> Vec<String> {
        self.mails.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A mail without soft line ends.
#[must_use]
pub fn plain(mail: &str) -> String {
    mail.replace('\r', "").replace("=\n", "").replace("\n ", " ")
}

fn serve(stream: TcpStream, kept: &Mutex<Vec<String>>) -> io::Result<()> {
    let mut out = stream.try_clone()?;
    let mut lines = BufReader::new(stream).lines();
    out.write_all(b"220 sink\r\n")?;
    while let Some(line) = lines.next().transpose()? {
        let word = line.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
        match word.as_str() {
            "QUIT" => return out.write_all(b"221 bye\r\n"),
            "DATA" => {
                out.write_all(b"354 go on\r\n")?;
                let mut mail = String::new();
                loop {
                    let Some(line) = lines.next().transpose()? else { return Ok(()) };
                    if line == "." {
                        break;
                    }
                    mail.push_str(line.strip_prefix('.').unwrap_or(&line));
                    mail.push('\n');
                }
                kept.lock().unwrap_or_else(PoisonError::into_inner).push(mail);
                out.write_all(b"250 taken\r\n")?;
            }
            _ => out.write_all(b"250 ok\r\n")?,
        }
    }
    Ok(())
}
