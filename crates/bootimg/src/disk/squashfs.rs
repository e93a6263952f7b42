//! One flat, uncompressed squashfs 4.0: the file system of a slot.
//!
//! Read-only, found by GRUB's `squash4`, the kernel and `unsquashfs`, written as one stream. Data is
//! stored as it is (kernel, initramfs and root image are compressed already), every file in one piece
//! that begins on a 4 KiB boundary, so a file can also be read straight from its offset.
//!
//! Format: the kernel's `fs/squashfs/squashfs_fs.h`; GRUB reads the fragment table's offset even where
//! there are no fragments (`grub-core/fs/squash4.c`), so it must lie inside the image.
mod read;
mod write;

pub use read::{File, Image, ReadSquashError};
pub use write::{WriteSquashError, Writer};

/// Bytes of a data block.
pub(crate) const BLOCK: usize = 128 << 10;
pub(crate) const BLOCK_LOG: u16 = 17;
/// Bytes of a metadata block, before its header of two.
pub(crate) const META: usize = 8192;
pub(crate) const MAGIC: &[u8; 4] = b"hsqs";
/// Set in a data block's size when the block is not compressed.
pub(crate) const RAW_DATA: u32 = 1 << 24;
/// Set in a metadata block's header when the block is not compressed.
pub(crate) const RAW_META: u16 = 0x8000;
/// Inodes, data, fragments and ids uncompressed; no fragments; no xattrs.
pub(crate) const FLAGS: u16 = 0x0001 | 0x0002 | 0x0008 | 0x0010 | 0x0200 | 0x0800;
pub(crate) const SUPERBLOCK: usize = 96;
/// Files begin at multiples of this.
pub(crate) const ALIGN: u64 = 4096;
/// The most files in a slot; far more than a slot has, and small enough for one pass.
pub(crate) const MAX_FILES: usize = 1024;
/// The longest name that squashfs has.
pub(crate) const MAX_NAME: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::{Cursor, Read};

    fn image(files: &[(&str, Vec<u8>)]) -> Cursor<Vec<u8>> {
        let mut writer = Writer::new(Cursor::new(Vec::new()), 1_700_000_000).unwrap();
        for (name, bytes) in files {
            writer.add(name, bytes.len() as u64, &mut &bytes[..]).unwrap();
        }
        let (sink, len) = writer.finish().unwrap();
        assert_eq!(sink.get_ref().len() as u64, len);
        sink
    }

    #[test]
    fn what_is_written_is_read() {
        let files = [
            ("vmlinuz", vec![7; 3 * BLOCK + 5]),
            ("empty", vec![]),
            ("initrd.img", (0..100_000u32).flat_map(u32::to_le_bytes).collect()),
        ];
        let mut disk = image(&files);
        let image = Image::open(&mut disk).unwrap();
        let names: Vec<&str> = image.files().iter().map(|f| &f.name[..]).collect();
        assert_eq!(names, ["empty", "initrd.img", "vmlinuz"]);
        for (name, bytes) in &files {
            let mut found = Vec::new();
            image.file(name).unwrap().reader(&mut disk).read_to_end(&mut found).unwrap();
            assert_eq!(&found, bytes, "{name}");
        }
    }

    #[test]
    fn a_name_twice_a_wrong_length_and_a_slash_are_refused() {
        let mut writer = Writer::new(Cursor::new(Vec::new()), 0).unwrap();
        writer.add("a", 1, &mut &b"x"[..]).unwrap();
        assert!(matches!(writer.add("a", 1, &mut &b"x"[..]), Err(WriteSquashError::Name { .. })));
        assert!(matches!(writer.add("b/c", 1, &mut &b"x"[..]), Err(WriteSquashError::Name { .. })));
        let short = writer.add("d", 3, &mut &b"x"[..]).unwrap_err();
        assert!(matches!(short, WriteSquashError::Length { announced: 3, found: 1, .. }), "{short}");
        let long = writer.add("e", 1, &mut &b"xy"[..]).unwrap_err();
        assert!(matches!(long, WriteSquashError::Length { announced: 1, found: 2, .. }), "{long}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_damaged_image_gives_an_answer(at in 0usize..96, metadata in 0usize..400, byte: u8, cut: bool) {
            let files = [("a", vec![1; 200_000]), ("bb", vec![2; 10])];
            let mut disk = image(&files);
            let tables = disk.get_ref().len() - 4096 + metadata;
            disk.get_mut()[at] = byte;
            if let Some(place) = disk.get_mut().get_mut(tables) {
                *place = byte;
            }
            if cut {
                disk.get_mut().truncate(tables);
            }
            if let Ok(image) = Image::open(&mut disk) {
                for file in image.files() {
                    let mut sink = Vec::new();
                    let _answer = file.reader(&mut disk).take(1 << 20).read_to_end(&mut sink);
                }
            }
        }
    }
}
