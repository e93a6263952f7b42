//! The `ar` around a package (`deb(5)`: the common format, no long names).
use super::Fault;
use std::io::{self, Read};

const MAGIC: &[u8; 8] = b"!<arch>\n";

/// Reads member after member; as a [`Read`] it gives the bytes of the current one.
#[derive(Debug)]
pub(crate) struct Ar<R> {
    inner: R,
    left: u64,
    odd: bool,
}

/// The head of one member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) size: u64,
}

impl<R: Read> Ar<R> {
    pub(crate) fn open(mut inner: R) -> Result<Self, Fault> {
        let mut magic = [0; 8];
        inner.read_exact(&mut magic).map_err(Fault::io)?;
        if &magic != MAGIC {
            return Err(Fault::NotADeb("it does not begin with `!<arch>`"));
        }
        Ok(Self { inner, left: 0, odd: false })
    }

    /// Skips what is left of the current member and reads the next head; `None` at the end of the file.
    pub(crate) fn next_member(&mut self) -> Result<Option<Member>, Fault> {
        let skipped = io::copy(&mut (&mut *self), &mut io::sink());
        skipped.map_err(Fault::io)?;
        if self.odd {
            self.odd = false;
            let mut pad = [0; 1];
            // The padding of the last member may be missing; GNU ar takes that too.
            if self.inner.read(&mut pad).map_err(Fault::io)? == 0 {
                return Ok(None);
            }
        }
        let mut head = [0u8; 60];
        let mut got = 0;
        while let Some(rest) = head.get_mut(got..).filter(|r| !r.is_empty()) {
            match self.inner.read(rest) {
                Ok(0) if got == 0 => return Ok(None),
                Ok(0) => return Err(Fault::Truncated),
                Ok(n) => got = got.saturating_add(n),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(Fault::io(e)),
            }
        }
        let text = |range: std::ops::Range<usize>| {
            head.get(range).and_then(|b| std::str::from_utf8(b).ok()).map(|t| t.trim_end_matches(' '))
        };
        if head.get(58..) != Some(b"`\n") {
            return Err(Fault::NotADeb("a member's head does not end as it must"));
        }
        let name = text(0..16).ok_or(Fault::NotADeb("a member's name is not ASCII"))?;
        let name = name.strip_suffix('/').unwrap_or(name).to_owned();
        let size = text(48..58).filter(|t| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit()));
        let size: u64 = size.and_then(|t| t.parse().ok()).ok_or(Fault::Number { field: "ar size" })?;
        self.left = size;
        self.odd = size % 2 == 1;
        Ok(Some(Member { name, size }))
    }

    /// The reader below.
    pub(crate) fn into_inner(self) -> R {
        self.inner
    }
}

impl<R: Read> Read for Ar<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let want = usize::try_from(self.left).unwrap_or(usize::MAX).min(buf.len());
        let Some(part) = buf.get_mut(..want).filter(|p| !p.is_empty()) else { return Ok(0) };
        let got = self.inner.read(part)?;
        if got == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left = self.left.saturating_sub(u64::try_from(got).unwrap_or(u64::MAX));
        Ok(got)
    }
}
