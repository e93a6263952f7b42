//! Writing a slot.
use super::{
    ALIGN, BLOCK, BLOCK_LOG, FLAGS, MAGIC, MAX_FILES, MAX_NAME, META, RAW_DATA, RAW_META, SUPERBLOCK,
};
use crate::disk::bytes::{put, wide};
use sha2::{Digest, Sha256};
use std::io::{self, Read, Seek, SeekFrom, Write};

struct Done {
    name: String,
    start: u64,
    len: u64,
}

/// Writes files one after the other, then the tables that name them.
pub struct Writer<W> {
    sink: W,
    base: u64,
    at: u64,
    time: u32,
    files: Vec<Done>,
}

impl<W> std::fmt::Debug for Writer<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Writer {{ files: {}, bytes: {} }}", self.files.len(), self.at)
    }
}

/// Why a slot cannot be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteSquashError {
    /// The sink refuses.
    #[error("cannot write the slot")]
    Sink {
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The source of one file cannot be read.
    #[error("cannot read what is to become {name}")]
    Source {
        /// The file.
        name: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A source gives more or fewer bytes than announced.
    #[error("{name}: {announced} bytes announced, {found} or more found")]
    Length {
        /// The file.
        name: String,
        /// Announced bytes.
        announced: u64,
        /// Bytes it gave, at least.
        found: u64,
    },
    /// The name is empty, too long, has a slash or is there already.
    #[error("`{name}` cannot be the name of one more file in a slot")]
    Name {
        /// The name.
        name: String,
    },
    /// A file or the whole is larger than the format allows.
    #[error("{name} ends at byte {end} of the slot, beyond 4 GiB")]
    TooLarge {
        /// The file.
        name: String,
        /// Where it would end.
        end: u64,
    },
}

fn sink_error(source: io::Error) -> WriteSquashError {
    WriteSquashError::Sink { source }
}

impl<W: Write + Seek> Writer<W> {
    /// A slot that begins where the sink stands; `time` (seconds since 1970) is every file's time.
    ///
    /// # Errors
    /// [`WriteSquashError::Sink`].
    pub fn new(mut sink: W, time: u32) -> Result<Self, WriteSquashError> {
        let base = sink.stream_position().map_err(sink_error)?;
        Ok(Self { sink, base, at: wide(SUPERBLOCK), time, files: Vec::new() })
    }

    /// Copies one file of exactly `len` bytes and returns its SHA-256.
    ///
    /// # Errors
    /// Any of [`WriteSquashError`]; the slot is of no use after one.
    pub fn add(&mut self, name: &str, len: u64, source: &mut dyn Read) -> Result<[u8; 32], WriteSquashError> {
        let taken = self.files.iter().any(|f| f.name == name) || self.files.len() >= MAX_FILES;
        if taken
            || name.is_empty()
            || name.len() > MAX_NAME
            || name.contains(['/', '\0'])
            || name.starts_with('.')
        {
            return Err(WriteSquashError::Name { name: name.to_owned() });
        }
        let start = self.at.next_multiple_of(ALIGN);
        let end = start.saturating_add(len);
        if u32::try_from(end).is_err() {
            return Err(WriteSquashError::TooLarge { name: name.to_owned(), end });
        }
        self.sink.seek(SeekFrom::Start(self.base.saturating_add(start))).map_err(sink_error)?;
        let mut hash = Sha256::new();
        let mut chunk = vec![0; BLOCK];
        let mut found = 0u64;
        loop {
            let n = match source.read(&mut chunk) {
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(source) => return Err(WriteSquashError::Source { name: name.to_owned(), source }),
            };
            let Some(bytes) = chunk.get(..n).filter(|b| !b.is_empty()) else { break };
            found = found.saturating_add(wide(n));
            if found > len {
                break;
            }
            hash.update(bytes);
            self.sink.write_all(bytes).map_err(sink_error)?;
        }
        if found != len {
            return Err(WriteSquashError::Length { name: name.to_owned(), announced: len, found });
        }
        self.at = end;
        self.files.push(Done { name: name.to_owned(), start, len });
        Ok(hash.finalize().into())
    }

    /// Writes the tables and the superblock; returns the sink and the bytes of the whole image, a
    /// multiple of 4096.
    ///
    /// # Errors
    /// [`WriteSquashError::Sink`].
    pub fn finish(mut self) -> Result<(W, u64), WriteSquashError> {
        self.files.sort_by(|a, b| a.name.cmp(&b.name));
        let tables_at = self.at.next_multiple_of(ALIGN);
        let tables = Tables::new(&self.files, self.time);
        let inode_table = blocks(&tables.inodes);
        let dir_table = blocks(&tables.directory);
        let dirs_at = tables_at.saturating_add(wide(inode_table.len()));
        let fragments_at = dirs_at.saturating_add(wide(dir_table.len()));
        let ids_at = fragments_at.saturating_add(2 + 4);
        let used = ids_at.saturating_add(8);
        let mut bytes = [inode_table, dir_table].concat();
        // One id, 0, in a metadata block of its own, and the list of such blocks.
        bytes.extend_from_slice(&blocks(&[0; 4]));
        bytes.extend_from_slice(&fragments_at.to_le_bytes());
        let len = used.next_multiple_of(ALIGN);
        let padding = usize::try_from(len.saturating_sub(used)).unwrap_or(0);
        bytes.resize(bytes.len().saturating_add(padding), 0);

        let mut sb = vec![0; SUPERBLOCK];
        put(&mut sb, 0, MAGIC);
        put(&mut sb, 4, &u32::try_from(self.files.len().saturating_add(1)).unwrap_or(0).to_le_bytes());
        put(&mut sb, 8, &self.time.to_le_bytes());
        put(&mut sb, 12, &u32::try_from(BLOCK).unwrap_or(0).to_le_bytes());
        put(&mut sb, 20, &1u16.to_le_bytes());
        put(&mut sb, 22, &BLOCK_LOG.to_le_bytes());
        put(&mut sb, 24, &FLAGS.to_le_bytes());
        put(&mut sb, 26, &1u16.to_le_bytes());
        put(&mut sb, 28, &4u16.to_le_bytes());
        put(&mut sb, 32, &reference(tables.root).to_le_bytes());
        put(&mut sb, 40, &used.to_le_bytes());
        put(&mut sb, 48, &ids_at.to_le_bytes());
        put(&mut sb, 56, &u64::MAX.to_le_bytes());
        put(&mut sb, 64, &tables_at.to_le_bytes());
        put(&mut sb, 72, &dirs_at.to_le_bytes());
        put(&mut sb, 80, &fragments_at.to_le_bytes());
        put(&mut sb, 88, &u64::MAX.to_le_bytes());

        self.sink.seek(SeekFrom::Start(self.base.saturating_add(tables_at))).map_err(sink_error)?;
        self.sink.write_all(&bytes).map_err(sink_error)?;
        self.sink.seek(SeekFrom::Start(self.base)).map_err(sink_error)?;
        self.sink.write_all(&sb).map_err(sink_error)?;
        self.sink.flush().map_err(sink_error)?;
        Ok((self.sink, len))
    }
}

/// Inodes and directory before they are cut into metadata blocks.
struct Tables {
    inodes: Vec<u8>,
    directory: Vec<u8>,
    /// Offset of the root's inode in `inodes`.
    root: usize,
}

impl Tables {
    /// `files` sorted by name; file `n` gets inode number `n + 1`, the root the last one.
    fn new(files: &[Done], time: u32) -> Self {
        let mut inodes = Vec::new();
        let mut places = Vec::new();
        for (number, file) in (1u32..).zip(files) {
            places.push((number, inodes.len(), &file.name));
            inodes.extend_from_slice(&inode_head(2, 0o444, time, number));
            for word in [low(file.start), u32::MAX, 0, low(file.len)] {
                inodes.extend_from_slice(&word.to_le_bytes());
            }
            let mut left = file.len;
            while left > 0 {
                let part = left.min(wide(BLOCK));
                inodes.extend_from_slice(&(low(part) | RAW_DATA).to_le_bytes());
                left = left.saturating_sub(part);
            }
        }
        let mut directory = Vec::new();
        let mut rest = &places[..];
        while let Some((first, at, _)) = rest.first() {
            // One header serves at most 256 entries whose inodes begin in one metadata block.
            let same = |(_, other, _): &&(u32, usize, &String)| other / META == at / META;
            let run = rest.iter().take(256).take_while(same).count();
            let (now, later) = rest.split_at(run.max(1));
            for word in [now.len().saturating_sub(1), block_start(*at)] {
                directory.extend_from_slice(&u32::try_from(word).unwrap_or(0).to_le_bytes());
            }
            directory.extend_from_slice(&first.to_le_bytes());
            for (number, at, name) in now {
                let delta = u16::try_from(number.saturating_sub(*first)).unwrap_or(0);
                let name_len = u16::try_from(name.len().saturating_sub(1)).unwrap_or(0);
                for half in [u16::try_from(at % META).unwrap_or(0), delta, 2, name_len] {
                    directory.extend_from_slice(&half.to_le_bytes());
                }
                directory.extend_from_slice(name.as_bytes());
            }
            rest = later;
        }
        let root = inodes.len();
        let number = u32::try_from(files.len().saturating_add(1)).unwrap_or(0);
        inodes.extend_from_slice(&inode_head(1, 0o555, time, number));
        inodes.extend_from_slice(&[0, 0, 0, 0, 2, 0, 0, 0]);
        // The size counts three bytes that are not there, for `.` and `..`.
        let size = u16::try_from(directory.len().saturating_add(3)).unwrap_or(u16::MAX);
        inodes.extend_from_slice(&size.to_le_bytes());
        inodes.extend_from_slice(&0u16.to_le_bytes());
        inodes.extend_from_slice(&number.saturating_add(1).to_le_bytes());
        Self { inodes, directory, root }
    }
}

fn low(n: u64) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn inode_head(kind: u16, mode: u16, time: u32, number: u32) -> Vec<u8> {
    let halves = [kind, mode, 0, 0].map(u16::to_le_bytes).concat();
    [halves, time.to_le_bytes().to_vec(), number.to_le_bytes().to_vec()].concat()
}

/// Where the metadata block of a table offset begins on the medium.
fn block_start(at: usize) -> usize {
    (at / META).saturating_mul(META + 2)
}

fn reference(at: usize) -> u64 {
    wide(block_start(at)) << 16 | wide(at % META)
}

fn blocks(table: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for block in table.chunks(META) {
        out.extend_from_slice(&(u16::try_from(block.len()).unwrap_or(0) | RAW_META).to_le_bytes());
        out.extend_from_slice(block);
    }
    out
}
