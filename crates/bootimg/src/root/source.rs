//! Where packages come from.
use std::fmt;
use std::io::{self, Read};

/// Opens the file of a package.
pub type Opener = Box<dyn Fn() -> io::Result<Box<dyn Read + Send>> + Send + Sync>;

/// One package of an image.
pub struct PackageSource {
    /// Its name: `libc6`.
    pub name: String,
    /// Its version, as in its control file.
    pub version: String,
    /// SHA-256 of the file, from a verified index or a lock file.
    pub sha256: [u8; 32],
    /// Bytes of the file, to begin with the large ones; 0 where it is not known.
    pub size: u64,
    /// Opens the file; called at most three times.
    pub open: Opener,
}

impl PackageSource {
    /// A package in memory, with its true hash; for small roots and for tests. Name and version are read
    /// from the control file; a package that cannot be read is reported when the root is built.
    #[must_use]
    pub fn from_bytes(name: &str, version: &str, bytes: Vec<u8>) -> Self {
        use sha2::{Digest, Sha256};
        let bytes: std::sync::Arc<[u8]> = bytes.into();
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            sha256: Sha256::digest(&bytes).into(),
            size: u64::try_from(bytes.len()).unwrap_or(0),
            open: Box::new(move || Ok(Box::new(io::Cursor::new(bytes.clone())))),
        }
    }
}

impl fmt::Debug for PackageSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PackageSource({} {})", self.name, self.version)
    }
}

/// What a build tells while it goes on. Called from several threads.
pub trait Progress: Sync {
    /// A package is ready; `cached` if its frames were there from an earlier build.
    fn package(&self, name: &str, done: usize, of: usize, cached: bool) {
        let _ = (name, done, of, cached);
    }

    /// Whether the build shall stop.
    fn stop(&self) -> bool {
        false
    }
}

/// Tells nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;
impl Progress for Silent {}
