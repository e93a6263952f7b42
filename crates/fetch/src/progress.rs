//! How far it is.

/// One step of a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'e> {
    /// So much is to be transferred in all; what the cache has is not counted.
    Total {
        /// Files.
        files: usize,
        /// Bytes.
        bytes: u64,
    },
    /// A file begins.
    Start {
        /// Its name.
        name: &'e str,
        /// Its bytes, where known.
        size: Option<u64>,
    },
    /// So many more bytes came.
    Bytes(u64),
    /// A file is whole, and its hash is right.
    Done {
        /// Its name.
        name: &'e str,
    },
    /// A transfer broke off and is tried again.
    Retry {
        /// Its name.
        name: &'e str,
        /// Which try comes now, from 2.
        attempt: u32,
        /// Why it broke off.
        reason: &'e str,
    },
}

/// Who wants to know. Transfers run in several threads, so it is told from several at a time.
pub trait Progress: Sync {
    /// Something happened.
    fn report(&self, event: Event<'_>);
}

/// Nobody wants to know.
impl Progress for () {
    fn report(&self, _event: Event<'_>) {}
}

impl<F: Fn(Event<'_>) + Sync> Progress for F {
    fn report(&self, event: Event<'_>) {
        self(event);
    }
}
