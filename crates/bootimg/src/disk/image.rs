//! A whole disk image out of its parts.
mod compress;
mod expand;
mod layout;

use super::bytes::{hex, write_at};
use super::ext4::{Ext4Image, WriteExt4Error};
use super::fat::{FatFile, FatImage, Place, WriteFatError};
use super::gpt::Partition;
use super::grub::{self, BiosError, BootLoader, Core, Menu};
use super::guid::Seed;
use super::region::Region;
use super::slot::{self, SlotParts, SlotSummary, WriteSlotError};
use super::state;
use esos_layout::state::{ATTEMPTS, Attempt, CONTROL_FILES, Epoch, STICK_UNSET, attempt_file, encode_stick};
use esos_layout::{Slot, part};
use sha2::{Digest, Sha256};
use std::io::{self, Seek, Write};

pub use compress::{CompressError, compress};
pub use expand::{ExpandError, expand};
pub use layout::{Layout, LayoutError};

/// All that an image is made of.
#[derive(Debug)]
pub struct Parts<'a> {
    /// Sizes.
    pub layout: Layout,
    /// Where GUIDs, serial numbers and hash seeds come from.
    pub seed: Seed,
    /// Every time in the image, in seconds since 1970.
    pub time: u32,
    /// The boot loader. For Secure Boot, `efi` is the signed shim, and the signed GRUB is one of
    /// `boot_files`.
    pub boot: BootLoader,
    /// Its menu.
    pub menu: Menu,
    /// PRIMARY.
    pub primary: SlotParts<'a>,
    /// SECONDARY; none in a shipped image.
    pub secondary: Option<SlotParts<'a>>,
    /// Further files of the EFI system partition, path and bytes.
    pub boot_files: Vec<(String, Vec<u8>)>,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Summary {
    /// Bytes of the whole image.
    pub bytes: u64,
    /// The partitions.
    pub partitions: Vec<PartitionSummary>,
    /// What is in PRIMARY.
    pub primary: SlotSummary,
    /// What is in SECONDARY.
    pub secondary: Option<SlotSummary>,
}

/// Where a partition lies.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct PartitionSummary {
    /// Its GPT entry, from 1.
    pub number: u32,
    /// Its name.
    pub name: String,
    /// Its first byte.
    pub start_bytes: u64,
    /// Its size.
    pub size_bytes: u64,
}

/// Why an image cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ComposeError {
    /// The sink refuses.
    #[error("cannot write the image")]
    Sink(#[source] io::Error),
    /// The sizes cannot be.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// The BIOS boot loader cannot be placed.
    #[error(transparent)]
    Bios(#[from] BiosError),
    /// The EFI system partition cannot be made.
    #[error("{}", part::BOOT)]
    Boot(#[from] WriteFatError),
    /// `esos_conf` or `esos_logs` cannot be made.
    #[error("{name}")]
    Ext4 {
        /// The partition.
        name: &'static str,
        /// Why.
        #[source]
        source: WriteExt4Error,
    },
    /// A slot cannot be made.
    #[error("{slot}")]
    Slot {
        /// Which.
        slot: Slot,
        /// Why.
        #[source]
        source: WriteSlotError,
    },
    /// A slot does not fit its partition.
    #[error("{slot} needs {bytes} bytes, its partition has {room}: give it more with the layout's slot size")]
    SlotTooLarge {
        /// Which.
        slot: Slot,
        /// Bytes that it needs.
        bytes: u64,
        /// Bytes that there are.
        room: u64,
    },
}

/// Writes an image from offset 0 of a sink that reads as zeros wherever nothing is written: a new file.
/// Holes are skipped, so the file stays sparse.
///
/// # Errors
/// Any of [`ComposeError`].
pub fn compose<W: Write + Seek>(sink: &mut W, mut parts: Parts<'_>) -> Result<Summary, ComposeError> {
    let table = parts.layout.table(&parts.seed)?;
    let area = |name: &str| {
        let (_, partition) = table.find(name).ok_or(LayoutError::NoPartition { name: name.to_owned() })?;
        Ok::<_, LayoutError>((partition.first, table.extent(partition)))
    };
    let (core_sector, core_area) = area(part::BIOS)?;
    // GRUB counts in sectors of 512 bytes, whatever the disk's are.
    let core_sector = core_sector.saturating_mul(table.sector.bytes() / 512);
    let code = grub::mbr_code(&parts.boot.boot_img, core_sector)?;
    let core = grub::embed(&parts.boot.core_img, core_sector, core_area.1)?;
    write_at(sink, core_area.0, &core).map_err(ComposeError::Sink)?;

    let (first, at) = area(part::BOOT)?;
    let files = boot_files(&parts, &code, &core);
    let serial = parts.seed.bytes("boot serial");
    let esp = FatImage {
        label: part::BOOT.to_owned(),
        serial: super::bytes::u32_at(&serial, 0).unwrap_or(0),
        sector: table.sector,
        len: at.1,
        hidden: u32::try_from(first).unwrap_or(0),
        time: parts.time,
        files,
    };
    esp.write(&mut Region::new(&mut *sink, at.0, at.1))?;

    let mut write_slot = |which: Slot, slot: &mut SlotParts<'_>| {
        let (start, room) = area(which.partition())?.1;
        let mut region = Region::new(&mut *sink, start, room);
        let bytes = slot.files.iter().fold(0u64, |sum, f| sum.saturating_add(f.len).saturating_add(4096));
        if bytes.saturating_add(1 << 20) > room {
            return Err(ComposeError::SlotTooLarge { slot: which, bytes, room });
        }
        slot::write(&mut region, slot, parts.time)
            .map_err(|source| ComposeError::Slot { slot: which, source })
    };
    let primary = write_slot(Slot::Primary, &mut parts.primary)?;
    let secondary = parts.secondary.as_mut().map(|slot| write_slot(Slot::Secondary, slot)).transpose()?;

    for name in [part::CONF, part::LOGS] {
        let (_, at) = area(name)?;
        let ext4 = Ext4Image {
            label: name.to_owned(),
            uuid: parts.seed.guid(&format!("{name} file system")).0,
            hash_seed: parts.seed.guid(&format!("{name} hash")).0,
            len: at.1,
            time: parts.time,
        };
        let mut region = Region::new(&mut *sink, at.0, at.1);
        ext4.write(&mut region).map_err(|source| ComposeError::Ext4 { name, source })?;
    }
    table.write(sink, &code).map_err(ComposeError::Sink)?;
    sink.flush().map_err(ComposeError::Sink)?;
    let summary = |(number, partition): (u32, &Option<Partition>)| {
        let partition = partition.as_ref()?;
        let (start_bytes, size_bytes) = table.extent(partition);
        Some(PartitionSummary { number, name: partition.name.clone(), start_bytes, size_bytes })
    };
    let partitions = (1u32..).zip(&table.partitions).filter_map(summary).collect();
    Ok(Summary { bytes: parts.layout.bytes(), partitions, primary, secondary })
}

/// The state files first, `cb` in another erase block than `ca`; then what never changes.
fn boot_files(parts: &Parts<'_>, code: &[u8], core: &[u8]) -> Vec<FatFile> {
    let file = |path: String, content: Vec<u8>, place| FatFile { path, content, place };
    let in_state = |name: &str| format!("{}/{name}", part::STATE_DIR);
    let control = state::fresh(parts.secondary.is_some());
    let attempt = Attempt { epoch: Epoch::default() }.encode();
    let [ca, cb] = CONTROL_FILES;
    let mut out = vec![file(in_state(ca), control.encode().to_vec(), Place::Next)];
    for slot in Slot::ALL {
        let names = (1..=ATTEMPTS).filter_map(|k| attempt_file(slot, k));
        out.extend(names.map(|name| file(in_state(&name), attempt.to_vec(), Place::Next)));
    }
    out.push(file(part::STICK_FILE.to_owned(), encode_stick(STICK_UNSET).to_vec(), Place::Next));
    let menu = parts.menu.print().into_bytes();
    let mut fixed = vec![
        (part::EFI_LOADER.to_owned(), parts.boot.efi.clone()),
        (part::GRUB_CFG.to_owned(), menu.clone()),
        (part::GRUB_CFG_COPY.to_owned(), menu),
    ];
    if parts.menu.core == Core::Signed {
        let (path, text) = grub::SIGNED_ENTRY;
        fixed.push((path.to_owned(), text.as_bytes().to_vec()));
    }
    fixed.extend(parts.boot_files.iter().cloned());
    let line = |name: &str, bytes: &[u8]| format!("{}  {name}\n", hex(&Sha256::digest(bytes)));
    let mut sums = line(part::MBR_ENTRY, code) + &line(part::BIOS_ENTRY, core);
    sums.extend(fixed.iter().map(|(path, bytes)| line(path, bytes)));
    out.extend(fixed.into_iter().map(|(path, bytes)| file(path, bytes, Place::Next)));
    out.push(file(part::BOOT_SUMS.to_owned(), sums.into_bytes(), Place::Next));
    // Behind everything else, and at least 8 MiB behind the file before it.
    out.push(file(in_state(cb), control.encode().to_vec(), Place::Beyond(8 << 20)));
    out
}
