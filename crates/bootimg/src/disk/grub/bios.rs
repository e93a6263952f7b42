//! Telling GRUB's BIOS images where they lie, as `grub-bios-setup` does.
use crate::disk::bytes::{put, wide};

/// Why the BIOS images cannot be placed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BiosError {
    /// `boot.img` is no boot sector.
    #[error("boot.img has {found} bytes, expected 512 with 55 AA at the end")]
    BootImage {
        /// Its size.
        found: usize,
    },
    /// The core does not fit its partition.
    #[error("the BIOS core has {found} bytes, expected 1024 to {room}")]
    CoreSize {
        /// Its size.
        found: usize,
        /// Bytes of the partition.
        room: u64,
    },
}

const SECTOR: usize = 512;
/// `GRUB_BOOT_MACHINE_KERNEL_SECTOR`: where boot.img has the sector of the core.
const KERNEL_SECTOR: usize = 0x5c;
/// `GRUB_BOOT_MACHINE_DRIVE_CHECK`: a jump over the work-around for BIOSes that do not pass a drive.
const DRIVE_CHECK: usize = 0x66;
/// The first block list of `diskboot.img`, the core's first sector: start, length, segment.
const BLOCK_LIST: usize = SECTOR - 12;
/// Segment to which `diskboot.img` loads the rest: 0x8200.
const SEGMENT: u16 = 0x820;

/// The 440 bytes of code for the master boot record: `boot.img`, told that the core lies in that sector.
///
/// # Errors
/// [`BiosError::BootImage`].
pub fn mbr_code(boot_img: &[u8], core_sector: u64) -> Result<Vec<u8>, BiosError> {
    if boot_img.len() != SECTOR || !boot_img.ends_with(&[0x55, 0xaa]) {
        return Err(BiosError::BootImage { found: boot_img.len() });
    }
    let mut code = boot_img.get(..440).unwrap_or_default().to_vec();
    put(&mut code, KERNEL_SECTOR, &core_sector.to_le_bytes());
    put(&mut code, DRIVE_CHECK, &[0x90, 0x90]);
    Ok(code)
}

/// The core image with its block list pointing at itself, one piece from `core_sector` on, in a partition
/// of `room` bytes.
///
/// # Errors
/// [`BiosError::CoreSize`].
pub fn embed(core: &[u8], core_sector: u64, room: u64) -> Result<Vec<u8>, BiosError> {
    let sectors = core.len().div_ceil(SECTOR);
    let rest = u16::try_from(sectors.saturating_sub(1)).ok().filter(|n| *n > 0 && wide(core.len()) <= room);
    let Some(rest) = rest else { return Err(BiosError::CoreSize { found: core.len(), room }) };
    let mut out = core.to_vec();
    out.resize(sectors.saturating_mul(SECTOR), 0);
    put(&mut out, BLOCK_LIST, &core_sector.saturating_add(1).to_le_bytes());
    put(&mut out, BLOCK_LIST + 8, &rest.to_le_bytes());
    put(&mut out, BLOCK_LIST + 10, &SEGMENT.to_le_bytes());
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_where_grub_bios_setup_puts_them() {
        let mut boot = vec![0xcc; 512];
        boot[510..].copy_from_slice(&[0x55, 0xaa]);
        let code = mbr_code(&boot, 2048).unwrap();
        assert_eq!(code.len(), 440);
        assert_eq!(&code[0x5c..0x68], &[0, 8, 0, 0, 0, 0, 0, 0, 0xcc, 0xcc, 0x90, 0x90]);
        let core = embed(&[7; 1300], 2048, 1 << 20).unwrap();
        assert_eq!(core.len(), 1536);
        assert_eq!(&core[500..512], &[1, 8, 0, 0, 0, 0, 0, 0, 2, 0, 0x20, 8]);
    }

    #[test]
    fn sizes_that_cannot_be_are_refused() {
        assert_eq!(mbr_code(&[0; 512], 1), Err(BiosError::BootImage { found: 512 }));
        assert_eq!(embed(&[0; 512], 1, 1 << 20), Err(BiosError::CoreSize { found: 512, room: 1 << 20 }));
        assert_eq!(embed(&[0; 2000], 1, 1024), Err(BiosError::CoreSize { found: 2000, room: 1024 }));
    }
}
