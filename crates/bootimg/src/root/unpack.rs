//! Reading a root image back, every frame compared with the index.
use crate::deb::{DebError, Entry, tar};
use esos_layout::frames::{Frame, Index};
use sha2::{Digest, Sha256};
use std::io::{self, Read};

/// What is wrong with a root image.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnpackError {
    /// The image cannot be read, or ends too early.
    #[error("{origin}: frame {frame}: cannot be read")]
    Read {
        /// The image.
        origin: String,
        /// The frame.
        frame: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The packed bytes of a frame are not those of the index.
    #[error("{origin}: frame {frame} is damaged: its SHA-256 is not that of the index")]
    Hash {
        /// The image.
        origin: String,
        /// The frame.
        frame: String,
    },
    /// A frame unpacks to something else than the index says.
    #[error("{origin}: frame {frame}: {what} is {found}, the index says {expected}")]
    Index {
        /// The image.
        origin: String,
        /// The frame.
        frame: String,
        /// What differs.
        what: &'static str,
        /// What the frame has.
        found: u64,
        /// What the index has.
        expected: u64,
    },
    /// A frame's tar is broken.
    #[error(transparent)]
    Tar(#[from] DebError),
    /// Bytes behind the last frame.
    #[error("{origin}: has bytes behind its last frame")]
    Trailing {
        /// The image.
        origin: String,
    },
}

/// Reads an image from its first byte to its last. A frame's hash is compared before anything of it is
/// handed to `each`; memory is bounded by the largest packed frame.
///
/// # Errors
/// [`UnpackError`], or what `each` returns as [`UnpackError::Read`].
pub fn read_root(
    origin: &str,
    index: &Index,
    input: &mut dyn Read,
    mut each: impl FnMut(&Frame, &Entry, &mut dyn Read) -> io::Result<()>,
) -> Result<(), UnpackError> {
    for frame in &index.frames {
        let read =
            |source| UnpackError::Read { origin: origin.to_owned(), frame: frame.name.clone(), source };
        let mut packed = Vec::new();
        let got = (&mut *input).take(frame.packed).read_to_end(&mut packed).map_err(read)?;
        if u64::try_from(got) != Ok(frame.packed) {
            return Err(read(io::ErrorKind::UnexpectedEof.into()));
        }
        if <[u8; 32]>::from(Sha256::digest(&packed)) != frame.sha256 {
            return Err(UnpackError::Hash { origin: origin.to_owned(), frame: frame.name.clone() });
        }
        let zstd = zstd::stream::read::Decoder::new(packed.as_slice()).map_err(read)?;
        let limit = frame.unpacked.saturating_add(1);
        let mut reader = tar::Reader::new(origin, &frame.name, zstd, u64::MAX, limit).open_ended();
        let mut entries = 0u64;
        while let Some(entry) = reader.next_entry()? {
            entries = entries.saturating_add(1);
            each(frame, &entry, &mut reader).map_err(read)?;
        }
        for (what, found, expected) in
            [("entries", entries, frame.entries), ("unpacked bytes", reader.unpacked(), frame.unpacked)]
        {
            if found != expected {
                let (origin, frame) = (origin.to_owned(), frame.name.clone());
                return Err(UnpackError::Index { origin, frame, what, found, expected });
            }
        }
    }
    let mut more = [0; 1];
    match input.read(&mut more) {
        Ok(0) => Ok(()),
        Ok(_) => Err(UnpackError::Trailing { origin: origin.to_owned() }),
        Err(source) => {
            Err(UnpackError::Read { origin: origin.to_owned(), frame: "<end>".to_owned(), source })
        }
    }
}
