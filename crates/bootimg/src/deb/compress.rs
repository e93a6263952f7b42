//! The compressions of `deb(5)`.
use super::Fault;
use std::io::{self, BufReader, Read};

/// A decoder for one member, chosen by the end of its name.
pub(crate) enum Decoder<R: Read> {
    Plain(R),
    Xz(Box<liblzma::read::XzDecoder<R>>),
    Zstd(Box<zstd::stream::read::Decoder<'static, BufReader<R>>>),
    Gzip(Box<flate2::read::GzDecoder<R>>),
}

impl<R: Read> Decoder<R> {
    /// `suffix` is what follows `.tar`; `memory` bounds the decoder's window in bytes. Without `checks` an xz stream's own
    /// checksums are passed over.
    pub(crate) fn new(suffix: &str, reader: R, memory: u64, checks: bool) -> Result<Self, Fault> {
        match suffix {
            "" => Ok(Self::Plain(reader)),
            ".xz" => {
                let ignored = if checks { 0 } else { liblzma::stream::IGNORE_CHECK };
                let flags = liblzma::stream::CONCATENATED | ignored;
                let stream = liblzma::stream::Stream::new_stream_decoder(memory, flags)
                    .map_err(|e| Fault::Damaged(e.into()))?;
                Ok(Self::Xz(Box::new(liblzma::read::XzDecoder::new_stream(reader, stream))))
            }
            ".zst" => {
                let mut decoder = zstd::stream::read::Decoder::new(reader).map_err(Fault::io)?;
                decoder.window_log_max(memory.max(1024).ilog2()).map_err(Fault::io)?;
                Ok(Self::Zstd(Box::new(decoder)))
            }
            ".gz" => Ok(Self::Gzip(Box::new(flate2::read::GzDecoder::new(reader)))),
            other => Err(Fault::Compression(other.trim_start_matches('.').to_owned())),
        }
    }

    /// The reader below; what the decoder has read ahead is lost.
    pub(crate) fn into_inner(self) -> R {
        match self {
            Self::Plain(r) => r,
            Self::Xz(d) => d.into_inner(),
            Self::Zstd(d) => d.finish().into_inner(),
            Self::Gzip(d) => d.into_inner(),
        }
    }
}

impl<R: Read> Read for Decoder<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(r) => r.read(buf),
            Self::Xz(d) => d.read(buf),
            Self::Zstd(d) => d.read(buf),
            Self::Gzip(d) => d.read(buf),
        }
    }
}

impl<R: Read> std::fmt::Debug for Decoder<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Plain(_) => "Decoder::Plain",
            Self::Xz(_) => "Decoder::Xz",
            Self::Zstd(_) => "Decoder::Zstd",
            Self::Gzip(_) => "Decoder::Gzip",
        })
    }
}
