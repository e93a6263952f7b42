//! FAT32: the EFI system partition.
//!
//! The writer makes a whole file system at once, with fixed serial number and times; 4 KiB clusters
//! that lie on 4 KiB boundaries of the disk, so a one-sector file has its cluster, and its native
//! sector on a 4K disk, to itself. The reader walks the FAT to a file's sectors: that is how the running
//! box rewrites a state file without ever mounting the partition.
//!
//! Format: Microsoft's "FAT32 File System Specification", 1.03.
mod name;
mod read;
mod write;

pub use read::{Entry, Extent, Fat, ReadFatError};
pub use write::{FatFile, FatImage, Place, WriteFatError};

/// Bytes of a cluster.
pub(crate) const CLUSTER: u64 = 4096;
/// A file system with fewer clusters would be FAT16.
pub(crate) const MIN_CLUSTERS: u64 = 65_525;
/// The first cluster of the root directory.
pub(crate) const ROOT: u32 = 2;
/// Marks the end of a chain.
pub(crate) const END: u32 = 0x0fff_ffff;
pub(crate) const DIR_ENTRY: usize = 32;
pub(crate) const ATTR_DIR: u8 = 0x10;
pub(crate) const ATTR_FILE: u8 = 0x20;
pub(crate) const ATTR_LABEL: u8 = 0x08;
pub(crate) const ATTR_LONG: u8 = 0x0f;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::gpt::SectorSize;
    use std::io::Cursor;

    fn files() -> Vec<FatFile> {
        let file = |path: &str, content: Vec<u8>, place| FatFile { path: path.into(), content, place };
        vec![
            file("esos/state/ca", vec![b'a'; 512], Place::Next),
            file("esos/state/cb", vec![b'b'; 512], Place::Beyond(4 << 20)),
            file("esos/grub.cfg", vec![b'g'; 5000], Place::Next),
            file("EFI/BOOT/BOOTX64.EFI", (0..900_000u32).map(|n| n as u8).collect(), Place::Next),
            file("a name that is Long.text", b"long".to_vec(), Place::Next),
            file("a name that is Longer.text", b"longer".to_vec(), Place::Next),
            file("EMPTY", vec![], Place::Next),
        ]
    }

    fn image(sector: SectorSize) -> Cursor<Vec<u8>> {
        let image = FatImage {
            label: "ESOS_BOOT".into(),
            serial: 0x1234_5678,
            sector,
            len: 264 << 20,
            hidden: 2048,
            time: 1_700_000_000,
            files: files(),
        };
        let mut disk = Cursor::new(vec![0; 264 << 20]);
        image.write(&mut disk).unwrap();
        disk
    }

    #[test]
    fn what_is_written_is_read_and_checks_clean() {
        for sector in [SectorSize::B512, SectorSize::B4096] {
            let mut disk = image(sector);
            let mut fat = Fat::open(&mut disk).unwrap();
            assert_eq!(fat.label(), "ESOS_BOOT");
            for file in files() {
                assert_eq!(fat.read(&file.path).unwrap(), file.content, "{}", file.path);
            }
            assert_eq!(fat.read("/Esos/STATE/Ca").unwrap(), [b'a'; 512]);
            assert!(matches!(fat.read("esos/none"), Err(ReadFatError::NotFound { .. })));
            let at =
                |fat: &mut Fat<&mut Cursor<Vec<u8>>>, path: &str| fat.find(path).unwrap().extents[0].start;
            let (ca, cb) = (at(&mut fat, "esos/state/ca"), at(&mut fat, "esos/state/cb"));
            assert!(cb - ca >= 4 << 20 && ca % 4096 == 0 && cb % 4096 == 0);
            assert_eq!(fat.check(), Vec::<String>::new());
        }
    }

    #[test]
    fn damage_is_named() {
        let mut disk = image(SectorSize::B512);
        let (fat_at, second) = {
            let mut fat = Fat::open(&mut disk).unwrap();
            let entry = fat.find("EFI/BOOT/BOOTX64.EFI").unwrap();
            (fat.fat_offset(entry.cluster), fat.fat_offset(entry.cluster) + fat.fat_bytes())
        };
        let mut one = disk.clone();
        one.get_mut()[fat_at as usize] ^= 1;
        let findings = Fat::open(&mut one).unwrap().check();
        assert!(findings.iter().any(|f| f.contains("copies of the FAT differ")), "{findings:?}");
        assert!(findings.iter().any(|f| f.contains("BOOTX64.EFI")), "{findings:?}");
        disk.get_mut()[second as usize] ^= 1;
        let findings = Fat::open(&mut disk).unwrap().check();
        assert_eq!(findings.len(), 1, "{findings:?}");
    }
}
