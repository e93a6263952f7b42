//! Tar, read and written: ustar with PAX and GNU long names.
//!
//! The reader takes what dpkg and GNU tar write; the writer makes PAX headers only where ustar's
//! fields do not suffice, and always the same bytes for the same entry.
use super::header::{BLOCK, Header};
use super::pax::{Pax, write_record};
use super::{DebError, Entry, Fault, Kind, TreePath};
use std::collections::BTreeMap;
use std::io::{self, Read};

/// Longest GNU long name or PAX header, in bytes.
const LONG: u64 = 1 << 20;

/// Reads entry after entry; as a [`Read`] it gives the content of the current one.
#[derive(Debug)]
pub struct Reader<R> {
    inner: R,
    origin: String,
    member: String,
    name: String,
    left: u64,
    pad: u64,
    entries: u64,
    unpacked: u64,
    max_entries: u64,
    max_unpacked: u64,
    ended: bool,
    bodies: bool,
    open_ended: bool,
}

impl<R: Read> Reader<R> {
    /// `origin` and `member` are what errors name; at most so many entries and bytes are read.
    pub fn new(origin: &str, member: &str, inner: R, max_entries: u64, max_unpacked: u64) -> Self {
        Self {
            inner,
            origin: origin.to_owned(),
            member: member.to_owned(),
            name: String::new(),
            left: 0,
            pad: 0,
            entries: 0,
            unpacked: 0,
            max_entries,
            max_unpacked,
            ended: false,
            bodies: true,
            open_ended: false,
        }
    }

    /// For a list of headers without the contents that belong to them.
    #[must_use]
    pub(crate) fn headers_only(mut self) -> Self {
        self.bodies = false;
        self
    }

    /// For a part of a tar, which may end behind any entry.
    #[must_use]
    pub fn open_ended(mut self) -> Self {
        self.open_ended = true;
        self
    }

    /// Bytes of tar read so far.
    #[must_use]
    pub fn unpacked(&self) -> u64 {
        self.unpacked
    }

    /// Skips what is left of the current entry and reads the next one; `None` behind the last one, after
    /// the stream was read to its end, so that the compression's own checksum has been compared.
    ///
    /// # Errors
    /// Every [`Fault`] but those of the `ar` level.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, DebError> {
        self.next_inner().map_err(|fault| self.error(fault))
    }

    /// Content of the current entry, whole.
    ///
    /// # Errors
    /// [`Fault::TooLarge`] if it has more than `limit` bytes, and as [`Self::next_entry`].
    pub fn read_content(&mut self, limit: u64) -> Result<Vec<u8>, DebError> {
        if self.left > limit {
            return Err(self.error(Fault::TooLarge { what: "bytes", limit }));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(self.left).unwrap_or(0));
        self.read_to_end(&mut bytes).map_err(|e| self.error(Fault::io(e)))?;
        Ok(bytes)
    }

    /// An error that names the entry read last.
    pub fn error(&self, fault: Fault) -> DebError {
        let member = if self.name.is_empty() {
            self.member.clone()
        } else {
            format!("{}: {}", self.member, self.name)
        };
        fault.at(&self.origin, member)
    }

    /// The reader below.
    pub fn into_inner(self) -> R {
        self.inner
    }

    fn next_inner(&mut self) -> Result<Option<Entry>, Fault> {
        if self.ended {
            return Ok(None);
        }
        self.skip()?;
        let mut pax = Pax::default();
        let (mut long_name, mut long_link) = (None, None);
        loop {
            self.entries = self.entries.saturating_add(1);
            if self.entries > self.max_entries {
                return Err(Fault::TooLarge { what: "entries", limit: self.max_entries });
            }
            let mut block = [0; BLOCK];
            if self.open_ended && !self.begin(&mut block)? {
                self.ended = true;
                return Ok(None);
            }
            if !self.open_ended {
                self.fill(&mut block)?;
            }
            let Some(header) = Header::decode(&block)? else {
                self.end()?;
                return Ok(None);
            };
            self.name = printable(&header.name);
            match header.flag {
                b'x' | b'g' => pax.read(&self.long(header.size)?)?,
                b'L' => long_name = Some(self.long(header.size)?),
                b'K' => long_link = Some(self.long(header.size)?),
                b'S' => return Err(Fault::Unsupported("a sparse file")),
                b'M' | b'V' | b'D' | b'N' => {
                    return Err(Fault::Unsupported("a part of a GNU multi-volume or incremental archive"));
                }
                _ => return self.entry(header, pax, long_name, long_link).map(Some),
            }
        }
    }

    fn entry(
        &mut self,
        header: Header,
        pax: Pax,
        long_name: Option<Vec<u8>>,
        long_link: Option<Vec<u8>>,
    ) -> Result<Entry, Fault> {
        let name = pax.path.or(long_name).unwrap_or(header.name);
        let link = pax.link.or(long_link).unwrap_or(header.link);
        self.name = printable(&name);
        let tree_path = |name: &[u8]| {
            TreePath::parse(name).map_err(|reason| Fault::Path { name: printable(name), reason })
        };
        let path = tree_path(&name)?;
        let size = pax.size.unwrap_or(header.size);
        let device = || {
            let number = |n: u64, field| u32::try_from(n).map_err(|_big| Fault::Number { field });
            Ok((number(header.major, "devmajor")?, number(header.minor, "devminor")?))
        };
        let kind = match header.flag {
            b'0' | 0 | b'7' if name.ends_with(b"/") => Kind::Dir,
            b'0' | 0 | b'7' => Kind::File { size },
            b'1' => Kind::HardLink { target: tree_path(&link)? },
            b'2' => Kind::Symlink { target: link_target(&path, &link)? },
            b'3' => device().map(|(major, minor)| Kind::CharDevice { major, minor })?,
            b'4' => device().map(|(major, minor)| Kind::BlockDevice { major, minor })?,
            b'5' => Kind::Dir,
            b'6' => Kind::Fifo,
            _ => return Err(Fault::Unsupported("an entry of an unknown type")),
        };
        if path.is_root() && !kind.is_dir() {
            return Err(Fault::Path { name: self.name.clone(), reason: super::BadPath::Upwards });
        }
        if !kind.is_file() && size != 0 {
            return Err(Fault::Number { field: "size" });
        }
        self.left = if self.bodies { kind.size() } else { 0 };
        let block = u64::try_from(BLOCK).unwrap_or(512);
        self.pad = self.left.next_multiple_of(block).saturating_sub(self.left);
        if self.left > self.max_unpacked.saturating_sub(self.unpacked) {
            return Err(Fault::TooLarge { what: "bytes", limit: self.max_unpacked });
        }
        let owner = |n: u64, field| u32::try_from(n).map_err(|_big| Fault::Number { field });
        Ok(Entry {
            path,
            kind,
            mode: header.mode,
            uid: owner(pax.uid.unwrap_or(header.uid), "uid")?,
            gid: owner(pax.gid.unwrap_or(header.gid), "gid")?,
            mtime: pax.mtime.unwrap_or(header.mtime),
            xattrs: pax.xattrs,
        })
    }

    fn skip(&mut self) -> Result<(), Fault> {
        let copied = io::copy(&mut (&mut *self), &mut io::sink());
        copied.map_err(Fault::io)?;
        let mut pad = [0; BLOCK];
        let pad_len = usize::try_from(std::mem::take(&mut self.pad)).unwrap_or(0);
        pad.get_mut(..pad_len).map_or(Ok(()), |pad| self.fill(pad))
    }

    fn fill(&mut self, buf: &mut [u8]) -> Result<(), Fault> {
        self.inner.read_exact(buf).map_err(Fault::io)?;
        self.count(buf.len())
    }

    /// Fills a block; `false` if nothing at all is left.
    fn begin(&mut self, block: &mut [u8; BLOCK]) -> Result<bool, Fault> {
        let mut first = [0; 1];
        loop {
            match self.inner.read(&mut first) {
                Ok(0) => return Ok(false),
                Ok(_) => break,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(Fault::io(e)),
            }
        }
        let (head, rest) = block.split_at_mut(1);
        head.copy_from_slice(&first);
        self.count(1)?;
        self.fill(rest)?;
        Ok(true)
    }

    fn count(&mut self, bytes: usize) -> Result<(), Fault> {
        self.unpacked = self.unpacked.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        if self.unpacked > self.max_unpacked {
            return Err(Fault::TooLarge { what: "bytes", limit: self.max_unpacked });
        }
        Ok(())
    }

    /// Content of a header that only talks about the next entry.
    fn long(&mut self, size: u64) -> Result<Vec<u8>, Fault> {
        if size > LONG {
            return Err(Fault::TooLarge { what: "bytes of header", limit: LONG });
        }
        let mut bytes = vec![0; usize::try_from(size.next_multiple_of(512)).unwrap_or(0)];
        self.fill(&mut bytes)?;
        bytes.truncate(usize::try_from(size).unwrap_or(0));
        // GNU ends its names with a NUL.
        if bytes.last() == Some(&0) {
            bytes.pop();
        }
        Ok(bytes)
    }

    fn end(&mut self) -> Result<(), Fault> {
        let mut block = [0; 8192];
        loop {
            match self.inner.read(&mut block) {
                Ok(0) => break,
                Ok(n) if block.iter().take(n).any(|b| *b != 0) => return Err(Fault::Trailing),
                Ok(n) => self.count(n)?,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(Fault::io(e)),
            }
        }
        self.ended = true;
        Ok(())
    }
}

impl<R: Read> Read for Reader<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let want = usize::try_from(self.left).unwrap_or(usize::MAX).min(buf.len());
        let Some(part) = buf.get_mut(..want).filter(|p| !p.is_empty()) else { return Ok(0) };
        let got = self.inner.read(part)?;
        if got == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let bytes = u64::try_from(got).unwrap_or(u64::MAX);
        self.left = self.left.saturating_sub(bytes);
        self.unpacked = self.unpacked.saturating_add(bytes);
        Ok(got)
    }
}

fn link_target(path: &TreePath, link: &[u8]) -> Result<String, Fault> {
    let bad = |reason| Fault::Path { name: printable(link), reason };
    let target = std::str::from_utf8(link).map_err(|_not_utf8| bad(super::BadPath::NotUtf8))?;
    if target.is_empty() || target.bytes().any(|b| b == 0 || b == b'\n') {
        return Err(bad(super::BadPath::Control));
    }
    if target.len() > 4095 {
        return Err(bad(super::BadPath::TooLong));
    }
    if path.follow(target).is_none() {
        return Err(Fault::LinkEscapes { target: target.to_owned() });
    }
    Ok(target.to_owned())
}

fn printable(name: &[u8]) -> String {
    String::from_utf8_lossy(name.get(..200).unwrap_or(name)).escape_debug().to_string()
}

/// The header blocks of an entry; its content follows, filled with zeros up to a multiple of 512.
#[must_use]
pub fn encode(entry: &Entry) -> Vec<u8> {
    let mut name = format!("./{}", entry.path);
    if entry.kind.is_dir() && !entry.path.is_root() {
        name.push('/');
    }
    let (flag, link, device) = match &entry.kind {
        Kind::File { .. } => (b'0', String::new(), (0, 0)),
        Kind::HardLink { target } => (b'1', format!("./{target}"), (0, 0)),
        Kind::Symlink { target } => (b'2', target.clone(), (0, 0)),
        Kind::CharDevice { major, minor } => (b'3', String::new(), (*major, *minor)),
        Kind::BlockDevice { major, minor } => (b'4', String::new(), (*major, *minor)),
        Kind::Dir => (b'5', String::new(), (0, 0)),
        Kind::Fifo => (b'6', String::new(), (0, 0)),
    };
    let mut records = Vec::new();
    let mut out = Vec::new();
    let mut field = |key: &str, fits: bool, value: &[u8]| {
        if !fits {
            write_record(&mut records, key, value);
        }
        fits
    };
    let name_fits = field("path", name.len() <= 100 && name.is_ascii(), name.as_bytes());
    let link_fits = field("linkpath", link.len() <= 100 && link.is_ascii(), link.as_bytes());
    let mut number = |key: &str, value: i128, digits: u32| {
        let fits = (0..8i128.saturating_pow(digits)).contains(&value);
        if field(key, fits, value.to_string().as_bytes()) { value } else { 0 }
    };
    let uid = number("uid", i128::from(entry.uid), 7);
    let gid = number("gid", i128::from(entry.gid), 7);
    let size = number("size", i128::from(entry.kind.size()), 11);
    let mtime = number("mtime", i128::from(entry.mtime), 11);
    for (key, value) in &entry.xattrs {
        write_record(&mut records, &format!("SCHILY.xattr.{key}"), value);
    }
    if !records.is_empty() {
        let numbers =
            Numbers { mode: 0o644, size: records.len().try_into().unwrap_or(0), ..Numbers::default() };
        out.extend(block(b"././@PaxHeader", b"", b'x', &numbers));
        out.extend_from_slice(&records);
        out.resize(out.len().next_multiple_of(BLOCK), 0);
    }
    let cut =
        |text: &str, fits: bool| if fits { text.as_bytes().to_vec() } else { b"././@LongName".to_vec() };
    let numbers = Numbers { mode: entry.mode, uid, gid, size, mtime, device };
    out.extend(block(&cut(&name, name_fits), &cut(&link, link_fits), flag, &numbers));
    out
}

/// The two zero blocks that end a tar.
pub const END: [u8; 1024] = [0; 1024];

#[derive(Default)]
struct Numbers {
    mode: u32,
    uid: i128,
    gid: i128,
    size: i128,
    mtime: i128,
    device: (u32, u32),
}

fn block(name: &[u8], link: &[u8], flag: u8, numbers: &Numbers) -> [u8; BLOCK] {
    let mut block = [0u8; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| {
        for (to, from) in block.iter_mut().skip(at).zip(bytes) {
            *to = *from;
        }
    };
    put(0, name);
    put(100, format!("{:07o}\0{:07o}\0{:07o}\0", numbers.mode, numbers.uid, numbers.gid).as_bytes());
    put(124, format!("{:011o}\0{:011o}\0", numbers.size, numbers.mtime).as_bytes());
    put(156, &[flag]);
    put(157, link);
    put(257, b"ustar\x0000");
    if flag == b'3' || flag == b'4' {
        put(329, format!("{:07o}\0{:07o}\0", numbers.device.0, numbers.device.1).as_bytes());
    }
    seal(&mut block);
    block
}

/// Puts the checksum of a header block where it belongs.
pub(crate) fn seal(block: &mut [u8]) {
    block.iter_mut().skip(148).take(8).for_each(|b| *b = b' ');
    let sum: u32 = block.iter().take(BLOCK).map(|b| u32::from(*b)).sum();
    for (to, from) in block.iter_mut().skip(148).zip(format!("{sum:06o}\0 ").bytes()) {
        *to = from;
    }
}

/// Whole entries of a small tar in memory, for tests and for verification.
///
/// # Errors
/// As [`Reader::next_entry`].
pub fn read_all(origin: &str, bytes: &[u8]) -> Result<BTreeMap<TreePath, (Entry, Vec<u8>)>, DebError> {
    let mut reader = Reader::new(origin, "tar", bytes, u64::MAX, u64::MAX);
    let mut all = BTreeMap::new();
    while let Some(entry) = reader.next_entry()? {
        let content = reader.read_content(u64::MAX)?;
        all.insert(entry.path.clone(), (entry, content));
    }
    Ok(all)
}
