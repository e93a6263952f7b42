//! Every hash and every file system of a disk.
mod slot_files;

use super::bytes::{hex, read_at, u16_at};
use super::ext4;
use super::fat::Fat;
use super::gpt::{Copy, GptError, Table};
use super::inspect::{either, region, sums_of};
use super::iso;
use super::records::{Records, read_records};
use super::state;
use esos_layout::state::SlotState;
use esos_layout::{Slot, part};
use sha2::{Digest, Sha256};
use std::io::{Read, Seek};

/// One thing that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// The partition, or `partition table`.
    pub place: String,
    /// The file in it, where it is about one.
    pub file: Option<String>,
    /// What was found, and what was expected.
    pub what: String,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.file {
            Some(file) => write!(f, "{}: {file}: {}", self.place, self.what),
            None => write!(f, "{}: {}", self.place, self.what),
        }
    }
}

/// The result of a verification.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct Verification {
    /// Everything that is wrong; empty for a sound disk.
    pub findings: Vec<Finding>,
    /// Files whose hash was computed and compared.
    pub files: usize,
    /// Frames of root images whose hash was computed and compared.
    pub frames: usize,
    /// Bytes that were hashed.
    pub hashed_bytes: u64,
}

impl Verification {
    pub(super) fn add(&mut self, place: &str, file: Option<&str>, what: impl ToString) {
        let file = file.map(str::to_owned);
        self.findings.push(Finding { place: place.to_owned(), file, what: what.to_string() });
    }
}

const TABLE: &str = "partition table";

/// Verifies a disk or an image: both copies of the partition table, the boot loader against its recorded
/// hashes, the FAT, the state records, every file of both slots and every frame of their root images,
/// and the checksums of the ext4 file systems. `progress` is told the bytes hashed so far.
///
/// # Errors
/// [`GptError`] where neither copy of the partition table can be read; everything else is a finding.
pub fn verify<R: Read + Seek>(disk: &mut R, progress: &mut dyn FnMut(u64)) -> Result<Verification, GptError> {
    let mut out = Verification::default();
    let mut problems = Vec::new();
    let table = either(disk, &mut problems)?;
    for problem in problems {
        out.add(TABLE, None, problem);
    }
    match Table::read(disk, Copy::Backup) {
        Ok(backup) if backup != table => out.add(TABLE, None, "the two copies differ"),
        Ok(_) => {}
        Err(error) => out.add(TABLE, None, error),
    }
    protective(disk, &mut out);
    let records = boot(disk, &table, &mut out, progress);
    for slot in Slot::ALL.into_iter().filter(|slot| *slot == Slot::Primary || !table.is_iso()) {
        let state = records.as_ref().map(|r| r.state.control().slot(slot).state);
        slot_files::check(disk, &table, slot, state.unwrap_or(SlotState::Good), &mut out, progress);
    }
    let stick = !table.is_iso();
    for (name, needed) in [(part::CONF, stick), (part::LOGS, stick), (part::DATA, false)] {
        match region(disk, &table, name) {
            None if needed => out.add(name, None, "there is no such partition"),
            None => {}
            Some(mut area) => match ext4::check(&mut area) {
                Err(error) => out.add(name, None, error),
                Ok(found) => {
                    for what in &found.findings {
                        out.add(name, None, what);
                    }
                    if found.label != name {
                        out.add(name, None, format!("its label is `{}`", found.label));
                    }
                }
            },
        }
    }
    Ok(out)
}

/// Verifies one slot, whatever the slot state says of it: every file, every frame of its root image, and
/// that its files are the ones that its description names.
#[must_use]
pub fn verify_slot<R: Read + Seek>(
    disk: &mut R,
    table: &Table,
    slot: Slot,
    progress: &mut dyn FnMut(u64),
) -> Verification {
    let mut out = Verification::default();
    slot_files::check(disk, table, slot, SlotState::Good, &mut out, progress);
    out
}

fn protective<R: Read + Seek>(disk: &mut R, out: &mut Verification) {
    match read_at(disk, 0, 512) {
        Err(error) => out.add(TABLE, None, format!("cannot read the first sector: {error}")),
        Ok(mbr) => {
            let kind = mbr.get(450).copied().unwrap_or(0);
            if kind != 0xee || mbr.get(510..) != Some(&[0x55, 0xaa]) {
                out.add(
                    TABLE,
                    None,
                    format!("no protective entry in the first sector: type {kind:#04x}, expected 0xee"),
                );
            }
        }
    }
}

fn boot<R: Read + Seek>(
    disk: &mut R,
    table: &Table,
    out: &mut Verification,
    progress: &mut dyn FnMut(u64),
) -> Option<Records> {
    let name = part::BOOT;
    let bios = bios_core(disk, table);
    let mbr = read_at(disk, 0, 440).map_err(|e| e.to_string());
    let volume = read_at(disk, iso::VOLUME.0, iso::VOLUME.1).map_err(|e| e.to_string());
    let Some(area) = region(disk, table, name) else {
        out.add(name, None, "there is no such partition");
        return None;
    };
    let mut fat = match Fat::open(area) {
        Ok(fat) => fat,
        Err(error) => {
            out.add(name, None, error);
            return None;
        }
    };
    for what in fat.check() {
        out.add(name, None, what);
    }
    let sums = fat.read(part::BOOT_SUMS).map_err(|e| e.to_string());
    match sums.and_then(|bytes| String::from_utf8(bytes).map_err(|e| e.to_string())) {
        Err(error) => out.add(name, Some(part::BOOT_SUMS), error),
        Ok(sums) => {
            let listed = table.is_iso().then_some(part::ISO_ENTRY);
            for expected in
                [part::MBR_ENTRY, part::BIOS_ENTRY, part::EFI_LOADER, part::GRUB_CFG, part::GRUB_CFG_COPY]
                    .into_iter()
                    .chain(listed)
            {
                if !sums_of(&sums).any(|(_, n)| n == expected) {
                    out.add(name, Some(part::BOOT_SUMS), format!("it has no line for {expected}"));
                }
            }
            for (sum, file) in sums_of(&sums) {
                let (place, bytes) = match file {
                    part::MBR_ENTRY => (TABLE, mbr.clone()),
                    part::BIOS_ENTRY => (part::BIOS, bios.clone()),
                    part::ISO_ENTRY => ("volume", volume.clone()),
                    _ => (name, fat.read(file).map_err(|e| e.to_string())),
                };
                match bytes {
                    Err(error) => out.add(place, Some(file), error),
                    Ok(bytes) => {
                        let found = hex(&Sha256::digest(&bytes));
                        out.files = out.files.saturating_add(1);
                        out.hashed_bytes = out.hashed_bytes.saturating_add(super::bytes::wide(bytes.len()));
                        progress(out.hashed_bytes);
                        if found != sum {
                            out.add(place, Some(file), format!("SHA-256 {found}, expected {sum}"));
                        }
                    }
                }
            }
        }
    }
    records(&mut fat, out)
}

fn records<R: Read + Seek>(fat: &mut Fat<R>, out: &mut Verification) -> Option<Records> {
    let name = part::BOOT;
    let records = match read_records(fat) {
        Ok(records) => records,
        Err(error) => {
            out.add(name, Some(part::STATE_DIR), error);
            return None;
        }
    };
    let found = &records.state;
    let [a, b] = &found.controls;
    for (file, copy) in esos_layout::state::CONTROL_FILES.into_iter().zip([a, b]) {
        if let Err(error) = copy {
            out.add(name, Some(file), error);
        }
    }
    for (slot, own) in Slot::ALL.into_iter().zip(&found.attempts) {
        for (k, attempt) in (1u8..).zip(own) {
            if let Err(error) = attempt {
                let file = esos_layout::state::attempt_file(slot, k).unwrap_or_default();
                out.add(name, Some(&file), error);
            }
        }
    }
    if records.stick.is_none() {
        out.add(name, Some(part::STICK_FILE), "the identity of the stick is damaged");
    }
    let misplaced = records.places.iter().filter(|(_, at)| at.start % 4096 != 0 || at.len < 4096);
    for (file, at) in misplaced {
        out.add(name, Some(file), format!("lies at byte {}, expected a 4 KiB cluster of its own", at.start));
    }
    if found.newest().is_some_and(|(_, c)| c == state::lost()) {
        out.add(name, None, "the control records say what GRUB assumes when they are lost");
    }
    Some(records)
}

/// GRUB's core as its own block list describes it.
fn bios_core<R: Read + Seek>(disk: &mut R, table: &Table) -> Result<Vec<u8>, String> {
    let Some(mut area) = region(disk, table, part::BIOS) else {
        return Err("there is no such partition".to_owned());
    };
    let first = read_at(&mut area, 0, 512).map_err(|e| e.to_string())?;
    let sectors = usize::from(u16_at(&first, 508).unwrap_or(0)).saturating_add(1);
    let len = sectors.saturating_mul(512);
    if super::bytes::wide(len) > area.len() {
        return Err(format!("its block list has {sectors} sectors, more than the partition"));
    }
    read_at(&mut area, 0, len).map_err(|e| e.to_string())
}
