//! The seam, and what can go wrong behind it.
use crate::{Event, Location, Progress};
use std::fmt;
use std::io::{self, Read};
use std::thread;
use std::time::Duration;

/// Whoever can open a file that lies elsewhere.
pub trait Fetch: Sync {
    /// Opens a file for reading from a byte on. A server may not know how to begin in the middle: then
    /// [`Opened::from`] says 0.
    ///
    /// # Errors
    /// [`FetchError`], without a further try.
    fn open(&self, location: &Location, from: u64) -> Result<Opened, FetchError>;
}

impl<F: Fetch + ?Sized> Fetch for &F {
    fn open(&self, location: &Location, from: u64) -> Result<Opened, FetchError> {
        (**self).open(location, from)
    }
}

/// A file that is being read.
pub struct Opened {
    /// Its bytes, beginning at `from`.
    pub reader: Box<dyn Read + Send>,
    /// The first byte that the reader gives.
    pub from: u64,
    /// Bytes of the whole file, where the other side says so.
    pub size: Option<u64>,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").field("from", &self.from).field("size", &self.size).finish_non_exhaustive()
    }
}

/// Why a file was not got.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// There is no such file.
    #[error("{location} does not exist")]
    NotFound {
        /// Where.
        location: Location,
    },
    /// The server answers something else than the file.
    #[error("{location}: the server answers {status}")]
    Status {
        /// Where.
        location: Location,
        /// HTTP's status code.
        status: u16,
    },
    /// The network may not be used.
    #[error("{location} is needed, and the network may not be used")]
    Offline {
        /// Where.
        location: Location,
    },
    /// It cannot be reached or read.
    #[error("cannot read {location}")]
    Io {
        /// Where.
        location: Location,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It ended early.
    #[error("{location} ends after {got} of {size} bytes")]
    Truncated {
        /// Where.
        location: Location,
        /// Bytes that came.
        got: u64,
        /// Bytes that it should have.
        size: u64,
    },
    /// It is larger than it may be.
    #[error("{location} is larger than {limit} bytes")]
    TooLarge {
        /// Where.
        location: Location,
        /// Bytes that it may have.
        limit: u64,
    },
}

impl FetchError {
    /// Whether a further try may help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Io { location, .. } | Self::Truncated { location, .. } => location.path().is_none(),
            Self::Status { status, .. } => matches!(status, 408 | 425 | 429 | 500..=599),
            Self::NotFound { .. } | Self::Offline { .. } | Self::TooLarge { .. } => false,
        }
    }
}

/// How often a transfer may fail in a row without a single new byte.
const ATTEMPTS: u32 = 4;

/// Calls `once` until it succeeds, fails for good, or fails [`ATTEMPTS`] times without progress. `once`
/// gets the number of the try and says in its `bool` whether any byte came before it failed.
pub(crate) fn retrying<T>(
    name: &str,
    progress: &dyn Progress,
    mut once: impl FnMut() -> Result<T, (FetchError, bool)>,
) -> Result<T, FetchError> {
    let mut attempt = 1;
    let mut pause = Duration::from_millis(250);
    loop {
        let (error, moved) = match once() {
            Ok(value) => return Ok(value),
            Err(failed) => failed,
        };
        if moved {
            attempt = 1;
            pause = Duration::from_millis(250);
        }
        if !error.is_transient() || attempt >= ATTEMPTS {
            return Err(error);
        }
        attempt = attempt.saturating_add(1);
        progress.report(Event::Retry { name, attempt, reason: &with_source(&error) });
        thread::sleep(pause);
        pause = pause.saturating_mul(2);
    }
}

fn with_source(error: &FetchError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// A whole file in memory, at most `limit` bytes, with retries.
///
/// # Errors
/// [`FetchError`]; [`FetchError::TooLarge`] beyond the limit, without reading on.
pub fn read_whole(
    fetch: &dyn Fetch,
    location: &Location,
    limit: u64,
    progress: &dyn Progress,
) -> Result<Vec<u8>, FetchError> {
    let name = location.to_string();
    retrying(&name, progress, || once(fetch, location, limit).map_err(|e| (e, false)))
}

fn once(fetch: &dyn Fetch, location: &Location, limit: u64) -> Result<Vec<u8>, FetchError> {
    let too_large = || FetchError::TooLarge { location: location.clone(), limit };
    let opened = fetch.open(location, 0)?;
    if opened.size.is_some_and(|size| size > limit) {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    let read = opened.reader.take(limit.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(|source| FetchError::Io { location: location.clone(), source })?;
    let got = bytes.len() as u64;
    match opened.size {
        _ if got > limit => Err(too_large()),
        Some(size) if got < size => Err(FetchError::Truncated { location: location.clone(), got, size }),
        _ => Ok(bytes),
    }
}
