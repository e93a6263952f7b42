//! What can lie on a block device.
use std::fmt;

/// A partition table, file system or container, by its name in blkid(8).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum Format {
    /// A GUID partition table.
    Gpt,
    /// A PC partition table.
    Mbr,
    /// ext2.
    Ext2,
    /// ext3.
    Ext3,
    /// ext4.
    Ext4,
    /// XFS.
    Xfs,
    /// Btrfs.
    Btrfs,
    /// FAT12, FAT16 or FAT32.
    Vfat,
    /// exFAT.
    Exfat,
    /// NTFS.
    Ntfs,
    /// Squashfs 4.
    Squashfs,
    /// ISO 9660.
    Iso9660,
    /// A member of an md array.
    MdMember,
    /// A physical volume of LVM2.
    Lvm2Pv,
    /// Swap space.
    Swap,
    /// LUKS 1 or 2.
    Luks,
    /// A DRBD device with internal meta data, or a meta-data device.
    Drbd,
}

impl Format {
    /// Its name in blkid(8).
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Gpt => "gpt",
            Self::Mbr => "dos",
            Self::Ext2 => "ext2",
            Self::Ext3 => "ext3",
            Self::Ext4 => "ext4",
            Self::Xfs => "xfs",
            Self::Btrfs => "btrfs",
            Self::Vfat => "vfat",
            Self::Exfat => "exfat",
            Self::Ntfs => "ntfs",
            Self::Squashfs => "squashfs",
            Self::Iso9660 => "iso9660",
            Self::MdMember => "linux_raid_member",
            Self::Lvm2Pv => "LVM2_member",
            Self::Swap => "swap",
            Self::Luks => "crypto_LUKS",
            Self::Drbd => "drbd",
        }
    }

    /// Whether it is made of, or makes, other block devices, and hides what seems to lie inside it.
    #[must_use]
    pub const fn is_container(&self) -> bool {
        matches!(self, Self::MdMember | Self::Lvm2Pv | Self::Luks | Self::Drbd)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One superblock that was found.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Signature {
    /// What it is.
    pub format: Format,
    /// The byte where its magic stands.
    pub offset: u64,
    /// Its version as its own tools print it: `1.2`, `v09`, `FAT32`; empty where there is but one.
    pub version: String,
    /// Its label or name; empty where it has none.
    pub label: String,
    /// Its identity as its own tools print it; empty where it has none.
    pub uuid: String,
}

impl Signature {
    pub(crate) fn new(format: Format, offset: u64) -> Self {
        Self { format, offset, version: String::new(), label: String::new(), uuid: String::new() }
    }
    pub(crate) fn version(mut self, version: impl Into<String>) -> Self {
        self.version = version.into();
        self
    }
    pub(crate) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }
    pub(crate) fn uuid(mut self, uuid: impl Into<String>) -> Self {
        self.uuid = uuid.into();
        self
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.format)?;
        if !self.version.is_empty() {
            write!(f, " {}", self.version)?;
        }
        if !self.label.is_empty() {
            write!(f, " `{}`", self.label)?;
        }
        Ok(())
    }
}
