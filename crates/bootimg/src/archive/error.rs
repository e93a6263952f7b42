//! Why there are no packages.
use super::release::ReleaseError;
use super::resolve::ResolveError;
use super::signature::SignatureError;
use super::sources::SourcesError;
use crate::deb::DebError;
use crate::extra::ForeignModules;
use esos_diag::ParseError;
use esos_fetch::{FetchError, LocationError, StoreError};
use esos_hostfs::FileError;
use std::io;
use std::path::PathBuf;

/// Why packages could not be found, trusted, chosen or fetched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// The host's apt sources name no mirror.
    #[error("no mirror of Debian is known")]
    Sources(#[source] Box<SourcesError>),
    /// The signed list of a suite could not be got.
    #[error("cannot get the signed list of suite {suite}")]
    NoRelease {
        /// The suite.
        suite: String,
        /// Why.
        #[source]
        source: Box<FetchError>,
    },
    /// There is no network, and the signed list was never got before.
    #[error(
        "the signed list of suite {suite} at {archive} is not in the cache; build once with the network, or from a lock file"
    )]
    NeverSeen {
        /// The suite.
        suite: String,
        /// The archive.
        archive: String,
    },
    /// The signature of a list is not good.
    #[error("the archive is not trusted")]
    Signature(#[source] Box<SignatureError>),
    /// A key that stands in the host's sources is damaged.
    #[error("the key in Signed-By of {archive} is damaged")]
    Key {
        /// The archive.
        archive: String,
    },
    /// A signed list is stale, of another suite, or goes back in time.
    #[error("the archive is refused")]
    Release(#[source] Box<ReleaseError>),
    /// A list, an index or a lock file makes no sense.
    #[error("cannot read what the archive says")]
    Syntax(#[source] Box<ParseError>),
    /// A suite has no index for a component on this machine.
    #[error("{origin} lists no index of {component} for {architecture}")]
    NoIndex {
        /// The signed list.
        origin: String,
        /// The component.
        component: String,
        /// The machine.
        architecture: String,
    },
    /// An index cannot be unpacked.
    #[error("the index {origin} is damaged")]
    Damaged {
        /// The index.
        origin: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// An index unpacks to more than its signed list says.
    #[error("the index {origin} is larger than the {limit} bytes that its signed list states")]
    Oversized {
        /// The index.
        origin: String,
        /// Bytes that it may have.
        limit: u64,
    },
    /// A file name of an index or lock leads out of the archive.
    #[error("package {package} has a file name that is refused")]
    Filename {
        /// The package.
        package: String,
        /// What is wrong.
        #[source]
        source: LocationError,
    },
    /// A file could not be got or is not the right one.
    #[error("cannot get a file of the archive")]
    Store(#[source] Box<StoreError>),
    /// There is no set of packages.
    #[error("packages cannot be chosen")]
    Resolve(#[source] Box<ResolveError>),
    /// A directory of packages cannot be listed.
    #[error("cannot list the packages in {}", dir.display())]
    Directory {
        /// The directory.
        dir: PathBuf,
        /// Why.
        #[source]
        source: FileError,
    },
    /// A directory of packages holds none.
    #[error("{} holds no .deb and no dists/", dir.display())]
    NoPackages {
        /// The directory.
        dir: PathBuf,
    },
    /// A package of a directory cannot be read.
    #[error("cannot use {}", path.display())]
    Deb {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<DebError>,
    },
    /// A file of a directory has a name with blanks, or its control data would break the index.
    #[error("cannot use {}: {why}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A package of the user has kernel modules that do not fit, and none can be built.
    #[error(transparent)]
    ForeignModules(#[from] ForeignModules),
    /// A package of the user wants modules built, and there is no one kernel to build them for.
    #[error("{package}: modules are built for the kernel of the image, and it has none, or several")]
    NoKernelToBuildFor {
        /// The package.
        package: String,
    },
    /// The lock file is for something else.
    #[error("the lock file is for {locked}, and {wanted} is to be built")]
    OtherLock {
        /// Suite and machine of the lock.
        locked: String,
        /// Suite and machine of the request.
        wanted: String,
    },
    /// A package says of itself something else than its index.
    #[error("{}: the package says `{field}: {found}`, its index says `{expected}`", path.display())]
    Disagrees {
        /// The file.
        path: PathBuf,
        /// The field.
        field: &'static str,
        /// What the package says.
        found: String,
        /// What the index says.
        expected: String,
    },
}

macro_rules! boxed {
    ($($variant:ident($source:ty)),*) => {$(
        impl From<$source> for ArchiveError {
            fn from(e: $source) -> Self {
                Self::$variant(Box::new(e))
            }
        }
    )*};
}

boxed!(
    Sources(SourcesError),
    Signature(SignatureError),
    Release(ReleaseError),
    Syntax(ParseError),
    Store(StoreError),
    Resolve(ResolveError)
);
