//! All events, and what was told of them.
use crate::mail::{Notice, NoticeKind};
use crate::{Entry, EventId, Kind, Policy, Report, Severity, Silence, State};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// All events, and what was told of them. It is a value: no clock, no files; [`crate::Desk`] keeps it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Book {
    events: BTreeMap<EventId, Entry>,
    silences: Vec<Silence>,
}

impl Book {
    /// All events, by id.
    pub fn events(&self) -> impl Iterator<Item = (&EventId, &Entry)> {
        self.events.iter()
    }

    /// One event.
    #[must_use]
    pub fn get(&self, id: &EventId) -> Option<&Entry> {
        self.events.get(id)
    }

    /// Silences that have not ended.
    #[must_use]
    pub fn silences(&self) -> &[Silence] {
        &self.silences
    }

    /// Takes a report. A clear of something that was never raised is nothing.
    pub fn take(&mut self, report: &Report, now: u64) {
        match self.events.get_mut(&report.id) {
            Some(entry) => entry.take(report, now),
            None => {
                if let Some(entry) = Entry::new(report, now) {
                    self.events.insert(report.id.clone(), entry);
                }
            }
        }
    }

    /// Takes all that one source finds now: what it raised before below `prefix` and does not find any more
    /// has cleared, except below an `undetermined` beginning, which it could not look at.
    pub fn survey(&mut self, prefix: &str, found: &[Report], undetermined: &[String], now: u64) {
        let here: BTreeSet<&EventId> = found.iter().map(|r| &r.id).collect();
        let below = |id: &EventId, start: &str| {
            id.as_str().strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let gone: Vec<Report> = self
            .events
            .iter()
            .filter(|(id, entry)| entry.state == State::Raised && below(id, prefix) && !here.contains(id))
            .filter(|(id, _)| !undetermined.iter().any(|start| below(id, start)))
            .map(|(id, entry)| Report::cleared(id.clone(), entry.subject.clone()))
            .collect();
        found.iter().chain(&gone).for_each(|report| self.take(report, now));
    }

    /// Adds a silence. One with the same pattern is replaced.
    pub fn silence(&mut self, silence: Silence) {
        self.silences.retain(|s| s.pattern != silence.pattern);
        self.silences.push(silence);
    }

    /// Ends a silence at once; its mail follows. Whether there was one.
    pub fn unsilence(&mut self, pattern: &str, now: u64) -> bool {
        let found = self.silences.iter_mut().find(|s| s.pattern == pattern);
        found.map(|s| s.until = now).is_some()
    }

    /// What is to be told now; it counts as told.
    pub fn due(&mut self, now: u64, policy: &Policy) -> Vec<Notice> {
        let (ended, running): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.silences).into_iter().partition(|s| s.until <= now);
        self.silences = running;
        let mut notices: Vec<Notice> = ended.iter().map(|s| self.ended(s)).collect();
        for (id, entry) in &mut self.events {
            let Some(kind) = entry.due(now, policy) else { continue };
            if let Some(silence) = self.silences.iter_mut().find(|s| s.covers(id)) {
                // What is still so when the silence ends is told then.
                if entry.state != State::Raised {
                    let line = format!("{id}: {}", entry.subject);
                    if !silence.hidden.contains(&line) {
                        silence.hidden.push(line);
                    }
                    entry.note(now);
                }
                continue;
            }
            notices.push(notice(id, entry, kind));
            entry.tell(kind, now);
        }
        self.events.retain(|_, entry| !entry.is_forgotten(now, policy));
        notices
    }

    /// Nobody heard what was told since `before`: what is so counts as not told. What only happened is past.
    pub(crate) fn untell(&mut self, before: &Self) {
        for (id, entry) in self.events.iter_mut().filter(|(_, e)| e.state == State::Raised) {
            if let Some(old) = before.events.get(id) {
                entry.clone_from(old);
            }
        }
    }

    /// The mail of a silence that ended: what it hid, and what is so now.
    fn ended(&self, silence: &Silence) -> Notice {
        let mut text = format!("Reason:  {}\n", silence.reason);
        let mut list = |title: &str, lines: &[String]| {
            text.push_str(&format!("{title}\n"));
            match lines {
                [] => text.push_str("  nothing\n"),
                lines => lines.iter().for_each(|line| text.push_str(&format!("  {line}\n"))),
            }
        };
        let covered = self.events.iter().filter(|(id, e)| silence.covers(id) && e.state == State::Raised);
        let raised: Vec<String> =
            covered.map(|(id, e)| format!("{id} ({}): {}", e.severity, e.subject)).collect();
        list("Came and went meanwhile, or happened:", &silence.hidden);
        list("Is so now:", &raised);
        Notice {
            id: EventId::of(["alert", "silence", &silence.pattern]),
            kind: NoticeKind::Silence,
            severity: Severity::Info,
            subject: format!("the silence over {} has ended", silence.pattern),
            text,
            remedy: None,
            first_seen: silence.from,
            last_seen: silence.until,
            cleared: None,
            count: 0,
            times: 0,
            serial: 0,
        }
    }
}

fn notice(id: &EventId, entry: &Entry, kind: NoticeKind) -> Notice {
    Notice {
        id: id.clone(),
        kind,
        severity: entry.severity,
        subject: entry.subject.clone(),
        text: entry.text.clone(),
        remedy: entry.remedy.clone(),
        first_seen: entry.first_seen,
        last_seen: entry.last_seen,
        cleared: entry.cleared,
        count: entry.count,
        times: entry.times,
        serial: entry.serial,
    }
}

/// Whether a report would change what the book says, for callers that want to write only then.
impl Book {
    /// Whether an event stands as this report says.
    #[must_use]
    pub fn agrees(&self, report: &Report) -> bool {
        match (self.events.get(&report.id), report.kind) {
            (Some(entry), Kind::Raised) => {
                entry.state == State::Raised
                    && entry.severity == report.severity
                    && entry.subject == report.subject
            }
            (Some(entry), Kind::Happened) => entry.state == State::Happened,
            (entry, Kind::Cleared) => entry.is_none_or(|e| e.state != State::Raised),
            (None, _) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use NoticeKind::{Cleared, Flapping, Happened, Passed, Raised, Settled, Still, Worse};
    use proptest::prelude::*;

    fn id() -> EventId {
        "raid/md0".parse().unwrap()
    }
    fn raise(severity: Severity) -> Report {
        Report::raised(id(), severity, "md0 is degraded")
    }
    fn clear() -> Report {
        Report::cleared(id(), "md0 is well")
    }

    /// Reports at times, and what is told at that time.
    fn check(steps: &[(u64, Option<Report>, &[NoticeKind])]) {
        let (mut book, policy) = (Book::default(), Policy::default());
        for (at, report, expected) in steps {
            report.iter().for_each(|r| book.take(r, *at));
            let told: Vec<_> = book.due(*at, &policy).into_iter().map(|n| n.kind).collect();
            assert_eq!(told, *expected, "at {at}");
        }
    }

    #[test]
    fn once_and_no_more() {
        let bad = || Some(raise(Severity::Warning));
        check(&[
            (0, bad(), &[Raised]),
            (60, bad(), &[]),
            (3600, bad(), &[]),
            (86_399, bad(), &[]),
            (86_400, bad(), &[Still]),
            (86_460, Some(raise(Severity::Critical)), &[Worse]),
            (86_520, bad(), &[]),
            (90_000, Some(clear()), &[Cleared]),
            (90_060, Some(clear()), &[]),
            (900_000, None, &[]),
        ]);
    }

    #[test]
    fn between_two_looks() {
        let mut book = Book::default();
        book.take(&raise(Severity::Critical), 0);
        book.take(&clear(), 1);
        let told = book.due(5, &Policy::default());
        assert_eq!(told.iter().map(|n| n.kind).collect::<Vec<_>>(), [Passed]);
        book.take(&clear(), 6);
        assert!(book.due(7, &Policy::default()).is_empty());
        book.take(&Report::happened("crash/1".parse().unwrap(), Severity::Critical, "a dump"), 8);
        assert_eq!(book.due(9, &Policy::default())[0].kind, Happened);
        book.take(&Report::happened("crash/1".parse().unwrap(), Severity::Critical, "a dump"), 10);
        assert!(book.due(11, &Policy::default()).is_empty());
    }

    #[test]
    fn what_flaps_is_told_when_it_stays() {
        let bad = || Some(raise(Severity::Warning));
        check(&[
            (0, bad(), &[Raised]),
            (60, Some(clear()), &[Cleared]),
            (120, bad(), &[Flapping]),
            (180, Some(clear()), &[]),
            (240, bad(), &[]),
            (300, Some(raise(Severity::Critical)), &[Worse]),
            (360, bad(), &[]),
            (420, Some(clear()), &[]),
            (2219, None, &[]),
            (2220, None, &[]),
            (3720, None, &[Settled]),
            (9000, None, &[]),
        ]);
    }

    #[test]
    fn silence_hides_and_says_so_when_it_ends() {
        let (mut book, policy) = (Book::default(), Policy::default());
        book.silence(Silence::new("raid/*", "drive swap", 0, 3600).unwrap());
        book.take(&raise(Severity::Critical), 10);
        assert!(book.due(11, &policy).is_empty());
        book.take(&Report::raised("raid/md1".parse().unwrap(), Severity::Critical, "md1 is degraded"), 12);
        book.take(&clear(), 20);
        assert!(book.due(21, &policy).is_empty());
        let told = book.due(3600, &policy);
        assert_eq!(told.iter().map(|n| n.kind).collect::<Vec<_>>(), [NoticeKind::Silence, Raised]);
        let text = &told[0].text;
        assert!(
            text.contains("drive swap") && text.contains("raid/md0: ") && text.contains("raid/md1 (crit")
        );
        assert!(book.due(3601, &policy).is_empty());
    }

    #[test]
    fn a_survey_clears_what_is_no_longer_found() {
        let (mut book, policy) = (Book::default(), Policy::default());
        let report = |id: &str| Report::raised(id.parse().unwrap(), Severity::Warning, id);
        book.take(&report("other/x"), 0);
        book.survey("health", &[report("health/md/0"), report("health/smart/sda")], &[], 1);
        assert_eq!(book.due(2, &policy).len(), 3);
        book.survey("health", &[], &["health/smart".into()], 3);
        let told = book.due(4, &policy);
        assert_eq!(told.len(), 1);
        assert_eq!((told[0].id.as_str(), told[0].kind), ("health/md/0", Cleared));
    }

    proptest! {
        /// However an event behaves: never more mails in any hour than allowed (one more for each time that it
        /// is worse than ever), and at the end the last mail says how it stands.
        #[test]
        fn bounded_and_in_the_end_right(steps in proptest::collection::vec((0u64..1500, 0u8..4), 1..120)) {
            let (mut book, policy) = (Book::default(), Policy::default());
            let (mut now, mut mails, mut state, mut ever) = (0u64, Vec::new(), None, false);
            for (pause, what) in steps {
                now += pause;
                match what {
                    0 => { book.take(&raise(Severity::Warning), now); ever = true; state = Some(State::Raised); }
                    1 => { book.take(&raise(Severity::Critical), now); ever = true; state = Some(State::Raised); }
                    2 => { book.take(&clear(), now); if ever { state = Some(State::Cleared) } }
                    _ => {}
                }
                mails.extend(book.due(now, &policy).into_iter().map(|n| (now, n.kind)));
            }
            for (at, _) in &mails {
                let hour: Vec<_> = mails.iter().filter(|(t, _)| t <= at && at - t < 3600).collect();
                let worse = hour.iter().filter(|(_, k)| *k == Worse).count();
                prop_assert!(hour.len() - worse.min(1) <= policy.mails_per_hour, "{mails:?}");
            }
            let quiet = Policy { remind_critical_s: 0, remind_warning_s: 0, ..policy };
            for _ in 0..20 { now += 900; book.due(now, &quiet); }
            if let Some(state) = state {
                let entry = book.get(&id()).unwrap();
                prop_assert_eq!(entry.told.map(|t| t.0), Some(state));
                prop_assert!(!entry.flapping);
            }
        }
    }
}
