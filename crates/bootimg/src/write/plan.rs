//! What a medium will be like.
use crate::disk::gpt::{Copy, GptError, Partition, SectorSize, Table};
use crate::disk::image::{Layout, LayoutError};
use crate::disk::{Guid, Seed};
use esos_layout::part;
use esos_units::Bytes;
use std::io::{Read, Seek};

/// What must be known of a medium.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Bytes of it.
    pub bytes: u64,
    /// Bytes of its logical sector.
    pub sector: u64,
    /// Whether it reads as zeros: a file that was just made.
    pub fresh: bool,
}

/// Why an image cannot be written onto a medium.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanWriteError {
    /// It is no image.
    #[error("the image has no partition table")]
    Table(#[from] GptError),
    /// It lacks a partition.
    #[error("the image has no partition {name}")]
    NoPartition {
        /// Its name.
        name: &'static str,
    },
    /// The layout of the stick that an ISO becomes cannot be.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// The slot of an ISO is larger than that of a stick.
    #[error("the ISO's slot has {has}, a stick has room for {room}", has = Bytes::new(*has), room = Bytes::new(*room))]
    Slot {
        /// Bytes of the slot.
        has: u64,
        /// Bytes of a stick's slot.
        room: u64,
    },
    /// Partitions do not begin and end at whole MiB.
    #[error("partition {name} of the image does not begin and end at a whole MiB")]
    Odd {
        /// Its name.
        name: String,
    },
    /// The medium is too small.
    #[error("the medium has {has}, the image needs {needs}", has = Bytes::new(*has), needs = Bytes::new(*needs))]
    TooSmall {
        /// Bytes of the medium.
        has: u64,
        /// Bytes of the image.
        needs: u64,
    },
    /// The medium's sectors are neither of 512 nor of 4096 bytes.
    #[error("the medium has sectors of {sector} bytes, expected 512 or 4096")]
    Sector {
        /// Bytes of a sector.
        sector: u64,
    },
}

/// What will be done to a medium.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WritePlan {
    pub(super) source: Table,
    pub(super) target: Table,
    pub(super) facts: Facts,
    pub(super) empty_conf: bool,
}

pub(super) const MIB: u64 = 1 << 20;
/// From this size on a medium gets `esos_data`, and `esos_logs` this much.
const LARGE: u64 = 128 << 30;
const LOGS_OF_LARGE: u64 = 64 << 30;
/// The largest ext4 that we number.
const MAX_EXT4: u64 = 16 << 40;

/// Plans to write the image onto a medium.
///
/// # Errors
/// [`PlanWriteError`].
pub fn plan<R: Read + Seek>(image: &mut R, facts: Facts) -> Result<WritePlan, PlanWriteError> {
    let source = Table::read(image, Copy::Primary)?;
    let sector = match facts.sector {
        512 => SectorSize::B512,
        4096 => SectorSize::B4096,
        sector => return Err(PlanWriteError::Sector { sector }),
    };
    // An ISO has one slot and nothing to write to: the stick that it becomes is as any other.
    let like = if source.is_iso() {
        let layout = Layout { sector: source.sector, ..Layout::default() };
        layout.table(&Seed::from_text(&format!("{:?}", source.disk)))?
    } else {
        source.clone()
    };
    let needs = like.sectors.saturating_mul(like.sector.bytes());
    if facts.bytes < needs {
        return Err(PlanWriteError::TooSmall { has: facts.bytes, needs });
    }
    let sectors = facts.bytes / sector.bytes();
    // The backup table has the last MiB.
    let end = (facts.bytes / MIB).saturating_sub(1).saturating_mul(MIB);
    let size = |table: &Table, name| table.find(name).map_or(0, |(_, p)| table.extent(p).1);
    let (has, room) = (size(&source, part::PRIMARY), size(&like, part::PRIMARY));
    if has > room {
        return Err(PlanWriteError::Slot { has, room });
    }
    let mut partitions = Vec::new();
    for name in [part::BIOS, part::BOOT, part::PRIMARY, part::SECONDARY, part::CONF, part::LOGS] {
        let (_, old) = like.find(name).ok_or(PlanWriteError::NoPartition { name })?;
        let (start, len) = like.extent(old);
        if !start.is_multiple_of(MIB) || !len.is_multiple_of(MIB) || start == 0 {
            return Err(PlanWriteError::Odd { name: name.to_owned() });
        }
        let len = match name {
            part::LOGS if facts.bytes > LARGE => LOGS_OF_LARGE,
            part::LOGS => end.saturating_sub(start).min(MAX_EXT4),
            _ => len,
        };
        partitions.push(Some(moved(old, start, len, sector)));
        if name == part::LOGS && facts.bytes > LARGE {
            let first = start.saturating_add(len);
            let id = Seed::from_text(&format!("{:?} {}", like.disk, part::DATA)).guid(part::DATA);
            let data = Partition { name: part::DATA.to_owned(), kind: Guid::LINUX, id, ..old.clone() };
            let len = end.saturating_sub(first).min(MAX_EXT4 / MIB * MIB);
            partitions.push(Some(moved(&data, first, len, sector)));
        }
    }
    let empty_conf = source.is_iso();
    let target = Table { sector, sectors, disk: like.disk, partitions };
    Ok(WritePlan { source, target, facts, empty_conf })
}

fn moved(partition: &Partition, start: u64, len: u64, sector: SectorSize) -> Partition {
    let bytes = sector.bytes();
    let last = (start.saturating_add(len) / bytes).saturating_sub(1);
    Partition { first: start / bytes, last, ..partition.clone() }
}

impl WritePlan {
    /// With an empty `esos_conf` instead of the source's: a stick in use may be writing to it.
    #[must_use]
    pub fn with_empty_conf(mut self) -> Self {
        self.empty_conf = true;
        self
    }

    /// The partition table that the medium gets.
    #[must_use]
    pub fn table(&self) -> &Table {
        &self.target
    }

    /// Name and size of every partition that the medium gets.
    pub fn partitions(&self) -> impl Iterator<Item = (&str, Bytes)> {
        self.target
            .partitions
            .iter()
            .flatten()
            .map(|p| (p.name.as_str(), Bytes::new(self.target.extent(p).1)))
    }

    /// What the source has and the medium gets as it is, but the boot partition.
    pub(super) fn copied(&self) -> impl Iterator<Item = &'static str> {
        let secondary = (!self.source.is_iso()).then_some(part::SECONDARY);
        let conf = (!self.empty_conf).then_some(part::CONF);
        [part::BIOS, part::PRIMARY].into_iter().chain(secondary).chain(conf)
    }

    /// File systems that are made anew.
    pub(super) fn emptied(&self) -> impl Iterator<Item = &'static str> {
        self.empty_conf.then_some(part::CONF).into_iter().chain([part::LOGS, part::DATA])
    }

    /// The beginning of the slot that an ISO does not have: whatever lay there is no slot.
    pub(super) fn blanked(&self) -> Option<(u64, u64)> {
        let slot = self.target.find(part::SECONDARY).filter(|_| self.source.is_iso());
        slot.map(|(_, slot)| (self.target.extent(slot).0, MIB))
    }

    /// The end of the medium, first byte and length.
    pub(super) fn tail(&self) -> (u64, u64) {
        let end = self.facts.bytes;
        let tail = (end / MIB).saturating_sub(1).saturating_mul(MIB);
        (tail, end.saturating_sub(tail))
    }
}
