//! From the inbox to the queue.
use crate::store::{self, DIR, StoreError};
use crate::{Book, Deliver, Delivered, Inbox, Mail, Origin, Queue, Report, Settings, compose};
use esos_hostfs::Files;
use std::time::Duration;

/// The one taker of reports. Its owner holds a lock; each step can be cut off by a power failure:
/// mails are in the queue before the book says that they were told, and reports leave the inbox last.
/// What is done again after such a cut gives the same mails under the same names.
pub struct Desk<'f> {
    files: &'f dyn Files,
    book: Book,
    origin: Origin,
    settings: Settings,
    scrub: Box<dyn Fn(&str) -> String + 'f>,
    /// What was wrong with the book that was found.
    damaged: Option<String>,
}

/// Why the desk could not work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeskError {
    /// A file cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

pub(crate) fn path() -> String {
    format!("{DIR}/book.json")
}

impl<'f> Desk<'f> {
    /// Opens the book. One that makes no sense is set aside and begun anew: what is raised is told again.
    ///
    /// # Errors
    /// The book cannot be read.
    pub fn open(files: &'f dyn Files, origin: Origin, settings: Settings) -> Result<Self, DeskError> {
        let (book, damaged) = match store::load(files, &path()) {
            Ok(book) => (book.unwrap_or_default(), None),
            Err(StoreError::Document { path, source }) => {
                let kept = format!("{path}.damaged");
                files
                    .replace(&kept, &files.read(&path).map_err(StoreError::from)?, 0o600)
                    .map_err(StoreError::from)?;
                (Book::default(), Some(format!("{source}; it is kept as {kept}")))
            }
            Err(e) => return Err(e.into()),
        };
        Ok(Self { files, book, origin, settings, scrub: Box::new(str::to_owned), damaged })
    }

    /// Sends every text of a mail through `scrub` first, which takes secrets out.
    #[must_use]
    pub fn scrub(mut self, scrub: impl Fn(&str) -> String + 'f) -> Self {
        self.scrub = Box::new(scrub);
        self
    }

    /// All events.
    #[must_use]
    pub fn book(&self) -> &Book {
        &self.book
    }

    /// Changes the book (silences, surveys); [`Desk::work`] writes it.
    pub fn book_mut(&mut self) -> &mut Book {
        &mut self.book
    }

    /// Takes what is in the inbox and queues what is due. Returns the new mails; where nobody is to be
    /// mailed, they are returned and not queued, and what is still so once somebody is to be mailed is told then.
    ///
    /// # Errors
    /// A file cannot be read or written; the next run does again what was not done.
    pub fn work(&mut self, now: Duration) -> Result<Vec<Mail>, DeskError> {
        let seconds = now.as_secs();
        let before = self.book.clone();
        let inbox = Inbox::new(self.files);
        if let Some(why) = self.damaged.take() {
            let id = crate::EventId::of(["alert", "book", &seconds.to_string()]);
            let report = Report::happened(
                id,
                crate::Severity::Warning,
                "the book of events was damaged and is begun anew",
            );
            self.book.take(&report.text(why), seconds);
        }
        let taken = inbox.look()?;
        // A report from the future (the clock was set back since) counts as of now.
        taken.reports.iter().for_each(|(at, report)| self.book.take(report, (*at).min(seconds)));
        let from = self.settings.sender(&self.origin.host);
        let untold = self.settings.to.is_empty().then(|| self.book.clone());
        let notices = self.book.due(seconds, &self.settings.policy);
        if let Some(untold) = &untold {
            self.book.untell(untold);
        }
        let mails: Vec<Mail> = notices
            .iter()
            .map(|n| compose(n, &self.origin, &from, &self.settings.to, seconds, &*self.scrub))
            .collect();
        if !self.settings.to.is_empty() {
            let queue = Queue::new(self.files);
            mails.iter().try_for_each(|mail| queue.put(mail))?;
        }
        if self.book != before {
            store::save(self.files, &path(), &self.book)?;
        }
        inbox.remove(&taken)?;
        Ok(mails)
    }

    /// Delivers what is due; with `all`, everything that waits.
    ///
    /// # Errors
    /// The queue cannot be read or written.
    pub fn deliver(&self, now: Duration, all: bool, deliver: &dyn Deliver) -> Result<Delivered, DeskError> {
        Ok(Queue::new(self.files).run(now.as_secs(), all, deliver)?)
    }
}

impl std::fmt::Debug for Desk<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk")
            .field("origin", &self.origin)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EventId, Severity};
    use esos_hostfs::MemFiles;

    fn settings() -> Settings {
        Settings::parse("m", "to = [\"a@b\"]").unwrap()
    }

    /// Whatever change fails: what is done again gives each mail once, and no report is lost.
    #[test]
    fn cut_off_anywhere_nothing_is_lost_or_told_twice() {
        for nth in 0..12 {
            let files = MemFiles::new();
            let inbox = Inbox::new(&files);
            for n in 0..3u32 {
                let id = EventId::of(["x", &n.to_string()]);
                inbox.put(&Report::raised(id, Severity::Warning, "w"), Duration::from_secs(10)).unwrap();
            }
            files.refuse(nth, 28);
            let work = |now| {
                let mut desk = Desk::open(&files, Origin::new("h"), settings()).unwrap();
                desk.work(Duration::from_secs(now))
            };
            let first = work(11);
            work(20).unwrap();
            let mails = Queue::new(&files).mails().unwrap();
            assert_eq!(mails.len(), 3, "change {nth} failed: {first:?}");
            assert!(work(30).unwrap().is_empty());
            assert!(Inbox::new(&files).look().unwrap().reports.is_empty());
        }
    }

    /// A box whose settings came back with its configuration, or were just made.
    #[test]
    fn what_nobody_was_told_is_told_once_somebody_is_to_be_mailed() {
        let files = MemFiles::new();
        let put = |report: &Report, at| Inbox::new(&files).put(report, Duration::from_secs(at)).unwrap();
        let id = |name| EventId::of(["x", name]);
        put(&Report::raised(id("stays"), Severity::Warning, "stays"), 10);
        put(&Report::raised(id("ends"), Severity::Warning, "ends"), 10);
        put(&Report::happened(id("happened"), Severity::Warning, "happened"), 10);
        let work = |settings: Settings, now| {
            let mut desk = Desk::open(&files, Origin::new("h"), settings).unwrap();
            desk.work(Duration::from_secs(now)).unwrap().into_iter().map(|m| m.subject).collect::<Vec<_>>()
        };
        let nobody = || Settings::parse("m", "").unwrap();
        assert_eq!(work(nobody(), 20).len(), 3);
        assert_eq!(work(nobody(), 30).len(), 2);
        put(&Report::cleared(id("ends"), "ends"), 40);
        let told = work(settings(), 50);
        assert!(told.len() == 2 && told.iter().all(|t| !t.contains("happened")), "{told:?}");
        assert_eq!(work(settings(), 60), [""; 0]);
        assert_eq!(Queue::new(&files).mails().unwrap().len(), 2);
    }

    #[test]
    fn a_damaged_book_is_kept_and_told() {
        let files = MemFiles::new().file("/var/lib/esos/alert/book.json", "{\"events\": {");
        let mut desk = Desk::open(&files, Origin::new("h"), settings()).unwrap();
        let mails = desk.work(Duration::from_secs(5)).unwrap();
        assert!(mails[0].subject.contains("damaged"), "{mails:?}");
        assert!(files.read("/var/lib/esos/alert/book.json.damaged").is_ok());
        let files = MemFiles::new().file("/var/lib/esos/alert/inbox/1-x.json", "no");
        let mut desk = Desk::open(&files, Origin::new("h"), settings()).unwrap();
        assert!(desk.work(Duration::from_secs(5)).unwrap()[0].subject.contains("makes no sense"));
    }
}
