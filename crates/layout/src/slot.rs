//! The two slots, and the files in each.
use std::fmt;
use std::str::FromStr;

/// One of the two whole systems on a stick.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "UPPERCASE"))]
pub enum Slot {
    /// `PRIMARY`.
    Primary,
    /// `SECONDARY`.
    Secondary,
}

impl Slot {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Primary, Self::Secondary];

    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Primary => Self::Secondary,
            Self::Secondary => Self::Primary,
        }
    }

    /// The GPT name of its partition.
    #[must_use]
    pub const fn partition(self) -> &'static str {
        match self {
            Self::Primary => crate::part::PRIMARY,
            Self::Secondary => crate::part::SECONDARY,
        }
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Primary => "PRIMARY",
            Self::Secondary => "SECONDARY",
        })
    }
}

/// The text names no slot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected PRIMARY or SECONDARY, found `{text}`")]
pub struct ParseSlotError {
    /// What stood there.
    pub text: String,
}

impl FromStr for Slot {
    type Err = ParseSlotError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "PRIMARY" => Ok(Self::Primary),
            "SECONDARY" => Ok(Self::Secondary),
            _ => Err(ParseSlotError { text: text.to_owned() }),
        }
    }
}

/// The kernel.
pub const KERNEL: &str = "vmlinuz";
/// The initramfs: newc cpio, zstd.
pub const INITRAMFS: &str = "initrd.img";
/// The kernel of the Debug entry where the image carries one of its own; otherwise Debug boots
/// [`KERNEL`] with [`crate::cmdline::DEBUG_ARGS`].
pub const DEBUG_KERNEL: &str = "vmlinuz-debug";
/// The initramfs of [`DEBUG_KERNEL`].
pub const DEBUG_INITRAMFS: &str = "initrd-debug.img";
/// The initramfs of the crash kernel: `esos-init` with the drivers that reaching the stick needs. Its kernel is
/// [`KERNEL`].
pub const CAPTURE: &str = "capture.img";
/// The root image: zstd frames whose contents, one after the other, are one tar.
pub const ROOT: &str = "root.tar.zst";
/// The index of [`ROOT`]; see [`crate::frames`].
pub const ROOT_INDEX: &str = "root.idx";
/// One line, the version of the slot's ESOS.
pub const VERSION: &str = "version";
/// A GRUB environment block (read with `load_env`, so nothing in a slot is ever run by GRUB): `slot_ver`,
/// `slot_args` (kernel arguments of this slot), `slot_debug_args`, and `slot_debug=1` where the slot has
/// a [`DEBUG_KERNEL`].
pub const GRUB_ENV: &str = "slot.env";
/// `sha256sum` lines for what GRUB reads of the slot: [`KERNEL`], [`INITRAMFS`] and [`GRUB_ENV`]. GRUB
/// checks them before it starts the kernel.
pub const BOOT_SUMS: &str = "boot.sums";
/// One `sha256sum` line, for [`BOOT_SUMS`]. To GRUB a list of no lines is a good one, and so is a list that it
/// cannot read; this one it asks for its length, and reads it for its own sake, before it believes it.
pub const BOOT_CHECK: &str = "boot.check";
/// [`BOOT_SUMS`] for [`DEBUG_KERNEL`] and [`DEBUG_INITRAMFS`], where there are any.
pub const DEBUG_BOOT_SUMS: &str = "boot-debug.sums";
/// [`BOOT_CHECK`] for [`DEBUG_BOOT_SUMS`].
pub const DEBUG_BOOT_CHECK: &str = "boot-debug.check";
/// `sha256sum` lines for every other file of the slot.
pub const SUMS: &str = "SHA256SUMS";
/// What the slot is: its version, and name, size and SHA-256 of every other file, as JSON. Whoever signs
/// a slot signs this.
pub const DESCRIPTION: &str = "description.json";
/// The signature of [`DESCRIPTION`] (minisign), where there is one.
pub const SIGNATURE: &str = "description.json.minisig";
/// The package lock of the slot (name, version, SHA-256), as `esos-image build --lock` reads it.
pub const PACKAGES: &str = "packages.lock";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_print_and_parse() {
        for slot in Slot::ALL {
            assert_eq!(slot.to_string().parse(), Ok(slot));
            assert_eq!(slot.other().other(), slot);
        }
        assert!("primary".parse::<Slot>().is_err());
    }
}
