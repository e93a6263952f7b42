//! The writing itself.
use super::esp;
use super::marks::find_lie;
use super::pieces::{PIECE, Pieces};
use super::plan::{MIB, WritePlan};
use crate::disk::bytes::{read_at, wide, write_at};
use crate::disk::ext4::{Ext4Image, WriteExt4Error};
use crate::disk::fat::{ReadFatError, WriteFatError};
use crate::disk::{Medium, Region, Seed};
use crate::tool::Tool;
use esos_layout::part;
use std::io::{self, Read, Seek, Write};

/// How far writing is; each ends at [`WritePlan::bytes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteProgress {
    /// Bytes written.
    Written(u64),
    /// Bytes read back and compared.
    ReadBack(u64),
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Written {
    /// Bytes that were written, zeros among them.
    pub written_bytes: u64,
    /// Bytes that were read back and compared: all of them.
    pub read_back_bytes: u64,
}

/// Why a medium was not written. It does not boot: its beginning is blank.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The medium fails.
    #[error("cannot {doing} the medium")]
    Medium {
        /// `write`, `flush` or `read back`.
        doing: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The medium is smaller than it says, or forgets what is written.
    #[error("the medium lies: what is written at byte {at} of {says} {}", match holds { Some(other) => format!("lands at byte {other}"), None => "is lost".to_owned() })]
    Lies {
        /// The first place that does not hold what was written.
        at: u64,
        /// The place whose content is there instead.
        holds: Option<u64>,
        /// Bytes that the medium says it has.
        says: u64,
    },
    /// The image cannot be read.
    #[error("cannot read the image at byte {at}")]
    Image {
        /// Where.
        at: u64,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The image's boot partition cannot be read.
    #[error("the image's {}", part::BOOT)]
    BootSource(#[from] ReadFatError),
    /// The boot partition cannot be made.
    #[error("{}", part::BOOT)]
    Boot(#[from] WriteFatError),
    /// A file system cannot be made.
    #[error("{name}")]
    Ext4 {
        /// The partition.
        name: &'static str,
        /// Why.
        #[source]
        source: WriteExt4Error,
    },
    /// What was read back is not what was written.
    #[error(
        "the medium does not keep what is written: {pieces} of {of} pieces of 64 KiB read back different, the first at byte {first}"
    )]
    ReadBack {
        /// The first byte of the first such piece.
        first: u64,
        /// How many there are.
        pieces: u64,
        /// Of how many.
        of: u64,
    },
}

impl WritePlan {
    /// Writes the image. `nonce` makes the marks of this run unlike those of any other; `time` (seconds
    /// since 1970) is that of file systems that are made anew.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn apply<R: Read + Seek>(
        &self,
        image: &mut R,
        medium: &dyn Medium,
        tools: &[Tool],
        nonce: &[u8],
        time: u32,
        progress: &mut dyn FnMut(WriteProgress),
    ) -> Result<Written, WriteError> {
        let failed = |doing| move |source| WriteError::Medium { doing, source };
        if !self.facts.fresh
            && let Some(lie) = find_lie(medium, nonce).map_err(failed("write"))?
        {
            return Err(WriteError::Lies { at: lie.at, holds: lie.holds, says: medium.len() });
        }
        let progress = std::cell::RefCell::new(progress);
        let mut tell = |bytes| (progress.borrow_mut())(WriteProgress::Written(bytes));
        let mut body = Pieces::new(medium, self.facts.fresh, &mut tell);
        // Neither an old table nor an old file system is found there, whatever happens.
        let (tail, len) = self.tail();
        body.zero(0, MIB).and_then(|()| body.zero(tail, len)).map_err(failed("write"))?;
        body.end().and_then(|()| medium.flush()).map_err(failed("write"))?;

        for name in self.copied() {
            self.copy(image, &mut body, name)?;
        }
        if let Some((at, len)) = self.blanked() {
            body.zero(at, len).map_err(failed("write"))?;
        }
        if tools.is_empty() && !self.source.is_iso() && self.source.sector == self.target.sector {
            self.copy(image, &mut body, part::BOOT)?;
        } else {
            self.boot(image, &mut body, tools, time)?;
        }
        for name in self.emptied() {
            self.empty(&mut body, name, time)?;
        }
        body.end().map_err(failed("write"))?;
        medium.flush().map_err(failed("flush"))?;
        let mut read = |bytes| (progress.borrow_mut())(WriteProgress::ReadBack(bytes));
        // The blank ends are written over next; what counts is that they were blank until now.
        compare(&body, &mut read)?;
        let body_bytes = body.bytes();

        let code = read_at(image, 0, 440).map_err(|source| WriteError::Image { at: 0, source })?;
        let mut silent = |_| {};
        let mut front = Pieces::new(medium, false, &mut silent);
        self.target.write(&mut front, &code).map_err(failed("write"))?;
        front.end().and_then(|()| medium.flush()).map_err(failed("flush"))?;
        compare(&front, &mut |_| {})?;
        let bytes = body_bytes.saturating_add(front.bytes());
        Ok(Written { written_bytes: bytes, read_back_bytes: bytes })
    }

    pub(super) fn places(&self, name: &'static str) -> Option<((u64, u64), (u64, u64))> {
        let (_, from) = self.source.find(name)?;
        let (_, to) = self.target.find(name)?;
        Some((self.source.extent(from), self.target.extent(to)))
    }

    /// A partition as it is, zeros included.
    fn copy<R: Read + Seek>(
        &self,
        image: &mut R,
        body: &mut Pieces<'_>,
        name: &'static str,
    ) -> Result<(), WriteError> {
        let Some(((from, len), (to, _))) = self.places(name) else { return Ok(()) };
        let mut at = 0;
        while at < len {
            let n = usize::try_from(len.saturating_sub(at)).unwrap_or(PIECE).min(PIECE);
            let place = from.saturating_add(at);
            let bytes = read_at(image, place, n).map_err(|source| WriteError::Image { at: place, source })?;
            write_at(body, to.saturating_add(at), &bytes)
                .map_err(|source| WriteError::Medium { doing: "write", source })?;
            at = at.saturating_add(wide(n));
        }
        Ok(())
    }

    fn boot<R: Read + Seek>(
        &self,
        image: &mut R,
        body: &mut Pieces<'_>,
        tools: &[Tool],
        time: u32,
    ) -> Result<(), WriteError> {
        let Some(((from, from_len), (to, len))) = self.places(part::BOOT) else { return Ok(()) };
        let esp = Region::new(image, from, from_len);
        let hidden = to / self.target.sector.bytes();
        let fat = esp::image(esp, self.target.sector, len, hidden, tools, time)?;
        body.zero(to, len).map_err(|source| WriteError::Medium { doing: "write", source })?;
        fat.write(&mut Region::new(&mut *body, to, len))?;
        Ok(())
    }

    /// An empty file system; its beginning and its end are blanked first, for whatever lay there.
    pub(super) fn empty(
        &self,
        body: &mut Pieces<'_>,
        name: &'static str,
        time: u32,
    ) -> Result<(), WriteError> {
        let Some((_, partition)) = self.target.find(name) else { return Ok(()) };
        let (start, len) = self.target.extent(partition);
        let seed = Seed::from_text(&format!("{:?}", self.source.disk));
        let ext4 = Ext4Image {
            label: name.to_owned(),
            uuid: seed.guid(&format!("{name} file system")).0,
            hash_seed: seed.guid(&format!("{name} hash")).0,
            len,
            time,
        };
        let ext4_error = |source| WriteError::Ext4 { name, source };
        let zero = |body: &mut Pieces<'_>, (at, len): (u64, u64)| {
            body.zero(start.saturating_add(at), len)
                .map_err(|source| WriteError::Medium { doing: "write", source })
        };
        zero(body, (0, MIB))?;
        zero(body, (len.saturating_sub(MIB), MIB))?;
        for range in ext4.must_be_zero() {
            zero(body, range)?;
        }
        ext4.write_lazily(&mut Region::new(&mut *body, start, len)).map_err(ext4_error)?;
        body.flush().map_err(|source| WriteError::Medium { doing: "write", source })
    }
}

fn compare(pieces: &Pieces<'_>, progress: &mut dyn FnMut(u64)) -> Result<(), WriteError> {
    let found = pieces.compare(progress);
    match found.map_err(|source| WriteError::Medium { doing: "read back", source })? {
        None => Ok(()),
        Some(d) => Err(WriteError::ReadBack { first: d.first, pieces: d.pieces, of: d.of }),
    }
}
