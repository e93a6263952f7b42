//! `/etc/esos/mail.toml`.
use crate::Policy;
use esos_diag::ParseError;
use esos_units::Secret;
use serde::Deserialize;

/// To whom mails go, and how. Read from `/etc/esos/mail.toml` (mode 0600: it may hold a password):
///
/// ```
/// let settings = esos_alert::Settings::parse("mail.toml", r#"
/// to = ["storage@example.org"]
/// from = "esos1@example.org"
/// via = "smtp"
///
/// [smtp]
/// host = "mail.example.org"
/// user = "esos1"
/// password = "correct horse"
///
/// [policy]
/// remind_critical_s = 14400
/// "#)?;
/// assert_eq!(settings.smtp.as_ref().map(|s| s.port()), Some(587));
/// assert!(!format!("{settings:?}").contains("horse"));
/// # Ok::<(), esos_diag::ParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// Addresses; empty means that nothing is mailed.
    pub to: Vec<String>,
    /// The sender's address; `root@HOST` where none is given.
    pub from: Option<String>,
    /// The way out.
    pub via: Via,
    /// The server, where [`Via::Smtp`].
    pub smtp: Option<Smtp>,
    /// When something is told again.
    pub policy: Policy,
}

/// The way out of the box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// `/usr/sbin/sendmail`, which has settings of its own.
    Sendmail,
    /// An SMTP server.
    Smtp,
}

/// How the connection to the server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Security {
    /// Plain at first, then TLS, and never without it (RFC 3207).
    Starttls,
    /// TLS from the first byte (RFC 8314).
    Tls,
    /// None. A password is never sent this way.
    None,
}

/// An SMTP server.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Smtp {
    /// Its name.
    pub host: String,
    /// How the connection is protected.
    pub security: Security,
    /// User and password, where it wants them.
    pub login: Option<(String, Secret)>,
    /// A file with the certificate (PEM) of the authority that signed the server's, beside those of the system.
    pub ca: Option<String>,
    port: Option<u16>,
}

impl Smtp {
    /// Its port: what was given, or 587, 465, 25 after the kind of protection.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(match self.security {
            Security::Starttls => 587,
            Security::Tls => 465,
            Security::None => 25,
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(default)]
    to: Vec<String>,
    from: Option<String>,
    via: Option<Via>,
    smtp: Option<RawSmtp>,
    #[serde(default)]
    policy: Policy,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSmtp {
    host: String,
    port: Option<u16>,
    security: Option<Security>,
    user: Option<String>,
    password: Option<String>,
    ca: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { to: Vec::new(), from: None, via: Via::Sendmail, smtp: None, policy: Policy::default() }
    }
}

impl Settings {
    /// Where the settings lie.
    pub const PATH: &'static str = "/etc/esos/mail.toml";

    /// Reads settings.
    ///
    /// # Errors
    /// Where the text makes no sense, with the line; values of secrets are not shown.
    pub fn parse(origin: &str, text: &str) -> Result<Self, ParseError> {
        let raw: Raw = toml::from_str(text).map_err(|e| {
            let at = e.span().map_or(0, |s| s.start);
            hide(ParseError::at(origin, text, at, e.message().to_owned()))
        })?;
        let fault = |word: &str, expected: &str| {
            let at = text.find(word).unwrap_or(0);
            hide(ParseError::at(origin, text, at, expected))
        };
        for address in raw.to.iter().chain(&raw.from) {
            if !is_address(address) {
                return Err(fault(address, "an address such as `storage@example.org`"));
            }
        }
        let smtp = match raw.smtp {
            None if raw.via == Some(Via::Smtp) => return Err(fault("via", "a section [smtp] with the host")),
            None => None,
            Some(smtp) => {
                let security = smtp.security.unwrap_or(Security::Starttls);
                let login = match (smtp.user, smtp.password) {
                    (None, None) => None,
                    (Some(_), Some(_)) if security == Security::None => {
                        return Err(fault("security", "starttls or tls: a password is never sent in clear"));
                    }
                    (Some(user), Some(password)) => Some((user, Secret::new(password))),
                    _ => return Err(fault("[smtp]", "both user and password, or neither")),
                };
                let plain = |c: char| c.is_ascii_alphanumeric() || "-.:[]_".contains(c);
                if smtp.host.is_empty() || !smtp.host.chars().all(plain) {
                    return Err(fault("host", "the name or address of a server"));
                }
                Some(Smtp { host: smtp.host, security, login, ca: smtp.ca, port: smtp.port })
            }
        };
        let via = raw.via.unwrap_or(if smtp.is_some() { Via::Smtp } else { Via::Sendmail });
        Ok(Self { to: raw.to, from: raw.from, via, smtp, policy: raw.policy })
    }

    /// The sender's address on a box of that name.
    #[must_use]
    pub fn sender(&self, host: &str) -> String {
        let fit = |c: &char| c.is_ascii_alphanumeric() || "-.".contains(*c);
        let host: String = host.chars().filter(fit).collect();
        let host = if host.is_empty() { "localhost" } else { host.as_str() };
        self.from.clone().unwrap_or_else(|| format!("root@{host}"))
    }
}

/// An error shows the line that it is in; a line with a password is not shown.
fn hide(mut error: ParseError) -> ParseError {
    if error.line_text.contains("password") {
        error.line_text = "password = ***".to_owned();
        error.found = "***".to_owned();
    }
    error
}

fn is_address(text: &str) -> bool {
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && !"<>()[],;:\\\"".contains(c);
    // A name without a host is one of this box: `root`.
    let (name, host) = text.split_once('@').unwrap_or((text, "localhost"));
    !name.is_empty()
        && !host.is_empty()
        && !host.contains('@')
        && !name.starts_with('-')
        && text.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_have_a_place_and_show_no_password() {
        let bad = |text: &str| Settings::parse("mail.toml", text).unwrap_err().to_string();
        assert!(bad("to = [\"a b@c\"]").starts_with("mail.toml:1:"));
        assert!(bad("to = []\nvia = \"smtp\"").contains("[smtp]"));
        assert!(bad("tos = []").contains("unknown field"));
        let clear = "[smtp]\nhost = \"h\"\nuser = \"u\"\npassword = \"hunter2\"\nsecurity = \"none\"";
        assert!(bad(clear).contains("never sent in clear"));
        for text in
            [clear, "[smtp]\npassword = \"hunter2\" x", "[smtp]\nhost = \"h\"\npassword = [\"hunter2\"]"]
        {
            assert!(!bad(text).contains("hunter2"), "{}", bad(text));
        }
        assert_eq!(Settings::parse("x", "").unwrap(), Settings::default());
        assert_eq!(Settings::default().sender("esos1"), "root@esos1");
    }
}
