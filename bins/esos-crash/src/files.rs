//! Files as the library wants them.
use esos_crashdump::{Core, CoreError, KdumpFile, LogError, LogSummary, Physical, ReadAt, Vm, WriteAt};
use esos_hostfs::{FileError, Stream};
use std::io;
use std::path::{Path, PathBuf};

/// A file that is read.
pub(crate) struct Input {
    stream: Stream,
    size: u64,
}

impl Input {
    pub(crate) fn open(path: &Path) -> Result<Self, FileError> {
        let stream = Stream::open(path)?;
        Ok(Self { size: stream.size()?, stream })
    }
}

impl ReadAt for Input {
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        self.stream.read_at(buffer, at).map_err(io_error)
    }

    fn size(&self) -> u64 {
        self.size
    }
}

/// A file that is written, and read back.
pub(crate) struct Output<'a>(pub(crate) &'a Stream);

impl WriteAt for Output<'_> {
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, at).map_err(io_error)
    }
}

impl ReadAt for Output<'_> {
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        self.0.read_at(buffer, at).map_err(io_error)
    }

    fn size(&self) -> u64 {
        self.0.size().unwrap_or(0)
    }
}

/// Its kind stays, "no space" above all; its text names the file.
fn io_error(e: FileError) -> io::Error {
    io::Error::new(if e.is_full() { io::ErrorKind::StorageFull } else { io::ErrorKind::Other }, e)
}

/// A core or a dump.
pub(crate) enum Memory {
    Core(Box<Core<Input>>),
    Dump(Box<KdumpFile<Input>>),
}

impl Memory {
    pub(crate) fn open(input: Input) -> Result<Self, CoreError> {
        Ok(if KdumpFile::probe(&input) {
            Self::Dump(Box::new(KdumpFile::open(input)?))
        } else {
            Self::Core(Box::new(Core::open(input)?))
        })
    }

    pub(crate) fn log(&self, out: &mut impl io::Write) -> Result<LogSummary, LogError> {
        match self {
            Self::Core(core) => esos_crashdump::dmesg(&Vm::new(&**core)?, out),
            Self::Dump(dump) => esos_crashdump::dmesg(&Vm::new(&**dump)?, out),
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        match self {
            Self::Core(core) => core.info().get(key),
            Self::Dump(dump) => dump.info().get(key),
        }
    }
}

/// The file beside a dump.
pub(crate) fn beside(dump: &Path, ending: &str) -> PathBuf {
    let mut name = dump.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Ending of the log beside a dump.
pub(crate) const LOG: &str = ".dmesg";
/// Ending of the manifest beside a dump.
pub(crate) const MANIFEST: &str = ".manifest.json";
