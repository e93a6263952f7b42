//! Files kept by their SHA-256.
use crate::fetch::retrying;
use crate::{Event, Fetch, FetchError, Location, Progress, Sha256, Sha256Writer};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// A directory of files by their SHA-256, which several processes may use at a time.
///
/// A file is in it whole or not at all: what is being fetched lies under `part/`, locked, and gets its
/// place by a rename after its hash was found right. What broke off is gone on with later, by
/// whichever process. A file that has changed since is fetched anew.
#[derive(Debug, Clone)]
pub struct Store {
    dir: PathBuf,
}

/// A file by its hash, and where it may be got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// How people call it, in progress and errors.
    pub name: String,
    /// Where it lies; the next one is tried where the file is missing or wrong at the first.
    pub locations: Vec<Location>,
    /// Its hash.
    pub sha256: Sha256,
    /// Its bytes.
    pub size: u64,
}

/// Why a file is not there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// It could not be fetched.
    #[error("cannot get {name}")]
    Fetch {
        /// Its name.
        name: String,
        /// Why.
        #[source]
        source: FetchError,
    },
    /// What was fetched is something else.
    #[error(transparent)]
    Mismatch(Box<Mismatch>),
    /// It is not in the store, and no place to get it from is known.
    #[error("{name} ({sha256}) is not in {}, and nowhere else to be had", dir.display())]
    Absent {
        /// Its name.
        name: String,
        /// Its hash.
        sha256: Sha256,
        /// The store.
        dir: PathBuf,
    },
    /// The store itself cannot be used.
    #[error("cannot use {}", path.display())]
    Io {
        /// Which path of it.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// A file that is not the one that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{name} at {location} has SHA-256 {found} and {found_size} bytes, expected {expected} and {size} bytes"
)]
pub struct Mismatch {
    /// Its name.
    pub name: String,
    /// Where it was got.
    pub location: Location,
    /// The hash that it should have.
    pub expected: Sha256,
    /// The bytes that it should have.
    pub size: u64,
    /// The hash that it has.
    pub found: Sha256,
    /// The bytes that it has.
    pub found_size: u64,
}

fn io_at(path: &Path) -> impl Fn(io::Error) -> StoreError + '_ {
    move |source| StoreError::Io { path: path.to_owned(), source }
}

impl Store {
    /// The store in a directory, which is made if it is missing.
    ///
    /// # Errors
    /// [`StoreError::Io`] where it cannot be made.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        for sub in ["sha256", "part", "note"] {
            let path = dir.join(sub);
            fs::create_dir_all(&path).map_err(io_at(&path))?;
        }
        Ok(Self { dir: dir.to_owned() })
    }

    /// Its directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn place(&self, sha256: Sha256) -> PathBuf {
        let hex = sha256.to_string();
        self.dir.join("sha256").join(hex.get(..2).unwrap_or_default()).join(hex)
    }

    /// The path of a file if the store has it. It is read to its end, and removed where its hash is
    /// wrong.
    ///
    /// # Errors
    /// [`StoreError::Io`] where it cannot be read.
    pub fn find(&self, sha256: Sha256, size: u64) -> Result<Option<PathBuf>, StoreError> {
        let path = self.place(sha256);
        let file = match File::open(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(io_at(&path))?,
        };
        let len = file.metadata().map_err(io_at(&path))?.len();
        if len == size && Sha256::of_reader(file).map_err(io_at(&path))?.0 == sha256 {
            return Ok(Some(path));
        }
        match fs::remove_file(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(io_at(&path)(e)),
            _ => Ok(None),
        }
    }

    /// The path of a file with that hash: from the store, in place where it lies on this machine, or
    /// fetched into the store.
    ///
    /// # Errors
    /// [`StoreError`]; of several places, what the last one says.
    pub fn obtain(
        &self,
        fetch: &dyn Fetch,
        wanted: &Wanted,
        progress: &dyn Progress,
    ) -> Result<PathBuf, StoreError> {
        if let Some(path) = self.find(wanted.sha256, wanted.size)? {
            return Ok(path);
        }
        let mut error =
            StoreError::Absent { name: wanted.name.clone(), sha256: wanted.sha256, dir: self.dir.clone() };
        for location in &wanted.locations {
            match self.obtain_from(fetch, location, wanted, progress) {
                Ok(path) => return Ok(path),
                Err(e @ StoreError::Io { .. }) => return Err(e),
                Err(e) => error = e,
            }
        }
        Err(error)
    }

    /// [`Store::obtain`] for many files with so many threads; the paths are in the order of the files.
    ///
    /// # Errors
    /// The error of the first file (in their order) that failed; others may have been fetched.
    pub fn obtain_all(
        &self,
        fetch: &dyn Fetch,
        wanted: &[Wanted],
        threads: usize,
        progress: &dyn Progress,
    ) -> Result<Vec<PathBuf>, StoreError> {
        let missing: Vec<_> = wanted.iter().filter(|w| !self.place(w.sha256).exists()).collect();
        let bytes = missing.iter().fold(0u64, |sum, w| sum.saturating_add(w.size));
        progress.report(Event::Total { files: missing.len(), bytes });
        let next = AtomicUsize::new(0);
        let done = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for _ in 0..threads.clamp(1, 16) {
                scope.spawn(|| {
                    loop {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        let Some(wanted) = wanted.get(at) else { return };
                        let result = self.obtain(fetch, wanted, progress);
                        if result.is_err() {
                            // Others finish what they are at, and begin nothing more.
                            next.fetch_add(usize::MAX >> 1, Ordering::Relaxed);
                        }
                        if let Ok(mut done) = done.lock() {
                            done.push((at, result));
                        }
                    }
                });
            }
        });
        let mut done = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        done.sort_by_key(|(at, _)| *at);
        done.into_iter().map(|(_, result)| result).collect()
    }

    fn obtain_from(
        &self,
        fetch: &dyn Fetch,
        location: &Location,
        wanted: &Wanted,
        progress: &dyn Progress,
    ) -> Result<PathBuf, StoreError> {
        if let Some(path) = location.path() {
            return in_place(fetch, location, path, wanted);
        }
        let part = self.dir.join("part").join(wanted.sha256.to_string());
        let file = loop {
            let opened = OpenOptions::new().read(true).append(true).create(true).mode(0o644).open(&part);
            let file = opened.map_err(io_at(&part))?;
            file.lock().map_err(io_at(&part))?;
            // Whoever held the lock before may have finished the file, and moved it away from here.
            if let Some(path) = self.find(wanted.sha256, wanted.size)? {
                return Ok(path);
            }
            let ours = file.metadata().map_err(io_at(&part))?;
            if fs::metadata(&part).is_ok_and(|m| (m.dev(), m.ino()) == (ours.dev(), ours.ino())) {
                break file;
            }
        };
        progress.report(Event::Start { name: &wanted.name, size: Some(wanted.size) });
        let mut resumed = file.metadata().map_err(io_at(&part))?.len() > 0;
        loop {
            let got = retrying(&wanted.name, progress, || download(fetch, location, &file, wanted, progress));
            match got {
                Ok(found) if found == (wanted.sha256, wanted.size) => break,
                // What an earlier run left behind may be of another file by the same name.
                _ if resumed => file.set_len(0).map_err(io_at(&part))?,
                Ok((found, size)) => {
                    fs::remove_file(&part).map_err(io_at(&part))?;
                    return Err(mismatch(wanted, location, found, size));
                }
                Err(source) => return Err(StoreError::Fetch { name: wanted.name.clone(), source }),
            }
            resumed = false;
        }
        file.sync_all().map_err(io_at(&part))?;
        let place = self.place(wanted.sha256);
        if let Some(parent) = place.parent() {
            fs::create_dir_all(parent).map_err(io_at(parent))?;
        }
        fs::rename(&part, &place).map_err(io_at(&place))?;
        progress.report(Event::Done { name: &wanted.name });
        Ok(place)
    }

    /// A small text kept under a name (letters, digits, `-`, `.`, `_`), if there is one.
    ///
    /// # Errors
    /// [`StoreError::Io`] where it cannot be read.
    pub fn note(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.dir.join("note").join(safe(name));
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(io_at(&path)(e)),
        }
    }

    /// Keeps a small text under a name, replacing what was there whole or not at all.
    ///
    /// # Errors
    /// [`StoreError::Io`] where it cannot be written.
    pub fn set_note(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, StoreError> {
        static SERIAL: AtomicUsize = AtomicUsize::new(0);
        let path = self.dir.join("note").join(safe(name));
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let temp = self.dir.join("part").join(format!("{}.{}-{serial}", safe(name), std::process::id()));
        let written = (|| {
            let mut file = OpenOptions::new().write(true).create_new(true).open(&temp)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&temp, &path)
        })();
        written.map_err(|e| {
            let _leftover = fs::remove_file(&temp);
            io_at(&path)(e)
        })?;
        Ok(path)
    }
}

fn safe(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || "-._".contains(c) { c } else { '_' }).collect()
}

fn mismatch(wanted: &Wanted, location: &Location, found: Sha256, found_size: u64) -> StoreError {
    StoreError::Mismatch(Box::new(Mismatch {
        name: wanted.name.clone(),
        location: location.clone(),
        expected: wanted.sha256,
        size: wanted.size,
        found,
        found_size,
    }))
}

fn in_place(
    fetch: &dyn Fetch,
    location: &Location,
    path: &Path,
    wanted: &Wanted,
) -> Result<PathBuf, StoreError> {
    let failed = |source| StoreError::Fetch { name: wanted.name.clone(), source };
    let opened = fetch.open(location, 0).map_err(failed)?;
    let hashed = Sha256::of_reader(opened.reader.take(wanted.size.saturating_add(1)));
    let (found, size) =
        hashed.map_err(|source| failed(FetchError::Io { location: location.clone(), source }))?;
    if (found, size) == (wanted.sha256, wanted.size) {
        return Ok(path.to_owned());
    }
    Err(mismatch(wanted, location, found, opened.size.unwrap_or(size)))
}

type Broken = (FetchError, bool);

/// One try: hashes what is there of the file, and appends the rest.
fn download(
    fetch: &dyn Fetch,
    location: &Location,
    mut file: &File,
    wanted: &Wanted,
    progress: &dyn Progress,
) -> Result<(Sha256, u64), Broken> {
    let local = |source| (FetchError::Io { location: location.clone(), source }, false);
    let mut have = file.metadata().map_err(local)?.len();
    if have >= wanted.size {
        file.set_len(0).map_err(local)?;
        have = 0;
    }
    let opened = fetch.open(location, have).map_err(|e| (e, false))?;
    let too_large = || (FetchError::TooLarge { location: location.clone(), limit: wanted.size }, false);
    if opened.size.is_some_and(|size| size > wanted.size) {
        return Err(too_large());
    }
    if opened.from != have {
        file.set_len(0).map_err(local)?;
        have = 0;
    }
    io::Seek::seek(&mut file, io::SeekFrom::Start(0)).map_err(local)?;
    let mut hash = Sha256Writer::new(io::sink());
    io::copy(&mut file.take(have), &mut hash).map_err(local)?;
    let mut reader = opened.reader;
    let mut buffer = vec![0; 64 << 10];
    let before = have;
    loop {
        let n = match reader.read(&mut buffer) {
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(source) => {
                return Err((FetchError::Io { location: location.clone(), source }, have > before));
            }
        };
        let bytes = buffer.get(..n).unwrap_or_default();
        if bytes.is_empty() {
            break;
        }
        have = have.saturating_add(n as u64);
        if have > wanted.size {
            return Err(too_large());
        }
        file.write_all(bytes).map_err(local)?;
        hash.write_all(bytes).map_err(local)?;
        progress.report(Event::Bytes(n as u64));
    }
    // A server that itself says that the file is shorter would say so again: then it is another file.
    if have < wanted.size && opened.size.is_none_or(|size| size > have) {
        let short = FetchError::Truncated { location: location.clone(), got: have, size: wanted.size };
        return Err((short, have > before));
    }
    Ok((hash.finish(), have))
}
