//! A tar in one zstd stream.
use serde::Serialize;
use std::io::{self, Read, Write};

/// One file to be archived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its name in the archive, without a leading slash.
    pub name: String,
    /// Bytes that are taken; a file that has grown meanwhile gives no more.
    pub len: u64,
    /// Permission bits.
    pub mode: u32,
    /// When it was changed, in seconds since 1970.
    pub mtime: u64,
}

/// What was written of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Written {
    /// Its name in the archive.
    pub name: String,
    /// Bytes of it.
    #[serde(rename = "size_bytes")]
    pub len: u64,
    /// Lines of it.
    pub lines: u64,
    /// Bytes that it was shorter than said; zeros stand for them.
    pub missing_bytes: u64,
}

/// Why an archive could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// A file could not be read.
    #[error("cannot read {name}")]
    Read {
        /// The file.
        name: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The archive could not be written.
    #[error("cannot write the archive")]
    Write(#[source] io::Error),
}

impl ArchiveError {
    /// Whether there was no room.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Write(e) if matches!(e.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
    }
}

/// An archive that is being written. Its memory does not grow with what goes through it.
pub struct Archive<W: Write> {
    tar: tar::Builder<zstd::stream::write::Encoder<'static, W>>,
}

impl<W: Write> std::fmt::Debug for Archive<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Archive")
    }
}

impl<W: Write> Archive<W> {
    /// Begins an archive.
    ///
    /// # Errors
    /// The compressor cannot be had.
    pub fn new(out: W) -> Result<Self, ArchiveError> {
        let mut press = zstd::stream::write::Encoder::new(out, 3).map_err(ArchiveError::Write)?;
        press.include_checksum(true).map_err(ArchiveError::Write)?;
        Ok(Self { tar: tar::Builder::new(press) })
    }

    /// Adds a file: exactly `item.len` bytes of it.
    ///
    /// # Errors
    /// It cannot be read, or the archive not be written.
    pub fn add(&mut self, item: &Item, content: &mut dyn Read) -> Result<Written, ArchiveError> {
        let mut header = tar::Header::new_gnu();
        header.set_size(item.len);
        header.set_mode(item.mode);
        header.set_mtime(item.mtime);
        header.set_entry_type(tar::EntryType::Regular);
        let mut count = Counted { content, left: item.len, lines: 0, missing: 0, failed: None };
        let done = self.tar.append_data(&mut header, &item.name, &mut count);
        let Counted { lines, missing, failed, .. } = count;
        match (done, failed) {
            (_, Some(source)) => Err(ArchiveError::Read { name: item.name.clone(), source }),
            (Err(e), None) => Err(ArchiveError::Write(e)),
            (Ok(()), None) => {
                Ok(Written { name: item.name.clone(), len: item.len, lines, missing_bytes: missing })
            }
        }
    }

    /// Ends it and gives the stream back, to be flushed.
    ///
    /// # Errors
    /// The last of it cannot be written.
    pub fn finish(self) -> Result<W, ArchiveError> {
        self.tar.into_inner().and_then(zstd::stream::write::Encoder::finish).map_err(ArchiveError::Write)
    }
}

/// Exactly so many bytes; what is missing is zeros, because the header has been written already.
struct Counted<'c> {
    content: &'c mut dyn Read,
    left: u64,
    lines: u64,
    missing: u64,
    failed: Option<io::Error>,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let Some(part) = buffer.get_mut(..room).filter(|p| !p.is_empty()) else { return Ok(0) };
        let got = match self.content.read(part) {
            Ok(got) => got,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => return Err(e),
            Err(e) => {
                let again = io::Error::from(e.kind());
                self.failed = Some(e);
                return Err(again);
            }
        };
        let got = if got == 0 {
            part.fill(0);
            self.missing = self.missing.saturating_add(room as u64);
            room
        } else {
            self.lines = self.lines.saturating_add(
                memchr::memchr_iter(b'\n', part.get(..got).unwrap_or_default()).count() as u64,
            );
            got
        };
        self.left = self.left.saturating_sub(got as u64);
        Ok(got)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_and_with_its_count() {
        let mut archive = Archive::new(Vec::new()).unwrap();
        let item = |len| Item { name: "var/log/syslog".into(), len, mode: 0o640, mtime: 5 };
        let written = archive.add(&item(8), &mut &b"one\ntwo\nthree"[..]).unwrap();
        assert_eq!((written.lines, written.missing_bytes), (2, 0));
        let written = archive.add(&item(9), &mut &b"short\n"[..]).unwrap();
        assert_eq!((written.lines, written.missing_bytes), (1, 3));
        let bytes = zstd::stream::decode_all(&archive.finish().unwrap()[..]).unwrap();
        let mut tar = tar::Archive::new(&bytes[..]);
        let mut texts = Vec::new();
        for entry in tar.entries().unwrap() {
            let mut text = String::new();
            entry.unwrap().read_to_string(&mut text).unwrap();
            texts.push(text);
        }
        assert_eq!(texts, ["one\ntwo\n", "short\n\0\0\0"]);
    }
}
