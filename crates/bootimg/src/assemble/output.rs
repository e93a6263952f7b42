//! The products of a build: written beside their names, put in place all together.
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use esos_fetch::{Sha256, Sha256Writer};
use esos_hostfs::{FileError, Files, HostFiles, Stream, TempDir, rename, sync_dir};

/// A directory beside the products, gone when the build is over, however it ends.
#[derive(Debug)]
pub(super) struct Output {
    dir: PathBuf,
    work: TempDir,
    names: Vec<String>,
}

impl Output {
    /// Makes the output directory and a work directory in it.
    pub(super) fn new(dir: &Path) -> Result<Self, FileError> {
        let absolute = dir.to_string_lossy().into_owned();
        HostFiles::new("/").make_dir(&absolute)?;
        let work = TempDir::new_in(dir, "esos-image")?;
        Ok(Self { dir: dir.to_owned(), work, names: Vec::new() })
    }

    /// A place for what is no product.
    pub(super) fn scratch(&self, name: &str) -> PathBuf {
        self.work.path().join(name)
    }

    /// Begins a product.
    pub(super) fn product(&mut self, name: &str) -> Result<Stream, FileError> {
        let stream = Stream::create_new(&self.scratch(name), 0o644)?;
        self.names.push(name.to_owned());
        Ok(stream)
    }

    /// Opens a product that was written.
    pub(super) fn open(&self, name: &str) -> Result<Stream, FileError> {
        Stream::open(&self.scratch(name))
    }

    /// Writes a small product and returns its hash.
    pub(super) fn text(&mut self, name: &str, bytes: &[u8]) -> Result<Sha256, FileError> {
        HostFiles::new(self.work.path()).replace(&format!("/{name}"), bytes, 0o644)?;
        self.names.push(name.to_owned());
        Ok(Sha256::of(bytes))
    }

    /// Names of the products so far.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// Puts all products in their places. From the first rename on nothing can fail but the medium.
    pub(super) fn publish(self) -> Result<PathBuf, FileError> {
        for name in &self.names {
            self.open(name)?.sync()?;
        }
        for name in &self.names {
            rename(&self.scratch(name), &self.dir.join(name))?;
        }
        sync_dir(&self.dir)?;
        Ok(self.dir)
    }
}

/// Counts, hashes and buffers what goes to a file.
pub(super) struct Hashed {
    out: io::BufWriter<Sha256Writer<Stream>>,
}

impl Hashed {
    pub(super) fn new(stream: Stream) -> Self {
        Self { out: io::BufWriter::with_capacity(1 << 20, Sha256Writer::new(stream)) }
    }

    pub(super) fn finish(self) -> io::Result<Sha256> {
        Ok(self.out.into_inner().map_err(io::IntoInnerError::into_error)?.finish())
    }
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Rewinds a stream to read what was written.
pub(super) fn rewind(stream: &mut Stream) -> io::Result<()> {
    stream.seek(SeekFrom::Start(0)).map(drop)
}
