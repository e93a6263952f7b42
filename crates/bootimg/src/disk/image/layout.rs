//! Sizes of the partitions.
use crate::disk::gpt::{Partition, SectorSize, Table};
use crate::disk::guid::{Guid, Seed};
use esos_layout::part;
use esos_units::Bytes;

/// Sizes; each partition begins at a whole MiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// The disk's logical sector.
    pub sector: SectorSize,
    /// The EFI system partition, at least 257 MiB: FAT32 with 4 KiB clusters begins there.
    pub boot: Bytes,
    /// Each slot.
    pub slot: Bytes,
    /// `esos_conf`.
    pub conf: Bytes,
    /// `esos_logs`.
    pub logs: Bytes,
}

impl Default for Layout {
    /// Fits a stick sold as 4 GB.
    fn default() -> Self {
        Self {
            sector: SectorSize::B512,
            boot: Bytes::mib(264),
            slot: Bytes::gib(1),
            conf: Bytes::mib(256),
            logs: Bytes::mib(512),
        }
    }
}

/// Why a layout cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LayoutError {
    /// A size is no whole number of MiB, or zero.
    #[error("{name} has {size}, expected a whole number of MiB")]
    Size {
        /// The partition.
        name: &'static str,
        /// Its size.
        size: Bytes,
    },
    /// The table has no such partition.
    #[error("there is no partition {name}")]
    NoPartition {
        /// Its name.
        name: String,
    },
}

const MIB: u64 = 1 << 20;

impl Layout {
    /// Bytes of the whole disk: a MiB in front and one behind the partitions, for the tables.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let slots = self.slot.get().saturating_mul(2);
        [MIB, MIB, self.boot.get(), slots, self.conf.get(), self.logs.get(), MIB]
            .iter()
            .fold(0, |a, b| a.saturating_add(*b))
    }

    /// The partition table.
    ///
    /// # Errors
    /// [`LayoutError::Size`].
    pub fn table(&self, seed: &Seed) -> Result<Table, LayoutError> {
        let sector = self.sector.bytes();
        let mut at = MIB;
        let mut partitions = Vec::new();
        for (name, kind, size) in [
            (part::BIOS, Guid::BIOS_BOOT, Bytes::mib(1)),
            (part::BOOT, Guid::ESP, self.boot),
            (part::PRIMARY, Guid::LINUX, self.slot),
            (part::SECONDARY, Guid::LINUX, self.slot),
            (part::CONF, Guid::LINUX, self.conf),
            (part::LOGS, Guid::LINUX, self.logs),
        ] {
            if size.get() == 0 || !size.get().is_multiple_of(MIB) {
                return Err(LayoutError::Size { name, size });
            }
            let end = at.saturating_add(size.get());
            partitions.push(Some(Partition {
                name: name.to_owned(),
                kind,
                id: seed.guid(&format!("{name} partition")),
                first: at / sector,
                last: (end / sector).saturating_sub(1),
                attributes: 0,
            }));
            at = end;
        }
        Ok(Table { sector: self.sector, sectors: self.bytes() / sector, disk: seed.guid("disk"), partitions })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use esos_layout::part::number;

    #[test]
    fn numbers_are_those_of_the_contract() {
        let table = Layout::default().table(&Seed::from_text("x")).unwrap();
        for (name, n) in [
            (part::BIOS, number::BIOS),
            (part::BOOT, number::BOOT),
            (part::PRIMARY, number::PRIMARY),
            (part::SECONDARY, number::SECONDARY),
            (part::CONF, number::CONF),
            (part::LOGS, number::LOGS),
        ] {
            let (found, partition) = table.find(name).unwrap();
            assert_eq!(found, n as usize, "{name}");
            assert_eq!(partition.first % 2048, 0, "{name}");
        }
        assert!(table.extent(table.find(part::LOGS).unwrap().1).1 == 512 << 20);
        assert!(Layout::default().bytes() < 3_700_000_000, "a 4 GB stick has no more");
    }

    #[test]
    fn odd_sizes_are_refused() {
        let layout = Layout { conf: Bytes::new(1000), ..Layout::default() };
        assert!(matches!(
            layout.table(&Seed::from_text("x")),
            Err(LayoutError::Size { name: part::CONF, .. })
        ));
    }
}
