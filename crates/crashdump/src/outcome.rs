//! The files of one dump: its log, the dump itself, its manifest. Each is whole and on the medium before the next
//! begins.
use crate::{
    Core, CoreError, KdumpFile, LogError, Manifest, Panic, PanicScan, Progress, ReadAt, SaveError,
    SaveOptions, Vm, dmesg, save,
};
use esos_hostfs::{FileError, NewFile, Stream, rename, sync_dir};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Ending of the log beside a dump.
pub const LOG_ENDING: &str = ".dmesg";
/// Ending of the manifest beside a dump.
pub const MANIFEST_ENDING: &str = ".manifest.json";
/// Ending of a dump that is not finished.
pub const PART_ENDING: &str = ".part";

/// The file beside a dump.
#[must_use]
pub fn beside(dump: &Path, ending: &str) -> PathBuf {
    let mut name = dump.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Why a file of a dump could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutcomeError {
    /// The file system refused.
    #[error(transparent)]
    File(#[from] FileError),
    /// The core cannot be read.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// The dump could not be written.
    #[error(transparent)]
    Save(#[from] SaveError),
    /// The log cannot be found in the core, or not be written.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The manifest cannot be written as text, or not be understood.
    #[error("the manifest {path}")]
    Manifest {
        /// Its file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
}

impl OutcomeError {
    /// Whether there was no room.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let full = |e: &io::Error| e.kind() == io::ErrorKind::StorageFull;
        match self {
            Self::File(e) => e.is_full(),
            Self::Save(SaveError::Write(e)) | Self::Log(LogError::Write(e)) => full(e),
            Self::Save(SaveError::TooSmall { .. }) => true,
            _ => false,
        }
    }
}

/// Writes to both.
struct Tee<'a>(PanicScan, &'a mut dyn Write);

impl Write for Tee<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.1.write_all(bytes)?;
        self.0.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.1.flush()
    }
}

/// Writes the kernel's log to `path` and says why the kernel stopped. Where the log breaks off in the core, what
/// was found before is kept, and the second part of the answer says so.
///
/// # Errors
/// [`OutcomeError`] where nothing of it could be written; nothing is left then.
pub fn save_log<S: ReadAt>(core: &Core<S>, path: &Path) -> Result<(Panic, Option<LogError>), OutcomeError> {
    let mut file = NewFile::create(path, 0o600)?;
    let mut out = io::BufWriter::new(&mut file);
    let mut tee = Tee(PanicScan::default(), &mut out);
    let result = Vm::new(core).map_err(LogError::from).and_then(|vm| dmesg(&vm, &mut tee));
    let panic = tee.0.finish();
    let flushed = out.flush();
    drop(out);
    flushed.map_err(|e| file.write_error(e))?;
    match result {
        Err(LogError::Write(e)) => Err(file.write_error(e).into()),
        other => {
            file.commit()?;
            Ok((panic, other.err()))
        }
    }
}

/// Writes the dump to `path` and its manifest beside it. Until it is whole and on the medium it is called
/// `path` + [`PART_ENDING`]; an unfinished one that exists is no reason to wait, and is written anew.
///
/// # Errors
/// [`OutcomeError`]. What was written of the dump stays under its unfinished name.
pub fn save_dump<S: ReadAt>(
    core: &Core<S>,
    path: &Path,
    options: &SaveOptions,
    panic: Panic,
    tell: &mut dyn FnMut(Progress),
) -> Result<Manifest, OutcomeError> {
    let part = beside(path, PART_ENDING);
    let file = Stream::create(&part, 0o600)?;
    let saved = save(core, options, &file, tell)?;
    file.set_len(saved.size)?;
    file.sync()?;
    let manifest = Manifest::new(core, options, &saved, panic, &file)?;
    settle(&part, path, &manifest)?;
    Ok(manifest)
}

/// Gives a dump that was left unfinished (the power went) its name and a manifest that says what is in it: it is
/// read page by page, and has at least what was on the medium by then.
///
/// # Errors
/// [`OutcomeError::Core`] where not even its headers are there.
pub fn finish_part(path: &Path, panic: Panic) -> Result<Manifest, OutcomeError> {
    let part = beside(path, PART_ENDING);
    let file = KdumpFile::open(Stream::open(&part)?)?;
    let manifest = Manifest::of_file(&file, panic)?;
    settle(&part, path, &manifest)?;
    Ok(manifest)
}

fn settle(part: &Path, path: &Path, manifest: &Manifest) -> Result<(), OutcomeError> {
    rename(part, path)?;
    let directory = path.parent().filter(|d| !d.as_os_str().is_empty()).unwrap_or(Path::new("."));
    sync_dir(directory)?;
    write_manifest(path, manifest)
}

/// Writes a dump's manifest.
///
/// # Errors
/// [`OutcomeError::File`].
pub fn write_manifest(dump: &Path, manifest: &Manifest) -> Result<(), OutcomeError> {
    let path = beside(dump, MANIFEST_ENDING);
    let mut text = serde_json::to_vec_pretty(manifest)
        .map_err(|source| OutcomeError::Manifest { path: path.clone(), source })?;
    text.push(b'\n');
    let mut file = NewFile::create(&path, 0o600)?;
    file.write_all(&text).map_err(|e| file.write_error(e))?;
    Ok(file.commit()?)
}
