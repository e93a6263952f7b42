//! Files that hold one JSON document.
use esos_hostfs::{FileError, Files};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Where events, reports and mails lie. It belongs to what `esos-conf` keeps on the stick, so that a mail that
/// could not be delivered survives a reboot.
pub const DIR: &str = "/var/lib/esos/alert";

/// Why a document could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// It holds something else than was expected.
    #[error("{path} makes no sense")]
    Document {
        /// The file.
        path: String,
        /// Where and why.
        #[source]
        source: serde_json::Error,
    },
}

/// The document of a file, or nothing where there is no such file.
pub(crate) fn load<T: DeserializeOwned>(files: &dyn Files, path: &str) -> Result<Option<T>, StoreError> {
    let bytes = match files.read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.is_not_found() => return Ok(None),
        Err(e) => return Err(e.into()),
    };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|source| StoreError::Document { path: path.to_owned(), source })
}

/// Replaces the document of a file; only its owner can read it.
pub(crate) fn save(files: &dyn Files, path: &str, document: &impl Serialize) -> Result<(), StoreError> {
    let bytes = serde_json::to_vec_pretty(document)
        .map_err(|source| StoreError::Document { path: path.to_owned(), source })?;
    let dir = path.rsplit_once('/').map_or("/", |(dir, _)| dir);
    files.make_dir(dir)?;
    files.replace(path, &bytes, 0o600)?;
    Ok(())
}

/// Names of the documents in a directory; none where there is no directory.
pub(crate) fn documents(files: &dyn Files, dir: &str) -> Result<Vec<String>, StoreError> {
    match files.list(dir) {
        Ok(names) => Ok(names.into_iter().filter(|n| n.ends_with(".json") && !n.starts_with('.')).collect()),
        Err(e) if e.is_not_found() => Ok(Vec::new()),
        Err(e) => Err(e.into()),
    }
}
