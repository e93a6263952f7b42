//! What is wrong with a package.
use super::BadPath;
use std::error::Error;
use std::{fmt, io};

/// A package that cannot be read, with the member of it that is at fault.
#[derive(Debug)]
pub struct DebError {
    /// The package file, as the caller names it.
    pub package: String,
    /// Where in it: `ar`, `control.tar.xz`, `data.tar.xz: ./usr/bin/env`.
    pub member: String,
    /// What is wrong.
    pub fault: Fault,
}

impl fmt::Display for DebError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.package, self.member, self.fault)
    }
}

impl Error for DebError {
    /// What is behind the fault: the fault itself is in the sentence.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.fault.source()
    }
}

/// What is wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Not an `ar` archive, or not a Debian package of format 2.
    #[error("is no Debian package: {0}")]
    NotADeb(&'static str),
    /// The file ends too early.
    #[error("is cut off; fetch it again")]
    Truncated,
    /// The file cannot be read or its compressed stream is damaged.
    #[error("cannot be read; the file may be damaged, fetch it again")]
    Damaged(#[source] io::Error),
    /// A compression that dpkg does not know either.
    #[error("is compressed as `{0}`; xz, zst, gz and none are understood")]
    Compression(String),
    /// A member of the `ar` header or of a tar header that is no number, or out of range.
    #[error("has a header field `{field}` that is no valid number")]
    Number {
        /// Which field.
        field: &'static str,
    },
    /// The checksum of a tar header.
    #[error("has a tar header with a wrong checksum")]
    Checksum,
    /// A name that cannot be below the root.
    #[error("has the name `{name}`, which {reason}; the package is hostile or broken")]
    Path {
        /// The name, made printable.
        name: String,
        /// Why not.
        reason: BadPath,
    },
    /// A symbolic link that climbs above the root.
    #[error("links to `{target}`, above the root; the package is hostile or broken")]
    LinkEscapes {
        /// The target.
        target: String,
    },
    /// A sparse file, a multi-volume part, an access control list: nothing that dpkg makes.
    #[error("is {0}, which Debian packages cannot have")]
    Unsupported(&'static str),
    /// A PAX header that is no list of `<length> <key>=<value>` lines.
    #[error("has a malformed PAX header")]
    Pax,
    /// Larger than [`super::Limits`] allows.
    #[error("has more than {limit} {what}; raise the limit if the package is trusted")]
    TooLarge {
        /// Of what.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
    /// Something stands behind the end of a tar.
    #[error("has bytes behind the end of its tar")]
    Trailing,
    /// `control` is missing or malformed.
    #[error("has no usable `control` file: {0}")]
    Control(&'static str),
}

impl Fault {
    /// Of a read that failed.
    pub(crate) fn io(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::UnexpectedEof { Self::Truncated } else { Self::Damaged(error) }
    }

    pub(crate) fn at(self, package: &str, member: impl Into<String>) -> DebError {
        DebError { package: package.to_owned(), member: member.into(), fault: self }
    }
}
