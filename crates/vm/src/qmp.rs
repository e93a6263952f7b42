//! QEMU's machine protocol: commands with their answers, and events.
//!
//! Format: QEMU's `docs/interop/qmp-spec.rst`; one JSON document a line over a unix socket.
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The monitor of a guest.
#[derive(Debug)]
pub struct Qmp {
    shared: Arc<Shared>,
    /// Held for a whole command, so that answers come in order.
    writer: Mutex<UnixStream>,
}

#[derive(Debug, Default)]
struct Shared {
    heard: Mutex<Heard>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Heard {
    answers: Vec<Value>,
    events: Vec<Value>,
    over: bool,
}

/// Why a command has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QmpError {
    /// QEMU said no.
    #[error("QEMU refused {command}: {reason}")]
    Refused {
        /// The command.
        command: String,
        /// QEMU's words.
        reason: String,
    },
    /// The time passed.
    #[error("QEMU did not answer {command} within {limit:?}")]
    Timeout {
        /// The command, or the event that was waited for.
        command: String,
        /// For how long.
        limit: Duration,
    },
    /// QEMU ended.
    #[error("QEMU ended before it answered {command}")]
    Over {
        /// The command, or the event that was waited for.
        command: String,
    },
}

/// How long a command may take; all of ours are immediate.
const LIMIT: Duration = Duration::from_secs(60);

impl Qmp {
    pub(crate) fn new(stream: UnixStream) -> Result<Self, QmpError> {
        let shared = Arc::new(Shared::default());
        let hearer = Arc::clone(&shared);
        let over = |_: std::io::Error| QmpError::Over { command: "qmp_capabilities".to_owned() };
        let reader = BufReader::new(stream.try_clone().map_err(over)?);
        thread::spawn(move || {
            for line in reader.lines() {
                let Ok(line) = line else { break };
                let Ok(message) = serde_json::from_str::<Value>(&line) else { continue };
                let mut heard = hearer.heard.lock().unwrap_or_else(PoisonError::into_inner);
                if message.get("event").is_some() {
                    heard.events.push(message);
                } else if message.get("return").is_some() || message.get("error").is_some() {
                    heard.answers.push(message);
                }
                hearer.changed.notify_all();
            }
            hearer.heard.lock().unwrap_or_else(PoisonError::into_inner).over = true;
            hearer.changed.notify_all();
        });
        let qmp = Self { shared, writer: Mutex::new(stream) };
        qmp.execute("qmp_capabilities", json!({}))?;
        Ok(qmp)
    }

    /// Sends one command and gives its answer.
    ///
    /// # Errors
    /// [`QmpError::Refused`] with QEMU's reason, or no answer.
    pub fn execute(&self, command: &str, arguments: Value) -> Result<Value, QmpError> {
        let over = || QmpError::Over { command: command.to_owned() };
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let message = json!({ "execute": command, "arguments": arguments });
        writer.write_all(format!("{message}\n").as_bytes()).map_err(|_gone| over())?;
        let mut answer = self.wait(command, LIMIT, |heard| heard.answers.pop())?;
        if let Some(error) = answer.get("error") {
            let reason = error.get("desc").and_then(Value::as_str).unwrap_or("no reason given").to_owned();
            return Err(QmpError::Refused { command: command.to_owned(), reason });
        }
        Ok(answer.get_mut("return").map(Value::take).unwrap_or_default())
    }

    /// Waits for an event of this name that `wanted` accepts (its `data`), those that came already
    /// included; an event is given once.
    ///
    /// # Errors
    /// Where it does not come in time.
    pub fn event(
        &self,
        name: &str,
        limit: Duration,
        wanted: impl Fn(&Value) -> bool,
    ) -> Result<Value, QmpError> {
        self.wait(name, limit, |heard| {
            let at = heard.events.iter().position(|event| {
                event.get("event").and_then(Value::as_str) == Some(name)
                    && wanted(event.get("data").unwrap_or(&Value::Null))
            })?;
            Some(heard.events.remove(at))
        })
    }

    fn wait<T>(
        &self,
        command: &str,
        limit: Duration,
        mut take: impl FnMut(&mut Heard) -> Option<T>,
    ) -> Result<T, QmpError> {
        let deadline = Instant::now() + limit;
        let mut heard = self.shared.heard.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(found) = take(&mut heard) {
                return Ok(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let command = command.to_owned();
            if heard.over {
                return Err(QmpError::Over { command });
            }
            if left.is_zero() {
                return Err(QmpError::Timeout { command, limit });
            }
            let woken = self.shared.changed.wait_timeout(heard, left);
            heard = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A QEMU that answers each line of input with the next of `answers`.
    fn qemu(answers: &'static [&'static str]) -> Qmp {
        let (ours, theirs) = UnixStream::pair().unwrap();
        thread::spawn(move || {
            let mut out = theirs.try_clone().unwrap();
            out.write_all(b"{\"QMP\": {}}\n").unwrap();
            let answers = ["{\"return\": {}}"].iter().chain(answers);
            for (_, answer) in BufReader::new(theirs).lines().zip(answers) {
                out.write_all(format!("{answer}\n").as_bytes()).unwrap();
            }
        });
        Qmp::new(ours).unwrap()
    }

    #[test]
    fn answers_events_and_refusals() {
        let qmp = qemu(&[
            "{\"return\": {\"running\": true}}",
            "{\"event\": \"DEVICE_DELETED\", \"data\": {\"device\": \"stick\"}}\n{\"return\": {}}",
            "{\"error\": {\"class\": \"GenericError\", \"desc\": \"Bus 'x' not found\"}}",
        ]);
        assert_eq!(qmp.execute("query-status", json!({})).unwrap()["running"], true);
        qmp.execute("device_del", json!({ "id": "stick" })).unwrap();
        let gone = qmp.event("DEVICE_DELETED", LIMIT, |data| data["device"] == "stick").unwrap();
        assert_eq!(gone["data"]["device"], "stick");
        let error = qmp.execute("device_add", json!({})).unwrap_err();
        assert_eq!(error.to_string(), "QEMU refused device_add: Bus 'x' not found");
    }

    #[test]
    fn the_end_is_an_error() {
        let qmp = qemu(&["{\"return\": {}}"]);
        qmp.execute("quit", json!({})).unwrap();
        assert!(matches!(qmp.execute("query-status", json!({})), Err(QmpError::Over { .. })));
    }
}
