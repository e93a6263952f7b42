//! Where a small file of a FAT32 file system lies.
//!
//! The slot state on the stick's ESP is read and written by sectors, never through a mount: mounting a
//! FAT read-write rewrites its boot sector. This finds the sectors. Only short (8.3) names are looked
//! at; the files in question have such names.
use crate::ReadAt;
use crate::source::little;
use std::io;

/// A FAT32 file system, read at offsets from its partition's start.
#[derive(Clone, Copy)]
pub struct Fat<'a> {
    part: &'a dyn ReadAt,
    cluster_bytes: u64,
    fat_at: u64,
    data_at: u64,
    clusters: u64,
    root: u64,
}

impl std::fmt::Debug for Fat<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fat").field("cluster_bytes", &self.cluster_bytes).finish_non_exhaustive()
    }
}

/// A file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FatFile {
    /// Byte of the partition at which its first cluster starts.
    pub offset: u64,
    /// Its bytes.
    pub length: u64,
}

/// Why a file is not found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FatError {
    /// Not FAT32.
    #[error("no FAT32: {problem}")]
    NotFat {
        /// What is wrong with the boot sector.
        problem: &'static str,
    },
    /// The chain of clusters leads nowhere.
    #[error("broken chain of clusters at {cluster}")]
    Chain {
        /// The cluster.
        cluster: u64,
    },
    /// No such file or directory.
    #[error("no {path}")]
    NotFound {
        /// Its path.
        path: String,
    },
    /// The partition cannot be read.
    #[error("cannot read the FAT")]
    Read(#[from] io::Error),
}

/// A directory of ours holds a dozen entries; one of more than this is broken.
const MOST_CLUSTERS: usize = 256;
const DIRECTORY: u8 = 0x10;
const LONG_NAME: u8 = 0x0f;

impl<'a> Fat<'a> {
    /// Reads the boot sector.
    ///
    /// # Errors
    /// [`FatError::NotFat`], [`FatError::Read`].
    pub fn open(part: &'a dyn ReadAt) -> Result<Self, FatError> {
        let not = |problem| FatError::NotFat { problem };
        let mut boot = [0; 512];
        part.read_at(0, &mut boot)?;
        let sector = little(&boot, 11, 2);
        let per_cluster = little(&boot, 13, 1);
        let (reserved, copies, length) = (little(&boot, 14, 2), little(&boot, 16, 1), little(&boot, 36, 4));
        if little(&boot, 510, 2) != 0xaa55 || !(512..=4096).contains(&sector) || !sector.is_power_of_two() {
            return Err(not("no boot sector"));
        }
        if !per_cluster.is_power_of_two() || copies == 0 || little(&boot, 22, 2) != 0 || length == 0 {
            return Err(not("another kind of FAT"));
        }
        // All factors are below 2^32, so products of two fit.
        let fat_at = reserved.saturating_mul(sector);
        let data_at = fat_at.saturating_add(copies.saturating_mul(length).saturating_mul(sector));
        let total = little(&boot, 32, 4).saturating_mul(sector);
        let cluster_bytes = per_cluster.saturating_mul(sector);
        let clusters = total.saturating_sub(data_at).checked_div(cluster_bytes).unwrap_or(0);
        Ok(Self { part, cluster_bytes, fat_at, data_at, clusters, root: little(&boot, 44, 4) })
    }

    /// Finds a file, or a directory, by its path of short names, in any case.
    ///
    /// # Errors
    /// [`FatError`].
    pub fn find(&self, path: &str) -> Result<FatFile, FatError> {
        let (mut cluster, mut length) = (self.root, 0);
        for name in path.split('/') {
            let wanted = short_name(name).ok_or_else(|| FatError::NotFound { path: path.to_owned() })?;
            let entry = self.entry(cluster, &wanted)?;
            (cluster, length) = entry.ok_or_else(|| FatError::NotFound { path: path.to_owned() })?;
        }
        Ok(FatFile { offset: self.offset(cluster)?, length })
    }

    /// First cluster and length of an entry of the directory at `cluster`.
    fn entry(&self, mut cluster: u64, wanted: &[u8; 11]) -> Result<Option<(u64, u64)>, FatError> {
        let mut bytes = vec![0; usize::try_from(self.cluster_bytes).unwrap_or(512)];
        for _ in 0..MOST_CLUSTERS {
            self.part.read_at(self.offset(cluster)?, &mut bytes)?;
            for entry in bytes.chunks_exact(32) {
                let attributes = entry.get(11).copied().unwrap_or(0);
                match entry.first() {
                    Some(0) => return Ok(None),
                    Some(0xe5) | None => {}
                    Some(_) if attributes & LONG_NAME == LONG_NAME => {}
                    Some(_) if entry.get(..11) == Some(wanted) => {
                        let first = (little(entry, 20, 2) << 16) | little(entry, 26, 2);
                        let length = if attributes & DIRECTORY == 0 { little(entry, 28, 4) } else { 0 };
                        return Ok(Some((first, length)));
                    }
                    Some(_) => {}
                }
            }
            cluster = match self.next(cluster)? {
                Some(next) => next,
                None => return Ok(None),
            };
        }
        Err(FatError::Chain { cluster })
    }

    fn next(&self, cluster: u64) -> Result<Option<u64>, FatError> {
        let mut link = [0; 4];
        self.part.read_at(self.fat_at.saturating_add(cluster.saturating_mul(4)), &mut link)?;
        Ok(Some(little(&link, 0, 4) & 0x0fff_ffff).filter(|next| *next < 0x0fff_fff8))
    }

    fn offset(&self, cluster: u64) -> Result<u64, FatError> {
        let index =
            cluster.checked_sub(2).filter(|i| *i < self.clusters).ok_or(FatError::Chain { cluster })?;
        Ok(self.data_at.saturating_add(index.saturating_mul(self.cluster_bytes)))
    }
}

/// `name.ext` as a directory entry holds it; `None` for what is no short name.
fn short_name(name: &str) -> Option<[u8; 11]> {
    let (base, ext) = name.split_once('.').unwrap_or((name, ""));
    let fits = !base.is_empty() && base.len() <= 8 && ext.len() <= 3 && name.is_ascii();
    let padded = base.bytes().chain(std::iter::repeat(b' ')).take(8);
    let all = padded.chain(ext.bytes().chain(std::iter::repeat(b' ')).take(3));
    let mut short = [b' '; 11];
    short.iter_mut().zip(all).for_each(|(to, from)| *to = from.to_ascii_uppercase());
    fits.then_some(short)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A FAT32 of 2 MiB with `esos/state/` and in it the files named, one sector each.
    pub(crate) fn fat(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut part = vec![0u8; 2 << 20];
        let (sector, reserved, fat_sectors) = (512usize, 32usize, 32usize);
        part[11..13].copy_from_slice(&512u16.to_le_bytes());
        part[13] = 8;
        part[14..16].copy_from_slice(&32u16.to_le_bytes());
        part[16] = 2;
        part[32..36].copy_from_slice(&4096u32.to_le_bytes());
        part[36..40].copy_from_slice(&32u32.to_le_bytes());
        part[44..48].copy_from_slice(&2u32.to_le_bytes());
        part[510..512].copy_from_slice(&[0x55, 0xaa]);
        let data = (reserved + 2 * fat_sectors) * sector;
        let at = |cluster: usize| data + (cluster - 2) * 4096;
        let entry = |name: &str, dir: bool, cluster: u16, length: usize| {
            let mut e = [0u8; 32];
            e[..11].copy_from_slice(&short_name(name).unwrap());
            e[11] = if dir { DIRECTORY } else { 0x20 };
            e[26..28].copy_from_slice(&cluster.to_le_bytes());
            e[28..32].copy_from_slice(&u32::try_from(length).unwrap().to_le_bytes());
            e
        };
        let end = 0x0fff_ffffu32.to_le_bytes();
        for cluster in 2..5 + files.len() {
            let link = reserved * sector + cluster * 4;
            part[link..link + 4].copy_from_slice(&end);
        }
        part[at(2)..at(2) + 32].copy_from_slice(&[0xe5; 32]);
        let mut long = entry("ESOS", false, 9, 9);
        long[11] = LONG_NAME;
        part[at(2) + 32..at(2) + 64].copy_from_slice(&long);
        part[at(2) + 64..at(2) + 96].copy_from_slice(&entry("esos", true, 3, 0));
        part[at(3)..at(3) + 32].copy_from_slice(&entry("state", true, 4, 0));
        for (i, (name, bytes)) in files.iter().enumerate() {
            let cluster = 5 + i;
            let e = entry(name, false, u16::try_from(cluster).unwrap(), bytes.len());
            part[at(4) + 32 * i..at(4) + 32 * (i + 1)].copy_from_slice(&e);
            part[at(cluster)..at(cluster) + bytes.len()].copy_from_slice(bytes);
        }
        part
    }

    #[test]
    fn files_are_found_where_they_lie() {
        let part = fat(&[("ca", b"control a"), ("stick", b"identity")]);
        let fs = Fat::open(&part).unwrap();
        let file = fs.find("esos/state/stick").unwrap();
        let at = usize::try_from(file.offset).unwrap();
        assert_eq!((&part[at..at + 8], file.length), (b"identity".as_slice(), 8));
        assert_eq!(fs.find("ESOS/State/cb").unwrap_err().to_string(), "no ESOS/State/cb");
        assert_eq!(
            fs.find("esos/a name that is long").unwrap_err().to_string(),
            "no esos/a name that is long"
        );
        assert_eq!(Fat::open(&vec![0u8; 512]).unwrap_err().to_string(), "no FAT32: no boot sector");
    }

    #[test]
    fn a_ring_of_clusters_ends() {
        let mut part = fat(&[]);
        // The root directory is full and leads to itself.
        let root = (32 + 64) * 512;
        part[root..root + 4096].fill(0xe5);
        part[32 * 512 + 8..32 * 512 + 12].copy_from_slice(&2u32.to_le_bytes());
        let fs = Fat::open(&part).unwrap();
        assert!(matches!(fs.find("esos"), Err(FatError::Chain { cluster: 2 })));
    }

    proptest! {
        #[test]
        fn any_damage_gives_an_answer(at in 0usize..60_000, bytes in proptest::collection::vec(any::<u8>(), 1..64)) {
            let mut part = fat(&[("ca", b"control a")]);
            part[at..at + bytes.len()].copy_from_slice(&bytes);
            if let Ok(fs) = Fat::open(&part) {
                let _answer = fs.find("esos/state/ca");
            }
        }
    }
}
