//! Finding files, and checking the whole.
use super::name::{Short, UNITS, short_text};
use super::{ATTR_DIR, ATTR_LABEL, ATTR_LONG, DIR_ENTRY, MIN_CLUSTERS};
use crate::disk::bytes::{array, read_at, u16_at, u32_at, wide};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Seek};

/// A piece of the partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Byte offset in the partition.
    pub start: u64,
    /// Bytes.
    pub len: u64,
}

/// A file or a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its path from the root, without a leading `/`, spelled as on the medium.
    pub path: String,
    /// Whether it is a directory.
    pub directory: bool,
    /// Bytes of a file; 0 for a directory.
    pub size: u64,
    /// Its first cluster; 0 for an empty file.
    pub cluster: u32,
    /// Its clusters in order, neighbours joined.
    pub extents: Vec<Extent>,
}

/// An open file system.
#[derive(Debug)]
pub struct Fat<R> {
    source: R,
    sector: u64,
    cluster: u64,
    clusters: u64,
    fat_start: u64,
    fat_bytes: u64,
    fats: u8,
    data: u64,
    root: u32,
    label: String,
    /// The first FAT.
    table: Vec<u8>,
}

/// Why something cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadFatError {
    /// The medium does not answer.
    #[error("cannot read byte {at} of the FAT partition")]
    Io {
        /// Where.
        at: u64,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The boot sector does not describe a FAT32.
    #[error("no FAT32: {what}")]
    NotFat {
        /// What is wrong with it.
        what: String,
    },
    /// There is no such file.
    #[error("there is no {path} on the FAT partition")]
    NotFound {
        /// The path.
        path: String,
    },
    /// A chain of clusters is broken.
    #[error("{path}: {what}")]
    Chain {
        /// Whose chain.
        path: String,
        /// What is wrong with it.
        what: String,
    },
}

impl<R: Read + Seek> Fat<R> {
    /// Reads the boot sector and the first FAT.
    ///
    /// # Errors
    /// [`ReadFatError::NotFat`] or [`ReadFatError::Io`].
    pub fn open(mut source: R) -> Result<Self, ReadFatError> {
        let boot = read_at(&mut source, 0, 512).map_err(|source| ReadFatError::Io { at: 0, source })?;
        let half = |at| u64::from(u16_at(&boot, at).unwrap_or(0));
        let word = |at| u64::from(u32_at(&boot, at).unwrap_or(0));
        let byte = |at: usize| boot.get(at).copied().unwrap_or(0);
        let not = |what: String| ReadFatError::NotFat { what };
        if boot.get(510..) != Some(&[0x55, 0xaa]) {
            return Err(not("the boot sector does not end with 55 AA".to_owned()));
        }
        let (sector, fats) = (half(11), byte(16));
        let cluster = sector.saturating_mul(u64::from(byte(13)));
        if ![512, 1024, 2048, 4096].contains(&sector) || !cluster.is_power_of_two() || cluster > 1 << 17 {
            return Err(not(format!("sectors of {sector} bytes, clusters of {cluster}")));
        }
        if half(17) != 0 || half(22) != 0 || !(1..=2).contains(&fats) {
            return Err(not(format!("{fats} FATs, {} entries in a fixed root directory", half(17))));
        }
        let (reserved, fat_sectors, sectors) = (half(14), word(36), word(32));
        let front = fat_sectors.saturating_mul(u64::from(fats)).saturating_add(reserved);
        let clusters = sectors.saturating_sub(front).saturating_mul(sector) / cluster.max(1);
        let fat_bytes = fat_sectors.saturating_mul(sector);
        if !(MIN_CLUSTERS..=0x0fff_fff5).contains(&clusters)
            || fat_bytes < clusters.saturating_add(2).saturating_mul(4)
        {
            return Err(not(format!("{clusters} clusters, FATs of {fat_bytes} bytes")));
        }
        let fat_start = reserved.saturating_mul(sector);
        // Only what describes clusters: a damaged size must not make us allocate gigabytes.
        let len = usize::try_from(clusters.saturating_add(2).saturating_mul(4)).unwrap_or(0);
        if len > 64 << 20 {
            return Err(not(format!("{clusters} clusters; an EFI system partition of ours has fewer")));
        }
        let table = read_at(&mut source, fat_start, len)
            .map_err(|source| ReadFatError::Io { at: fat_start, source })?;
        let label = String::from_utf8_lossy(boot.get(71..82).unwrap_or_default()).trim_end().to_owned();
        let (data, root) = (front.saturating_mul(sector), u32::try_from(word(44)).unwrap_or(0));
        Ok(Self { source, sector, cluster, clusters, fat_start, fat_bytes, fats, data, root, label, table })
    }

    /// The label in the boot sector.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Bytes of a logical sector.
    #[must_use]
    pub fn sector(&self) -> u64 {
        self.sector
    }

    /// Where the first FAT's entry of a cluster lies.
    #[must_use]
    pub fn fat_offset(&self, cluster: u32) -> u64 {
        self.fat_start.saturating_add(u64::from(cluster).saturating_mul(4))
    }

    /// Bytes of one FAT.
    #[must_use]
    pub fn fat_bytes(&self) -> u64 {
        self.fat_bytes
    }

    fn next(&self, cluster: u32) -> u32 {
        let at = usize::try_from(u64::from(cluster).saturating_mul(4)).unwrap_or(usize::MAX);
        u32_at(&self.table, at).unwrap_or(0) & 0x0fff_ffff
    }

    fn chain(&self, path: &str, first: u32) -> Result<Vec<u32>, ReadFatError> {
        let error = |what: String| ReadFatError::Chain { path: path.to_owned(), what };
        let mut chain = Vec::new();
        let mut seen = BTreeSet::new();
        let mut at = first;
        while first != 0 && at < 0x0fff_fff8 {
            if u64::from(at) < 2 || u64::from(at) >= self.clusters.saturating_add(2) {
                return Err(error(format!(
                    "its chain leads to cluster {at}, there are 2-{}",
                    self.clusters.saturating_add(1)
                )));
            }
            if !seen.insert(at) {
                return Err(error(format!("its chain comes back to cluster {at}")));
            }
            chain.push(at);
            at = self.next(at);
        }
        Ok(chain)
    }

    fn extents(&self, chain: &[u32]) -> Vec<Extent> {
        let mut out: Vec<Extent> = Vec::new();
        for cluster in chain {
            let start =
                u64::from(cluster.saturating_sub(2)).saturating_mul(self.cluster).saturating_add(self.data);
            match out.last_mut() {
                Some(last) if last.start.saturating_add(last.len) == start => {
                    last.len = last.len.saturating_add(self.cluster);
                }
                _ => out.push(Extent { start, len: self.cluster }),
            }
        }
        out
    }

    fn load(&mut self, extents: &[Extent], size: Option<u64>) -> Result<Vec<u8>, ReadFatError> {
        let mut bytes = Vec::new();
        for extent in extents {
            let len = usize::try_from(extent.len).unwrap_or(0);
            let part = read_at(&mut self.source, extent.start, len)
                .map_err(|source| ReadFatError::Io { at: extent.start, source })?;
            bytes.extend_from_slice(&part);
        }
        if let Some(size) = size.and_then(|s| usize::try_from(s).ok()) {
            bytes.truncate(size);
        }
        Ok(bytes)
    }

    /// What a directory holds, without `.`, `..`, label and removed entries.
    fn list_chain(&mut self, path: &str, first: u32) -> Result<Vec<Entry>, ReadFatError> {
        let chain = self.chain(path, first)?;
        let bytes = self.load(&self.extents(&chain), None)?;
        let mut out = Vec::new();
        let mut long: BTreeMap<u8, Vec<u16>> = BTreeMap::new();
        for entry in bytes.chunks_exact(DIR_ENTRY) {
            let (head, attributes) =
                (entry.first().copied().unwrap_or(0), entry.get(11).copied().unwrap_or(0));
            if head == 0 {
                break;
            }
            if head == 0xe5 {
                long.clear();
                continue;
            }
            if attributes & 0x3f == ATTR_LONG {
                let units = UNITS.iter().filter_map(|at| u16_at(entry, *at));
                long.insert(head & 0x1f, units.take_while(|u| *u != 0 && *u != 0xffff).collect());
                continue;
            }
            let units: Vec<u16> = std::mem::take(&mut long).into_values().flatten().collect();
            if attributes & ATTR_LABEL != 0 || head == b'.' {
                continue;
            }
            let short: Short = array(entry, 0).unwrap_or([b' '; 11]);
            let name = if units.is_empty() { short_text(&short) } else { String::from_utf16_lossy(&units) };
            let cluster =
                u32::from(u16_at(entry, 20).unwrap_or(0)) << 16 | u32::from(u16_at(entry, 26).unwrap_or(0));
            let whole = if path.is_empty() { name } else { format!("{path}/{name}") };
            let directory = attributes & ATTR_DIR != 0;
            let size = if directory { 0 } else { u64::from(u32_at(entry, 28).unwrap_or(0)) };
            out.push(Entry { path: whole, directory, size, cluster, extents: Vec::new() });
        }
        Ok(out)
    }

    /// Finds a file or directory; letters are compared without case, as FAT does.
    ///
    /// # Errors
    /// [`ReadFatError::NotFound`], [`ReadFatError::Chain`] or [`ReadFatError::Io`].
    pub fn find(&mut self, path: &str) -> Result<Entry, ReadFatError> {
        let not_found = || ReadFatError::NotFound { path: path.to_owned() };
        let mut at =
            Entry { path: String::new(), directory: true, size: 0, cluster: self.root, extents: Vec::new() };
        for part in path.split('/').filter(|p| !p.is_empty()) {
            if !at.directory {
                return Err(not_found());
            }
            let entries = self.list_chain(&at.path, at.cluster)?;
            let named = |e: &Entry| e.path.rsplit('/').next().is_some_and(|n| n.eq_ignore_ascii_case(part));
            at = entries.into_iter().find(named).ok_or_else(not_found)?;
        }
        let chain = self.chain(&at.path, at.cluster)?;
        at.extents = self.extents(&chain);
        if !at.directory && wide(chain.len()).saturating_mul(self.cluster) < at.size {
            let what = format!("{} bytes in {} clusters", at.size, chain.len());
            return Err(ReadFatError::Chain { path: at.path, what });
        }
        Ok(at)
    }

    /// A file's bytes.
    ///
    /// # Errors
    /// As [`Fat::find`].
    pub fn read(&mut self, path: &str) -> Result<Vec<u8>, ReadFatError> {
        let entry = self.find(path)?;
        if entry.directory {
            return Err(ReadFatError::NotFound { path: path.to_owned() });
        }
        self.load(&entry.extents, Some(entry.size))
    }

    /// All files and directories, a directory before what is in it. A directory that cannot be read is
    /// given with its error instead.
    pub fn walk(&mut self) -> Vec<Result<Entry, ReadFatError>> {
        let mut out = Vec::new();
        let mut todo = vec![(String::new(), self.root)];
        let mut seen = BTreeSet::new();
        while let Some((path, cluster)) = todo.pop() {
            if !seen.insert(cluster) {
                let what = format!("cluster {cluster} is a directory above it");
                out.push(Err(ReadFatError::Chain { path, what }));
                continue;
            }
            match self.list_chain(&path, cluster) {
                Err(error) => out.push(Err(error)),
                Ok(entries) => {
                    for mut entry in entries {
                        if entry.directory {
                            todo.push((entry.path.clone(), entry.cluster));
                        }
                        match self.chain(&entry.path, entry.cluster) {
                            Ok(chain) => {
                                entry.extents = self.extents(&chain);
                                out.push(Ok(entry));
                            }
                            Err(error) => out.push(Err(error)),
                        }
                    }
                }
            }
        }
        out
    }

    /// Everything that is not as it must be, one sentence each: copies of the FAT and of the boot
    /// sector, chains, sizes, clusters that belong to two files or to none.
    pub fn check(&mut self) -> Vec<String> {
        let mut out = Vec::new();
        match self.copies_differ() {
            Ok(found) => out.extend(found),
            Err(error) => out.push(error.to_string()),
        }
        let mut owner: BTreeMap<u32, String> = BTreeMap::new();
        if let Ok(chain) = self.chain("/", self.root) {
            owner.extend(chain.into_iter().map(|c| (c, "/".to_owned())));
        }
        for entry in self.walk() {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    out.push(error.to_string());
                    continue;
                }
            };
            let chain = self.chain(&entry.path, entry.cluster).unwrap_or_default();
            let clusters = entry.size.div_ceil(self.cluster);
            if !entry.directory && wide(chain.len()) != clusters {
                out.push(format!(
                    "{}: {} bytes need {clusters} clusters, its chain has {}",
                    entry.path,
                    entry.size,
                    chain.len()
                ));
            }
            for cluster in chain {
                if let Some(other) = owner.insert(cluster, entry.path.clone()) {
                    out.push(format!("cluster {cluster} belongs to {other} and to {}", entry.path));
                }
            }
        }
        let last = u32::try_from(self.clusters.saturating_add(1)).unwrap_or(u32::MAX);
        let lost = (2..=last).filter(|c| self.next(*c) != 0 && !owner.contains_key(c)).count();
        if lost > 0 {
            out.push(format!("{lost} clusters are marked used and belong to no file"));
        }
        out
    }

    fn copies_differ(&mut self) -> io::Result<Vec<String>> {
        let mut out = Vec::new();
        if self.fats == 2 {
            let second =
                read_at(&mut self.source, self.fat_start.saturating_add(self.fat_bytes), self.table.len())?;
            if let Some(at) = self.table.iter().zip(&second).position(|(a, b)| a != b) {
                out.push(format!("the two copies of the FAT differ at cluster {}", at / 4));
            }
        }
        let boot = read_at(&mut self.source, 0, 512)?;
        let backup = read_at(&mut self.source, self.sector.saturating_mul(6), 512)?;
        // Byte 65 has the dirty bit of a mounted file system; the copy never has.
        if boot.get(..65) != backup.get(..65) || boot.get(66..) != backup.get(66..) {
            out.push("the boot sector and its copy in sector 6 differ".to_owned());
        }
        let info = read_at(&mut self.source, self.sector, 512)?;
        if array(&info, 0) != Some(*b"RRaA") || array(&info, 484) != Some(*b"rrAa") {
            out.push("sector 1 is no FSInfo".to_owned());
        }
        Ok(out)
    }
}
