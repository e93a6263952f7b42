//! Disks with many small slots, each in a partition of its own, that one start of GRUB goes through: so a hundred
//! kinds of damage are tried in the time of one.
use esos_bootimg::disk::fat::{FatFile, FatImage, Place};
use esos_bootimg::disk::gpt::{Partition, SectorSize, Table};
use esos_bootimg::disk::grub::{BootLoader, Menu, embed, mbr_code};
use esos_bootimg::disk::slot::{SlotFile, SlotParts, write};
use esos_bootimg::disk::{Guid, Region, Seed};
use esos_layout::slot::{DEBUG_INITRAMFS, DEBUG_KERNEL, INITRAMFS, KERNEL};
use std::error::Error;
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

const MIB: u64 = 1 << 20;
/// First byte and length of the core's partition, and of the EFI system partition.
const BIOS: (u64, u64) = (MIB, MIB);
const ESP: (u64, u64) = (2 * MIB, 264 * MIB);
/// Bytes of a slot's partition.
const SLOT: u64 = MIB;
/// What GRUB prints behind the last one.
pub const END: &str = "CHECK-END";
/// As many slots as a partition table of the usual size has room for.
pub const MOST: u64 = 126;

/// First byte and length of each slot, where there are so many.
pub fn extents(slots: u64) -> impl Iterator<Item = (u64, u64)> {
    (0..slots.min(MOST)).map(|n| (n.saturating_mul(SLOT).saturating_add(ESP.0 + ESP.1), SLOT))
}

/// The files of a slot with something in them; nothing that a processor could run.
fn parts<'a>(kernel: &'a [u8], initramfs: &'a [u8]) -> SlotParts<'a> {
    let files =
        [(KERNEL, kernel), (INITRAMFS, initramfs), (DEBUG_KERNEL, initramfs), (DEBUG_INITRAMFS, kernel)];
    SlotParts {
        version: "1.0".to_owned(),
        files: files.map(|(name, bytes)| SlotFile::bytes(name, bytes)).into(),
        ..SlotParts::default()
    }
}

/// Checks each slot's Production and Debug files, and says what came of it.
fn script(slots: u64) -> String {
    let numbers: Vec<String> = (0..slots.min(MOST)).map(|n| n.saturating_add(3).to_string()).collect();
    format!(
        "if [ \"$grub_platform\" = \"pc\" ]; then serial --unit=0 --speed=115200; terminal_output serial; fi
{}
for esos_n in {}; do
  for esos_list in boot boot-debug; do
    esos_check \"($esos_disk,gpt$esos_n)\" $esos_list
    echo \"CHECKED $esos_n $esos_list [$esos_ok]\"
  done
done
echo {END}
sleep 1000
",
        Menu::default().logic(),
        numbers.join(" ")
    )
}

/// What GRUB said of a slot (from 0 on), its Production files and its Debug files; `None` where it said nothing.
#[must_use]
pub fn verdict(console: &str, slot: u64) -> Option<(bool, bool)> {
    let number = slot.saturating_add(3);
    let of = |list: &str| {
        let line = format!("CHECKED {number} {list} [");
        Some(console.split_once(&line)?.1.starts_with("1]"))
    };
    Some((of("boot")?, of("boot-debug")?))
}

/// Writes a disk with so many whole slots, all the same.
///
/// # Errors
/// In words.
pub fn disk(path: &Path, boot: &BootLoader, slots: u64) -> Result<(), Box<dyn Error>> {
    let partition = |name: String, kind, (start, len): (u64, u64)| {
        let id = Seed::from_text(&name).guid("id");
        let (first, end) = (start / 512, start.saturating_add(len) / 512);
        Some(Partition { name, kind, id, first, last: end.saturating_sub(1), attributes: 0 })
    };
    let mut partitions =
        vec![partition("bios".into(), Guid::BIOS_BOOT, BIOS), partition("esp".into(), Guid::ESP, ESP)];
    let places: Vec<_> = extents(slots).collect();
    let named = places.iter().enumerate();
    partitions.extend(named.map(|(n, place)| partition(format!("slot {n}"), Guid::LINUX, *place)));
    let end = places.last().map_or(ESP.0 + ESP.1, |(start, len)| start.saturating_add(*len));
    let table = Table {
        sector: SectorSize::B512,
        sectors: end.saturating_add(MIB) / 512,
        disk: Seed::from_text("many slots").guid("disk"),
        partitions,
    };
    let file = |path: &str, content: Vec<u8>| FatFile { path: path.to_owned(), content, place: Place::Next };
    let files = vec![
        file("EFI/BOOT/BOOTX64.EFI", boot.efi.clone()),
        file("esos/grub.cfg", script(slots).into_bytes()),
    ];
    let esp = FatImage {
        label: "SLOTS".into(),
        serial: 1,
        sector: SectorSize::B512,
        len: ESP.1,
        hidden: 4096,
        time: 0,
        files,
    };
    let mut disk = File::options().create(true).truncate(true).read(true).write(true).open(path)?;
    disk.set_len(end.saturating_add(MIB))?;
    esp.write(&mut Region::new(&mut disk, ESP.0, ESP.1))?;
    table.write(&mut disk, &mbr_code(&boot.boot_img, BIOS.0 / 512)?)?;
    disk.seek(SeekFrom::Start(BIOS.0))?;
    disk.write_all(&embed(&boot.core_img, BIOS.0 / 512, BIOS.1)?)?;
    let bytes = |n: u32, len: u32| (0..len).map(|i| (i.wrapping_mul(n) >> 16) as u8).collect::<Vec<u8>>();
    let (kernel, initramfs) = (bytes(2_654_435_761, 140_000), bytes(2_246_822_519, 9000));
    for (start, len) in places {
        write(Region::new(&mut disk, start, len), &mut parts(&kernel, &initramfs), 0)?;
    }
    Ok(())
}
