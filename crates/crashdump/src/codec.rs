//! How the pages of a dump are packed.
use crate::core::PAGE;
use std::fmt;
use std::io;
use std::str::FromStr;
use zstd::zstd_safe::CParameter;

/// A compression of the kdump-compressed format. Each page is packed by itself, and stays as it is where
/// packing does not make it smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// zstd, level 1.
    Zstd,
    /// zlib, level 1: read by every version of makedumpfile and crash.
    Zlib,
    /// LZO1X: read by every version of makedumpfile and crash, fast.
    Lzo,
    /// Raw snappy.
    Snappy,
    /// Pages as they are.
    None,
}

/// A compression that this program does not write.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("compression {0:?}: expected zstd, lzo, snappy, zlib or none")]
pub struct CodecError(String);

impl Codec {
    /// The bit of the format, in the header and in each page's descriptor.
    #[must_use]
    pub fn flag(self) -> u32 {
        match self {
            Self::None => 0,
            Self::Zlib => 1,
            Self::Lzo => 2,
            Self::Snappy => 4,
            Self::Zstd => 0x20,
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Zstd => "zstd",
            Self::Zlib => "zlib",
            Self::Lzo => "lzo",
            Self::Snappy => "snappy",
            Self::None => "none",
        })
    }
}

impl FromStr for Codec {
    type Err = CodecError;

    fn from_str(text: &str) -> Result<Self, CodecError> {
        match text {
            "zstd" => Ok(Self::Zstd),
            "zlib" => Ok(Self::Zlib),
            "lzo" => Ok(Self::Lzo),
            "snappy" => Ok(Self::Snappy),
            "none" => Ok(Self::None),
            _ => Err(CodecError(text.to_owned())),
        }
    }
}

/// A page that packs to less than this, in bytes, is left without Huffman codes. They would cost half as much time again
/// and save a seventh of it; all such pages together make a dump one or two parts in a hundred larger.
const SPARSE: usize = 1024;

/// zstd at level 1. Most pages of a kernel are sparse and pack well by their repetitions alone; where those do
/// not do, the page is packed again with Huffman codes. Pages are like their neighbours, so the page before says which way
/// is tried first.
struct Zstd {
    plain: zstd::bulk::Compressor<'static>,
    whole: zstd::bulk::Compressor<'static>,
    sparse: bool,
}

impl Zstd {
    fn new() -> io::Result<Self> {
        let mut plain = zstd::bulk::Compressor::new(1)?;
        // With a target length the fast strategy stores literals as they are. Longer least matches then pack better, and
        // no slower: a page of a kernel repeats whole words.
        plain.set_parameter(CParameter::TargetLength(1))?;
        plain.set_parameter(CParameter::MinMatch(6))?;
        Ok(Self { plain, whole: zstd::bulk::Compressor::new(1)?, sparse: true })
    }

    fn pack(&mut self, page: &[u8], buffer: &mut Vec<u8>) -> io::Result<()> {
        if self.sparse {
            self.plain.compress_to_buffer(page, buffer)?;
            if buffer.len() <= SPARSE {
                return Ok(());
            }
            buffer.clear();
        }
        self.whole.compress_to_buffer(page, buffer)?;
        self.sparse = buffer.len() < SPARSE / 8 * 7;
        Ok(())
    }
}

enum State {
    Zstd(Box<Zstd>),
    Zlib(flate2::Compress),
    Lzo(Box<lzokay::compress::Dict>),
    Snappy(Box<snap::raw::Encoder>),
    None,
}

/// Packs pages, one after the other, with one state for all.
pub(crate) struct Packer {
    codec: Codec,
    state: State,
    buffer: Vec<u8>,
}

impl Packer {
    pub(crate) fn new(codec: Codec) -> io::Result<Self> {
        let state = match codec {
            Codec::Zstd => State::Zstd(Box::new(Zstd::new()?)),
            Codec::Zlib => State::Zlib(flate2::Compress::new(flate2::Compression::fast(), true)),
            Codec::Lzo => State::Lzo(lzokay::compress::Dict::new()),
            Codec::Snappy => State::Snappy(Box::new(snap::raw::Encoder::new())),
            Codec::None => State::None,
        };
        Ok(Self { codec, state, buffer: Vec::with_capacity(2 * PAGE as usize) })
    }

    /// Forgets the pages before, so that what comes next does not depend on them.
    pub(crate) fn forget(&mut self) {
        if let State::Zstd(zstd) = &mut self.state {
            zstd.sparse = true;
        }
    }

    /// Appends the page to `out`; the answer is the flag for its descriptor.
    pub(crate) fn pack(&mut self, page: &[u8], out: &mut Vec<u8>) -> io::Result<u32> {
        self.buffer.clear();
        match &mut self.state {
            State::Zstd(zstd) => zstd.pack(page, &mut self.buffer)?,
            State::Zlib(zlib) => {
                zlib.reset();
                zlib.compress_vec(page, &mut self.buffer, flate2::FlushCompress::Finish)?;
            }
            State::Lzo(dict) => {
                self.buffer.resize(lzokay::compress::compress_worst_size(page.len()), 0);
                let n = lzokay::compress::compress_no_alloc(page, &mut self.buffer, dict)
                    .map_err(|e| io::Error::other(format!("lzo: {e:?}")))?;
                self.buffer.truncate(n);
            }
            State::Snappy(snappy) => {
                self.buffer.resize(snap::raw::max_compress_len(page.len()), 0);
                let n = snappy.compress(page, &mut self.buffer).map_err(io::Error::other)?;
                self.buffer.truncate(n);
            }
            State::None => {}
        }
        if self.buffer.is_empty() || self.buffer.len() >= page.len() {
            out.extend_from_slice(page);
            return Ok(0);
        }
        out.extend_from_slice(&self.buffer);
        Ok(self.codec.flag())
    }
}

/// Unpacks one page; `Err` says what is wrong.
pub(crate) fn unpack(flags: u32, packed: &[u8], page: &mut [u8]) -> Result<(), String> {
    let wanted = page.len();
    let found = match flags {
        0 => {
            let n = packed.len().min(wanted);
            page.iter_mut().zip(packed).for_each(|(to, from)| *to = *from);
            if packed.len() > wanted { packed.len() } else { n }
        }
        1 => {
            let mut zlib = flate2::Decompress::new(true);
            zlib.decompress(packed, page, flate2::FlushDecompress::Finish).map_err(|e| e.to_string())?;
            zlib.total_out() as usize
        }
        4 => {
            let len = snap::raw::decompress_len(packed).map_err(|e| e.to_string())?;
            if len > wanted {
                len
            } else {
                snap::raw::Decoder::new().decompress(packed, page).map_err(|e| e.to_string())?
            }
        }
        0x20 => zstd::bulk::decompress_to_buffer(packed, page).map_err(|e| e.to_string())?,
        2 => lzokay::decompress::decompress(packed, page).map_err(|e| format!("lzo: {e:?}"))?,
        other => {
            return Err(format!(
                "flags {other:#x}, expected 0, 1 (zlib), 2 (lzo), 4 (snappy) or 0x20 (zstd)"
            ));
        }
    };
    if found == wanted { Ok(()) } else { Err(format!("{found} bytes, expected {wanted}")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_packed_unpacks(seed in any::<u8>(), noise in prop::collection::vec(any::<u8>(), 0..4096)) {
            let mut page = vec![seed; 4096];
            page.iter_mut().zip(&noise).for_each(|(to, from)| *to = *from);
            for codec in [Codec::Zstd, Codec::Zlib, Codec::Lzo, Codec::Snappy, Codec::None] {
                let mut packer = Packer::new(codec).unwrap();
                let (mut packed, mut back) = (Vec::new(), vec![1; 4096]);
                let first = packer.pack(&page, &mut packed).unwrap();
                let len = packed.len();
                prop_assert!(len <= 4096);
                // The state serves page after page.
                prop_assert_eq!(packer.pack(&page, &mut packed).unwrap(), first);
                prop_assert_eq!(&packed[..len], &packed[len..]);
                unpack(first, &packed[len..], &mut back).unwrap();
                prop_assert_eq!(&back, &page);
                prop_assert_eq!(codec.to_string().parse(), Ok(codec));
            }
        }

        #[test]
        fn damaged_pages_are_errors(flags in prop::sample::select(vec![0_u32, 1, 4, 0x20, 2, 9]),
                                    packed in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(unpack(flags, &packed, &mut [0; 4096]).is_err());
        }
    }
}
