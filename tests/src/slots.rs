//! A stick with both slots filled, out of two images.
use esos_bootimg::disk::fat::Fat;
use esos_bootimg::disk::gpt::{Copy, Table};
use esos_bootimg::disk::{Region, read_records, state};
use esos_layout::part;
use esos_layout::state::{CONTROL_FILES, Control};
use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::process::Command;

/// Copies `image` to `to`, its holes with it, and writes the first slot of `second` into the second slot
/// of the copy, good from the start.
///
/// # Errors
/// In words, where an image is none, or the slot does not fit.
pub fn with_secondary(image: &Path, second: &Path, to: &Path) -> Result<(), Box<dyn Error>> {
    let copied = Command::new("cp").arg("--sparse=always").args([image, to]).status()?;
    if !copied.success() {
        return Err(format!("cp {} {}: {copied}", image.display(), to.display()).into());
    }
    let mut disk = OpenOptions::new().read(true).write(true).open(to)?;
    let table = Table::read(&mut disk, Copy::Primary)?;
    let place = |table: &Table, name: &str| {
        let (_, partition) = table.find(name).ok_or_else(|| format!("no partition {name}"))?;
        Ok::<_, String>(table.extent(partition))
    };

    let mut source = File::open(second)?;
    let (start, length) = place(&Table::read(&mut source, Copy::Primary)?, part::PRIMARY)?;
    let (target, room) = place(&table, part::SECONDARY)?;
    if length > room {
        return Err(format!("the slot has {length} bytes, its new place has {room}").into());
    }
    source.seek(SeekFrom::Start(start))?;
    copy_data(&mut source.take(length), &mut disk, target)?;

    set_control(&mut disk, &state::fresh(true))
}

/// Writes both control records of a stick.
///
/// # Errors
/// In words, where the disk has none.
pub fn set_control(disk: &mut File, control: &Control) -> Result<(), Box<dyn Error>> {
    let table = Table::read(&mut *disk, Copy::Primary)?;
    let (_, boot) = table.find(part::BOOT).ok_or("no EFI system partition")?;
    let (start, length) = table.extent(boot);
    let records = read_records(&mut Fat::open(Region::new(&mut *disk, start, length))?)?;
    for (path, extent) in records.places {
        if CONTROL_FILES.iter().any(|name| path == format!("{}/{name}", part::STATE_DIR)) {
            disk.seek(SeekFrom::Start(start.saturating_add(extent.start)))?;
            disk.write_all(&control.encode())?;
        }
    }
    Ok(())
}

/// What is not all zeros; the rest is a hole already.
fn copy_data(from: &mut impl Read, disk: &mut File, mut at: u64) -> io::Result<()> {
    let mut block = vec![0; 1 << 20];
    loop {
        let mut filled = 0;
        while let Some(room) = block.get_mut(filled..).filter(|room| !room.is_empty()) {
            match from.read(room)? {
                0 => break,
                n => filled += n,
            }
        }
        let data = block.get(..filled).unwrap_or_default();
        if data.is_empty() {
            return Ok(());
        }
        if data.iter().any(|byte| *byte != 0) {
            disk.seek(SeekFrom::Start(at))?;
            disk.write_all(data)?;
        }
        at = at.saturating_add(filled as u64);
    }
}
