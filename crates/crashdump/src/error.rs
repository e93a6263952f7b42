//! What can be wrong with a core or a dump.
use std::io;

/// Why a file cannot be read as a core or a dump, or a structure inside it not be found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CoreError {
    /// The medium refused.
    #[error("cannot read at offset {at:#x}")]
    Read {
        /// Offset in the file.
        at: u64,
        /// What it said.
        source: io::Error,
    },
    /// The file ends too early.
    #[error("the file ends early: {wanted} bytes expected at offset {at:#x}, found {found}")]
    Short {
        /// Offset in the file.
        at: u64,
        /// Bytes expected.
        wanted: usize,
        /// Bytes found.
        found: usize,
    },
    /// The file is something else.
    #[error("not a core of this kind: found {found}, expected {expected}")]
    NotCore {
        /// What stands there.
        found: String,
        /// What should.
        expected: &'static str,
    },
    /// A count that no real file has; nothing was allocated for it.
    #[error("{found} {what}, more than the limit of {limit}")]
    TooMany {
        /// What is counted.
        what: &'static str,
        /// The count.
        found: u64,
        /// The limit.
        limit: u64,
    },
    /// VMCOREINFO lacks a key.
    #[error("VMCOREINFO has no {key}, needed for {purpose}")]
    NoKey {
        /// The key, as VMCOREINFO spells it.
        key: String,
        /// What needs it.
        purpose: &'static str,
    },
    /// A value in the kernel's memory or in VMCOREINFO cannot be right.
    #[error("{what} is {found:#x}, expected {expected}")]
    Odd {
        /// Which value.
        what: &'static str,
        /// The value.
        found: u64,
        /// What would be right.
        expected: &'static str,
    },
    /// A virtual address is not mapped, or its page is not in the file.
    #[error("no memory for the virtual address {0:#x}")]
    Unmapped(u64),
    /// A page of a dump cannot be unpacked.
    #[error("page frame {pfn:#x}: {problem}")]
    Page {
        /// The page frame number.
        pfn: u64,
        /// What is wrong.
        problem: String,
    },
}
