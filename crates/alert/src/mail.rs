//! From what is due to a mail.
use crate::{EventId, Severity};
use jiff::Timestamp;
use mail_builder::MessageBuilder;
use mail_builder::headers::raw::Raw;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Why something is told now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum NoticeKind {
    /// It is so, and was not before.
    Raised,
    /// It is worse than was told.
    Worse,
    /// It still is so: a reminder.
    Still,
    /// It is no longer so.
    Cleared,
    /// It came and went before anybody could be told.
    Passed,
    /// It happened.
    Happened,
    /// It comes and goes; no more is told until it stays.
    Flapping,
    /// It came and went, and now stays as it is.
    Settled,
    /// A silence ended.
    Silence,
    /// Somebody wants to know whether mails arrive.
    Test,
}

/// Something to be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Notice {
    /// Of which event.
    pub id: EventId,
    /// Why now.
    pub kind: NoticeKind,
    /// How bad it is.
    pub severity: Severity,
    /// One line.
    pub subject: String,
    /// More.
    pub text: String,
    /// What to do.
    pub remedy: Option<String>,
    /// Since when, in seconds since 1970.
    pub first_seen: u64,
    /// When it was reported last.
    pub last_seen: u64,
    /// When it cleared.
    pub cleared: Option<u64>,
    /// How often it was reported since `first_seen`.
    pub count: u64,
    /// How often it was raised in all.
    pub times: u64,
    pub(crate) serial: u64,
}

/// The box that tells.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Origin {
    /// Its host name.
    pub host: String,
    /// What it is: version, slot, hardware and serial number; a line each.
    pub about: Vec<String>,
}

impl Origin {
    /// A box of that name.
    #[must_use]
    pub fn new(host: impl Into<String>) -> Self {
        Self { host: host.into(), about: Vec::new() }
    }

    /// Says what it is.
    #[must_use]
    pub fn about(mut self, line: impl Into<String>) -> Self {
        self.about.push(line.into());
        self
    }
}

/// A mail that waits in the queue or goes out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Mail {
    /// Its name in the queue; the same notice always gives the same.
    pub key: String,
    /// The sender's address.
    pub from: String,
    /// Addresses it goes to.
    pub to: Vec<String>,
    /// The subject, for lists.
    pub subject: String,
    /// The body, for people.
    pub text: String,
    /// When it was made, in seconds since 1970.
    pub made: u64,
    /// How often delivery was tried.
    pub tries: u32,
    /// When it is tried next.
    pub next: u64,
    /// Why the last try failed.
    pub failed: Option<String>,
    id: String,
    severity: Severity,
}

impl Mail {
    /// Whether it tells of this event.
    #[must_use]
    pub fn is_of(&self, event: &EventId) -> bool {
        self.id == event.as_str()
    }
}

/// Makes a mail of a notice. `scrub` takes secrets out of every text that goes into it.
#[must_use]
pub fn compose(
    notice: &Notice,
    origin: &Origin,
    from: &str,
    to: &[String],
    now: u64,
    scrub: &dyn Fn(&str) -> String,
) -> Mail {
    let what = scrub(&line(&notice.subject));
    let word = match notice.kind {
        NoticeKind::Cleared | NoticeKind::Passed => "cleared".to_owned(),
        NoticeKind::Still => format!("still {}", notice.severity.word()),
        NoticeKind::Flapping => format!("comes and goes, {}", notice.severity.word()),
        NoticeKind::Settled if notice.cleared.is_some() => "stays cleared".to_owned(),
        NoticeKind::Settled => format!("stays {}", notice.severity.word()),
        NoticeKind::Test => "test".to_owned(),
        _ => notice.severity.word().to_owned(),
    };
    let host = line(&origin.host);
    let mut text = format!("What:    {what}\n");
    let mut field = |name: &str, value: &str| text.push_str(&format!("{name:<8} {value}\n"));
    field("Box:", &host);
    origin.about.iter().for_each(|about| field("", &scrub(&line(about))));
    if !matches!(notice.kind, NoticeKind::Test | NoticeKind::Silence) {
        let age = notice.cleared.unwrap_or(now).saturating_sub(notice.first_seen);
        let began = time(notice.first_seen);
        match (notice.kind, notice.cleared) {
            (NoticeKind::Happened, _) => field("When:", &began),
            (_, Some(end)) => field("Was so:", &format!("from {began} to {} ({})", time(end), span(age))),
            (_, None) => field("Since:", &format!("{began} ({})", span(age))),
        }
        if notice.times > 1 {
            field("Times:", &format!("raised {} times", notice.times));
        }
        field("Event:", &format!("{} ({})", notice.id, notice.severity));
        if let Some(remedy) = notice.remedy.as_deref().filter(|_| notice.cleared.is_none()) {
            field("Do:", &scrub(&line(remedy)));
        }
    }
    let note = match notice.kind {
        NoticeKind::Flapping => "It comes and goes. Nothing more is mailed of it until it stays as it is.\n",
        NoticeKind::Passed => "It came and went before it could be told.\n",
        NoticeKind::Settled => "It came and went; now it stays as it is.\n",
        NoticeKind::Still => "This is a reminder: nothing has changed.\n",
        _ => "",
    };
    for part in [note, &scrub(&notice.text)] {
        if !part.trim().is_empty() {
            text.push_str(&format!("\n{}\n", part.trim_end()));
        }
    }
    let digest = Sha256::digest(notice.id.as_str());
    let name: String = digest.iter().take(8).map(|b| format!("{b:02x}")).collect();
    Mail {
        key: format!("{name}-{}-{}", notice.first_seen, notice.serial),
        from: from.to_owned(),
        to: to.to_vec(),
        subject: format!("[{host}] {word}: {what}"),
        text,
        made: now,
        tries: 0,
        next: now,
        failed: None,
        id: notice.id.to_string(),
        severity: notice.severity,
    }
}

/// A mail that tells nothing but that it arrived.
#[must_use]
pub fn test_mail(origin: &Origin, from: &str, to: &[String], now: u64) -> Mail {
    let notice = Notice {
        id: EventId::of(["alert", "test"]),
        kind: NoticeKind::Test,
        severity: Severity::Info,
        subject: "mail from this box arrives".to_owned(),
        text: format!("Sent at {} by `esos-monitor test`. Nothing is wrong.", time(now)),
        remedy: None,
        first_seen: now,
        last_seen: now,
        cleared: None,
        count: 1,
        times: 1,
        serial: 0,
    };
    compose(&notice, origin, from, to, now, &str::to_owned)
}

impl Mail {
    /// The whole message, as RFC 5322 wants it.
    #[must_use]
    pub fn message(&self) -> Vec<u8> {
        let domain = self.from.rsplit_once('@').map_or("esos.invalid", |(_, domain)| domain);
        let to: Vec<&str> = self.to.iter().map(String::as_str).collect();
        let built = MessageBuilder::new()
            .from(self.from.as_str())
            .to(to)
            .subject(self.subject.as_str())
            .date(i64::try_from(self.made).unwrap_or(i64::MAX))
            .message_id(format!("{}@{domain}", self.key))
            // RFC 3834: no automatic answer is wanted.
            .header("Auto-Submitted", Raw::new("auto-generated"))
            .header("X-ESOS-Event", Raw::new(self.id.as_str()))
            .header("X-ESOS-Severity", Raw::new(self.severity.to_string()))
            .text_body(self.text.as_str())
            .write_to_vec();
        // Writing into memory does not fail.
        built.unwrap_or_default()
    }
}

/// One line without control characters: it goes into a header.
fn line(text: &str) -> String {
    let fit = |c: char| if c.is_control() { ' ' } else { c };
    text.trim().chars().map(fit).collect()
}

fn time(seconds: u64) -> String {
    let stamp = i64::try_from(seconds).ok().and_then(|s| Timestamp::from_second(s).ok());
    stamp.map_or_else(|| format!("second {seconds}"), |t| t.to_string())
}

fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..172_800 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(kind: NoticeKind, subject: &str) -> Notice {
        Notice {
            id: "raid/md0".parse().unwrap(),
            kind,
            severity: Severity::Critical,
            subject: subject.to_owned(),
            text: "slot 5 is empty\nthe spare is used".to_owned(),
            remedy: Some("esos raid show md0".to_owned()),
            first_seen: 1_790_000_000,
            last_seen: 1_790_000_000,
            cleared: None,
            count: 1,
            times: 2,
            serial: 3,
        }
    }

    #[test]
    fn host_box_what_since_when_and_what_to_do() {
        let origin = Origin::new("esos1").about("ESOS 5.0.0, slot PRIMARY");
        let to = ["a@example.org".to_owned()];
        let notice = notice(NoticeKind::Raised, "md0 is degraded");
        let mail = compose(&notice, &origin, "esos@example.org", &to, 1_790_000_060, &str::to_owned);
        assert_eq!(
            mail.text,
            "What:    md0 is degraded\n\
             Box:     esos1\n\
\x20        ESOS 5.0.0, slot PRIMARY\n\
             Since:   2026-09-21T14:13:20Z (1 min)\n\
             Times:   raised 2 times\n\
             Event:   raid/md0 (critical)\n\
             Do:      esos raid show md0\n\
             \nslot 5 is empty\nthe spare is used\n"
        );
        let text = String::from_utf8(mail.message()).unwrap();
        for header in [
            "From: <esos@example.org>\r\n",
            "To: <a@example.org>\r\n",
            "Subject: [esos1] CRITICAL: md0 is degraded\r\n",
            "Auto-Submitted: auto-generated\r\n",
            "X-ESOS-Event: raid/md0\r\n",
        ] {
            assert!(text.contains(header), "{header} in {text}");
        }
        assert_eq!(mail.key, compose(&notice, &origin, "x", &to, 5, &str::to_owned).key);
    }

    #[test]
    fn nothing_gets_into_the_headers() {
        let origin = Origin::new("esos1\r\nBcc: x@y");
        let notice = notice(NoticeKind::Raised, "name\r\nBcc: evil@example.org\r\n\r\nbody");
        let mail = compose(&notice, &origin, "e@b", &["a@b".to_owned()], 0, &|t| t.replace("body", "***"));
        let text = String::from_utf8(mail.message()).unwrap();
        let (head, _) = text.split_once("\r\n\r\n").unwrap();
        assert!(!head.lines().any(|l| l.starts_with("Bcc")), "{head}");
        assert!(!text.contains("body") && mail.subject.ends_with("***"), "{}", mail.subject);
    }
}
