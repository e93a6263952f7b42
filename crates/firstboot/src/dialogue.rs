//! Question and answer.
use crate::answers::{check_address, check_gateway, zone_like};
use crate::{Answers, NetworkAnswer, Password, StaticNetwork, prompt};
use esos_network::{Cidr, HostName, InterfaceName};
use std::net::IpAddr;

/// A question as it is put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// The text, with a blank at its end and no line end.
    pub text: String,
    /// Whether the answer is not echoed.
    pub hidden: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Question {
    Password,
    Again,
    Host,
    Network,
    Interface,
    Address,
    Gateway,
    Servers,
    Zone,
    Apply,
    Done,
}

/// The first-login dialogue as a value: ask [`Dialogue::prompt`], give [`Dialogue::answer`], until
/// [`Dialogue::finish`] has the answers.
#[derive(Debug, Clone)]
pub struct Dialogue {
    question: Question,
    host: HostName,
    interfaces: Vec<InterfaceName>,
    first_password: Option<Password>,
    answers: Answers,
    static_network: Option<StaticNetwork>,
}

impl Dialogue {
    /// A dialogue for a box that has this name and these wired interfaces (those with a carrier first).
    #[must_use]
    pub fn new(host: HostName, interfaces: Vec<InterfaceName>) -> Self {
        Self {
            question: Question::Password,
            host,
            interfaces,
            first_password: None,
            answers: Answers::default(),
            static_network: None,
        }
    }

    /// The question that is open.
    #[must_use]
    pub fn prompt(&self) -> Prompt {
        let text = match self.question {
            Question::Password => prompt::PASSWORD.to_owned(),
            Question::Again => prompt::AGAIN.to_owned(),
            Question::Host => format!("{}{}]: ", prompt::HOST, self.host),
            Question::Network => prompt::NETWORK.to_owned(),
            Question::Interface => match self.interfaces.first() {
                Some(first) => format!("{}{first}]: ", prompt::INTERFACE),
                None => prompt::INTERFACE_NONE.to_owned(),
            },
            Question::Address => prompt::ADDRESS.to_owned(),
            Question::Gateway => prompt::GATEWAY.to_owned(),
            Question::Servers => prompt::SERVERS.to_owned(),
            Question::Zone => prompt::ZONE.to_owned(),
            Question::Apply => prompt::APPLY.to_owned(),
            Question::Done => String::new(),
        };
        Prompt { text, hidden: matches!(self.question, Question::Password | Question::Again) }
    }

    /// Takes an answer. What comes back is to be said on a line of its own; the next question is
    /// [`Dialogue::prompt`] then. `zone_exists` knows the zone database of the box.
    pub fn answer(&mut self, line: &str, zone_exists: &dyn Fn(&str) -> bool) -> Option<String> {
        let said = match self.question {
            Question::Password | Question::Again => line,
            _ => line.trim(),
        };
        match self.take(said, zone_exists) {
            Ok(next) => {
                self.question = next;
                None
            }
            Err(wrong) => Some(format!("{}{wrong}", prompt::WRONG)),
        }
    }

    /// The answers, once the last question was answered with yes.
    #[must_use]
    pub fn finish(&self) -> Option<Answers> {
        (self.question == Question::Done).then(|| self.answers.clone())
    }

    fn take(&mut self, said: &str, zone_exists: &dyn Fn(&str) -> bool) -> Result<Question, String> {
        match self.question {
            Question::Password => {
                self.first_password = Some(Password::plain(said)?);
                Ok(Question::Again)
            }
            Question::Again => {
                if self.first_password != Password::plain(said).ok() {
                    self.question = Question::Password;
                    return Err("the two passwords differ; once more".to_owned());
                }
                self.answers.password = self.first_password.take();
                Ok(Question::Host)
            }
            Question::Host => {
                let host = if said.is_empty() { self.host.clone() } else { parsed(said)? };
                self.answers.hostname = Some(host);
                Ok(Question::Network)
            }
            Question::Network => match said {
                "" | "dhcp" => {
                    self.answers.network = Some(NetworkAnswer::Dhcp);
                    Ok(Question::Zone)
                }
                "static" => Ok(Question::Interface),
                other => Err(format!("`{other}` is neither dhcp nor static")),
            },
            Question::Interface => {
                let interface = match (said, self.interfaces.first()) {
                    ("", Some(first)) => first.clone(),
                    (said, _) => parsed::<InterfaceName>(said)?,
                };
                if !self.interfaces.contains(&interface) && !self.interfaces.is_empty() {
                    let names: Vec<&str> = self.interfaces.iter().map(InterfaceName::as_str).collect();
                    return Err(format!("this box has no {interface}; it has {}", names.join(", ")));
                }
                self.static_network = Some(StaticNetwork {
                    interface,
                    addresses: Vec::new(),
                    gateways: Vec::new(),
                    name_servers: Vec::new(),
                });
                Ok(Question::Address)
            }
            Question::Address => {
                let address: Cidr = parsed(said)?;
                check_address(address)?;
                if let Some(network) = &mut self.static_network {
                    network.addresses = vec![address];
                }
                Ok(Question::Gateway)
            }
            Question::Gateway => {
                if let Some(network) = &mut self.static_network {
                    network.gateways = match said {
                        "" | "none" => Vec::new(),
                        said => {
                            let gateway = address_of(said)?;
                            check_gateway(&network.addresses, gateway)?;
                            vec![gateway]
                        }
                    };
                }
                Ok(Question::Servers)
            }
            Question::Servers => {
                let words = said.split([' ', ',']).filter(|w| !w.is_empty() && *w != "none");
                let servers = words.map(address_of).collect::<Result<Vec<_>, _>>()?;
                if let Some(mut network) = self.static_network.take() {
                    network.name_servers = servers;
                    self.answers.network = Some(NetworkAnswer::Static(network));
                }
                Ok(Question::Zone)
            }
            Question::Zone => {
                let zone = if said.is_empty() { "Etc/UTC" } else { said };
                if !zone_like(zone) || !zone_exists(zone) {
                    return Err(format!("`{zone}` is no time zone; write it as Europe/Berlin or Etc/UTC"));
                }
                self.answers.timezone = Some(zone.to_owned());
                Ok(Question::Apply)
            }
            Question::Apply => match said {
                "" | "yes" | "y" => Ok(Question::Done),
                "no" | "n" => {
                    *self = Self::new(self.host.clone(), std::mem::take(&mut self.interfaces));
                    Ok(Question::Password)
                }
                other => Err(format!("`{other}` is neither yes nor no")),
            },
            Question::Done => Ok(Question::Done),
        }
    }
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, String> {
    text.parse::<T>().map_err(|e| e.to_string())
}

fn address_of(text: &str) -> Result<IpAddr, String> {
    text.parse::<IpAddr>().map_or_else(|_| Err(format!("`{text}` is no IPv4 or IPv6 address")), Ok)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn dialogue() -> Dialogue {
        Dialogue::new("esos".parse().unwrap(), vec!["eth0".parse().unwrap(), "eth1".parse().unwrap()])
    }

    /// Plays answers; `Some(text)` behind one is what must be said to it.
    fn play(d: &mut Dialogue, lines: &[(&str, Option<&str>)]) {
        for (line, said) in lines {
            let reply = d.answer(line, &|z| z == "Etc/UTC" || z == "Europe/Berlin");
            assert_eq!(reply.as_deref(), *said, "to {line:?} at {:?}", d.prompt());
        }
    }

    #[test]
    fn a_static_network() {
        let mut d = dialogue();
        play(&mut d, &[("long enough", None), ("long enough", None), ("san1", None), ("static", None)]);
        assert_eq!(d.prompt().text, "Interface [eth0]: ");
        play(
            &mut d,
            &[
                ("eth7", Some("! this box has no eth7; it has eth0, eth1")),
                ("eth1", None),
                (
                    "192.0.2.10",
                    Some("! `192.0.2.10` has no prefix length; write it as 192.0.2.10/24 or 2001:db8::10/64"),
                ),
                (
                    "192.0.2.0/24",
                    Some("! 192.0.2.0/24 is the network or its broadcast address, not a host in it"),
                ),
                ("192.0.2.10/24", None),
                ("192.0.3.1", Some("! 192.0.3.1 is not in the network of 192.0.2.10/24")),
                ("192.0.2.10", Some("! 192.0.2.10 is this box itself")),
                ("192.0.2.1", None),
                ("192.0.2.53, 2001:db8::53", None),
                (
                    "Mars/Olympus",
                    Some("! `Mars/Olympus` is no time zone; write it as Europe/Berlin or Etc/UTC"),
                ),
                (
                    "../../etc/passwd",
                    Some("! `../../etc/passwd` is no time zone; write it as Europe/Berlin or Etc/UTC"),
                ),
                ("Europe/Berlin", None),
            ],
        );
        assert_eq!((d.prompt().text.as_str(), d.finish()), (prompt::APPLY, None));
        play(&mut d, &[("perhaps", Some("! `perhaps` is neither yes nor no")), ("yes", None)]);
        let answers = d.finish().unwrap();
        let Some(NetworkAnswer::Static(network)) = answers.network else { panic!("not static") };
        assert_eq!(network.interface.as_str(), "eth1");
        assert_eq!(network.name_servers.len(), 2);
    }

    #[test]
    fn passwords_are_hidden_compared_and_never_shown() {
        let mut d = dialogue();
        assert!(d.prompt().hidden);
        play(
            &mut d,
            &[("short", Some("! the password needs 8 characters or more")), (" with blanks ", None)],
        );
        assert!(d.prompt().hidden);
        play(&mut d, &[("with blanks", Some("! the two passwords differ; once more"))]);
        assert_eq!(d.prompt().text, prompt::PASSWORD);
        play(&mut d, &[(" with blanks ", None), (" with blanks ", None)]);
        assert!(!format!("{d:?}").contains("blanks"));
    }

    #[test]
    fn no_asks_everything_again() {
        let mut d = dialogue();
        play(
            &mut d,
            &[("long enough", None), ("long enough", None), ("", None), ("", None), ("", None), ("no", None)],
        );
        assert_eq!((d.prompt().text.as_str(), d.finish()), (prompt::PASSWORD, None));
    }

    proptest! {
        #[test]
        fn any_answers_are_survived(lines in proptest::collection::vec(".{0,20}", 0..40)) {
            let mut d = dialogue();
            for line in lines {
                d.answer(&line, &|_| true);
            }
            if let Some(answers) = d.finish() {
                prop_assert!(answers.password.is_some() && answers.hostname.is_some());
                prop_assert!(answers.network.is_some() && answers.timezone.is_some());
            }
        }
    }
}
