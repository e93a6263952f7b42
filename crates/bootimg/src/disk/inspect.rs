//! What is on a disk, without judging it.
use super::fat::Fat;
use super::gpt::{Copy, GptError, Table};
use super::guid::Guid;
use super::records::{Records, read_records};
use super::region::Region;
use super::slot::FileSum;
use super::squashfs::{Image, ReadSquashError};
use super::state::State;
use esos_layout::state::{Control, SlotState};
use esos_layout::{Slot, part, slot};
use std::io::{Read, Seek};

/// A disk or an image of one.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Inspection {
    /// Bytes of the whole.
    pub size_bytes: u64,
    /// Bytes of its logical sector.
    pub sector_bytes: u64,
    /// The identity in its partition table.
    pub disk_guid: Guid,
    /// The partitions.
    pub partitions: Vec<PartitionInfo>,
    /// The identity of the stick, `unset` in a fresh image.
    pub stick: Option<String>,
    /// The slot state.
    pub state: Option<StateInfo>,
    /// Both slots; of an ISO, its one.
    pub slots: Vec<SlotInfo>,
    /// What could not be read, one sentence each.
    pub problems: Vec<String>,
}

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct PartitionInfo {
    /// Its GPT entry, from 1.
    pub number: usize,
    /// Its name.
    pub name: String,
    /// Its first byte.
    pub start_bytes: u64,
    /// Its size.
    pub size_bytes: u64,
    /// Its type.
    pub kind: Guid,
    /// Its identity.
    pub id: Guid,
}

/// The slot state.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct StateInfo {
    /// The control record that holds; none where both are damaged.
    pub control: Option<Control>,
    /// Both copies: `whole`, or what is wrong.
    pub copies: Vec<String>,
    /// The slot that GRUB starts by itself.
    pub default: Option<Slot>,
    /// Per slot, its three attempt records: an epoch, or what is wrong.
    pub attempts: Vec<Vec<String>>,
}

/// One slot.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct SlotInfo {
    /// Which.
    pub slot: Slot,
    /// What the control record says of it.
    pub state: Option<SlotState>,
    /// Tries left in its epoch.
    pub tries_left: Option<usize>,
    /// Its version; none where there is no slot.
    pub version: Option<String>,
    /// Bytes in use.
    pub used_bytes: u64,
    /// Its files, with the hashes that its own list has (`verify` computes them).
    pub files: Vec<FileSum>,
    /// The packages in its root; those that only helped to build it are in its `packages.lock`.
    pub packages: Vec<PackageInfo>,
    /// Why it cannot be read, where it is neither whole nor blank.
    pub problem: Option<String>,
}

/// One package of a slot.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct PackageInfo {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its architecture.
    pub architecture: String,
}

/// The largest text file of a slot that is read whole.
const MAX_TEXT: u64 = 8 << 20;

/// Looks at a disk. Whatever can be read is told; a damaged part is a problem, not an error.
///
/// # Errors
/// [`GptError`] where neither copy of the partition table can be read.
pub fn inspect<R: Read + Seek>(disk: &mut R) -> Result<Inspection, GptError> {
    let mut problems = Vec::new();
    let table = either(disk, &mut problems)?;
    let info = |(at, p): (usize, &Option<super::gpt::Partition>)| {
        let p = p.as_ref()?;
        let (start_bytes, size_bytes) = table.extent(p);
        let number = at.saturating_add(1);
        Some(PartitionInfo { number, name: p.name.clone(), start_bytes, size_bytes, kind: p.kind, id: p.id })
    };
    let partitions: Vec<PartitionInfo> = table.partitions.iter().enumerate().filter_map(info).collect();
    let records = match region(disk, &table, part::BOOT) {
        None => Err(format!("there is no partition {}", part::BOOT)),
        Some(esp) => Fat::open(esp)
            .map_err(|e| e.to_string())
            .and_then(|mut fat| read_records(&mut fat).map_err(|e| e.to_string())),
    };
    let records = records.map_err(|problem| problems.push(format!("{}: {problem}", part::BOOT))).ok();
    let slots = Slot::ALL
        .into_iter()
        .filter(|slot| *slot == Slot::Primary || !table.is_iso())
        .map(|slot| slot_info(disk, &table, slot, records.as_ref().map(|r| &r.state)))
        .collect();
    Ok(Inspection {
        size_bytes: table.sectors.saturating_mul(table.sector.bytes()),
        sector_bytes: table.sector.bytes(),
        disk_guid: table.disk,
        partitions,
        stick: records.as_ref().and_then(|r| r.stick.clone()),
        state: records.as_ref().map(state_info),
        slots,
        problems,
    })
}

/// The first copy of the partition table, or else the second.
pub(crate) fn either<R: Read + Seek>(disk: &mut R, problems: &mut Vec<String>) -> Result<Table, GptError> {
    match Table::read(disk, Copy::Primary) {
        Ok(table) => Ok(table),
        Err(primary) => {
            problems.push(primary.to_string());
            Table::read(disk, Copy::Backup).map_err(|_backup| primary)
        }
    }
}

/// A partition by its name.
pub(crate) fn region<'a, R>(disk: &'a mut R, table: &Table, name: &str) -> Option<Region<&'a mut R>> {
    let (_, partition) = table.find(name)?;
    let (start, len) = table.extent(partition);
    Some(Region::new(disk, start, len))
}

fn state_info(records: &Records) -> StateInfo {
    let copies = records.state.controls.iter().map(|copy| match copy {
        Ok(_) => "whole".to_owned(),
        Err(error) => error.to_string(),
    });
    let attempt = |a: &Result<esos_layout::state::Attempt, _>| match a {
        Ok(attempt) => attempt.epoch.to_string(),
        Err(error) => ToString::to_string(&error),
    };
    StateInfo {
        control: records.state.newest().map(|(_, control)| control),
        copies: copies.collect(),
        default: records.state.default_slot(),
        attempts: records.state.attempts.iter().map(|own| own.iter().map(attempt).collect()).collect(),
    }
}

fn slot_info<R: Read + Seek>(disk: &mut R, table: &Table, which: Slot, state: Option<&State>) -> SlotInfo {
    let mut info = SlotInfo {
        slot: which,
        state: state.map(|s| s.control().slot(which).state),
        tries_left: state.map(|s| s.tries_left(which)),
        version: None,
        used_bytes: 0,
        files: Vec::new(),
        packages: Vec::new(),
        problem: None,
    };
    let Some(mut area) = region(disk, table, which.partition()) else {
        info.problem = Some(format!("there is no partition {}", which.partition()));
        return info;
    };
    let image = match Image::open(&mut area) {
        Ok(image) => image,
        Err(ReadSquashError::None { blank: true }) => return info,
        Err(error) => {
            info.problem = Some(error.to_string());
            return info;
        }
    };
    info.used_bytes = image.len;
    let mut text = |name: &str| text(&image, &mut area, name);
    let sums = text(slot::SUMS).unwrap_or_default();
    info.files = image
        .files()
        .iter()
        .map(|file| {
            let sum = sums_of(&sums).find(|(_, name)| *name == file.name).map_or("", |(sum, _)| sum);
            FileSum { name: file.name.clone(), bytes: file.len, sha256: sum.to_owned() }
        })
        .collect();
    info.version = text(slot::VERSION).map(|v| v.trim_end().to_owned());
    info.packages = text(slot::PACKAGES).unwrap_or_default().lines().filter_map(package).collect();
    info
}

/// A small text file of a slot; `None` where there is none, or it is large or no text.
pub(crate) fn text<R: Read + Seek>(image: &Image, slot: &mut R, name: &str) -> Option<String> {
    let file = image.file(name).filter(|f| f.len <= MAX_TEXT)?;
    let mut text = String::new();
    file.reader(slot).read_to_string(&mut text).ok()?;
    Some(text)
}

/// Lines of a `sha256sum` list: hash and name.
pub(crate) fn sums_of(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().filter_map(|line| line.split_once("  "))
}

/// A line of a package lock: name, version, architecture, hash, and more; none for a package that is not in
/// the root.
fn package(line: &str) -> Option<PackageInfo> {
    if line.split(' ').any(|word| word == "build-only") {
        return None;
    }
    let mut words = line.split(' ');
    let (name, version, architecture) = (words.next()?, words.next()?, words.next()?);
    words.next().filter(|hash| hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit()))?;
    Some(PackageInfo {
        name: name.to_owned(),
        version: version.to_owned(),
        architecture: architecture.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::package;

    #[test]
    fn a_package_that_only_built_the_image_is_none_of_the_slot() {
        let line =
            |role: &str| format!("dkms 3.2.2-1 all {} 77 debian main pool/d/dkms.deb{role}", "a".repeat(64));
        for (role, there) in
            [("", true), (" tools", true), (" build-only", false), (" tools build-only dkms", false)]
        {
            assert_eq!(package(&line(role)).is_some(), there, "{role}");
        }
        assert_eq!(package("suite trixie"), None);
    }
}
