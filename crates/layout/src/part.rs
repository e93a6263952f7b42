//! Partitions of the stick: GPT names, which are also file-system labels where the file system has one.

/// The BIOS boot partition: GRUB's core image, no file system.
pub const BIOS: &str = "esos_bios";
/// The EFI system partition (FAT32): shim, GRUB, `grub.cfg`, the slot state. Never mounted read-write
/// by the running box.
pub const BOOT: &str = "ESOS_BOOT";
/// The PRIMARY slot: one read-only squashfs with all files of [`crate::slot`].
pub const PRIMARY: &str = "esos_primary";
/// The SECONDARY slot.
pub const SECONDARY: &str = "esos_secondary";
/// Generations of the configuration (ext4).
pub const CONF: &str = "esos_conf";
/// Log archives and crash dumps (ext4).
pub const LOGS: &str = "esos_logs";
/// User data on large media (ext4), where there is one.
pub const DATA: &str = "esos_data";

/// Mount point of [`BOOT`], only ever read-only.
pub const BOOT_MOUNT: &str = "/boot/esos";
/// Mount point of [`CONF`].
pub const CONF_MOUNT: &str = "/mnt/conf";
/// Mount point of [`LOGS`].
pub const LOGS_MOUNT: &str = "/mnt/logs";
/// Mount point of [`DATA`].
pub const DATA_MOUNT: &str = "/mnt/data";

/// The directory on [`BOOT`] that holds one-sector state files.
pub const STATE_DIR: &str = "esos/state";
/// The one-sector file in [`STATE_DIR`] that makes a stick unlike its twins: a GRUB environment block
/// of 512 bytes whose variable `stick` is a random 32-digit hex number, or `unset` in a fresh image.
/// GRUB passes it on as [`crate::cmdline::STICK`].
pub const STICK_FILE: &str = "esos/state/stick";
/// A file on [`BOOT`] that answers the first-login dialogue (`key=value` lines).
pub const ANSWERS_FILE: &str = "esos/answers.conf";

/// The directory on [`BOOT`] with RAID makers' tools, which no upgrade touches. At boot they are checked
/// against [`TOOL_SUMS`] and copied to [`crate::run::OPT_SBIN`].
pub const TOOL_DIR: &str = "esos/tools";
/// `sha256sum` lines for the files in [`TOOL_DIR`].
pub const TOOL_SUMS: &str = "esos/tools/SHA256SUMS";

/// GPT entries of the partitions, from 1: what GRUB calls `gptN`. They never change, since the boot
/// loader on a stick is older than the slots on it.
pub mod number {
    /// Of [`super::BIOS`].
    pub const BIOS: u32 = 1;
    /// Of [`super::BOOT`].
    pub const BOOT: u32 = 2;
    /// Of [`super::PRIMARY`].
    pub const PRIMARY: u32 = 3;
    /// Of [`super::SECONDARY`].
    pub const SECONDARY: u32 = 4;
    /// Of [`super::CONF`].
    pub const CONF: u32 = 5;
    /// Of [`super::LOGS`].
    pub const LOGS: u32 = 6;
    /// Of [`super::DATA`].
    pub const DATA: u32 = 7;
}

/// GRUB's menu and its slot logic, on [`BOOT`].
pub const GRUB_CFG: &str = "esos/grub.cfg";
/// A second copy of [`GRUB_CFG`], read where the first cannot be.
pub const GRUB_CFG_COPY: &str = "esos/grub-copy.cfg";
/// `sha256sum` lines for the files of [`BOOT`] that never change, and two for what has no file:
/// [`MBR_ENTRY`] and [`BIOS_ENTRY`].
pub const BOOT_SUMS: &str = "esos/SHA256SUMS";
/// In [`BOOT_SUMS`], the 440 bytes of boot code in the first sector of the disk.
pub const MBR_ENTRY: &str = "bios:mbr";
/// In [`BOOT_SUMS`], GRUB's core in [`BIOS`]: as many sectors as its own block list says.
pub const BIOS_ENTRY: &str = "bios:core";
/// What UEFI firmware starts from a removable medium.
pub const EFI_LOADER: &str = "EFI/BOOT/BOOTX64.EFI";

/// The name that a partition has on an ISO, which has [`BIOS`], [`BOOT`] and [`PRIMARY`] only: names of their
/// own, so that no box takes an ISO on a stick for its stick.
#[must_use]
pub fn on_iso(name: &str) -> Option<&'static str> {
    match name {
        BIOS => Some("esos_iso_bios"),
        BOOT => Some("ESOS_ISO_BOOT"),
        PRIMARY => Some("esos_iso_primary"),
        _ => None,
    }
}
/// On an ISO's boot partition, what becomes [`GRUB_CFG`] where it is installed.
pub const STICK_GRUB_CFG: &str = "esos/stick.cfg";
/// On an ISO's boot partition, what becomes [`BOOT_SUMS`] where it is installed.
pub const STICK_SUMS: &str = "esos/stick.sums";
/// In [`BOOT_SUMS`] of an ISO, everything from its volume's first sector to its first partition.
pub const ISO_ENTRY: &str = "iso:volume";
/// The directory of an ISO that holds what is not in [`ISO_SLOT_DIR`].
pub const ISO_DIR: &str = "/esos";

/// The volume id of an ISO, in its primary volume descriptor.
pub const ISO_LABEL: &str = "ESOS_ISO";
/// The directory of an ISO that holds the files of [`crate::slot`].
pub const ISO_SLOT_DIR: &str = "/esos/slot";
