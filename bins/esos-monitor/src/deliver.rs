//! The two ways out of the box.
use esos_alert::{Deliver, Mail, Refusal, Security, Settings, Smtp, Via};
use esos_exec::{Cmd, Runner};
use esos_hostfs::Files;
use lettre::Transport;
use lettre::address::{Address, Envelope};
use lettre::transport::smtp::SmtpTransport;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use std::error::Error;
use std::time::Duration;

/// How long one mail may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Hands mails over as the settings say.
pub(crate) struct Post<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) host: String,
    pub(crate) files: &'a dyn Files,
    pub(crate) runner: &'a dyn Runner,
}

impl Deliver for Post<'_> {
    fn deliver(&self, mail: &Mail) -> Result<(), Refusal> {
        match (self.settings.via, &self.settings.smtp) {
            (Via::Smtp, Some(smtp)) => self.smtp(smtp, mail).map_err(|e| Refusal(told(&*e))),
            _ => self.sendmail(mail),
        }
    }
}

impl Post<'_> {
    fn sendmail(&self, mail: &Mail) -> Result<(), Refusal> {
        let cmd = Cmd::new("/usr/sbin/sendmail").args(["-i", "-f"]).arg(&mail.from).arg("--");
        let cmd = cmd.args(&mail.to).stdin(mail.message()).limit(LIMIT);
        let output = self.runner.run(&cmd).map_err(|e| Refusal(e.to_string()))?;
        if output.status.success() {
            return Ok(());
        }
        let said = output.error_text();
        let said = said.lines().last().unwrap_or("it says nothing");
        Err(Refusal(format!("sendmail: {}: {said}", output.status)))
    }

    fn smtp(&self, smtp: &Smtp, mail: &Mail) -> Result<(), Box<dyn Error>> {
        let to = mail.to.iter().map(|a| address(a, &self.host)).collect::<Result<Vec<_>, _>>()?;
        let envelope = Envelope::new(Some(address(&mail.from, &self.host)?), to)?;
        let tls = || -> Result<TlsParameters, Box<dyn Error>> {
            let mut tls = TlsParameters::builder(smtp.host.clone());
            if let Some(path) = &smtp.ca {
                tls = tls.add_root_certificate(Certificate::from_pem(&self.files.read(path)?)?);
            }
            Ok(tls.build()?)
        };
        let tls = match smtp.security {
            Security::Starttls => Tls::Required(tls()?),
            Security::Tls => Tls::Wrapper(tls()?),
            Security::None => Tls::None,
        };
        let mut transport = SmtpTransport::builder_dangerous(&smtp.host)
            .port(smtp.port())
            .hello_name(ClientId::Domain(self.host.clone()))
            .timeout(Some(LIMIT))
            .tls(tls);
        if let Some((user, password)) = &smtp.login {
            transport = transport.credentials(Credentials::new(user.clone(), password.expose().to_owned()));
        }
        transport.build().send_raw(&envelope, &mail.message())?;
        Ok(())
    }
}

/// An address of a server; `root` alone is one of this box.
fn address(text: &str, host: &str) -> Result<Address, Box<dyn Error>> {
    let whole = if text.contains('@') { text.to_owned() } else { format!("{text}@{host}") };
    Ok(whole.parse::<Address>()?)
}

/// An error with its causes.
fn told(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let next_text = next.to_string();
        if !text.contains(&next_text) {
            text.push_str(": ");
            text.push_str(&next_text);
        }
        cause = next.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use esos_alert::{Origin, test_mail};
    use esos_exec::{Exit, Output, ScriptedRunner};
    use esos_hostfs::MemFiles;
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::thread;

    fn mail() -> Mail {
        test_mail(&Origin::new("esos1"), "esos@box", &["a@b.example".to_owned()], 5)
    }

    fn deliver(settings: &str, runner: &dyn Runner) -> Result<(), Refusal> {
        let settings = Settings::parse("mail.toml", settings).unwrap();
        Post { settings: &settings, host: "esos1".into(), files: &MemFiles::new(), runner }.deliver(&mail())
    }

    #[test]
    fn sendmail_gets_addresses_as_arguments_and_its_complaint_is_kept() {
        let command = "/usr/sbin/sendmail -i -f esos@box -- a@b.example";
        let runner = ScriptedRunner::new().on(command, 0, "");
        deliver("", &runner).unwrap();
        assert!(String::from_utf8_lossy(runner.asked()[0].input()).contains("Subject: [esos1] test"));
        let output =
            Output { status: Exit::Code(75), stdout: vec![], stderr: b"msmtp: cannot connect\n".to_vec() };
        let runner = ScriptedRunner::new().answer(command, Ok(output));
        let refusal = deliver("", &runner).unwrap_err();
        assert_eq!(refusal.0, "sendmail: exit status 75: msmtp: cannot connect");
    }

    /// A server that speaks these lines; what it was told comes back.
    fn server(answers: &'static [&'static str]) -> (u16, thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let (mut out, mut lines) = (stream.try_clone().unwrap(), BufReader::new(stream).lines());
            let (mut heard, mut data) = (Vec::new(), false);
            for answer in answers {
                out.write_all(format!("{answer}\r\n").as_bytes()).unwrap();
                loop {
                    let Some(Ok(line)) = lines.next() else { return heard };
                    heard.push(line.clone());
                    if data && line != "." {
                        continue;
                    }
                    data = line == "DATA";
                    break;
                }
            }
            heard
        });
        (port, heard)
    }

    #[test]
    fn smtp_takes_it_or_says_why_not() {
        let plain = |port| format!("[smtp]\nhost = \"127.0.0.1\"\nport = {port}\nsecurity = \"none\"");
        let (port, heard) =
            server(&["220 hi", "250 esos", "250 ok", "250 ok", "354 go", "250 taken", "221 bye"]);
        deliver(&plain(port), &ScriptedRunner::new()).unwrap();
        let heard = heard.join().unwrap().join("\n");
        assert!(heard.contains("EHLO esos1") && heard.contains("RCPT TO:<a@b.example>"), "{heard}");
        assert!(heard.contains("Subject: [esos1] test"), "{heard}");
        let (port, _) = server(&["220 hi", "250 esos", "250 ok", "550 no such user", "221 bye"]);
        let refusal = deliver(&plain(port), &ScriptedRunner::new()).unwrap_err();
        assert!(refusal.0.contains("no such user"), "{refusal}");
        let refusal = deliver(&plain(1), &ScriptedRunner::new()).unwrap_err();
        assert!(refusal.0.contains("refused"), "{refusal}");
    }

    /// A server without STARTTLS never gets to see the password.
    #[test]
    fn no_tls_no_password() {
        let (port, heard) = server(&["220 hi", "250-esos\r\n250 AUTH PLAIN LOGIN", "221 bye"]);
        let text =
            format!("[smtp]\nhost = \"127.0.0.1\"\nport = {port}\nuser = \"u\"\npassword = \"hunter2\"");
        let refusal = deliver(&text, &ScriptedRunner::new()).unwrap_err();
        assert!(!refusal.0.contains("hunter2"), "{refusal}");
        assert!(!heard.join().unwrap().iter().any(|l| l.contains("AUTH")), "a password went out in clear");
    }
}
