//! The 512 bytes before every entry (POSIX ustar and GNU).
use super::Fault;

pub(crate) const BLOCK: usize = 512;

/// A decoded header; names are still bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) name: Vec<u8>,
    pub(crate) link: Vec<u8>,
    pub(crate) flag: u8,
    pub(crate) mode: u32,
    pub(crate) uid: u64,
    pub(crate) gid: u64,
    pub(crate) size: u64,
    pub(crate) mtime: i64,
    pub(crate) major: u64,
    pub(crate) minor: u64,
}

impl Header {
    /// `None` for a block of zeros.
    pub(crate) fn decode(block: &[u8; BLOCK]) -> Result<Option<Self>, Fault> {
        if block.iter().all(|b| *b == 0) {
            return Ok(None);
        }
        let at = |from: usize, len: usize| block.get(from..from.saturating_add(len)).unwrap_or(&[]);
        let stored = number(at(148, 8)).ok_or(Fault::Checksum)?;
        let sum = |signed: bool| {
            block.iter().enumerate().fold(0i64, |sum, (i, b)| {
                let byte = if (148..156).contains(&i) { b' ' } else { *b };
                sum.saturating_add(if signed {
                    i64::from(i8::from_ne_bytes([byte]))
                } else {
                    i64::from(byte)
                })
            })
        };
        // Old tars summed signed bytes; POSIX has readers take both.
        if stored != sum(false) && stored != sum(true) {
            return Err(Fault::Checksum);
        }
        let unsigned = |from, len, field| {
            number(at(from, len)).and_then(|n| u64::try_from(n).ok()).ok_or(Fault::Number { field })
        };
        let posix = at(257, 6) == b"ustar\0";
        let gnu = at(257, 8) == b"ustar  \0";
        let mut name = text(at(0, 100)).to_vec();
        let prefix = text(at(345, 155));
        if posix && !prefix.is_empty() {
            name = [prefix, b"/", &name].concat();
        }
        let devices = posix || gnu;
        Ok(Some(Self {
            name,
            link: text(at(157, 100)).to_vec(),
            flag: block.get(156).copied().unwrap_or(0),
            mode: u32::try_from(unsigned(100, 8, "mode")? & 0o7777).unwrap_or(0),
            uid: unsigned(108, 8, "uid")?,
            gid: unsigned(116, 8, "gid")?,
            size: unsigned(124, 12, "size")?,
            mtime: number(at(136, 12)).ok_or(Fault::Number { field: "mtime" })?,
            major: if devices { unsigned(329, 8, "devmajor")? } else { 0 },
            minor: if devices { unsigned(337, 8, "devminor")? } else { 0 },
        }))
    }
}

/// Up to the first NUL.
fn text(field: &[u8]) -> &[u8] {
    field.split(|b| *b == 0).next().unwrap_or(&[])
}

/// Octal digits between spaces or NULs, or base 256 when the top bit is set. Empty is 0.
fn number(field: &[u8]) -> Option<i64> {
    let first = *field.first()?;
    if first & 0x80 != 0 {
        let start = if first & 0x40 != 0 { -1i64 } else { 0 };
        let head = i64::from(first & 0x3f) | if start < 0 { !0x3f } else { 0 };
        return field.iter().skip(1).try_fold(head, |n, b| n.checked_mul(256)?.checked_add(i64::from(*b)));
    }
    let field = field.trim_ascii_start();
    let digits = field.iter().take_while(|b| (b'0'..=b'7').contains(b)).count();
    let (octal, rest) = field.split_at_checked(digits)?;
    if rest.iter().any(|b| *b != 0 && *b != b' ') {
        return None;
    }
    octal.iter().try_fold(0i64, |n, b| n.checked_mul(8)?.checked_add(i64::from(b.saturating_sub(b'0'))))
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers() {
        assert_eq!(number(b"0000644\0"), Some(0o644));
        assert_eq!(number(b"   755 \0"), Some(0o755));
        assert_eq!(number(b"\0\0\0\0"), Some(0));
        assert_eq!(number(b"\x80\0\0\0\0\0\0\x02\0\0\0\0"), Some(0x2_0000_0000));
        assert_eq!(number(b"\xff\xff\xff\xff"), Some(-1));
        assert_eq!(number(b"12x4"), None);
        assert_eq!(number(b"\xbf\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), None);
    }
}
