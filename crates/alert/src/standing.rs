//! How far a report has come, for whoever keeps it until people know.
use crate::store::{self, StoreError};
use crate::{Book, EventId, Inbox, Queue};
use esos_hostfs::Files;

/// How far a report has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Standing {
    /// Nothing is known of the event: it was never reported, or what was reported went with the memory of the box.
    Unknown,
    /// It waits in the inbox, or its mail in the queue.
    Waiting,
    /// Every mail of it was taken, or nobody is to be mailed.
    Told,
}

impl Standing {
    /// Looks it up. It may be asked while another program takes reports and delivers mails: what has left the inbox is in
    /// the book, and what the book calls told is in the queue until it was taken.
    ///
    /// # Errors
    /// A file cannot be read, or makes no sense.
    pub fn of(files: &dyn Files, id: &EventId) -> Result<Self, StoreError> {
        if Inbox::new(files).look()?.reports.iter().any(|(_, report)| report.id == *id) {
            return Ok(Self::Waiting);
        }
        let book: Option<Book> = store::load(files, &crate::desk::path())?;
        let Some(told) = book.as_ref().and_then(|b| b.get(id)).map(|e| e.told.is_some()) else {
            return Ok(Self::Unknown);
        };
        let queue = Queue::new(files);
        let waits = |mails: Vec<crate::Mail>| mails.iter().any(|mail| mail.is_of(id));
        let waiting = !told || waits(queue.mails()?) || waits(queue.given_up()?);
        Ok(if waiting { Self::Waiting } else { Self::Told })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Deliver, Desk, Mail, Origin, Refusal, Report, Settings, Severity};
    use esos_hostfs::MemFiles;
    use std::time::Duration;

    struct Post(bool);
    impl Deliver for Post {
        fn deliver(&self, _mail: &Mail) -> Result<(), Refusal> {
            if self.0 { Ok(()) } else { Err(Refusal("no route".into())) }
        }
    }

    #[test]
    fn a_report_is_told_when_its_mail_was_taken() {
        let files = MemFiles::new();
        let id = EventId::of(["crash", "dump", "one"]);
        let standing = || Standing::of(&files, &id).unwrap();
        assert_eq!(standing(), Standing::Unknown);
        let now = Duration::from_secs;
        Inbox::new(&files).put(&Report::happened(id.clone(), Severity::Critical, "c"), now(5)).unwrap();
        assert_eq!(standing(), Standing::Waiting);
        let settings = Settings::parse("m", "to = [\"a@b\"]").unwrap();
        let mut desk = Desk::open(&files, Origin::new("h"), settings).unwrap();
        desk.work(now(6)).unwrap();
        assert_eq!(standing(), Standing::Waiting);
        desk.deliver(now(7), true, &Post(false)).unwrap();
        assert_eq!(standing(), Standing::Waiting);
        desk.deliver(now(8), true, &Post(true)).unwrap();
        assert_eq!(standing(), Standing::Told);
        assert_eq!(Standing::of(&files, &EventId::of(["crash", "dump", "two"])).unwrap(), Standing::Unknown);
    }

    /// A silence or an empty list of people: nothing will be sent, so nothing is waited for.
    #[test]
    fn where_nobody_is_mailed_it_counts_as_told() {
        let files = MemFiles::new();
        let id = EventId::of(["crash", "dump", "one"]);
        let report = Report::happened(id.clone(), Severity::Critical, "c");
        Inbox::new(&files).put(&report, Duration::from_secs(5)).unwrap();
        let mut desk = Desk::open(&files, Origin::new("h"), Settings::default()).unwrap();
        desk.work(Duration::from_secs(6)).unwrap();
        assert_eq!(Standing::of(&files, &id).unwrap(), Standing::Told);
    }
}
