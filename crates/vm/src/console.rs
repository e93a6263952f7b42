//! The serial console: everything that was said, when, and waiting for words.
use crate::text::Plain;
use std::fmt;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// A place in what the console said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Mark(usize);

/// The console of a guest.
#[derive(Debug)]
pub struct Console {
    shared: Arc<Shared>,
    writer: Mutex<UnixStream>,
    started: Instant,
}

#[derive(Debug, Default)]
struct Shared {
    said: Mutex<Said>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Said {
    text: String,
    /// (place behind a piece, time since the start at which it came).
    pieces: Vec<(usize, Duration)>,
    over: bool,
}

/// Hears the raw bytes of a console as they come.
pub(crate) type Listener = Box<dyn FnMut(&[u8]) + Send>;

/// The words did not come.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WaitError {
    /// The time passed.
    #[error("no {wanted} on the console within {limit:?}; it ends with\n{tail}")]
    Timeout {
        /// What was waited for.
        wanted: String,
        /// For how long.
        limit: Duration,
        /// The last lines.
        tail: Tail,
    },
    /// The machine ended.
    #[error("the machine ended before {wanted} came on the console; it ends with\n{tail}")]
    Over {
        /// What was waited for.
        wanted: String,
        /// The last lines.
        tail: Tail,
    },
}

/// Lines that an error shows: a kernel panic with its call trace is as long.
pub(crate) const TAIL: usize = 90;

/// The last lines of a console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tail(String);

impl fmt::Display for Tail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in self.0.lines() {
            writeln!(f, "  | {line}")?;
        }
        Ok(())
    }
}

impl Console {
    pub(crate) fn new(
        stream: UnixStream,
        started: Instant,
        mut log: Option<File>,
        mut listener: Option<Listener>,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (hearer, mut reader) = (Arc::clone(&shared), stream.try_clone()?);
        thread::spawn(move || {
            let mut plain = Plain::default();
            let mut chunk = [0; 4096];
            while let Ok(n) = reader.read(&mut chunk) {
                let Some(bytes) = chunk.get(..n).filter(|b| !b.is_empty()) else { break };
                if let Some(file) = &mut log {
                    // A log that cannot be written must not stop the machine.
                    let _lost = file.write_all(bytes);
                }
                if let Some(listener) = &mut listener {
                    listener(bytes);
                }
                let mut said = hearer.said.lock().unwrap_or_else(PoisonError::into_inner);
                said.text.push_str(&plain.push(bytes));
                let end = said.text.len();
                said.pieces.push((end, started.elapsed()));
                hearer.changed.notify_all();
            }
            hearer.said.lock().unwrap_or_else(PoisonError::into_inner).over = true;
            hearer.changed.notify_all();
        });
        Ok(Self { shared, writer: Mutex::new(stream), started })
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.shared.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The place behind everything that was said so far.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark(self.said().text.len())
    }

    /// What was said since `from`, without escape sequences.
    #[must_use]
    pub fn since(&self, from: Mark) -> String {
        self.said().text.get(from.0..).unwrap_or_default().to_owned()
    }

    /// Everything that was said.
    #[must_use]
    pub fn text(&self) -> String {
        self.said().text.clone()
    }

    /// The last lines.
    #[must_use]
    pub fn tail(&self, lines: usize) -> Tail {
        let said = self.said();
        let start = said.text.rmatch_indices('\n').nth(lines).map_or(0, |(i, _)| i.saturating_add(1));
        Tail(said.text.get(start..).unwrap_or_default().to_owned())
    }

    /// When the byte before `mark` came, since the machine was started.
    #[must_use]
    pub fn time_of(&self, mark: Mark) -> Duration {
        let said = self.said();
        let piece = said.pieces.partition_point(|(end, _)| *end < mark.0);
        said.pieces.get(piece).or(said.pieces.last()).map_or(Duration::ZERO, |(_, at)| *at)
    }

    /// Where `words` first stand behind `from`, if they were said.
    #[must_use]
    pub fn find(&self, from: Mark, words: &str) -> Option<Mark> {
        let said = self.said();
        let at = said.text.get(from.0..)?.find(words)?;
        Some(Mark(from.0.saturating_add(at).saturating_add(words.len())))
    }

    /// Waits until `words` stand behind `from`, and gives the place behind them.
    ///
    /// # Errors
    /// [`WaitError`] with the last lines of the console.
    pub fn wait_for(&self, from: Mark, words: &str, limit: Duration) -> Result<Mark, WaitError> {
        self.wait_any(from, &[words], limit).map(|(_, mark)| mark)
    }

    /// Waits until one of several words stands behind `from`: which came first, and the place behind it.
    ///
    /// # Errors
    /// [`WaitError`] with the last lines of the console.
    pub fn wait_any(&self, from: Mark, words: &[&str], limit: Duration) -> Result<(usize, Mark), WaitError> {
        let wanted = words.iter().map(|w| format!("`{w}`")).collect::<Vec<_>>().join(" or ");
        self.wait_until(from, &wanted, limit, |text| {
            let found = words.iter().enumerate().filter_map(|(i, w)| Some((text.find(w)?, i, w.len())));
            let (at, which, length) = found.min()?;
            Some((which, Mark(from.0.saturating_add(at).saturating_add(length))))
        })
    }

    /// Waits until `judge`, given the text behind `from`, says something. It is asked at every change.
    ///
    /// # Errors
    /// [`WaitError`] with the last lines of the console.
    pub fn wait_until<T>(
        &self,
        from: Mark,
        wanted: &str,
        limit: Duration,
        mut judge: impl FnMut(&str) -> Option<T>,
    ) -> Result<T, WaitError> {
        let deadline = Instant::now() + limit;
        let mut said = self.said();
        loop {
            if let Some(answer) = said.text.get(from.0..).and_then(&mut judge) {
                return Ok(answer);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let over = said.over;
            if over || left.is_zero() {
                drop(said);
                let (wanted, tail) = (wanted.to_owned(), self.tail(TAIL));
                return Err(if over {
                    WaitError::Over { wanted, tail }
                } else {
                    WaitError::Timeout { wanted, limit, tail }
                });
            }
            said = self.shared.changed.wait_timeout(said, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Types text.
    ///
    /// # Errors
    /// Where the machine has ended.
    pub fn send(&self, text: &str) -> std::io::Result<()> {
        self.send_bytes(text.as_bytes())
    }

    /// Types bytes as they are.
    ///
    /// # Errors
    /// Where the machine has ended.
    pub fn send_bytes(&self, bytes: &[u8]) -> std::io::Result<()> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner).write_all(bytes)
    }

    /// Types a line as a terminal does, with a carriage return.
    ///
    /// # Errors
    /// Where the machine has ended.
    pub fn send_line(&self, line: &str) -> std::io::Result<()> {
        self.send(&format!("{line}\r"))
    }

    /// Time since the machine was started.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn console() -> (Console, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (Console::new(ours, Instant::now(), None, None).unwrap(), theirs)
    }

    const SOON: Duration = Duration::from_secs(5);

    #[test]
    fn words_are_found_in_order_and_across_pieces() {
        let (console, mut machine) = console();
        machine.write_all(b"one tw").unwrap();
        let one = console.wait_for(Mark::default(), "one", SOON).unwrap();
        machine.write_all(b"o three\r\nlogin: ").unwrap();
        assert_eq!(console.wait_any(one, &["three", "two"], SOON).unwrap().0, 1);
        assert_eq!(console.since(one), " two three\nlogin: ");
        assert_eq!(console.tail(0).to_string(), "  | login: \n");
    }

    #[test]
    fn what_was_waited_for_and_the_tail_are_in_the_error() {
        let (console, mut machine) = console();
        machine.write_all(b"Kernel panic\n").unwrap();
        console.wait_for(Mark::default(), "panic\n", SOON).unwrap();
        let late = console.wait_for(Mark::default(), "login:", Duration::from_millis(20)).unwrap_err();
        assert!(matches!(late, WaitError::Timeout { .. }), "{late}");
        drop(machine);
        let over = console.wait_for(Mark::default(), "login:", SOON).unwrap_err();
        assert!(matches!(over, WaitError::Over { .. }), "{over}");
        assert!(over.to_string().contains("`login:`") && over.to_string().contains("| Kernel panic"));
    }

    #[test]
    fn each_place_has_its_time() {
        let (console, mut machine) = console();
        machine.write_all(b"early").unwrap();
        let early = console.wait_for(Mark::default(), "early", SOON).unwrap();
        thread::sleep(Duration::from_millis(30));
        machine.write_all(b"late").unwrap();
        let late = console.wait_for(early, "late", SOON).unwrap();
        assert!(console.time_of(late) >= console.time_of(early) + Duration::from_millis(30));
    }
}
