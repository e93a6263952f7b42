//! Why there is no root image.
use crate::deb::{DebError, TreePath};
use std::io;

/// Why there is no root image. Every variant names the packages and the path that it is about.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RootError {
    /// A package cannot be opened.
    #[error("{package}: cannot open the package file")]
    Open {
        /// The package.
        package: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A package cannot be read.
    #[error(transparent)]
    Deb(#[from] DebError),
    /// The file of a package is not what its index promised.
    #[error("{package}: the file's SHA-256 is {found}, expected {expected}; fetch it again")]
    Hash {
        /// The package.
        package: String,
        /// What the index or the lock file says.
        expected: String,
        /// What the file has.
        found: String,
    },
    /// Two packages with one name.
    #[error("package {package} is there twice")]
    Twice {
        /// The package.
        package: String,
    },
    /// Two packages own one path, and neither `Replaces` the other.
    #[error(
        "/{path}: {first} has it as a {first_kind}, {second} as a {second_kind}, and neither replaces the other; leave one of them out"
    )]
    Conflict {
        /// The path.
        path: TreePath,
        /// A package.
        first: String,
        /// What the path is there.
        first_kind: &'static str,
        /// The other package.
        second: String,
        /// What the path is there.
        second_kind: &'static str,
    },
    /// A path leads through something that is no directory.
    #[error("/{path} of {package}: /{through} is a {kind} of {owner}, not a directory")]
    NotADirectory {
        /// The path.
        path: TreePath,
        /// Its package.
        package: String,
        /// The part of the path that is at fault.
        through: TreePath,
        /// What it is.
        kind: &'static str,
        /// Whose it is.
        owner: String,
    },
    /// A hard link to a file that the package does not have.
    #[error("/{path} of {package} is a hard link to /{target}, which is no file of the same package")]
    ForeignLink {
        /// The link.
        path: TreePath,
        /// Its package.
        package: String,
        /// What it links to.
        target: TreePath,
    },
    /// One of our own files has a name that is none.
    #[error("own file `{path}` has no valid path")]
    OwnPath {
        /// The path.
        path: String,
    },
    /// The declared facts do not fit together.
    #[error(transparent)]
    Declare(#[from] super::declare::DeclareError),
    /// The image cannot be written.
    #[error("cannot write the root image")]
    Write(#[source] io::Error),
    /// The cache cannot be read or written.
    #[error("cannot use the cache of packed packages, at {package}")]
    Cache {
        /// The package.
        package: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Somebody asked to stop.
    #[error("the build was stopped")]
    Stopped,
}
