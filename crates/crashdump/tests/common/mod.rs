//! The recorded core, unpacked.
#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "fixtures are files")]
use esos_crashdump::ReadAt;
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::LazyLock;

/// A file that is mostly zeros, with only its other blocks in memory.
pub(crate) struct Sparse {
    blocks: BTreeMap<u64, Vec<u8>>,
    size: u64,
}

const BLOCK: usize = 4096;

impl Sparse {
    pub(crate) fn new(mut from: impl Read) -> io::Result<Self> {
        let (mut blocks, mut size) = (BTreeMap::new(), 0);
        loop {
            let mut block = Vec::with_capacity(BLOCK);
            let n = (&mut from).take(BLOCK as u64).read_to_end(&mut block)?;
            if n == 0 {
                return Ok(Self { blocks, size });
            }
            if block.iter().any(|b| *b != 0) {
                blocks.insert(size / BLOCK as u64, block);
            }
            size += n as u64;
        }
    }

    /// Changes bytes.
    pub(crate) fn poke(&mut self, at: u64, bytes: &[u8]) {
        for (at, byte) in (at..).zip(bytes) {
            let block = self.blocks.entry(at / BLOCK as u64).or_insert_with(|| vec![0; BLOCK]);
            if let Some(b) = block.get_mut(at as usize % BLOCK) {
                *b = *byte;
            }
        }
    }

    pub(crate) fn cut(&mut self, size: u64) {
        self.size = size;
    }

    /// Offsets of the blocks that are not zero.
    pub(crate) fn blocks(&self) -> Vec<u64> {
        self.blocks.keys().map(|n| n * BLOCK as u64).collect()
    }
}

impl ReadAt for Sparse {
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        let within = at as usize % BLOCK;
        let n = (BLOCK - within).min(buffer.len()).min(self.size.saturating_sub(at) as usize);
        let part = &mut buffer[..n];
        part.fill(0);
        if let Some(block) = self.blocks.get(&(at / BLOCK as u64)) {
            let have = block.len().saturating_sub(within).min(n);
            part[..have].copy_from_slice(&block[within..within + have]);
        }
        Ok(n)
    }

    fn size(&self) -> u64 {
        self.size
    }
}

/// The core of a Debian 6.12 kernel: only the pages that sorting needs, the others are zero.
pub(crate) fn skeleton() -> &'static Sparse {
    static SKELETON: LazyLock<Sparse> = LazyLock::new(fresh_skeleton);
    &SKELETON
}

/// The same, to be changed.
pub(crate) fn fresh_skeleton() -> Sparse {
    let packed = std::fs::File::open(esos_fixtures::path("crashdump/r2-6.12.skel.zst")).unwrap();
    Sparse::new(zstd::Decoder::new(packed).unwrap()).unwrap()
}

pub(crate) fn recorded_dmesg() -> Vec<u8> {
    std::fs::read(esos_fixtures::path("crashdump/r2-6.12.skel.dmesg")).unwrap()
}
