//! An ISO out of a disk image: the same boot loader, the same slot, and an ISO 9660 volume that names the
//! slot's files where they lie. It starts as a disc and as a stick, by BIOS and by UEFI, and whatever can
//! read an image can read it: its partitions are those of a stick under other names.
use super::bytes::{hex, put, read_at, u32_at, wide, write_at};
use super::fat::{Entry, Fat, FatFile, FatImage, Place, ReadFatError, WriteFatError};
use super::gpt::{Copy, GptError, Partition, Table};
use super::grub::Menu;
use super::guid::Seed;
use super::iso9660::{FIRST, IsoError, IsoFile, SECTOR, Volume};
use super::region::Region;
use super::squashfs::{Image, ReadSquashError};
use esos_layout::part;
use sha2::{Digest, Sha256};
use std::io::{self, Read, Seek, Write};

/// Why there is no ISO.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MakeIsoError {
    /// The image has no partition table.
    #[error("the image")]
    Table(#[from] GptError),
    /// The image lacks a partition, or it does not begin at a whole MiB.
    #[error("the image has no partition {name} that begins at a whole MiB")]
    NoPartition {
        /// Its name.
        name: &'static str,
    },
    /// Its slot cannot be read.
    #[error("the slot")]
    Slot(#[from] ReadSquashError),
    /// Its boot partition cannot be read.
    #[error("{}", part::BOOT)]
    Boot(#[from] ReadFatError),
    /// The boot partition cannot be made.
    #[error("the ISO's {}", part::BOOT)]
    WriteBoot(#[from] WriteFatError),
    /// The volume cannot be made.
    #[error(transparent)]
    Volume(#[from] IsoError),
    /// Volume, menu and boot loader do not fit in front of the first partition.
    #[error("the volume and GRUB for discs take {needs} bytes, there is room for {room}")]
    Room {
        /// Bytes.
        needs: u64,
        /// Bytes.
        room: u64,
    },
    /// The image cannot be read, or the ISO cannot be written.
    #[error("cannot copy the image")]
    Io(#[source] io::Error),
}

const MIB: u64 = 1 << 20;

/// The first byte of the volume, and the bytes that it may take: up to the first partition.
pub(super) const VOLUME: (u64, usize) = (FIRST * SECTOR, (MIB - FIRST * SECTOR) as usize);

/// Writes the ISO of an image with `cd_img`, GRUB's core for discs, and gives its length, which the sink
/// must be given. What is not written must read as zeros.
///
/// # Errors
/// [`MakeIsoError`].
pub fn make<R: Read + Seek, W: Write + Seek>(
    image: &mut R,
    sink: &mut W,
    menu: &Menu,
    cd_img: &[u8],
    time: u32,
) -> Result<u64, MakeIsoError> {
    let table = Table::read(image, Copy::Primary)?;
    let place = |name: &'static str| {
        let found = table.find(name).map(|(_, p)| (p, table.extent(p)));
        found.filter(|(_, (start, _))| start.is_multiple_of(MIB)).ok_or(MakeIsoError::NoPartition { name })
    };
    let (bios, bios_at) = place(part::BIOS)?;
    let (boot, boot_at) = place(part::BOOT)?;
    let (primary, primary_at) = place(part::PRIMARY)?;
    let slot = Image::open(&mut Region::new(&mut *image, primary_at.0, primary_at.1))?;
    let slot_len = slot.len.next_multiple_of(MIB);
    let len = primary_at.0.saturating_add(slot_len).saturating_add(MIB);

    copy(image, sink, bios_at.0, bios_at.1)?;
    copy(image, sink, primary_at.0, slot.len)?;
    let text = menu.iso();
    let volume = volume(&slot, primary_at.0, boot_at.0, len, time, text.as_bytes(), cd_img)?;
    write_at(sink, VOLUME.0, &volume).map_err(MakeIsoError::Io)?;
    let esp = boot_files(Region::new(&mut *image, boot_at.0, boot_at.1), &text, &volume)?;
    let old = read_at(image, boot_at.0, 128).map_err(MakeIsoError::Io)?;
    let fat = FatImage {
        label: "ESOS_ISO".to_owned(),
        serial: u32_at(&old, 67).unwrap_or(0),
        sector: table.sector,
        len: boot_at.1,
        hidden: u32::try_from(boot.first).unwrap_or(0),
        time,
        files: esp,
    };
    fat.write(&mut Region::new(&mut *sink, boot_at.0, boot_at.1))?;

    let seed = Seed::from_text(&format!("{:?} iso", table.disk));
    let sector = table.sector.bytes();
    let named = |p: &Partition, last: u64| {
        let name = part::on_iso(&p.name).unwrap_or_default().to_owned();
        Some(Partition { id: seed.guid(&name), name, last, ..p.clone() })
    };
    let last = (primary_at.0.saturating_add(slot_len) / sector).saturating_sub(1);
    let partitions = vec![named(bios, bios.last), named(boot, boot.last), named(primary, last)];
    let own = Table { sector: table.sector, sectors: len / sector, disk: seed.guid("disk"), partitions };
    let code = read_at(image, 0, 440).map_err(MakeIsoError::Io)?;
    own.write(sink, &code).map_err(MakeIsoError::Io)?;
    sink.flush().map_err(MakeIsoError::Io)?;
    Ok(len)
}

/// The volume, the menu and the core for discs, up to the first partition.
fn volume(
    slot: &Image,
    slot_at: u64,
    efi: u64,
    len: u64,
    time: u32,
    menu: &[u8],
    cd_img: &[u8],
) -> Result<Vec<u8>, MakeIsoError> {
    let in_iso = |path: &str| path.trim_start_matches('/').to_owned();
    let mut files: Vec<IsoFile> = slot
        .files()
        .iter()
        .map(|f| IsoFile {
            path: in_iso(&format!("{}/{}", part::ISO_SLOT_DIR, f.name)),
            start: slot_at.saturating_add(f.start),
            len: f.len,
        })
        .collect();
    let own = [(in_iso(part::GRUB_CFG), menu), (in_iso(&format!("{}/bios.img", part::ISO_DIR)), cd_img)];
    for (path, bytes) in &own {
        files.push(IsoFile { path: path.clone(), start: 0, len: wide(bytes.len()) });
    }
    let label = part::ISO_LABEL.to_owned();
    let mut volume = Volume { label, time, len, files, bios: 0, efi };
    // How long the tables are does not depend on where files lie.
    let mut next = VOLUME.0.saturating_add(wide(volume.print()?.len()));
    let mut places = Vec::new();
    for (path, bytes) in &own {
        places.push(next);
        if let Some(file) = volume.files.iter_mut().find(|f| f.path == *path) {
            file.start = next;
        }
        next = next.saturating_add(wide(bytes.len())).next_multiple_of(SECTOR);
    }
    let room = MIB;
    if next > room {
        return Err(MakeIsoError::Room { needs: next, room });
    }
    volume.bios = places.last().copied().unwrap_or(0);
    let mut out = volume.print()?;
    out.resize(VOLUME.1, 0);
    let patched = boot_info(cd_img, volume.bios);
    for (start, bytes) in places.iter().zip([menu, patched.as_slice()]) {
        put(&mut out, usize::try_from(start.saturating_sub(VOLUME.0)).unwrap_or(usize::MAX), bytes);
    }
    Ok(out)
}

/// GRUB's loader for discs finds the rest of itself by the boot information table at byte 8, as `mkisofs`
/// writes it: the volume's first sector, its own, its length, the sum of its words from byte 64 on.
fn boot_info(cd_img: &[u8], at: u64) -> Vec<u8> {
    let mut out = cd_img.to_vec();
    out.resize(out.len().next_multiple_of(4), 0);
    let words = out.get(64..).unwrap_or_default().chunks_exact(4);
    let sum = words.fold(0u32, |sum, word| sum.wrapping_add(u32_at(word, 0).unwrap_or(0)));
    let word = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    for (place, value) in
        [(8, word(FIRST)), (12, word(at / SECTOR)), (16, word(wide(cd_img.len()))), (20, sum)]
    {
        put(&mut out, place, &value.to_le_bytes());
    }
    put(&mut out, 24, &[0; 40]);
    out
}

/// The image's boot partition with the ISO's menu in the place of its own, which is kept for the stick
/// that is made of it.
fn boot_files<R: Read + Seek>(esp: R, menu: &str, volume: &[u8]) -> Result<Vec<FatFile>, ReadFatError> {
    let mut fat = Fat::open(esp)?;
    let mut entries: Vec<Entry> = Vec::new();
    for entry in fat.walk() {
        entries.push(entry?);
    }
    entries.retain(|e| !e.directory);
    entries.sort_by_key(|e| e.extents.first().map_or(u64::MAX, |x| x.start));
    let mut files = Vec::new();
    let mut add = |path: &str, content: Vec<u8>| {
        files.push(FatFile { path: path.to_owned(), content, place: Place::Next });
    };
    let line = |name: &str, bytes: &[u8]| format!("{}  {name}\n", hex(&Sha256::digest(bytes)));
    for entry in entries {
        let content = fat.read(&entry.path)?;
        match entry.path.as_str() {
            part::GRUB_CFG => {
                add(part::GRUB_CFG, menu.as_bytes().to_vec());
                add(part::STICK_GRUB_CFG, content);
            }
            part::GRUB_CFG_COPY => add(part::GRUB_CFG_COPY, menu.as_bytes().to_vec()),
            part::BOOT_SUMS => {
                let stick = String::from_utf8_lossy(&content).into_owned();
                let own = [part::GRUB_CFG, part::GRUB_CFG_COPY];
                let kept =
                    stick.lines().filter(|l| !own.iter().any(|name| l.ends_with(&format!("  {name}"))));
                let mut sums: String = kept.map(|l| format!("{l}\n")).collect();
                sums.extend(own.map(|name| line(name, menu.as_bytes())));
                sums.push_str(&line(part::ISO_ENTRY, volume));
                add(part::BOOT_SUMS, sums.into_bytes());
                add(part::STICK_SUMS, content);
            }
            _ => add(&entry.path, content),
        }
    }
    Ok(files)
}

fn copy<R: Read + Seek, W: Write + Seek>(
    image: &mut R,
    sink: &mut W,
    from: u64,
    len: u64,
) -> Result<(), MakeIsoError> {
    let mut at = 0;
    while at < len {
        let n = usize::try_from(len.saturating_sub(at)).unwrap_or(1 << 20).min(1 << 20);
        let place = from.saturating_add(at);
        let bytes = read_at(image, place, n).map_err(MakeIsoError::Io)?;
        // Holes stay holes.
        if bytes.iter().any(|b| *b != 0) {
            write_at(sink, place, &bytes).map_err(MakeIsoError::Io)?;
        }
        at = at.saturating_add(wide(n));
    }
    Ok(())
}
