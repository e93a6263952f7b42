//! Logging in at the console as a person does, through the questions of a first login too.
use crate::{ChannelError, Console, Mark, WaitError};
use esos_units::Secret;
use std::thread;
use std::time::{Duration, Instant};

/// Who logs in, and what they answer when a box asks.
#[derive(Debug, Clone)]
pub struct Person {
    /// The account.
    pub user: String,
    /// Its password; set at the first login where the box has none yet.
    pub password: Secret,
    /// The box's name; `None` keeps what it proposes.
    pub host_name: Option<String>,
    /// The network of a box that shall not use DHCP.
    pub network: Option<Fixed>,
    /// The time zone; `None` keeps what the box proposes.
    pub time_zone: Option<String>,
}

/// A network that is not DHCP's, in the words that the box asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fixed {
    /// The interface; empty takes what the box proposes.
    pub interface: String,
    /// Address with prefix length.
    pub address: String,
    /// Gateway; empty for none.
    pub gateway: String,
    /// Name servers; empty for none.
    pub servers: String,
}

impl Default for Person {
    fn default() -> Self {
        Self {
            user: "root".to_owned(),
            password: Secret::new("correct horse battery staple 7".to_owned()),
            host_name: None,
            network: None,
            time_zone: None,
        }
    }
}

/// Why nobody is logged in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoginError {
    /// The console did not come to a question that is known.
    #[error("the login did not get on")]
    Console(#[from] WaitError),
    /// The machine ended.
    #[error("typing on the console")]
    Type(#[source] std::io::Error),
    /// The same question again and again.
    #[error("the box asked `{question}` {times} times")]
    Loop {
        /// The question.
        question: String,
        /// How often.
        times: usize,
    },
    /// A shell came, the command channel did not.
    #[error("logged in, but there is no command channel")]
    Channel(#[source] ChannelError),
}

/// What a line without an end asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Question {
    Login,
    Password,
    HostName,
    Network,
    Interface,
    Address,
    Gateway,
    Servers,
    TimeZone,
    Apply,
    Shell,
    /// Something that ends as a question does.
    Other,
}

fn question(line: &str) -> Option<Question> {
    let trimmed = line.trim_end();
    let lower = trimmed.to_lowercase();
    let asks = trimmed.ends_with([':', '?', '>', ']']);
    // Kernel lines start with a time in brackets.
    if trimmed.is_empty() || trimmed.starts_with('[') && !asks {
        return None;
    }
    if lower.ends_with("login:") {
        return Some(Question::Login);
    }
    if (line.ends_with("# ") || line.ends_with("$ ")) && !trimmed.starts_with("[ ") {
        return Some(Question::Shell);
    }
    if !asks {
        return None;
    }
    // First words of the questions of a first login (crates/firstboot), and of login(1) and passwd(1).
    let known = [
        ("new password", Question::Password),
        ("password", Question::Password),
        ("the same again", Question::Password),
        ("host name", Question::HostName),
        ("network", Question::Network),
        ("interface", Question::Interface),
        ("address", Question::Address),
        ("gateway", Question::Gateway),
        ("name servers", Question::Servers),
        ("time zone", Question::TimeZone),
        ("apply", Question::Apply),
    ];
    let kind = known.iter().find(|(words, _)| lower.starts_with(words)).map(|(_, kind)| *kind);
    Some(kind.unwrap_or(Question::Other))
}

/// How often one question may come: a first login asks for a password twice, after a login that asked once.
const AGAIN: usize = 6;

/// How often `login:` may: on a starved host the minute that login(1) gives passes before it has asked.
const LOGIN_AGAIN: usize = 30;

/// How long a line that is not known as a question must stand still to be one.
const STILL: Duration = Duration::from_secs(5);

/// How long nothing may ask before a person hits Enter; twice as long each time, since what is typed early answers
/// a question that comes late.
const SILENCE: Duration = Duration::from_secs(45);

pub(crate) fn log_in(console: &Console, person: &Person, limit: Duration) -> Result<(), LoginError> {
    let deadline = Instant::now() + limit;
    let mut from = Mark::default();
    let mut asked: Vec<String> = Vec::new();
    let mut silence = SILENCE;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let asks = console.wait_until(from, "a login, a question or a shell", left.min(silence), |text| {
            let line = text.rsplit('\n').next()?;
            Some((line.to_owned(), question(line)?))
        });
        let (line, question) = match asks {
            // Something was printed over the question, a kernel's message say: Enter brings it back.
            Err(WaitError::Timeout { .. }) if left > silence => {
                silence = silence.saturating_mul(2);
                console.send_line("").map_err(LoginError::Type)?;
                continue;
            }
            asks => asks?,
        };
        let here = console.mark();
        if question == Question::Other || !line.ends_with(' ') && question != Question::Login {
            // Perhaps a line that is being printed.
            thread::sleep(STILL.min(left));
            if console.mark() != here {
                continue;
            }
        }
        let times = asked.iter().filter(|known| **known == line).count();
        if times >= if question == Question::Login { LOGIN_AGAIN } else { AGAIN } {
            return Err(LoginError::Loop { question: line, times });
        }
        asked.push(line);
        let fixed = person.network.as_ref();
        let answer = match question {
            Question::Shell => return Ok(()),
            Question::Login => person.user.as_str(),
            Question::Password => person.password.expose(),
            Question::HostName => person.host_name.as_deref().unwrap_or_default(),
            Question::Network => fixed.map_or("", |_| "static"),
            Question::Interface => fixed.map_or("", |f| f.interface.as_str()),
            Question::Address => fixed.map_or("", |f| f.address.as_str()),
            Question::Gateway => fixed.map_or("", |f| f.gateway.as_str()),
            Question::Servers => fixed.map_or("", |f| f.servers.as_str()),
            Question::TimeZone => person.time_zone.as_deref().unwrap_or_default(),
            Question::Apply => "yes",
            Question::Other => "",
        };
        from = here;
        console.send_line(answer).map_err(LoginError::Type)?;
        // The echo of what was typed ends the question's line.
        let left = deadline.saturating_duration_since(Instant::now());
        console.wait_until(from, "an echo", left, |text| text.contains('\n').then_some(()))?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader, Write};
    use std::os::unix::net::UnixStream;

    #[test]
    fn questions_are_known_by_their_words() {
        for (line, expected) in [
            ("esos login: ", Some(Question::Login)),
            ("Password: ", Some(Question::Password)),
            ("New password for root: ", Some(Question::Password)),
            ("The same again: ", Some(Question::Password)),
            ("Host name [esos]: ", Some(Question::HostName)),
            ("Network, dhcp or static [dhcp]: ", Some(Question::Network)),
            ("Interface [eth0]: ", Some(Question::Interface)),
            ("Address with prefix length, such as 192.0.2.10/24: ", Some(Question::Address)),
            ("Gateway [none]: ", Some(Question::Gateway)),
            ("Name servers [none]: ", Some(Question::Servers)),
            ("Time zone [Etc/UTC]: ", Some(Question::TimeZone)),
            ("Apply this, yes or no [yes]: ", Some(Question::Apply)),
            ("root@esos:~# ", Some(Question::Shell)),
            ("[   12.3] usb 1-1: new device", None),
            ("Starting sshd", None),
            ("", None),
        ] {
            assert_eq!(question(line), expected, "{line:?}");
        }
    }

    /// A box that asks each question, wants each answer, and gives a shell.
    fn boxed(script: &'static [(&'static str, &'static str)]) -> Console {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        thread::spawn(move || {
            let mut lines = BufReader::new(theirs.try_clone().unwrap()).split(b'\r');
            for (question, wanted) in script {
                theirs.write_all(question.as_bytes()).unwrap();
                let answer = String::from_utf8(lines.next().unwrap().unwrap()).unwrap();
                let verdict = if answer == *wanted { "\r\n" } else { "\r\nno: wrong\r\n" };
                theirs.write_all(verdict.as_bytes()).unwrap();
            }
            theirs.write_all(b"\r\nroot@box:~# ").unwrap();
            let _held = lines.next();
        });
        Console::new(ours, Instant::now(), None, None).unwrap()
    }

    #[test]
    fn a_first_login_is_answered_to_the_end() {
        let console = boxed(&[
            ("GRUB\r\n\r\nbox login: ", "root"),
            ("No password yet.\r\nNew password for root: ", "pw"),
            ("The same again: ", "pw"),
            ("Host name [esos]: ", "san1"),
            ("Network, dhcp or static [dhcp]: ", "static"),
            ("Interface [eth0]: ", ""),
            ("Address with prefix length, such as 192.0.2.10/24: ", "10.0.0.9/24"),
            ("Gateway [none]: ", ""),
            ("Time zone [UTC]: ", ""),
        ]);
        let person = Person {
            password: Secret::new("pw".to_owned()),
            host_name: Some("san1".to_owned()),
            network: Some(Fixed { address: "10.0.0.9/24".to_owned(), ..Fixed::default() }),
            ..Person::default()
        };
        log_in(&console, &person, Duration::from_secs(20)).unwrap();
        assert!(!console.text().contains("wrong"), "{}", console.text());
    }

    #[test]
    fn a_box_that_asks_for_ever_is_an_error() {
        let console = boxed(&[("Password: ", "x"); 8]);
        let error = log_in(&console, &Person::default(), Duration::from_secs(20)).unwrap_err();
        assert!(matches!(error, LoginError::Loop { .. }), "{error}");
    }
}
