//! What a build keeps for the next one.
use esos_hostfs::{Files as _, HostFiles, Stream, rename};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io::{self, Cursor, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Something to read from any place.
pub trait ReadSeek: Read + Seek + Send {}
impl<T: Read + Seek + Send> ReadSeek for T {}

/// Something being written that appears whole or not at all.
pub trait Draft: Write + Send {
    /// Makes it visible under its key, which often only its content tells.
    ///
    /// # Errors
    /// Of the medium. What is not committed vanishes.
    fn commit(self: Box<Self>, key: &str) -> io::Result<()>;
}

/// Objects by key. A key's content never changes; readers check what they get, so an object that was
/// damaged counts as missing, and nothing needs to be flushed to the medium.
pub trait Cache: Debug + Send + Sync {
    /// An object, or `None`.
    ///
    /// # Errors
    /// Of the medium.
    fn open(&self, key: &str) -> io::Result<Option<Box<dyn ReadSeek>>>;

    /// Begins an object.
    ///
    /// # Errors
    /// Of the medium.
    fn create(&self) -> io::Result<Box<dyn Draft>>;
}

/// Keeps bytes under a key, so that [`recall`] sees it where they were damaged.
pub(crate) fn keep(cache: &dyn Cache, key: &str, bytes: &[u8]) -> io::Result<()> {
    let mut draft = cache.create()?;
    let mut zstd = zstd::stream::write::Encoder::new(&mut draft, 1)?;
    zstd.include_checksum(true)?;
    zstd.write_all(bytes)?;
    zstd.finish()?;
    draft.commit(key)
}

/// What was kept under a key; `None` where there is nothing, or it was damaged: the frame has a checksum.
pub(crate) fn recall(cache: &dyn Cache, key: &str) -> io::Result<Option<Vec<u8>>> {
    let Some(object) = cache.open(key)? else { return Ok(None) };
    let mut bytes = Vec::new();
    let read = zstd::stream::read::Decoder::new(object).and_then(|mut zstd| zstd.read_to_end(&mut bytes));
    Ok(read.is_ok().then_some(bytes))
}

/// Objects in a directory, one file each.
#[derive(Debug, Clone)]
pub struct DirCache {
    dir: PathBuf,
}

impl DirCache {
    /// In a directory, which must exist.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }
}

impl Cache for DirCache {
    fn open(&self, key: &str) -> io::Result<Option<Box<dyn ReadSeek>>> {
        match Stream::open(&self.dir.join(key)) {
            Ok(stream) => Ok(Some(Box::new(stream))),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(io::Error::other(error)),
        }
    }

    fn create(&self) -> io::Result<Box<dyn Draft>> {
        static SERIAL: AtomicU64 = AtomicU64::new(0);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let temp = format!(".{}-{serial}.tmp", std::process::id());
        let stream = Stream::create_new(&self.dir.join(&temp), 0o644).map_err(io::Error::other)?;
        Ok(Box::new(FileDraft { stream, temp, dir: self.dir.clone(), done: false }))
    }
}

#[derive(Debug)]
struct FileDraft {
    stream: Stream,
    temp: String,
    dir: PathBuf,
    done: bool,
}

impl Write for FileDraft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl Draft for FileDraft {
    fn commit(mut self: Box<Self>, key: &str) -> io::Result<()> {
        rename(&self.dir.join(&self.temp), &self.dir.join(key)).map_err(io::Error::other)?;
        self.done = true;
        Ok(())
    }
}

impl Drop for FileDraft {
    fn drop(&mut self) {
        if !self.done {
            let _leftover = HostFiles::new(&self.dir).remove(&self.temp);
        }
    }
}

type Objects = Arc<Mutex<BTreeMap<String, Arc<[u8]>>>>;

/// Objects in memory, for small roots and tests.
#[derive(Debug, Clone, Default)]
pub struct MemCache {
    objects: Objects,
}

impl MemCache {
    /// Keys of what is there.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }
}

impl Cache for MemCache {
    fn open(&self, key: &str) -> io::Result<Option<Box<dyn ReadSeek>>> {
        let objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(objects.get(key).map(|bytes| -> Box<dyn ReadSeek> { Box::new(Cursor::new(bytes.clone())) }))
    }

    fn create(&self) -> io::Result<Box<dyn Draft>> {
        Ok(Box::new(MemDraft { objects: self.objects.clone(), bytes: Vec::new() }))
    }
}

struct MemDraft {
    objects: Objects,
    bytes: Vec<u8>,
}

impl Write for MemDraft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Draft for MemDraft {
    fn commit(self: Box<Self>, key: &str) -> io::Result<()> {
        let mut objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        objects.insert(key.to_owned(), self.bytes.into());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_comes_back_and_damage_is_seen() {
        let cache = MemCache::default();
        let bytes: Vec<u8> = (0..2000u32).flat_map(|n| (n * n).to_le_bytes()).collect();
        assert_eq!(recall(&cache, "a").unwrap(), None);
        keep(&cache, "a", &bytes).unwrap();
        assert_eq!(recall(&cache, "a").unwrap().as_deref(), Some(bytes.as_slice()));
        let mut whole = Vec::new();
        cache.open("a").unwrap().unwrap().read_to_end(&mut whole).unwrap();
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x10;
            let mut draft = cache.create().unwrap();
            draft.write_all(&damaged).unwrap();
            draft.commit("b").unwrap();
            // Bits of the head that mean nothing to the decoder may differ; the content may not.
            let found = recall(&cache, "b").unwrap();
            assert!(found.is_none_or(|found| found == bytes), "byte {at}");
        }
    }
}
