//! Reading a tar, as POSIX pax and the image assembler write it.
//!
//! Nothing here trusts the archive: sizes are checked before anything is allocated, paths never leave
//! the root, and a kind of entry that is not known is an error, not a file.
use std::io::{self, BufRead, Read};

const BLOCK: usize = 512;
/// More than any real extended header; xattrs and long paths fit many times.
const MOST_PAX: u64 = 1 << 20;

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its path below the root, without `/` at either end; empty for the root itself.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: EntryKind,
    /// Permission bits, `0o7777`.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Modification time: seconds since 1970 and nanoseconds.
    pub mtime: (i64, u32),
    /// Bytes of data; only of a file.
    pub size: u64,
    /// Extended attributes, with their whole names (`security.capability`).
    pub xattrs: Vec<(String, Vec<u8>)>,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// Another name of a file; its path below the root.
    Hard(Vec<u8>),
    /// A symbolic link; what it says, as it says it.
    Symlink(Vec<u8>),
    /// A directory.
    Dir,
    /// A character device with major and minor number.
    Char(u32, u32),
    /// A block device.
    Block(u32, u32),
    /// A named pipe.
    Fifo,
}

/// Why an archive cannot be read on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TarError {
    /// It ends inside an entry.
    #[error("the archive ends inside {0}")]
    Short(&'static str),
    /// A header does not add up.
    #[error("header checksum of entry {entry}")]
    Checksum {
        /// Which entry, from 1.
        entry: u64,
    },
    /// A field has a value that it cannot have.
    #[error("{field} of entry {entry}")]
    Field {
        /// Which field.
        field: &'static str,
        /// Which entry, from 1.
        entry: u64,
    },
    /// A path that would leave the root.
    #[error("path `{path}` leads out of the root")]
    Path {
        /// The path.
        path: String,
    },
    /// A kind of entry that the assembler does not write.
    #[error("entry of kind `{kind}`")]
    Kind {
        /// Its type flag.
        kind: char,
    },
    /// The reader below failed.
    #[error("cannot read the archive")]
    Read(#[source] io::Error),
}

/// Reads entry after entry; [`TarReader::next_entry`] skips what was not read of the data.
#[derive(Debug)]
pub struct TarReader<R> {
    inner: R,
    data: u64,
    padding: u64,
    entries: u64,
}

impl<R: BufRead> TarReader<R> {
    /// Starts reading.
    pub fn new(inner: R) -> Self {
        Self { inner, data: 0, padding: 0, entries: 0 }
    }

    /// Entries read so far.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// The reader below.
    pub fn into_inner(self) -> R {
        self.inner
    }

    /// The next entry; its data is then read from `self`. `None` at the end of the input or at a zero
    /// block, behind which only zeros may follow.
    ///
    /// # Errors
    /// [`TarError`]; the reader is of no use afterwards.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, TarError> {
        let mut pax = Pax::default();
        let mut extended = false;
        loop {
            self.skip()?;
            let mut header = [0; BLOCK];
            match self.fill(&mut header)? {
                0 if !extended => return Ok(None),
                BLOCK => {}
                _ => return Err(TarError::Short("a header")),
            }
            if header.iter().all(|b| *b == 0) {
                return if extended { Err(TarError::Short("an extended header")) } else { self.zeros() };
            }
            let entry = self.entries.saturating_add(1);
            if !sums(&header) {
                return Err(TarError::Checksum { entry });
            }
            let size = number(header.get(124..136)).ok_or(TarError::Field { field: "size", entry })?;
            if flag(&header) == b'x' {
                if size > MOST_PAX || extended {
                    return Err(TarError::Field { field: "extended header", entry });
                }
                self.expect(size)?;
                let mut text = vec![0; usize::try_from(size).unwrap_or(0)];
                if self.read_data(&mut text)? != text.len() {
                    return Err(TarError::Short("an extended header"));
                }
                pax = Pax::parse(&text).ok_or(TarError::Field { field: "extended header", entry })?;
                extended = true;
                continue;
            }
            self.entries = entry;
            let read = self.entry(&header, size, pax)?;
            self.expect(read.size)?;
            return Ok(Some(read));
        }
    }

    fn entry(&self, header: &[u8; BLOCK], size: u64, pax: Pax) -> Result<Entry, TarError> {
        let bad = |field| TarError::Field { field, entry: self.entries };
        let field = |range, name| number(header.get(range)).ok_or(bad(name));
        let id = |range, name| u32::try_from(field(range, name)?).map_err(|_too_large| bad(name));
        let path = pax.path.unwrap_or_else(|| plain_path(header));
        let path = inside(&path)?;
        let link = pax.link.unwrap_or_else(|| text(header.get(157..257)).to_vec());
        let device = || Ok((id(329..337, "device")?, id(337..345, "device")?));
        let kind = match flag(header) {
            b'0' | 0 => EntryKind::File,
            b'1' => EntryKind::Hard(inside(&link)?),
            b'2' if link.is_empty() || link.contains(&0) => return Err(bad("link target")),
            b'2' => EntryKind::Symlink(link),
            b'3' => device().map(|(major, minor)| EntryKind::Char(major, minor))?,
            b'4' => device().map(|(major, minor)| EntryKind::Block(major, minor))?,
            b'5' => EntryKind::Dir,
            b'6' => EntryKind::Fifo,
            other => return Err(TarError::Kind { kind: char::from(other) }),
        };
        if path.is_empty() && kind != EntryKind::Dir {
            return Err(bad("path"));
        }
        let size = pax.size.unwrap_or(size);
        if size != 0 && kind != EntryKind::File {
            return Err(bad("size"));
        }
        let mtime = match pax.mtime {
            Some(mtime) => mtime,
            None => (i64::try_from(field(136..148, "time")?).map_err(|_too_large| bad("time"))?, 0),
        };
        Ok(Entry {
            path,
            kind,
            mode: id(100..108, "mode")? & 0o7777,
            uid: pax.uid.map_or_else(|| id(108..116, "owner"), Ok)?,
            gid: pax.gid.map_or_else(|| id(116..124, "group"), Ok)?,
            mtime,
            size,
            xattrs: pax.xattrs,
        })
    }

    fn expect(&mut self, size: u64) -> Result<(), TarError> {
        let blocks = size.checked_next_multiple_of(512);
        let blocks = blocks.ok_or(TarError::Field { field: "size", entry: self.entries })?;
        (self.data, self.padding) = (size, blocks.saturating_sub(size));
        Ok(())
    }

    fn skip(&mut self) -> Result<(), TarError> {
        let left = self.data.saturating_add(self.padding);
        (self.data, self.padding) = (0, 0);
        let skipped = io::copy(&mut (&mut self.inner).take(left), &mut io::sink()).map_err(TarError::Read)?;
        if skipped == left { Ok(()) } else { Err(TarError::Short("the data of an entry")) }
    }

    fn zeros(&mut self) -> Result<Option<Entry>, TarError> {
        let mut block = [0; BLOCK];
        loop {
            let filled = self.fill(&mut block)?;
            if block.get(..filled).unwrap_or_default().iter().any(|b| *b != 0) {
                return Err(TarError::Field { field: "end of archive", entry: self.entries });
            }
            if filled < BLOCK {
                return Ok(None);
            }
        }
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, TarError> {
        fill(&mut self.inner, buffer).map_err(TarError::Read)
    }

    fn read_data(&mut self, buffer: &mut [u8]) -> Result<usize, TarError> {
        fill(self, buffer).map_err(TarError::Read)
    }
}

impl<R: BufRead> Read for TarReader<R> {
    /// The data of the entry that was read last.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let part = self.fill_buf()?;
        let most = part.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..most), part.get(..most)) {
            to.copy_from_slice(from);
        }
        self.consume(most);
        Ok(most)
    }
}

impl<R: BufRead> BufRead for TarReader<R> {
    /// What of the data of the entry that was read last lies in memory; nothing at its end.
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.data == 0 {
            return Ok(&[]);
        }
        let part = self.inner.fill_buf()?;
        if part.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the archive ends inside the data of an entry",
            ));
        }
        let most = usize::try_from(self.data).unwrap_or(usize::MAX).min(part.len());
        Ok(part.get(..most).unwrap_or_default())
    }

    fn consume(&mut self, bytes: usize) {
        self.inner.consume(bytes);
        self.data = self.data.saturating_sub(u64::try_from(bytes).unwrap_or(u64::MAX));
    }
}

/// Reads until the buffer is full or the input ends.
fn fill(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0usize;
    while let Some(rest) = buffer.get_mut(filled..).filter(|r| !r.is_empty()) {
        match from.read(rest) {
            Ok(0) => break,
            Ok(n) => filled = filled.saturating_add(n),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}

fn flag(header: &[u8; BLOCK]) -> u8 {
    header.get(156).copied().unwrap_or(0)
}

/// The checksum counts its own eight bytes as blanks.
fn sums(header: &[u8; BLOCK]) -> bool {
    let own = 148..156;
    let bytes = header.iter().enumerate().map(|(i, b)| if own.contains(&i) { 32 } else { u64::from(*b) });
    number(header.get(own.clone())) == Some(bytes.sum())
}

/// An octal number, or GNU's base 256 for what has no room otherwise.
fn number(field: Option<&[u8]>) -> Option<u64> {
    let field = field?;
    match field.split_first() {
        Some((0x80, rest)) => {
            rest.iter().try_fold(0u64, |n, b| n.checked_mul(256)?.checked_add(u64::from(*b)))
        }
        _ => {
            let digits = text(Some(field)).trim_ascii();
            digits.iter().try_fold(0u64, |n, b| {
                let digit = (b'0'..=b'7').contains(b).then(|| u64::from(b.saturating_sub(b'0')))?;
                n.checked_mul(8)?.checked_add(digit)
            })
        }
    }
}

/// What stands before the first NUL.
fn text(field: Option<&[u8]>) -> &[u8] {
    field.and_then(|f| f.split(|b| *b == 0).next()).unwrap_or_default()
}

fn plain_path(header: &[u8; BLOCK]) -> Vec<u8> {
    let name = text(header.get(..100));
    // Only ustar has a prefix; old GNU headers keep times there.
    let is_ustar = header.get(257..263) == Some(b"ustar\0");
    match text(header.get(345..500)) {
        prefix if is_ustar && !prefix.is_empty() => [prefix, b"/", name].concat(),
        _ => name.to_vec(),
    }
}

/// The path without `./` and slashes at its ends; an error for one that is absolute, or climbs.
fn inside(path: &[u8]) -> Result<Vec<u8>, TarError> {
    let refuse = || TarError::Path { path: String::from_utf8_lossy(path).into_owned() };
    if path.first() == Some(&b'/') || path.contains(&0) {
        return Err(refuse());
    }
    let mut clean = Vec::with_capacity(path.len());
    for part in path.split(|b| *b == b'/') {
        match part {
            b"" | b"." => {}
            b".." => return Err(refuse()),
            name => {
                if !clean.is_empty() {
                    clean.push(b'/');
                }
                clean.extend_from_slice(name);
            }
        }
    }
    Ok(clean)
}

#[derive(Debug, Default)]
struct Pax {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    uid: Option<u32>,
    gid: Option<u32>,
    mtime: Option<(i64, u32)>,
    xattrs: Vec<(String, Vec<u8>)>,
}

impl Pax {
    /// Records are `<length> <key>=<value>\n`, the length counting itself.
    fn parse(mut bytes: &[u8]) -> Option<Self> {
        let mut pax = Self::default();
        while !bytes.is_empty() {
            let blank = bytes.iter().position(|b| *b == b' ')?;
            let length: usize = std::str::from_utf8(bytes.get(..blank)?).ok()?.parse().ok()?;
            let record = bytes.get(blank.checked_add(1)?..length)?.strip_suffix(b"\n")?;
            bytes = bytes.get(length..)?;
            let equals = record.iter().position(|b| *b == b'=')?;
            let key = std::str::from_utf8(record.get(..equals)?).ok()?;
            let value = record.get(equals.checked_add(1)?..)?;
            let word = || std::str::from_utf8(value).ok();
            match key {
                "path" => pax.path = Some(value.to_vec()),
                "linkpath" => pax.link = Some(value.to_vec()),
                "size" => pax.size = Some(word()?.parse().ok()?),
                "uid" => pax.uid = Some(word()?.parse().ok()?),
                "gid" => pax.gid = Some(word()?.parse().ok()?),
                "mtime" => pax.mtime = Some(time(word()?)?),
                _ => {
                    if let Some(name) = key.strip_prefix("SCHILY.xattr.") {
                        pax.xattrs.push((name.to_owned(), value.to_vec()));
                    }
                }
            }
        }
        Some(pax)
    }
}

/// `1700000000.25`
fn time(text: &str) -> Option<(i64, u32)> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = fraction.bytes().all(|b| b.is_ascii_digit());
    let nanos = fraction.bytes().chain(std::iter::repeat(b'0')).take(9);
    let nanos =
        nanos.fold(0u32, |n, b| n.saturating_mul(10).saturating_add(u32::from(b.saturating_sub(b'0'))));
    Some((seconds.parse().ok()?, digits.then_some(nanos)?))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(crate) fn header(path: &str, kind: u8, size: u64, link: &str) -> Vec<u8> {
        let mut h = vec![0; BLOCK];
        h[..path.len()].copy_from_slice(path.as_bytes());
        for (at, text) in [(100, "0000755"), (108, "0000000"), (116, "0000000")] {
            h[at..at + 7].copy_from_slice(text.as_bytes());
        }
        h[124..135].copy_from_slice(format!("{size:011o}").as_bytes());
        h[136..147].copy_from_slice(format!("{:011o}", 1_700_000_000).as_bytes());
        h[156] = kind;
        h[157..157 + link.len()].copy_from_slice(link.as_bytes());
        h[257..265].copy_from_slice(b"ustar\x0000");
        h[329..336].copy_from_slice(b"0000010");
        h[337..344].copy_from_slice(b"0000003");
        sum(&mut h);
        h
    }

    fn sum(h: &mut [u8]) {
        h[148..156].fill(b' ');
        let sum: u64 = h.iter().map(|b| u64::from(*b)).sum();
        h[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }

    pub(crate) fn file(path: &str, data: &[u8]) -> Vec<u8> {
        let mut tar = header(path, b'0', data.len() as u64, "");
        tar.extend_from_slice(data);
        tar.resize(tar.len().next_multiple_of(BLOCK), 0);
        tar
    }

    pub(crate) fn pax(records: &[(&str, &[u8])]) -> Vec<u8> {
        let mut body = Vec::new();
        for (key, value) in records {
            let bare = key.len() + value.len() + 3;
            let mut length = bare + bare.to_string().len();
            length = bare + length.to_string().len();
            body.extend_from_slice(format!("{length} {key}=").as_bytes());
            body.extend_from_slice(value);
            body.push(b'\n');
        }
        let mut tar = header("PaxHeader", b'x', body.len() as u64, "");
        tar.extend_from_slice(&body);
        tar.resize(tar.len().next_multiple_of(BLOCK), 0);
        tar
    }

    fn all(tar: &[u8]) -> Result<Vec<(Entry, Vec<u8>)>, TarError> {
        let mut reader = TarReader::new(tar);
        let mut entries = Vec::new();
        while let Some(entry) = reader.next_entry()? {
            let mut data = Vec::new();
            reader.read_to_end(&mut data).map_err(TarError::Read)?;
            entries.push((entry, data));
        }
        Ok(entries)
    }

    #[test]
    fn every_kind_is_read() {
        let tar = [
            header("./", b'5', 0, ""),
            header("usr/bin/", b'5', 0, ""),
            file("usr/bin/a", b"hello"),
            header("usr/bin/b", b'1', 0, "./usr/bin/a"),
            header("bin", b'2', 0, "usr/bin"),
            header("dev/null", b'3', 0, ""),
            header("dev/sda", b'4', 0, ""),
            header("run/pipe", b'6', 0, ""),
            pax(&[
                ("path", "usr/lib/ä".as_bytes()),
                ("uid", b"70000"),
                ("gid", b"12"),
                ("mtime", b"1700000001.5"),
                ("SCHILY.xattr.security.capability", b"\x01\0\0\n="),
                ("comment", b"unknown keys do not hurt"),
            ]),
            file("other", b"x"),
            vec![0; 1024],
        ]
        .concat();
        let entries = all(&tar).unwrap();
        let kinds: Vec<_> = entries.iter().map(|(e, _)| (e.path.as_slice(), e.kind.clone())).collect();
        assert_eq!(
            kinds,
            [
                (b"".as_slice(), EntryKind::Dir),
                (b"usr/bin", EntryKind::Dir),
                (b"usr/bin/a", EntryKind::File),
                (b"usr/bin/b", EntryKind::Hard(b"usr/bin/a".to_vec())),
                (b"bin", EntryKind::Symlink(b"usr/bin".to_vec())),
                (b"dev/null", EntryKind::Char(8, 3)),
                (b"dev/sda", EntryKind::Block(8, 3)),
                (b"run/pipe", EntryKind::Fifo),
                ("usr/lib/ä".as_bytes(), EntryKind::File),
            ]
        );
        assert_eq!(entries[2].1, b"hello");
        let last = &entries[8].0;
        assert_eq!(
            (last.uid, last.gid, last.mtime, last.mode),
            (70_000, 12, (1_700_000_001, 500_000_000), 0o755)
        );
        assert_eq!(last.xattrs, [("security.capability".to_owned(), b"\x01\0\0\n=".to_vec())]);
    }

    #[test]
    fn paths_never_leave_the_root() {
        for path in ["/etc/passwd", "../x", "a/../../x", "a/.."] {
            assert!(matches!(all(&file(path, b"")), Err(TarError::Path { .. })), "{path}");
            assert!(matches!(all(&header("x", b'1', 0, path)), Err(TarError::Path { .. })), "{path}");
            let long = [pax(&[("path", path.as_bytes())]), file("x", b"")].concat();
            assert!(matches!(all(&long), Err(TarError::Path { .. })), "{path}");
        }
        let nul = [pax(&[("path", b"a\0b")]), file("x", b"")].concat();
        assert!(matches!(all(&nul), Err(TarError::Path { .. })));
        assert!(all(&header("x", b'2', 0, "../anywhere")).is_ok());
    }

    #[test]
    fn what_is_broken_is_named() {
        let error = |tar: &[u8]| all(tar).unwrap_err().to_string();
        assert_eq!(error(&file("a", b"hello")[..600]), "the archive ends inside the data of an entry");
        assert_eq!(error(&file("a", b"hello")[..515]), "cannot read the archive");
        assert_eq!(error(&file("a", b"hello")[..300]), "the archive ends inside a header");
        let mut damaged = file("a", b"hello");
        damaged[0] ^= 1;
        assert_eq!(error(&damaged), "header checksum of entry 1");
        assert_eq!(error(&header("a", b'7', 0, "")), "entry of kind `7`");
        assert_eq!(error(&header("./", b'0', 0, "")), "path of entry 1");
        assert_eq!(error(&header("a", b'5', 9, "")), "size of entry 1");
        assert_eq!(error(&[vec![0; 512], file("a", b"")].concat()), "end of archive of entry 0");
        let huge = header("PaxHeader", b'x', 1 << 30, "");
        assert_eq!(error(&huge), "extended header of entry 1");
    }

    proptest! {
        #[test]
        fn any_damage_gives_an_answer(at in 0usize..3000, bytes in proptest::collection::vec(any::<u8>(), 1..40), fix in any::<bool>()) {
            let mut tar = [pax(&[("path", b"usr/lib/x"), ("uid", b"7")]), file("x", &[7; 700]), header("y", b'2', 0, "z"), vec![0; 1024]].concat();
            let at = at.min(tar.len() - bytes.len());
            tar[at..at + bytes.len()].copy_from_slice(&bytes);
            if fix {
                let start = at / BLOCK * BLOCK;
                sum(&mut tar[start..start + BLOCK]);
            }
            for (entry, data) in all(&tar).unwrap_or_default() {
                prop_assert!(!entry.path.starts_with(b"/") && !entry.path.split(|b| *b == b'/').any(|p| p == b".."));
                prop_assert!(data.len() as u64 == entry.size);
            }
        }
    }
}
