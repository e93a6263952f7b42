//! This machine and its network.
use crate::http::Http;
use crate::location::Place;
use crate::{Fetch, FetchError, HttpOptions, HttpSetupError, Location, Opened};
use std::fs::File;
use std::io::{self, Seek, SeekFrom};

/// Opens files of this machine, and URLs unless it is offline.
#[derive(Debug)]
pub struct HostFetch {
    http: Option<Http>,
}

impl HostFetch {
    /// With the network.
    ///
    /// # Errors
    /// [`HttpSetupError`] where a proxy or the CA certificates make no sense.
    pub fn new(options: HttpOptions) -> Result<Self, HttpSetupError> {
        Ok(Self { http: Some(Http::new(options)?) })
    }

    /// Without the network: every URL is refused with [`FetchError::Offline`].
    #[must_use]
    pub fn offline() -> Self {
        Self { http: None }
    }
}

impl Fetch for HostFetch {
    fn open(&self, location: &Location, from: u64) -> Result<Opened, FetchError> {
        match (location.place(), &self.http) {
            (Place::Url(url), Some(http)) => http.open(location, url, from),
            (Place::Url(_), None) => Err(FetchError::Offline { location: location.clone() }),
            (Place::Path(path), _) => {
                let open = || -> io::Result<Opened> {
                    let mut file = File::open(path)?;
                    let meta = file.metadata()?;
                    if !meta.is_file() {
                        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
                    }
                    file.seek(SeekFrom::Start(from))?;
                    Ok(Opened { reader: Box::new(file), from, size: Some(meta.len()) })
                };
                open().map_err(|source| match source.kind() {
                    io::ErrorKind::NotFound => FetchError::NotFound { location: location.clone() },
                    _ => FetchError::Io { location: location.clone(), source },
                })
            }
        }
    }
}
