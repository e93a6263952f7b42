//! Writing an empty file system.
use super::{BLOCK, COMPAT, DESC, GROUP, INCOMPAT, INODE, MAGIC, RO_COMPAT, crc32c, has_super};
use crate::disk::bytes::{put, wide, write_at};
use std::io::{self, Seek, Write};

/// An empty file system to be, with a journal and `lost+found`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ext4Image {
    /// The label, at most 16 bytes.
    pub label: String,
    /// The file system's UUID.
    pub uuid: [u8; 16],
    /// The seed of directory hashes.
    pub hash_seed: [u8; 16],
    /// Bytes of the partition, 32 MiB to 16 TiB.
    pub len: u64,
    /// Every time in it, in seconds since 1970.
    pub time: u32,
}

/// Why a file system cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteExt4Error {
    /// The sink refuses.
    #[error("cannot write the ext4 file system")]
    Sink {
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Too small for a journal, or larger than we number.
    #[error("an ext4 of {len} bytes, expected 32 MiB to 16 TiB")]
    Size {
        /// Bytes of the partition.
        len: u64,
    },
}

const JOURNAL_INO: u32 = 8;
const LOST_FOUND_INO: u32 = 11;
/// Blocks of `lost+found`: names for a few hundred found files without a need to allocate.
const LOST_FOUND_BLOCKS: u64 = 4;

struct Group {
    first: u64,
    blocks: u64,
    bitmap: u64,
    inode_bitmap: u64,
    inode_table: u64,
    /// First block behind the tables.
    data: u64,
}

struct Plan<'a> {
    image: &'a Ext4Image,
    blocks: u64,
    groups: u64,
    desc_blocks: u64,
    inodes_per_group: u32,
    table_blocks: u64,
    journal: u64,
    seed: u32,
    /// Inode tables are not zero yet.
    lazy: bool,
}

impl Ext4Image {
    /// Writes the file system from offset 0 of the sink, which must read as zeros wherever nothing is
    /// written.
    ///
    /// # Errors
    /// [`WriteExt4Error`].
    pub fn write<W: Write + Seek>(&self, sink: &mut W) -> Result<(), WriteExt4Error> {
        self.make(sink, false)
    }

    /// Writes the file system onto a medium that held something else. Inode tables of all groups but the
    /// first are left as they are and marked so; the kernel zeroes them after the first mount. What
    /// [`Ext4Image::must_be_zero`] names must be zero.
    ///
    /// # Errors
    /// [`WriteExt4Error`].
    pub fn write_lazily<W: Write + Seek>(&self, sink: &mut W) -> Result<(), WriteExt4Error> {
        self.make(sink, true)
    }

    fn make<W: Write + Seek>(&self, sink: &mut W, lazy: bool) -> Result<(), WriteExt4Error> {
        if !(32 << 20..=16 << 40).contains(&self.len) {
            return Err(WriteExt4Error::Size { len: self.len });
        }
        let plan = Plan { lazy, ..Plan::new(self) };
        plan.write(sink).map_err(|source| WriteExt4Error::Sink { source })
    }

    /// First byte and length of what must be zero before a lazy writing: the inode table of the first
    /// group, and the journal, in which an old one's blocks must not be taken for its own.
    #[must_use]
    pub fn must_be_zero(&self) -> Vec<(u64, u64)> {
        let plan = Plan::new(self);
        let group = plan.group(0);
        let journal = group.data.saturating_add(LOST_FOUND_BLOCKS).saturating_add(1);
        vec![
            (offset(group.inode_table), offset(plan.table_blocks)),
            (offset(group.data), offset(journal.saturating_sub(group.data).saturating_add(plan.journal))),
        ]
    }
}

impl<'a> Plan<'a> {
    fn new(image: &'a Ext4Image) -> Self {
        let mut blocks = image.len / wide(BLOCK);
        // A last group too small for its own tables is left out.
        if blocks % GROUP < 2048 && blocks > GROUP {
            blocks = blocks.saturating_sub(blocks % GROUP);
        }
        let groups = blocks.div_ceil(GROUP);
        // One inode for 16 KiB, as mke2fs does, in whole table blocks.
        let wanted = (blocks / 4).div_ceil(groups).next_multiple_of(16).min(8192);
        let inodes_per_group = u32::try_from(wanted).unwrap_or(8192);
        let table_blocks = wanted.saturating_mul(wide(INODE)) / wide(BLOCK);
        let journal = match blocks {
            ..=32_767 => 1024,
            32_768..=262_143 => 4096,
            _ => 16_384,
        };
        let seed = crc32c(!0, &image.uuid);
        let desc_blocks = groups.saturating_mul(wide(DESC)).div_ceil(wide(BLOCK));
        Self {
            image,
            blocks,
            groups,
            desc_blocks,
            inodes_per_group,
            table_blocks,
            journal,
            seed,
            lazy: false,
        }
    }

    fn group(&self, number: u64) -> Group {
        let first = number.saturating_mul(GROUP);
        let front = if has_super(number) { self.desc_blocks.saturating_add(1) } else { 0 };
        let bitmap = first.saturating_add(front);
        let inode_table = bitmap.saturating_add(2);
        Group {
            first,
            blocks: self.blocks.saturating_sub(first).min(GROUP),
            bitmap,
            inode_bitmap: bitmap.saturating_add(1),
            inode_table,
            data: inode_table.saturating_add(self.table_blocks),
        }
    }

    /// Blocks of group 0 in use behind its tables: root directory, `lost+found`, journal.
    fn used_in_first(&self) -> u64 {
        self.journal.saturating_add(LOST_FOUND_BLOCKS).saturating_add(1)
    }

    fn used(&self, number: u64, group: &Group) -> u64 {
        let tables = group.data.saturating_sub(group.first);
        if number == 0 { tables.saturating_add(self.used_in_first()) } else { tables }
    }

    fn write<W: Write + Seek>(&self, sink: &mut W) -> io::Result<()> {
        let mut descriptors = Vec::new();
        let mut free_blocks = 0u64;
        for number in 0..self.groups {
            let group = self.group(number);
            let used = self.used(number, &group);
            free_blocks = free_blocks.saturating_add(group.blocks.saturating_sub(used));
            let bitmap = bitmap(used, group.blocks);
            let reserved = if number == 0 { u64::from(LOST_FOUND_INO) } else { 0 };
            let inode_bitmap = self::bitmap(reserved, u64::from(self.inodes_per_group));
            write_at(sink, offset(group.bitmap), &bitmap)?;
            write_at(sink, offset(group.inode_bitmap), &inode_bitmap)?;
            descriptors.extend(self.descriptor(number, &group, &bitmap, &inode_bitmap));
        }
        for number in (0..self.groups).filter(|n| has_super(*n)).rev() {
            let first = self.group(number).first;
            write_at(sink, offset(first.saturating_add(1)), &descriptors)?;
            let at = if number == 0 { 1024 } else { offset(first) };
            write_at(sink, at, &self.superblock(number, free_blocks))?;
        }
        self.write_inodes(sink)
    }

    fn write_inodes<W: Write + Seek>(&self, sink: &mut W) -> io::Result<()> {
        let group = self.group(0);
        let root = group.data;
        let lost = root.saturating_add(1);
        let journal = lost.saturating_add(LOST_FOUND_BLOCKS);
        let root_inode = self.inode(2, 0o40755, 3, root, 1);
        let lost_inode = self.inode(LOST_FOUND_INO, 0o40700, 2, lost, LOST_FOUND_BLOCKS);
        let journal_inode = self.inode(JOURNAL_INO, 0o100600, 1, journal, self.journal);
        for (number, inode) in [(2, root_inode), (JOURNAL_INO, journal_inode), (LOST_FOUND_INO, lost_inode)] {
            let at = u64::from(number).saturating_sub(1).saturating_mul(wide(INODE));
            write_at(sink, offset(group.inode_table).saturating_add(at), &inode)?;
        }
        let names: [(u32, &[u8]); 3] = [(2, b"."), (2, b".."), (LOST_FOUND_INO, b"lost+found")];
        write_at(sink, offset(root), &self.directory(2, &names))?;
        let names: [(u32, &[u8]); 2] = [(LOST_FOUND_INO, b"."), (2, b"..")];
        write_at(sink, offset(lost), &self.directory(LOST_FOUND_INO, &names))?;
        for n in 1..LOST_FOUND_BLOCKS {
            write_at(sink, offset(lost.saturating_add(n)), &self.directory(LOST_FOUND_INO, &[]))?;
        }
        write_at(sink, offset(journal), &self.journal_superblock())
    }

    fn descriptor(&self, number: u64, group: &Group, bitmap: &[u8], inode_bitmap: &[u8]) -> [u8; DESC] {
        let mut d = [0; DESC];
        let first = number == 0;
        let free_blocks = group.blocks.saturating_sub(self.used(number, group));
        let taken = if first { LOST_FOUND_INO } else { 0 };
        let free_inodes = self.inodes_per_group.saturating_sub(taken);
        for (lo, hi, block) in
            [(0, 32, group.bitmap), (4, 36, group.inode_bitmap), (8, 40, group.inode_table)]
        {
            put_split(&mut d, lo, hi, block);
        }
        // Both counts fit 16 bits: a group has 32768 blocks, less its tables, and at most 8192 inodes.
        put(&mut d, 12, &u16::try_from(free_blocks).unwrap_or(0).to_le_bytes());
        put(&mut d, 14, &u16::try_from(free_inodes).unwrap_or(0).to_le_bytes());
        put(&mut d, 16, &[if first { 2 } else { 0 }]);
        // Inode tables are zeroed; where no inode is in use the bitmap need not be read either.
        let zeroed = if self.lazy && !first { 0 } else { 4 };
        put(&mut d, 18, &[if first { zeroed } else { zeroed | 1 }]);
        put(&mut d, 28, &u16::try_from(free_inodes).unwrap_or(0).to_le_bytes());
        let inode_bytes = usize::try_from(self.inodes_per_group / 8).unwrap_or(0);
        let sums = [
            crc32c(self.seed, bitmap),
            crc32c(self.seed, inode_bitmap.get(..inode_bytes).unwrap_or_default()),
        ];
        for ((lo, hi), sum) in [(24, 56), (26, 58)].into_iter().zip(sums) {
            let [a, b, c, e] = sum.to_le_bytes();
            put(&mut d, lo, &[a, b]);
            put(&mut d, hi, &[c, e]);
        }
        let sum = descriptor_checksum(self.seed, number, &d);
        put(&mut d, 30, &sum.to_le_bytes());
        d
    }

    fn superblock(&self, number: u64, free_blocks: u64) -> Vec<u8> {
        let image = self.image;
        let inodes = u64::from(self.inodes_per_group).saturating_mul(self.groups);
        let word = |n: u64| u32::try_from(n & 0xffff_ffff).unwrap_or(0);
        let mut s = vec![0; 1024];
        let words = [
            (0x00, word(inodes)),
            (0x04, word(self.blocks)),
            (0x0c, word(free_blocks)),
            (0x10, word(inodes.saturating_sub(u64::from(LOST_FOUND_INO)))),
            (0x18, 2),
            (0x1c, 2),
            (0x20, word(GROUP)),
            (0x24, word(GROUP)),
            (0x28, self.inodes_per_group),
            (0x30, image.time),
            (0x40, image.time),
            (0x4c, 1),
            (0x54, LOST_FOUND_INO),
            (0x5c, COMPAT),
            (0x60, INCOMPAT),
            (0x64, RO_COMPAT),
            (0xe0, JOURNAL_INO),
            // user_xattr and acl by default.
            (0x100, 0x0c),
            (0x108, image.time),
            (0x150, word(self.blocks >> 32)),
            (0x158, word(free_blocks >> 32)),
            // Hashes of names are of signed characters.
            (0x160, 1),
        ];
        for (at, value) in words {
            put(&mut s, at, &value.to_le_bytes());
        }
        let halves = [
            (0x36, u16::MAX),
            (0x38, MAGIC),
            (0x3a, 1),
            (0x3c, 1),
            (0x58, u16::try_from(INODE).unwrap_or(0)),
            (0x5a, u16::try_from(number & 0xffff).unwrap_or(0)),
            (0xfe, u16::try_from(DESC).unwrap_or(0)),
            (0x15c, 32),
            (0x15e, 32),
        ];
        for (at, value) in halves {
            put(&mut s, at, &value.to_le_bytes());
        }
        put(&mut s, 0x68, &image.uuid);
        put(&mut s, 0x78, image.label.as_bytes().get(..16).unwrap_or(image.label.as_bytes()));
        put(&mut s, 0xec, &image.hash_seed);
        // Half MD4, and a copy of the journal's inode.
        put(&mut s, 0xfc, &[1, 1]);
        let journal = self.group(0).data.saturating_add(1 + LOST_FOUND_BLOCKS);
        let inode = self.inode(JOURNAL_INO, 0o100600, 1, journal, self.journal);
        put(&mut s, 0x10c, inode.get(40..100).unwrap_or_default());
        put(&mut s, 0x10c + 64, inode.get(4..8).unwrap_or_default());
        put(&mut s, 0x175, &[1]);
        let sum = crc32c(!0, s.get(..1020).unwrap_or_default());
        put(&mut s, 1020, &sum.to_le_bytes());
        s
    }

    /// An inode whose blocks lie in one piece.
    fn inode(&self, number: u32, mode: u16, links: u16, first: u64, blocks: u64) -> Vec<u8> {
        let time = self.image.time.to_le_bytes();
        let mut i = vec![0; INODE];
        put(&mut i, 0, &mode.to_le_bytes());
        let size = u32::try_from(blocks.saturating_mul(wide(BLOCK))).unwrap_or(0);
        put(&mut i, 4, &size.to_le_bytes());
        for at in [8, 12, 16, 0x90] {
            put(&mut i, at, &time);
        }
        put(&mut i, 26, &links.to_le_bytes());
        let sectors = u32::try_from(blocks.saturating_mul(8)).unwrap_or(0);
        put(&mut i, 28, &sectors.to_le_bytes());
        // Mapped by extents.
        put(&mut i, 32, &0x8_0000u32.to_le_bytes());
        for (at, half) in [(40, 0xf30a_u16), (42, 1), (44, 4), (46, 0)] {
            put(&mut i, at, &half.to_le_bytes());
        }
        put(&mut i, 56, &u16::try_from(blocks).unwrap_or(0).to_le_bytes());
        put(&mut i, 58, &u16::try_from(first >> 32).unwrap_or(0).to_le_bytes());
        put(&mut i, 60, &u32::try_from(first & 0xffff_ffff).unwrap_or(0).to_le_bytes());
        put(&mut i, 0x80, &32u16.to_le_bytes());
        let [a, b, c, d] = crc32c(self.inode_seed(number), &i).to_le_bytes();
        put(&mut i, 0x7c, &[a, b]);
        put(&mut i, 0x82, &[c, d]);
        i
    }

    /// Checksums of what belongs to an inode begin here; the generation of all of ours is 0.
    fn inode_seed(&self, number: u32) -> u32 {
        crc32c(crc32c(self.seed, &number.to_le_bytes()), &[0; 4])
    }

    /// One block of a directory; with no names, an empty one.
    fn directory(&self, inode: u32, names: &[(u32, &[u8])]) -> Vec<u8> {
        let end = BLOCK - 12;
        let mut block = vec![0; BLOCK];
        let mut at = 0;
        for (n, (target, name)) in names.iter().enumerate() {
            let last = n.saturating_add(1) == names.len();
            let len =
                if last { end.saturating_sub(at) } else { name.len().saturating_add(8).next_multiple_of(4) };
            put(&mut block, at, &target.to_le_bytes());
            put(&mut block, at.saturating_add(4), &u16::try_from(len).unwrap_or(0).to_le_bytes());
            put(&mut block, at.saturating_add(6), &[u8::try_from(name.len()).unwrap_or(0), 2]);
            put(&mut block, at.saturating_add(8), name);
            at = at.saturating_add(len);
        }
        if names.is_empty() {
            put(&mut block, 4, &u16::try_from(end).unwrap_or(0).to_le_bytes());
        }
        let sum = crc32c(self.inode_seed(inode), block.get(..end).unwrap_or_default());
        put(&mut block, end.saturating_add(4), &[12, 0, 0, 0xde]);
        put(&mut block, end.saturating_add(8), &sum.to_le_bytes());
        block
    }

    /// Of an empty journal, big-endian (`include/linux/jbd2.h`).
    fn journal_superblock(&self) -> Vec<u8> {
        let mut j = vec![0; 1024];
        let length = u32::try_from(self.journal).unwrap_or(0);
        let block = u32::try_from(BLOCK).unwrap_or(0);
        for (at, value) in [(0, 0xc03b_3998), (4, 4), (12, block), (16, length), (20, 1), (24, 1), (0x40, 1)]
        {
            put(&mut j, at, &u32::to_be_bytes(value));
        }
        j
    }
}

fn offset(block: u64) -> u64 {
    block.saturating_mul(wide(BLOCK))
}

fn put_split(bytes: &mut [u8], lo: usize, hi: usize, value: u64) {
    let [a, b, c, d, e, f, g, h] = value.to_le_bytes();
    put(bytes, lo, &[a, b, c, d]);
    put(bytes, hi, &[e, f, g, h]);
}

/// A block of bits: the first `used` set, those from `valid` on set too, as nobody may have them.
fn bitmap(used: u64, valid: u64) -> Vec<u8> {
    let set = |bit: u64| bit < used || bit >= valid;
    (0..wide(BLOCK))
        .map(|byte| {
            let first = byte.saturating_mul(8);
            (0..8).fold(0u8, |bits, n| bits | u8::from(set(first.saturating_add(n))) << n)
        })
        .collect()
}

/// The checksum in a group descriptor: of the group's number, and of its bytes with the place of the
/// checksum itself zero.
pub(super) fn descriptor_checksum(seed: u32, number: u64, descriptor: &[u8]) -> u16 {
    let number = u32::try_from(number & 0xffff_ffff).unwrap_or(0);
    let sum = crc32c(seed, &number.to_le_bytes());
    let sum = crc32c(sum, descriptor.get(..30).unwrap_or_default());
    let sum = crc32c(sum, &[0; 2]);
    let sum = crc32c(sum, descriptor.get(32..).unwrap_or_default());
    u16::try_from(sum & 0xffff).unwrap_or(0)
}
