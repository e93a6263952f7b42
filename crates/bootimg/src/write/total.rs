//! How much a plan writes.
use super::pieces::Pieces;
use super::plan::{MIB, WritePlan};
use crate::disk::Medium;
use esos_layout::part;
use std::io;

/// A medium of that many bytes that keeps nothing.
struct Nowhere(u64);

impl Medium for Nowhere {
    fn len(&self) -> u64 {
        self.0
    }

    fn sector(&self) -> u64 {
        512
    }

    fn read_at(&self, buffer: &mut [u8], _at: u64) -> io::Result<()> {
        buffer.fill(0);
        Ok(())
    }

    fn write_at(&self, _bytes: &[u8], _at: u64) -> io::Result<()> {
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

impl WritePlan {
    /// Bytes that are written and read back before the partition table is; what is written twice counts once.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let copied: u64 = self.copied().filter_map(|name| self.places(name)).map(|(from, _)| from.1).sum();
        let boot = self.places(part::BOOT).map_or(0, |(_, to)| to.1);
        let (nowhere, mut silent) = (Nowhere(self.facts.bytes), |_| {});
        let mut made = Pieces::new(&nowhere, false, &mut silent);
        for name in self.emptied() {
            // One that cannot be made says so when it is made.
            let _made = self.empty(&mut made, name, 0).is_ok() && made.end().is_ok();
        }
        let blank = self.blanked().map_or(0, |(_, len)| len);
        [copied, boot, made.bytes(), blank, MIB, self.tail().1].iter().sum()
    }
}
