//! Reports on their way to the book.
use crate::store::{self, DIR, StoreError};
use crate::{EventId, Report, Severity};
use esos_hostfs::Files;
use sha2::{Digest, Sha256};
use std::time::Duration;

/// Reports on their way to the book: a directory with one file for each. Whoever notices something puts a file
/// there; no lock and no daemon is needed for that, and it waits until it is taken.
pub struct Inbox<'f> {
    files: &'f dyn Files,
}

/// What was found in the inbox.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Taken {
    /// Reports, oldest first, with the time at which each was put there, in seconds since 1970.
    pub reports: Vec<(u64, Report)>,
    /// The files, to be removed once the book is written.
    pub(crate) paths: Vec<String>,
}

impl<'f> Inbox<'f> {
    /// The inbox below the root of these files.
    #[must_use]
    pub fn new(files: &'f dyn Files) -> Self {
        Self { files }
    }

    fn dir() -> String {
        format!("{DIR}/inbox")
    }

    /// Puts a report there. `now` is the time since 1970.
    ///
    /// # Errors
    /// The directory or the file cannot be written.
    pub fn put(&self, report: &Report, now: Duration) -> Result<(), StoreError> {
        let digest = Sha256::digest(format!("{report:?}"));
        let name: String = digest.iter().take(6).map(|b| format!("{b:02x}")).collect();
        store::save(self.files, &format!("{}/{:020}-{name}.json", Self::dir(), now.as_nanos()), report)
    }

    /// All reports, oldest first. A file that makes no sense becomes a report of its own, so that it is
    /// neither lost in silence nor in the way.
    ///
    /// # Errors
    /// The directory or a file cannot be read.
    pub fn look(&self) -> Result<Taken, StoreError> {
        let mut taken = Taken::default();
        for name in store::documents(self.files, &Self::dir())? {
            let path = format!("{}/{name}", Self::dir());
            let nanos = name.split('-').next().and_then(|n| n.parse::<u128>().ok()).unwrap_or(0);
            let at = u64::try_from(nanos / 1_000_000_000).unwrap_or(u64::MAX);
            let report = match store::load::<Report>(self.files, &path) {
                Ok(Some(report)) => report,
                Ok(None) => continue,
                Err(StoreError::Document { source, .. }) => Report::happened(
                    EventId::of(["alert", "inbox", &name]),
                    Severity::Warning,
                    format!("a report in {} makes no sense", Self::dir()),
                )
                .text(source.to_string()),
                Err(e) => return Err(e),
            };
            taken.reports.push((at, report));
            taken.paths.push(path);
        }
        Ok(taken)
    }

    pub(crate) fn remove(&self, taken: &Taken) -> Result<(), StoreError> {
        for path in &taken.paths {
            self.files.remove(path)?;
        }
        Ok(())
    }
}

impl std::fmt::Debug for Inbox<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Inbox")
    }
}
