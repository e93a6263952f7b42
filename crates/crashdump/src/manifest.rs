//! The file beside a dump: what it holds, and the checksums of its parts.
use crate::source::fill;
use crate::{CoreError, KdumpFile, Panic, Physical, ReadAt, SaveOptions, Saved};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Bytes that one checksum covers.
const CHUNK: u64 = 4 << 20;
/// The form that [`Manifest::schema`] names.
const SCHEMA: &str = "esos.crash.manifest/1";

/// What a dump holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// `esos.crash.manifest/1`.
    pub schema: String,
    /// The crashed kernel's release.
    pub kernel: Option<String>,
    /// When it crashed, in seconds since 1970, by its own clock.
    pub crash_time: Option<u64>,
    /// Why.
    pub panic: Panic,
    /// The dump level, 0 to 31.
    pub level: u8,
    /// How its pages are packed.
    pub codec: String,
    /// Whether it has all pages of its level.
    pub complete: bool,
    /// Length of the dump in bytes.
    pub size_bytes: u64,
    /// Bytes at the start that hold what a reader needs first.
    pub priority_bytes: u64,
    /// Page frames of the machine.
    pub present_pages: u64,
    /// Page frames in the dump.
    pub pages: u64,
    /// Of those, pages of zeros.
    pub zero_pages: u64,
    /// Of those, pages that could not be read; they are zeros in the dump.
    pub unreadable_pages: u64,
    /// Page frames of this level for which there was no room.
    pub dropped_pages: u64,
    /// Page frames that the dump should have and that cannot be unpacked: the power went while it was written.
    #[serde(default)]
    pub unfinished_pages: u64,
    /// Bytes of memory that the core's file should have had: it was cut before the dump was made of it.
    #[serde(default)]
    pub missing_bytes: u64,
    /// Page frames that the level leaves out, by reason.
    pub excluded_pages: BTreeMap<String, u64>,
    /// What is not known of this kernel, and what was therefore kept.
    pub unknown: Vec<String>,
    /// Bytes that one checksum covers; the last covers the rest.
    pub chunk_bytes: u64,
    /// SHA-256 of each chunk, in hexadecimal.
    pub sha256: Vec<String>,
}

impl Manifest {
    /// Describes a dump that was just written, and reads it back for the checksums.
    ///
    /// # Errors
    /// [`CoreError::Read`] where it cannot be read back, [`CoreError::Short`] where it is not as long as it should be.
    pub fn new(
        core: &impl Physical,
        options: &SaveOptions,
        saved: &Saved,
        panic: Panic,
        dump: &impl ReadAt,
    ) -> Result<Self, CoreError> {
        let info = core.info();
        Ok(Self {
            schema: SCHEMA.to_owned(),
            kernel: info.get("OSRELEASE").map(str::to_owned),
            crash_time: info.get("CRASHTIME").and_then(|t| t.parse().ok()),
            panic,
            level: options.level.get(),
            codec: options.codec.to_string(),
            complete: saved.dropped == 0 && saved.unreadable == 0 && saved.missing_bytes == 0,
            size_bytes: saved.size,
            priority_bytes: saved.priority,
            present_pages: saved.present,
            pages: saved.pages,
            zero_pages: saved.zero,
            unreadable_pages: saved.unreadable,
            dropped_pages: saved.dropped,
            unfinished_pages: 0,
            missing_bytes: saved.missing_bytes,
            excluded_pages: saved.excluded.iter().map(|(k, n)| (k.to_string(), *n)).collect(),
            unknown: saved.unknown.clone(),
            chunk_bytes: CHUNK,
            sha256: digests(dump, saved.size, CHUNK)?,
        })
    }

    /// Describes a dump that lies there without a manifest, by reading all of it.
    ///
    /// # Errors
    /// [`CoreError`] where its structure cannot be read.
    pub fn of_file<S: ReadAt>(dump: &KdumpFile<S>, panic: Panic) -> Result<Self, CoreError> {
        let checked = dump.check()?;
        let info = dump.info();
        let size_bytes = dump.source().size();
        Ok(Self {
            schema: SCHEMA.to_owned(),
            kernel: info.get("OSRELEASE").map(str::to_owned),
            crash_time: info.get("CRASHTIME").and_then(|t| t.parse().ok()),
            panic,
            level: u8::try_from(dump.level()).unwrap_or(u8::MAX),
            codec: dump.codec().map_or_else(|| "unknown".to_owned(), |c| c.to_string()),
            complete: false,
            size_bytes,
            priority_bytes: 0,
            present_pages: dump.present()?,
            pages: checked.pages,
            zero_pages: 0,
            unreadable_pages: 0,
            dropped_pages: 0,
            unfinished_pages: checked.bad,
            missing_bytes: 0,
            excluded_pages: BTreeMap::new(),
            unknown: Vec::new(),
            chunk_bytes: CHUNK,
            sha256: digests(dump.source(), size_bytes, CHUNK)?,
        })
    }

    /// Compares a dump with its checksums; the answer says what differs, and is empty where nothing does.
    ///
    /// # Errors
    /// [`CoreError::Read`] from the file.
    pub fn compare(&self, dump: &impl ReadAt) -> Result<Vec<String>, CoreError> {
        if self.schema != SCHEMA || self.chunk_bytes == 0 {
            return Ok(vec![format!("the manifest is of the form {:?}, expected {SCHEMA:?}", self.schema)]);
        }
        if dump.size() != self.size_bytes {
            let (found, wanted) = (dump.size(), self.size_bytes);
            return Ok(vec![format!("the file has {found} bytes, its manifest says {wanted}")]);
        }
        let found = digests(dump, self.size_bytes, self.chunk_bytes)?;
        if found.len() != self.sha256.len() {
            let (have, wanted) = (self.sha256.len(), found.len());
            return Ok(vec![format!("the manifest has {have} checksums, the file needs {wanted}")]);
        }
        let parts = found.iter().zip(&self.sha256).zip(0_u64..);
        Ok(parts
            .filter(|((found, wanted), _)| found != wanted)
            .map(|(_, n)| {
                format!(
                    "the checksum of the {} bytes at {:#x} differs",
                    self.chunk_bytes,
                    n * self.chunk_bytes
                )
            })
            .collect())
    }
}

fn digests(dump: &impl ReadAt, size: u64, chunk: u64) -> Result<Vec<String>, CoreError> {
    let mut buffer = vec![0; 1 << 16];
    let (mut at, mut all, mut digest, mut left) = (0, Vec::new(), Sha256::new(), chunk);
    while at < size {
        let wanted = (size - at).min(left).min(buffer.len() as u64) as usize;
        let part = buffer.get_mut(..wanted).unwrap_or_default();
        let found = fill(dump, part, at).map_err(|source| CoreError::Read { at, source })?;
        if found < wanted {
            return Err(CoreError::Short { at, wanted, found });
        }
        digest.update(&*part);
        at += wanted as u64;
        left -= wanted as u64;
        if left == 0 || at == size {
            let hash = std::mem::take(&mut digest).finalize();
            all.push(hash.iter().map(|b| format!("{b:02x}")).collect());
            left = chunk;
        }
    }
    Ok(all)
}
