//! What the book knows of one event.
use crate::mail::NoticeKind;
use crate::{Kind, Policy, Report, Severity};
use serde::{Deserialize, Serialize};

const HOUR: u64 = 3600;

/// How an event stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is so.
    Raised,
    /// It was so.
    Cleared,
    /// It happened.
    Happened,
}

/// What the book knows of one event. Times in seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Entry {
    /// How it stands.
    pub state: State,
    /// How bad it is, or was.
    pub severity: Severity,
    /// One line.
    pub subject: String,
    /// More; may be empty.
    pub text: String,
    /// What to do.
    pub remedy: Option<String>,
    /// Since when it was so first, of this time that it is so.
    pub first_seen: u64,
    /// When it was reported last.
    pub last_seen: u64,
    /// When it cleared.
    pub cleared: Option<u64>,
    /// How often it was reported since `first_seen`.
    pub count: u64,
    /// How often it was raised within the time that the book remembers.
    pub times: u64,
    /// Whether it comes and goes too often to be told each time.
    pub flapping: bool,
    /// When `state` or `severity` changed last.
    pub changed: u64,
    /// What was told last: how it stood, how bad, and when.
    pub(crate) told: Option<(State, Severity, u64)>,
    /// The worst that was ever told since it was quiet.
    pub(crate) worst: Option<Severity>,
    /// When it was mailed within the last hour.
    pub(crate) mails: Vec<u64>,
    /// How many notices were made of it in all: the next one's number.
    pub(crate) serial: u64,
}

impl Entry {
    pub(crate) fn new(report: &Report, now: u64) -> Option<Self> {
        let state = match report.kind {
            Kind::Raised => State::Raised,
            Kind::Happened => State::Happened,
            Kind::Cleared => return None,
        };
        Some(Self {
            state,
            severity: report.severity,
            subject: report.subject.clone(),
            text: report.text.clone(),
            remedy: report.remedy.clone(),
            first_seen: now,
            last_seen: now,
            cleared: None,
            count: 1,
            times: 1,
            flapping: false,
            changed: now,
            told: None,
            worst: None,
            mails: Vec::new(),
            serial: 0,
        })
    }

    pub(crate) fn take(&mut self, report: &Report, now: u64) {
        self.last_seen = now;
        match report.kind {
            Kind::Cleared if self.state == State::Raised => {
                self.state = State::Cleared;
                self.cleared = Some(now);
                self.changed = now;
            }
            Kind::Cleared => {}
            Kind::Raised | Kind::Happened => {
                let state = if report.kind == Kind::Raised { State::Raised } else { State::Happened };
                if self.state != state {
                    self.state = state;
                    self.first_seen = now;
                    self.cleared = None;
                    self.count = 0;
                    self.times = self.times.saturating_add(1);
                    self.changed = now;
                } else if self.severity != report.severity && state == State::Raised {
                    self.changed = now;
                }
                self.count = self.count.saturating_add(1);
                self.severity = report.severity;
                self.subject.clone_from(&report.subject);
                self.text.clone_from(&report.text);
                self.remedy.clone_from(&report.remedy);
            }
        }
    }

    /// What is to be told of it now, if anything. `None` is also the answer where something is to be told
    /// later.
    pub(crate) fn due(&self, now: u64, policy: &Policy) -> Option<NoticeKind> {
        let recent = self.recent(now);
        let room = recent < policy.mails_per_hour;
        let last = recent.saturating_add(1) >= policy.mails_per_hour;
        let worse = self.state == State::Raised && self.worst.is_some_and(|w| self.severity > w);
        if self.flapping {
            // One more than the hour allows, for what is worse than all that was told.
            if worse {
                return Some(NoticeKind::Worse);
            }
            let steady = now.saturating_sub(self.changed) >= policy.settle_s;
            return (steady && room).then_some(NoticeKind::Settled);
        }
        match (self.state, self.told) {
            (State::Happened, Some((State::Happened, _, _))) => None,
            (State::Happened, _) => room.then_some(NoticeKind::Happened),
            (State::Raised, Some((State::Raised, severity, at))) => {
                if self.severity > severity {
                    return (room || worse).then_some(NoticeKind::Worse);
                }
                let every = policy.remind(self.severity)?;
                (room && now.saturating_sub(at) >= every).then_some(NoticeKind::Still)
            }
            (State::Raised, None) => Some(NoticeKind::Raised),
            (State::Raised, Some(_)) if worse => Some(NoticeKind::Raised),
            (State::Raised, Some(_)) => {
                room.then_some(if last { NoticeKind::Flapping } else { NoticeKind::Raised })
            }
            (State::Cleared, None) => room.then_some(NoticeKind::Passed),
            (State::Cleared, Some((State::Raised, _, _))) => {
                room.then_some(if last { NoticeKind::Flapping } else { NoticeKind::Cleared })
            }
            (State::Cleared, Some(_)) => {
                // It came and went since the last look, and was told as cleared before.
                let again = self.told.is_some_and(|(_, _, at)| self.changed > at && self.first_seen > at);
                (again && room).then_some(if last { NoticeKind::Flapping } else { NoticeKind::Passed })
            }
        }
    }

    /// Notes that it was told.
    pub(crate) fn tell(&mut self, kind: NoticeKind, now: u64) {
        self.mails.retain(|at| now.saturating_sub(*at) < HOUR);
        self.mails.push(now);
        self.note(now);
        self.serial = self.serial.saturating_add(1);
        self.flapping = match kind {
            NoticeKind::Flapping => true,
            NoticeKind::Settled => false,
            _ => self.flapping,
        };
        if kind == NoticeKind::Settled {
            self.worst = (self.state == State::Raised).then_some(self.severity);
        }
    }

    /// Takes it as told without a mail: it was under a silence.
    pub(crate) fn note(&mut self, now: u64) {
        self.told = Some((self.state, self.severity, now));
        self.worst = match self.state {
            State::Raised => self.worst.max(Some(self.severity)),
            _ => self.worst,
        };
    }

    fn recent(&self, now: u64) -> usize {
        self.mails.iter().filter(|at| now.saturating_sub(**at) < HOUR).count()
    }

    /// Nothing is left to tell of it, and nobody has reported it for long.
    pub(crate) fn is_forgotten(&self, now: u64, policy: &Policy) -> bool {
        let told = self.told.is_some_and(|(state, _, _)| state == self.state);
        self.state != State::Raised
            && told
            && !self.flapping
            && now.saturating_sub(self.last_seen) > policy.forget_s
    }
}
