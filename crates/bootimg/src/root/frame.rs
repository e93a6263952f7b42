//! Writing frames.
use crate::deb::{Entry, tar};
use crate::disk::bytes::wide;
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

/// Unpacked bytes up to which a frame is compressed at one go, which is a good deal faster than as a stream: zstd
/// finds all of it in one piece, and copies nothing aside.
const WHOLE: usize = 32 << 20;

enum Body<W: Write> {
    Whole {
        out: Tap<W>,
        bytes: Vec<u8>,
    },
    Stream(zstd::stream::write::Encoder<'static, Tap<W>>),
    /// An encoder could not be made: there is no frame.
    Failed,
}

fn failed() -> io::Error {
    io::Error::other("the frame failed before")
}

/// One frame being written.
pub(crate) struct FrameWriter<W: Write> {
    body: Body<W>,
    level: i32,
    pub(crate) unpacked: u64,
    entries: u64,
}

impl<W: Write> FrameWriter<W> {
    pub(crate) fn new(out: W, level: i32) -> Self {
        let out = Tap { out, hash: Sha256::new(), bytes: 0 };
        Self { body: Body::Whole { out, bytes: Vec::new() }, level, unpacked: 0, entries: 0 }
    }

    /// Writes an entry and, for a file, its content, of which the entry tells the size.
    pub(crate) fn entry(&mut self, entry: &Entry, content: &mut dyn Read) -> io::Result<()> {
        let header = tar::encode(entry);
        let size = entry.kind.size();
        let pad = size.next_multiple_of(512).saturating_sub(size);
        let more = wide(header.len()).saturating_add(size).saturating_add(pad);
        self.room(more)?;
        self.put(&header)?;
        let content = &mut content.take(size);
        let copied = match &mut self.body {
            Body::Whole { bytes, .. } => {
                bytes.reserve(usize::try_from(size.saturating_add(pad)).unwrap_or(0));
                wide(content.read_to_end(bytes)?)
            }
            Body::Stream(zstd) => io::copy(content, zstd)?,
            Body::Failed => return Err(failed()),
        };
        if copied != size {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let zeros = [0; 512];
        self.put(zeros.get(..usize::try_from(pad).unwrap_or(0)).unwrap_or(&zeros))?;
        self.unpacked = self.unpacked.saturating_add(more);
        self.entries = self.entries.saturating_add(1);
        Ok(())
    }

    /// Writes bytes that are no entry: the end of the tar.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.room(wide(bytes.len()))?;
        self.put(bytes)?;
        self.unpacked = self.unpacked.saturating_add(wide(bytes.len()));
        Ok(())
    }

    /// A frame that becomes too long is a stream from there on.
    fn room(&mut self, more: u64) -> io::Result<()> {
        if let Body::Whole { bytes, .. } = &self.body
            && wide(bytes.len()).saturating_add(more) > wide(WHOLE)
            && let Body::Whole { out, bytes } = std::mem::replace(&mut self.body, Body::Failed)
        {
            let mut zstd = zstd::stream::write::Encoder::new(out, self.level)?;
            zstd.write_all(&bytes)?;
            self.body = Body::Stream(zstd);
        }
        Ok(())
    }

    fn put(&mut self, more: &[u8]) -> io::Result<()> {
        match &mut self.body {
            Body::Whole { bytes, .. } => {
                bytes.extend_from_slice(more);
                Ok(())
            }
            Body::Stream(zstd) => zstd.write_all(more),
            Body::Failed => Err(failed()),
        }
    }

    pub(crate) fn finish(self, name: &str) -> io::Result<(W, Frame)> {
        let tap = match self.body {
            Body::Whole { mut out, bytes } => {
                out.write_all(&zstd::bulk::compress(&bytes, self.level)?)?;
                out
            }
            Body::Stream(zstd) => zstd.finish()?,
            Body::Failed => return Err(failed()),
        };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deb::Kind;

    #[test]
    fn short_and_long_frames_unpack_to_what_was_written() {
        for len in [0usize, 100, WHOLE - 4096, WHOLE, WHOLE + 1] {
            let content: Vec<u8> = (0..len).map(|n| (n / 7) as u8).collect();
            let size = len as u64;
            let entry = Entry::new("a".parse().unwrap(), Kind::File { size }, 0o644);
            let link = Entry::new("b".parse().unwrap(), Kind::Symlink { target: "a".into() }, 0o777);
            let mut frame = FrameWriter::new(Vec::new(), 3);
            frame.entry(&entry, &mut content.as_slice()).unwrap();
            frame.entry(&link, &mut io::empty()).unwrap();
            frame.raw(&tar::END).unwrap();
            let (packed, frame) = frame.finish("x").unwrap();
            assert_eq!((frame.packed, frame.entries), (packed.len() as u64, 2));
            assert_eq!(<[u8; 32]>::from(Sha256::digest(&packed)), frame.sha256);
            let unpacked = zstd::decode_all(packed.as_slice()).unwrap();
            assert_eq!(unpacked.len() as u64, frame.unpacked);
            let files = tar::read_all("x", unpacked.as_slice()).unwrap();
            assert!(files.values().any(|(_, bytes)| *bytes == content) && files.len() == 2, "{len}");
        }
        let entry = Entry::new("a".parse().unwrap(), Kind::File { size: 9 }, 0o644);
        assert!(FrameWriter::new(Vec::new(), 3).entry(&entry, &mut &b"short"[..]).is_err());
    }
}
