//! Making a file system with all its files.
use super::name::{Short, long_entries, shorten};
use super::{ATTR_DIR, ATTR_FILE, ATTR_LABEL, CLUSTER, DIR_ENTRY, END, MIN_CLUSTERS, ROOT};
use crate::disk::bytes::{put, wide, write_at};
use crate::disk::gpt::SectorSize;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Seek, Write};

/// Where a file's clusters go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Behind the file before.
    Next,
    /// At least that many bytes behind the beginning of the file before: another erase block of the
    /// medium.
    Beyond(u64),
}

/// One file to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FatFile {
    /// Its path, parts separated by `/`; directories are made as needed.
    pub path: String,
    /// Its bytes.
    pub content: Vec<u8>,
    /// Where it goes.
    pub place: Place,
}

/// A file system to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FatImage {
    /// The label: at most eleven characters that a short name may have.
    pub label: String,
    /// The volume's serial number.
    pub serial: u32,
    /// The disk's logical sector.
    pub sector: SectorSize,
    /// Bytes of the partition, at least 257 MiB (fewer clusters would make it FAT16).
    pub len: u64,
    /// Sectors of the disk in front of the partition.
    pub hidden: u32,
    /// The time of every file, in seconds since 1970 (UTC).
    pub time: u32,
    /// The files, in the order in which they are placed.
    pub files: Vec<FatFile>,
}

/// Why a file system cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteFatError {
    /// The sink refuses.
    #[error("cannot write the FAT file system")]
    Sink {
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The partition cannot hold FAT32 with 4 KiB clusters.
    #[error("a FAT32 of {len} bytes has {clusters} clusters, expected {MIN_CLUSTERS} to 268435444")]
    Size {
        /// Bytes of the partition.
        len: u64,
        /// Clusters that it would have.
        clusters: u64,
    },
    /// The files do not fit.
    #[error("{path} does not fit: cluster {cluster} of {clusters}")]
    Full {
        /// The file.
        path: String,
        /// The cluster it would need.
        cluster: u64,
        /// Clusters that there are.
        clusters: u64,
    },
    /// A path is empty, not ASCII, there twice, or below a file.
    #[error("`{path}` cannot be the path of one more file")]
    Path {
        /// The path.
        path: String,
    },
}

/// Sizes of the parts.
pub(super) struct Geometry {
    pub(super) reserved: u64,
    pub(super) fat_sectors: u64,
    pub(super) clusters: u64,
}

impl Geometry {
    /// The data area begins on a cluster boundary of the partition.
    pub(super) fn new(len: u64, sector: SectorSize) -> Self {
        let bytes = sector.bytes();
        let sectors = len / bytes;
        let per_cluster = CLUSTER / bytes;
        let fat_sectors =
            (sectors / per_cluster).saturating_mul(4).div_ceil(bytes).next_multiple_of(per_cluster);
        let front = fat_sectors.saturating_mul(2).saturating_add(32);
        let reserved = front.next_multiple_of(per_cluster).saturating_sub(fat_sectors.saturating_mul(2));
        let data = sectors.saturating_sub(reserved.saturating_add(fat_sectors.saturating_mul(2)));
        Self { reserved, fat_sectors, clusters: data / per_cluster }
    }
}

#[derive(Default)]
struct Dir {
    /// Names in order, with the entry behind each.
    entries: Vec<(String, Node)>,
}

#[derive(Clone, Copy)]
struct Node {
    attributes: u8,
    cluster: u32,
    size: u32,
}

impl FatImage {
    /// Writes the file system from offset 0 of the sink, which must read as zeros wherever nothing is
    /// written.
    ///
    /// # Errors
    /// Any of [`WriteFatError`].
    pub fn write<W: Write + Seek>(&self, sink: &mut W) -> Result<(), WriteFatError> {
        let geometry = Geometry::new(self.len, self.sector);
        if !(MIN_CLUSTERS..=268_435_444).contains(&geometry.clusters) {
            return Err(WriteFatError::Size { len: self.len, clusters: geometry.clusters });
        }
        let mut plan = Plan::new(&geometry);
        let mut dirs = self.directories()?;
        // Directories come first: their size is known once all names are.
        let mut starts = BTreeMap::new();
        for (path, dir) in &dirs {
            starts.insert(path.clone(), plan.chain(path, self.dir_len(path, dir))?);
        }
        let mut before = 0u64;
        let mut contents = Vec::new();
        for file in &self.files {
            if let Place::Beyond(bytes) = file.place {
                plan.next = plan.next.max(before.saturating_add(bytes.div_ceil(CLUSTER)));
            }
            before = plan.next;
            let cluster = plan.chain(&file.path, wide(file.content.len()))?;
            contents.push((cluster, &file.content));
            let (dir, name) = split(&file.path);
            let size = u32::try_from(file.content.len()).unwrap_or(u32::MAX);
            set(&mut dirs, dir, name, Node { attributes: ATTR_FILE, cluster, size });
        }
        for (path, cluster) in starts.iter().filter(|(path, _)| !path.is_empty()) {
            let (dir, name) = split(path);
            set(&mut dirs, dir, name, Node { attributes: ATTR_DIR, cluster: *cluster, size: 0 });
        }
        let io = |source| WriteFatError::Sink { source };
        for (path, dir) in &dirs {
            let cluster = starts.get(path).copied().unwrap_or(ROOT);
            let parent = starts.get(split(path).0).copied().unwrap_or(ROOT);
            let bytes = self.dir_bytes(path, dir, cluster, parent);
            write_at(sink, self.cluster_offset(&geometry, cluster), &bytes).map_err(io)?;
        }
        for (cluster, content) in contents.iter().filter(|(_, content)| !content.is_empty()) {
            write_at(sink, self.cluster_offset(&geometry, *cluster), content).map_err(io)?;
        }
        self.write_front(sink, &geometry, &plan).map_err(io)
    }

    fn cluster_offset(&self, geometry: &Geometry, cluster: u32) -> u64 {
        let front = geometry.reserved.saturating_add(geometry.fat_sectors.saturating_mul(2));
        let data = front.saturating_mul(self.sector.bytes());
        data.saturating_add(u64::from(cluster.saturating_sub(ROOT)).saturating_mul(CLUSTER))
    }

    fn directories(&self) -> Result<BTreeMap<String, Dir>, WriteFatError> {
        let mut dirs: BTreeMap<String, Dir> = BTreeMap::from([(String::new(), Dir::default())]);
        let none = Node { attributes: 0, cluster: 0, size: 0 };
        for file in &self.files {
            let error = || WriteFatError::Path { path: file.path.clone() };
            let parts: Vec<&str> = file.path.split('/').collect();
            let sound = |p: &&str| {
                !p.is_empty()
                    && p.len() < 200
                    && !p.starts_with('.')
                    && p.bytes().all(|b| (b' '..0x7f).contains(&b) && !b"\"*:<>?\\|".contains(&b))
            };
            if !parts.iter().all(sound) {
                return Err(error());
            }
            let mut dir = String::new();
            for (n, name) in parts.iter().enumerate() {
                let whole = if dir.is_empty() { (*name).to_owned() } else { format!("{dir}/{name}") };
                let is_file = n.saturating_add(1) == parts.len();
                let entries = &mut dirs.entry(dir).or_default().entries;
                let there = entries
                    .iter()
                    .find(|(other, _)| other.eq_ignore_ascii_case(name))
                    .map(|(other, _)| other == name);
                match there {
                    None => entries.push(((*name).to_owned(), none)),
                    Some(same) if is_file || !same => return Err(error()),
                    Some(_) => {}
                }
                if !is_file {
                    dirs.entry(whole.clone()).or_default();
                }
                dir = whole;
            }
            if dirs.contains_key(&dir) {
                return Err(error());
            }
        }
        let files: BTreeSet<&str> = self.files.iter().map(|f| &f.path[..]).collect();
        match dirs.keys().find(|path| files.contains(&path[..])) {
            Some(path) => Err(WriteFatError::Path { path: path.clone() }),
            None => Ok(dirs),
        }
    }

    fn dir_len(&self, path: &str, dir: &Dir) -> u64 {
        wide(self.dir_bytes(path, dir, 0, 0).len())
    }

    fn dir_bytes(&self, path: &str, dir: &Dir, cluster: u32, parent: u32) -> Vec<u8> {
        let mut out = Vec::new();
        if path.is_empty() {
            let mut label = [b' '; 11];
            put(&mut label, 0, self.label.as_bytes().get(..11).unwrap_or(self.label.as_bytes()));
            out.extend_from_slice(&self.entry(&label, Node { attributes: ATTR_LABEL, cluster: 0, size: 0 }));
        } else {
            let up = if parent == ROOT { 0 } else { parent };
            for (name, cluster) in [(b".          ", cluster), (b"..         ", up)] {
                out.extend_from_slice(&self.entry(name, Node { attributes: ATTR_DIR, cluster, size: 0 }));
            }
        }
        let mut taken: BTreeSet<Short> = BTreeSet::new();
        for (name, node) in &dir.entries {
            let (short, whole) = shorten(name, &taken);
            taken.insert(short);
            if !whole {
                out.extend(long_entries(name, &short).concat());
            }
            out.extend_from_slice(&self.entry(&short, *node));
        }
        out
    }

    fn entry(&self, short: &Short, node: Node) -> [u8; DIR_ENTRY] {
        let (date, time) = dos_time(self.time);
        let mut e = [0; DIR_ENTRY];
        put(&mut e, 0, short);
        put(&mut e, 11, &[node.attributes]);
        for (at, value) in [(14, time), (16, date), (18, date), (22, time), (24, date)] {
            put(&mut e, at, &value.to_le_bytes());
        }
        let [a, b, c, d] = node.cluster.to_le_bytes();
        put(&mut e, 20, &[c, d]);
        put(&mut e, 26, &[a, b]);
        put(&mut e, 28, &node.size.to_le_bytes());
        e
    }

    fn write_front<W: Write + Seek>(&self, sink: &mut W, geometry: &Geometry, plan: &Plan) -> io::Result<()> {
        let bytes = self.sector.bytes();
        let fat: Vec<u8> = plan.fat.iter().flat_map(|entry| entry.to_le_bytes()).collect();
        for copy in 0..2u64 {
            let sector = geometry.reserved.saturating_add(copy.saturating_mul(geometry.fat_sectors));
            write_at(sink, sector.saturating_mul(bytes), &fat)?;
        }
        let mut info = vec![0; self.sector.size()];
        put(&mut info, 0, b"RRaA");
        put(&mut info, 484, b"rrAa");
        let used = plan.fat.iter().skip(2).filter(|e| **e != 0).count();
        let free = geometry.clusters.saturating_sub(wide(used));
        put(&mut info, 488, &u32::try_from(free).unwrap_or(u32::MAX).to_le_bytes());
        put(&mut info, 492, &u32::try_from(plan.next).unwrap_or(u32::MAX).to_le_bytes());
        put(&mut info, 508, &[0, 0, 0x55, 0xaa]);
        let boot = self.boot_sector(geometry);
        for (sector, content) in [(7, &info), (6, &boot), (1, &info), (0, &boot)] {
            write_at(sink, bytes.saturating_mul(sector), content)?;
        }
        sink.flush()
    }

    fn boot_sector(&self, geometry: &Geometry) -> Vec<u8> {
        let sector = self.sector.bytes();
        let half = |n: u64| u16::try_from(n).unwrap_or(0).to_le_bytes();
        let word = |n: u64| u32::try_from(n).unwrap_or(0).to_le_bytes();
        let mut b = vec![0; self.sector.size()];
        put(&mut b, 0, &[0xeb, 0x58, 0x90]);
        put(&mut b, 3, b"mkfs.fat");
        put(&mut b, 11, &half(sector));
        put(&mut b, 13, &[u8::try_from(CLUSTER / sector).unwrap_or(1)]);
        put(&mut b, 14, &half(geometry.reserved));
        put(&mut b, 16, &[2]);
        put(&mut b, 21, &[0xf8]);
        put(&mut b, 24, &[63, 0, 255, 0]);
        put(&mut b, 28, &self.hidden.to_le_bytes());
        put(&mut b, 32, &word(self.len / sector));
        put(&mut b, 36, &word(geometry.fat_sectors));
        put(&mut b, 44, &ROOT.to_le_bytes());
        put(&mut b, 48, &[1, 0, 6, 0]);
        put(&mut b, 64, &[0x80, 0, 0x29]);
        put(&mut b, 67, &self.serial.to_le_bytes());
        let mut label = [b' '; 11];
        put(&mut label, 0, self.label.as_bytes().get(..11).unwrap_or(self.label.as_bytes()));
        put(&mut b, 71, &label);
        put(&mut b, 82, b"FAT32   ");
        // Whoever starts this sector comes back to the firmware: int 0x18.
        put(&mut b, 90, &[0xcd, 0x18, 0xeb, 0xfe]);
        put(&mut b, 510, &[0x55, 0xaa]);
        b
    }
}

/// Which cluster follows which.
struct Plan {
    fat: Vec<u32>,
    next: u64,
    clusters: u64,
}

impl Plan {
    fn new(geometry: &Geometry) -> Self {
        Self { fat: vec![0x0fff_fff8, END], next: u64::from(ROOT), clusters: geometry.clusters }
    }

    /// Takes clusters for `len` bytes in one piece and returns the first; 0 for none.
    fn chain(&mut self, path: &str, len: u64) -> Result<u32, WriteFatError> {
        let count = len.div_ceil(CLUSTER);
        let end = self.next.saturating_add(count);
        let (first, last) = (u32::try_from(self.next), u32::try_from(end));
        let (Ok(first), Ok(last), true) = (first, last, end <= self.clusters.saturating_add(2)) else {
            return Err(WriteFatError::Full { path: path.to_owned(), cluster: end, clusters: self.clusters });
        };
        if count == 0 {
            return Ok(0);
        }
        self.fat.resize(usize::try_from(first).unwrap_or(0), 0);
        self.fat.extend(first.saturating_add(1)..last);
        self.fat.push(END);
        self.next = end;
        Ok(first)
    }
}

fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

fn set(dirs: &mut BTreeMap<String, Dir>, dir: &str, name: &str, node: Node) {
    let entries = dirs.get_mut(dir).map(|dir| &mut dir.entries);
    if let Some((_, place)) = entries.and_then(|entries| entries.iter_mut().find(|(n, _)| n == name)) {
        *place = node;
    }
}

/// FAT's date and time of a number of seconds since 1970; 1980-01-01 for anything earlier.
fn dos_time(seconds: u32) -> (u16, u16) {
    let days = i64::from(seconds / 86_400);
    let second = seconds % 86_400;
    // Howard Hinnant's civil_from_days, for days not before 1970.
    let z = days + 719_468;
    let era = z / 146_097;
    let doe = z % 146_097;
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + i64::from(month <= 2);
    if year < 1980 {
        return (0x21, 0);
    }
    let date = u16::try_from((year - 1980) << 9 | month << 5 | day).unwrap_or(0x21);
    let time =
        u16::try_from((second / 3600) << 11 | (second / 60 % 60) << 5 | (second % 60 / 2)).unwrap_or(0);
    (date, time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    #[test]
    fn times() {
        assert_eq!(dos_time(0), (0x21, 0));
        // 2023-11-14 22:13:20 UTC.
        assert_eq!(dos_time(1_700_000_000), ((43 << 9) | (11 << 5) | 14, (22 << 11) | (13 << 5) | 10));
        // 2024-02-29 00:00:00 UTC.
        assert_eq!(dos_time(1_709_164_800).0, (44 << 9) | (2 << 5) | 29);
    }

    #[test]
    fn the_data_area_is_aligned() {
        for sector in [SectorSize::B512, SectorSize::B4096] {
            for mib in [264, 300, 512, 1000] {
                let g = Geometry::new(mib << 20, sector);
                assert_eq!((g.reserved + 2 * g.fat_sectors) * sector.bytes() % CLUSTER, 0);
                assert!(g.fat_sectors * sector.bytes() >= (g.clusters + 2) * 4);
                assert!(g.clusters >= MIN_CLUSTERS);
            }
        }
    }

    #[test]
    fn paths_that_cannot_be_are_refused() {
        let image = |paths: &[&str], len: u64| {
            let file = |p: &&str| FatFile { path: (*p).into(), content: vec![1], place: Place::Next };
            FatImage {
                label: "A".into(),
                serial: 1,
                sector: SectorSize::B512,
                len,
                hidden: 0,
                time: 0,
                files: paths.iter().map(file).collect(),
            }
            .write(&mut Cursor::new(Vec::new()))
        };
        for paths in
            [&["a", "A"][..], &["a/b", "a"], &["a", "a/b"], &["a//b"], &["../x"], &["x:y"], &["A/b", "a/c"]]
        {
            assert!(matches!(image(paths, 264 << 20), Err(WriteFatError::Path { .. })), "{paths:?}");
        }
        assert!(matches!(
            image(&["a"], 128 << 20),
            Err(WriteFatError::Size { clusters: 32_000..33_000, .. })
        ));
    }
}
