//! Writing frames.
use crate::deb::{Entry, tar};
use esos_layout::frames::Frame;
use sha2::{Digest, Sha256};
use std::io::{self, Read, Write};

/// Unpacked bytes after which a package's next entry begins a new frame.
pub(crate) const SPLIT: u64 = 8 << 20;

/// Counts and hashes what goes through.
pub(crate) struct Tap<W> {
    out: W,
    hash: Sha256,
    bytes: u64,
}

impl<W: Write> Write for Tap<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.hash.update(bytes.get(..written).unwrap_or(bytes));
        self.bytes = self.bytes.saturating_add(u64::try_from(written).unwrap_or(0));
        Ok(written)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// One frame being written.
pub(crate) struct FrameWriter<W: Write> {
    zstd: zstd::stream::write::Encoder<'static, Tap<W>>,
    pub(crate) unpacked: u64,
    entries: u64,
}

impl<W: Write> FrameWriter<W> {
    pub(crate) fn new(out: W, level: i32) -> io::Result<Self> {
        let tap = Tap { out, hash: Sha256::new(), bytes: 0 };
        Ok(Self { zstd: zstd::stream::write::Encoder::new(tap, level)?, unpacked: 0, entries: 0 })
    }

    /// Writes an entry and, for a file, its content, of which the entry tells the size.
    pub(crate) fn entry(&mut self, entry: &Entry, content: &mut dyn Read) -> io::Result<()> {
        let header = tar::encode(entry);
        self.zstd.write_all(&header)?;
        let size = entry.kind.size();
        let copied = io::copy(&mut content.take(size), &mut self.zstd)?;
        if copied != size {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let pad = size.next_multiple_of(512).saturating_sub(size);
        let zeros = [0; 512];
        self.zstd.write_all(zeros.get(..usize::try_from(pad).unwrap_or(0)).unwrap_or(&zeros))?;
        let head = u64::try_from(header.len()).unwrap_or(0);
        self.unpacked = self.unpacked.saturating_add(head).saturating_add(size).saturating_add(pad);
        self.entries = self.entries.saturating_add(1);
        Ok(())
    }

    /// Writes bytes that are no entry: the end of the tar.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.zstd.write_all(bytes)?;
        self.unpacked = self.unpacked.saturating_add(u64::try_from(bytes.len()).unwrap_or(0));
        Ok(())
    }

    pub(crate) fn finish(self, name: &str) -> io::Result<(W, Frame)> {
        let tap = self.zstd.finish()?;
        let frame = Frame {
            packed: tap.bytes,
            unpacked: self.unpacked,
            entries: self.entries,
            sha256: tap.hash.finalize().into(),
            name: name.to_owned(),
        };
        Ok((tap.out, frame))
    }
}
